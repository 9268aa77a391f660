//! `posthaste receive`: prints every request, exactly for programs and safely for terminals.

use serde_json::{Value, json};

use super::{Running, call, command, home, lines, run, wait_for_line};

/// Sends a request and returns the status of the response.
fn send(address: &str, head: &str, body: &[u8]) -> u16 {
    call(address, head, body).expect("a response").0
}

#[test]
fn programs_get_one_json_line_per_request() {
    let home = home();
    let words = ["receive", "--listen", "127.0.0.1:0", "--json", "--status", "503", "--delay-ms", "1"];
    let running = Running::start(command(&home, &words));
    let address = wait_for_line(&running.stderr, "listening on http://");
    let next = || serde_json::from_str::<Value>(&running.wait_for_line("")).expect("a JSON line");

    let head = "POST /hook?a=1 HTTP/1.1\r\ncontent-type: application/json\r\nX-Team: é\r\nx-a: 1\r\nx-a: 2";
    assert_eq!(send(&address, head, "{\"a\":\n\"é\u{1b}\"}".as_bytes()), 503);
    let mut line = next();
    let time = line["time"].take();
    assert!(time.as_str().is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok()), "{time}");
    let headers = json!({"connection": "close", "content-length": "12", "content-type": "application/json",
                         "host": "x", "x-a": "1, 2", "x-team": "é"});
    assert_eq!(
        line,
        json!({"time": null, "method": "POST", "path": "/hook?a=1", "headers": headers, "body": "{\"a\":\n\"é\u{1b}\"}"})
    );

    assert_eq!(send(&address, "POST / HTTP/1.1", b"\xff\x00"), 503);
    assert_eq!(next()["body_base64"], "/wA=");

    assert_eq!(send(&address, "GET /not-printed HTTP/1.1", b""), 405);
    let long = vec![b'x'; (1 << 20) + 5];
    assert_eq!(send(&address, "POST /long HTTP/1.1", &long), 503);
    let line = next();
    assert_eq!((line["path"].as_str(), line["bytes_left_out"].as_u64()), (Some("/long"), Some(5)));
    assert_eq!(line["body"].as_str().map(str::len), Some(1 << 20));

    running.signal("TERM");
    let (code, rest, _) = running.end();
    assert_eq!((code, rest), (Some(0), Vec::new()));
}

#[test]
fn text_output_is_safe_for_terminals() {
    let home = home();
    let running = Running::start(command(&home, &["receive", "--listen", "127.0.0.1:0"]));
    let address = running.wait_for_line("listening on http://");
    let head = "POST /hook HTTP/1.1\r\ncontent-type: text/plain\r\nwebhook-id: msg_1";
    assert_eq!(send(&address, head, "Zoë\n\u{1b}[2J\u{202e}".as_bytes()), 200);
    let first = running.wait_for_line("");
    assert!(first.ends_with(" POST /hook"), "{first}");
    for expected in ["content-type: text/plain", "webhook-id: msg_1", "", "Zoë", "\\u{1b}[2J\\u{202e}", ""] {
        assert_eq!(running.wait_for_line(""), expected);
    }
    running.signal("INT");
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn quiet_prints_only_the_number_of_requests() {
    let home = home();
    let running = Running::start(command(&home, &["receive", "--listen", "127.0.0.1:0", "--quiet"]));
    let address = running.wait_for_line("listening on http://");
    for _ in 0..3 {
        assert_eq!(send(&address, "POST / HTTP/1.1", b"x"), 200);
    }
    running.signal("TERM");
    let (code, rest, _) = running.end();
    assert_eq!((code, rest), (Some(0), vec!["received 3 POSTs".to_owned()]));
}

#[test]
fn localhost_is_an_address_and_what_is_none_gets_an_example() {
    let home = home();
    let running = Running::start(command(&home, &["receive", "--listen", "localhost:0"]));
    let address = running.wait_for_line("listening on http://");
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    assert_eq!(send(&address, "POST / HTTP/1.1", b""), 200);
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
    for words in ["9000", "localhost", "example.com:9000"] {
        let (code, _, stderr) = run(&home, &["receive", "--listen", words], &[]);
        assert!(code == 2 && stderr.contains("like 127.0.0.1:8080, localhost:8080"), "{stderr}");
    }
}

#[test]
fn output_that_is_lost_ends_it_with_a_reason() {
    let home = home();
    for device in ["/dev/full", "a closed pipe"] {
        let mut receive = command(&home, &["receive", "--listen", "127.0.0.1:0", "--json"]);
        match device {
            "/dev/full" => receive.stdout(std::fs::OpenOptions::new().write(true).open(device).expect("a device")),
            _ => receive.stdout(std::io::pipe().expect("a pipe").1),
        };
        let mut child = receive.spawn().expect("the built binary");
        let said = lines(child.stderr.take().expect("piped"));
        let address = wait_for_line(&said, "listening on http://");
        // The command may end before it responds.
        let _ = call(&address, "POST / HTTP/1.1", b"x");
        let code = child.wait().expect("a child").code();
        let reason: Vec<String> = said.iter().collect();
        match device {
            "/dev/full" => {
                assert_eq!(code, Some(1));
                assert!(reason[0].starts_with("posthaste: standard output: No space left"), "{reason:?}");
            }
            _ => assert_eq!((code, reason), (Some(0), Vec::new())),
        }
    }
}
