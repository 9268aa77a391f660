//! Chooses the connections of a thread that end so that new ones can begin. Looking at all connections takes time in
//! proportion to their number. So one look finds many that may end, and the next one comes no sooner than after ten
//! times the time that a look takes.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::client_connection::{ClientConnection, HeldConnections};
use super::policy::{self, ConnectionPhase};

/// A look finds at most this part of the open connections, or [`FOUND_MIN`] if that is more.
const FOUND_PART: usize = 8;
const FOUND_MIN: usize = 16;
/// How long the result of a look is used.
const FOUND_FOR: Duration = Duration::from_millis(50);
/// For each open connection, the time from a look to the next one. A look takes about a tenth of it.
const LOOK_PAUSE: Duration = Duration::from_micros(1);
/// With no more connections than this, there is a look whenever one is needed: new connections begin a few at a time.
const FEW: usize = 256;

/// The connections that the last look found, the first to end first.
#[derive(Default)]
pub(super) struct Yielding {
    found: VecDeque<u64>,
    looked_at: Option<Instant>,
}

impl Yielding {
    /// The connection that ends for a new one of this peer.
    pub(super) fn find(
        &mut self,
        peer: IpAddr,
        open: &HashMap<u64, Rc<ClientConnection>>,
        held: &HeldConnections,
        now: Instant,
    ) -> Option<Rc<ClientConnection>> {
        if self.is_older_than(FOUND_FOR, now) {
            self.found.clear();
        }
        if let Some(one) = self.next(peer, open, held) {
            return Some(one);
        }
        let pause = LOOK_PAUSE.saturating_mul(u32::try_from(open.len()).unwrap_or(u32::MAX));
        if open.len() > FEW && !self.is_older_than(pause, now) {
            return None;
        }
        self.look(open, held, now);
        self.next(peer, open, held).or_else(|| longest_new(peer, open))
    }

    fn is_older_than(&self, time: Duration, now: Instant) -> bool {
        self.looked_at.is_none_or(|at| now.saturating_duration_since(at) >= time)
    }

    /// Takes the first that still waits, unless its peer holds fewer than this one does.
    fn next(
        &mut self,
        peer: IpAddr,
        open: &HashMap<u64, Rc<ClientConnection>>,
        held: &HeldConnections,
    ) -> Option<Rc<ClientConnection>> {
        let looked_at = self.looked_at?;
        while let Some(key) = self.found.front() {
            let waits = |one: &&Rc<ClientConnection>| {
                one.stays() && one.phase().waits_since().is_some_and(|since| since <= looked_at)
            };
            match open.get(key).filter(waits) {
                Some(one) if held.of(one.peer()) < held.of(peer) => return None,
                Some(one) => {
                    self.found.pop_front();
                    return Some(Rc::clone(one));
                }
                None => self.found.pop_front(),
            };
        }
        None
    }

    /// Looks at all connections.
    fn look(&mut self, open: &HashMap<u64, Rc<ClientConnection>>, held: &HeldConnections, now: Instant) {
        let staying = open.iter().filter(|(_, one)| one.stays());
        let phases = staying.map(|(key, one)| (one.peer(), *key, one.phase()));
        let number = (open.len() / FOUND_PART).max(FOUND_MIN);
        self.found = policy::give_way(phases, |peer| held.of(peer), number, now).into();
        self.looked_at = Some(now);
    }
}

/// The new connection of the peer that has had the longest time to send its request.
fn longest_new(peer: IpAddr, open: &HashMap<u64, Rc<ClientConnection>>) -> Option<Rc<ClientConnection>> {
    let own = open.values().filter(|one| one.stays() && one.peer() == peer);
    let new = own.map(|one| match one.phase() {
        ConnectionPhase::New(since) => (one, Some(since)),
        _ => (one, None),
    });
    policy::longest(new).map(Rc::clone)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::sync::watch;

    use super::super::client_connection::ServerContext;
    use super::super::policy::EndMode;
    use super::*;
    use crate::telemetry::metrics::ConnectionEnd;

    /// Open connections of one client.
    fn connected(number: u64, peer: IpAddr) -> (HashMap<u64, Rc<ClientConnection>>, Rc<HeldConnections>) {
        let shared = ServerContext::for_test(1_000, watch::channel(false).1);
        let held = Rc::new(HeldConnections::default());
        let open = (0..number).map(|key| {
            held.add(peer);
            (key, Rc::new(ClientConnection::new(key, peer, &shared, &held)))
        });
        (open.collect(), held)
    }

    #[test]
    fn looks_take_a_bounded_part_of_the_time() {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (open, held) = connected(1_000, peer);
        open.values().for_each(|one| one.request_begins());
        let (mut yielding, begun) = (Yielding::default(), Instant::now() + Duration::from_secs(1));
        let mut find = |after_us| yielding.find(peer, &open, &held, begun + Duration::from_micros(after_us));
        // All are busy.
        assert!(find(0).is_none());
        open.values().take(20).for_each(|one| one.request_ends(Instant::now()));
        assert!(find(999).is_none(), "there was a second look");
        let found = find(1_000).expect("the next look finds those that wait");
        found.end(EndMode::Close, ConnectionEnd::GaveWay);
        // The same look found the others.
        let found: Vec<_> = (0..30).map_while(|_| find(1_001)).collect();
        assert_eq!(found.len(), 19);
        assert!(found.iter().all(|one| one.stays() && one.phase().waits_since().is_some()));
    }

    #[test]
    fn one_that_has_a_request_again_is_passed_over() {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (open, held) = connected(100, peer);
        let (mut yielding, begun) = (Yielding::default(), Instant::now() + Duration::from_secs(1));
        let first = yielding.find(peer, &open, &held, begun).expect("all wait");
        first.end(EndMode::Close, ConnectionEnd::GaveWay);
        open.values().filter(|one| one.key() != 77).for_each(|one| one.request_begins());
        let next = yielding.find(peer, &open, &held, begun + FOUND_FOR).expect("one waits");
        assert_eq!((next.key(), first.key() == 77), (77, false));
    }
}
