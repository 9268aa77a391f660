//! What the end-to-end tests stand on: a real node on port 0, and a real receiver whose behaviour
//! is flipped mid-test. Everything waits for a condition, with a deadline.

mod cluster;
mod document;
mod forwarder;
mod node;
mod receiver;
mod redis;
mod secured;

pub(crate) use cluster::RedisCluster;
pub(crate) use forwarder::Forwarder;
pub(crate) use node::{Node, Reply, json_template, settings};
pub(crate) use receiver::{Behaviour, Received, Receiver};
pub(crate) use redis::{RedisServer, free_port, redis_document};
pub(crate) use secured::SecuredRedis;

use std::process::Command;
use std::time::Duration;

/// How long a test waits for what must come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// Between two looks at a condition that is waited for.
pub(crate) const POLL: Duration = Duration::from_millis(5);

/// Runs a program to its end, which must be a good one.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{told}{wrong}");
    told.into_owned()
}
