//! Selects the ended firings that a subscriber receives.

use crate::model::firing::FiringId;
use crate::model::id::{AccountId, TriggerId};
use crate::model::outcome::{DropReason, FiringReport, Outcome};

/// Every outcome but `delivered`.
const FAILED: &str = "failed";
/// Every reason for which no attempt was made.
const DROPPED: &str = "dropped";

/// A filter of ended firings; the empty one selects all.
#[derive(Debug, Clone, Default)]
pub struct ActivityFilter {
    /// Firings of one account.
    pub account: Option<AccountId>,
    /// Firings of triggers with this id.
    pub trigger: Option<TriggerId>,
    /// Firings with one of these words; empty: all.
    outcomes: Vec<&'static str>,
}

/// An unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an outcome; write `delivered`, `failed`, `dropped`, an outcome such as `client_error`, or a reason such as \
     `queue_full`, several with commas between them"
)]
pub struct FilterError(String);

impl ActivityFilter {
    /// All words that [`Self::with_outcomes`] knows.
    pub fn words() -> impl Iterator<Item = &'static str> {
        let reasons = DropReason::ALL.into_iter().map(DropReason::as_str);
        Outcome::ALL.into_iter().map(Outcome::as_str).chain(reasons).chain([FAILED, DROPPED])
    }

    /// Selects ends with these words: outcomes and reasons, `dropped` and `failed`, separated by commas.
    pub fn with_outcomes(mut self, words: &str) -> Result<Self, FilterError> {
        for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let known = Self::words().find(|own| *own == word);
            let known = known.ok_or_else(|| FilterError(word.chars().take(80).collect()))?;
            if !self.outcomes.contains(&known) {
                self.outcomes.push(known);
            }
        }
        Ok(self)
    }

    pub(super) fn lets_through(&self, firing: &FiringId, report: FiringReport) -> bool {
        self.account.as_ref().is_none_or(|account| account.as_str() == firing.event.account())
            && self.trigger.as_ref().is_none_or(|trigger| *trigger == firing.trigger)
            && (self.outcomes.is_empty() || self.outcomes.iter().any(|word| is_meant(word, report)))
    }
}

fn is_meant(word: &str, report: FiringReport) -> bool {
    match word {
        FAILED => !report.is_delivered(),
        DROPPED => matches!(report, FiringReport::Dropped(_)),
        word => word == report.word(),
    }
}
