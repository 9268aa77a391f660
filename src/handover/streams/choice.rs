//! Tells the few deliveries of an account from its many: if it has many in a partition, further ones go to a stream where
//! they do not delay the few of another account.

use std::collections::BTreeMap;

use super::counts::EntryCounts;
use crate::model::id::AccountId;

/// An account with this many deliveries in a partition adds further ones to another stream than the first. One read returns
/// as many. So before an entry of the first stream there are at most this many of each other account, and those that
/// ingest threads were adding at the same moment.
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

    /// Whether one more delivery of an account is one of few.
    pub(super) fn is_one_of_few(&mut self, partition: usize, account: &AccountId) -> bool {
        let entries = self
            .added
            .entry((partition, account.clone()))
            .or_insert_with(|| self.counts.entries_of(account, partition));
        *entries += 1;
        *entries <= MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::account::NodeBounds;
    use crate::flow::gate::Gate;

    #[test]
    fn an_account_has_few_in_a_partition_up_to_a_number() {
        let bounds = NodeBounds { events: 1_000, deliveries: 1_000, bytes: 1 << 30, events_per_s: None };
        let counts = EntryCounts::new(2, 1_000, Gate::new(bounds, 1));
        let mut choice = StreamChoice::new(&counts);
        let [flood, other] = ["flood", "other"].map(|name| AccountId::new(name).expect("a name"));
        for number in 0..200 {
            assert_eq!(choice.is_one_of_few(0, &flood), number < MANY, "{number}");
        }
        assert!(choice.is_one_of_few(0, &other) && choice.is_one_of_few(1, &flood));
    }
}
