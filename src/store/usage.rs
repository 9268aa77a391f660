//! What each account stores, counted against its quotas. An embedded store holds these counts in memory; Redis counts
//! by itself.

use std::collections::HashMap;

use super::backend::Location;
use super::{Kind, StoreError};
use crate::model::id::AccountId;
use crate::model::quotas::{Quota, Quotas};

/// What one account stores.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct AccountUsage {
    triggers: usize,
    templates: usize,
    bytes: usize,
}

/// What all accounts store.
#[derive(Debug)]
pub(super) struct Usage {
    quotas: Quotas,
    accounts: HashMap<AccountId, AccountUsage>,
    /// The counts before each change since the last commit, the newest last.
    before: Vec<(AccountId, AccountUsage)>,
}

impl Usage {
    /// Nothing is stored yet.
    pub(super) fn new(quotas: Quotas) -> Self {
        Self { quotas, accounts: HashMap::new(), before: Vec::new() }
    }

    /// Clears all counts before a recount.
    pub(super) fn clear(&mut self) {
        self.accounts.clear();
        self.before.clear();
    }

    /// Counts a stored record, regardless of quotas.
    pub(super) fn count(&mut self, kind: Kind, account: &AccountId, bytes: usize) {
        self.replace(kind, account, None, Some(bytes));
        self.before.clear();
    }

    /// Checks a write and counts it. `old` and `new` are the bytes of the record before and after; `None`: it does not
    /// exist. A write that makes nothing larger is never refused, so an account over a quota can become smaller.
    pub(super) fn write(
        &mut self,
        location: &Location,
        old: Option<usize>,
        new: Option<usize>,
    ) -> Result<(), StoreError> {
        let Some(account) = &location.account else {
            return Ok(());
        };
        let kept = self.accounts.get(account).copied().unwrap_or_default();
        let over = |quota, most| Err(StoreError::OverQuota { quota, most });
        if old.is_none() && new.is_some() {
            match location.kind {
                Kind::Trigger if kept.triggers >= self.quotas.triggers => {
                    return over(Quota::Triggers, self.quotas.triggers);
                }
                Kind::Template if kept.templates >= self.quotas.templates => {
                    return over(Quota::Templates, self.quotas.templates);
                }
                _ => {}
            }
        }
        let (was, is) = (old.unwrap_or(0), new.unwrap_or(0));
        if is > was && kept.bytes + is - was > self.quotas.bytes {
            return over(Quota::Bytes, self.quotas.bytes);
        }
        self.replace(location.kind, account, old, new);
        Ok(())
    }

    /// The writes since the last commit are committed.
    pub(super) fn committed(&mut self) {
        self.before.clear();
    }

    /// The writes since the last commit are rolled back.
    pub(super) fn rolled_back(&mut self) {
        while let Some((account, kept)) = self.before.pop() {
            self.set(account, kept);
        }
    }

    fn replace(&mut self, kind: Kind, account: &AccountId, old: Option<usize>, new: Option<usize>) {
        let before = self.accounts.get(account).copied().unwrap_or_default();
        let mut kept = before;
        let number = match kind {
            Kind::Trigger => &mut kept.triggers,
            Kind::Template => &mut kept.templates,
            Kind::Key => return,
        };
        *number = *number + usize::from(new.is_some()) - usize::from(old.is_some());
        kept.bytes = kept.bytes + new.unwrap_or(0) - old.unwrap_or(0);
        self.before.push((account.clone(), before));
        self.set(account.clone(), kept);
    }

    fn set(&mut self, account: AccountId, kept: AccountUsage) {
        if kept == AccountUsage::default() {
            self.accounts.remove(&account);
        } else {
            self.accounts.insert(account, kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QUOTAS: Quotas = Quotas { triggers: 3, templates: 2, bytes: 100, filter_bytes: 1, headers: 1, secrets: 1 };

    fn location(kind: Kind, id: &str) -> Location {
        Location { kind, account: AccountId::new("a").ok(), id: id.to_owned() }
    }

    #[test]
    fn a_quota_holds_and_an_account_can_get_below_it_again() {
        let mut usage = Usage::new(QUOTAS);
        let trigger = location(Kind::Trigger, "t");
        for _ in 0..3 {
            usage.write(&trigger, None, Some(10)).expect("within the quotas");
        }
        let over = StoreError::OverQuota { quota: Quota::Triggers, most: 3 };
        assert_eq!(usage.write(&trigger, None, Some(1)), Err(over.clone()));
        let over_bytes = StoreError::OverQuota { quota: Quota::Bytes, most: 100 };
        assert_eq!(usage.write(&trigger, Some(10), Some(81)), Err(over_bytes));
        usage.write(&trigger, Some(10), Some(80)).expect("exactly the quota");
        usage.write(&trigger, Some(80), None).expect("a delete");
        usage.rolled_back();
        assert!(usage.accounts.is_empty(), "nothing was committed");
        // What was stored under other quotas counts, and only what makes it larger is refused.
        for _ in 0..5 {
            usage.count(Kind::Trigger, &AccountId::new("a").expect("a name"), 50);
        }
        assert_eq!(usage.write(&trigger, None, Some(1)), Err(over));
        usage.write(&trigger, Some(50), Some(50)).expect("no larger");
        usage.write(&trigger, Some(50), None).expect("a delete");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Against a map of what is stored.
        #[test]
        fn the_counts_match_what_is_stored(steps in prop::collection::vec((0_usize..6, any::<bool>(), prop::option::of(1_usize..60), any::<bool>()), 0..80)) {
            let mut usage = Usage::new(QUOTAS);
            let mut stored: HashMap<(Kind, usize), usize> = HashMap::new();
            let mut committed = stored.clone();
            for (id, template, new, commit) in steps {
                let kind = if template { Kind::Template } else { Kind::Trigger };
                let old = stored.get(&(kind, id)).copied();
                if (old.is_some() || new.is_some()) && usage.write(&location(kind, "x"), old, new).is_ok() {
                    match new {
                        Some(bytes) => stored.insert((kind, id), bytes),
                        None => stored.remove(&(kind, id)),
                    };
                }
                let number = |kind: Kind| stored.keys().filter(|(own, _)| *own == kind).count();
                let kept = AccountUsage { triggers: number(Kind::Trigger), templates: number(Kind::Template), bytes: stored.values().sum() };
                prop_assert_eq!(usage.accounts.get("a").copied().unwrap_or_default(), kept);
                prop_assert!(kept.triggers <= 3 && kept.templates <= 2 && kept.bytes <= 100);
                if commit {
                    usage.committed();
                    committed = stored.clone();
                } else {
                    usage.rolled_back();
                    stored = committed.clone();
                }
            }
        }
    }
}
