//! Decides which connections end so that others can be served: by time, and when a bound is reached. Pure: it works on
//! the states of connections, and time is an argument. It ends nothing itself.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::flow::account::ACCOUNT_WEIGHT;
use crate::flow::fairness::within;

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For a request's head, from its first byte; on a new connection, from its acceptance.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) keep_alive: Duration,
    /// For reading a response, from the first time that it was not read.
    pub(super) response: Duration,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionPhase {
    /// Nothing was received since the connection was accepted, at this time.
    New(Instant),
    /// A part of a head was received; its first byte at this time.
    Head(Instant),
    /// Between two requests, since this time.
    Idle(Instant),
    /// A request is being served.
    Serving,
    /// The client has not been reading its response, since this time.
    Owing(Instant),
    /// Its last response is written, and the client has not closed the connection, since this time.
    Lingering(Instant),
}

impl ConnectionPhase {
    /// Since when a connection without a request waits.
    pub(super) fn waits_since(self) -> Option<Instant> {
        match self {
            Self::New(since) | Self::Head(since) | Self::Idle(since) | Self::Lingering(since) => Some(since),
            Self::Serving | Self::Owing(_) => None,
        }
    }
}

/// How long a client may take to close a connection after its last response: it must be able to read that response
/// before its own bytes are refused.
const LINGER: Duration = Duration::from_secs(2);

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndMode {
    /// After a response that says that the head took too long.
    HeadTimeout,
    /// Without a response: it is between two requests.
    Close,
    /// At once, in the middle of a response.
    Abort,
}

/// Whether a connection has exceeded its time.
pub(super) fn overdue(phase: ConnectionPhase, now: Instant, timeouts: &Timeouts) -> Option<EndMode> {
    let over = |since: Instant, limit: Duration| now.saturating_duration_since(since) >= limit;
    match phase {
        ConnectionPhase::New(since) | ConnectionPhase::Head(since) if over(since, timeouts.head) => {
            Some(EndMode::HeadTimeout)
        }
        ConnectionPhase::Idle(since) if over(since, timeouts.keep_alive) => Some(EndMode::Close),
        ConnectionPhase::Owing(since) if over(since, timeouts.response) => Some(EndMode::Abort),
        ConnectionPhase::Lingering(since) if over(since, LINGER) => Some(EndMode::Close),
        _ => None,
    }
}

/// How long a new connection may take before it counts as waiting: its request may be on its way.
const ARRIVING: Duration = Duration::from_millis(50);

/// Whether a peer that holds this many connections has its share while this many are free. The last one is for a peer
/// that has none.
pub(super) fn has_its_share(held: usize, free: usize) -> bool {
    (free == 1 && held > 0) || !within(free, 0, held, ACCOUNT_WEIGHT)
}

/// Chooses up to `number` connections to end for new ones, in this order: those without a request, from the peer with the
/// most connections first, and of that peer the one that has waited longest. So peers whose connections wait have equal
/// shares when all want more. `held` returns how many a peer holds.
pub(super) fn give_way<P, K>(
    all: impl IntoIterator<Item = (P, K, ConnectionPhase)>,
    held: impl Fn(P) -> usize,
    number: usize,
    now: Instant,
) -> Vec<K>
where
    P: Copy + Eq + Hash + Ord,
    K: Copy + Ord,
{
    let mut waiting_of: HashMap<P, Vec<Reverse<(Instant, K)>>> = HashMap::new();
    for (peer, key, phase) in all {
        let arrives = matches!(phase, ConnectionPhase::New(since) if now.saturating_duration_since(since) < ARRIVING);
        if let Some(since) = phase.waits_since().filter(|_| !arrives) {
            waiting_of.entry(peer).or_default().push(Reverse((since, key)));
        }
    }
    let mut heap: BinaryHeap<_> = waiting_of.keys().map(|peer| (held(*peer), *peer)).collect();
    waiting_of.values_mut().for_each(|waiting| waiting.sort_unstable());
    let mut chosen = Vec::with_capacity(number);
    while chosen.len() < number
        && let Some((held, peer)) = heap.pop()
    {
        // A peer without a waiting connection is skipped.
        if let Some(Reverse((_, key))) = waiting_of.get_mut(&peer).and_then(Vec::pop) {
            chosen.push(key);
            heap.push((held - 1, peer));
        }
    }
    chosen
}

/// Chooses the connection whose client has held a bounded resource longest without progress.
pub(super) fn longest<K>(all: impl IntoIterator<Item = (K, Option<Instant>)>) -> Option<K> {
    let since = all.into_iter().filter_map(|(key, since)| Some((since?, key)));
    since.min_by_key(|(since, _)| *since).map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        head: Duration::from_secs(10),
        keep_alive: Duration::from_secs(75),
        response: Duration::from_secs(30),
    };

    #[test]
    fn each_phase_has_its_time() {
        let begun = Instant::now();
        for (phase, limit, end) in [
            (ConnectionPhase::New(begun), 10, EndMode::HeadTimeout),
            (ConnectionPhase::Head(begun), 10, EndMode::HeadTimeout),
            (ConnectionPhase::Idle(begun), 75, EndMode::Close),
            (ConnectionPhase::Owing(begun), 30, EndMode::Abort),
            (ConnectionPhase::Lingering(begun), 2, EndMode::Close),
        ] {
            let after = |seconds| overdue(phase, begun + Duration::from_secs(seconds), &TIMEOUTS);
            assert_eq!((after(limit - 1), after(limit)), (None, Some(end)), "{phase:?}");
        }
        assert_eq!(overdue(ConnectionPhase::Serving, begun + Duration::from_secs(100_000), &TIMEOUTS), None);
    }

    fn phase(number: u8, at: Instant) -> ConnectionPhase {
        match number % 6 {
            0 => ConnectionPhase::New(at),
            1 => ConnectionPhase::Head(at),
            2 => ConnectionPhase::Idle(at),
            3 => ConnectionPhase::Serving,
            4 => ConnectionPhase::Lingering(at),
            _ => ConnectionPhase::Owing(at),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_largest_holder_gives_way_and_the_longest_wait_first(
            connections in prop::collection::vec((0_u8..4, any::<u8>(), 0_u64..100), 0..60), number in 0_usize..70,
        ) {
            let begun = Instant::now();
            let all: Vec<_> = connections.iter().enumerate().map(|(key, (peer, number, ago))| {
                (*peer, key, phase(*number, begun + Duration::from_secs(*ago)))
            }).collect();
            let now = begun + Duration::from_secs(99);
            let held = |peer: u8| all.iter().filter(|one| one.0 == peer).count();
            let chosen = give_way(all.clone(), held, number, now);
            let waits = |key: usize| match all[key].2 {
                ConnectionPhase::Serving | ConnectionPhase::Owing(_) => false,
                ConnectionPhase::New(since) => since < now,
                _ => true,
            };
            prop_assert!(chosen.iter().all(|key| waits(*key)));
            prop_assert_eq!(chosen.len(), number.min((0..all.len()).filter(|key| waits(*key)).count()));
            // Invariant after each step: no peer with a waiting connection holds more than the one that loses one.
            let mut left: Vec<bool> = vec![true; all.len()];
            for key in chosen {
                let held = |peer: u8| (0..all.len()).filter(|other| left[*other] && all[*other].0 == peer).count();
                let may_lose = |peer: u8| (0..all.len()).any(|other| left[other] && all[other].0 == peer && waits(other));
                prop_assert!((0..4).all(|peer| !may_lose(peer) || held(peer) <= held(all[key].0)));
                left[key] = false;
            }
        }

        /// However peers connect and disconnect: there are never more connections than the budget, one peer never has
        /// all, and a peer that has none is refused only when none is free.
        #[test]
        fn a_peer_without_a_connection_finds_the_last_one(
            budget in 2_usize..100, steps in prop::collection::vec((0_usize..4, prop::bool::weighted(0.8)), 0..400),
        ) {
            let mut held = [0_usize; 4];
            for (peer, connects) in steps {
                let free = budget - held.iter().sum::<usize>();
                if !connects {
                    held[peer] = held[peer].saturating_sub(1);
                } else if !has_its_share(held[peer], free) {
                    held[peer] += 1;
                } else {
                    prop_assert!(held[peer] > 0 || free == 0);
                }
                prop_assert!(held.iter().sum::<usize>() <= budget);
                prop_assert!(held.iter().all(|own| *own < budget));
            }
        }
    }

    #[test]
    fn a_lone_peer_has_eight_ninths() {
        for (budget, most) in [(1, 1), (2, 1), (4, 3), (9, 8), (10, 9), (90, 80), (5_000, 4_445)] {
            let reached = (0..=budget).find(|held| has_its_share(*held, budget - held));
            assert_eq!(reached, Some(most), "{budget}");
        }
    }
}
