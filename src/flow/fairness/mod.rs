//! Fair shares of limited resources: plain arithmetic, independent of actors, of clocks and of the resource.
//! `docs/fairness.md` explains it and lists each pool with its weights.
//!
//! - [`Pool`]: memory and counts. Dynamic thresholds.
//! - [`DeficitQueue`]: work whose cost is known before it is done. Deficit round robin.
//! - [`StartTimes`]: work whose cost is known after it was done. Start-time fair queueing.
//! - [`Schedule`]: jobs that share a thread, by the time that they take.

mod deficit;
mod pool;
mod schedule;
mod start_times;

pub use deficit::DeficitQueue;
pub use pool::{Pool, Share, TakenUnits, within};
pub use schedule::{JobProgress, Schedule, Slice};
pub use start_times::{StartTimes, StartedTurn};
