//! The commands of the README and of the documents are run as they stand, but for ports and for where the program is. A
//! command that needs root, a network, a build or an editor's hands is excused below, with the reason.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::read;
use crate::cli::serve::{metric, serve};
use crate::cli::{Running, call, home, post};
use crate::support::{Receiver, RedisServer, run};

/// What the first word of a command may be. A word in capitals and `=` before it sets a variable.
const PROGRAMS: [&str; 12] = [
    "curl",
    "posthaste",
    "cargo",
    "redis-cli",
    "export",
    "npm",
    "pip",
    "promtool",
    "systemctl",
    "docker",
    "jq",
    "echo",
];

/// Documents whose commands a test below runs, one after the other, or that another test runs.
const RUN: [&str; 9] = [
    "README.md",
    "docs/events.md",
    "docs/keys.md",
    "docs/console.md",
    "docs/interface.md",
    "docs/redis.md",
    "docs/templates.md",
    "docs/triggers.md",
    "docs/operating/backup.md",
];

/// Commands that no test runs: where, how they begin, and why.
const EXCUSED: [(&str, &str, &str); 7] = [
    ("README.md", "scripts/", "they are the checks and the tour themselves"),
    ("CONTRIBUTING.md", "scripts/", "they are the checks and the tour themselves"),
    ("CONTRIBUTING.md", "cargo test", "this is such a test"),
    ("docs/console.md", "scripts/console", "it needs the network for the console's packages; scripts/test runs it"),
    ("docs/console.md", "POSTHASTE_CONSOLE__DIR=", "it shows a page that somebody edits"),
    ("docs/operating/deploying.md", "docker", "it needs a container engine"),
    ("docs/operating/deploying.md", "systemctl", "it needs an installed package"),
];

/// The commands of a document: indented lines and the lines of shell blocks, each with its continued lines.
fn commands(document: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let (mut open, mut fence) = (false, None::<bool>);
    for line in document.lines() {
        if let Some(language) = line.strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(matches!(language, "sh" | "bash" | "console")) };
            open = false;
            continue;
        }
        let code = match fence {
            Some(true) => Some(line),
            Some(false) => None,
            None => line.strip_prefix("    "),
        };
        let Some(code) = code else {
            open = false;
            continue;
        };
        match commands.last_mut().filter(|_| open) {
            Some(last) => *last = format!("{last}\n{code}"),
            None if is_command(code) => commands.push(code.trim_start().to_owned()),
            None => continue,
        }
        // A quoted body goes on until its quote is closed.
        open = commands.last().is_some_and(|last| last.ends_with('\\') || last.matches('\'').count() % 2 == 1);
    }
    commands
}

fn is_command(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    let sets = first.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
    });
    sets || first.starts_with("scripts/") || first.starts_with("target/") || PROGRAMS.contains(&first)
}

/// The README, the guides, and all that is in `docs`.
pub(super) fn documents() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<String> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md"].map(str::to_owned).into();
    for folder in ["docs", "docs/operating"] {
        for entry in std::fs::read_dir(root.join(folder)).expect(folder) {
            let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
            found.extend(name.ends_with(".md").then(|| format!("{folder}/{name}")));
        }
    }
    found
}

#[test]
fn each_command_is_run_or_excused() {
    let mut unknown = Vec::new();
    for document in documents() {
        for command in commands(&read(&document)) {
            let excused = EXCUSED.iter().any(|(page, begin, _)| *page == document && command.starts_with(begin));
            if !excused && !RUN.contains(&document.as_str()) {
                unknown.push(format!("{document}: {command}"));
            }
        }
    }
    assert!(unknown.is_empty(), "a test must run these, or this file excuse them:\n{}", unknown.join("\n"));
}

/// The commands of a document that begin so.
fn beginning(document: &str, begin: &str) -> Vec<String> {
    commands(&read(document)).into_iter().filter(|command| command.starts_with(begin)).collect()
}

/// Where the program is, in place of how a document calls it.
fn with_program(command: &str) -> String {
    let program = env!("CARGO_BIN_EXE_posthaste");
    command.replace("target/demo/posthaste ", "posthaste ").replace("posthaste ", &format!("{program} "))
}

/// Starts a command that goes on until it is ended, on free ports, and gives the address that it listens on.
fn launch(home: &tempfile::TempDir, command: &str, variables: &[(&str, &str)]) -> (Running, String) {
    let command = with_program(command).replace("127.0.0.1:9000", "127.0.0.1:0");
    let (settings, words) = command.split_at(command.find(env!("CARGO_BIN_EXE_posthaste")).expect("the program"));
    let mut shell = Command::new("bash");
    // The shell becomes the program, so that its end is the program's.
    shell.args(["-ec", &format!("export {settings} POSTHASTE_SERVER__LISTEN=127.0.0.1:0; exec {words}")]);
    shell.current_dir(home.path()).env("NO_COLOR", "1").envs(variables.iter().copied());
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running::start(shell);
    let address = running.line_or_end("listening on http://").unwrap_or_else(|| panic!("{command} ended"));
    (running, address)
}

/// Runs calls of a document, and gives what each printed. A response that is no success fails.
fn follow(calls: &[String], node: &str, receiver: &str) -> Vec<String> {
    let printed = calls.iter().map(|line| {
        let line = line.replace("127.0.0.1:8080", node).replace("127.0.0.1:9000", receiver);
        let line = format!("curl() {{ command curl --silent --show-error --fail-with-body \"$@\"; }}\n{line}");
        run(Command::new("bash").args(["-ec", &line]))
    });
    printed.collect()
}

#[test]
fn the_tour_of_the_readme_ends_with_a_delivery() {
    let home = home();
    let programs = beginning("README.md", "target/demo/posthaste receive");
    let (receiver, place) = launch(&home, &programs[0], &[]);
    let programs = beginning("README.md", "POSTHASTE_DISPATCH__ALLOW_NETWORKS=");
    let (_node, address) = launch(&home, &programs[0], &[]);
    let printed = follow(&beginning("README.md", "curl"), &address, &place);
    assert!(printed.len() >= 5, "{printed:?}");
    let begin = r#"{"text": "Ana \"Anita\" Silva from PT is new"}"#;
    assert_eq!(receiver.line_or_end(begin).as_deref(), Some(""), "the receiver shows the delivery");
    assert!(printed.last().is_some_and(|test| test.contains("\"delivered\":true")), "{printed:?}");
}

/// The two nodes of the README, of which one accepts and the other sends.
#[actix_rt::test]
async fn the_nodes_of_the_readme_share_their_work() {
    let (home, server, receiver) = (home(), RedisServer::start(), Receiver::start());
    let url = server.url();
    let store = beginning("README.md", "export").remove(0).replace("redis://127.0.0.1:6379", &url);
    let (name, value) = store.trim_start_matches("export ").split_once('=').expect("a variable");
    let allowed = ("POSTHASTE_DISPATCH__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]");
    let nodes: Vec<_> = beginning("README.md", "POSTHASTE_CLUSTER__ROLES=")
        .iter()
        .map(|command| launch(&home, &command.replace("8080", "0").replace("8081", "0"), &[(name, value), allowed]))
        .collect();
    assert_eq!(nodes.len(), 2);
    crate::cli::serve::set_up(&nodes[0].1, "w", &receiver.url("/"));
    let event = json!({"type": "a", "id": "one", "data": {}});
    assert_eq!(post(&nodes[0].1, &event).expect("a response"), 202);
    assert_eq!(receiver.wait_for(1).await[0].text(), r#"{"id":"one"}"#);
    assert_eq!(post(&nodes[1].1, &event).expect("a response"), 503, "the second node only sends");
}

#[test]
fn keys_are_made_as_the_document_says() {
    let home = home();
    let (_running, address) = serve(&home, &[]);
    let printed = follow(&beginning("docs/keys.md", "curl"), &address, "");
    assert!(printed.last().is_some_and(|list| list.contains("reservation system")), "{printed:?}");
    let (_node, address) = launch(
        &home,
        &beginning("docs/keys.md", "POSTHASTE_AUTH__OPERATOR_KEY=")[0],
        &[("POSTHASTE_STORE__URL", "memory:")],
    );
    let (status, told) = call(&address, "GET /v1/keys HTTP/1.1", b"").expect("a response");
    assert!(status == 401 && told.contains("key_missing"), "{status} {told}");
}

#[test]
fn events_are_posted_as_the_document_says() {
    let home = home();
    let serve = beginning("docs/events.md", "POSTHASTE_INGEST__DUPLICATE_WINDOW_MS=").remove(0);
    let (_node, address) = launch(&home, &serve, &[("POSTHASTE_STORE__URL", "memory:")]);
    let posts = [beginning("docs/events.md", "curl"), beginning("docs/events.md", "echo")].concat();
    let text = read("docs/events.md");
    for (number, told) in follow(&posts, &address, "").iter().enumerate() {
        let told = told.trim();
        match number {
            0 => assert!(text.contains(&format!("\n    {told}\n")), "{told}"),
            1 => {
                let (begin, end) = told.split_once("\"detail\":\"").expect("a detail");
                assert!(
                    text.contains(&format!("\n    {begin}\"detail\":\"…\"}}]}}\n")) && end.ends_with("\"}]}"),
                    "{told}"
                );
            }
            2 => assert_eq!(told, r#"{"accepted":2,"rejected":[]}"#),
            _ => assert_eq!(told, r#"{"accepted":1,"rejected":[]}"#),
        }
    }
    assert_eq!((posts.len(), metric(&address, "posthaste_duplicates_total")), (7, 0.0));
    follow(&posts[..1], &address, "");
    assert_eq!(metric(&address, "posthaste_duplicates_total"), 1.0);
}

/// Runs all commands of a document in one folder, as a reader would, against a node and a receiver.
fn read_along(document: &str, node: &str, receiver: &Receiver) -> String {
    let home = home();
    let place = receiver.url("");
    let lines: Vec<String> = commands(&read(document))
        .iter()
        .map(|line| with_program(line).replace("127.0.0.1:8080", node).replace("http://127.0.0.1:9000", &place))
        .map(|line| line.replace("https://hooks.slack.com", &place))
        .collect();
    let curl = "curl() { command curl --silent --show-error --fail-with-body \"$@\" && echo; }";
    run(Command::new("bash").args(["-ec", &format!("{curl}\n{}", lines.join("\n"))]).current_dir(home.path()))
}

#[actix_rt::test]
async fn a_preset_becomes_a_delivery_as_the_document_says() {
    let (home, receiver) = (home(), Receiver::start());
    let (_node, address) = serve(&home, &[]);
    let told = read_along("docs/templates.md", &address, &receiver);
    assert!(told.ends_with("\n") && told.contains("\"delivered\":true"), "{told}");
    let message: serde_json::Value = serde_json::from_slice(&receiver.wait_for(1).await[0].body).expect("JSON");
    assert_eq!(message["blocks"][0]["type"], "header", "{message}");
}

#[actix_rt::test]
async fn a_trigger_is_set_up_and_tried_as_the_document_says() {
    let (home, receiver) = (home(), Receiver::start());
    let (_node, address) = serve(&home, &[]);
    let told = read_along("docs/triggers.md", &address, &receiver);
    for part in [
        "\"headers\":{\"X-Token\":null}",
        "\nwhsec_",
        "\"key\":\"whsec_",
        "\"delivered\":true",
        "\"reason\":\"event\"",
        "\"ok\":true",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    assert!(!told.contains("what-the-receiver-wants"), "a header's value is shown:\n{told}");
    let test = &receiver.wait_for(1).await[0];
    assert_eq!(test.header("x-token"), Some("what-the-receiver-wants"));
    let signatures = test.header("webhook-signature").map(|value| value.split(' ').count());
    assert_eq!(signatures, Some(2), "the old secret and the new one sign");
}

#[test]
fn lists_and_changes_work_as_the_document_says() {
    let home = home();
    let (_node, address) = serve(&home, &[]);
    let told = follow(&commands(&read("docs/interface.md")), &address, "");
    assert!(told.len() == 5 && told[2].contains("etag: \"1\"") && told[3].contains("See you"), "{told:?}");
}

#[test]
fn failures_are_watched_as_the_document_says() {
    let home = home();
    let (_node, address) = serve(&home, &[]);
    let nobody = crate::support::free_port();
    crate::cli::serve::set_up(&address, "t", &format!("http://127.0.0.1:{nobody}/"));
    let line = beginning("docs/console.md", "curl").remove(0).replace("127.0.0.1:8080", &address);
    let mut watch = Command::new("bash");
    watch.args(["-ec", &format!("exec {line} --silent --include")]);
    watch.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let watch = Running::start(watch);
    // Once the head is there, the node passes on what ends.
    assert!(watch.line_or_end("HTTP/1.1 200").is_some());
    assert_eq!(post(&address, &json!({"type": "guest.created", "data": {}})).expect("a response"), 202);
    assert!(watch.line_or_end("event: firing").is_some());
    let data = watch.line_or_end("data: ").expect("a firing");
    assert!(data.contains("\"outcome\":\"connect\""), "{data}");
}

#[test]
fn an_account_moves_as_the_document_says() {
    let (home, server) = (home(), RedisServer::start());
    let account = json!({"posthaste_export": 1, "accounts": [{"account": "acme", "templates": [
        {"id": "w", "name": "", "format": "text", "body": "x"}], "triggers": []}]});
    std::fs::write(home.path().join("first.json"), account.to_string()).expect("a file");
    let lines = [vec!["posthaste import first.json".to_owned()], commands(&read("docs/operating/backup.md"))].concat();
    let script: Vec<String> = lines.iter().map(|line| with_program(line)).collect();
    let script = script.join("\n").replace("redis://127.0.0.1:6379", &server.url());
    let told = run(Command::new("bash").args(["-ec", &script]).current_dir(home.path()));
    assert!(
        told.ends_with(
            "imported 1 template (1 created, 0 replaced) and 0 triggers (0 created, 0 replaced) into 1 account\n"
        ),
        "{told}"
    );
    assert!(server.cli(&["HGET", "{posthaste}:templates:acme", "w"]).contains("\"format\":\"text\""));
}

/// Commands within sentences. One that is only named, such as `posthaste import`, is asked for its help.
#[test]
fn commands_within_sentences_work() {
    let home = home();
    std::fs::write(home.path().join("none.json"), r#"{"posthaste_export": 1, "accounts": []}"#).expect("a file");
    assert_eq!(crate::cli::run(&home, &["import", "none.json"], &[]).0, 0, "there is a store then");
    let mut ran = Vec::new();
    for document in documents() {
        for code in read(&document).split('`').skip(1).step_by(2) {
            let Some(words) = code.strip_prefix("posthaste ").filter(|words| !words.contains('\n')) else { continue };
            let mut words: Vec<&str> = words.split(' ').collect();
            words.extend((words.len() == 1).then_some("--help"));
            let (code, _, stderr) = crate::cli::run(&home, &words, &[]);
            assert_eq!(code, 0, "{document}: posthaste {words:?}: {stderr}");
            ran.push(words.join(" "));
        }
    }
    for known in ["export --all-accounts --output backup.json", "preset slack", "import --help"] {
        assert!(ran.iter().any(|ran| ran == known), "{known} is not in {ran:?}");
    }
}

/// What `scripts/cluster` prints for a shell works in that shell: nothing in it was put in too early, or is left open.
#[test]
fn the_watch_command_of_the_cluster_looks_at_both_nodes() {
    let script = read("scripts/cluster");
    let (_, printed) = script.split_once("cat << END\n").expect("what is printed");
    let (printed, _) = printed.split_once("\nEND\n").expect("its end");
    let home = home();
    let (_node, address) = serve(&home, &[]);
    let setting = "declare -A url=([one]=ONE [two]=TWO [ingest]=I [receiver]=R) pid=([one]=1 [two]=2 [redis]=3 [ingest]=4 \
                   [receiver]=5); redis_port=1 event=e work=w store=s program=p minutes=1";
    let print = format!("set -eu\n{setting}\ncat << END\n{printed}\nEND\n");
    let told = run(Command::new("bash").args(["-c", &print]).current_dir(home.path()));
    let watch = told.lines().find_map(|line| line.trim_start().strip_prefix("watch -n1 ")).expect("a watch command");
    // What `watch` does: it hands its words to a shell, once here.
    let command = format!("watch() {{ sh -c \"$*\"; }}\nwatch {watch}");
    let command = command.replace("ONE", &address).replace("TWO", &address);
    let seen = run(Command::new("bash").args(["-ec", &command]));
    for metric in [
        "posthaste_attempts_in_flight 0",
        "posthaste_queue_depth 0",
        "posthaste_attempts_total{outcome=\"delivered\"} 0",
    ] {
        assert_eq!(seen.lines().filter(|line| *line == metric).count(), 2, "{metric} of both nodes in\n{seen}");
    }
}

#[test]
fn commands_are_found_whole() {
    let text = "Text\n\n    curl a \\\n      -d '{\"x\":\n           1}'\n    curl b   # c\n    A_B=1 x serve\n    {\"a\": 1}\n\n\
                curl no\n```sh\nposthaste check\nnot a command\n```\n```json\nexport\n```\n";
    let expected = ["curl a \\\n  -d '{\"x\":\n       1}'", "curl b   # c", "A_B=1 x serve", "posthaste check"];
    assert_eq!(commands(text), expected);
}
