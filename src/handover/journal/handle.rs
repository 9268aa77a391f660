//! The journal's implementation of [`crate::flow::journal`].

use std::any::Any;
use std::cell::RefCell;
use std::fs::File;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::accept::{AcceptedPart, Acceptor, PartialRequest};
use super::begin::Beginner;
use super::body::EventFields;
use super::charges::{AccountCharges, requests};
use super::disk::Disk;
use super::ledger::{EntryFiring, LedgerEntry, ListedFirings, lock};
use super::threads::{BegunResult, JournalContext, now_ms};
use crate::flow::drill;
use crate::flow::event_data::EventData;
use crate::flow::fairness::Pool;
use crate::flow::journal::{
    AcceptJournal, AttemptGroup, AttemptJournal, AttemptStart, EventJournal, JournaledEvent, JournaledFiring,
    JournaledFirings, JournaledRequests, NotKept, PartToJournal, RequestJournal,
};
use crate::flow::refusal::Refusal;
use crate::model::id::AccountId;
use crate::templating::EventDetails;

/// The pause before a failed write is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The journal, for the threads that use it.
#[derive(Debug)]
pub(super) struct JournalHandle {
    pub(super) shared: Arc<JournalContext>,
    pub(super) accounts: Arc<Pool<AccountId>>,
    pub(super) age_max: Duration,
}

impl EventJournal for JournalHandle {
    fn accept_journal(&self) -> Arc<dyn AcceptJournal> {
        let acceptor = Arc::new(Mutex::new(Acceptor::new(Arc::clone(&self.shared.journal))));
        lock(&self.shared.acceptors).push(Arc::downgrade(&acceptor));
        let charges = Mutex::new(AccountCharges::of(Arc::clone(&self.accounts)));
        Arc::new(AcceptHandle(Arc::new(ThreadAcceptor { acceptor, shared: Arc::clone(&self.shared), charges })))
    }

    fn attempt_journal(&self) -> Rc<dyn AttemptJournal> {
        let beginner = Arc::new(Mutex::new(Beginner::new(Arc::clone(&self.shared.journal))));
        lock(&self.shared.beginners).push(Arc::downgrade(&beginner));
        let (shared, next) = (Arc::clone(&self.shared), RefCell::default());
        Rc::new(BeginHandle(Rc::new(AttemptRecorder { beginner, shared, next, age_max: self.age_max })))
    }

    fn close(&self) -> usize {
        self.shared.journal.unsettled.close();
        self.shared.journal.left()
    }
}

/// Keeps what one thread accepts. Only that thread takes the lock, except for a request to close an old segment.
#[derive(Debug)]
struct ThreadAcceptor {
    acceptor: Arc<Mutex<Acceptor<Disk>>>,
    shared: Arc<JournalContext>,
    charges: Mutex<AccountCharges>,
}

#[derive(Debug)]
struct AcceptHandle(Arc<ThreadAcceptor>);

impl AcceptJournal for AcceptHandle {
    fn write_requests(
        &self,
        parts: &[PartToJournal<'_>],
        admissions: &dyn Fn() -> Box<dyn Any + Send>,
    ) -> JournaledRequests {
        self.0.write_requests(parts, admissions)
    }

    fn begin_request(&self) -> Box<dyn RequestJournal> {
        Box::new(PendingRequest {
            thread: Arc::clone(&self.0),
            request: PartialRequest::default(),
            is_committed: false,
        })
    }
}

impl ThreadAcceptor {
    fn write_requests(
        &self,
        parts: &[PartToJournal<'_>],
        admissions: &dyn Fn() -> Box<dyn Any + Send>,
    ) -> JournaledRequests {
        let (now_ms, mut charges) = (now_ms(), lock(&self.charges));
        let mut results = charges.charge_each(parts);
        if charges.charged.is_empty() {
            return JournaledRequests { results, firings: Vec::new() };
        }
        let kept = requests(parts).zip(&results).filter(|(_, result)| result.is_ok()).flat_map(|(parts, _)| parts);
        let records = kept.map(|part| record_of(part, now_ms));
        let mut listed = Vec::with_capacity(parts.len());
        let list = |(entry, firings): ListedFirings<File>| listed.push(JournaledFirings::new(entry, firings));
        let written = lock(&self.acceptor).write_requests(records, charges.charged.drain(..), now_ms, list);
        drop(charges);
        match written {
            Ok(end) => {
                self.shared.report_bytes();
                self.shared.release(&[end], admissions);
            }
            Err(error) => {
                let refusal = self.failed(&error);
                results.iter_mut().filter(|result| result.is_ok()).for_each(|kept| *kept = Err(refusal.clone()));
            }
        }
        JournaledRequests { results, firings: listed }
    }

    fn failed(&self, error: &std::io::Error) -> Refusal {
        self.shared.failed(error);
        Refusal::Unavailable
    }
}

#[derive(Debug)]
struct PendingRequest {
    thread: Arc<ThreadAcceptor>,
    request: PartialRequest<File>,
    is_committed: bool,
}

fn record_of<'a>(part: &'a PartToJournal<'a>, accepted_ms: u64) -> AcceptedPart<'a> {
    let EventData { id_given, hops, data } = part.event;
    let EventDetails { identity, time, .. } = data.details();
    let event = EventFields {
        accepted_ms,
        hops: *hops,
        id_given: *id_given,
        account: identity.account(),
        event_type: identity.event_type(),
        id: identity.id(),
        source: identity.source(),
        time,
        data: part.data,
        attributes: &part.attributes,
    };
    AcceptedPart { event, triggers: part.firings, commits: part.is_last }
}

impl RequestJournal for PendingRequest {
    fn add(&mut self, parts: &[PartToJournal<'_>]) -> Result<Vec<JournaledFirings>, NotKept> {
        let now_ms = now_ms();
        let shares = lock(&self.thread.charges).charge_part(parts).map_err(NotKept::Now)?;
        let records: Vec<AcceptedPart<'_>> = parts.iter().map(|part| record_of(part, now_ms)).collect();
        let added = lock(&self.thread.acceptor).add(&mut self.request, &records, shares, now_ms);
        let listed = added.map_err(|error| self.not_kept(&error))?;
        self.thread.shared.report_bytes();
        Ok(listed.into_iter().map(|(entry, firings)| JournaledFirings::new(entry, firings)).collect())
    }

    fn commit(&mut self, admission: Box<dyn Any + Send>) -> Result<(), NotKept> {
        let committed = lock(&self.thread.acceptor).commit(&mut self.request, now_ms());
        committed.map_err(|error| self.not_kept(&error))?;
        self.is_committed = true;
        self.thread.shared.report_bytes();
        self.thread.shared.release(self.request.ends(), || admission);
        Ok(())
    }
}

impl PendingRequest {
    fn not_kept(&mut self, error: &std::io::Error) -> NotKept {
        let refusal = self.thread.failed(error);
        if !self.request.is_lost() {
            return NotKept::Now(refusal);
        }
        self.request.abandon();
        NotKept::Ever(refusal)
    }
}

impl Drop for PendingRequest {
    fn drop(&mut self) {
        if !self.is_committed {
            self.request.abandon();
        }
    }
}

impl JournaledEvent for LedgerEntry<File> {
    fn ended(self: Arc<Self>, index: u32) {
        self.dropped(index);
    }

    fn own(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// Records the attempts that begin on one thread: those of about the same moment together.
#[derive(Debug)]
struct AttemptRecorder {
    beginner: Arc<Mutex<Beginner<Disk>>>,
    shared: Arc<JournalContext>,
    next: RefCell<NextRecord>,
    age_max: Duration,
}

/// The firings of the next begun record. Groups whose record failed wait for it together with newer ones.
#[derive(Debug, Default)]
struct NextRecord {
    firings: Vec<EntryFiring<File>>,
    groups: Vec<Rc<AttemptGroup>>,
}

#[derive(Debug)]
struct BeginHandle(Rc<AttemptRecorder>);

impl AttemptJournal for BeginHandle {
    fn begin(&self, firing: JournaledFiring) -> Option<Rc<AttemptGroup>> {
        let (entry, index) = firing.take()?;
        let firing = (entry.downcast::<LedgerEntry<File>>().ok()?, index);
        let mut next = self.0.next.borrow_mut();
        next.firings.push(firing);
        if let Some(group) = next.groups.last() {
            return Some(Rc::clone(group));
        }
        let group = Rc::<AttemptGroup>::default();
        next.groups.push(Rc::clone(&group));
        actix_rt::spawn(Rc::clone(&self.0).write());
        Some(group)
    }

    fn age_max(&self) -> Duration {
        self.0.age_max
    }
}

impl AttemptRecorder {
    /// Writes the next record once all other ready tasks of the thread have run, and lets its attempts begin.
    async fn write(self: Rc<Self>) {
        tokio::task::yield_now().await;
        while drill::is_held("POSTHASTE_DRILL_HOLD_BEGUN") {
            tokio::time::sleep(drill::HELD_CHECKED_EVERY).await;
        }
        let NextRecord { mut firings, mut groups } = self.next.take();
        // Another task may have taken them for its next try.
        while !firings.is_empty() {
            let begun = lock(&self.beginner).begin(firings, now_ms());
            match begun {
                Ok(begun) => {
                    drill::end_process_at("POSTHASTE_DRILL_END_AFTER_BEGUN");
                    match self.shared.ready(begun).await {
                        BegunResult::Begun => return groups.iter().for_each(|group| group.set(AttemptStart::Now)),
                        // The next record goes to another segment.
                        BegunResult::NotSynced(again) => firings = again,
                        BegunResult::Stopped => return,
                    }
                }
                Err(failed) => {
                    self.shared.failed(&failed.error);
                    firings = failed.firings;
                }
            }
            // Without its record no attempt begins; they wait until the disk can be written. Each try may take a new segment.
            groups.iter().for_each(|group| group.set(AttemptStart::Later));
            tokio::time::sleep(AGAIN_AFTER).await;
            let more = self.next.take();
            firings.extend(more.firings);
            groups.extend(more.groups);
        }
    }
}
