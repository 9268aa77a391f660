//! The Renderer alone: given firings before it, a probe for each dispatch thread behind it.

mod background;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as blocking;
use std::time::Duration;

use http::HeaderValue;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::config::Config;
use crate::dictionary::Dictionary;
use crate::flow::account::{AccountShares, NodeBounds};
use crate::flow::event_data::EventData;
use crate::flow::late::Late;
use crate::flow::messages::{LiveTarget, LiveTemplate};
use crate::flow::probe::{Probe, soon};
use crate::flow::response::{EventsResponse, Receipt};
use crate::model::event::{Event, EventIdentity, EventType};
use crate::model::id::{AccountId, TemplateId, TriggerId};
use crate::model::outcome::FiringReport;
use crate::model::target::Target;
use crate::model::template::Format;
use crate::templating;

/// A given list of firings.
#[derive(Debug)]
struct Given {
    account: Arc<AccountShares>,
    firings: std::vec::IntoIter<Firing>,
}

impl Firings for Given {
    fn account(&self) -> &Arc<AccountShares> {
        &self.account
    }

    fn are_few(&self) -> bool {
        self.firings.len() == 1
    }

    fn is_done(&self) -> bool {
        self.firings.len() == 0
    }

    fn step(&mut self) -> FiringStep {
        self.firings.next().map_or(FiringStep::Done, FiringStep::Fired)
    }
}

struct Alone {
    background: Background<TurnKey>,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    pressure: Rc<Pressure>,
    renderer: InboxSender<FiringsMatched>,
}

impl Alone {
    fn start_before(next: NextStage) -> Self {
        let (gate, metrics) = (Gate::for_events(1_000), Arc::new(Metrics::new()));
        let pressure = Rc::new(Pressure::new(1));
        let background = Background::new(1);
        let own = background.clone();
        let renderer = Renderer::start(Arc::clone(&gate), Arc::clone(&metrics), next, Rc::clone(&pressure), own);
        Self { background, gate, metrics, pressure, renderer }
    }

    fn start() -> (Self, mpsc::UnboundedReceiver<DeliveriesRendered>) {
        let (probe, passed) = Probe::start();
        (Self::start_before(NextStage::Dispatchers(vec![probe])), passed)
    }

    async fn give(&self, firings: Vec<Firing>, admission: Option<Admission>) {
        self.give_of("default", firings, admission).await;
    }

    async fn give_of(&self, account: &str, firings: Vec<Firing>, admission: Option<Admission>) {
        let account = self.gate.account(&AccountId::new(account).expect("a name"));
        let firings = Box::new(Given { account, firings: firings.into_iter() });
        let message = FiringsMatched { firings, accepted_at: Instant::now(), admission };
        self.renderer.send(message).expect("it lives");
    }
}

/// Events of an account, and where the response to their request comes.
fn admission(gate: &Arc<Gate>, account: &str, events: usize) -> (Admission, oneshot::Receiver<EventsResponse>) {
    let account = gate.account(&AccountId::new(account).expect("a name"));
    let (tell, answer) = oneshot::channel();
    let receipt = Receipt { accepted: 1, rejected: Vec::new(), rejected_more: Default::default() };
    (Arc::new(gate.admit(smallvec::smallvec![(account, events)], Ok(receipt), tell).expect("room")), answer)
}

fn template(format: Format, body: &str) -> Option<Arc<LiveTemplate>> {
    let mut limits = Config::from_layers(None, []).expect("the defaults").templates;
    limits.output_bytes_max = 100;
    let checked = templating::compile(format, body, &Dictionary::shipped(), None, &limits);
    let compiled = checked.compiled.expect("a template");
    Some(Arc::new(LiveTemplate {
        id: TemplateId::new("t").expect("a name"),
        compiled: Late::ready(compiled),
        content_type: HeaderValue::from_static("a/b"),
        takes_long: AtomicBool::new(false),
    }))
}

/// The firing of the event with this id, whose data has the member `n`, by the trigger `t`.
fn firing(id: &str, host: &str, n: &serde_json::Value, template: Option<Arc<LiveTemplate>>) -> Firing {
    let target = Target::read(&format!("http://{host}/"), &[], Vec::new()).expect("a target");
    let event = Event {
        attributes: Default::default(),
        hops: 0,
        identity: EventIdentity::new(&AccountId::default_account(), &EventType::new("a").expect("a type"), "", id),
        id_given: false,
        time: "2026-07-01T15:00:00Z".into(),
        data: (&json!({"n": n})).into(),
    };
    Firing {
        event: Arc::new(EventData::of(event)),
        trigger: TriggerId::new("t").expect("a name"),
        target: Ok(LiveTarget { target: Arc::new(target), expressions: None }),
        template,
        charge: None,
        journaled: None,
        report: None,
    }
}

#[actix_rt::test]
async fn a_firing_becomes_a_body_that_is_ready_to_send() {
    let (alone, mut passed) = Alone::start();
    let body = template(Format::Json, "{\"n\":{{n}},\"id\":\"{{event.id}}\"}");
    let (admission, mut answer) = admission(&alone.gate, "default", 1);
    let mut given = firing("e\"1", "h", &json!("x\"y"), body);
    given.charge = Some(alone.gate.charge_default());
    alone.give(vec![given], Some(admission)).await;
    let DeliveriesRendered(mut deliveries) = soon(passed.recv()).await.expect("deliveries");
    let queued = deliveries.pop().expect("one");
    assert!(deliveries.is_empty());
    assert_eq!(queued.delivery.body, "{\"n\":\"x\\\"y\",\"id\":\"e\\\"1\"}");
    assert_eq!(queued.delivery.content_type, "a/b");
    let id = String::from_utf8_lossy(queued.delivery.webhook_id.as_bytes()).into_owned();
    assert!(id.len() == 36 && id.starts_with("msg_"), "{id}");
    assert_eq!((alone.gate.deliveries(), alone.metrics.deliveries.rendered.get()), (1, 1));
    assert!(answer.try_recv().is_err(), "the producer gets its response when the attempt begins");
    drop(queued);
    soon(answer).await.expect("a response").expect("it was accepted");
    assert_eq!((alone.gate.events(), alone.gate.deliveries()), (0, 0));
}

/// Where deliveries of its account wait, and have waited for a while, the response does not wait for the attempt. It does
/// where none waits, for large requests, and where the next stage has to keep the delivery first.
#[actix_rt::test]
async fn a_small_request_gets_its_response_when_it_is_rendered_where_others_wait() {
    type ToNext = fn(Recipient<DeliveriesRendered>) -> NextStage;
    let dispatchers: ToNext = |probe| NextStage::Dispatchers(vec![probe]);
    for (next, before, waiting, events, firings, responds_early) in [
        (dispatchers, 300, 40, 8, 1, true),
        (dispatchers, 200, 40, 1, 1, false),
        (dispatchers, 300, 0, 1, 1, false),
        (dispatchers, 300, 40, 1, 2, false),
        // It may fire for other accounts, too.
        (dispatchers, 300, 40, 9, 1, false),
        (NextStage::Publisher as ToNext, 300, 40, 1, 1, false),
    ] {
        let (probe, mut passed) = Probe::start();
        let alone = Alone::start_before(next(probe));
        let others: Vec<Charge> = (0..waiting).map(|_| alone.gate.charge_default()).collect();
        for _ in 0..before {
            alone.give(Vec::new(), None).await;
        }
        let (admission, mut answer) = admission(&alone.gate, "default", events);
        let text = template(Format::Text, "x");
        let given = (0..firings)
            .map(|_| Firing { charge: Some(alone.gate.charge_default()), ..firing("1", "h", &json!(1), text.clone()) });
        alone.give(given.collect(), Some(admission)).await;
        let mut deliveries = Vec::new();
        // On a busy machine they come in several messages.
        while deliveries.len() < firings {
            deliveries.extend(soon(passed.recv()).await.expect("deliveries").0);
        }
        assert_eq!(
            answer.try_recv().is_ok(),
            responds_early,
            "{before} before, {waiting} wait, {events} events, {firings} firings"
        );
        drop((deliveries, others));
        assert_eq!((alone.gate.events(), alone.gate.deliveries()), (0, 0));
    }
}

/// Otherwise small events could fill the memory with large bodies faster than those are sent.
#[actix_rt::test]
async fn nothing_is_rendered_while_too_much_waits_behind() {
    let (alone, mut passed) = Alone::start();
    alone.pressure.add(1);
    alone.give(vec![firing("1", "h", &json!(1), template(Format::Text, "x"))], None).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!((passed.try_recv().is_err(), alone.metrics.deliveries.rendered.get()), (true, 0));
    alone.pressure.sub(1);
    assert_eq!(soon(passed.recv()).await.expect("deliveries").0.len(), 1);
}

/// The id is public: it must be the same on every node and in every version.
#[actix_rt::test]
async fn an_events_webhook_id_never_changes() {
    let (alone, mut passed) = Alone::start();
    let ids = ["1", "1", "2"].map(|id| firing(id, "h", &json!(1), template(Format::Text, "x")));
    alone.give(ids.into(), None).await;
    let mut ids = Vec::new();
    // On a busy machine they come in several messages.
    while ids.len() < 3 {
        let DeliveriesRendered(deliveries) = soon(passed.recv()).await.expect("deliveries");
        ids.extend(
            deliveries
                .into_iter()
                .map(|queued| String::from_utf8_lossy(queued.delivery.webhook_id.as_bytes()).into_owned()),
        );
    }
    // From the SHA-256 of `default`, no source, `1` and `t`, each preceded by its length in eight bytes.
    assert_eq!(ids[..2], ["msg_e286032f6ece548322ce397661d38dfc"; 2]);
    assert_ne!(ids[2], ids[0]);
}

/// Firings of which each takes longer than a slice.
#[derive(Debug)]
struct Slow(Given);

impl Firings for Slow {
    fn account(&self) -> &Arc<AccountShares> {
        self.0.account()
    }

    fn step(&mut self) -> FiringStep {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        self.0.step()
    }
}

#[actix_rt::test]
async fn accounts_take_turns_by_time_and_each_keeps_its_order() {
    let (alone, mut passed) = Alone::start();
    let text = template(Format::Text, "{{event.id}}");
    let given = |account: &str, ids: &[&str]| {
        let firings = ids.iter().map(|id| firing(id, "h", &json!(1), text.clone())).collect::<Vec<_>>().into_iter();
        Given { account: alone.gate.account(&AccountId::new(account).expect("a name")), firings }
    };
    let slow: Box<dyn Firings> = Box::new(Slow(given("slow", &["1", "2", "3", "4", "5", "6"])));
    let quick: Box<dyn Firings> = Box::new(given("quick", &["a", "b", "c"]));
    for firings in [slow, quick] {
        let message = FiringsMatched { firings, accepted_at: Instant::now(), admission: None };
        alone.renderer.send(message).expect("it lives");
    }
    let mut ids = Vec::new();
    while ids.len() < 9 {
        let DeliveriesRendered(deliveries) = soon(passed.recv()).await.expect("deliveries");
        let bodies = deliveries.into_iter().map(|queued| String::from_utf8(queued.delivery.body.to_vec()));
        ids.extend(bodies.map(|body| body.expect("UTF-8")));
    }
    let quick: Vec<usize> = ["a", "b", "c"].iter().filter_map(|id| ids.iter().position(|own| own == id)).collect();
    assert!(quick[2] <= 5 && quick.is_sorted(), "the quick account waits for at most two units of the other: {ids:?}");
    ids.retain(|id| id.parse::<u8>().is_ok());
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6"]);
}

#[actix_rt::test]
async fn a_panic_costs_its_firing_only() {
    let (alone, mut passed) = Alone::start();
    let text = template(Format::Text, "{{event.id}}");
    let (report, reported) = oneshot::channel();
    let mut first = firing("1", "h", &json!(1), text.clone());
    first.report = Some(report);
    drill::panic_at(drill::Stage::Renderer);
    alone.give(vec![first, firing("2", "h", &json!(1), text)], None).await;
    assert_eq!(soon(reported).await.expect("a report"), FiringReport::Dropped(DropReason::Panic));
    let DeliveriesRendered(deliveries) = soon(passed.recv()).await.expect("deliveries");
    assert_eq!(deliveries.iter().map(|queued| &queued.delivery.body[..]).collect::<Vec<_>>(), [b"2"]);
    assert_eq!((alone.metrics.deliveries.dropped.get(DropReason::Panic), alone.gate.deliveries()), (1, 1));
}

/// Deliveries that have not begun are charged. Deliveries over the account's bytes wait; other accounts continue.
#[actix_rt::test]
async fn an_account_over_its_bytes_waits_and_others_continue() {
    let (probe, mut passed) = Probe::start();
    let bounds = NodeBounds { events: 10, deliveries: 10_000, bytes: 90_000, events_per_s: None };
    let (gate, metrics) = (Gate::new(bounds, 1), Arc::new(Metrics::new()));
    let pressure = Rc::new(Pressure::new(usize::MAX));
    let next = NextStage::Dispatchers(vec![probe]);
    let renderer = Renderer::start(Arc::clone(&gate), Arc::clone(&metrics), next, pressure, Background::new(1));
    let text = template(Format::Text, "{{event.id}}");
    for (account, firings) in [("flood", 1_000), ("other", 1)] {
        let admission = Some(admission(&gate, account, 1).0);
        let account = gate.account(&AccountId::new(account).expect("a name"));
        let firings: Vec<Firing> = (0..firings)
            .map(|_| Firing { charge: Some(gate.charge_default()), ..firing("1", "h", &json!(1), text.clone()) })
            .collect();
        let firings = Box::new(Given { account, firings: firings.into_iter() });
        renderer.send(FiringsMatched { firings, accepted_at: Instant::now(), admission }).expect("it lives");
    }
    let mut held: Vec<InFlight> = Vec::new();
    // 8 of 9 parts, at 512 bytes and a body of one byte each.
    while held.len() < 150 || !held.iter().any(|queued| queued.account.id.as_str() == "other") {
        held.extend(soon(passed.recv()).await.expect("deliveries").0);
    }
    assert!(held.len() <= 157, "{}", held.len());
    assert!(gate.delivery_bytes() <= 90_000, "{}", gate.delivery_bytes());
    let mut all = 0;
    while all + held.len() < 1_001 {
        all += held.len();
        held.clear();
        held.extend(soon(passed.recv()).await.expect("the rest").0);
    }
}

#[actix_rt::test]
async fn a_firing_without_a_body_is_dropped_and_counted() {
    let (alone, mut passed) = Alone::start();
    let text = template(Format::Text, "{{n}}");
    let (report, reported) = oneshot::channel();
    let mut long = firing("1", "h", &json!("x".repeat(101)), text.clone());
    long.report = Some(report);
    alone.give(vec![long, firing("2", "h", &json!(1), None), firing("3", "h", &json!("good"), text)], None).await;
    let DeliveriesRendered(deliveries) = soon(passed.recv()).await.expect("deliveries");
    assert_eq!(deliveries.iter().map(|queued| &queued.delivery.body[..]).collect::<Vec<_>>(), [b"good"]);
    assert_eq!(soon(reported).await.expect("a report"), FiringReport::Dropped(DropReason::RenderTooLarge));
    assert_eq!(
        (
            alone.metrics.deliveries.dropped.get(DropReason::RenderTooLarge),
            alone.metrics.deliveries.dropped.get(DropReason::TemplateUnusable)
        ),
        (1, 1)
    );
    assert_eq!(alone.gate.deliveries(), 1);
}

#[actix_rt::test]
async fn a_destination_has_one_thread() {
    let (first, mut to_first) = Probe::start();
    let (second, mut to_second) = Probe::start();
    let alone = Alone::start_before(NextStage::Dispatchers(vec![first, second]));
    let text = template(Format::Text, "x");
    let firings = (0..64).map(|number| firing("1", &format!("h{}", number % 8), &json!(1), text.clone()));
    alone.give(firings.collect(), None).await;
    let mut hosts: [Vec<String>; 2] = Default::default();
    while hosts[0].len() + hosts[1].len() < 64 {
        let (thread, DeliveriesRendered(deliveries)) = tokio::select! {
            Some(message) = to_first.recv() => (0, message),
            Some(message) = to_second.recv() => (1, message),
        };
        hosts[thread].extend(deliveries.iter().map(|queued| queued.delivery.target.destination.host.to_string()));
    }
    assert!(!hosts[0].is_empty() && !hosts[1].is_empty(), "eight destinations on one thread of two");
    assert!(hosts[0].iter().all(|host| !hosts[1].contains(host)), "{hosts:?}");
}

#[actix_rt::test]
async fn without_a_next_stage_deliveries_are_counted_as_dropped() {
    let alone = Alone::start_before(NextStage::Dispatchers(vec![Probe::gone().await]));
    let (report, reported) = oneshot::channel();
    let mut one = firing("1", "h", &json!(1), template(Format::Text, "x"));
    one.report = Some(report);
    alone.give(vec![one], None).await;
    assert_eq!(soon(reported).await.expect("a report"), FiringReport::Dropped(DropReason::Stopped));
    assert_eq!((alone.metrics.deliveries.dropped.get(DropReason::Stopped), alone.gate.deliveries()), (1, 0));
}
