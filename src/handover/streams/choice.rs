//! Which of its partition's two streams an entry is added to. What an account adds that has many entries there already
//! goes to the bulk stream, so that it does not stand before the few of another account.

use std::collections::BTreeMap;

use super::counts::EntryCounts;
use crate::flow::in_flight::StreamKind;
use crate::model::id::AccountId;

/// With this many entries in a partition, an account adds to its bulk stream: what one read returns. So before an entry in
/// the first stream there are at most this many of each other account, and what ingest threads were adding meanwhile.
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
