//! The layers, and that one reading reports every mistake.

use std::time::Duration;

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect()
}

#[test]
fn the_defaults_are_valid_and_documented() {
    let config = Config::from_layers(None, []).expect("valid");
    assert_eq!(config.dispatch.attempt_timeout, Duration::from_secs(10));
    assert_eq!(config.auth.operator_key, None);
    assert_eq!(config.templates, templating::TemplateLimits::default(), "one set of defaults");
    let text = include_str!("../../config/posthaste.toml");
    let mut commented = false;
    for line in text.lines().filter(|line| !line.starts_with('[')) {
        assert!(line.is_empty() || line.starts_with('#') || commented, "no reason for {line}");
        commented = line.starts_with('#');
    }
}

#[test]
fn later_layers_win() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\n[dispatch]\ndrain_ms = 1\nallow_networks = [\"10.0.0.0/8\"]";
    let config = Config::from_layers(
        Some(("file", file)),
        variables(&[
            ("POSTHASTE_DISPATCH__DRAIN_MS", "2"),
            ("POSTHASTE_DISPATCH__ALLOW_NETWORKS", "[\"127.0.0.0/8\",\"::1/128\"]"),
            ("POSTHASTE_LOG", "not ours"),
        ]),
    )
    .expect("valid");
    assert_eq!(config.server.listen.port(), 1);
    assert_eq!(config.dispatch.drain, Duration::from_millis(2));
    assert_eq!(config.dispatch.egress.allow_networks.len(), 2);
}

#[test]
fn one_reading_reports_every_mistake() {
    let file = "top = 1\n[server]\nlisten = \"0.0.0.0:80\"\nlissten = \"\"\n[dispach]\na = 1\n[dispatch]\nthreads = \"2\"\ndrain_ms = -1\nallow_networks = [\"x\"]\nnat64_prefixes = [\"2001:db8::/95\", \"10.0.0.0/32\"]";
    let errors = Config::from_layers(
        Some(("file", file)),
        variables(&[
            ("POSTHASTE_INGEST__BODY_BYTES_MAX", "many"),
            ("POSTHASTE_LOG__FORMAT", "yaml"),
            ("POSTHASTE_CLUSTER__ROLES", "[\"ingest\"]"),
        ]),
    )
    .expect_err("refused");
    let places: Vec<&str> = errors.iter().map(|e| e.place.as_str()).collect();
    let expected = [
        "dispach.a",
        "dispatch.threads",
        "server.lissten",
        "top",
        "ingest.body_bytes_max",
        "dispatch.allow_networks",
        "dispatch.nat64_prefixes",
        "dispatch.nat64_prefixes",
        "dispatch.drain_ms",
        "log.format",
        "server.listen",
        "cluster.roles",
    ];
    assert_eq!(places, expected, "{errors:#?}");
}

#[test]
fn settings_that_no_node_could_start_with_are_refused() {
    let both = "[\"ingest\", \"dispatch\"]";
    for (url, roles, expected) in [
        ("redis://h", "[\"dispatch\"]", &[][..]),
        ("redis://h", both, &[]),
        ("memory:", both, &[]),
        ("memory:", "[\"ingest\"]", &["cluster.roles: an embedded store belongs to one node"]),
        ("reddis://:hunter2@h", "[\"ingest\"]", &["store.url: the scheme `reddis:` is not known"]),
        ("hunter2@h", both, &["store.url: it names no kind of store"]),
        ("data/x.redb", both, &["store.url: it names no kind of store; write file:"]),
        ("", both, &["store.url: it is empty; write file:"]),
        ("", "[\"ingest\"]", &["store.url: it is empty; write file:"]),
        ("file:", both, &["store.url: `file:` needs a path"]),
        ("redis://u:hunter2@h:abc", both, &["store.url: invalid port number"]),
        ("redis://h", "[\"ingest\",\"ingest\"]", &["cluster.roles: \"ingest\" is given twice"]),
    ] {
        let set = variables(&[("POSTHASTE_STORE__URL", url), ("POSTHASTE_CLUSTER__ROLES", roles)]);
        let errors = Config::from_layers(None, set).map_or_else(|errors| errors, |_| Vec::new());
        let errors: Vec<String> = errors.iter().map(ConfigError::to_string).collect();
        assert_eq!(errors.len(), expected.len(), "{url} {roles}: {errors:?}");
        let sources = ["(in POSTHASTE_STORE__URL)", "(in POSTHASTE_CLUSTER__ROLES)"];
        assert!(errors.iter().all(|error| sources.iter().any(|source| error.ends_with(source))), "{errors:?}");
        for (error, begin) in errors.iter().zip(expected) {
            assert!(error.starts_with(begin) && !error.contains("hunter2"), "{error}");
        }
    }
}

#[test]
fn a_mistake_in_a_value_names_its_file_or_variable() {
    let file = "[dispatch]\ndrain_ms = -1\ncolour = 1\n[server]\nlisten = \"nowhere\"\n[log]\nlevel = \"loud\"";
    let set = variables(&[("POSTHASTE_LOG__LEVEL", "quiet"), ("POSTHASTE_INGEST__BODY_BYTES_MAX", "0")]);
    let errors = Config::from_layers(Some(("/etc/p.toml", file)), set).expect_err("refused");
    for (place, source) in [
        ("dispatch.drain_ms", "/etc/p.toml"),
        ("dispatch.colour", "/etc/p.toml"),
        ("server.listen", "/etc/p.toml"),
        ("log.level", "POSTHASTE_LOG__LEVEL"),
        ("ingest.body_bytes_max", "POSTHASTE_INGEST__BODY_BYTES_MAX"),
    ] {
        let error = errors.iter().find(|error| error.place == place).expect(place).to_string();
        assert!(error.ends_with(&format!("(in {source})")), "{error}");
    }
}

#[test]
fn characters_that_look_like_others_are_named() {
    let curly = "this is a curly quote (U+201C)";
    for (file, variable, part) in [
        ("[server]\nlisten = \u{201c}127.0.0.1:1\u{201d}", "[]", curly),
        ("[server]\nlisten\u{a0}= \"127.0.0.1:1\"", "[]", "this is a no-break space (U+00A0)"),
        ("", "[\u{201c}127.0.0.0/8\u{201d}]", curly),
    ] {
        let set = variables(&[("POSTHASTE_DISPATCH__ALLOW_NETWORKS", variable)]);
        let errors = Config::from_layers(Some(("p.toml", file)), set).expect_err("refused");
        assert!(errors[0].to_string().contains(part), "{}", errors[0]);
    }
    let begins = "\u{feff}[server]\r\nlisten = \"127.0.0.1:1\"\r\n";
    assert_eq!(Config::from_layers(Some(("p.toml", begins)), []).expect("valid").server.listen.port(), 1);
}

#[test]
fn a_variable_that_almost_names_a_setting_is_told_and_no_other_is() {
    let meant = "POSTHASTE_STORE__URL";
    for (name, expected) in [
        ("POSTHASTE_STORE_URL", Some(meant)),
        ("POSTHASTE_STOREURL", Some(meant)),
        ("POSTHASE_STORE__URL", Some(meant)),
        ("PostHaste_store__url", Some(meant)),
        ("POST_HASTE_STORE_URL", Some(meant)),
        ("POSTHASTE_STORE_ULR", Some(meant)),
        ("POSTHASTE_DISPATCH_ALLOW_NETWORK", Some("POSTHASTE_DISPATCH__ALLOW_NETWORKS")),
        // What Kubernetes and others set.
        ("POSTHASTE_SERVICE_HOST", None),
        ("POSTHASTE_SERVICE_PORT", None),
        ("POSTHASTE_PORT", None),
        ("POSTHASTE_PORT_8080_TCP_ADDR", None),
        ("POSTHASTE_WRITE_DOCUMENTS", None),
        ("POSTGRES_STORE__URL", None),
        ("STORE__URL", None),
        ("PATH", None),
    ] {
        let config = Config::from_layers(None, variables(&[(name, "memory:")])).expect("the defaults");
        let reported: Vec<String> = config.unused.iter().map(ConfigError::to_string).collect();
        assert_eq!(reported.len(), usize::from(expected.is_some()), "{name}: {reported:?}");
        let expected =
            expected.map(|meant| format!("{name}: this environment variable is not used; did you mean {meant}?"));
        assert_eq!(reported.first().cloned(), expected);
    }
}

#[test]
fn a_misspelt_key_is_told_with_the_one_that_was_meant() {
    let set = variables(&[("POSTHASTE_STORE__ULR", "memory:"), ("POSTHASTE_STOER__URL", "memory:")]);
    let errors = Config::from_layers(None, set).expect_err("refused");
    assert!(errors[0].detail.contains("did you mean `url`?"), "{errors:?}");
    assert!(errors[1].detail.contains("did you mean `store`?"), "{errors:?}");
}

#[test]
fn two_spellings_of_a_variable_do_not_contradict_each_other() {
    let (lower, upper) = ("POSTHASTE_server__listen", "POSTHASTE_SERVER__LISTEN");
    for set in [[(lower, "127.0.0.1:1"), (upper, "127.0.0.1:2")], [(upper, "127.0.0.1:2"), (lower, "127.0.0.1:1")]] {
        let errors = Config::from_layers(None, variables(&set)).expect_err("refused");
        let begin = format!("server.listen: {upper} and {lower} set it to different values");
        assert!(errors.len() == 1 && errors[0].to_string().starts_with(&begin), "{errors:?}");
    }
    let same = variables(&[(lower, "127.0.0.1:1"), (upper, "127.0.0.1:1")]);
    assert_eq!(Config::from_layers(None, same).expect("no contradiction").server.listen.port(), 1);
}

#[test]
fn mistakes_say_what_can_be_written() {
    for (file, name, value, expected) in [
        ("", "DISPATCH__ALLOW_PORTS", "[65536]", "65536 is not a port: the highest is 65535"),
        ("", "DISPATCH__ALLOW_PORTS", "[\"x\"]", "expected a list of ports, such as [81]"),
        ("", "STORE__URL", "memory:hunter2", "`memory:` has nothing after it; write memory:"),
        ("", "CATALOGUE__DIR", "", "it is empty; name a folder, such as config/catalogue"),
        ("", "DISPATCH__DRAIN_MS", "18446744073709551615", "so large a number is not within 0 to 3600000"),
        ("", "DISPATCH__DRAIN_MS", "-9223372036854775809", "so small a number is not within 0 to 3600000"),
        ("", "DISPATCH__DRAIN_MS", "1s", "expected a whole number"),
        ("[[server]]\nlisten = \"x\"", "LOG__LEVEL", "info", "write [server] once, in single brackets"),
        ("", "DISPATCH__HANDSHAKE_HOSTS", "[\"a.example\"]", "needs an origin"),
        ("", "SERVER__ADMIN_LISTEN", "127.0.0.1:8080", "is also the address of the HTTP server"),
        ("", "SERVER__ADMIN_LISTEN", "0.0.0.0:8080", "is also the address of the HTTP server"),
        ("", "DISPATCH__ALLOW_HOSTS", "[\"a..b\"]", "is not a host name"),
    ] {
        let set = variables(&[(&format!("POSTHASTE_{name}"), value)]);
        let errors = Config::from_layers(Some(("my.toml", file)), set).expect_err(name);
        let text = errors[0].to_string();
        let source = if file.is_empty() { format!("(in POSTHASTE_{name})") } else { "(in my.toml)".to_owned() };
        assert!(errors.len() == 1 && text.contains(expected) && text.ends_with(&source), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    for (listen, admin) in [("127.0.0.1:0", "127.0.0.1:0"), ("127.0.0.1:1", "127.0.0.2:1"), ("127.0.0.1:1", "[::]:1")] {
        let set = [("POSTHASTE_SERVER__LISTEN", listen), ("POSTHASTE_SERVER__ADMIN_LISTEN", admin)];
        assert!(Config::from_layers(None, variables(&set)).is_ok(), "{listen} {admin}");
    }
}
