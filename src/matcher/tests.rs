//! The Matcher alone: a live index made by hand before it, a probe behind it.

mod journal;
mod paced;

use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::config::Config;
use crate::dictionary::Dictionary;
use crate::flow::account::NodeBounds;
use crate::flow::messages::{Firing, FiringStep};
use crate::flow::probe::{Probe, soon};
use crate::flow::response::{EventsResponse, Receipt};
use crate::model::event::{EventIdentity, EventType};
use crate::model::id::{AccountId, TriggerId};
use crate::model::outcome::DropReason;
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use crate::store::{Change, ChangeSink as _, SavedTemplate, SavedTrigger};

struct Alone {
    gate: Arc<Gate>,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    matcher: InboxSender<EventsAdmitted>,
}

fn account() -> AccountId {
    AccountId::default_account()
}

fn template_change(id: &str) -> Change {
    let template = json!({"id": id, "format": "text", "body": "{{event.id}}"});
    let template = Template::from_json(template).expect("a template");
    Change::Template(account(), template.id.clone(), Some(SavedTemplate { template, live: None }))
}

/// Compiles the change, as a store does before it passes the change on.
fn compiled(live: &Live, mut change: Change) -> Change {
    if let Change::Template(_, _, Some(saved)) = &mut change {
        saved.live = live.compile(&account(), &saved.template);
    }
    if let Change::Trigger(_, _, Some(saved)) = &mut change {
        saved.target = live.target(&account(), &saved.trigger);
    }
    change
}

fn trigger_change(id: &str, more: Value) -> Change {
    let mut document = json!({"id": id, "template": "w", "url": format!("http://h.example/{id}")});
    document.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
    let trigger = Trigger::from_json(document).expect("a trigger");
    Change::Trigger(account(), trigger.id.clone(), Some(SavedTrigger { trigger, target: Err(DropReason::UrlRefused) }))
}

impl Alone {
    fn start(changes: Vec<Change>) -> (Self, mpsc::UnboundedReceiver<FiringsMatched>) {
        let (probe, passed) = Probe::start_behind_inbox();
        (Self::start_before(changes, probe), passed)
    }

    fn start_before(changes: Vec<Change>, behind: InboxSender<FiringsMatched>) -> Self {
        Self::start_with(Config::from_layers(None, []).expect("the defaults"), changes, behind)
    }

    fn start_with(config: Config, changes: Vec<Change>, behind: InboxSender<FiringsMatched>) -> Self {
        let metrics = Arc::new(Metrics::new());
        let dictionary = Arc::new(Dictionary::shipped());
        let (templates, matching, egress) = (config.templates, config.matching, config.dispatch.egress);
        let live = Arc::new(Live::new(dictionary, templates, matching, egress, Arc::clone(&metrics)));
        live.apply(changes.into_iter().map(|change| compiled(&live, change)).collect());
        let gate = Gate::for_events(16);
        let matcher = Matcher::start(Arc::clone(&live), Arc::clone(&gate), Arc::clone(&metrics), None, behind);
        Self { gate, live, metrics, matcher }
    }

    /// Gives it the events of one request. Returns the receiver of the response.
    async fn give(&self, events: &[(&str, Value)]) -> oneshot::Receiver<EventsResponse> {
        let (tell, response) = oneshot::channel();
        let receipt = Receipt { accepted: events.len(), rejected: Vec::new(), rejected_more: Default::default() };
        let admission = Arc::new(self.gate.admit_default(events.len(), Ok(receipt), tell).expect("room"));
        let events = events.iter().map(|(event_type, data)| event(event_type, "1", data));
        let message = EventsAdmitted { events: events.collect(), accepted_at: Instant::now(), admission };
        self.matcher.send(message).expect("it lives");
        response
    }
}

fn event(event_type: &str, id: &str, data: &Value) -> Event {
    Event {
        attributes: Default::default(),
        hops: 0,
        identity: EventIdentity::new(&account(), &EventType::new(event_type).expect("a type"), "", id),
        id_given: false,
        time: "2026-07-01T15:00:00Z".into(),
        data: data.into(),
    }
}

/// All of a message's firings.
fn firings(message: &mut FiringsMatched) -> Vec<Firing> {
    let mut firings = Vec::new();
    loop {
        match message.firings.step() {
            FiringStep::Fired(firing) => firings.push(firing),
            FiringStep::Worked => {}
            FiringStep::Blocked | FiringStep::Later(_) => panic!("there is room"),
            FiringStep::Done => return firings,
        }
    }
}

fn triggers(firings: &[Firing]) -> Vec<&str> {
    firings.iter().map(|firing| firing.trigger.as_str()).collect()
}

#[actix_rt::test]
async fn firings_go_on_together_with_what_they_need() {
    let (alone, mut passed) = Alone::start(vec![
        template_change("w"),
        trigger_change("exact", json!({"event": "guest.created"})),
        trigger_change("filtered", json!({"event": "guest.*", "where": {"guest": {"country": ["PT"]}}})),
        trigger_change("off", json!({"event": "*", "enabled": false})),
        trigger_change("lost", json!({"event": "booking.*", "template": "none"})),
    ]);
    let portuguese = json!({"guest": {"country": "PT"}});
    let events = [
        ("guest.created", json!({})),
        ("guest.left", portuguese),
        ("guest.left", json!({})),
        ("booking.made", json!({})),
    ];
    let mut response = alone.give(&events).await;
    let mut message = soon(passed.recv()).await.expect("firings");
    let fired = firings(&mut message);
    assert_eq!(triggers(&fired), ["exact", "filtered", "lost"]);
    assert_eq!(fired[0].target.as_ref().expect("a target").target.uri, "http://h.example/exact");
    let templates: Vec<bool> = fired.iter().map(|firing| firing.template.is_some()).collect();
    assert_eq!(templates, [true, true, false]);
    assert_eq!(alone.metrics.events.firings_matched.get(), 3);
    assert!(response.try_recv().is_err() && alone.gate.events() == 4, "their permits are held until the work is done");
    drop(message);
    assert_eq!(soon(response).await.expect("a response").expect("a receipt").accepted, 4);
}

#[actix_rt::test]
async fn events_that_fire_nothing_end_in_this_stage() {
    let (alone, mut passed) =
        Alone::start(vec![template_change("w"), trigger_change("t", json!({"event": "guest.created"}))]);
    let response = alone.give(&[("guest.left", json!({})), ("guest", json!({}))]).await;
    assert_eq!(soon(response).await.expect("a response").expect("a receipt").accepted, 2);
    assert_eq!(alone.gate.events(), 0);
    assert!(passed.try_recv().is_err());
}

#[actix_rt::test]
async fn a_change_applies_from_the_next_event_on() {
    let (alone, mut passed) = Alone::start(vec![template_change("w")]);
    soon(alone.give(&[("a", json!({}))]).await).await.expect("a response").expect("it is accepted");
    alone.live.apply(vec![trigger_change("t", json!({"event": "a"}))]);
    let mut templates = Vec::new();
    for change in [None, Some(trigger_change("other", json!({"event": "b"}))), Some(template_change("w"))] {
        alone.live.apply(change.into_iter().map(|change| compiled(&alone.live, change)).collect());
        for _ in 0..2 {
            alone.give(&[("a", json!({}))]).await;
            let fired = firings(&mut soon(passed.recv()).await.expect("firings"));
            assert_eq!(triggers(&fired), ["t"]);
            templates.extend(fired[0].template.clone());
        }
    }
    let is_same = |a: usize, b: usize| Arc::ptr_eq(&templates[a], &templates[b]);
    assert!(
        (1..4).all(|later| is_same(0, later)) && !is_same(0, 4) && is_same(4, 5),
        "the last two are of the new one"
    );
    alone.live.apply(vec![Change::Trigger(account(), TriggerId::new("t").expect("a name"), None)]);
    soon(alone.give(&[("a", json!({}))]).await).await.expect("a response").expect("it is accepted");
    assert!(passed.try_recv().is_err());
}

#[actix_rt::test]
async fn without_a_next_stage_nothing_is_accepted() {
    let changes = vec![template_change("w"), trigger_change("t", json!({"event": "a"}))];
    let alone = Alone::start_before(changes, Probe::gone_behind_inbox().await);
    let response = alone.give(&[("a", json!({})), ("a", json!({}))]).await;
    assert_eq!(soon(response).await.expect("a response"), Err(Refusal::Stopping));
    assert_eq!((alone.metrics.events.accepted.get(), alone.gate.events()), (0, 0));
}

#[actix_rt::test]
async fn a_filter_that_costs_too_much_does_not_fire_and_is_counted() {
    let numeric: Vec<Value> = (0..900).map(|n| json!({"numeric": [">", 10_000 + n]})).collect();
    let (alone, mut passed) = Alone::start(vec![
        template_change("w"),
        trigger_change("costly", json!({"event": "a", "where": {"n": numeric}})),
        trigger_change("cheap", json!({"event": "a", "where": {"n": [7]}})),
        trigger_change("plain", json!({"event": "a"})),
    ]);
    alone.give(&[("a", json!({"n": (0..500).collect::<Vec<_>>()}))]).await;
    let mut fired = firings(&mut soon(passed.recv()).await.expect("firings"));
    fired.sort_by(|a, b| a.trigger.as_str().cmp(b.trigger.as_str()));
    assert_eq!(triggers(&fired), ["cheap", "plain"]);
    assert_eq!(alone.metrics.deliveries.dropped.get(DropReason::FilterTooCostly), 1);
}

/// Which of the triggers an event would have fired past its budget is not known, so the event is counted.
#[actix_rt::test]
async fn an_event_whose_steps_are_used_up_is_counted_once() {
    let mut config = Config::from_layers(None, []).expect("the defaults");
    config.matching.steps_per_event_max = 1_000;
    let undecided =
        |number| trigger_change(&format!("t{number}"), json!({"event": "a", "where": {"b": [{"exists": false}]}}));
    let changes = [template_change("w"), trigger_change("next", json!({"event": "b"}))];
    let changes = changes.into_iter().chain((0..2_000).map(undecided)).collect();
    let (probe, mut passed) = Probe::start_behind_inbox();
    let alone = Alone::start_with(config, changes, probe);
    let mut response = alone.give(&[("a", json!({"b": 1})), ("a", json!({"b": 1})), ("b", json!({}))]).await;
    let mut message = soon(passed.recv()).await.expect("firings");
    assert_eq!(triggers(&firings(&mut message)), ["next"], "the next event has steps of its own");
    assert!(response.try_recv().is_err());
    drop(message);
    assert_eq!(soon(response).await.expect("a response").expect("a receipt").accepted, 3);
    assert_eq!(alone.metrics.deliveries.dropped.get(DropReason::FilterTooCostly), 2, "once for each of the two events");
}

#[actix_rt::test]
async fn more_than_is_found_at_once_fires_once_each() {
    let ids: Vec<String> = (0..200).map(|number| format!("t{number:03}")).collect();
    let listening = |id: &String| trigger_change(id, json!({"event": "a", "where": {"n": [{"numeric": [">", 1]}]}}));
    let changes = std::iter::once(template_change("w")).chain(ids.iter().map(listening)).collect();
    let (alone, mut passed) = Alone::start(changes);
    alone.give(&[("a", json!({"n": [2, 3]}))]).await;
    let mut fired = firings(&mut soon(passed.recv()).await.expect("firings"));
    fired.sort_by(|a, b| a.trigger.as_str().cmp(b.trigger.as_str()));
    assert_eq!(triggers(&fired), ids);
}

/// It would keep a part of the index that may be replaced before the next event.
#[actix_rt::test]
async fn the_end_of_a_paced_request_keeps_no_search() {
    let (alone, _passed) = Alone::start(vec![template_change("w"), trigger_change("t", json!({"event": "a"}))]);
    let id = TriggerId::new("t").expect("a name");
    let trigger = alone.live.index().trigger(&account(), &id).map(Arc::downgrade).expect("it is live");
    let gate = Gate::new(NodeBounds { events: 16, deliveries: 4, bytes: 1 << 20, events_per_s: None }, 1);
    let context = CursorContext::new(Arc::clone(&alone.live), Arc::clone(&alone.metrics));
    let events = (0..12).map(|number| event("a", &number.to_string(), &json!({}))).collect();
    let mut cursor = Cursor::new(&context, &gate.account(&account()), events);
    while cursor.measure() == MeasureStep::More {}
    assert!(cursor.pace(), "the account has no other work");
    let mut fired = 0;
    loop {
        match cursor.step() {
            FiringStep::Fired(_) => fired += 1,
            FiringStep::Worked => {}
            FiringStep::Blocked | FiringStep::Later(_) => panic!("none is held"),
            FiringStep::Done => break,
        }
    }
    drop(cursor);
    alone.live.apply(vec![Change::Trigger(account(), id, None)]);
    assert_eq!((fired, trigger.strong_count()), (12, 0));
    drop(context);
}

/// So that other requests on the thread take their turns meanwhile.
#[actix_rt::test]
async fn the_walk_of_an_event_that_holds_much_takes_many_steps() {
    let ids: Vec<String> = (0..50).map(|number| format!("t{number}")).collect();
    let listening =
        |id: &String| trigger_change(id, json!({"event": "a", "where": {"n": [{"numeric": [">", 90_000]}]}}));
    let changes = std::iter::once(template_change("w")).chain(ids.iter().map(listening)).collect();
    let (alone, _passed) = Alone::start(changes);
    let context = CursorContext::new(Arc::clone(&alone.live), Arc::clone(&alone.metrics));
    let events = vec![event("a", "1", &json!({"n": (0..20_000).collect::<Vec<_>>()}))];
    let mut cursor = Cursor::new(&context, &alone.gate.account(&account()), events);
    let mut steps = 1;
    while cursor.measure() == MeasureStep::More {
        steps += 1;
    }
    // Each number takes two matching steps and is a source of candidates.
    assert!(steps >= (2 * 20_000 + 20_000) / 4_096, "{steps}");
}
