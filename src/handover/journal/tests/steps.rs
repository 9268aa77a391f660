//! The steps of a history, and what becomes of its firings.

use std::ops::Range;

/// Identifies a firing: its event's id and its trigger's id.
pub(crate) type Name = (String, String);

/// A step of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A request on a thread: a number of events, and of triggers that each fires.
    Accept(usize, usize, usize),
    /// Requests that are written together: how many they are, and the events of each.
    AcceptTogether(usize, usize, usize),
    /// One request, with each event in a part of its own. After each of them a firing begins, and the keeper makes a round.
    AcceptInParts(usize, usize, usize),
    /// This many of the oldest unsettled firings begin together, on a sending thread.
    Begin(usize, usize),
    /// This many of the newest.
    BeginNewest(usize, usize),
    /// One firing ends without an attempt.
    Drop,
    /// A round of the keeper.
    Round,
    /// Syncs what `power` has written; no effect with `process`.
    Sync,
    /// The disk has room for this many bytes of the next write, and for no file.
    Full(usize),
    /// The next sync of a file fails, and those after it.
    SyncFails,
    /// The disk is as it should be again.
    Heal,
}

/// The history of a firing; each number is an operation of the file system.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fate {
    /// The event's data.
    pub(crate) data: String,
    /// Its producer got the response after this many operations.
    pub(crate) promised: Option<usize>,
    /// The first operation that may have named it as begun.
    pub(crate) named: Option<usize>,
    /// While a begun record of it was written that failed, it may have been named.
    pub(super) tried: Vec<Range<usize>>,
    /// The POST was made after this many operations.
    pub(crate) sent: Option<usize>,
    /// It was dropped, and that was as durable as the level says after this many.
    pub(crate) gone: Option<usize>,
    /// Its request was refused after this many.
    pub(crate) refused: Option<usize>,
}

impl Fate {
    /// Whether a begun record may name it after this many operations.
    pub(crate) fn may_be_named(&self, operation: usize) -> bool {
        self.named.is_some_and(|at| at <= operation) || self.tried.iter().any(|range| range.contains(&operation))
    }
}
