//! The caller of a request, and how its long work runs: outside the server's threads, with callers taking turns.

use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use serde::Serialize;

use super::payer::payer;
use super::problem::Problem;
use super::state::AppState;
use crate::flow::background::{AT_ONCE_BYTES, JobPanicked};
use crate::flow::payer::Payer;

/// Who calls.
#[derive(Clone)]
pub(super) struct Caller {
    payer: Payer,
    state: web::Data<AppState>,
}

impl Caller {
    /// Who sent a request with this head.
    pub(super) fn of(head: &RequestHead, state: &web::Data<AppState>) -> Self {
        Self { payer: payer(head), state: state.clone() }
    }

    pub(super) fn state(&self) -> &AppState {
        &self.state
    }

    /// Does work that may take longer than a request on the same thread should wait.
    pub(super) async fn run<T: Send + 'static>(
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
    pub(super) async fn run_on<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&AppState) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        if bytes <= AT_ONCE_BYTES { Ok(work(&self.state)) } else { self.run(work).await }
    }
}

/// A document as it is sent. Made where long work is done, as writing it can be such.
pub(super) fn written(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

/// A 200 response with a document that is written.
pub(super) fn respond(written: impl Into<Bytes>) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::json()).body(written.into())
}
