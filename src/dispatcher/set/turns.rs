//! How destinations take turns where there are more of them than Dispatchers: the idle ones end first, then those that
//! have had a Dispatcher for longest give way.

use std::time::{Duration, Instant};

use actix::{AsyncContext as _, Context};

use super::{Child, Dispatchers};
use crate::dispatcher::{ParkedFor, Stop, parked};
use crate::flow::in_flight::InFlight;
use crate::flow::messages::DeliveriesRouted;
use crate::model::destination::Destination;
use crate::model::outcome::Dropped;

/// How often what waits is looked at, while something does.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(10);
/// How long a destination keeps its Dispatcher while others wait for one and it always has something to send.
const TURN: Duration = Duration::from_millis(500);
/// Of all Dispatchers, the part of those that are idle that ends at a time.
const IDLE_ENDED_PART: usize = 64;

impl Dispatchers {
    /// Whether there may be one more Dispatcher. If not, those that have been idle for longest end, so that `wanted`
    /// destinations or more have room.
    pub(super) fn has_room(&mut self, wanted: usize) -> bool {
        if self.children.len() < self.destinations_max {
            return true;
        }
        let now = Instant::now();
        let idle = self.children.iter().filter_map(|(name, child)| Some((child.idle_for(now)?, name.clone())));
        let mut idle: Vec<(Duration, Destination)> = idle.collect();
        // Some more than are wanted, as looking for them takes time.
        let ended = wanted.max(self.destinations_max / IDLE_ENDED_PART).min(idle.len());
        idle.sort_unstable_by_key(|(idle, _)| std::cmp::Reverse(*idle));
        for (_, destination) in &idle[..ended] {
            self.end(destination);
        }
        ended > 0
    }

    pub(super) fn end(&mut self, destination: &Destination) {
        if let Some(child) = self.remove(destination) {
            child.address.do_send(Stop);
        }
    }

    /// Has deliveries wait for a Dispatcher of their destination. Those that lie in a stream are parked meanwhile.
    pub(super) fn wait(&mut self, destination: &Destination, message: DeliveriesRouted, context: &mut Context<Self>) {
        let now = Instant::now();
        message.0.into_iter().for_each(|queued| self.hold(now, destination, queued));
        self.look_later(context);
    }

    fn hold(&mut self, now: Instant, destination: &Destination, queued: InFlight) {
        if let Some(claim) = &queued.claim {
            self.overflow.park(now, destination, claim.claims());
            return parked::turn_away(&self.settings.metrics, Dropped::DestinationsFull, queued);
        }
        let bytes = queued.delivery.body.len();
        match self.overflow.push(now, queued) {
            Ok(()) => self.settings.metrics.deliveries.queued(bytes),
            Err(refused) => parked::turn_away(&self.settings.metrics, refused.0, refused.1),
        }
    }

    pub(super) fn look_later(&mut self, context: &mut Context<Self>) {
        // What waits for a destination that gives way waits for the next turn.
        let is_needed = || !self.overflow.is_empty() || self.children.values().any(|child| child.leaves);
        if !self.looks && is_needed() {
            self.looks = true;
            context.run_later(LOOKED_AT_EVERY, |own, context| {
                own.looks = false;
                own.serve_overflow(context);
                own.look_later(context);
            });
        }
    }

    /// Gives Dispatchers to destinations that wait, as others are idle or have given way.
    fn serve_overflow(&mut self, context: &mut Context<Self>) {
        let now = Instant::now();
        self.overflow.release_permits(now, self.settings.config.stalled_after);
        self.take_over(now);
        while !self.overflow.is_empty() && self.has_room(self.overflow.len()) {
            let Some((destination, waiting)) = self.overflow.pop() else { break };
            self.insert(&destination, context);
            for queued in &waiting.deliveries {
                self.settings.metrics.deliveries.dequeued(queued.delivery.body.len());
            }
            let Some(child) = self.children.get_mut(&destination) else { continue };
            if let Some(claims) = waiting.parked
                && child.address.try_send(ParkedFor(claims)).is_ok()
            {
                child.sent += 1;
            }
            if !waiting.deliveries.is_empty() {
                self.route(&destination, waiting.deliveries, context);
            }
        }
        self.ask_to_leave(now);
    }

    /// Ends the Dispatchers that have given way. What waits for their destinations waits for the next turn.
    fn take_over(&mut self, now: Instant) {
        let left = self.children.iter().filter(|(_, child)| child.has_left());
        let left: Vec<Destination> = left.map(|(destination, _)| destination.clone()).collect();
        for destination in left {
            let Some(child) = self.remove(&destination) else { continue };
            let waiting = child.queue.take_all();
            child.address.do_send(Stop);
            waiting.into_iter().for_each(|queued| self.hold(now, &destination, queued));
        }
    }

    /// Has as many destinations give way as still wait: those that have had a Dispatcher for longest.
    fn ask_to_leave(&mut self, now: Instant) {
        let leaving = self.children.values().filter(|child| child.leaves).count();
        let wanted = self.overflow.len().saturating_sub(leaving);
        if wanted == 0 {
            return;
        }
        let had_turn = |child: &&mut Child| !child.leaves && now.saturating_duration_since(child.since) >= TURN;
        let mut longest: Vec<&mut Child> = self.children.values_mut().filter(had_turn).collect();
        longest.sort_unstable_by_key(|child| child.since);
        for child in longest.into_iter().take(wanted) {
            child.leaves = true;
            child.queue.leave();
        }
    }
}
