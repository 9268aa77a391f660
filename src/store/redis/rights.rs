//! The commands that the store's Redis user must be allowed to run; docs/redis.md lists them too.

use super::scripts::ScriptError;
use crate::model::id::new_id;
use crate::redis::{RedisConnection, rights};

/// Run in this order, they leave no keys.
const NEEDED: [&str; 21] = [
    "DEL @",
    "EVALSHA 0000000000000000000000000000000000000000 1 @",
    "EVAL return 1 @",
    "TIME",
    "HSET @ f 1",
    "HINCRBY @ f 1",
    "HGET @ f",
    "HMGET @ f",
    "HEXISTS @ f",
    "HKEYS @",
    "HLEN @",
    "HSTRLEN @ f",
    "EXISTS @",
    "HDEL @ f",
    "ZADD @ 0 m",
    "ZRANGEBYLEX @ - +",
    "ZREM @ m",
    "XADD @ MAXLEN ~ 1 * f v",
    "XRANGE @ - +",
    "XREAD COUNT 1 STREAMS @ 0",
    "DEL @",
];

/// The commands that the user may not run.
pub(super) async fn missing(connection: &mut RedisConnection) -> Result<Vec<String>, ScriptError> {
    let key = format!("{{posthaste}}:try:{}", new_id());
    let mut missing = rights::missing(connection, &key, &NEEDED).await?;
    missing.dedup();
    Ok(missing)
}
