//! Chooses the stream of its partition to which an entry is added. If its account has many entries there already, it is
//! the bulk stream, so that the entry does not delay the few of another account.

use std::collections::BTreeMap;

use super::counts::EntryCounts;
use crate::flow::in_flight::StreamKind;
use crate::model::id::AccountId;

/// An account with this many entries in a partition adds further ones to the bulk stream. One read returns as many. So
/// before an entry of the first stream there are at most this many of each other account, and those that ingest threads
/// were adding at the same moment.
const MANY: usize = 64;

/// The choices of one round of a Publisher.
pub(super) struct StreamChoice<'a> {
    counts: &'a EntryCounts,
    /// What the round adds, for each partition and account.
    added: BTreeMap<(usize, AccountId), usize>,
}

impl<'a> StreamChoice<'a> {
    pub(super) fn new(counts: &'a EntryCounts) -> Self {
        Self { counts, added: BTreeMap::new() }
    }

    /// The stream for one more entry of an account.
    pub(super) fn one_more(&mut self, partition: usize, account: &AccountId) -> StreamKind {
        let entries = self
            .added
            .entry((partition, account.clone()))
            .or_insert_with(|| self.counts.entries_of(account, partition));
        *entries += 1;
        if *entries <= MANY { StreamKind::First } else { StreamKind::Bulk }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::account::NodeBounds;
    use crate::flow::gate::Gate;

    #[test]
    fn beyond_a_few_an_account_adds_to_the_bulk_stream_of_that_partition() {
        let bounds = NodeBounds { events: 1_000, deliveries: 1_000, bytes: 1 << 30, events_per_s: None };
        let counts = EntryCounts::new(2, 1_000, Gate::new(bounds, 1));
        let mut choice = StreamChoice::new(&counts);
        let [flood, other] = ["flood", "other"].map(|name| AccountId::new(name).expect("a name"));
        for number in 0..200 {
            let expected = if number < MANY { StreamKind::First } else { StreamKind::Bulk };
            assert_eq!(choice.one_more(0, &flood), expected, "{number}");
        }
        assert_eq!((choice.one_more(0, &other), choice.one_more(1, &flood)), (StreamKind::First, StreamKind::First));
    }
}
