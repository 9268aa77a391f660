//! The base of the end-to-end tests: a real node on port 0, and a real receiver whose behaviour can be changed during a
//! test. Everything waits for a condition, with a deadline.

mod cluster;
mod document;
mod forwarder;
mod node;
mod receiver;
mod redis;
mod secured;

pub(crate) use cluster::RedisCluster;
pub(crate) use forwarder::Forwarder;
pub(crate) use node::{Node, Reply, json_template, settings, template_of};
pub(crate) use receiver::{Behaviour, Received, Receiver};
pub(crate) use redis::{RedisServer, free_port, redis_document};
pub(crate) use secured::SecuredRedis;

use std::process::Command;
use std::time::Duration;

/// How long a test waits for a condition: long enough for a busy machine, since only a failing test waits that long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The interval of checks while a test waits. Checking without a pause would take the processor from the others.
const LOOKED_AT: Duration = Duration::from_millis(2);

/// Waits between two checks, in a test on its own thread.
pub(crate) fn pause() {
    std::thread::sleep(LOOKED_AT);
}

/// Waits between two checks, in a test that is a task.
pub(crate) async fn paused() {
    tokio::time::sleep(LOOKED_AT).await;
}

/// Whether the tests were started so that they, and what they start, ignore SIGHUP, as `nohup` does.
pub(crate) fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("the status of this process");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("its ignored signals");
    u64::from_str_radix(mask.trim(), 16).expect("a mask") & 1 == 1
}

/// Runs a program, which must succeed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{told}{wrong}");
    told.into_owned()
}
