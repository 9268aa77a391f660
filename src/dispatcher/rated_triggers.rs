//! Deliveries of triggers that have a rate. Those that exceed it wait here until they are due and then join the
//! destination's queue. Plain code: time is an argument.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Instant;

use crate::flow::in_flight::InFlight;
use crate::flow::rate::Rate;
use crate::flow::sweep::Sweep;
use crate::model::id::{AccountId, TriggerId};

/// From this number of known triggers on, those that owe nothing and for which nothing waits are forgotten.
const TRIGGERS_SWEPT_AT: usize = 1_024;

type TriggerKey = (AccountId, TriggerId);

/// The rated triggers of one destination.
#[derive(Debug, Default)]
pub(super) struct RatedTriggers {
    triggers: HashMap<TriggerKey, RatedTrigger>,
    /// When the first waiting delivery of each trigger is due.
    due: BinaryHeap<Reverse<(Instant, TriggerKey)>>,
    len: usize,
    sweep: Sweep<TRIGGERS_SWEPT_AT>,
}

#[derive(Debug)]
struct RatedTrigger {
    rate: Rate,
    waiting: VecDeque<InFlight>,
}

impl RatedTriggers {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns a delivery, or keeps it until its trigger's rate allows it.
    pub(super) fn admit(&mut self, mut queued: InFlight, now: Instant) -> Option<InFlight> {
        let Some((trigger, per_s)) = queued.delivery.target.rate.clone().filter(|_| !queued.is_test) else {
            return Some(queued);
        };
        // One that owes something would get a second burst.
        self.sweep.before_insert(&mut self.triggers, |_, trigger| {
            !trigger.waiting.is_empty() || !trigger.rate.owes_nothing(now)
        });
        let key = (queued.account.id.clone(), trigger);
        let made = || RatedTrigger { rate: Rate::new(per_s, now), waiting: VecDeque::new() };
        let trigger = self.triggers.entry(key.clone()).or_insert_with(made);
        if trigger.rate.per_s() != per_s {
            trigger.rate = Rate::new(per_s, now);
        }
        if trigger.waiting.is_empty() {
            match trigger.rate.pass(now) {
                Ok(()) => return Some(queued),
                Err(wait) => self.due.push(Reverse((now + wait, key))),
            }
        }
        // It delays no producer: its owner chose the rate.
        queued.permit = None;
        trigger.waiting.push_back(queued);
        self.len += 1;
        None
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the deliveries that are due.
    pub(super) fn due(&mut self, now: Instant) -> Vec<InFlight> {
        let mut out = Vec::new();
        while self.next_due().is_some_and(|at| at <= now)
            && let Some(Reverse((_, key))) = self.due.pop()
        {
            let Some(trigger) = self.triggers.get_mut(&key) else { continue };
            while !trigger.waiting.is_empty() {
                if let Err(wait) = trigger.rate.pass(now) {
                    self.due.push(Reverse((now + wait, key)));
                    break;
                }
                out.extend(trigger.waiting.pop_front());
            }
        }
        self.len -= out.len();
        out
    }

    /// Takes the deliveries that `is_taken` selects.
    pub(super) fn extract(&mut self, is_taken: impl Fn(&InFlight) -> bool) -> Vec<InFlight> {
        let mut out = Vec::new();
        for trigger in self.triggers.values_mut() {
            let (taken, kept): (VecDeque<_>, VecDeque<_>) =
                std::mem::take(&mut trigger.waiting).into_iter().partition(&is_taken);
            trigger.waiting = kept;
            out.extend(taken);
        }
        self.len -= out.len();
        out
    }
}
