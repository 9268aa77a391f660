//! The caller of a request: whose share of the node the request uses, and how its long work runs, outside the server's
//! threads and with callers taking turns.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, ContentType};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use serde::Serialize;

use super::auth::bearer;
use crate::flow::background::{AT_ONCE_BYTES, JobPanicked};
use crate::flow::payer::{Payer, peer_of};
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Keys are hashed with a random seed, so that no client can choose the hash.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Who calls.
#[derive(Clone)]
pub(in crate::http) struct Caller {
    payer: Payer,
    state: web::Data<AppState>,
}

impl Caller {
    /// Who sent a request with this head.
    pub(in crate::http) fn of(head: &RequestHead, state: &web::Data<AppState>) -> Self {
        Self { payer: payer(head), state: state.clone() }
    }

    pub(in crate::http) fn state(&self) -> &AppState {
        &self.state
    }

    /// Does work that may take longer than a request on the same thread should wait.
    pub(in crate::http) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AppState) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let state = self.state.clone();
        let done = self.state.background.run(self.payer, move || work(&state)).await;
        done.map_err(|JobPanicked| {
            let detail = "an internal error; the log has its details";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
        })
    }

    /// Does work on an input of this many bytes: at once where they are few.
    pub(in crate::http) async fn run_on<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&AppState) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        if bytes <= AT_ONCE_BYTES { Ok(work(&self.state)) } else { self.run(work).await }
    }
}

/// Whose share a request with this head uses, before it is known whether its key is valid: that of its key or, without
/// one, of its peer's address.
pub(in crate::http) fn payer(head: &RequestHead) -> Payer {
    match head.headers.get(AUTHORIZATION).and_then(bearer) {
        Some(key) => Payer::Key(KEYS.hash_one(key)),
        None => Payer::Peer(head.peer_addr.map(|peer| peer_of(peer.ip()))),
    }
}

/// The JSON text of a document. For a large document, call it in [`Caller::run`]: it is long work.
pub(in crate::http) fn written(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

/// A 200 response with the text of a document.
pub(in crate::http) fn respond(written: impl Into<Bytes>) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::json()).body(written.into())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_request_without_a_key_counts_for_its_network() {
        let request = |key: Option<&str>, peer: &str| {
            let request = TestRequest::default().peer_addr(format!("{peer}:1").parse().expect("an address"));
            let request = key.into_iter().fold(request, |request, key| request.insert_header(("authorization", key)));
            payer(request.to_http_request().head())
        };
        assert_eq!(request(Some("Bearer a"), "10.0.0.1"), request(Some("Bearer a"), "10.0.0.2"));
        assert_ne!(request(Some("Bearer a"), "10.0.0.1"), request(Some("Bearer b"), "10.0.0.1"));
        for other in ["bearer a", "BEARER a", "Bearer  a", "Bearer a "] {
            assert_eq!(request(Some("Bearer a"), "10.0.0.1"), request(Some(other), "10.0.0.1"), "{other:?}");
        }
        assert_eq!(request(Some("Basic a"), "10.0.0.1"), request(None, "10.0.0.1"), "no key");
        assert_ne!(request(None, "10.0.0.1"), request(None, "10.0.0.2"));
        assert_eq!(request(None, "[2001:db8::1]"), request(None, "[2001:db8::2:3]"));
        assert_eq!(request(None, "[::ffff:10.0.0.1]"), request(None, "10.0.0.1"));
    }
}
