//! The journal's implementation of [`crate::flow::keep`].

use std::any::Any;
use std::cell::RefCell;
use std::fs::File;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::accept::{Acceptor, Part, Request};
use super::begin::Beginner;
use super::body::EventFields;
use super::disk::Disk;
use super::ledger::{Entry, Firing, lock};
use super::threads::{Begins, JournalContext, now_ms};
use crate::flow::drill;
use crate::flow::fairness::{Pool, Taken};
use crate::flow::keep::{Begin, Keep, KeepEvent, KeepPart, KeepRequest, Keeping, Kept, KeptEntry, Turn};
use crate::flow::refusal::{Full, Refusal};
use crate::model::id::AccountId;

/// Bytes of a record in addition to its fields: an estimate for an account's share.
const RECORD_BYTES: usize = 128;
/// Bytes of a firing in a record in addition to its trigger's id.
const FIRING_BYTES: usize = 16;
/// The pause before a failed write is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The journal, for the threads that use it.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) shared: Arc<JournalContext>,
    pub(super) accounts: Arc<Pool<AccountId>>,
    pub(super) age_max: Duration,
}

impl Keeping for Handle {
    fn keep(&self) -> Arc<dyn Keep> {
        let acceptor = Arc::new(Mutex::new(Acceptor::new(Arc::clone(&self.shared.journal))));
        lock(&self.shared.acceptors).push(Arc::downgrade(&acceptor));
        Arc::new(Accepting { acceptor, shared: Arc::clone(&self.shared), accounts: Arc::clone(&self.accounts) })
    }

    fn begin(&self) -> Rc<dyn Begin> {
        let beginner = Arc::new(Mutex::new(Beginner::new(Arc::clone(&self.shared.journal))));
        lock(&self.shared.beginners).push(Arc::downgrade(&beginner));
        let (again, failed) = mpsc::unbounded_channel();
        let own = Rc::new(Beginning {
            beginner,
            shared: Arc::clone(&self.shared),
            waiting: RefCell::default(),
            again,
            age_max: self.age_max,
        });
        actix_rt::spawn(again_from(Rc::downgrade(&own), failed));
        Rc::new(BeginHandle(own))
    }
}

/// Keeps what one thread accepts. Only that thread takes the lock, except for a request to close an old segment.
#[derive(Debug, Clone)]
struct Accepting {
    acceptor: Arc<Mutex<Acceptor<Disk>>>,
    shared: Arc<JournalContext>,
    accounts: Arc<Pool<AccountId>>,
}

impl Keep for Accepting {
    fn request(&self) -> Box<dyn KeepRequest> {
        Box::new(AcceptedRequest { lane: self.clone(), request: Request::default(), is_committed: false })
    }
}

#[derive(Debug)]
struct AcceptedRequest {
    lane: Accepting,
    request: Request<File>,
    is_committed: bool,
}

impl AcceptedRequest {
    /// Charges the parts to their accounts' shares of the journal, or refuses.
    fn charge(&self, parts: &[KeepPart<'_>]) -> Result<Vec<Taken>, Refusal> {
        let charge = |part: &KeepPart<'_>| {
            let account = AccountId::new(part.account).map_err(|_| Refusal::Panic)?;
            let share = self.lane.accounts.share(&account);
            share.take(bytes_of(part)).ok_or(Refusal::Full(Full::Journal))
        };
        parts.iter().map(charge).collect()
    }
}

fn record_of<'a>(part: &'a KeepPart<'a>, accepted_ms: u64) -> Part<'a> {
    let event = EventFields {
        accepted_ms,
        hops: part.event.hops,
        id_given: part.event.id_given,
        account: part.account,
        event_type: part.event.event_type.as_str(),
        id: part.id,
        source: part.source,
        time: &part.event.time,
        data: &part.event.data,
        attributes: &part.event.attributes,
    };
    Part { event, triggers: part.firings, is_more: part.is_more }
}

fn bytes_of(part: &KeepPart<'_>) -> usize {
    let firings: usize = part.firings.iter().map(|(_, trigger)| FIRING_BYTES + trigger.len()).sum();
    let KeepEvent { data, attributes, .. } = part.event;
    let event = if part.is_more { 0 } else { data.len() + attributes.len() + part.id.len() + part.source.len() };
    RECORD_BYTES + event + firings
}

impl KeepRequest for AcceptedRequest {
    fn add(&mut self, parts: &[KeepPart<'_>], commits: bool) -> Result<Vec<Kept>, Refusal> {
        let charged = self.charge(parts)?;
        let now_ms = now_ms();
        let records: Vec<Part<'_>> = parts.iter().map(|part| record_of(part, now_ms)).collect();
        let mut acceptor = lock(&self.lane.acceptor);
        let firings = acceptor.accept(&mut self.request, &records, commits, now_ms).map_err(|error| {
            acceptor.abandon(&mut self.request);
            self.lane.shared.failed(&error);
            Refusal::Unavailable
        })?;
        self.is_committed = commits;
        self.lane.shared.report_bytes();
        let mut first = 0;
        for (part, taken) in parts.iter().zip(charged) {
            if let Some((entry, _)) = firings.get(first) {
                entry.charge(taken);
            }
            first += part.firings.len();
        }
        Ok(firings.into_iter().map(|(entry, index)| Kept::new(entry, index)).collect())
    }

    fn hold(&mut self, admission: Box<dyn Any + Send>) {
        self.lane.shared.release(self.request.ends().to_vec(), admission);
    }
}

impl Drop for AcceptedRequest {
    fn drop(&mut self) {
        if !self.is_committed {
            lock(&self.lane.acceptor).abandon(&mut self.request);
        }
    }
}

impl KeptEntry for Entry<File> {
    fn ended(self: Arc<Self>, index: u32) {
        self.dropped(index);
    }

    fn own(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// Records the attempts that begin on one thread: those of about the same moment together.
#[derive(Debug)]
struct Beginning {
    beginner: Arc<Mutex<Beginner<Disk>>>,
    shared: Arc<JournalContext>,
    waiting: RefCell<Begins>,
    again: mpsc::UnboundedSender<Begins>,
    age_max: Duration,
}

#[derive(Debug)]
struct BeginHandle(Rc<Beginning>);

impl Begin for BeginHandle {
    fn begin(&self, kept: Kept) -> oneshot::Receiver<Turn> {
        let (ready, turn) = oneshot::channel();
        // Every kept firing belongs to this journal.
        let firing = kept.take().and_then(|(entry, index)| Some((entry.downcast::<Entry<File>>().ok()?, index)));
        if let Some(firing) = firing {
            self.0.push(vec![(firing, ready)]);
        }
        turn
    }

    fn age_max(&self) -> Duration {
        self.0.age_max
    }
}

impl Beginning {
    fn push(self: &Rc<Self>, more: Begins) {
        let mut waiting = self.waiting.borrow_mut();
        let is_first = waiting.is_empty();
        waiting.extend(more);
        if is_first {
            actix_rt::spawn(Rc::clone(self).write());
        }
    }

    /// Writes the collected firings once all other ready tasks of the thread have run.
    async fn write(self: Rc<Self>) {
        tokio::task::yield_now().await;
        while drill::is_held("POSTHASTE_DRILL_HOLD_BEGUN") {
            tokio::time::sleep(drill::HELD_CHECKED_EVERY).await;
        }
        let (mut firings, mut ready): (Vec<Firing<File>>, Vec<_>) = self.waiting.take().into_iter().unzip();
        // Another task may have taken all of them for its own retry.
        while !firings.is_empty() {
            let begun = lock(&self.beginner).begin(firings, now_ms());
            match begun {
                Ok(begun) => {
                    drill::end_process_at("POSTHASTE_DRILL_END_AFTER_BEGUN");
                    return self.shared.ready(begun, ready, &self.again);
                }
                Err(failed) => {
                    // Without its record no attempt begins; they wait until the disk has room.
                    self.shared.failed(&failed.error);
                    firings = failed.firings;
                    ready = ready.into_iter().map(later).collect();
                }
            }
            tokio::time::sleep(AGAIN_AFTER).await;
            let (more, more_ready): (Vec<Firing<File>>, Vec<_>) = self.waiting.take().into_iter().unzip();
            firings.extend(more);
            ready.extend(more_ready);
        }
    }
}

/// Tells an attempt to wait longer; returns the sender of its next turn.
fn later(ready: oneshot::Sender<Turn>) -> oneshot::Sender<Turn> {
    let (next, turn) = oneshot::channel();
    // The thread may have ended.
    let _ = ready.send(Turn::Later(turn));
    next
}

/// Attempts whose record could not be synced get another record.
async fn again_from(own: std::rc::Weak<Beginning>, mut failed: mpsc::UnboundedReceiver<Begins>) {
    while let Some(begins) = failed.recv().await {
        let Some(own) = own.upgrade() else { return };
        own.push(begins);
    }
}
