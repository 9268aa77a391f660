//! How many entries each partition has, and how many of them belong to each account, as Redis last reported. Their sum is
//! what `cluster.backlog_max` bounds, and an account's entries count for its share of it, on every node that accepts
//! events of it.
//!
//! Polls and publishers report on the same partitions, each over its own connection, so a response may arrive after one
//! that Redis made later. A number must never be replaced by an older one: a publisher's deliveries are charged to their
//! account until its response is here, and from then on only the reported number counts them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::flow::account::AccountShares;
use crate::flow::gate::Gate;
use crate::model::id::AccountId;
use crate::redis::{FromRedisValue as _, Value};

/// Accounts whose entries are looked at in one poll: those that have most, and as many others in turn, so that what each has
/// is corrected after its deliveries were sent.
const LARGEST_ASKED: usize = 32;
const OTHERS_ASKED: usize = 32;

/// The numbers, and what follows from them.
#[derive(Debug)]
pub(super) struct EntryCounts {
    gate: Arc<Gate>,
    backlog_max: usize,
    known: Mutex<KnownCounts>,
    /// Entries of all partitions.
    entries: AtomicUsize,
    /// Accounts with entries.
    accounts: AtomicUsize,
}

#[derive(Debug)]
struct KnownCounts {
    /// How many reports have arrived.
    received: u64,
    lengths: Vec<Reported>,
    /// The accounts whose events this node has accepted and that have entries.
    accounts: HashMap<AccountId, EntriesOf>,
    /// The last of the others that were asked for.
    asked: String,
}

#[derive(Debug)]
struct EntriesOf {
    account: Arc<AccountShares>,
    /// How many it has in each partition.
    entries: Vec<Reported>,
}

/// A number that Redis reported.
#[derive(Debug, Default, Clone, Copy)]
struct Reported {
    number: usize,
    made_at_us: u64,
    received: u64,
}

/// A report on one partition.
#[derive(Debug, Default)]
pub(super) struct PartitionReport {
    pub(super) length: usize,
    /// Some accounts, each followed by the number of its entries.
    pub(super) held: Vec<Value>,
    /// The clock of the partition's server, in microseconds.
    pub(super) made_at_us: u64,
}

/// How many reports had arrived when a command was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentAfter(u64);

impl EntryCounts {
    /// Counts for this many partitions, all of them empty.
    pub(super) fn new(partitions: usize, backlog_max: usize, gate: Arc<Gate>) -> Self {
        gate.set_room(backlog_max);
        let lengths = vec![Reported::default(); partitions];
        let known = Mutex::new(KnownCounts { received: 0, lengths, accounts: HashMap::new(), asked: String::new() });
        Self { gate, backlog_max, known, entries: AtomicUsize::new(0), accounts: AtomicUsize::new(0) }
    }

    /// Call it before a command is sent whose response is a report.
    pub(super) fn sent(&self) -> SentAfter {
        SentAfter(self.known().received)
    }

    /// Takes over what is newer in the reports of one command on these partitions, and sets the room that is left: past the
    /// bound no event is accepted.
    pub(super) fn set(&self, sent: SentAfter, reports: impl IntoIterator<Item = (usize, PartitionReport)>) {
        let mut known = self.known();
        known.received += 1;
        for (partition, report) in reports {
            known.set(&self.gate, sent, partition, report);
        }
        let entries = known.lengths.iter().map(|length| length.number).sum();
        self.entries.store(entries, Ordering::Relaxed);
        self.accounts.store(known.accounts.len(), Ordering::Relaxed);
        // Before the lock is released: the room of an older report must not replace this one either.
        self.gate.set_room(self.backlog_max.saturating_sub(entries));
    }

    /// Entries of all partitions.
    pub(super) fn entries(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// How many entries an account has in a partition.
    pub(super) fn entries_of(&self, account: &AccountId, partition: usize) -> usize {
        self.known().accounts.get(account).map_or(0, |known| known.entries[partition].number)
    }

    /// How many accounts have entries.
    pub(super) fn accounts(&self) -> usize {
        self.accounts.load(Ordering::Relaxed)
    }

    /// The accounts that a poll asks for.
    pub(super) fn asked(&self) -> Vec<String> {
        let mut known = self.known();
        let KnownCounts { accounts, asked, .. } = &mut *known;
        let mut names: Vec<(usize, &str)> = accounts.iter().map(|(name, known)| (known.all(), name.as_str())).collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        let mut others: Vec<&str> =
            names.split_off(names.len().min(LARGEST_ASKED)).into_iter().map(|(_, name)| name).collect();
        others.sort_unstable();
        let next = others.partition_point(|name| *name <= asked.as_str());
        let next = if next < others.len() { next } else { 0 };
        others.rotate_left(next);
        others.truncate(OTHERS_ASKED);
        let names = names.into_iter().map(|(_, name)| name).chain(others.iter().copied()).map(str::to_owned).collect();
        *asked = others.last().copied().unwrap_or_default().to_owned();
        names
    }

    fn known(&self) -> MutexGuard<'_, KnownCounts> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownCounts {
    fn set(&mut self, gate: &Gate, sent: SentAfter, partition: usize, report: PartitionReport) {
        let PartitionReport { length, held, made_at_us } = report;
        let reported = |number| Reported { number, made_at_us, received: self.received };
        self.lengths[partition].replace(sent, reported(length));
        let mut held = held.into_iter();
        while let (Some(name), Some(entries)) = (held.next(), held.next()) {
            let name = String::from_redis_value(name).ok().and_then(|name| AccountId::new(&name).ok());
            let (Some(name), Ok(entries)) = (name, usize::from_redis_value(entries)) else { continue };
            let partitions = self.lengths.len();
            let new = || EntriesOf { account: gate.account(&name), entries: vec![Reported::default(); partitions] };
            let known = self.accounts.entry(name.clone()).or_insert_with(new);
            known.entries[partition].replace(sent, reported(entries));
            let all = known.all();
            known.account.set_in_streams(all);
            if all == 0 {
                self.accounts.remove(&name);
            }
        }
    }
}

impl EntriesOf {
    fn all(&self) -> usize {
        self.entries.iter().map(|entries| entries.number).sum()
    }
}

impl Reported {
    /// The one that Redis made later stays. If the command was sent after the known one had arrived, `other` is newer
    /// whatever the clock says: after a failover it is that of another server.
    fn replace(&mut self, SentAfter(received): SentAfter, other: Self) {
        if received >= self.received || other.made_at_us >= self.made_at_us {
            *self = other;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::account::NodeBounds;

    const ROOM: usize = 1_000;

    fn counts() -> (EntryCounts, Arc<Gate>) {
        let bounds = NodeBounds { events: ROOM, deliveries: ROOM, bytes: 1 << 30, events_per_s: None };
        let gate = Gate::new(bounds, 1);
        (EntryCounts::new(2, ROOM, Arc::clone(&gate)), gate)
    }

    /// A report on the first partition, in which `acme` has all entries.
    fn report(entries: usize, made_at_us: u64) -> [(usize, PartitionReport); 1] {
        let held = vec![Value::BulkString(b"acme".to_vec()), Value::Int(i64::try_from(entries).expect("few"))];
        [(0, PartitionReport { length: entries, held, made_at_us })]
    }

    fn acme(gate: &Gate) -> Arc<AccountShares> {
        gate.account(&AccountId::new("acme").expect("a name"))
    }

    #[test]
    fn a_report_that_was_overtaken_changes_nothing() {
        let (counts, gate) = counts();
        let (poll, first, second) = (counts.sent(), counts.sent(), counts.sent());
        counts.set(second, report(80, 30));
        for (overtaken, entries, made_at_us) in [(first, 79, 20), (poll, 78, 10)] {
            counts.set(overtaken, report(entries, made_at_us));
            assert_eq!((counts.entries(), acme(&gate).in_streams(), counts.accounts()), (80, 80, 1));
            // Another account may have 818 of the 920 that are left, and one more of 921.
            let mut other = gate.account(&AccountId::default_account()).measure();
            assert!(!other.add(819), "the room is that of the newest report");
        }
        counts.set(counts.sent(), report(0, 40));
        assert_eq!((counts.entries(), acme(&gate).in_streams(), counts.accounts()), (0, 0, 0));
    }

    /// Others may have more for as long as they like.
    #[test]
    fn each_account_is_asked_for_in_turn() {
        let (counts, _gate) = counts();
        let held = |number: usize| {
            let name = Value::BulkString(format!("a{number:03}").into_bytes());
            [name, Value::Int(i64::try_from(number / 10 + 1).expect("few"))]
        };
        let held = (0..200).flat_map(held).collect();
        counts.set(counts.sent(), [(0, PartitionReport { length: 200, held, made_at_us: 1 })]);
        let mut others = Vec::new();
        for _ in 0..6 {
            let mut asked = counts.asked();
            assert!(asked[..LARGEST_ASKED].iter().all(|name| name.as_str() >= "a160"), "{asked:?}");
            others.extend(asked.split_off(LARGEST_ASKED));
        }
        let distinct: std::collections::BTreeSet<_> = others.iter().collect();
        assert_eq!((others.len(), distinct.len()), (6 * OTHERS_ASKED, 200 - LARGEST_ASKED));
    }

    #[test]
    fn another_servers_clock_may_be_behind() {
        let (counts, gate) = counts();
        counts.set(counts.sent(), report(5, 1_000));
        counts.set(counts.sent(), report(7, 10));
        assert_eq!((counts.entries(), acme(&gate).in_streams()), (7, 7));
    }

    /// A command between sending it and receiving its response.
    struct Running {
        sent: SentAfter,
        adds: usize,
        response: Option<[(usize, PartitionReport); 1]>,
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Commands are executed and answered in any order. Every entry is counted by a report or still charged by its
        /// publisher, and once all responses are here, the newest counts.
        #[test]
        fn no_entry_is_ever_uncounted(steps in prop::collection::vec((0..4_u8, any::<prop::sample::Index>()), 1..80)) {
            let (counts, gate) = counts();
            let (mut clock, mut entries, mut running) = (0_u64, 0_usize, Vec::<Running>::new());
            let mut execute = |command: &mut Running, entries: &mut usize| {
                clock += 1;
                *entries += command.adds;
                command.response.get_or_insert_with(|| report(*entries, clock));
            };
            for (step, pick) in steps {
                match step {
                    // A poll adds nothing.
                    0 => running.push(Running { sent: counts.sent(), adds: pick.index(4), response: None }),
                    1 => entries -= pick.index(entries + 1),
                    2 => {
                        let mut waiting: Vec<_> = running.iter_mut().filter(|one| one.response.is_none()).collect();
                        if !waiting.is_empty() {
                            let picked = pick.index(waiting.len());
                            execute(waiting[picked], &mut entries);
                        }
                    }
                    _ if running.is_empty() => {}
                    _ => {
                        let mut received = running.swap_remove(pick.index(running.len()));
                        if received.response.is_none() {
                            execute(&mut received, &mut entries);
                        }
                        counts.set(received.sent, received.response.expect("executed"));
                    }
                }
                let charged: usize = running.iter().map(|one| one.adds).sum();
                prop_assert!(entries <= counts.entries() + charged);
                prop_assert!(entries <= acme(&gate).in_streams() + charged);
            }
            for mut last in running {
                if last.response.is_none() {
                    execute(&mut last, &mut entries);
                }
                counts.set(last.sent, last.response.expect("executed"));
            }
            let poll = counts.sent();
            counts.set(poll, report(entries, clock + 1));
            prop_assert_eq!((counts.entries(), acme(&gate).in_streams()), (entries, entries));
        }
    }
}
