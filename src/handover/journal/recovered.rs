//! An event of the journal that was read back at a start, and its firings for one destination, with the current triggers and
//! templates.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::Arc;

use super::body::FiringFields;
use super::keeper::{join, records_at};
use super::ledger::LedgerEntry;
use crate::flow::account::{AccountShares, RequestDeliveries};
use crate::flow::event_data::EventData;
use crate::flow::fairness::TakenUnits;
use crate::flow::in_flight::drop_unsent;
use crate::flow::journal::JournaledFiring;
use crate::flow::messages::{Firing as Fired, FiringStep, Firings};
use crate::json::{Document, OriginalText};
use crate::live::Live;
use crate::model::attributes::Attributes;
use crate::model::event::{Event, EventIdentity, EventType};
use crate::model::firing::FiringId;
use crate::model::id::{AccountId, TriggerId};
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;

/// The event of an entry that was read back, for all lanes.
#[derive(Debug)]
pub(super) struct RecoveredEvent {
    pub(super) event: Arc<EventData>,
    /// For each destination the triggers, and the index of each firing.
    firings: HashMap<u64, Vec<(TriggerId, u32)>>,
    /// Its bytes, until nothing needs it any more.
    _held: Option<TakenUnits>,
}

impl RecoveredEvent {
    /// The triggers that send to a destination, and the index of each firing.
    pub(super) fn firings_for(&self, destination: u64) -> impl Iterator<Item = (TriggerId, u32)> {
        self.firings.get(&destination).into_iter().flatten().cloned()
    }
}

/// The bytes of an entry's data, and the fingerprints of its unsettled firings' destinations with the number of firings.
pub(super) fn destinations_of(entry: &LedgerEntry<File>) -> Option<(usize, BTreeMap<u64, u32>)> {
    let (places, unsettled) = entry.unsettled()?;
    let records = records_at(&places)?;
    let (accepted, listings) = join(entry.id, &places, &records)?;
    let mut own = BTreeMap::new();
    for listing in listings.into_iter().filter(|listing| unsettled.has(listing.index)) {
        *own.entry(listing.destination).or_default() += 1;
    }
    Some((accepted.event.data.len(), own))
}

/// Reads the event of an entry.
pub(super) fn read(entry: &LedgerEntry<File>, account: &AccountId, held: Option<TakenUnits>) -> Option<RecoveredEvent> {
    let (places, unsettled) = entry.unsettled()?;
    let records = records_at(&places)?;
    let (accepted, listings) = join(entry.id, &places, &records)?;
    let kept = accepted.event;
    let event = Event {
        identity: EventIdentity::new(account, &EventType::new(kept.event_type).ok()?, kept.source, kept.id),
        id_given: kept.id_given,
        hops: kept.hops,
        time: kept.time.into(),
        attributes: Attributes::from_text(kept.attributes)?,
        data: Document::read(OriginalText::from(kept.data)).ok()?,
    };
    let mut firings: HashMap<u64, Vec<(TriggerId, u32)>> = HashMap::new();
    for FiringFields { trigger, index, destination, .. } in listings {
        if unsettled.has(index) {
            firings.entry(destination).or_default().push((TriggerId::new(trigger).ok()?, index));
        }
    }
    Some(RecoveredEvent { event: Arc::new(EventData::of(event)), firings, _held: held })
}

/// The firings of one event, with the current triggers and templates.
#[derive(Debug)]
pub(super) struct RecoveredFirings {
    pub(super) event: Arc<RecoveredEvent>,
    /// The fingerprint of the destination that their triggers had.
    pub(super) destination: u64,
    pub(super) firings: std::vec::IntoIter<(TriggerId, JournaledFiring)>,
    pub(super) deliveries: RequestDeliveries,
    pub(super) live: Arc<Live>,
    pub(super) metrics: Arc<Metrics>,
}

impl Firings for RecoveredFirings {
    fn account(&self) -> &Arc<AccountShares> {
        self.deliveries.account()
    }

    fn is_done(&self) -> bool {
        self.firings.len() == 0
    }

    fn step(&mut self) -> FiringStep {
        if self.firings.len() == 0 {
            return FiringStep::Done;
        }
        let Some(charge) = self.deliveries.take_one() else { return FiringStep::Blocked };
        let Some((trigger, journaled)) = self.firings.next() else { return FiringStep::Done };
        let index = self.live.index();
        let account = &self.deliveries.account().id;
        let found = index.trigger(account, &trigger).filter(|found| found.enabled);
        let live = found.ok_or(DropReason::TriggerChanged).and_then(|live| match &live.target {
            Ok(target) if target.target.destination.fingerprint() == self.destination => Ok(live),
            Ok(_) => Err(DropReason::TriggerChanged),
            // The settings may allow less than before.
            Err(reason) => Err(*reason),
        });
        let live = match live {
            Ok(live) => live,
            Err(reason) => {
                let firing = FiringId { event: self.event.event.identity().clone(), trigger };
                drop_unsent(&self.metrics, reason, Some(&firing), None, None);
                return FiringStep::Worked;
            }
        };
        FiringStep::Fired(Fired {
            event: Arc::clone(&self.event.event),
            trigger,
            target: live.target.clone(),
            template: index.template(account, &live.template),
            charge: Some(charge),
            journaled: Some(journaled),
            report: None,
        })
    }
}
