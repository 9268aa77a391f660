//! How destinations take turns where there are more of them than Dispatchers. Accounts share the Dispatchers by dynamic
//! thresholds. Idle Dispatchers end first. Then those give way that have existed longest, of accounts that wait for
//! others or have more than an equal part.

use std::time::{Duration, Instant};

use actix::{AsyncContext as _, Context};

use super::cursor::part_of;
use super::{DispatcherChild, Dispatchers, has_share};
use crate::dispatcher::overflow::{Overflow, WaitingDestination};
use crate::dispatcher::{StopIdle, parked};
use crate::flow::in_flight::InFlight;
use crate::flow::turns::SLICE;
use crate::model::destination::Destination;
use crate::model::id::AccountId;
use crate::model::outcome::DropReason;

/// How often waiting destinations are checked, while there are some.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(10);
/// How long a destination keeps its Dispatcher while others wait for one and it always has something to send.
const TURN: Duration = Duration::from_millis(500);
/// One in this many Dispatchers ends at a time, and at least one: the end of each is a task of the thread, and thousands
/// would delay all others.
const ENDED_PART: usize = 64;

impl Dispatchers {
    /// Whether there may be one more Dispatcher, and a connection for it. If not, some that have been idle for longest end.
    pub(super) fn has_room(&mut self) -> bool {
        let connections = &self.settings.connections;
        if self.children.len() < self.destinations_max && connections.taken() < connections.capacity() {
            return true;
        }
        self.end_idle(|_, _| true)
    }

    /// How many end at a time.
    fn ended_at_once(&self) -> usize {
        (self.destinations_max / ENDED_PART).max(1)
    }

    /// Ends some idle ones of these accounts: of those that are looked at, the ones that have been idle for longest.
    /// Whether there were any.
    fn end_idle(&mut self, of: impl Fn(&Overflow, &AccountId) -> bool) -> bool {
        let now = Instant::now();
        let part = self.idle_cursor.next_part(&self.children);
        let of = part.filter(|(_, child)| of(&self.overflow, &child.account));
        let mut idle: Vec<(Duration, &Destination)> =
            of.filter_map(|(name, child)| Some((child.idle_for(now)?, name))).collect();
        let ended = self.ended_at_once();
        if idle.len() > ended {
            idle.select_nth_unstable_by_key(ended, |(idle, _)| std::cmp::Reverse(*idle));
            idle.truncate(ended);
        }
        let idle: Vec<Destination> = idle.into_iter().map(|(_, name)| name.clone()).collect();
        idle.iter().for_each(|destination| self.end(destination));
        !idle.is_empty()
    }

    pub(super) fn end(&mut self, destination: &Destination) {
        if let Some(child) = self.remove(destination) {
            child.address.do_send(StopIdle);
        }
    }

    /// Has deliveries wait for a Dispatcher of their destination. Those that lie in a stream are parked meanwhile.
    pub(super) fn wait(&mut self, deliveries: impl Iterator<Item = InFlight>, context: &mut Context<Self>) {
        let now = Instant::now();
        deliveries.for_each(|queued| self.hold(now, queued));
        self.check_later(context);
    }

    fn hold(&mut self, now: Instant, queued: InFlight) {
        if let Some(claim) = &queued.claim {
            self.overflow.park(now, queued.lane(), claim.claims());
            return parked::turn_away(&self.settings.metrics, DropReason::DestinationsFull, queued);
        }
        let bytes = queued.delivery.body.len();
        match self.overflow.push(now, queued) {
            Ok(()) => self.counts.queued(bytes),
            Err(refused) => parked::turn_away(&self.settings.metrics, refused.0, refused.1),
        }
    }

    pub(super) fn check_later(&mut self, context: &mut Context<Self>) {
        // A destination that gives way is taken over by a check.
        let is_needed = !self.overflow.is_empty() || !self.leaving.is_empty();
        if is_needed && !self.check_is_set {
            self.check_is_set = true;
            context.run_later(LOOKED_AT_EVERY, |own, context| {
                let now = Instant::now();
                own.overflow.release_permits(now, own.settings.config.stalled_after);
                own.take_over(now);
                own.serve_overflow(context);
            });
        }
    }

    /// Gives Dispatchers to destinations that wait, as others are idle or have given way. After a slice of time, all other
    /// ready tasks of the thread run first.
    fn serve_overflow(&mut self, context: &mut Context<Self>) {
        let now = Instant::now();
        while !self.overflow.is_empty() && self.has_room() {
            if now.elapsed() >= SLICE.length {
                return Self::in_next_round(context, Self::serve_overflow);
            }
            let Some((account, destination, waiting)) = self.next_waiting() else { break };
            match self.children.get_mut(&destination) {
                // It was about to give way.
                Some(child) => {
                    (child.leaves, child.since) = (false, now);
                    child.queue.stay();
                }
                None => self.insert(&destination, &account, context),
            }
            for queued in &waiting.deliveries {
                self.counts.dequeued(queued.delivery.body.len());
            }
            let Some(child) = self.children.get_mut(&destination) else { continue };
            for (account, claims) in waiting.parked {
                child.queue.report_parked(account, &claims);
            }
            self.route_all(waiting.deliveries, context);
        }
        self.ask_to_leave(now);
        self.check_is_set = false;
        self.check_later(context);
    }

    /// The destination whose turn it is. Where each account that waits has its share, its own idle Dispatchers end.
    fn next_waiting(&mut self) -> Option<(AccountId, Destination, WaitingDestination)> {
        for _ in 0..2 {
            let (live, number, most) = (&self.live, self.children.len(), self.destinations_max);
            let own = |account: &AccountId| live.get(account).copied().unwrap_or_default();
            let connections = &self.settings.connections;
            let next = self.overflow.pop(|account| has_share(connections, most, number, own(account)));
            if next.is_some() || !self.end_idle(Overflow::waits) {
                return next;
            }
        }
        None
    }

    /// Ends some of the Dispatchers that have given way. What waits for their destinations waits for the next turn.
    fn take_over(&mut self, now: Instant) {
        let mut may_end = self.ended_at_once();
        for _ in 0..part_of(self.leaving.len()) {
            let Some(destination) = self.leaving.pop_front() else { break };
            match self.children.get(&destination).filter(|child| child.leaves) {
                Some(child) if child.has_left() && may_end > 0 => may_end -= 1,
                Some(_) => {
                    self.leaving.push_back(destination);
                    continue;
                }
                None => continue,
            }
            let Some(child) = self.remove(&destination) else { continue };
            let waiting = child.queue.take_all();
            child.address.do_send(StopIdle);
            waiting.into_iter().for_each(|queued| self.hold(now, queued));
        }
    }

    /// Has at most as many destinations give way as still wait: of those that are looked at, the ones that have had a
    /// Dispatcher for longest, of accounts that wait for more or have more than an equal part.
    fn ask_to_leave(&mut self, now: Instant) {
        let wanted = self.overflow.len().saturating_sub(self.leaving.len());
        if wanted == 0 {
            return;
        }
        let (live, overflow, part) = (&self.live, &self.overflow, self.destinations_max / (self.live.len() + 1));
        let has_much = |account: &AccountId| live.get(account).is_some_and(|own| *own > part);
        let had_turn = |child: &DispatcherChild| {
            let has_had_it = !child.leaves && now.saturating_duration_since(child.since) >= TURN;
            has_had_it && (overflow.waits(&child.account) || has_much(&child.account))
        };
        let looked_at = self.turn_cursor.next_part(&self.children).filter(|(_, child)| had_turn(child));
        let mut longest: Vec<(Instant, &Destination)> = looked_at.map(|(name, child)| (child.since, name)).collect();
        longest.sort_unstable();
        let leaving: Vec<Destination> = longest.into_iter().take(wanted).map(|(_, name)| name.clone()).collect();
        for destination in leaving {
            if let Some(child) = self.children.get_mut(&destination) {
                child.leaves = true;
                child.queue.leave();
            }
            self.leaving.push_back(destination);
        }
    }
}
