//! The last stage alone: one Dispatcher with a probe as its parent, and Dispatchers without the stages before them.
//! Behind them is a socket that responds when the test says so.

use std::sync::Arc;

use actix::Addr;
use http::HeaderValue;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::outbound::{OwnAddresses, system_resolver};
use super::*;
use crate::config::{Config, Dispatch};
use crate::flow::fairness::Pool;
use crate::flow::gate::Gate;
use crate::flow::in_flight::{InFlight, InFlightParts};
use crate::flow::messages::DeliveriesRendered;
use crate::flow::permit::{Admission, Permit};
use crate::flow::probe::{Probe, soon};
use crate::flow::response::Receipt;
use crate::model::delivery::{Delivery, WebhookId};
use crate::model::id::AccountId;
use crate::model::outcome::{DropReason, FiringReport, Outcome};
use crate::model::target::Target;
use crate::telemetry::metrics::{Metrics, ThreadDeliveries};
use bounds::DestinationBounds;
use connections::DestinationConnections;

/// The default settings, with loopback allowed and this change.
pub(super) fn config(change: impl FnOnce(&mut Dispatch)) -> Dispatch {
    let mut config = Config::from_layers(None, []).expect("the defaults").dispatch;
    config.threads = 1;
    config.egress.allow_networks = vec!["127.0.0.0/8".parse().expect("a network")];
    change(&mut config);
    config
}

/// A receiver: reads one request at a time and responds when it is told to.
struct Port(TcpListener);

impl Port {
    async fn open() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    fn destination(&self) -> Destination {
        Destination::of(&self.url()).expect("a destination")
    }

    fn url(&self) -> url::Url {
        let address = self.0.local_addr().expect("bound");
        url::Url::parse(&format!("http://{address}/hook")).expect("a URL")
    }

    fn target(&self) -> Arc<Target> {
        Arc::new(Target::read(self.url().as_str(), &[], Vec::new()).expect("a target"))
    }

    /// The next connection, with the body of its first request.
    async fn request(&self) -> (TcpStream, String) {
        let (stream, _) = soon(self.0.accept()).await.expect("a connection");
        let body = next_request(&stream).await;
        (stream, body)
    }
}

/// Reads a request whose body is one word that ends with `!`.
async fn next_request(stream: &TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"!") {
        soon(stream.readable()).await.expect("open");
        let mut part = [0; 1_024];
        if let Ok(read) = stream.try_read(&mut part) {
            assert!(read > 0, "it ended");
            request.extend_from_slice(&part[..read]);
        }
    }
    let request = String::from_utf8(request).expect("UTF-8");
    request.rsplit("\r\n").next().expect("a body").to_owned()
}

async fn respond(stream: &TcpStream, status: u16) {
    stream.writable().await.expect("open");
    let response = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(stream.try_write(response.as_bytes()).expect("written"), response.len());
}

struct Alone {
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
}

/// As its parent holds it.
struct OneDispatcher {
    address: Addr<Dispatcher>,
    queue: Rc<Queue>,
}

impl Alone {
    fn new() -> Self {
        Self { gate: Gate::for_events(100), metrics: Arc::new(Metrics::new()) }
    }

    fn dispatcher(&self, port: &Port, config: &Dispatch) -> (OneDispatcher, mpsc::UnboundedReceiver<IdleReport>) {
        let (parent, said) = Probe::start();
        let resolver = Rc::new(system_resolver().expect("a resolver"));
        let outbound = Outbound::new(config, OwnAddresses::default()).expect("TLS");
        let outlet = outbound.on_thread(resolver).outlet(&port.destination(), &AccountId::default_account());
        let pool = Pool::new(10_000, 1);
        let connections = DestinationConnections::new(&pool, config.connections_per_destination, config.keep_alive);
        let (bounds, gate) = (DestinationBounds::new(config, None), Arc::clone(&self.gate));
        let queue = Queue::new(port.destination(), bounds, (outlet, connections), self.metrics(), gate, None);
        let dispatcher = Dispatcher {
            destination: port.destination(),
            generation: 7,
            queue: Rc::clone(&queue),
            idle_after: config.idle_destination,
            parent,
        };
        (OneDispatcher { address: dispatcher.start(), queue }, said)
    }

    /// For a queue.
    fn metrics(&self) -> (Arc<Metrics>, Rc<ThreadDeliveries>) {
        (Arc::clone(&self.metrics), Rc::new(self.metrics.deliveries.of_thread()))
    }

    fn dispatchers(&self, config: Dispatch, mailbox_capacity: usize) -> Addr<Dispatchers> {
        self.dispatchers_with(Pool::new(10_000, 1), config, mailbox_capacity)
    }

    fn dispatchers_with(&self, connections: Pool<()>, config: Dispatch, mailbox_capacity: usize) -> Addr<Dispatchers> {
        let settings = self.settings(connections, config, mailbox_capacity);
        Dispatchers::start_on(&actix::Arbiter::current(), settings).expect("a resolver")
    }

    fn settings(&self, connections: Pool<()>, config: Dispatch, mailbox_capacity: usize) -> DispatchSettings {
        DispatchSettings {
            outbound: Outbound::new(&config, OwnAddresses::default()).expect("TLS"),
            config: Arc::new(config),
            metrics: Arc::clone(&self.metrics),
            gate: Arc::clone(&self.gate),
            connections: Arc::new(connections),
            mailbox_capacity,
            takes_max: None,
            journal: None,
        }
    }

    fn queued(&self, port: &Port, word: &str) -> (InFlight, oneshot::Receiver<FiringReport>) {
        self.queued_for(&port.target(), word)
    }

    fn queued_for(&self, target: &Arc<Target>, word: &str) -> (InFlight, oneshot::Receiver<FiringReport>) {
        let (report, reported) = oneshot::channel();
        let delivery = Delivery {
            firing: None,
            target: Arc::clone(target),
            webhook_id: WebhookId::Read(HeaderValue::from_static("msg_1")),
            content_type: HeaderValue::from_static("text/plain"),
            body: format!("{word}!").into(),
            hops: 1,
        };
        let account = self.gate.account(&AccountId::default_account()).deliver(delivery.body.len());
        let accepted_at = Instant::now();
        let (permit, claim, journaled, is_test, report) = (None, None, None, false, Some(report));
        let parts = InFlightParts { account, is_test, delivery, accepted_at, permit, claim, journaled, report };
        (InFlight::new(parts), reported)
    }

    /// An event's permit, and the receiver that is told when it is released.
    fn admission(&self) -> (Admission, oneshot::Receiver<crate::flow::response::EventsResponse>) {
        let (tell, response) = oneshot::channel();
        let receipt = Receipt { accepted: 1, rejected: Vec::new(), rejected_more: Default::default() };
        (Arc::new(self.gate.admit_default(1, Ok(receipt), tell).expect("room")), response)
    }
}

fn outcome(report: FiringReport) -> Outcome {
    match report {
        FiringReport::Attempted { outcome, .. } => outcome,
        FiringReport::Dropped(reason) => panic!("dropped: {reason:?}"),
    }
}

#[actix_rt::test]
async fn a_dispatcher_sends_at_once_and_reports_the_outcome() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let (dispatcher, _said) = alone.dispatcher(&port, &config(|_| {}));
    let (mut queued, reported) = alone.queued(&port, "one");
    let (admission, responded) = alone.admission();
    queued.permit = Some(Permit::Request(admission, alone.gate.charge_default()));
    dispatcher.queue.take(vec![queued]);
    let (stream, body) = port.request().await;
    assert_eq!(body, "one!");
    assert!(soon(responded).await.is_ok(), "the permit is released when the attempt begins, not when it ends");
    assert_eq!(
        (alone.gate.events(), alone.gate.deliveries(), alone.metrics.deliveries.attempts_in_flight.get()),
        (0, 1, 1)
    );
    respond(&stream, 202).await;
    assert_eq!(outcome(soon(reported).await.expect("a report")), Outcome::Delivered);
    assert_eq!((alone.gate.deliveries(), alone.metrics.deliveries.attempts_in_flight.get()), (0, 0));
    assert_eq!(alone.metrics.deliveries.attempts.get(Outcome::Delivered), 1);
}

/// Deliveries that are queued behind attempts that don't end hold no permits.
#[actix_rt::test]
async fn a_stalled_destination_delays_no_producer() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let config = config(|own| {
        own.connections_per_destination = 1;
        own.stalled_after = Duration::from_millis(2);
    });
    let (dispatcher, _said) = alone.dispatcher(&port, &config);
    let (first, _) = alone.queued(&port, "first");
    let (mut waiting, _) = alone.queued(&port, "second");
    let (admission, responded) = alone.admission();
    waiting.permit = Some(Permit::Request(admission, alone.gate.charge_default()));
    dispatcher.queue.take(vec![first, waiting]);
    let (stream, _) = port.request().await;
    soon(responded).await.expect("a response").expect("it was accepted");
    assert_eq!((alone.gate.events(), alone.gate.deliveries()), (0, 2));
    respond(&stream, 200).await;
    assert_eq!(next_request(&stream).await, "second!");
}

/// Once its queue moves quickly, it paces producers again, although the queue is not empty.
#[actix_rt::test]
async fn a_destination_that_stalled_for_a_moment_catches_up() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let config = config(|own| {
        own.connections_per_destination = 1;
        own.stalled_after = Duration::from_millis(500);
        own.behind_after = Duration::from_secs(60);
    });
    let (dispatcher, _said) = alone.dispatcher(&port, &config);
    let (mut queued, mut responses) = (Vec::new(), Vec::new());
    for word in ["first", "second", "third", "fourth"] {
        let (admission, responded) = alone.admission();
        let (mut one, _) = alone.queued(&port, word);
        one.permit = Some(Permit::Request(admission, alone.gate.charge_default()));
        queued.push(one);
        responses.push(responded);
    }
    let late = queued.pop().expect("four");
    dispatcher.queue.take(queued);
    let (stream, _) = port.request().await;
    assert!(soon(&mut responses[2]).await.is_ok(), "a stalled destination delays no producer");
    respond(&stream, 200).await;
    assert_eq!(next_request(&stream).await, "second!");
    respond(&stream, 200).await;
    assert_eq!(next_request(&stream).await, "third!");
    dispatcher.queue.take(vec![late]);
    assert_eq!(alone.gate.events(), 1, "the queued delivery holds its permit");
    respond(&stream, 200).await;
    assert_eq!(next_request(&stream).await, "fourth!");
    soon(&mut responses[3]).await.expect("a response").expect("it was accepted");
}

/// It works until it is told to stop.
#[actix_rt::test]
async fn an_idle_dispatcher_reports_it_and_waits_for_the_stop() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let (dispatcher, mut said) =
        alone.dispatcher(&port, &config(|own| own.idle_destination = Duration::from_millis(1)));
    let idle = soon(said.recv()).await.expect("said");
    assert_eq!((idle.destination, idle.generation), (port.destination(), 7));
    let (queued, reported) = alone.queued(&port, "one");
    dispatcher.queue.take(vec![queued]);
    let (stream, _) = port.request().await;
    while said.try_recv().is_ok() {}
    respond(&stream, 200).await;
    soon(reported).await.expect("a report");
    soon(said.recv()).await.expect("said");
    dispatcher.address.send(StopIdle).await.expect("it lives");
    let gone = async {
        while dispatcher.address.connected() {
            tokio::task::yield_now().await;
        }
    };
    soon(gone).await;
}

/// When the others arrive, the Dispatcher that the first one starts has not run yet.
#[actix_rt::test]
async fn a_burst_to_a_new_destination_is_queued_completely() {
    const BURST: usize = 100;
    let (alone, port) = (Alone::new(), Port::open().await);
    let dispatchers = alone.dispatchers(config(|own| own.connections_per_destination = 1), BURST);
    let mut reports = Vec::new();
    for _ in 0..BURST {
        let (queued, reported) = alone.queued(&port, "one");
        dispatchers.do_send(DeliveriesRendered(vec![queued]));
        reports.push(reported);
    }
    let (stream, _) = port.request().await;
    for responded in 1..=BURST {
        respond(&stream, 200).await;
        if responded < BURST {
            next_request(&stream).await;
        }
    }
    for report in reports {
        assert_eq!(outcome(soon(report).await.expect("a report")), Outcome::Delivered);
    }
}

/// A report of idleness counts only if its Dispatcher is still idle, and is of the current generation.
#[actix_rt::test]
async fn only_a_dispatcher_that_is_idle_is_stopped() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let dispatchers = alone.dispatchers(config(|own| own.idle_destination = Duration::from_secs(2)), 16);
    let (queued, reported) = alone.queued(&port, "one");
    dispatchers.send(DeliveriesRendered(vec![queued])).await.expect("they live");
    let (stream, _) = port.request().await;
    let report = |generation| IdleReport { destination: port.destination(), generation };
    dispatchers.send(report(1)).await.expect("they live");
    assert_eq!(alone.metrics.deliveries.destinations.get(), 1, "it waits for a response");
    respond(&stream, 200).await;
    soon(reported).await.expect("a report");
    for generation in [1, 2] {
        dispatchers.send(report(generation)).await.expect("they live");
        assert_eq!(alone.metrics.deliveries.destinations.get(), 1, "it was idle for a moment, or is another one");
    }
    // Its own report comes later. Its socket was closed with it.
    let ended = async {
        while !matches!(stream.try_read(&mut [0; 16]), Ok(0)) {
            stream.readable().await.expect("open");
        }
    };
    soon(ended).await;
    assert_eq!(alone.metrics.deliveries.destinations.get(), 0);
    // The next one is new.
    let (queued, reported) = alone.queued(&port, "two");
    dispatchers.send(DeliveriesRendered(vec![queued])).await.expect("they live");
    let (stream, body) = port.request().await;
    assert_eq!((body.as_str(), alone.metrics.deliveries.destinations.get()), ("two!", 1));
    respond(&stream, 200).await;
    assert_eq!(outcome(soon(reported).await.expect("a report")), Outcome::Delivered);
}

mod fair;
mod kept;
mod parked;
mod turns;
