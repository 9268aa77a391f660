//! The progress of an attempt, which determines its outcome. A request of the handshake goes through the HTTP client,
//! which passes nothing on between the attempt and its connection. So while an attempt is polled, its progress is
//! stored with the peer, where the connection updates it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::model::outcome::Outcome;

/// What an attempt is doing. A missed deadline is named for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptPhase {
    Resolve,
    Connect,
    Tls,
    Send,
    Response,
}

impl AttemptPhase {
    fn timeout(self) -> Outcome {
        match self {
            Self::Resolve => Outcome::TimeoutResolve,
            Self::Connect => Outcome::TimeoutConnect,
            Self::Tls => Outcome::TimeoutTls,
            Self::Send => Outcome::TimeoutSend,
            Self::Response => Outcome::TimeoutResponse,
        }
    }
}

/// What is known of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AttemptProgress {
    phase: AttemptPhase,
    status: Option<u16>,
    failure: Option<Outcome>,
}

impl AttemptProgress {
    pub(super) const BEGUN: Self = Self { phase: AttemptPhase::Resolve, status: None, failure: None };

    /// The outcome of an attempt that ends in this state, and the status that was received.
    pub(super) fn outcome(self, deadline_passed: bool) -> (Outcome, Option<u16>) {
        // A received status counts, even if the rest of the response broke off or was too slow.
        let outcome = match (self.status, self.failure) {
            (Some(status), _) => outcome_of_status(status),
            (None, Some(failure)) => failure,
            (None, None) if deadline_passed => self.phase.timeout(),
            (None, None) => Outcome::BadAnswer,
        };
        (outcome, self.status)
    }
}

fn outcome_of_status(status: u16) -> Outcome {
    match status {
        200..300 => Outcome::Delivered,
        300..400 => Outcome::Redirect,
        400..500 => Outcome::ClientError,
        500..600 => Outcome::ServerError,
        _ => Outcome::BadAnswer,
    }
}

/// Holds the progress of the attempt that is being polled.
pub(super) struct CurrentAttempt {
    progress: Cell<AttemptProgress>,
    /// When it was polled: what a connection does in one poll happens at about the same time, and takes less than readings
    /// of the clock for each step.
    now: Cell<Instant>,
}

impl Default for CurrentAttempt {
    fn default() -> Self {
        Self { progress: Cell::new(AttemptProgress::BEGUN), now: Cell::new(Instant::now()) }
    }
}

impl CurrentAttempt {
    pub(super) fn enter(&self, phase: AttemptPhase) {
        self.progress.set(AttemptProgress { phase, ..self.progress.get() });
    }

    pub(super) fn receive(&self, status: u16) {
        self.progress.set(AttemptProgress { status: Some(status), ..self.progress.get() });
    }

    pub(super) fn fail(&self, failure: Outcome) {
        self.progress.set(AttemptProgress { failure: Some(failure), ..self.progress.get() });
    }

    /// The time, for a connection that an attempt uses.
    pub(super) fn now(&self) -> Instant {
        self.now.get()
    }
}

/// An exchange whose progress is kept apart from the other exchanges that are polled in turn with it.
pub(super) struct TrackedExchange<'a, F> {
    pub(super) current: &'a CurrentAttempt,
    pub(super) progress: &'a Cell<AttemptProgress>,
    /// The time of the first poll, until then.
    pub(super) first_poll: Option<Instant>,
    pub(super) exchange: F,
}

impl<F: Future + Unpin> Future for TrackedExchange<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.current.progress.set(self.progress.get());
        self.current.now.set(self.first_poll.take().unwrap_or_else(Instant::now));
        let polled = Pin::new(&mut self.exchange).poll(cx);
        self.progress.set(self.current.progress.get());
        polled
    }
}
