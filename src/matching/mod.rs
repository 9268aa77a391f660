//! The filter of a trigger, `where`: the event-pattern language of Amazon EventBridge, with the meaning that
//! aws/event-ruler documents, and with the decisions of docs/filters.md where that is silent. A pattern is parsed once,
//! when its trigger is saved or loaded ([`Pattern`]), and evaluated on the borrowed data of an event within a step
//! budget ([`Steps`]), without an allocation. [`index`] finds the patterns that an event can match among a million.
//!
//! Nothing here knows triggers, accounts or event types.

mod alternatives;
mod anything_but;
mod conditions;
mod decimal;
mod error;
mod evaluate;
mod explain;
mod folding;
pub mod index;
mod limits;
mod network;
mod operations;
mod operators;
mod pattern;
mod program;
mod read;
mod steps;
#[cfg(test)]
mod tests;
mod wildcard;

pub use conditions::{Condition, conditions, excluding};
pub use error::PatternError;
pub use evaluate::Subject;
pub use explain::Mismatch;
pub use limits::FilterLimits;
pub use operators::{TestedType, is_operator, scalar_of};
pub use pattern::Pattern;
pub use steps::{Steps, TooCostly};
