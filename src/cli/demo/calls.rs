//! The demo's calls to its own node, over real HTTP. These go to this process's own address and need no address
//! guard. Never used for deliveries.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::cli::error::TourError;

/// The node is in the same process, so a response that takes longer never comes.
const RESPONSE_WITHIN: Duration = Duration::from_secs(10);

/// Calls one node.
pub(super) struct NodeClient {
    client: awc::Client,
    base: String,
}

impl NodeClient {
    /// Calls the node at this address.
    pub(super) fn to(node: SocketAddr) -> Self {
        let client = awc::Client::builder().timeout(RESPONSE_WITHIN).disable_redirects().finish();
        Self { client, base: format!("http://{node}") }
    }

    /// Puts a document. An error names the request and the response.
    pub(super) async fn put(&self, path: &str, document: &Value) -> Result<(), TourError> {
        self.send("PUT", self.client.put(self.url(path)), path, document).await
    }

    /// Posts a document.
    pub(super) async fn post(&self, path: &str, document: &Value) -> Result<(), TourError> {
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
    ) -> Result<(), TourError> {
        let call = || format!("{method} {path}");
        let response = request.send_json(document).await;
        let mut response =
            response.map_err(|error| TourError::NoResponse { call: call(), detail: error.to_string() })?;
        if response.status().is_success() {
            return Ok(());
        }
        let body = response.body().await.unwrap_or_default();
        let (status, body) = (response.status().as_u16(), String::from_utf8_lossy(&body).into_owned());
        Err(TourError::Refused { call: call(), status, body })
    }
}
