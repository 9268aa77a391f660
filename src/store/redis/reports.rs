//! What the log says of calls that failed: one line when a kind of failure begins, and one when it ends. Clients never
//! see the words of Redis.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::id::AccountId;
use crate::store::{Kind, StoreError};

/// The most records that are known to be replaced by another program; further ones are not logged.
const REPLACED_MAX: usize = 1_000;

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum StoreOperation {
    Get,
    List,
    Write,
}

impl StoreOperation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Write => "write",
        }
    }
}

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CallSubject {
    pub(super) operation: StoreOperation,
    /// `None`: the list of accounts.
    pub(super) kind: Option<Kind>,
    pub(super) account: Option<AccountId>,
}

/// The failures that the log has, and that have not ended.
#[derive(Debug, Default)]
pub(super) struct CallReports {
    /// The last call failed because Redis is unavailable.
    failing: AtomicBool,
    /// Redis refuses writes. Only a write shows the end of that.
    refusing: AtomicBool,
    /// What another program replaced, which concerns only the calls about it.
    replaced: Mutex<HashSet<CallSubject>>,
}

impl CallReports {
    /// Logs the beginning and the end of a failure.
    pub(super) fn note(&self, subject: CallSubject, result: Result<(), &StoreError>) {
        match result {
            Err(StoreError::Unavailable(words)) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        error = words,
                        "a request to the store in Redis failed; requests that need it get 503"
                    );
                }
                return;
            }
            Err(StoreError::Refused(words)) => {
                if !self.refusing.swap(true, Ordering::Relaxed) {
                    tracing::error!(error = words, "Redis refuses to write; nothing is changed, and writes get 503");
                }
            }
            Err(StoreError::Replaced { words, .. }) => self.replaced(subject, words),
            Err(_) => {}
            Ok(()) => self.succeeded(&subject),
        }
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the store in Redis responds again");
        }
    }

    fn replaced(&self, subject: CallSubject, words: &str) {
        let mut replaced = self.lock();
        if replaced.len() >= REPLACED_MAX || !replaced.insert(subject.clone()) {
            return;
        }
        tracing::error!(
            kind = subject.kind.map_or("account", Kind::as_str),
            account = subject.account.as_ref().map_or("", AccountId::as_str),
            operation = subject.operation.as_str(),
            error = words,
            "another program replaced a key of the store; requests that need it get 409"
        );
    }

    fn succeeded(&self, subject: &CallSubject) {
        if subject.operation == StoreOperation::Write && self.refusing.swap(false, Ordering::Relaxed) {
            tracing::info!("Redis accepts writes again");
        }
        if self.lock().remove(subject) {
            tracing::info!(
                kind = subject.kind.map_or("account", Kind::as_str),
                account = subject.account.as_ref().map_or("", AccountId::as_str),
                operation = subject.operation.as_str(),
                "the replaced key of the store can be used again"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<CallSubject>> {
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
