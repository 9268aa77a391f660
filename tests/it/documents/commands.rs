//! The commands of the README and of the documents are run unchanged, except for addresses, against the built program.
//! Commands that need root or another machine are left out.

use std::process::Command;

use crate::cli::{home, serve::serve};
use crate::support::{Receiver, run};

/// The indented commands of a document that begin with `curl`, with their continuation lines.
fn curls(document: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut open = false;
    for line in document.lines() {
        let Some(code) = line.strip_prefix("    ") else {
            open = false;
            continue;
        };
        match commands.last_mut().filter(|_| open) {
            Some(last) => *last = format!("{last}\n{code}"),
            None if code.starts_with("curl ") => commands.push(code.to_owned()),
            None => continue,
        }
        // A quoted body continues until its closing quote.
        open = commands.last().is_some_and(|last| last.ends_with('\\') || last.matches('\'').count() % 2 == 1);
    }
    commands
}

/// Runs the commands of a document and returns their output. Fails if a response is not a success.
fn follow(document: &str, address: &str, receiver: &Receiver) -> Vec<String> {
    let commands = curls(document);
    let printed = commands.iter().map(|line| {
        let line = line.replace("127.0.0.1:8080", address).replace("http://127.0.0.1:9000", &receiver.url(""));
        let line = format!("curl() {{ command curl --silent --show-error --fail-with-body \"$@\"; }}\n{line}");
        run(Command::new("bash").args(["-ec", &line]))
    });
    printed.collect()
}

#[actix_rt::test]
async fn the_tour_of_the_readme_ends_with_a_delivery() {
    let home = home();
    let (_running, address) = serve(&home, &[]);
    let receiver = Receiver::start();
    let printed = follow(include_str!("../../../README.md"), &address, &receiver);
    assert!(printed.len() >= 5, "{printed:?}");
    let delivered = receiver.wait_for(1).await;
    assert_eq!(delivered[0].text(), r#"{"text": "Ana \"Anita\" Silva from PT is new"}"#);
}

#[test]
fn the_documented_commands_for_keys_work() {
    let home = home();
    let (_running, address) = serve(&home, &[]);
    let printed = follow(include_str!("../../../docs/keys.md"), &address, &Receiver::start());
    assert!(printed.last().is_some_and(|list| list.contains("reservation system")), "{printed:?}");
}

#[test]
fn commands_are_found_whole() {
    let text =
        "Text\n\n    curl a \\\n      -d '{\"x\":\n           1}'\n    curl b   # c\n    posthaste serve\n\ncurl no\n";
    assert_eq!(curls(text), ["curl a \\\n  -d '{\"x\":\n       1}'", "curl b   # c"]);
}
