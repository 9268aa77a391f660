//! Finds out at a start which commands a user of Redis lacks, by trying each: one that is refused later
//! would be found by a customer's request.

use super::{Cmd, Connection, RedisResult, Value, is_broken, is_refusal};

/// Tries commands, each as its words; the word `@` stands for `key`, which nothing else uses. The first and the last of
/// them remove the key. Says which the user may not use.
pub(crate) async fn missing(connection: &mut Connection, key: &str, commands: &[&str]) -> RedisResult<Vec<String>> {
    let mut missing = Vec::new();
    for command in commands {
        let mut words = command.split(' ');
        let name = words.next().unwrap_or_default();
        let mut tried = Cmd::new();
        tried.arg(name);
        for word in words {
            tried.arg(if word == "@" { key } else { word });
        }
        match tried.query_async::<Value>(connection).await {
            Err(error) if is_broken(&error) => return Err(error),
            // Any other refusal, such as that of a full Redis, says nothing of the user.
            Err(error) if is_refusal(&error) => missing.push(name.to_owned()),
            _ => {}
        }
        // The first command is the one that removes what the others leave: without it none of them is tried.
        if missing.len() == 1 && commands.first() == Some(command) {
            break;
        }
    }
    Ok(missing)
}
