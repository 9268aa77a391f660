//! Happy eyeballs (RFC 8305): addresses of both families are looked up at the same time, interleaved, and tried one
//! after the other with a short delay between them, until the first connection is made.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

use super::resolve::{Family, Resolve};

/// How long the addresses of one family wait for the other family (section 8: Resolution Delay).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// How long an attempt runs before the next address is tried beside it (section 8: Connection Attempt Delay).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// How many addresses of one family are tried: more would only delay the outcome.
const FAMILY_MAX: usize = 8;

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

    /// The first connection that is made, or the error of the last attempt.
    pub(super) async fn connect<T, F>(self, connect: impl Fn(IpAddr) -> F) -> io::Result<T>
    where
        F: Future<Output = io::Result<T>>,
    {
        self.connect_with(connect, ATTEMPT_DELAY).await
    }

    async fn connect_with<T, F>(mut self, connect: impl Fn(IpAddr) -> F, delay: Duration) -> io::Result<T>
    where
        F: Future<Output = io::Result<T>>,
    {
        let mut attempts = FuturesUnordered::new();
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        loop {
            if let Some(address) = self.known.pop_front() {
                attempts.push(connect(address));
            } else if attempts.is_empty() && self.late.is_none() {
                return Err(last);
            }
            // Until an attempt fails, its delay is over, or another address is known.
            let has_more = !self.known.is_empty();
            tokio::select! {
                biased;
                Some(connected) = attempts.next(), if !attempts.is_empty() => match connected {
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
