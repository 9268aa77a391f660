//! How it starts, and how it reports why it does not.

use super::*;

#[test]
fn ten_mistakes_in_the_settings_are_reported_at_once() {
    let home = home();
    let file = "[server]\nlisten = \"here\"\nlissten = 1\nworkers = \"two\"\n[dispach]\nx = 1\n[dispatch]\n\
                drain_ms = -1\nallow_networks = [\"10.0.0.0/99\"]\n[ingest]\nbody_bytes_max = 0\n[log]\nformat = \"xml\"\n\
                level = \"loud\"\n[auth]\noperator_key = \"short\"\n";
    fs::write(home.path().join("my.toml"), file).expect("a file");
    let (code, stdout, stderr) = run(&home, &["serve", "--config", "my.toml"], &[]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    for place in [
        "server.listen",
        "server.lissten",
        "server.workers",
        "dispach.x",
        "dispatch.drain_ms",
        "dispatch.allow_networks",
        "ingest.body_bytes_max",
        "log.format",
        "log.level",
        "auth.operator_key",
    ] {
        let begin = format!("posthaste: {place}: ");
        assert!(stderr.lines().any(|line| line.starts_with(&begin)), "{begin} is not in\n{stderr}");
    }
    assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 1, "something was left behind");
}

/// The environment overrides the file, which overrides the defaults.
#[test]
fn later_layers_of_settings_override_earlier_ones() {
    let home = home();
    let file = "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"memory:\"\n[ingest]\nbody_bytes_max = 40\n";
    fs::write(home.path().join("my.toml"), file).expect("a file");
    let event = json!({"type": "a", "data": {"long": "enough to be refused"}});
    for (variable, status) in [(None, 413), (Some("100"), 202), (Some("20"), 413)] {
        let mut serve = command(&home, &["serve", "--config", "my.toml"]);
        if let Some(value) = variable {
            serve.env("POSTHASTE_INGEST__BODY_BYTES_MAX", value);
        }
        let serve = Running::start(serve);
        let address = serve.wait_for_line("listening on http://");
        assert_eq!(post(&address, &event).expect("a response"), status, "{variable:?}");
        serve.signal("TERM");
        assert_eq!(serve.end().0, Some(0));
    }
}

#[test]
fn without_an_operators_key_it_listens_on_this_machine_only() {
    let home = home();
    let memory = ("POSTHASTE_STORE__URL", "memory:");
    let everywhere = ("POSTHASTE_SERVER__LISTEN", "0.0.0.0:0");
    let (code, stdout, stderr) = run(&home, &["serve"], &[memory, everywhere]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("posthaste: server.listen: 0.0.0.0:0 can be reached from other machines"), "{stderr}");
    let key = ("POSTHASTE_AUTH__OPERATOR_KEY", "the-operators-own-key");
    let (serve, address) = serve(&home, &[memory, everywhere, key]);
    let address = address.replace("0.0.0.0", "127.0.0.1");
    let list = "GET /v1/keys HTTP/1.1";
    assert_eq!(call(&address, list, b"").expect("a response").0, 401);
    assert_eq!(call(&address, &format!("{list}\r\nauthorization: Bearer {}", key.1), b"").expect("a response").0, 200);
    serve.signal("TERM");
    assert_eq!(serve.end().0, Some(0));
}

#[test]
fn a_port_in_use_is_reported() {
    let home = home();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let holder = std::net::TcpListener::bind(taken).expect("still free");
    let variables = [("POSTHASTE_STORE__URL", "memory:"), ("POSTHASTE_SERVER__LISTEN", &taken.to_string())];
    let (code, stdout, stderr) = run(&home, &["serve"], &variables);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains(&format!("can't listen on {taken}: ")), "{stderr}");
    drop(holder);
}

#[test]
fn a_foreign_or_damaged_store_is_reported_and_not_changed() {
    let home = home();
    let path = home.path().join("data/posthaste.redb");
    let (first, address) = serve(&home, &[]);
    set_up(&address, "t", "https://example.com/");
    first.signal("TERM");
    assert_eq!(first.end().0, Some(0));
    let whole = fs::read(&path).expect("the store");
    let mut damaged = whole.clone();
    for byte in damaged.iter_mut().skip(whole.len() / 8) {
        *byte ^= 0x55;
    }
    for (content, reason) in [
        (&damaged[..], "is a damaged store"),
        (b"{\"a\": \"list\"}\n", "is not a store of Posthaste"),
        (b"", "is empty"),
    ] {
        fs::write(&path, content).expect("written");
        let (code, stdout, stderr) = run(&home, &["serve"], &[("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0")]);
        assert_eq!((code, stdout.as_str()), (1, ""), "{reason}");
        assert!(stderr.contains("data/posthaste.redb") && stderr.contains(reason), "{stderr}");
        assert!(fs::read(&path).expect("the file") == content, "{reason}: it was changed");
    }
}

/// A key is shown in one response and stored nowhere, and works after a restart too.
#[test]
fn a_key_is_kept_as_a_hash_only() {
    let home = home();
    let operator = "the-operators-own-key";
    let variables = [("POSTHASTE_AUTH__OPERATOR_KEY", operator)];
    let (first, address) = serve(&home, &variables);
    let make = format!("POST /v1/keys HTTP/1.1\r\ncontent-type: application/json\r\nauthorization: Bearer {operator}");
    let (status, body) = call(&address, &make, b"{\"scope\":\"producer\"}").expect("a response");
    assert_eq!(status, 201, "{body}");
    let key = serde_json::from_str::<Value>(&body).expect("JSON")["key"].as_str().expect("a key").to_owned();
    first.signal("TERM");
    let (code, _, stderr) = first.end();
    assert_eq!(code, Some(0));
    let store = fs::read(home.path().join("data/posthaste.redb")).expect("the store");
    for secret in [key.as_str(), key.trim_start_matches("phk_"), operator] {
        assert!(!store.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret} is in the store");
        assert!(!stderr.concat().contains(secret), "{secret} is in the log");
    }
    let (second, address) = serve(&home, &variables);
    let head = format!("POST /v1/events HTTP/1.1\r\ncontent-type: application/json\r\nauthorization: Bearer {key}");
    assert_eq!(call(&address, &head, b"{\"type\":\"a\",\"data\":{}}").expect("a response").0, 202);
    second.signal("INT");
    assert_eq!(second.end().0, Some(0));
}

/// Started from another folder, a node has another, empty store: its operator must see that.
#[test]
fn the_first_lines_of_the_log_name_the_store_and_whether_it_was_made() {
    let home = home();
    let file = home.path().canonicalize().expect("a folder").join("data/posthaste.redb").display().to_string();
    for made in ["there was no store at this path; a new one was made", "the existing store was opened"] {
        let (node, _) = serve(&home, &[("POSTHASTE_STORE_ULR", "memory:")]);
        node.signal("TERM");
        let (code, _, log) = node.end();
        assert_eq!(code, Some(0));
        assert!(log[0].contains("POSTHASTE_STORE_ULR: ") && log[0].contains("POSTHASTE_STORE__URL?"), "{log:#?}");
        assert!(log[1].contains(made) && log[1].contains(&file), "{log:#?}");
    }
}

#[test]
fn a_limit_of_the_size_of_files_is_said() {
    let home = home();
    let mut limited = std::process::Command::new("sh");
    let serve = ["-c", "ulimit -f 1000; exec \"$0\" serve", env!("CARGO_BIN_EXE_posthaste")];
    limited.args(serve).current_dir(home.path()).env("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0");
    let ended = limited.output().expect("sh");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code() == Some(1) && told.contains("File too large"), "{:?} {told}", ended.status);
}
