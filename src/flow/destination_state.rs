//! The state of one destination on this node, as the console and the HTTP interface show it.

use std::time::Duration;

use actix::Message;

use crate::model::destination::Destination;
use crate::model::outcome::{DropReason, Outcome};

/// Asks the Dispatchers of one thread for the states of their destinations: the `limit` ones in the worst state.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "DestinationSurvey")]
pub struct DestinationStatesQuery {
    /// How many destinations to return at most.
    pub limit: usize,
}

/// The destinations of one thread.
#[derive(Debug, Default)]
pub struct DestinationSurvey {
    /// Those in the worst state, in no order.
    pub destinations: Vec<DestinationState>,
    /// How many destinations the thread has.
    pub total: usize,
}

/// What is wrong with a destination, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DestinationTrouble {
    /// No known trouble.
    None,
    /// The last attempt did not succeed.
    Failing,
    /// Deliveries were dropped because the queue was full.
    Dropping,
    /// It is so slow that its queued deliveries no longer hold permits.
    Stalled,
}

/// The state of one destination. Its numbers count from the start of its Dispatcher; an idle Dispatcher stops and
/// forgets them.
#[derive(Debug, Clone)]
pub struct DestinationState {
    /// The destination.
    pub destination: Destination,
    /// What is wrong with it.
    pub trouble: DestinationTrouble,
    /// Queued deliveries.
    pub queued: usize,
    /// Bytes of their bodies.
    pub queued_bytes: usize,
    /// Attempts under way.
    pub in_flight: usize,
    /// How long the oldest queued delivery has waited; `None` if the queue is empty.
    pub oldest_wait: Option<Duration>,
    /// Attempts that ended, by outcome.
    pub attempts: Vec<(Outcome, u64)>,
    /// Dropped deliveries, by reason.
    pub dropped: Vec<(DropReason, u64)>,
}

impl DestinationTrouble {
    /// The word for it in the HTTP interface. Stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Failing => "failing",
            Self::Dropping => "dropping",
            Self::Stalled => "stalled",
        }
    }
}

impl DestinationSurvey {
    /// Keeps only this many, those in the worst state, in no order.
    pub fn keep(&mut self, limit: usize) {
        if limit < self.destinations.len() {
            self.destinations.select_nth_unstable_by(limit, |one, other| other.rank().cmp(&one.rank()));
            self.destinations.truncate(limit);
        }
    }
}

impl DestinationState {
    /// The sort key: trouble, then the longest wait, drops, queue and attempts in flight.
    pub fn rank(&self) -> (DestinationTrouble, Duration, u64, usize, usize) {
        let dropped = self.dropped.iter().map(|(_, number)| number).sum();
        (self.trouble, self.oldest_wait.unwrap_or_default(), dropped, self.queued, self.in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(host: &str, trouble: DestinationTrouble, wait_ms: u64, queued: usize) -> DestinationState {
        DestinationState {
            destination: Destination::new(true, host, 443),
            trouble,
            queued,
            queued_bytes: 0,
            in_flight: 0,
            oldest_wait: Some(Duration::from_millis(wait_ms)),
            attempts: Vec::new(),
            dropped: Vec::new(),
        }
    }

    #[test]
    fn those_in_the_worst_state_are_kept() {
        let destinations = vec![
            state("fine", DestinationTrouble::None, 900, 9),
            state("stalled", DestinationTrouble::Stalled, 1, 1),
            state("slow", DestinationTrouble::Failing, 80, 1),
            state("failing", DestinationTrouble::Failing, 2, 5),
        ];
        let mut survey = DestinationSurvey { destinations, total: 4 };
        survey.destinations.sort_by_key(|one| std::cmp::Reverse(one.rank()));
        let hosts = |survey: &DestinationSurvey| -> Vec<String> {
            survey.destinations.iter().map(|state| state.destination.host.to_string()).collect()
        };
        assert_eq!(hosts(&survey), ["stalled", "slow", "failing", "fine"]);
        survey.keep(2);
        let mut kept = hosts(&survey);
        kept.sort();
        assert_eq!(kept, ["slow", "stalled"]);
        survey.keep(2);
        assert_eq!((survey.destinations.len(), survey.total), (2, 4));
    }
}
