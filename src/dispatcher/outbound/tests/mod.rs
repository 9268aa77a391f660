//! The outlet against receivers that are scripted byte by byte. All of them are on loopback.

mod connecting;
mod exchanges;
mod plan;
mod receiver;
mod sequences;

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::HeaderValue;

use super::resolve::{Family, Resolve, Resolver};
use super::{Outbound, Outlet, OwnAddresses};
use crate::config::{Config, Dispatch};
use crate::dispatcher::attempt::attempt;
use crate::model::delivery::{Delivery, WebhookId};
use crate::model::id::AccountId;
use crate::model::outcome::Outcome;
use crate::model::target::Target;

/// Longer than anything takes, even on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// The default settings, with loopback allowed and this change.
fn settings(change: impl FnOnce(&mut Dispatch)) -> Dispatch {
    let mut settings = Config::from_layers(None, []).expect("the defaults").dispatch;
    settings.egress.allow_networks = vec!["127.0.0.0/8".parse().expect("a network")];
    settings.attempt_timeout = LONG;
    change(&mut settings);
    settings
}

/// The result of one look-up: addresses, or `None` if it never ends.
type Found = Option<Vec<IpAddr>>;

/// A resolver whose results change from one look-up to the next.
#[derive(Default)]
struct Scripted {
    v4: RefCell<Vec<Found>>,
    asked: RefCell<Vec<Family>>,
}

impl Scripted {
    /// The results for IPv4, in order; the last one is repeated. IPv6 has none.
    fn new(addresses: &[Option<&[&str]>]) -> Rc<Self> {
        let read = |addresses: &[&str]| addresses.iter().map(|text| text.parse().expect("an address")).collect();
        let mut v4: Vec<Found> = addresses.iter().map(|found| found.map(read)).collect();
        v4.reverse();
        Rc::new(Self { v4: RefCell::new(v4), asked: RefCell::default() })
    }
}

impl Resolve for Scripted {
    fn lookup(&self, _: &str, family: Family) -> LocalBoxFuture<'static, Vec<IpAddr>> {
        self.asked.borrow_mut().push(family);
        if family == Family::V6 {
            return Box::pin(async { Vec::new() });
        }
        let mut v4 = self.v4.borrow_mut();
        let found = if v4.len() > 1 { v4.pop() } else { v4.last().cloned() };
        match found.expect("an address list") {
            Some(addresses) => Box::pin(async move { addresses }),
            None => Box::pin(std::future::pending()),
        }
    }
}

fn target(url: &str) -> Arc<Target> {
    Arc::new(Target::read(url, &[], Vec::new()).expect("a target"))
}

fn outlet(settings: &Dispatch, resolver: &Rc<Scripted>, target: &Target) -> Outlet {
    let resolver: Resolver = Rc::clone(resolver) as Resolver;
    let outbound = Outbound::new(settings, OwnAddresses::default()).expect("TLS");
    outbound.on_thread(resolver).outlet(&target.destination, &AccountId::default_account())
}

/// One POST with this body.
async fn post(outlet: &Outlet, target: &Arc<Target>, body: impl Into<Bytes>) -> (Outcome, Option<u16>) {
    let delivery = Delivery {
        target: Arc::clone(target),
        webhook_id: WebhookId::Read(HeaderValue::from_static("msg_1")),
        content_type: HeaderValue::from_static("text/plain"),
        body: body.into(),
        firing: None,
        hops: 1,
    };
    attempt(outlet, &delivery, Instant::now(), &outlet.seat(Rc::default())).await
}
