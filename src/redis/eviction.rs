//! Whether a server removes keys when its memory is full. It then loses what was accepted, without an error to anyone.

use super::{Cmd, Link, Value};

impl Link {
    /// The policy by which the server, or one of a cluster, removes keys that it has no memory for. `None` if it removes
    /// none, or does not tell: the user needs no right to ask.
    pub(crate) async fn eviction(&self) -> Option<String> {
        let mut command = Cmd::new();
        command.arg("INFO").arg("memory");
        policy(&self.query(&command).await.ok()?)
    }
}

fn policy(response: &Value) -> Option<String> {
    match response {
        Value::BulkString(text) => of_server(&String::from_utf8_lossy(text)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => of_server(text),
        Value::Array(servers) => servers.iter().find_map(policy),
        // Of a cluster: each server's address and response.
        Value::Map(servers) => servers.iter().find_map(|(_, response)| policy(response)),
        _ => None,
    }
}

fn of_server(text: &str) -> Option<String> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let is_bounded = field("maxmemory")?.trim() != "0";
    let policy = field("maxmemory_policy")?.trim();
    (is_bounded && policy != "noeviction").then(|| policy.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bounded_memory_with_another_policy_loses_keys() {
        for (bytes, name, expected) in [
            ("100", "allkeys-lru", Some("allkeys-lru")),
            ("100", "volatile-ttl", Some("volatile-ttl")),
            ("100", "noeviction", None),
            ("0", "allkeys-lru", None),
        ] {
            let text = format!("# Memory\r\nused_memory:1\r\nmaxmemory:{bytes}\r\nmaxmemory_policy:{name}\r\n");
            let response = Value::BulkString(text.into_bytes());
            assert_eq!(policy(&response).as_deref(), expected);
            let of_cluster = Value::Map(vec![(Value::Nil, Value::Nil), (Value::Nil, response)]);
            assert_eq!(policy(&of_cluster).as_deref(), expected);
        }
        assert_eq!(policy(&Value::Nil), None);
    }
}
