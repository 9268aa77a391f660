//! A delivery in flight and what it holds: the permit of its event, the claim on its stream entry, and the channel for
//! the report of its end. Several nodes may hold the same entry; the claim decides which of them may make the attempt.
//! Does not depend on Redis.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::journal::JournaledFiring;
use super::permit::Permit;
use crate::flow::account::{OutstandingDelivery, TurnKey};
use crate::flow::node_work::CountedDelivery;
use crate::model::delivery::Delivery;
use crate::model::destination::Destination;
use crate::model::firing::FiringId;
use crate::model::id::AccountId;
use crate::model::outcome::{DropReason, FiringReport};
use crate::telemetry::metrics::Metrics;

/// The streams of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// Entries of accounts that have few in the partition, and tests of triggers.
    First,
    /// What accounts add that have many already, where packs are of no use: there are few for the same target, nodes can't
    /// keep up with the destination, or do not read packs.
    Bulk,
    /// Packs of what accounts add that have many already.
    Packs,
}

impl StreamKind {
    /// All, in this order in all scripts and responses.
    pub const ALL: [Self; 3] = [Self::First, Self::Bulk, Self::Packs];
}

/// Which of an entry's deliveries one is. An entry of the stream of packs has several, of other streams one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackPart {
    /// From 0.
    pub index: u8,
    /// How many the entry was added with.
    pub of: u8,
}

impl PackPart {
    /// The only one of its entry.
    pub const ONLY: Self = Self { index: 0, of: 1 };
}

/// The id of an entry: its stream, and milliseconds and a number, as Redis orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// The stream.
    pub stream: StreamKind,
    /// When Redis received it, in milliseconds since the Unix epoch.
    pub millis: u64,
    /// Its number within that millisecond.
    pub number: u64,
}

impl EntryId {
    /// Reads `<milliseconds>-<number>`, the id of an entry of this stream.
    pub fn read(stream: StreamKind, text: &str) -> Option<Self> {
        let (millis, number) = text.split_once('-')?;
        Some(Self { stream, millis: millis.parse().ok()?, number: number.parse().ok()? })
    }
}

/// What Redis calls the entry within its stream.
impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

/// Sends requests to the worker that redeems the claims of one partition. The channel holds at most one request for each
/// delivery in flight and one for each destination.
#[derive(Debug, Clone)]
pub struct StreamClaims(mpsc::UnboundedSender<StreamRequest>);

/// A request to the worker of a partition's claims.
#[derive(Debug)]
pub enum StreamRequest {
    /// The holder of a claim redeems it or gives it up.
    Redeem(ClaimRequest),
    /// A queue has room for parked deliveries.
    Fetch(FetchRequest),
}

/// A claim and what its holder wants.
#[derive(Debug)]
pub struct ClaimRequest {
    /// The entry that it is for.
    pub entry: EntryId,
    /// Which of its deliveries.
    pub part: PackPart,
    /// The account that the entry counts for until it is removed.
    pub account: Option<AccountId>,
    /// What the holder wants.
    pub action: ClaimAction,
    /// Counts the delivery until the request is done.
    pub counted: CountedDelivery,
}

/// What the holder of a claim wants.
#[derive(Debug)]
pub enum ClaimAction {
    /// Make the attempt. The response says whether this node may.
    Attempt(oneshot::Sender<bool>),
    /// End the delivery without an attempt. Its permit is held until that is recorded.
    Drop(DropReason, Option<Permit>),
    /// Park the delivery in its stream until a node has room for it. Its permit is held until that is recorded.
    Park(ParkedLane, Option<Permit>),
    /// Give the delivery back: any node may read it.
    GiveBack,
}

/// What is parked together: the deliveries of one account to one destination, so that accounts take turns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ParkedLane {
    /// The destination.
    pub destination: Destination,
    /// EARLIER(entry): `None`, parked without telling accounts apart.
    pub account: Option<AccountId>,
}

/// A request for parked deliveries of one destination.
#[derive(Debug)]
pub struct FetchRequest {
    /// Where they are parked, and how many of each at most. All are of one destination.
    pub lanes: Vec<(ParkedLane, usize)>,
    /// How many bytes of bodies at most. The last delivery may exceed it, so that a body of any size can be fetched.
    pub bytes: usize,
    /// Where the deliveries are sent.
    pub response: oneshot::Sender<FetchedDeliveries>,
    /// Redeems their claims.
    pub claims: StreamClaims,
}

/// Parked deliveries.
#[derive(Debug, Default)]
pub struct FetchedDeliveries {
    /// The oldest ones of each lane.
    pub deliveries: Vec<InFlight>,
    /// Whether there may be more, for each lane in the order of the request.
    pub more: Vec<bool>,
}

impl StreamClaims {
    /// The sending half, and the receiving half for the worker. The latter ends when all senders are dropped.
    pub fn open() -> (Self, mpsc::UnboundedReceiver<StreamRequest>) {
        let (requests, received) = mpsc::unbounded_channel();
        (Self(requests), received)
    }

    /// Fetches some parked deliveries of each of these lanes, of `bytes` bytes together. Returns none while Redis is
    /// unavailable.
    pub async fn fetch(&self, lanes: Vec<(ParkedLane, usize)>, bytes: usize) -> FetchedDeliveries {
        let (response, received) = oneshot::channel();
        self.send(StreamRequest::Fetch(FetchRequest { lanes, bytes, response, claims: self.clone() }));
        received.await.unwrap_or_default()
    }

    fn send(&self, request: StreamRequest) {
        // A closed channel means that the worker's thread has stopped: no further attempt is made.
        let _ = self.0.send(request);
    }
}

/// The claim to the only attempt of a delivery in a stream, which other nodes may hold as well. Only the node that
/// redeems the claim first may make the attempt. Dropping the claim gives the delivery back to all nodes.
#[derive(Debug)]
pub struct Claim {
    entry: EntryId,
    part: PackPart,
    account: Option<AccountId>,
    claims: StreamClaims,
    /// Counts the delivery; `None` once the claim was redeemed or given up.
    counted: Option<CountedDelivery>,
    is_late: bool,
}

impl Claim {
    /// A claim on a delivery of an entry, redeemed through `claims`.
    pub fn new(
        (entry, part): (EntryId, PackPart),
        account: Option<AccountId>,
        claims: StreamClaims,
        counted: CountedDelivery,
    ) -> Self {
        Self { entry, part, account, claims, counted: Some(counted), is_late: false }
    }

    /// The entry has waited so long that it must not delay later entries of its stream.
    pub fn late(mut self, is_late: bool) -> Self {
        self.is_late = is_late;
        self
    }

    /// Whether the delivery must be parked, so that it does not delay its stream.
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// The channel that it is redeemed through.
    pub fn claims(&self) -> &StreamClaims {
        &self.claims
    }

    /// Redeems it. True: this node may make the attempt. Waits for the response of Redis.
    pub async fn redeem(mut self) -> bool {
        let (response, received) = oneshot::channel();
        self.hand_in(ClaimAction::Attempt(response));
        received.await.unwrap_or(false)
    }

    /// Ends the delivery without an attempt, unless another node has redeemed its claim.
    pub fn discard(mut self, reason: DropReason, permit: Option<Permit>) {
        self.hand_in(ClaimAction::Drop(reason, permit));
    }

    /// Parks the delivery in its stream until a node has room for it.
    pub fn park(mut self, lane: ParkedLane, permit: Option<Permit>) {
        self.hand_in(ClaimAction::Park(lane, permit));
    }

    fn hand_in(&mut self, action: ClaimAction) {
        if let Some(counted) = self.counted.take() {
            self.claims.send(StreamRequest::Redeem(ClaimRequest {
                entry: self.entry,
                part: self.part,
                account: self.account.take(),
                action,
                counted,
            }));
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.hand_in(ClaimAction::GiveBack);
    }
}

/// A delivery in flight. It is one pointer wide: on its way through queues and tasks a delivery is moved some 15 times.
#[derive(Debug)]
pub struct InFlight(Box<InFlightParts>);

/// The parts of a delivery in flight: what it sends, what it releases when it ends, and who gets the report of its end.
#[derive(Debug)]
pub struct InFlightParts {
    /// The account that it belongs to and is charged to, and counted for, until it ends.
    pub account: OutstandingDelivery,
    /// Whether it is the test of a trigger. A test does not wait behind its account's deliveries.
    pub is_test: bool,
    /// The POST to make.
    pub delivery: Delivery,
    /// When its event was accepted.
    pub accepted_at: Instant,
    /// Its permit; released when the attempt begins.
    pub permit: Option<Permit>,
    /// Must be redeemed before the attempt begins; `None` if no other node can hold the delivery.
    pub claim: Option<Claim>,
    /// The journal must record the attempt before it begins; `None` without a journal.
    pub journaled: Option<JournaledFiring>,
    /// Receives the report of its end.
    pub report: Option<oneshot::Sender<FiringReport>>,
}

impl Deref for InFlight {
    type Target = InFlightParts;

    fn deref(&self) -> &InFlightParts {
        &self.0
    }
}

impl DerefMut for InFlight {
    fn deref_mut(&mut self) -> &mut InFlightParts {
        &mut self.0
    }
}

impl InFlight {
    /// A delivery in flight.
    pub fn new(parts: InFlightParts) -> Self {
        Self(Box::new(parts))
    }

    /// Its parts, each of which can be moved elsewhere.
    pub fn into_parts(self) -> InFlightParts {
        *self.0
    }

    /// Who takes a turn with this delivery.
    pub fn turn_key(&self) -> &TurnKey {
        self.account.turn_key(self.is_test)
    }

    /// Where it is parked, if it is.
    pub fn lane(&self) -> ParkedLane {
        let destination = self.delivery.target.destination.clone();
        ParkedLane { destination, account: Some(self.account.id.clone()) }
    }

    /// Ends the delivery without an attempt.
    pub fn drop_unsent(self, metrics: &Metrics, reason: DropReason) {
        let InFlightParts { delivery: Delivery { firing, target, .. }, report, .. } = self.into_parts();
        drop_unsent(metrics, reason, firing.as_ref(), Some(&target.destination), report);
    }
}

/// Counts a delivery that ends without an attempt, and reports it.
pub fn drop_unsent(
    metrics: &Metrics,
    reason: DropReason,
    firing: Option<&FiringId>,
    destination: Option<&Destination>,
    report: Option<oneshot::Sender<FiringReport>>,
) {
    metrics.deliveries.dropped.inc(reason);
    metrics.activity.ended(firing, destination, FiringReport::Dropped(reason));
    if let Some(report) = report {
        let _ = report.send(FiringReport::Dropped(reason));
    }
}
