//! What the holder of a delivery that lies in a stream says to the desk of that stream. Many nodes may
//! hold one; the desk, and behind it Redis, decides whose it is. Knows nothing of Redis itself.

use std::fmt;

use tokio::sync::{mpsc, oneshot};

use crate::admission::Outstanding;
use crate::delivery::Destination;
use crate::messages::{Place, Queued};
use crate::metrics::Dropped;

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

/// The way to the desk of one stream. There are never more requests than deliveries held, and one for
/// each destination.
#[derive(Debug, Clone)]
pub struct Desk(mpsc::UnboundedSender<Request>);

/// What is asked of a desk.
#[derive(Debug)]
pub enum Request {
    /// By who holds a ticket.
    Redeem(Redemption),
    /// By who has room.
    Fetch(Fetch),
}

/// A ticket, handed in.
#[derive(Debug)]
pub struct Redemption {
    /// The entry that it is for.
    pub entry: EntryId,
    /// What its holder wants.
    pub wish: Wish,
    /// Counts it until that is done.
    pub outstanding: Outstanding,
}

/// What the holder of a ticket wants.
#[derive(Debug)]
pub enum Wish {
    /// To make the attempt, and to hear whether it may.
    Attempt(oneshot::Sender<bool>),
    /// To end the delivery without one. Its place is held until that is done.
    Drop(Dropped, Option<Place>),
    /// To leave it in its stream until a node has room for its destination. Its place is held until that
    /// is done.
    Park(Destination, Option<Place>),
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
    /// The desk of the tickets that come with them.
    pub desk: Desk,
}

/// What was parked.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The oldest of it.
    pub deliveries: Vec<Queued>,
    /// Whether there may be more.
    pub more: bool,
}

impl Desk {
    /// A desk, and where what is asked of it comes in. That ends when nobody can ask any more.
    pub fn open() -> (Self, mpsc::UnboundedReceiver<Request>) {
        let (desk, asked) = mpsc::unbounded_channel();
        (Self(desk), asked)
    }

    /// Takes up to so many of a destination's parked deliveries, of so many bytes; none where Redis is away.
    pub async fn fetch(&self, destination: &Destination, number: usize, bytes: usize) -> Fetched {
        let (answer, answered) = oneshot::channel();
        let destination = destination.clone();
        self.ask(Request::Fetch(Fetch { destination, number, bytes, answer, desk: self.clone() }));
        answered.await.unwrap_or_default()
    }

    fn ask(&self, request: Request) {
        // A desk that is closed has stopped with its thread: nothing is attempted any more.
        let _ = self.0.send(request);
    }
}

/// The claim to the one attempt at a delivery that lies in a stream, where other nodes may hold it
/// too. Only the node whose ticket is honoured may make the attempt. One that is dropped gives the
/// delivery back to all.
#[derive(Debug)]
pub struct Ticket {
    entry: EntryId,
    desk: Desk,
    /// Counts it; gone once it was handed in.
    outstanding: Option<Outstanding>,
}

impl Ticket {
    /// A ticket that `desk` redeems.
    pub fn new(entry: EntryId, desk: Desk, outstanding: Outstanding) -> Self {
        Self { entry, desk, outstanding: Some(outstanding) }
    }

    /// Who redeems it.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Whether the attempt may be made. Waits for an answer for as long as there is none.
    pub async fn redeem(mut self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.hand_in(Wish::Attempt(answer));
        answered.await.unwrap_or(false)
    }

    /// Ends the delivery without an attempt, if no other node has had it.
    pub fn discard(mut self, reason: Dropped, place: Option<Place>) {
        self.hand_in(Wish::Drop(reason, place));
    }

    /// Leaves the delivery in its stream until some node has room for its destination.
    pub fn park(mut self, destination: &Destination, place: Option<Place>) {
        self.hand_in(Wish::Park(destination.clone(), place));
    }

    fn hand_in(&mut self, wish: Wish) {
        if let Some(outstanding) = self.outstanding.take() {
            self.desk.ask(Request::Redeem(Redemption { entry: self.entry, wish, outstanding }));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.hand_in(Wish::GiveBack);
    }
}
