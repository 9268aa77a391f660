//! A long run: what the log contains and what it doesn't, and the resources that many destinations leave behind.

use std::process::Stdio;

use super::*;
use crate::support::{Behaviour, Receiver};

/// Marks are in everything that must not be logged: bodies, headers, keys, queries, secrets. The node reports mistakes
/// in them, at the most verbose level.
#[test]
fn the_log_contains_no_body_header_key_or_query() {
    let (home, receiver) = (home(), Receiver::start());
    let operator = format!("operator-{MARK}");
    let more = [
        ("POSTHASTE_LOG__LEVEL", "trace"),
        ("POSTHASTE_LOG__FORMAT", "json"),
        ("POSTHASTE_AUTH__OPERATOR_KEY", operator.as_str()),
        ("POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS", "200"),
        ("POSTHASTE_TEMPLATES__OUTPUT_BYTES_MAX", "200"),
    ];
    let (running, address) = serve(&home, &more);
    let key = format!("authorization: Bearer {operator}");
    let ask = |head: &str, body: &str| {
        let head = format!("{head} HTTP/1.1\r\n{key}\r\nx-own: {MARK}\r\ncontent-type: application/json");
        call(&address, &head, body.as_bytes()).expect("a response").0
    };
    let template = json!({"format": "json", "body": format!("{{\"{MARK}\":\"{{{{secret}}}}\"}}")}).to_string();
    assert_eq!(ask("PUT /v1/accounts/default/templates/t", &template), 201);
    let urls = [
        receiver.url(&format!("/?token={MARK}")),
        format!("http://127.0.0.1:1024/?token={MARK}"),
        format!("http://no-such-host.invalid/?token={MARK}"),
        receiver.url(&format!("/?token={MARK}")).replace("http", "https"),
    ];
    for (id, url) in urls.iter().enumerate() {
        let secret = "whsec_bjB0LWYwci10aGUtbDBnLWFuZC1sb25nLWVub3VnaA==";
        let trigger =
            json!({"event": "*", "template": "t", "url": url, "headers": {"x-token": MARK}, "secret": secret});
        assert_eq!(ask(&format!("PUT /v1/accounts/default/triggers/t{id}"), &trigger.to_string()), 201);
    }
    let event = json!({"type": "a", "id": MARK, "data": {"secret": MARK}}).to_string();
    let long = json!({"type": "a", "data": {"secret": MARK.repeat(20)}}).to_string();
    for behaviour in [Behaviour::Respond(200), Behaviour::Respond(500), Behaviour::HangUp, Behaviour::Nonsense] {
        receiver.behave(behaviour);
        assert_eq!(ask("POST /v1/events", &event), 202);
        assert_eq!(ask("POST /v1/accounts/default/triggers/t0/test", ""), 200);
    }
    receiver.behave(Behaviour::Silence);
    assert_eq!(ask("POST /v1/events", &event), 202);
    assert_eq!(ask("POST /v1/events", &long), 202);
    for (head, body, status) in [
        (format!("POST /v1/events?x={MARK}"), format!("{{\"{MARK}"), 400),
        ("POST /v1/events".to_owned(), format!("{{\"type\":\"{MARK} \",\"data\":{{\"{MARK}\":1}}}}"), 422),
        (format!("GET /{MARK}?x={MARK}"), String::new(), 404),
        (format!("GET /v1/accounts/default/triggers?cursor={MARK}"), String::new(), 400),
        (
            format!("PUT /v1/accounts/default/templates/x?{MARK}"),
            format!("{{\"format\":\"{MARK}\",\"{MARK}\":1}}"),
            422,
        ),
        (format!("PUT /v1/accounts/default/triggers/x?{MARK}"), format!("{{\"url\":\"{MARK}\"}}"), 422),
    ] {
        assert_eq!(ask(&head, &body), status, "{head}");
    }
    let foreign = format!("GET /v1/keys HTTP/1.1\r\nauthorization: Bearer phk_{MARK}");
    assert_eq!(call(&address, &foreign, b"").expect("a response").0, 401);
    // A request that is not HTTP.
    let _ = call(&address, &format!("{MARK} {MARK}\r\n{MARK}"), MARK.as_bytes());
    running.signal("TERM");
    let (code, stdout, stderr) = running.end();
    assert_eq!(code, Some(0));
    for line in stderr.iter().chain(&stdout) {
        assert!(!line.contains(MARK) && !line.contains("bjB0LWYwci10aGUtbDBn"), "{line}");
    }
    for line in &stderr {
        let line: Value = serde_json::from_str(line).expect("a JSON line");
        for member in ["timestamp", "level", "message"] {
            assert!(line[member].is_string(), "no {member} in {line}");
        }
    }
    assert!(stderr.len() >= 3, "{stderr:#?}");
}

/// Many destinations, each with a Dispatcher and a socket, leave nothing behind.
#[test]
fn destinations_that_come_and_go_leave_nothing_behind() {
    const DESTINATIONS: usize = 200;
    let (home, receiver) = (home(), Receiver::start_on("0.0.0.0:0"));
    let triggers: Vec<Value> = (0..DESTINATIONS)
        .map(|number| {
            let url = format!("http://127.1.0.{}:{}/", number + 1, receiver.port());
            json!({"id": format!("t{number}"), "event": "*", "template": "t", "url": url})
        })
        .collect();
    let template = json!({"id": "t", "format": "text", "body": "x"});
    let accounts = json!([{"account": "default", "templates": [template], "triggers": triggers}]);
    let document = json!({"posthaste_export": 1, "accounts": accounts});
    fs::write(home.path().join("many.json"), document.to_string()).expect("a file");
    assert_eq!(run(&home, &["import", "many.json"], &[]).0, 0);
    let (running, address) = serve(&home, &[("POSTHASTE_DISPATCH__IDLE_DESTINATION_MS", "300")]);
    let folder = format!("/proc/{}/fd", running.child.id());
    let open_files = || fs::read_dir(&folder).expect("its open files").count();
    // An idle node has its threads' files and few connections; it may still be starting them.
    let mut at_rest = DESTINATIONS / 2;
    for round in 1..=3 {
        assert_eq!(post(&address, &json!({"type": "a", "data": {}})).expect("a response"), 202);
        let delivered = "posthaste_attempts_total{outcome=\"delivered\"}";
        wait_for_metric(&address, delivered, (round * DESTINATIONS) as f64);
        wait_for_metric(&address, "posthaste_destinations", 0.0);
        let deadline = std::time::Instant::now() + DEADLINE;
        while open_files() > at_rest {
            assert!(std::time::Instant::now() < deadline, "{} open files; there were {at_rest}", open_files());
            crate::support::pause();
        }
        // The call that reads the metric may hold one of them.
        at_rest = open_files() + 2;
    }
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
}

/// Shells and service managers set a low limit that may be raised; each destination needs a socket.
#[test]
fn it_raises_its_limit_of_open_files() {
    let home = home();
    let mut serve = std::process::Command::new("sh");
    serve.args(["-c", "ulimit -Sn 64; exec \"$0\" serve", env!("CARGO_BIN_EXE_posthaste")]).current_dir(home.path());
    serve.env("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0").env("POSTHASTE_STORE__URL", "memory:");
    serve.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running::start(serve);
    running.wait_for_line("listening on http://");
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.child.id())).expect("its limits");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("the limit");
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[0], words[1], "{limits}");
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
}

/// So that `top -H` shows which part of a node is busy.
#[test]
fn its_threads_are_named_for_their_work() {
    let home = home();
    let two = [("POSTHASTE_SERVER__WORKERS", "2"), ("POSTHASTE_DISPATCH__THREADS", "2")];
    let (running, _) = serve(&home, &two);
    let folder = format!("/proc/{}/task", running.child.id());
    let names = || -> Vec<String> {
        let threads = fs::read_dir(&folder).expect("its threads").flatten();
        let names = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
        names.map(|name| name.trim().to_owned()).collect()
    };
    let deadline = std::time::Instant::now() + DEADLINE;
    // A thread takes its name once it runs.
    for expected in ["http-1", "http-2", "http-accept", "dispatch-1", "dispatch-2"] {
        while !names().iter().any(|name| name == expected) {
            assert!(std::time::Instant::now() < deadline, "{expected} in {:?}", names());
            crate::support::pause();
        }
    }
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
}
