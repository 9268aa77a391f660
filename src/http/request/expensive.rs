//! Bounds the requests that need much memory or processor time, or that wait: lists, checks and writes, and tests of
//! triggers. Accounts share the number of concurrent ones.

use actix_web::http::StatusCode;

use crate::flow::fairness::{Pool, TakenUnits};
use crate::flow::refusal::RETRY_AFTER_S;
use crate::http::problem::Problem;
use crate::model::id::AccountId;

/// The most requests of a kind at a time. Each needs at most a few megabytes.
const REQUESTS_MAX: usize = 64;
/// A lone account may have half of them, and each of several accounts an equal part.
const WEIGHT: usize = 1;

/// Counts such requests.
pub struct ExpensiveRequests {
    /// Lists, checks and writes.
    records: Pool<AccountId>,
    /// Tests of triggers. Each waits for a receiver, and with Redis has a connection to it meanwhile.
    tests: Pool<AccountId>,
}

impl Default for ExpensiveRequests {
    fn default() -> Self {
        let pool = || Pool::new(REQUESTS_MAX, WEIGHT);
        Self { records: pool(), tests: pool() }
    }
}

impl ExpensiveRequests {
    /// Begins a list, a check or a write; it ends when the returned value is dropped.
    pub(in crate::http) fn begin(&self, account: &AccountId) -> Result<TakenUnits, Problem> {
        begin(&self.records, account, "lists, checks and writes")
    }

    /// The same for a test.
    pub(in crate::http) fn begin_test(&self, account: &AccountId) -> Result<TakenUnits, Problem> {
        begin(&self.tests, account, "tests of triggers")
    }
}

fn begin(pool: &Pool<AccountId>, account: &AccountId, kinds: &str) -> Result<TakenUnits, Problem> {
    let refused = || {
        let detail = format!("this account has reached its limit of concurrent {kinds}; send the request again later");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "engine_full", detail).with_retry_after(RETRY_AFTER_S)
    };
    pool.share(account).take(1).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_leaves_room_for_the_others() {
        let (requests, name) = (ExpensiveRequests::default(), |text| AccountId::new(text).expect("a name"));
        let greedy: Vec<_> = std::iter::from_fn(|| requests.begin(&name("greedy")).ok()).collect();
        assert_eq!(greedy.len(), REQUESTS_MAX / 2);
        let other: Vec<_> = std::iter::from_fn(|| requests.begin(&name("other")).ok()).collect();
        assert!(other.len() >= REQUESTS_MAX / 8, "{}", other.len());
        assert_eq!(requests.begin(&name("greedy")).expect_err("over its share").status, 429);
        requests.begin_test(&name("greedy")).expect("tests have a bound of their own");
        drop((greedy, other));
        requests.begin(&name("greedy")).expect("there is room again");
    }
}
