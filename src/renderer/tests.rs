//! The Renderer alone: firings before it, a probe for each dispatch thread behind it.

use actix::Addr;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::config::Config;
use crate::dictionary::Dictionary;
use crate::flow::in_flight::Report;
use crate::flow::messages::LiveTemplate;
use crate::flow::probe::{Probe, soon};
use crate::model::event::{Event, EventType};
use crate::model::id::AccountId;
use crate::model::target::Target;
use crate::model::template::Format;
use crate::templating;

struct Alone {
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    pressure: Rc<Pressure>,
    renderer: Addr<Renderer>,
}

impl Alone {
    fn start_before(behind: Vec<Recipient<DeliveriesRendered>>) -> Self {
        let (gate, metrics) = (Gate::new(1_000, 1), Arc::new(Metrics::new()));
        let pressure = Rc::new(Pressure::new(1));
        let renderer = Renderer::new(Arc::clone(&gate), Arc::clone(&metrics), behind, Rc::clone(&pressure), 16).start();
        Self { gate, metrics, pressure, renderer }
    }

    fn start() -> (Self, mpsc::UnboundedReceiver<DeliveriesRendered>) {
        let (probe, passed) = Probe::start();
        (Self::start_before(vec![probe]), passed)
    }

    async fn give(&self, firings: Vec<Firing>, admission: Option<Admission>) {
        let message = FiringsMatched { firings, accepted_at: Instant::now(), admission };
        self.renderer.send(message).await.expect("it lives");
    }
}

fn template(format: Format, body: &str) -> Option<Arc<LiveTemplate>> {
    let mut limits = Config::from_layers(None, []).expect("the defaults").templates;
    limits.output_bytes_max = 100;
    let checked = templating::compile(format, body, &Dictionary::shipped(), None, &limits);
    let compiled = checked.compiled.expect("a template");
    Some(Arc::new(LiveTemplate { compiled, content_type: HeaderValue::from_static("a/b") }))
}

/// The firing of the event with this id, whose data has the member `n`, by the trigger `t`.
fn firing(id: &str, host: &str, n: &serde_json::Value, template: Option<Arc<LiveTemplate>>) -> Firing {
    let target = Target::read(&format!("http://{host}/"), &[], Vec::new()).expect("a target");
    let event = Event {
        account: AccountId::default_account(),
        event_type: EventType::new("a").expect("a type"),
        id: id.into(),
        id_given: false,
        source: "".into(),
        time: "2026-07-01T15:00:00Z".into(),
        data: (&json!({"n": n})).into(),
    };
    Firing {
        event: Arc::new(EventData::of(event)),
        trigger: TriggerId::new("t").expect("a name"),
        target: Ok(Arc::new(target)),
        template,
        report: None,
    }
}

#[actix_rt::test]
async fn a_firing_becomes_a_body_that_is_ready_to_send() {
    let (alone, mut passed) = Alone::start();
    let body = template(Format::Json, "{\"n\":{{n}},\"id\":\"{{event.id}}\"}");
    let (tell, mut answer) = oneshot::channel();
    let receipt = crate::flow::response::Receipt { accepted: 1, rejected: Vec::new() };
    let admission = Arc::new(alone.gate.admit(1, Ok(receipt), tell).expect("room"));
    alone.give(vec![firing("e\"1", "h", &json!("x\"y"), body)], Some(admission)).await;
    let DeliveriesRendered(mut deliveries) = soon(passed.recv()).await.expect("deliveries");
    let queued = deliveries.pop().expect("one");
    assert!(deliveries.is_empty());
    assert_eq!(queued.delivery.body, "{\"n\":\"x\\\"y\",\"id\":\"e\\\"1\"}");
    assert_eq!(queued.delivery.content_type, "a/b");
    let id = queued.delivery.webhook_id.to_str().expect("ASCII").to_owned();
    assert!(id.len() == 36 && id.starts_with("msg_"), "{id}");
    assert_eq!((alone.gate.deliveries(), alone.metrics.deliveries.rendered.get()), (1, 1));
    assert!(answer.try_recv().is_err(), "the producer is answered when the attempt begins");
    drop(queued);
    assert!(soon(answer).await.is_ok());
    assert_eq!((alone.gate.events(), alone.gate.deliveries()), (0, 0));
}

/// Else a small event could fill the memory with large bodies, faster than they are taken.
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

/// Known from outside: the same on every node and in every version.
#[actix_rt::test]
async fn an_events_webhook_id_never_changes() {
    let (alone, mut passed) = Alone::start();
    let ids = ["1", "1", "2"].map(|id| firing(id, "h", &json!(1), template(Format::Text, "x")));
    alone.give(ids.into(), None).await;
    let DeliveriesRendered(deliveries) = soon(passed.recv()).await.expect("deliveries");
    let ids: Vec<_> = deliveries.iter().map(|queued| queued.delivery.webhook_id.to_str().expect("ASCII")).collect();
    // Of the SHA-256 over default, no source, 1 and t, each after its length as eight bytes.
    assert_eq!(ids[..2], ["msg_e286032f6ece548322ce397661d38dfc"; 2]);
    assert_ne!(ids[2], ids[0]);
}

#[actix_rt::test]
async fn more_than_a_slice_keeps_its_order_and_lets_others_in_between() {
    let (alone, mut passed) = Alone::start();
    let text = template(Format::Text, "{{event.id}}");
    let many = |from: usize| (from..from + 3 * SLICE).map(|id| firing(&id.to_string(), "h", &json!(1), text.clone()));
    alone.give(many(0).collect(), None).await;
    alone.give(many(3 * SLICE).collect(), None).await;
    let mut bodies = Vec::new();
    while bodies.len() < 6 * SLICE {
        let DeliveriesRendered(deliveries) = soon(passed.recv()).await.expect("deliveries");
        assert!(deliveries.len() <= SLICE, "{} at a stretch", deliveries.len());
        bodies.extend(deliveries.into_iter().map(|queued| queued.delivery.body));
    }
    assert_eq!(bodies, (0..6 * SLICE).map(|id| id.to_string()).collect::<Vec<_>>());
}

#[actix_rt::test]
async fn what_gives_no_body_is_dropped_and_counted_and_the_next_goes_on() {
    let (alone, mut passed) = Alone::start();
    let text = template(Format::Text, "{{n}}");
    let (report, reported) = oneshot::channel();
    let mut long = firing("1", "h", &json!("x".repeat(101)), text.clone());
    long.report = Some(report);
    alone.give(vec![long, firing("2", "h", &json!(1), None), firing("3", "h", &json!("good"), text)], None).await;
    let DeliveriesRendered(deliveries) = soon(passed.recv()).await.expect("deliveries");
    assert_eq!(deliveries.iter().map(|queued| &queued.delivery.body[..]).collect::<Vec<_>>(), [b"good"]);
    assert_eq!(soon(reported).await.expect("a report"), Report::Dropped(Dropped::RenderTooLarge));
    assert_eq!(
        (
            alone.metrics.deliveries.dropped.get(Dropped::RenderTooLarge),
            alone.metrics.deliveries.dropped.get(Dropped::TemplateUnusable)
        ),
        (1, 1)
    );
    assert_eq!(alone.gate.deliveries(), 1);
}

#[actix_rt::test]
async fn a_destination_has_one_thread() {
    let (first, mut to_first) = Probe::start();
    let (second, mut to_second) = Probe::start();
    let alone = Alone::start_before(vec![first, second]);
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
async fn with_nobody_behind_it_deliveries_are_counted_as_dropped() {
    let alone = Alone::start_before(vec![Probe::gone().await]);
    let (report, reported) = oneshot::channel();
    let mut one = firing("1", "h", &json!(1), template(Format::Text, "x"));
    one.report = Some(report);
    alone.give(vec![one], None).await;
    assert_eq!(soon(reported).await.expect("a report"), Report::Dropped(Dropped::Stopped));
    assert_eq!((alone.metrics.deliveries.dropped.get(Dropped::Stopped), alone.gate.deliveries()), (1, 0));
}
