//! The queued deliveries and the attempts of one destination, by account. Accounts are served in turn. Each has a share
//! of the queue, of the connections and of the node's bytes; the share grows to nearly all if no other account uses
//! them. Plain code: time is an argument, and it sends nothing.

use std::cell::Cell;
use std::time::{Duration, Instant};

use foldhash::HashMap;
use slab::Slab;

use super::bounds::DestinationBounds;
use super::parked::{FETCHED_MAX, FetchRoom, ParkedAccount};
use super::rated_triggers::RatedTriggers;
use crate::flow::account::{ACCOUNT_WEIGHT, DELIVERY_BYTES};
use crate::flow::fairness::{DeficitQueue, within};
use crate::flow::in_flight::InFlight;
use crate::model::id::AccountId;
use crate::model::outcome::DropReason;

/// How many tests of triggers may be queued for one destination.
const TESTS_MAX: usize = 16;

/// The deliveries of one destination.
#[derive(Debug)]
pub(super) struct WaitingDeliveries {
    connections: usize,
    queue: DeficitQueue<LocalTurn, QueuedDelivery>,
    /// Deliveries that exceed their trigger's rate; they have no turn yet.
    rated: RatedTriggers,
    bytes: usize,
    /// Of accounts that have any. The name of each is looked up once for each delivery.
    held: Slab<AccountHoldings>,
    /// Where theirs is.
    places: HashMap<AccountId, usize>,
    /// The place that was looked up last.
    last: Cell<usize>,
    attempts: usize,
}

/// Who takes a turn here: the place of its account, and whether these are tests.
type LocalTurn = (usize, bool);

#[derive(Debug)]
struct QueuedDelivery {
    since: Instant,
    /// The place of its account.
    place: usize,
    queued: InFlight,
}

/// What one account holds at the destination.
#[derive(Debug)]
struct AccountHoldings {
    account: AccountId,
    waiting: usize,
    attempts: usize,
    bytes: usize,
}

impl AccountHoldings {
    fn is_empty(&self) -> bool {
        self.waiting == 0 && self.attempts == 0
    }
}

/// An attempt in flight. It must be passed to [`WaitingDeliveries::end`].
#[derive(Debug)]
pub(super) struct AttemptInFlight {
    /// That of its account.
    place: usize,
    bytes: usize,
}

impl WaitingDeliveries {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            connections,
            queue: DeficitQueue::new(1),
            rated: RatedTriggers::default(),
            bytes: 0,
            held: Slab::new(),
            places: HashMap::default(),
            last: Cell::new(0),
            attempts: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len() + self.rated.len()
    }

    /// How many wait for a connection, and not for their trigger's rate.
    pub(super) fn ready_len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the queued bodies.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the oldest queued delivery was queued.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.queue.firsts().map(|first| first.since).min()
    }

    /// Whether any queued delivery is also in a stream.
    pub(super) fn is_in_stream(&self) -> bool {
        self.queue.firsts().any(|first| first.queued.claim.is_some())
    }

    /// Whether the account may have one more connection. A delivery never overtakes queued ones of its account.
    pub(super) fn may_begin(&self, queued: &InFlight) -> bool {
        let Some(place) = self.place(&queued.account.id) else { return self.has_connection(0) };
        self.queue.len_of(&(place, queued.is_test)) == 0 && self.has_connection(self.held[place].attempts)
    }

    /// Whether an account that has this many may have one more.
    fn has_connection(&self, own: usize) -> bool {
        within(self.connections, self.attempts, own, ACCOUNT_WEIGHT)
    }

    /// Whether one more may be queued; the error is the exceeded bound. `is_kept`: it is also in a stream, where it can
    /// wait.
    pub(super) fn has_room(
        &self,
        queued: &InFlight,
        bounds: &DestinationBounds,
        is_kept: bool,
    ) -> Result<(), DropReason> {
        let (own_max, places) =
            if is_kept { (bounds.kept_max, bounds.kept_places) } else { (usize::MAX, bounds.waiting_max) };
        let place = self.place(&queued.account.id);
        // A delivery in a stream is bounded there as well.
        let all = if is_kept { self.queue.len() } else { self.len() };
        if !self.has_place(place, queued.is_test, own_max, (all, places)) {
            return Err(DropReason::QueueFull);
        }
        let fits =
            self.bytes + queued.delivery.body.len() <= bounds.waiting_bytes_max && self.fits_account(place, queued);
        if !fits || (is_kept && self.bytes >= bounds.kept_bytes_max) {
            return Err(DropReason::QueueBytesFull);
        }
        Ok(())
    }

    /// How many parked deliveries of each of these accounts, and how many bytes of all, may be sent or, where `queues`,
    /// queued, if half of the room for them is free. Otherwise `None`, so that many are fetched at a time.
    pub(super) fn room_for_parked(
        &self,
        bounds: &DestinationBounds,
        accounts: Vec<ParkedAccount>,
        queues: bool,
    ) -> Option<FetchRoom> {
        // Those that only wait for their trigger's rate hold no places.
        let is_half_free = self.queue.len() <= bounds.kept_max / 2 && self.bytes <= bounds.kept_bytes_max / 2;
        if !is_half_free {
            return None;
        }
        let (mut attempts, mut waiting, most) =
            (self.attempts, self.queue.len(), if queues { bounds.kept_max } else { 0 });
        let of = |account: Option<&AccountId>| {
            account.and_then(|account| self.places.get(account)).map(|own| &self.held[*own])
        };
        // What waits for its trigger's rate may be many: what is fetched beside that would be parked again.
        let held_back = (usize::MAX, usize::MAX);
        let room_of = |own: &AccountHoldings| {
            if own.waiting > bounds.kept_max / 2 { held_back } else { (own.attempts, own.waiting) }
        };
        let own = |account: &ParkedAccount| of(account.as_ref()).map_or((0, 0), room_of);
        let mut room: Vec<_> = accounts.into_iter().map(|account| (own(&account), (account, 0))).collect();
        let mut all = 0;
        // One for each in turn, as they would come.
        loop {
            let before = all;
            for ((own_attempts, own_waiting), (_, number)) in &mut room {
                if all == FETCHED_MAX {
                    break;
                } else if within(self.connections, attempts, *own_attempts, ACCOUNT_WEIGHT) {
                    (attempts, *own_attempts) = (attempts + 1, *own_attempts + 1);
                } else if waiting < most && within(bounds.kept_places, waiting, *own_waiting, ACCOUNT_WEIGHT) {
                    (waiting, *own_waiting) = (waiting + 1, *own_waiting + 1);
                } else {
                    continue;
                }
                (all, *number) = (all + 1, *number + 1);
            }
            if all == before {
                let accounts = room.into_iter().map(|(_, room)| room).collect();
                return Some(FetchRoom { accounts, bytes: bounds.kept_bytes_max - self.bytes });
            }
        }
    }

    /// Whether the account may queue one more delivery, of at most `own_max`, if `all` of the queue's `places` are taken.
    fn has_place(&self, place: Option<usize>, is_test: bool, own_max: usize, (all, places): (usize, usize)) -> bool {
        if is_test {
            return place.is_none_or(|place| self.queue.len_of(&(place, true)) < TESTS_MAX);
        }
        let own = place.map_or(0, |place| self.held[place].waiting);
        own < own_max && within(places, all, own, ACCOUNT_WEIGHT)
    }

    /// Whether the node's bytes allow the destination one more delivery of the account. All queued and sent deliveries
    /// of an account may have half of the account's bytes, and each destination a share of what is left of that half.
    pub(super) fn has_bytes(&self, queued: &InFlight) -> bool {
        self.fits_account(self.place(&queued.account.id), queued)
    }

    fn fits_account(&self, place: Option<usize>, queued: &InFlight) -> bool {
        // While it is being sent, its body is also in its connection's buffer.
        let copy = queued.delivery.body.len();
        let left = queued.account.queued_bytes_left(copy);
        match place {
            Some(place) => self.held[place].bytes + cost(queued) + copy <= left,
            None => left > 0,
        }
    }

    pub(super) fn push(&mut self, since: Instant, queued: InFlight) {
        let place = self.count_in(&queued);
        self.queue_at(place, since, queued);
    }

    fn queue_at(&mut self, place: usize, since: Instant, queued: InFlight) {
        self.queue.push(&(place, queued.is_test), 1, QueuedDelivery { since, place, queued });
    }

    /// Holds back a delivery that exceeds its trigger's rate, or returns it.
    pub(super) fn push_over_rate(&mut self, now: Instant, queued: InFlight) -> Option<InFlight> {
        let place = self.count_in(&queued);
        let passed = self.rated.admit(queued, now);
        if let Some(queued) = &passed {
            self.count_out(place, queued);
        }
        passed
    }

    /// When the next delivery over its trigger's rate is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.rated.next_due()
    }

    /// Queues the deliveries that are due.
    pub(super) fn release_due(&mut self, now: Instant) {
        for queued in self.rated.due(now) {
            self.queue_at(self.places[&queued.account.id], now, queued);
        }
    }

    /// Whether a queued delivery may begin.
    pub(super) fn is_ready(&self) -> bool {
        self.queue.members().any(|(place, _)| self.has_connection(self.held[*place].attempts))
    }

    /// The place of an account. Deliveries of one account often come one after the other, and share its name.
    fn place(&self, account: &AccountId) -> Option<usize> {
        let last = self.last.get();
        if self.held.get(last).is_some_and(|own| std::ptr::eq(own.account.as_str(), account.as_str())) {
            return Some(last);
        }
        let place = *self.places.get(account)?;
        self.last.set(place);
        Some(place)
    }

    /// The same; the account gets one if it has none.
    fn place_of(&mut self, account: &AccountId) -> usize {
        if let Some(place) = self.place(account) {
            return place;
        }
        let new = AccountHoldings { account: account.clone(), waiting: 0, attempts: 0, bytes: 0 };
        let place = self.held.insert(new);
        self.places.insert(account.clone(), place);
        place
    }

    fn count_in(&mut self, queued: &InFlight) -> usize {
        let place = self.place_of(&queued.account.id);
        self.bytes += queued.delivery.body.len();
        let held = &mut self.held[place];
        held.waiting += 1;
        held.bytes += cost(queued);
        place
    }

    /// The delivery whose turn it is, of an account that may have one more connection, and since when it was queued. Its
    /// attempt is counted.
    pub(super) fn pop(&mut self) -> Option<(Instant, InFlight, AttemptInFlight)> {
        let Self { connections, queue, held, attempts, .. } = self;
        let may_begin = |(place, _): &LocalTurn| within(*connections, *attempts, held[*place].attempts, ACCOUNT_WEIGHT);
        let QueuedDelivery { since, place, queued } = queue.pop_where(may_begin)?;
        let attempt = self.begin_at(place, &queued);
        self.count_out(place, &queued);
        Some((since, queued, attempt))
    }

    /// Takes, in turn, all but `number` of the deliveries that are also in a stream.
    pub(super) fn keep(&mut self, number: usize) -> Vec<InFlight> {
        let mut kept = DeficitQueue::new(1);
        while kept.len() < number
            && let Some(next) = self.queue.pop()
        {
            kept.push(&(next.place, next.queued.is_test), 1, next);
        }
        let rest = std::mem::replace(&mut self.queue, kept);
        self.queue_out(rest)
    }

    fn queue_out(&mut self, mut queue: DeficitQueue<LocalTurn, QueuedDelivery>) -> Vec<InFlight> {
        self.all_out(std::iter::from_fn(|| queue.pop()).map(|out| out.queued).collect())
    }

    fn all_out(&mut self, out: Vec<InFlight>) -> Vec<InFlight> {
        out.iter().for_each(|queued| self.count_out(self.places[&queued.account.id], queued));
        out
    }

    /// Takes the deliveries that have a claim.
    pub(super) fn take_claimed(&mut self) -> Vec<InFlight> {
        self.extract(|queued| queued.claim.is_some())
    }

    /// Takes out what is kept in a journal and was accepted so long ago.
    pub(super) fn take_expired(&mut self, now: Instant, age_max: Duration) -> Vec<InFlight> {
        self.extract(|queued| queued.journaled.is_some() && now.saturating_duration_since(queued.accepted_at) > age_max)
    }

    /// Takes all deliveries.
    pub(super) fn take_all(&mut self) -> Vec<InFlight> {
        self.extract(|_| true)
    }

    fn extract(&mut self, is_taken: impl Fn(&InFlight) -> bool) -> Vec<InFlight> {
        let out = self.queue.extract(|own| is_taken(&own.queued)).into_iter().map(|own| own.queued);
        let out = out.chain(self.rated.extract(is_taken)).collect();
        self.all_out(out)
    }

    /// Releases the permits of all queued deliveries.
    pub(super) fn release_permits(&mut self) {
        self.queue.iter_mut().for_each(|own| own.queued.permit = None);
    }

    /// Counts an attempt that begins.
    pub(super) fn begin(&mut self, queued: &InFlight) -> AttemptInFlight {
        let place = self.place_of(&queued.account.id);
        self.begin_at(place, queued)
    }

    fn begin_at(&mut self, place: usize, queued: &InFlight) -> AttemptInFlight {
        // Includes the copy of the body in the connection's buffer.
        let bytes = cost(queued) + queued.delivery.body.len();
        let held = &mut self.held[place];
        held.attempts += 1;
        held.bytes += bytes;
        self.attempts += 1;
        AttemptInFlight { place, bytes }
    }

    /// Ends the counting of an attempt.
    pub(super) fn end(&mut self, attempt: &AttemptInFlight) {
        self.attempts -= 1;
        self.change(attempt.place, |held| {
            held.attempts -= 1;
            held.bytes -= attempt.bytes;
        });
    }

    fn count_out(&mut self, place: usize, queued: &InFlight) {
        self.bytes -= queued.delivery.body.len();
        self.change(place, |held| {
            held.waiting -= 1;
            held.bytes -= cost(queued);
        });
    }

    #[cfg(test)]
    pub(super) fn accounts(&self) -> usize {
        assert_eq!(self.held.len(), self.places.len());
        self.held.len()
    }

    fn change(&mut self, place: usize, change: impl FnOnce(&mut AccountHoldings)) {
        let held = &mut self.held[place];
        change(held);
        if held.is_empty() {
            let AccountHoldings { account, .. } = self.held.remove(place);
            self.places.remove(&account);
        }
    }
}

fn cost(queued: &InFlight) -> usize {
    DELIVERY_BYTES + queued.delivery.body.len()
}
