//! From a name to a connection: refused addresses, look-ups whose result changes, and the race.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use super::receiver::Receiver;
use super::{Scripted, outlet, post, settings, target};
use crate::dispatcher::outbound::Outbound;
use crate::dispatcher::outbound::own::OwnAddresses;
use crate::dispatcher::outbound::race::Addresses;
use crate::dispatcher::outbound::resolve::Resolver;
use crate::dispatcher::outbound::resolve::{Family, Resolve};
use crate::flow::probe::soon;
use crate::model::id::AccountId;
use crate::model::outcome::Outcome;

use super::plan::{Numbers, Plan};

/// A plan that only responds.
fn plain(number: usize) -> Plan {
    (1..).map(|seed| Plan::new(&mut Numbers::new(seed), number)).find(Plan::is_plain).expect("one of them")
}

/// The name resolves to an internal address, then to the receiver, then to an internal address again: each connection
/// uses the result of its own look-up only.
#[actix_rt::test]
async fn a_lookup_that_changes_is_checked_each_time() {
    let (receiver, _done) = Receiver::start().await;
    let url = receiver.url().replace("127.0.0.1", "receiver.example");
    let inside: &[&str] = &["10.0.0.1", "169.254.169.254"];
    let outside: &[&str] = &["127.0.0.1"];
    let mixed: &[&str] = &["10.0.0.1", "127.0.0.1", "192.168.0.1"];
    let addresses = [inside, outside, inside, mixed, &[][..], outside];
    let resolver = Scripted::new(&addresses.map(Some));
    let target = target(&url);
    // No connection is reused.
    let settings = settings(|own| own.keep_alive = std::time::Duration::ZERO);
    let outlet = outlet(&settings, &resolver, &target);
    let expected = [
        Outcome::AddressRefused,
        Outcome::Delivered,
        Outcome::AddressRefused,
        Outcome::Delivered,
        Outcome::Resolve,
        Outcome::Delivered,
    ];
    for (number, expected) in expected.into_iter().enumerate() {
        receiver.expect(number, plain(number));
        let (outcome, _) = post(&outlet, &target, format!("{number}!")).await;
        assert_eq!(outcome, expected, "look-up {number}");
        assert_eq!(resolver.asked.borrow().len(), (number + 1) * 2, "one look-up for each family and no more");
    }
    assert_eq!(receiver.connections(), 3);
}

#[actix_rt::test]
async fn own_addresses_and_refused_ports_are_not_dialled() {
    let (receiver, _done) = Receiver::start().await;
    let target_of_own = target(&receiver.url());
    let port = target_of_own.destination.port;
    let resolver: Resolver = Scripted::new(&[Some(&["127.0.0.1"])]) as Resolver;
    let own = OwnAddresses(vec![std::net::SocketAddr::from(([0, 0, 0, 0], port))]);
    let outlets = Outbound::new(&settings(|_| {}), own).expect("TLS").on_thread(resolver);
    for url in [receiver.url(), receiver.url().replace("127.0.0.1", "receiver.example"), "http://127.0.0.1:25/".into()]
    {
        let target = target(&url);
        let outlet = outlets.outlet(&target.destination, &AccountId::default_account());
        assert_eq!(post(&outlet, &target, "0!").await, (Outcome::AddressRefused, None), "{url}");
    }
    assert_eq!(receiver.connections(), 0);
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().expect("an address")).collect()
}

/// A number of turns that takes longer than one family waits for the other.
const LATE: usize = usize::MAX;

/// Each family resolves after this many polls of the runtime, or never.
struct Turns {
    v6: (Option<usize>, Vec<IpAddr>),
    v4: (Option<usize>, Vec<IpAddr>),
}

impl Resolve for Turns {
    fn lookup(&self, _: &str, family: Family) -> LocalBoxFuture<'static, Vec<IpAddr>> {
        let (turns, found) = if family == Family::V6 { self.v6.clone() } else { self.v4.clone() };
        Box::pin(async move {
            let Some(turns) = turns else { return std::future::pending().await };
            if turns == LATE {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                return found;
            }
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            found
        })
    }
}

/// What is left of the addresses, if only those that begin with 8 or 2a may be dialled: whether some may be, and which.
async fn permitted(resolver: Turns) -> (bool, Vec<IpAddr>) {
    let mut found = Addresses::of(&resolver, "h.example").await;
    let permitted = found.permit(|address| address.to_string().starts_with(['8', '2'])).await;
    let tried = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&tried);
    let refused = found.connect(
        move |address| {
            noted.borrow_mut().push(address);
            async { Err::<(), _>(io::ErrorKind::ConnectionRefused.into()) }
        },
        || None::<()>,
    );
    assert!(refused.await.is_err());
    (permitted, tried.take())
}

/// Where all addresses of one family are refused, the other family is waited for before that is the outcome.
#[actix_rt::test]
async fn a_late_family_decides_where_the_other_one_is_refused() {
    let now = |texts: &[&str]| (Some(0), addresses(texts));
    let late = |texts: &[&str]| (Some(LATE), addresses(texts));
    for (v6, v4, some, left) in [
        (late(&[]), now(&["10.0.0.5"]), false, &[][..]),
        (late(&["fd00::5"]), now(&["10.0.0.5"]), false, &[]),
        (late(&["2a00::1"]), now(&["10.0.0.5"]), true, &["2a00::1"]),
        (late(&["fd00::5"]), now(&["10.0.0.5", "8.8.8.1"]), true, &["8.8.8.1"]),
        (now(&["fd00::5"]), late(&["8.8.8.1", "10.0.0.5"]), true, &["8.8.8.1"]),
        (late(&["fd00::5"]), now(&[]), false, &[]),
        (now(&[]), now(&[]), true, &[]),
    ] {
        let case = format!("{v6:?}, {v4:?}");
        assert_eq!(permitted(Turns { v6, v4 }).await, (some, addresses(left)), "{case}");
    }
    let pending = permitted(Turns { v6: (None, Vec::new()), v4: now(&["10.0.0.5"]) });
    let waits = tokio::time::timeout(std::time::Duration::from_millis(200), pending).await;
    assert!(waits.is_err(), "the look-up is what is waited for");
}

/// Races the resolved addresses: those that end with 1 connect, with 2 refuse, with 3 hang.
async fn race(resolver: Turns) -> (Result<IpAddr, io::ErrorKind>, Vec<IpAddr>) {
    let tried = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&tried);
    let found = Addresses::of(&resolver, "h.example").await;
    let connected = found.connect(
        move |address| {
            noted.borrow_mut().push(address);
            async move {
                match address.to_string().chars().last() {
                    Some('1') => Ok(address),
                    Some('2') => Err(io::ErrorKind::ConnectionRefused.into()),
                    _ => std::future::pending().await,
                }
            }
        },
        || Some(()),
    );
    let connected = connected.await.map_err(|error| error.kind());
    let tried = tried.borrow().clone();
    (connected, tried)
}

/// Counts what lives at the same time.
#[derive(Clone, Default)]
struct Living(Rc<Cell<(usize, usize)>>);

struct One(Living);

impl Living {
    fn one(&self) -> One {
        let (now, most) = self.0.get();
        self.0.set((now + 1, most.max(now + 1)));
        One(self.clone())
    }
}

impl Drop for One {
    fn drop(&mut self) {
        let (now, most) = self.0.0.get();
        self.0.0.set((now - 1, most));
    }
}

/// A name with as many addresses as are tried, of which only the last one responds.
#[actix_rt::test]
async fn addresses_that_do_not_respond_hold_few_sockets_and_hide_none_behind_them() {
    for spares_max in [0, 2, 100] {
        let all =
            |family: &str| (1..=8).map(|number| format!("{family}{number}").parse().expect("an address")).collect();
        let last: IpAddr = "8.8.8.8".parse().expect("an address");
        let found =
            Addresses::of(&Turns { v6: (Some(0), all("2a00::")), v4: (Some(0), all("8.8.8.")) }, "h.example").await;
        let (attempts, spares) = (Living::default(), Living::default());
        let connect = |address| {
            let attempts = attempts.clone();
            async move {
                let _attempt = attempts.one();
                if address == last { Ok(address) } else { std::future::pending().await }
            }
        };
        let spare = || (spares.0.get().0 < spares_max).then(|| spares.one());
        let times = [1, 5].map(Duration::from_millis).into();
        let connected = soon(found.connect_within(connect, spare, times)).await;
        assert_eq!(connected.expect("a connection"), last);
        assert_eq!(attempts.0.get(), (0, 16.min(spares_max + 1)));
        assert_eq!(spares.0.get(), (0, 15.min(spares_max)));
    }
}

#[actix_rt::test]
async fn both_families_race_ipv6_first() {
    let now = |texts: &[&str]| (Some(0), addresses(texts));
    let later = |texts: &[&str]| (Some(3), addresses(texts));
    let never = || (None, Vec::new());
    // A name with very many addresses leads to few attempts, also of the family that comes late.
    let many = || (0..200).map(|n| format!("8.8.{n}.2").parse().expect("an address")).collect::<Vec<IpAddr>>();
    for v4 in [(Some(0), many()), (Some(LATE), many())] {
        let (connected, tried) = race(Turns { v6: now(&["2a00::2"]), v4 }).await;
        assert_eq!((connected.is_err(), tried.len()), (true, 9), "{tried:?}");
    }
    for (v6, v4, winner, tried) in [
        (now(&["2a00::1"]), now(&["8.8.8.1"]), Ok("2a00::1"), &["2a00::1"][..]),
        (later(&["2a00::1"]), now(&["8.8.8.1"]), Ok("2a00::1"), &["2a00::1"]),
        (now(&["2a00::2"]), now(&["8.8.8.1"]), Ok("8.8.8.1"), &["2a00::2", "8.8.8.1"]),
        (now(&["2a00::3"]), now(&["8.8.8.1"]), Ok("8.8.8.1"), &["2a00::3", "8.8.8.1"]),
        (never(), now(&["8.8.8.1"]), Ok("8.8.8.1"), &["8.8.8.1"]),
        (now(&[]), later(&["8.8.8.1"]), Ok("8.8.8.1"), &["8.8.8.1"]),
        (now(&["2a00::2"]), never(), Err(()), &["2a00::2"]),
        (
            now(&["2a00::2", "2a00::12"]),
            now(&["8.8.8.2", "8.8.8.12"]),
            Err(()),
            &["2a00::2", "8.8.8.2", "2a00::12", "8.8.8.12"],
        ),
    ] {
        let hangs = winner.is_err() && v4.0.is_none();
        let racing = tokio::time::timeout(std::time::Duration::from_secs(2), race(Turns { v6, v4 }));
        let Ok((connected, order)) = racing.await else {
            assert!(hangs, "{tried:?} takes too long");
            continue;
        };
        assert_eq!(order, addresses(tried));
        assert_eq!(connected.ok(), winner.ok().map(|text| text.parse().expect("an address")), "{tried:?}");
    }
}
