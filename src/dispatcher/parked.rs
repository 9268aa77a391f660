//! Deliveries for which this node has no room at their destination are parked: they stay in their stream under the
//! names of their destination and account, and any node with room for that destination fetches them, of its accounts in
//! turn. So a burst to a slow destination loses nothing, all nodes share it, and neither another delivery of its partition
//! nor another account's waits behind it. [`ParkedDeliveries`] decides when to fetch; the queue acts.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};

use crate::flow::in_flight::{InFlight, StreamClaims};
use crate::model::id::AccountId;
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;

/// The most deliveries per fetch: Redis runs nothing else meanwhile.
pub(super) const FETCHED_MAX: usize = 256;

/// The most accounts per fetch.
const ACCOUNTS_MAX: usize = 32;

/// Whose deliveries are parked together. EARLIER(entry): `None`.
pub(super) type ParkedAccount = Option<AccountId>;

/// What can be sent or queued at once.
#[derive(Debug)]
pub(super) struct FetchRoom {
    /// How many deliveries of each of the next accounts.
    pub(super) accounts: Vec<(ParkedAccount, usize)>,
    /// How many bytes of bodies.
    pub(super) bytes: usize,
}

/// What one destination's queue knows of its parked deliveries.
#[derive(Debug, Default)]
pub(super) struct ParkedDeliveries {
    /// Where deliveries may be parked; `None` if none are known.
    claims: RefCell<Option<StreamClaims>>,
    /// The accounts that have some, in the order of their turns.
    turns: RefCell<VecDeque<ParkedAccount>>,
    /// Counts the reports about each of them, so that the response to an earlier fetch can't overrule a later report.
    reports: RefCell<HashMap<ParkedAccount, u64>>,
    fetching: Cell<bool>,
    /// A fetched delivery did not fit.
    too_large: Cell<bool>,
    /// Whether fetching has ended.
    ended: Cell<bool>,
}

/// A fetch for the queue to make.
pub(super) struct PlannedFetch {
    pub(super) claims: StreamClaims,
    /// The accounts, and the maximum number of deliveries of each.
    pub(super) accounts: Vec<(ParkedAccount, usize)>,
    /// How many bytes of bodies; the last delivery may exceed it.
    pub(super) bytes: usize,
    /// The number of reports about each account at its start.
    reports: Vec<u64>,
}

impl ParkedDeliveries {
    /// Whether any deliveries are known to be parked.
    pub(super) fn is_known(&self) -> bool {
        self.claims.borrow().is_some()
    }

    /// Whether any are that are older than a new one of this account.
    pub(super) fn is_known_of(&self, account: &AccountId) -> bool {
        let reports = self.reports.borrow();
        !reports.is_empty() && (reports.contains_key(&Some(account.clone())) || reports.contains_key(&None))
    }

    pub(super) fn is_being_fetched(&self) -> bool {
        self.fetching.get()
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.too_large.get()
    }

    /// Deliveries of an account were parked, by this node or another.
    pub(super) fn report(&self, account: ParkedAccount, claims: &StreamClaims) {
        self.claims.borrow_mut().get_or_insert_with(|| claims.clone());
        let mut reports = self.reports.borrow_mut();
        match reports.get_mut(&account) {
            Some(reports) => *reports += 1,
            None => {
                self.turns.borrow_mut().push_back(account.clone());
                reports.insert(account, 0);
            }
        }
    }

    /// Ends fetching: what still arrives is given back.
    pub(super) fn end(&self) {
        self.ended.set(true);
    }

    /// Fetches again.
    pub(super) fn resume(&self) {
        self.ended.set(false);
    }

    /// Whether a fetch may begin.
    pub(super) fn may_fetch(&self) -> bool {
        self.is_known() && !self.fetching.get() && !self.ended.get()
    }

    /// The accounts whose turn it is.
    pub(super) fn next_accounts(&self) -> Vec<ParkedAccount> {
        self.turns.borrow().iter().take(ACCOUNTS_MAX).cloned().collect()
    }

    /// Begins a fetch for this room: how many deliveries of each of the next accounts, and bytes of all. `None` if there
    /// is room for none.
    pub(super) fn begin(&self, room: FetchRoom) -> Option<PlannedFetch> {
        let FetchRoom { accounts, bytes } = room;
        let accounts: Vec<(ParkedAccount, usize)> = accounts.into_iter().filter(|(_, number)| *number > 0).collect();
        let claims = self.claims.borrow().clone().filter(|_| !accounts.is_empty())?;
        self.fetching.set(true);
        // The next fetch begins with another account: the bytes may be used up before all accounts had their turn.
        if let Some((first, _)) = accounts.first() {
            self.move_back(first);
        }
        let known = self.reports.borrow();
        let reports = accounts.iter().map(|(account, _)| known.get(account).copied().unwrap_or_default()).collect();
        Some(PlannedFetch { claims, accounts, bytes, reports })
    }

    /// The account is the last one to have its turn.
    fn move_back(&self, account: &ParkedAccount) {
        let mut turns = self.turns.borrow_mut();
        if let Some(place) = turns.iter().position(|own| own == account)
            && let Some(account) = turns.remove(place)
        {
            turns.push_back(account);
        }
    }

    /// Ends a fetch. `more`: of which accounts there may be more. Returns whether the fetched deliveries must be queued;
    /// if not, they are given back.
    pub(super) fn finish(&self, fetch: &PlannedFetch, more: &[bool]) -> bool {
        self.fetching.set(false);
        let mut known = self.reports.borrow_mut();
        for (place, ((account, _), reports)) in fetch.accounts.iter().zip(&fetch.reports).enumerate() {
            if !more.get(place).copied().unwrap_or(false) && known.get(account) == Some(reports) {
                known.remove(account);
                self.turns.borrow_mut().retain(|own| own != account);
            }
        }
        if known.is_empty() {
            self.claims.take();
            self.too_large.set(false);
        }
        !self.ended.get()
    }

    /// A fetched delivery did not fit and is parked again. The end of an attempt starts the next fetch.
    pub(super) fn set_too_large(&self) {
        self.too_large.set(true);
    }
}

/// Parks a delivery for which there is no room, or drops it if it is in no stream. The end of a parked delivery is
/// reported later, by the node that fetches it.
pub(super) fn turn_away(metrics: &Metrics, reason: DropReason, mut queued: InFlight) {
    let lane = queued.lane();
    match queued.claim.take() {
        Some(claim) => claim.park(lane, queued.permit.take()),
        None => queued.drop_unsent(metrics, reason),
    }
}
