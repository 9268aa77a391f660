//! What accounts hold of the journal: each request is charged to its accounts' shares before it is written.

use std::sync::Arc;

use crate::flow::fairness::{Pool, Share, TakenUnits};
use crate::flow::journal::PartToJournal;
use crate::flow::refusal::{ReachedBound, Refusal};
use crate::model::id::AccountId;

/// Bytes of a record in addition to its fields: an estimate for an account's share.
const RECORD_BYTES: usize = 128;
/// Bytes of a firing in a record in addition to its trigger's id.
const FIRING_BYTES: usize = 16;

/// Charges what is kept to the accounts' shares of the journal.
#[derive(Debug)]
pub(super) struct AccountCharges {
    accounts: Arc<Pool<AccountId>>,
    /// The share that was looked up last: most requests are of the account of the one before.
    last: Option<(AccountId, Share)>,
    /// What each part holds that is charged and not written yet.
    pub(super) charged: Vec<TakenUnits>,
}

/// The whole requests that these parts are of.
pub(super) fn requests<'p, 'a>(parts: &'p [PartToJournal<'a>]) -> impl Iterator<Item = &'p [PartToJournal<'a>]> {
    parts.split_inclusive(|part| part.is_last)
}

impl AccountCharges {
    /// For one thread.
    pub(super) fn of(accounts: Arc<Pool<AccountId>>) -> Self {
        Self { accounts, last: None, charged: Vec::new() }
    }

    /// Charges whole requests, of which each may be refused. Then `charged` has what each part of the others holds.
    pub(super) fn charge_each(&mut self, parts: &[PartToJournal<'_>]) -> Vec<Result<(), Refusal>> {
        self.charged.clear();
        // Where there is room for all of them, each has room too.
        match self.charge(parts, false) {
            Ok(()) => requests(parts).map(|_| Ok(())).collect(),
            Err(_) => requests(parts).map(|parts| self.charge(parts, self.accounts.taken() == 0)).collect(),
        }
    }

    /// Charges parts of a request, all or none. Returns what each holds.
    pub(super) fn charge_part(&mut self, parts: &[PartToJournal<'_>]) -> Result<Vec<TakenUnits>, Refusal> {
        self.charged.clear();
        self.charge(parts, self.accounts.taken() == 0)?;
        Ok(std::mem::take(&mut self.charged))
    }

    /// Charges all of these parts, or none. Alone, they may be larger than the shares: else they would never be accepted.
    fn charge(&mut self, parts: &[PartToJournal<'_>], are_alone: bool) -> Result<(), Refusal> {
        let shares = &mut self.charged;
        let before = shares.len();
        for own in parts.chunk_by(|a, b| a.account() == b.account()) {
            let [others @ .., part] = own else { continue };
            let (_, share) = match &mut self.last {
                Some(known) if known.0.as_str() == part.account() => known,
                other => {
                    let account = part.event.identity().account_id();
                    let share = self.accounts.share(&account);
                    other.insert((account, share))
                }
            };
            let bytes = own.iter().map(bytes_of).sum();
            let over = || are_alone.then(|| share.take_over(bytes));
            let Some(mut taken) = share.take(bytes).or_else(over) else {
                shares.truncate(before);
                return Err(Refusal::Full(ReachedBound::Journal));
            };
            shares.extend(others.iter().filter_map(|part| taken.split(bytes_of(part))));
            shares.push(taken);
        }
        Ok(())
    }
}

fn bytes_of(part: &PartToJournal<'_>) -> usize {
    let firings: usize = part.firings.iter().map(|(_, trigger)| FIRING_BYTES + trigger.len()).sum();
    let identity = part.event.identity();
    RECORD_BYTES + part.data.len() + part.attributes.len() + identity.id().len() + identity.source().len() + firings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::event_data::EventData;
    use crate::json::Document;
    use crate::model::event::{Event, EventIdentity, EventType};

    fn event(account: &str) -> EventData {
        EventData::of(Event {
            identity: EventIdentity::new(
                &AccountId::new(account).expect("a name"),
                &EventType::new("a").expect("a type"),
                "",
                "1",
            ),
            id_given: true,
            time: "".into(),
            attributes: Default::default(),
            hops: 0,
            data: Document::empty_object(),
        })
    }

    #[test]
    fn of_requests_of_one_moment_those_are_kept_that_their_accounts_have_room_for() {
        let [a, b] = ["a", "b"].map(event);
        let part =
            |event, is_last| PartToJournal { event, attributes: String::new(), data: "{}", firings: &[], is_last };
        let each = bytes_of(&part(&a, true));
        let accounts = Arc::new(Pool::new(9 * each, 1));
        let mut charges = AccountCharges::of(Arc::clone(&accounts));
        let mut charged = |parts: &[PartToJournal<'_>]| {
            let kept = charges.charge_each(parts).iter().map(Result::is_ok).collect::<Vec<_>>();
            (kept, std::mem::take(&mut charges.charged))
        };
        let (kept, shares) = charged(&[part(&a, true), part(&a, false), part(&a, true), part(&b, true)]);
        assert_eq!((kept, shares.len()), (vec![true; 3], 4));
        assert!(shares.iter().all(|share| share.units() == each));
        assert_eq!(accounts.taken(), 4 * each);
        // Of what is free, 5, an account with 3 may have one more: 4 of 4.
        let (kept, more) = charged(&[part(&a, false), part(&a, true), part(&a, true), part(&b, true), part(&a, true)]);
        assert_eq!((kept, more.len()), (vec![false, true, true, false], 2));
        assert_eq!(accounts.taken(), 6 * each);
        drop((shares, more));
        assert_eq!(accounts.taken(), 0);
    }

    #[test]
    fn what_is_larger_than_a_share_is_kept_alone() {
        let [a, b] = ["a", "b"].map(event);
        let part = |event| PartToJournal { event, attributes: String::new(), data: "{}", firings: &[], is_last: true };
        let mut charges = AccountCharges::of(Arc::new(Pool::new(1, 1)));
        for own in [&a, &b] {
            let held = charges.charge_part(&[part(own)]).expect("nothing else is kept");
            for other in [&a, &b] {
                assert_eq!(charges.charge_part(&[part(other)]).err(), Some(Refusal::Full(ReachedBound::Journal)));
            }
            drop(held);
        }
        let held = charges.charge_part(&[part(&a), part(&b)]).expect("one request of two accounts");
        drop(held);
        let kept: Vec<_> = charges.charge_each(&[part(&a), part(&a), part(&b)]).iter().map(Result::is_ok).collect();
        assert_eq!(kept, [true, false, false], "one request of several");
    }
}
