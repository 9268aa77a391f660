//! `posthaste demo`: the tour. A node with a store in memory and a receiver run in one process,
//! and a day of a holiday rental passes between them over real HTTP. It leaves nothing behind.

mod calls;
mod day;
mod more;
mod tour;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::error::{CommandError, TourError};
use super::print::{HEADING, complain, say};
use super::receive::{Behaviour, PostCallback, ReceivedPost, Receiver};
use super::{DemoArguments, signals};
use crate::config::{Config, DictionarySource};
use crate::node::Node;
use crate::telemetry::log;
use calls::NodeClient;

/// The differences from the defaults. No other settings apply.
const SETTINGS: &str = r#"
[server]
listen = "127.0.0.1:0"
workers = 1
[store]
url = "memory:"
[dispatch]
threads = 1
allow_networks = ["127.0.0.0/8"]
[log]
level = "warn"
"#;

/// Runs the tour.
pub(super) fn run(arguments: &DemoArguments) -> ExitCode {
    let config = settings();
    log::start(&config.log);
    match actix_rt::System::new().block_on(show(config, arguments.keep)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn settings() -> Config {
    let config = Config::from_layers(Some(("the demo", SETTINGS)), []);
    let mut config = config.expect("the demo's settings are constant; a test reads them");
    // The dictionary of the demo, independent of the current folder: an empty path is no folder.
    config.dictionary = DictionarySource::Shipped(PathBuf::new());
    config
}

async fn show(config: Config, keep: bool) -> Result<(), CommandError> {
    let stop = signals::stop_signal().map_err(CommandError::Signals)?;
    let (receiver, mut arrived) = start_receiver().map_err(CommandError::Receiver)?;
    let node = Node::start(config).await?;
    let done = tokio::select! {
        // The user has seen enough.
        _ = stop => Ok(()),
        done = perform(&node, &receiver, &mut arrived, keep) => done,
    };
    let counted = if done.is_err() { reasons(&node.shared().metrics.render()) } else { String::new() };
    node.stop().await;
    receiver.stop().await;
    done.map_err(|what| CommandError::Tour { what, counted })
}

/// What the node counted of POSTs that were not sent or failed.
fn reasons(metrics: &str) -> String {
    let telling = |line: &&str| {
        let failed = line.starts_with("posthaste_dropped_total{") || line.starts_with("posthaste_attempts_total{");
        failed && !line.ends_with(" 0")
    };
    let lines: Vec<&str> = metrics.lines().filter(telling).collect();
    if lines.is_empty() { String::new() } else { format!("; the node counted {}", lines.join(", ")) }
}

async fn perform(
    node: &Node,
    receiver: &Receiver,
    arrived: &mut UnboundedReceiver<ReceivedPost>,
    keep: bool,
) -> Result<(), TourError> {
    let (node, receiver) = (node.address(), receiver.address());
    say(&format!("The node is listening on http://{node}, a receiver on http://{receiver}.\n"));
    let calls = NodeClient::to(node);
    tour::set_up(&calls, &format!("http://{receiver}")).await?;
    let totals = tour::run(&calls, arrived).await?;
    if let Ok(receipt) = arrived.try_recv() {
        return Err(TourError::Unexpected(receipt.path));
    }
    say(&tour::summary(&totals));
    if !keep {
        say(&next());
        return Ok(());
    }
    tour::put(&calls, more::setups(&format!("http://{receiver}"), &unused_address()?)).await?;
    say(&ways_on(node));
    while let Some(receipt) = arrived.recv().await {
        say(&format!("{}\n", receipt.text()));
    }
    Ok(())
}

fn next() -> String {
    let program = called();
    let commands = [
        ("demo --keep", "the same, and stays up for you to try with curl"),
        ("serve", "a node of your own"),
        ("receive", "prints what the node sends"),
        ("--help", "the rest"),
    ];
    let lines = commands.map(|(words, what)| {
        format!("\n  {:width$}  {what}", format!("{program} {words}"), width = program.len() + 12)
    });
    format!("\nNext:{}", lines.concat())
}

/// This program as the shell finds it from here: the way in which it was called, quoted where the shell needs that.
fn called() -> String {
    let called = std::env::args_os().next().map(|name| name.to_string_lossy().into_owned());
    let called = called.unwrap_or_else(|| "posthaste".to_owned());
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if called.chars().all(plain) { called } else { format!("'{}'", called.replace('\'', "'\\''")) }
}

/// An address of this machine on which no server listens.
fn unused_address() -> Result<String, TourError> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| format!("http://{address}")).map_err(TourError::NoPort)
}

/// Commands to try, with the addresses of this run.
fn ways_on(node: SocketAddr) -> String {
    let account = format!("http://{node}/v1/accounts/{}", day::ACCOUNT);
    format!(
        r#"
{HEADING}It stays up. Its console, with some more triggers:{HEADING:#}

http://{node}/console#account={name}

{HEADING}Or try, in another terminal:{HEADING:#}

# Post an event; what it causes is printed here.
curl -sS http://{node}/v1/events -H 'content-type: application/json' -d '{{"account":"{name}","type":"guest.created","data":{{"guest":{{"name":"Ada \"Countess\" & Co"}},"inquiry":{{"nights":3}}}}}}'

# List the triggers.
curl -sS {account}/triggers

# Check a template before it is saved; this one has a misspelt tag.
curl -sS {account}/templates/check -H 'content-type: application/json' -d '{{"format":"json","body":"{{\"guest\":\"*|GUEST:NMAE|*\"}}"}}'

# Which events and tags there are, and what the node counts.
curl -sS http://{node}/v1/dictionary
curl -sS http://{node}/metrics

Ctrl-C ends it.
"#,
        name = day::ACCOUNT,
    )
}

fn start_receiver() -> std::io::Result<(Receiver, UnboundedReceiver<ReceivedPost>)> {
    let (sender, arrived) = unbounded_channel();
    let show: PostCallback = Arc::new(move |receipt| {
        // The tour may be over.
        let _ = sender.send(receipt);
    });
    let behaviour = Behaviour { status: 200, delay: Duration::ZERO, threads: 1 };
    let receiver = Receiver::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), behaviour, Some(show))?;
    Ok((receiver, arrived))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_valid_and_stay_on_this_machine() {
        let config = settings();
        assert_eq!(config.store.url, "memory:");
        assert!(config.server.listen.ip().is_loopback());
    }

    #[test]
    fn the_documents_in_the_next_steps_are_json() {
        let text = ways_on(SocketAddr::from(([127, 0, 0, 1], 8080)));
        let documents: Vec<&str> = text.split("-d '").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
        assert_eq!(documents.len(), 2);
        for document in documents {
            serde_json::from_str::<serde_json::Value>(document).expect(document);
        }
    }
}
