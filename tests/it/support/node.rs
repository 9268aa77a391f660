//! A node in this process, on a free port, and the calls to it.

use awc::http::Method;
use posthaste::config::Config;
use posthaste::node::{Node as RunningNode, StartError, StopResult};
use posthaste::store::OpenError;
use serde_json::{Value, json};

use super::{DEADLINE, document};

/// A response of the node.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: awc::http::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no header {name}"));
        value.to_str().expect("ASCII").to_owned()
    }

    /// The status, and the code of a problem document.
    pub(crate) fn problem(&self) -> (u16, String) {
        let code = self.json()["code"].as_str().unwrap_or_default().to_owned();
        (self.status, code)
    }
}

/// Settings of a test's node: a store in memory, a free port, loopback allowed.
pub(crate) fn settings(more: &[(&str, &str)]) -> Config {
    let base = [
        ("POSTHASTE_STORE__URL", "memory:"),
        ("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0"),
        ("POSTHASTE_SERVER__WORKERS", "2"),
        // Longer than any test waits: even on a busy machine an attempt at a silent receiver must not time out.
        ("POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS", "300000"),
        ("POSTHASTE_DISPATCH__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]"),
    ];
    let variables = base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::from_layers(None, variables).expect("settings")
}

/// A running node.
pub(crate) struct Node {
    running: RunningNode,
    client: awc::Client,
    pub(crate) key: Option<String>,
}

impl Node {
    pub(crate) async fn start(more: &[(&str, &str)]) -> Self {
        let deadline = std::time::Instant::now() + DEADLINE;
        let running = loop {
            match RunningNode::start(settings(more)).await {
                // The threads of a stopped node in this process release its file a moment later.
                Err(StartError::Store(OpenError::Locked(_))) if std::time::Instant::now() < deadline => {
                    crate::support::paused().await;
                }
                started => break started.expect("a node"),
            }
        };
        let client = awc::Client::builder().timeout(DEADLINE).finish();
        Self { running, client, key: None }
    }

    pub(crate) fn running(&self) -> &RunningNode {
        &self.running
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Reply {
        let url = format!("http://{}{path}", self.running.address());
        let mut request = self.client.request(method.clone(), url);
        if let Some(key) = &self.key {
            request = request.insert_header(("authorization", format!("Bearer {key}")));
        }
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        let mut response = request.send_body(body.into()).await.expect("a response");
        let body = response.body().limit(64 << 20).await.expect("a body").to_vec();
        let reply = Reply { status: response.status().as_u16(), headers: response.headers().clone(), body };
        let content_type = reply.headers.get("content-type").and_then(|value| value.to_str().ok());
        let document = posthaste::http::openapi_document();
        document::check(document, method.as_str(), path, reply.status, content_type, &reply.body);
        reply
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, document: &Value) -> Reply {
        self.call(Method::PUT, path, &[("content-type", "application/json")], document.to_string()).await
    }

    pub(crate) async fn post(&self, path: &str, document: &Value) -> Reply {
        self.call(Method::POST, path, &[("content-type", "application/json")], document.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, &[], "").await
    }

    /// Posts one event, which must be accepted.
    pub(crate) async fn fire(&self, event: Value) {
        let reply = self.post("/v1/events", &event).await;
        assert_eq!(reply.status, 202, "{}", reply.json());
    }

    /// Saves a template and a trigger of the same name in the account `default`.
    pub(crate) async fn set_up(&self, id: &str, template: &Value, trigger: Value) {
        self.set_up_in("default", id, template, trigger).await;
    }

    /// The same in an account.
    pub(crate) async fn set_up_in(&self, account: &str, id: &str, template: &Value, trigger: Value) {
        let reply = self.put(&format!("/v1/accounts/{account}/templates/{id}"), template).await;
        assert!(reply.status < 300, "{}", reply.json());
        let mut trigger = trigger;
        trigger["template"] = id.into();
        let reply = self.put(&format!("/v1/accounts/{account}/triggers/{id}"), &trigger).await;
        assert!(reply.status < 300, "{}", reply.json());
    }

    /// The value of one metric, by its full name with labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.metrics().await;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no metric {name}")).parse().expect("a number")
    }

    /// All metrics, as a scraper gets them.
    pub(crate) async fn metrics(&self) -> String {
        String::from_utf8(self.get("/metrics").await.body).expect("text")
    }

    /// Reads a metric until it has this value.
    pub(crate) async fn wait_for_metric(&self, name: &str, value: f64) {
        let deadline = std::time::Instant::now() + DEADLINE;
        loop {
            let now = self.metric(name).await;
            if now == value {
                return;
            }
            if std::time::Instant::now() >= deadline {
                let text = self.metrics().await;
                let told: Vec<_> =
                    text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0")).collect();
                panic!("{name} is {now}, not {value}; the node tells:\n{}", told.join("\n"));
            }
            crate::support::paused().await;
        }
    }

    pub(crate) async fn stop(self) -> StopResult {
        self.running.stop().await
    }
}

/// A JSON template that contains the event's id.
pub(crate) fn json_template() -> Value {
    template_of("{\"id\":\"{{event.id}}\"}")
}

/// A JSON template with this body.
pub(crate) fn template_of(body: &str) -> Value {
    json!({"format": "json", "body": body})
}
