//! What the stages require of the journal: it keeps accepted events before the producer gets its response, and it
//! records that an attempt begins before its first byte is sent. A node without a journal does not use this file.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::event_data::EventData;
use super::fairness::TakenUnits;
use super::permit::Permit;
use super::refusal::Refusal;
use super::task_waker::TaskWaker;

/// The journal of a node, as its threads use it.
pub trait EventJournal: fmt::Debug + Send + Sync {
    /// For a thread that accepts events.
    fn accept_journal(&self) -> Arc<dyn AcceptJournal>;

    /// For a thread that sends. Must be called on that thread.
    fn attempt_journal(&self) -> Rc<dyn AttemptJournal>;

    /// The node is stopping: firings that end without an attempt from now on stay in the journal and are sent after the
    /// next start. Returns how many deliveries those are.
    fn close(&self) -> usize;
}

/// Keeps what one thread accepts.
pub trait AcceptJournal: fmt::Debug + Send + Sync {
    /// Keeps whole requests, which have at least one part each, with one write. If `store.survives` demands more than
    /// that, the `admissions`, and so the responses, are held until it is done.
    fn write_requests(
        &self,
        parts: &[PartToJournal<'_>],
        admissions: &dyn Fn() -> Box<dyn Any + Send>,
    ) -> JournaledRequests;

    /// Starts to keep a request whose firings are not all known.
    fn begin_request(&self) -> Box<dyn RequestJournal>;
}

/// What became of requests that were given to the journal together.
#[derive(Debug)]
pub struct JournaledRequests {
    /// Which of them are kept, and why others are refused.
    pub results: Vec<Result<(), Refusal>>,
    /// The handles of the firings of each part of those that are kept.
    pub firings: Vec<JournaledFirings>,
}

/// Why a part of a request was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotKept {
    /// There is no room for it, or nothing can be written. It may be tried again.
    Now(Refusal),
    /// Earlier parts of the request are lost, and with them the request.
    Ever(Refusal),
}

impl NotKept {
    /// Why the request is refused, if none of it was handed on.
    pub fn refusal(self) -> Refusal {
        let (Self::Now(refusal) | Self::Ever(refusal)) = self;
        refusal
    }
}

/// A request that is kept in parts. If it is dropped before the commit, nothing of it is kept.
pub trait RequestJournal: fmt::Debug + Send {
    /// Writes events and their firings: all of them or none. Returns the handles of each part's firings.
    fn add(&mut self, parts: &[PartToJournal<'_>]) -> Result<Vec<JournaledFirings>, NotKept>;

    /// All parts are written. The admission, and so the response, is held until they are as safe as `store.survives`
    /// demands.
    fn commit(&mut self, admission: Box<dyn Any + Send>) -> Result<(), NotKept>;
}

/// An event with some of its firings.
#[derive(Debug)]
pub struct PartToJournal<'a> {
    /// The event.
    pub event: &'a EventData,
    /// What else a CloudEvent says of itself, as JSON; may be empty.
    pub attributes: String,
    /// Its data, as JSON.
    pub data: &'a str,
    /// Each trigger's id, and the [`crate::model::destination::Destination::fingerprint`] of its destination.
    pub firings: &'a [(u64, &'a str)],
    /// Whether it is the last part of a whole request.
    pub is_last: bool,
}

impl PartToJournal<'_> {
    /// The account whose triggers it fires.
    pub fn account(&self) -> &str {
        self.event.identity().account()
    }
}

/// A firing in the journal. Dropping it before its attempt begins records that it ended without one, so that it is not
/// sent after a restart. During a stop it is left in the journal instead.
#[derive(Debug)]
pub struct JournaledFiring {
    entry: Option<Arc<dyn JournaledEvent>>,
    index: u32,
    /// Released when the attempt begins, or with this.
    held: Option<TakenUnits>,
}

/// The journal's own representation of an event.
pub trait JournaledEvent: fmt::Debug + Any + Send + Sync {
    /// One of its firings has ended without an attempt.
    fn ended(self: Arc<Self>, index: u32);

    /// The same value as a type that the journal can downcast.
    fn own(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl JournaledFiring {
    /// A firing of an entry.
    pub fn new(entry: Arc<dyn JournaledEvent>, index: u32) -> Self {
        Self { entry: Some(entry), index, held: None }
    }

    /// Keeps these units until the attempt begins or the delivery ends without one.
    pub fn holding(mut self, held: Option<TakenUnits>) -> Self {
        self.held = held;
        self
    }

    /// Hands the firing to the journal, which is responsible for it from then on.
    pub fn take(mut self) -> Option<(Arc<dyn Any + Send + Sync>, u32)> {
        self.entry.take().map(|entry| (entry.own(), self.index))
    }
}

impl Drop for JournaledFiring {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            entry.ended(self.index);
        }
    }
}

/// The handles of the firings of one part, in order. Those that are left when it is dropped have ended without an
/// attempt.
#[derive(Debug)]
pub struct JournaledFirings {
    entry: Option<Arc<dyn JournaledEvent>>,
    indexes: Range<u32>,
}

impl JournaledFirings {
    /// The firings of an entry with these indexes.
    pub fn new(entry: Arc<dyn JournaledEvent>, indexes: Range<u32>) -> Self {
        Self { entry: Some(entry), indexes }
    }
}

impl Iterator for JournaledFirings {
    type Item = JournaledFiring;

    fn next(&mut self) -> Option<JournaledFiring> {
        let index = self.indexes.next()?;
        let entry = if self.indexes.is_empty() { self.entry.take() } else { self.entry.clone() };
        entry.map(|entry| JournaledFiring::new(entry, index))
    }
}

impl Drop for JournaledFirings {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

/// Whether attempts may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AttemptStart {
    /// As soon as their record is written.
    #[default]
    Soon,
    /// Their record can't be written now, for example because the disk is full. Their producers need not wait
    /// meanwhile: the events are kept.
    Later,
    /// Now.
    Now,
}

/// Attempts of one thread whose record is written together.
#[derive(Debug, Default)]
pub struct AttemptGroup {
    turn: Cell<AttemptStart>,
    waiting: RefCell<Vec<Rc<TaskWaker>>>,
    /// Released with the group.
    permits: RefCell<Vec<Permit>>,
}

impl AttemptGroup {
    /// Tells all attempts of the group.
    pub fn set(&self, turn: AttemptStart) {
        self.turn.set(turn);
        self.waiting.take().iter().for_each(|waiting| waiting.wake());
    }

    /// Releases a permit when the last attempt of the group begins. Each response to a producer wakes a thread, but those
    /// that are sent at the same moment wake it once, and an account's share changes once.
    pub fn release_last(self: Rc<Self>, mut permit: Option<Permit>) {
        let mut permits = self.permits.borrow_mut();
        // The last one has the charges of those of its account just before it.
        if let Some(before) = permits.last_mut().and_then(Permit::charge)
            && let Some(own) = permit.as_mut().and_then(Permit::charge)
        {
            own.absorb(before);
        }
        permits.extend(permit);
    }

    /// Wakes a task when the turn is not `before` any more.
    pub fn wake_after(&self, before: AttemptStart, task: &Rc<TaskWaker>) {
        if self.turn.get() == before { self.waiting.borrow_mut().push(Rc::clone(task)) } else { task.wake() }
    }

    /// Waits until the turn is not `before` any more.
    pub async fn after(&self, before: AttemptStart, task: &Rc<TaskWaker>) -> AttemptStart {
        poll_fn(|context| {
            let turn = self.turn.get();
            if turn != before {
                return Poll::Ready(turn);
            }
            task.waits(context);
            self.waiting.borrow_mut().push(Rc::clone(task));
            Poll::Pending
        })
        .await
    }
}

/// Records the attempts that begin on one thread.
pub trait AttemptJournal: fmt::Debug {
    /// Adds an attempt to the group whose record is written next; `None` if the firing is of another journal.
    fn begin(&self, firing: JournaledFiring) -> Option<Rc<AttemptGroup>>;

    /// A delivery that has waited longer than this is dropped.
    fn age_max(&self) -> Duration;
}
