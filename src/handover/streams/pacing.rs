//! How long the producers of an account wait for a response while nodes read its deliveries more slowly than they are
//! added. Without it, a producer that sends as fast as it gets responses fills the streams, and then costs the nodes more
//! with refused requests than its deliveries do. Plain arithmetic.

use std::time::Duration;

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);
/// Pauses begin where this part of `cluster.backlog_max` waits to be read, and reach the longest at half of it. With the
/// default that is a tenth of a second's work of one node, which is what a delivery then waits for; a tenth of the bound
/// let half a second's work wait whenever producers were faster than nodes.
const BEGINS_AT_ONE_OF: usize = 40;
/// Fewer entries than this never cause a pause: a node reads them in a moment.
const ALWAYS_FREE: usize = 1_000;

/// What is in the streams.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamLoad {
    /// Entries of all accounts, without those that are parked: a slow destination delays no other.
    pub(super) unread: usize,
    /// Entries of the account.
    pub(super) own: usize,
    /// Accounts that have entries.
    pub(super) accounts: usize,
}

/// The pause for an account, where the streams may hold `backlog_max` entries. It grows with what waits, so producers
/// settle at the rate at which nodes read. An account with less than half of an equal part is not paced.
pub(super) fn pause(StreamLoad { unread, own, accounts }: StreamLoad, backlog_max: usize) -> Duration {
    let begins_at = (backlog_max / BEGINS_AT_ONE_OF).max(ALWAYS_FREE);
    let full_at = backlog_max / 2;
    if unread <= begins_at || full_at <= begins_at || own.saturating_mul(accounts).saturating_mul(2) < unread {
        return Duration::ZERO;
    }
    let part = (unread - begins_at).min(full_at - begins_at) as f64 / (full_at - begins_at) as f64;
    LONGEST.mul_f64(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(unread: usize, own: usize, accounts: usize, backlog_max: usize) -> u128 {
        pause(StreamLoad { unread, own, accounts }, backlog_max).as_millis()
    }

    #[test]
    fn pauses_grow_from_a_fortieth_of_the_bound_to_half_of_it() {
        for (unread, expected) in [(0, 0), (5_000, 0), (5_950, 10), (52_500, 500), (100_000, 1_000), (200_000, 1_000)] {
            assert_eq!(millis(unread, unread, 1, 200_000), expected, "{unread}");
        }
        assert_eq!(millis(90, 90, 1, 100), 0, "few are read in a moment");
        assert_eq!(millis(1_500, 1_500, 1, 4_000), 500);
    }

    #[test]
    fn only_accounts_that_have_their_part_of_what_waits_are_paced() {
        assert_eq!(millis(52_500, 52_490, 2, 200_000), 500);
        assert_eq!(millis(52_500, 10, 2, 200_000), 0);
        assert_eq!(millis(52_500, 53, 1_000, 200_000), 500, "a thousand equal ones");
        assert_eq!(millis(52_500, 26, 1_000, 200_000), 0);
        assert_eq!(millis(usize::MAX, usize::MAX, usize::MAX, usize::MAX), 1_000);
    }
}
