//! The code of docs/events.md posts events, and posts them again where that is right.

use std::process::Command;

use super::read;
use crate::cli::home;
use crate::cli::serve::serve;
use crate::support::run;

/// Calls the function: a node that rejects one of two events; a server that is busy once; a request that is wrong.
const CALLS: &str = r#"
import http.server, sys, threading

class Busy(http.server.BaseHTTPRequestHandler):
    calls = 0
    def do_POST(self):
        Busy.calls += 1
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(503 if Busy.calls == 1 else 202)
        self.send_header("retry-after", "0")
        self.end_headers()
        self.wfile.write(b'{"accepted":1,"rejected":[]}')
    def log_message(self, *_): pass

url = f"http://{sys.argv[1]}/v1/events"
print([one["code"] for one in post(url, "key-of-the-operator", [{"type": "a", "data": {}}, {"type": "a b", "data": {}}])])
server = http.server.HTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(post(f"http://127.0.0.1:{server.server_port}/", "key-of-the-operator", []), Busy.calls)
try:
    post(url, "key-of-the-operator", [])
except urllib.error.HTTPError as error:
    print(error.code)
"#;

#[test]
fn the_code_posts_events() {
    let document = read("docs/events.md");
    let block = document.split_once("```python\n").and_then(|(_, rest)| rest.split_once("```\n"));
    let home = home();
    let file = home.path().join("post.py");
    std::fs::write(&file, format!("{}{CALLS}", block.expect("a block").0)).expect("a file");
    let (_node, address) = serve(&home, &[("POSTHASTE_AUTH__OPERATOR_KEY", "key-of-the-operator")]);
    let told = run(Command::new("python3").arg(&file).arg(&address));
    assert_eq!(told, "['bad_event_type']\n[] 2\n422\n");
}
