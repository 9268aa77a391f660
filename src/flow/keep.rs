//! What the stages ask of the journal: to keep what is accepted before its producer is answered, and to note that an
//! attempt begins before its first byte is sent. Where a node has no journal nothing here is used.

use std::any::Any;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::refusal::Refusal;

/// The journal of a node, for the threads that use it.
pub trait Keeping: fmt::Debug + Send + Sync {
    /// For a thread that accepts events.
    fn keep(&self) -> Arc<dyn Keep>;

    /// For a thread that sends. Called on it.
    fn begin(&self) -> Rc<dyn Begin>;
}

/// Keeps what one thread accepts.
pub trait Keep: fmt::Debug + Send + Sync {
    /// Begins to keep a request.
    fn request(&self) -> Box<dyn KeepRequest>;
}

/// One request that is being kept. Dropped before it is committed, nothing of it is kept.
pub trait KeepRequest: fmt::Debug + Send {
    /// Writes events and what they fired, or nothing of it. With `commits` nothing more follows. A handle is returned
    /// for each firing, in order.
    fn add(&mut self, parts: &[KeepPart<'_>], commits: bool) -> Result<Vec<Kept>, Refusal>;

    /// Holds the admission, and so the response, until what was written survives what the settings say.
    fn hold(&mut self, admission: Box<dyn Any + Send>);
}

/// An event with firings of it.
#[derive(Debug, Clone, Copy)]
pub struct KeepPart<'a> {
    /// The event.
    pub event: &'a KeepEvent,
    /// Whose triggers it fires.
    pub account: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Where it happened; may be empty.
    pub source: &'a str,
    /// Each trigger's id, and what [`crate::model::destination::Destination::fingerprint`] says of where it sends.
    pub firings: &'a [(u64, &'a str)],
    /// The last part of the request was of the same event.
    pub is_more: bool,
}

/// What is kept of an event beside its names.
#[derive(Debug, Clone)]
pub struct KeepEvent {
    /// What kind of thing happened.
    pub event_type: crate::model::event::EventType,
    /// When it happened.
    pub time: Arc<str>,
    /// Its data, as JSON.
    pub data: crate::json::Source,
    /// Whether its id is the producer's own.
    pub id_given: bool,
    /// How many deliveries of ours it has come through.
    pub hops: u8,
}

/// A firing that is kept. Dropped before its attempt begins, it has ended without one, and is not sent after a start
/// anew; but at a stop, where it stays.
#[derive(Debug)]
pub struct Kept {
    entry: Option<Arc<dyn KeptEntry>>,
    index: u32,
}

/// The journal's own idea of an event that is kept.
pub trait KeptEntry: fmt::Debug + Any + Send + Sync {
    /// One of its firings has ended without an attempt.
    fn ended(self: Arc<Self>, index: u32);

    /// The same as what the journal knows it to be.
    fn own(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl Kept {
    /// A firing of an entry.
    pub fn new(entry: Arc<dyn KeptEntry>, index: u32) -> Self {
        Self { entry: Some(entry), index }
    }

    /// For the journal, which from now on sees to it.
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
    /// It may.
    Now,
    /// That it begins can't be written for now, for one because the disk is full. The next word comes here. Its producer
    /// need not wait: what it posted is kept.
    Later(oneshot::Receiver<Turn>),
}

/// Notes which attempts begin on one thread.
pub trait Begin: fmt::Debug {
    /// Says when the attempt may begin; nothing where the thread ends.
    fn begin(&self, kept: Kept) -> oneshot::Receiver<Turn>;

    /// A delivery that has waited for longer is dropped.
    fn age_max(&self) -> Duration;
}
