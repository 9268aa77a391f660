//! The commands that the streams require of a Redis user; docs/redis.md lists them too.

use crate::model::id::new_id;
use crate::redis::{RedisConnection, RedisResult, rights};

/// The commands, `@` being a key that nothing else uses. Run in this order they leave no key behind.
const NEEDED: [&str; 28] = [
    "DEL @",
    "EVALSHA 0000000000000000000000000000000000000000 1 @",
    "EVAL return 1 @",
    "TIME",
    "SET @ 1 PX 1000",
    "GET @",
    "PEXPIRE @ 1000",
    "DEL @",
    "RPUSH @ v",
    "BLPOP @ 1",
    "EXISTS @",
    "HINCRBY @ f 1",
    "HGET @ f",
    "HLEN @",
    "HDEL @ f",
    "XGROUP CREATE @ g 0 MKSTREAM",
    "XADD @ 1-0 f v",
    "XLEN @",
    "XRANGE @ - +",
    "XREADGROUP GROUP g c COUNT 1 STREAMS @ >",
    "XPENDING @ g",
    "XCLAIM @ g d 0 1-0",
    "XACK @ g 1-0",
    "XDEL @ 1-0",
    "XINFO CONSUMERS @ g",
    "XGROUP DELCONSUMER @ g c",
    "XGROUP DELCONSUMER @ g d",
    "DEL @",
];

/// The commands that the user may not use.
pub(super) async fn missing(connection: &mut RedisConnection) -> RedisResult<Vec<String>> {
    let key = format!("{{posthaste:0}}:try:{}", new_id());
    let mut missing = rights::missing(connection, &key, &NEEDED).await?;
    missing.sort();
    missing.dedup();
    Ok(missing)
}
