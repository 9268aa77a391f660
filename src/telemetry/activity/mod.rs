//! Ended firings for subscribers. Each stage that counts an end also reports it here. Without a subscriber that costs
//! one atomic read. Reports hold names, words and numbers only, never a customer's data.
//!
//! Bounds: a number of subscribers, and a number of lines that may wait for each. Further lines are counted as skipped
//! and not kept, so a slow subscriber costs the stages a counter, and neither time nor memory.

mod filter;
mod subscription;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

pub use filter::{ActivityFilter, FilterError};
pub use subscription::{LineBatch, Subscription};

use crate::model::destination::Destination;
use crate::model::firing::FiringId;
use crate::model::id::AccountId;
use crate::model::outcome::FiringReport;

use subscription::Subscriber;

/// An ended firing, as subscribers receive it.
#[derive(Debug)]
pub struct EndedFiring {
    /// When.
    pub time: SystemTime,
    /// The firing.
    pub firing: FiringId,
    /// Its destination; `None` if the trigger's URL is unusable.
    pub destination: Option<Destination>,
    /// Its outcome.
    pub report: FiringReport,
}

/// The bounds of subscriptions.
#[derive(Debug, Clone, Copy)]
pub struct ActivityBounds {
    /// Subscribers at a time.
    pub subscribers: usize,
    /// Lines that may wait for one subscriber.
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

/// The limit of subscribers is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limit of watching clients is reached; close one, or raise `activity.subscribers_max`")]
pub struct TooManySubscribers;

impl Activity {
    /// Starts without subscribers.
    pub fn new(bounds: ActivityBounds) -> Self {
        Self { bounds, number: AtomicUsize::new(0), subscribers: RwLock::default() }
    }

    /// Reports an ended firing to the subscribers, unless another program added it to a stream without its names.
    pub fn ended(&self, firing: Option<&FiringId>, destination: Option<&Destination>, report: FiringReport) {
        if self.number.load(Ordering::Relaxed) == 0 {
            return;
        }
        if let Some(firing) = firing {
            self.notify(firing, destination, report);
        }
    }

    fn notify(&self, firing: &FiringId, destination: Option<&Destination>, report: FiringReport) {
        let mut line: Option<Arc<EndedFiring>> = None;
        for subscriber in self.subscribers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if subscriber.wants(firing, report) {
                // Created once, and only if a subscriber has room for it.
                let made = line.as_ref().map(Arc::clone);
                line = subscriber
                    .push(|| made.unwrap_or_else(|| Arc::new(EndedFiring::now(firing, destination, report))))
                    .or(line);
            }
        }
    }

    /// Subscribes to what the filter selects. One account may have at most an eighth of all subscriptions, and all
    /// accounts together half of them, so that the operator can always watch. `owner`: the account whose key
    /// subscribes; `None` for the operator.
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

    /// Ends all subscriptions: the node is stopping.
    pub fn close(&self) {
        for subscriber in self.subscribers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            subscriber.end();
        }
    }

    /// The number of subscribers.
    pub fn subscribers(&self) -> usize {
        self.number.load(Ordering::Relaxed)
    }
}

impl EndedFiring {
    fn now(firing: &FiringId, destination: Option<&Destination>, report: FiringReport) -> Self {
        Self { time: SystemTime::now(), firing: firing.clone(), destination: destination.cloned(), report }
    }
}

#[cfg(test)]
mod tests;
