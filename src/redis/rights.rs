//! Determines at a start which commands a Redis user lacks, by trying each: otherwise a customer's request would be the
//! first to fail.

use super::{Cmd, RESPONSE_WITHIN, RedisConnection, RedisResult, Value, is_broken, is_refusal, within};

/// Tries commands, each given as arguments; the argument `@` is replaced by `key`, which nothing else uses. The first
/// and the last command delete the key. Returns the commands that the user may not run.
pub(crate) async fn missing(
    connection: &mut RedisConnection,
    key: &str,
    commands: &[&str],
) -> RedisResult<Vec<String>> {
    let mut missing = Vec::new();
    for command in commands {
        let mut words = command.split(' ');
        let name = words.next().unwrap_or_default();
        let mut tried = Cmd::new();
        tried.arg(name);
        for word in words {
            tried.arg(if word == "@" { key } else { word });
        }
        match within(RESPONSE_WITHIN, tried.query_async::<Value>(connection)).await {
            Err(error) if is_broken(&error) => return Err(error),
            // Any other error, such as that of a full Redis, says nothing about the user.
            Err(error) if is_refusal(&error) => missing.push(name.to_owned()),
            _ => {}
        }
        // The first command deletes what the others leave behind: without it none of them is tried.
        if missing.len() == 1 && commands.first() == Some(command) {
            break;
        }
    }
    Ok(missing)
}
