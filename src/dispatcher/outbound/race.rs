//! Happy eyeballs (RFC 8305): addresses of both families are looked up at the same time, interleaved, and tried one
//! after the other with a short delay between them, until the first connection is made. Each attempt is a socket, so how
//! many run beside the first one of their connection is bounded.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::Instant;

use super::resolve::{Family, Resolve};
use crate::flow::descriptors::Descriptors;
use crate::flow::fairness::Pool;
use crate::model::id::AccountId;

/// How long the addresses of one family wait for the other family (section 8: Resolution Delay).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// How long an attempt runs before the next address is tried beside it (section 8: Connection Attempt Delay).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// An address that has not responded for so long is given up for the next one, where no attempt may run beside its own: its
/// system has then been asked three times for a connection (after 0, 1 and 3 seconds, RFC 6298).
const GIVEN_UP_AFTER: Duration = Duration::from_secs(4);
/// The part of the descriptors for other uses that is for attempts beside others.
const SPARE_PART: usize = 8;
/// An account may hold as many of them as are free: half of all, if no other has any.
const SPARE_WEIGHT: usize = 1;
/// How many addresses of one family are tried: more would only delay the outcome.
const FAMILY_MAX: usize = 8;

/// The attempts that may run beside others, in all threads of the process. A name whose addresses do not respond has many,
/// which are not among the connections that a destination may have. Accounts share them, so that such names take none of
/// what others need.
pub(super) fn spare_attempts() -> Pool<AccountId> {
    Pool::new((Descriptors::of_process(0).reserve / SPARE_PART).max(4), SPARE_WEIGHT)
}

/// The addresses of a name that are known so far.
pub(super) struct Addresses {
    known: VecDeque<IpAddr>,
    /// The family that is still being looked up.
    late: Option<LateAddresses>,
}

/// Those of one family, which are still being looked up.
type LateAddresses = LocalBoxFuture<'static, Vec<IpAddr>>;

impl Addresses {
    pub(super) fn one(address: IpAddr) -> Self {
        Self { known: VecDeque::from([address]), late: None }
    }

    /// Looks up both families. Once one is found, the other gets a short time to follow.
    pub(super) async fn of(resolver: &dyn Resolve, host: &str) -> Self {
        let mut v6 = resolver.lookup(host, Family::V6);
        let mut v4 = resolver.lookup(host, Family::V4);
        let (first, found, other) = tokio::select! {
            biased;
            found = &mut v6 => (Family::V6, found, v4),
            found = &mut v4 => (Family::V4, found, v6),
        };
        if found.is_empty() {
            return Self { known: sorted(other.await, Vec::new()), late: None };
        }
        let mut other = other;
        match tokio::time::timeout(RESOLUTION_DELAY, &mut other).await {
            Ok(more) if first == Family::V6 => Self { known: sorted(found, more), late: None },
            Ok(more) => Self { known: sorted(more, found), late: None },
            Err(_) => Self { known: sorted(found, Vec::new()), late: Some(other) },
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Keeps the addresses that may be dialled, also of the family that is still being looked up. If none of the others
    /// may be, it is waited for. False: addresses were found, and none of them may be dialled.
    pub(super) async fn permit(&mut self, permits: impl Fn(IpAddr) -> bool + 'static) -> bool {
        let mut some = !self.known.is_empty();
        self.known.retain(|address| permits(*address));
        let late = self.late.take().map(|late| async move {
            let mut found = late.await;
            let some = !found.is_empty();
            found.retain(|address| permits(*address));
            (some, found)
        });
        match late {
            Some(late) if self.known.is_empty() => {
                let (some_late, found) = late.await;
                some |= some_late;
                self.known.extend(found.into_iter().take(FAMILY_MAX));
            }
            late => self.late = late.map(|late| Box::pin(async move { late.await.1 }) as LateAddresses),
        }
        !(some && self.known.is_empty())
    }

    /// The first connection that is made, or the error of the last attempt. `spare` permits an attempt beside the first
    /// one, until what it returns is dropped.
    pub(super) async fn connect<T, S, F>(
        self,
        connect: impl Fn(IpAddr) -> F,
        spare: impl Fn() -> Option<S>,
    ) -> io::Result<T>
    where
        F: Future<Output = io::Result<T>>,
    {
        self.connect_within(connect, spare, (ATTEMPT_DELAY, GIVEN_UP_AFTER)).await
    }

    /// With these times between attempts, and until one is given up.
    pub(super) async fn connect_within<T, S, F>(
        mut self,
        connect: impl Fn(IpAddr) -> F,
        spare: impl Fn() -> Option<S>,
        (delay, given_up_after): (Duration, Duration),
    ) -> io::Result<T>
    where
        F: Future<Output = io::Result<T>>,
    {
        let (mut own, mut beside) = (None, FuturesUnordered::new());
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        loop {
            let may_replace = own.as_ref().is_none_or(|(until, _)| Instant::now() >= *until);
            let spare = if own.is_none() || self.known.is_empty() { None } else { spare() };
            if (spare.is_some() || may_replace)
                && let Some(address) = self.known.pop_front()
            {
                let attempt = Box::pin(connect(address));
                match spare {
                    Some(spare) => beside.push(attempt.inspect(move |_| drop(spare))),
                    None => own = Some((Instant::now() + given_up_after, attempt)),
                }
            }
            if own.is_none() && beside.is_empty() && self.late.is_none() {
                return Err(last);
            }
            // Until an attempt fails, its delay is over, or another address is known.
            let has_more = !self.known.is_empty();
            tokio::select! {
                biased;
                connected = of_own(&mut own) => match connected {
                    Ok(connection) => return Ok(connection),
                    Err(error) => (own, last) = (None, error),
                },
                Some(connected) = beside.next(), if !beside.is_empty() => match connected {
                    Ok(connection) => return Ok(connection),
                    Err(error) => last = error,
                },
                found = arrive(&mut self.late), if self.late.is_some() => {
                    self.late = None;
                    self.known.extend(found.into_iter().take(FAMILY_MAX));
                }
                () = tokio::time::sleep(delay), if has_more => {}
            }
        }
    }
}

async fn of_own<F: Future>(own: &mut Option<(Instant, Pin<Box<F>>)>) -> F::Output {
    match own {
        Some((_, attempt)) => attempt.await,
        None => pending().await,
    }
}

async fn arrive(late: &mut Option<LateAddresses>) -> Vec<IpAddr> {
    match late {
        Some(late) => late.await,
        None => pending().await,
    }
}

/// Interleaved, IPv6 first (section 4).
fn sorted(v6: Vec<IpAddr>, v4: Vec<IpAddr>) -> VecDeque<IpAddr> {
    let (mut v6, mut v4) = (v6.into_iter().take(FAMILY_MAX), v4.into_iter().take(FAMILY_MAX));
    let mut sorted = VecDeque::new();
    loop {
        let before = sorted.len();
        sorted.extend(v6.next());
        sorted.extend(v4.next());
        if sorted.len() == before {
            return sorted;
        }
    }
}
