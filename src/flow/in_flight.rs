//! What the holder of a delivery that lies in a stream says to the claims of that stream. Many nodes may
//! hold one; the claims, and behind it Redis, decides whose it is. Knows nothing of Redis itself.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::response::EventsResponse;
use crate::flow::gate::{Admitted, Outstanding, StreamPermit};
use crate::model::delivery::Delivery;
use crate::model::destination::Destination;
use crate::model::outcome::{Dropped, Outcome};
use crate::telemetry::metrics::Metrics;

/// An entry's name in its stream: milliseconds and a number, as Redis orders them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u64, pub u64);

impl EntryId {
    /// Reads `<milliseconds>-<number>`.
    pub fn read(text: &str) -> Option<Self> {
        let (milliseconds, number) = text.split_once('-')?;
        Some(Self(milliseconds.parse().ok()?, number.parse().ok()?))
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// The way to the claims of one stream. There are never more requests than deliveries held, and one for
/// each destination.
#[derive(Debug, Clone)]
pub struct StreamClaims(mpsc::UnboundedSender<Request>);

/// What is asked of a claims.
#[derive(Debug)]
pub enum Request {
    /// By who holds a claim.
    Redeem(ClaimRequest),
    /// By who has room.
    Fetch(Fetch),
}

/// A claim, handed in.
#[derive(Debug)]
pub struct ClaimRequest {
    /// The entry that it is for.
    pub entry: EntryId,
    /// What its holder wants.
    pub wish: ClaimAction,
    /// Counts it until that is done.
    pub outstanding: Outstanding,
}

/// What the holder of a claim wants.
#[derive(Debug)]
pub enum ClaimAction {
    /// To make the attempt, and to hear whether it may.
    Attempt(oneshot::Sender<bool>),
    /// To end the delivery without one. Its permit is held until that is done.
    Drop(Dropped, Option<Permit>),
    /// To leave it in its stream until a node has room for its destination. Its permit is held until that
    /// is done.
    Park(Destination, Option<Permit>),
    /// To leave it to whoever comes.
    GiveBack,
}

/// Some of what is parked for a destination is to be had.
#[derive(Debug)]
pub struct Fetch {
    /// Whose.
    pub destination: Destination,
    /// How many at most.
    pub number: usize,
    /// How many bytes they may have, to which those of the last may come on top: one is always to be had.
    pub bytes: usize,
    /// Where they go.
    pub answer: oneshot::Sender<Fetched>,
    /// The claims of the claims that come with them.
    pub claims: StreamClaims,
}

/// What was parked.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The oldest of it.
    pub deliveries: Vec<InFlight>,
    /// Whether there may be more.
    pub more: bool,
}

impl StreamClaims {
    /// A claims, and where what is asked of it comes in. That ends when nobody can ask any more.
    pub fn open() -> (Self, mpsc::UnboundedReceiver<Request>) {
        let (claims, asked) = mpsc::unbounded_channel();
        (Self(claims), asked)
    }

    /// Takes up to so many of a destination's parked deliveries, of so many bytes; none where Redis is away.
    pub async fn fetch(&self, destination: &Destination, number: usize, bytes: usize) -> Fetched {
        let (answer, answered) = oneshot::channel();
        let destination = destination.clone();
        self.ask(Request::Fetch(Fetch { destination, number, bytes, answer, claims: self.clone() }));
        answered.await.unwrap_or_default()
    }

    fn ask(&self, request: Request) {
        // A claims that is closed has stopped with its thread: nothing is attempted any more.
        let _ = self.0.send(request);
    }
}

/// The claim to the one attempt at a delivery that lies in a stream, where other nodes may hold it
/// too. Only the node whose claim is honoured may make the attempt. One that is dropped gives the
/// delivery back to all.
#[derive(Debug)]
pub struct Claim {
    entry: EntryId,
    claims: StreamClaims,
    /// Counts it; gone once it was handed in.
    outstanding: Option<Outstanding>,
}

impl Claim {
    /// A claim that `claims` redeems.
    pub fn new(entry: EntryId, claims: StreamClaims, outstanding: Outstanding) -> Self {
        Self { entry, claims, outstanding: Some(outstanding) }
    }

    /// Who redeems it.
    pub fn claims(&self) -> &StreamClaims {
        &self.claims
    }

    /// Whether the attempt may be made. Waits for an answer for as long as there is none.
    pub async fn redeem(mut self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.hand_in(ClaimAction::Attempt(answer));
        answered.await.unwrap_or(false)
    }

    /// Ends the delivery without an attempt, if no other node has had it.
    pub fn discard(mut self, reason: Dropped, permit: Option<Permit>) {
        self.hand_in(ClaimAction::Drop(reason, permit));
    }

    /// Leaves the delivery in its stream until some node has room for its destination.
    pub fn park(mut self, destination: &Destination, permit: Option<Permit>) {
        self.hand_in(ClaimAction::Park(destination.clone(), permit));
    }

    fn hand_in(&mut self, wish: ClaimAction) {
        if let Some(outstanding) = self.outstanding.take() {
            self.claims.ask(Request::Redeem(ClaimRequest { entry: self.entry, wish, outstanding }));
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.hand_in(ClaimAction::GiveBack);
    }
}

/// The permits that a request's events hold.
pub type Admission = Arc<Admitted<EventsResponse>>;

/// A delivery on its way, with what is owed to others when it comes to an end.
#[derive(Debug)]
pub struct InFlight {
    /// The POST to make.
    pub delivery: Delivery,
    /// When its event was accepted.
    pub accepted_at: Instant,
    /// The permit it holds; let go of when the attempt begins.
    pub permit: Option<Permit>,
    /// Must be redeemed before the attempt begins; none where no other node can have the delivery.
    pub claim: Option<Claim>,
    /// Counts it until its end.
    pub outstanding: Outstanding,
    /// Who wants to hear the end of it.
    pub report: Option<oneshot::Sender<Report>>,
}

/// What a delivery that waits counts against.
#[derive(Debug)]
pub enum Permit {
    /// The permits of the request that it came with.
    Request(Admission),
    /// A permit of its own: it was accepted elsewhere and taken from a stream.
    Stream(StreamPermit),
}

/// How a firing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// An attempt was made.
    Attempted {
        /// How it ended.
        outcome: Outcome,
        /// The status the receiver answered.
        status: Option<u16>,
        /// From its begin to its end.
        duration: Duration,
    },
    /// None was made.
    Dropped(Dropped),
}

/// Counts what ends without an attempt, and tells whoever wants to hear of it.
pub fn drop_unsent(metrics: &Metrics, reason: Dropped, report: Option<oneshot::Sender<Report>>) {
    metrics.deliveries.dropped.inc(reason);
    if let Some(report) = report {
        let _ = report.send(Report::Dropped(reason));
    }
}
