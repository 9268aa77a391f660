//! The demo's own calls to its engine, over real HTTP. awc has its home in the dispatcher; this is its
//! only other place, since those calls go to this process's own address and need no guard. Never used
//! for deliveries.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

/// The engine is in the same process: one that has not answered by then never will.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Calls one engine.
pub(super) struct Calls {
    client: awc::Client,
    base: String,
}

impl Calls {
    /// Calls the engine at this address.
    pub(super) fn to(engine: SocketAddr) -> Self {
        let client = awc::Client::builder().timeout(ANSWER_WITHIN).disable_redirects().finish();
        Self { client, base: format!("http://{engine}") }
    }

    /// Puts a document. An error says what was asked and what was answered.
    pub(super) async fn put(&self, path: &str, document: &Value) -> Result<(), String> {
        self.send("PUT", self.client.put(self.url(path)), path, document).await
    }

    /// Posts a document; the same for errors.
    pub(super) async fn post(&self, path: &str, document: &Value) -> Result<(), String> {
        self.send("POST", self.client.post(self.url(path)), path, document).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(
        &self,
        method: &str,
        request: awc::ClientRequest,
        path: &str,
        document: &Value,
    ) -> Result<(), String> {
        let answer = request.send_json(document).await;
        let mut answer = answer.map_err(|error| format!("the engine did not answer {method} {path}: {error}"))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let body = answer.body().await.unwrap_or_default();
        let (status, body) = (answer.status(), String::from_utf8_lossy(&body).into_owned());
        Err(format!("the engine answered {method} {path} with {status}: {body}"))
    }
}
