//! What the stages require of the journal: it keeps accepted events before the producer gets its response, and it
//! records that an attempt begins before its first byte is sent. A node without a journal uses nothing of this.

use std::any::Any;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::fairness::Taken;
use super::refusal::Refusal;

/// The journal of a node, as its threads use it.
pub trait Keeping: fmt::Debug + Send + Sync {
    /// For a thread that accepts events.
    fn keep(&self) -> Arc<dyn Keep>;

    /// For a thread that sends. Must be called on that thread.
    fn begin(&self) -> Rc<dyn Begin>;
}

/// Keeps what one thread accepts.
pub trait Keep: fmt::Debug + Send + Sync {
    /// Starts to keep a request.
    fn request(&self) -> Box<dyn KeepRequest>;
}

/// One request that is being kept. If it is dropped before the commit, nothing of it is kept.
pub trait KeepRequest: fmt::Debug + Send {
    /// Writes events and their firings: all of them or none. `commits`: nothing follows. Returns a handle for each
    /// firing, in order.
    fn add(&mut self, parts: &[KeepPart<'_>], commits: bool) -> Result<Vec<Kept>, Refusal>;

    /// Holds the admission, and so the response, until all that was written is as safe as `store.survives` demands.
    fn hold(&mut self, admission: Box<dyn Any + Send>);
}

/// An event with some of its firings.
#[derive(Debug, Clone, Copy)]
pub struct KeepPart<'a> {
    /// The event.
    pub event: &'a KeepEvent,
    /// The account whose triggers it fires.
    pub account: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Its source; may be empty.
    pub source: &'a str,
    /// Each trigger's id, and the [`crate::model::destination::Destination::fingerprint`] of its destination.
    pub firings: &'a [(u64, &'a str)],
    /// Whether the last part of the request was of the same event.
    pub is_more: bool,
}

/// What is kept of an event in addition to its id and source.
#[derive(Debug, Clone)]
pub struct KeepEvent {
    /// Its type.
    pub event_type: crate::model::event::EventType,
    /// Its time.
    pub time: Arc<str>,
    /// Its data, as JSON.
    pub data: crate::json::Source,
    /// What else a CloudEvent says of itself, as JSON; may be empty.
    pub attributes: String,
    /// Whether the producer chose its id.
    pub id_given: bool,
    /// How many deliveries of this project it has come through.
    pub hops: u8,
}

/// A firing in the journal. Dropping it before its attempt begins records that it ended without one, so that it is not
/// sent after a restart. During a stop it is left in the journal instead.
#[derive(Debug)]
pub struct Kept {
    entry: Option<Arc<dyn KeptEntry>>,
    index: u32,
    /// Released when the attempt begins, or with this.
    held: Option<Taken>,
}

/// The journal's own representation of an event.
pub trait KeptEntry: fmt::Debug + Any + Send + Sync {
    /// One of its firings has ended without an attempt.
    fn ended(self: Arc<Self>, index: u32);

    /// The same value as a type that the journal can downcast.
    fn own(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl Kept {
    /// A firing of an entry.
    pub fn new(entry: Arc<dyn KeptEntry>, index: u32) -> Self {
        Self { entry: Some(entry), index, held: None }
    }

    /// Keeps these units until the attempt begins or the delivery ends without one.
    pub fn holding(mut self, held: Option<Taken>) -> Self {
        self.held = held;
        self
    }

    /// Hands the firing to the journal, which is responsible for it from then on.
    pub fn take(mut self) -> Option<(Arc<dyn Any + Send + Sync>, u32)> {
        self.entry.take().map(|entry| (entry.own(), self.index))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            entry.ended(self.index);
        }
    }
}

/// Whether an attempt may begin.
#[derive(Debug)]
pub enum Turn {
    /// It may begin.
    Now,
    /// Its record can't be written now, for example because the disk is full. The receiver gets the next turn. The
    /// producer need not wait meanwhile: its event is kept.
    Later(oneshot::Receiver<Turn>),
}

/// Records the attempts that begin on one thread.
pub trait Begin: fmt::Debug {
    /// Receives the attempt's turn. It never arrives if the thread ends.
    fn begin(&self, kept: Kept) -> oneshot::Receiver<Turn>;

    /// A delivery that has waited longer than this is dropped.
    fn age_max(&self) -> Duration;
}
