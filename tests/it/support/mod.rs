//! What the end-to-end tests stand on: a real node on port 0, and a real receiver whose behaviour
//! is flipped mid-test. Everything waits for a condition, with a deadline.

mod document;
mod node;
mod receiver;
mod redis;

pub(crate) use node::{Node, json_template};
pub(crate) use receiver::{Behaviour, Receiver};
pub(crate) use redis::RedisServer;

use std::time::Duration;

/// How long a test waits for what must come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
