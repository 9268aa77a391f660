//! A script, run by its hash, and sent with its text if the server does not know it. It is never loaded beforehand,
//! since any server of a cluster may be next.

use super::{Cmd, ErrorKind, RedisConnection, RedisResult, Script, ServerErrorKind, Value};

/// A script, all of whose keys follow from its first.
#[derive(Debug)]
pub(crate) struct LuaScript {
    text: &'static str,
    hash: String,
}

impl LuaScript {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text, hash: Script::new(text).get_hash().to_owned() }
    }

    /// Runs it. A server that does not know the hash has executed nothing.
    pub(crate) async fn run(&self, connection: &mut RedisConnection, key: &str, words: &[&[u8]]) -> RedisResult<Value> {
        match Self::call("EVALSHA", &self.hash, key, words).query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                Self::call("EVAL", self.text, key, words).query_async(connection).await
            }
            done => done,
        }
    }

    fn call(name: &str, script: &str, key: &str, words: &[&[u8]]) -> Cmd {
        let mut command = ::redis::cmd(name);
        command.arg(script).arg(1).arg(key);
        for word in words {
            command.arg(*word);
        }
        command
    }
}
