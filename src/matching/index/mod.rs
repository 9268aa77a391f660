//! The index of patterns: those of one account that listen to the same events, as a [`Bucket`]. A bucket is immutable
//! for who reads it; a copy shares all that a change does not touch.
//!
//! Up to [`FEW`] listeners are a list, and each is evaluated. Beyond that each pattern is filed under a *witness*
//! (`witness`): a condition that holds of every event which the pattern matches, the most selective that can be
//! looked up. The data of an event is walked beside the paths of the witnesses (`paths`), each value there is looked
//! up among the postings (`postings`), and what is found is evaluated once. Array consistency, `anything-but`
//! and absence are left to that evaluation. Which witness a listener is filed under is kept with it ([`Filing`]), so
//! that taking it out finds exactly the postings that were put in: nothing is left behind, and nothing is rebuilt.

mod bucket;
mod key;
mod paths;
mod postings;
mod search;
#[cfg(test)]
mod tests;
mod tree;
mod witness;

use std::sync::OnceLock;

pub use bucket::Bucket;
pub use search::{Search, SearchEnd};

use super::pattern::Pattern;
use witness::Filed;

/// The most listeners that are evaluated one by one.
pub const FEW: usize = 16;

/// Who waits for events. One listener is in one bucket at a time.
pub trait Listener {
    /// Which events it wants; `None`: all.
    fn pattern(&self) -> Option<&Pattern>;
    /// Kept here, set by the bucket.
    fn filing(&self) -> &Filing;
}

/// Under which witnesses of its pattern a listener is filed.
#[derive(Debug, Default)]
pub struct Filing(OnceLock<Filed>);
