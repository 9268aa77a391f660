//! How many entries each account has in the streams, as Redis last reported. They count for the account's share of
//! `cluster.backlog_max`, on every node that accepts events of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Streams;
use crate::flow::account::AccountShares;
use crate::flow::gate::Gate;
use crate::model::id::AccountId;
use crate::redis::{FromRedisValue as _, Value};

/// Accounts whose entries are looked at in one poll: those that have most.
const ASKED_MAX: usize = 64;

/// The accounts whose events this node has accepted and that have entries.
#[derive(Debug)]
pub(super) struct AccountEntries {
    partitions: usize,
    accounts: Mutex<HashMap<AccountId, EntriesOf>>,
    /// How many there are.
    number: AtomicUsize,
}

#[derive(Debug)]
struct EntriesOf {
    account: Arc<AccountShares>,
    /// In each stream.
    entries: Vec<usize>,
}

impl AccountEntries {
    pub(super) fn new(streams: &Streams) -> Self {
        Self { partitions: streams.partitions, accounts: Mutex::default(), number: AtomicUsize::new(0) }
    }

    /// Sets how many entries accounts have in one stream: names and numbers in turn.
    pub(super) fn set(&self, gate: &Gate, partition: usize, reported: Vec<Value>) {
        let mut reported = reported.into_iter();
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        while let (Some(name), Some(entries)) = (reported.next(), reported.next()) {
            let name = String::from_redis_value(name).ok().and_then(|name| AccountId::new(&name).ok());
            let (Some(name), Ok(entries)) = (name, usize::from_redis_value(entries)) else { continue };
            let new = || EntriesOf { account: gate.account(&name), entries: vec![0; self.partitions] };
            let known = accounts.entry(name.clone()).or_insert_with(new);
            known.entries[partition] = entries;
            let all = known.entries.iter().sum();
            known.account.set_in_streams(all);
            if all == 0 {
                accounts.remove(&name);
            }
        }
        self.number.store(accounts.len(), Ordering::Relaxed);
    }

    /// How many accounts have entries.
    pub(super) fn accounts(&self) -> usize {
        self.number.load(Ordering::Relaxed)
    }

    /// The accounts that have most.
    pub(super) fn largest(&self) -> Vec<String> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<(usize, &AccountId)> =
            accounts.iter().map(|(name, known)| (known.entries.iter().sum(), name)).collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        names.into_iter().take(ASKED_MAX).map(|(_, name)| name.as_str().to_owned()).collect()
    }
}
