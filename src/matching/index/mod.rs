//! The index of patterns: those of one account that listen to the same events form a [`Bucket`]. A bucket is immutable
//! for its readers; a clone shares all parts that a change does not affect.
//!
//! Up to [`FEW`] listeners are a list, and each is evaluated. Beyond that each pattern is filed under a *witness*
//! (`witness`): a condition that holds for every event that the pattern matches, and the most selective one that can be
//! looked up. The data of an event is walked along the paths of the witnesses (`paths`), each value there is looked up
//! among the postings (`postings`), and each candidate is evaluated once. A search takes turns with other work. Array
//! consistency, `anything-but` and absence are left to that evaluation. The witness of a listener is stored with it
//! ([`ListenerWitnesses`]), so that removing it finds exactly the postings that were added: nothing is left behind, and
//! nothing is rebuilt.

mod bucket;
mod fetch;
mod key;
mod paths;
mod postings;
mod search;
mod span;
#[cfg(test)]
mod tests;
mod tree;
mod walk;
mod witness;

use std::sync::OnceLock;

pub use bucket::Bucket;
pub use search::{Search, SearchEnd};

use super::pattern::Pattern;
use witness::WitnessLocations;

/// The most listeners that are evaluated one by one.
pub const FEW: usize = 16;

/// A listener to events. Each is in at most one bucket at a time.
pub trait Listener {
    /// The filter of its events; `None`: all events.
    fn pattern(&self) -> Option<&Pattern>;
    /// Stored here and set by the bucket.
    fn filing(&self) -> &ListenerWitnesses;
}

/// The witnesses of its pattern that a listener is filed under.
#[derive(Debug, Default)]
pub struct ListenerWitnesses(OnceLock<WitnessLocations>);
