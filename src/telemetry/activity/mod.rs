//! Who watches firings end, as they end. Each stage that counts an end also tells it here. Without a subscriber that
//! costs one atomic read. Nothing here holds what a customer's data says: names, words and numbers only.
//!
//! Bounds: so many subscribers, and so many lines that each may have waiting. A line past that is counted as skipped
//! and not kept, so a slow subscriber costs the stages a counter and never waits or memory.

mod filter;
mod subscription;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

pub use filter::{ActivityFilter, FilterError};
pub use subscription::{Batch, Subscription};

use crate::model::destination::Destination;
use crate::model::firing::FiringId;
use crate::model::id::AccountId;
use crate::model::outcome::Report;

use subscription::Subscriber;

/// How a firing ended, as subscribers are told.
#[derive(Debug)]
pub struct Ended {
    /// When.
    pub time: SystemTime,
    /// Which firing.
    pub firing: FiringId,
    /// Where it went, or was to go; `None` where the trigger's URL can't be used.
    pub destination: Option<Destination>,
    /// How it ended.
    pub report: Report,
}

/// Bounds of what is told.
#[derive(Debug, Clone, Copy)]
pub struct ActivityBounds {
    /// Subscribers at a time.
    pub subscribers: usize,
    /// Lines that wait for one subscriber.
    pub lines: usize,
}

/// The subscribers of a node.
#[derive(Debug)]
pub struct Activity {
    bounds: ActivityBounds,
    /// The length of `subscribers`, to be read without its lock.
    number: AtomicUsize,
    subscribers: RwLock<Vec<Arc<Subscriber>>>,
}

/// There are as many subscribers as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("as many clients watch as may; close one, or raise `activity.subscribers_max`")]
pub struct TooManySubscribers;

impl Activity {
    /// Nobody watches.
    pub fn new(bounds: ActivityBounds) -> Self {
        Self { bounds, number: AtomicUsize::new(0), subscribers: RwLock::default() }
    }

    /// Tells whoever watches how a firing ended. One without names is of an entry that an earlier version wrote.
    pub fn ended(&self, firing: Option<&FiringId>, destination: Option<&Destination>, report: Report) {
        if self.number.load(Ordering::Relaxed) == 0 {
            return;
        }
        if let Some(firing) = firing {
            self.tell(firing, destination, report);
        }
    }

    fn tell(&self, firing: &FiringId, destination: Option<&Destination>, report: Report) {
        let mut line: Option<Arc<Ended>> = None;
        for subscriber in self.subscribers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if subscriber.wants(firing, report) {
                // Made once, and only where somebody has room for it.
                let made = line.as_ref().map(Arc::clone);
                line = subscriber
                    .push(|| made.unwrap_or_else(|| Arc::new(Ended::now(firing, destination, report))))
                    .or(line);
            }
        }
    }

    /// Watches what the filter lets through. One account has at most an eighth of all subscriptions, all accounts
    /// together half of them, so that the operator can always watch. `owner` is the account whose key asks; `None`
    /// for the operator.
    pub fn subscribe(
        self: &Arc<Self>,
        owner: Option<AccountId>,
        filter: ActivityFilter,
    ) -> Result<Subscription, TooManySubscribers> {
        let mut subscribers = self.subscribers.write().unwrap_or_else(PoisonError::into_inner);
        let all = self.bounds.subscribers;
        let has_room = match &owner {
            None => subscribers.len() < all,
            Some(account) => {
                let own = subscribers.iter().filter(|other| other.owner.as_ref() == Some(account)).count();
                let accounts = subscribers.iter().filter(|other| other.owner.is_some()).count();
                subscribers.len() < all && own < all.div_ceil(8) && accounts < all.div_ceil(2)
            }
        };
        if !has_room {
            return Err(TooManySubscribers);
        }
        let subscriber = Arc::new(Subscriber::new(owner, filter, self.bounds.lines));
        subscribers.push(Arc::clone(&subscriber));
        self.number.store(subscribers.len(), Ordering::Relaxed);
        Ok(Subscription::new(Arc::clone(self), subscriber))
    }

    fn unsubscribe(&self, subscriber: &Arc<Subscriber>) {
        let mut subscribers = self.subscribers.write().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|other| !Arc::ptr_eq(other, subscriber));
        self.number.store(subscribers.len(), Ordering::Relaxed);
    }

    /// Ends all subscriptions: the node stops.
    pub fn close(&self) {
        for subscriber in self.subscribers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            subscriber.end();
        }
    }

    /// How many watch.
    pub fn subscribers(&self) -> usize {
        self.number.load(Ordering::Relaxed)
    }
}

impl Ended {
    fn now(firing: &FiringId, destination: Option<&Destination>, report: Report) -> Self {
        Self { time: SystemTime::now(), firing: firing.clone(), destination: destination.cloned(), report }
    }
}

#[cfg(test)]
mod tests;
