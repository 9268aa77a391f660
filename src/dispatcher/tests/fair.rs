//! The bounds of a destination, and how accounts share it.

use super::*;
use crate::dispatcher::rated_triggers::RatedTriggers;
use crate::dispatcher::waiting::WaitingDeliveries;
use crate::flow::account::NodeBounds as AccountBounds;
use crate::flow::drill;

impl Alone {
    fn of(&self, account: &str, port: &Port, word: &str) -> (InFlight, oneshot::Receiver<FiringReport>) {
        let (mut queued, reported) = self.queued(port, word);
        let account = self.gate.account(&AccountId::new(account).expect("a name"));
        queued.account = account.deliver(queued.delivery.body.len());
        (queued, reported)
    }
}

/// Responds to this many requests on an open connection and returns their bodies.
async fn served(stream: &TcpStream, number: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    for _ in 0..number {
        respond(stream, 200).await;
        bodies.push(next_request(stream).await);
    }
    bodies
}

#[actix_rt::test]
async fn accounts_take_turns_at_a_destination_and_each_has_room_in_its_queue() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let config = config(|own| {
        own.connections_per_destination = 1;
        own.queue_per_destination = 9;
    });
    let (dispatcher, _said) = alone.dispatcher(&port, &config);
    let mut flood: Vec<_> = (0..20).map(|number| alone.of("flood", &port, &number.to_string())).collect();
    let (other, _reported) = alone.of("other", &port, "other");
    let mut dropped = flood.split_off(9);
    let queued = flood.into_iter().chain(dropped.drain(..)).map(|(queued, reported)| {
        std::mem::forget(reported);
        queued
    });
    dispatcher.queue.take(queued);
    assert_eq!(
        alone.metrics.deliveries.dropped.get(DropReason::QueueFull),
        11,
        "one is sent, eight of nine may be queued"
    );
    dispatcher.queue.take(vec![other]);
    assert_eq!(alone.metrics.deliveries.dropped.get(DropReason::QueueFull), 11, "another account has room");
    let (stream, first) = port.request().await;
    let bodies = served(&stream, 9).await;
    assert_eq!((first.as_str(), &bodies[..3]), ("0!", &["1!", "other!", "2!"].map(str::to_owned)[..]), "{bodies:?}");
}

/// The place of an account serves another one once it has neither a delivery nor an attempt, and no sooner.
#[actix_rt::test]
async fn an_account_that_holds_nothing_at_a_destination_has_no_place_there() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let mut waiting = WaitingDeliveries::new(8);
    let account = |queued: &InFlight| queued.account.id.as_str().to_owned();
    for names in [["a", "b", "a"], ["c", "c", "a"]] {
        names.iter().for_each(|name| waiting.push(Instant::now(), alone.of(name, &port, "word").0));
        let first = waiting.begin(&alone.of("d", &port, "word").0);
        let mut popped: Vec<_> = std::iter::from_fn(|| waiting.pop()).collect();
        assert_eq!((popped.len(), waiting.accounts()), (3, 3), "attempts count too");
        waiting.end(&first);
        for left in [2, 1, 0] {
            let (_, queued, attempt) = popped.remove(0);
            let others = popped.iter().filter(|(_, other, _)| account(other) == account(&queued)).count();
            let before = waiting.accounts();
            waiting.end(&attempt);
            assert_eq!((before - waiting.accounts(), popped.len()), (usize::from(others == 0), left));
        }
        waiting.push(Instant::now(), alone.of("e", &port, "word").0);
        assert_eq!((waiting.take_all().len(), waiting.accounts(), waiting.bytes()), (1, 0, 0));
    }
}

#[actix_rt::test]
async fn a_connection_is_left_for_another_account() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let config = config(|own| own.connections_per_destination = 9);
    let (dispatcher, _said) = alone.dispatcher(&port, &config);
    let (flood, _reported): (Vec<_>, Vec<_>) = (0..20).map(|_| alone.of("flood", &port, "flood")).unzip();
    dispatcher.queue.take(flood);
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(port.request().await);
    }
    assert_eq!(alone.metrics.deliveries.attempts_in_flight.get(), 8);
    let (other, _reported) = alone.of("other", &port, "other");
    dispatcher.queue.take(vec![other]);
    assert_eq!(port.request().await.1, "other!");
}

/// A test neither waits behind its account's deliveries nor takes room from them.
#[actix_rt::test]
async fn a_test_has_its_own_turn_and_reports_a_full_queue() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let config = config(|own| {
        own.connections_per_destination = 1;
        own.queue_per_destination = 3;
    });
    let (dispatcher, _said) = alone.dispatcher(&port, &config);
    let (queued, _reported): (Vec<_>, Vec<_>) = (0..4).map(|_| alone.of("own", &port, "event")).unzip();
    dispatcher.queue.take(queued);
    let test = || {
        let (mut queued, reported) = alone.of("own", &port, "test");
        queued.is_test = true;
        (queued, reported)
    };
    let (queued, mut reported): (Vec<_>, Vec<_>) = (0..17).map(|_| test()).unzip();
    dispatcher.queue.take(queued);
    assert_eq!(soon(reported.remove(16)).await.expect("a report"), FiringReport::Dropped(DropReason::QueueFull));
    let (stream, _) = port.request().await;
    assert!(served(&stream, 2).await.contains(&"test!".to_owned()));
}

#[actix_rt::test]
async fn a_panic_costs_its_attempt_only() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let (dispatcher, _said) = alone.dispatcher(&port, &config(|own| own.connections_per_destination = 1));
    let (first, reported) = alone.of("own", &port, "first");
    let (second, _reported) = alone.of("own", &port, "second");
    drill::panic_at(drill::Stage::Dispatcher);
    dispatcher.queue.take(vec![first, second]);
    assert_eq!(outcome(soon(reported).await.expect("a report")), Outcome::Panic);
    assert_eq!(port.request().await.1, "second!");
    assert_eq!(alone.metrics.deliveries.attempts.get(Outcome::Panic), 1);
}

/// Deliveries being sent count like queued ones: destinations that never respond leave room for others.
#[actix_rt::test]
async fn bodies_in_flight_count_and_leave_room_for_other_destinations() {
    let mut alone = Alone::new();
    alone.gate = Gate::new(AccountBounds { events: 10, deliveries: 1_000, bytes: 100_000, events_per_s: None }, 1);
    let ports = [Port::open().await, Port::open().await, Port::open().await];
    let config = config(|_| {});
    let dispatchers: Vec<_> = ports.iter().map(|port| alone.dispatcher(port, &config)).collect();
    for (port, (dispatcher, _)) in ports.iter().zip(&dispatchers).take(2) {
        for _ in 0..100 {
            let (queued, reported) = alone.of("own", port, &"x".repeat(1_487));
            dispatcher.queue.take(vec![queued]);
            std::mem::forget(reported);
        }
    }
    let held = alone.gate.delivery_bytes();
    assert!((45_000..90_000).contains(&held), "{held}");
    assert!(alone.metrics.deliveries.dropped.get(DropReason::QueueBytesFull) > 100);
    let (queued, _reported) = alone.of("own", &ports[2], "third");
    assert!(queued.account.may_render());
    dispatchers[2].0.queue.take(vec![queued]);
    assert_eq!(ports[2].request().await.1, "third!");
}

#[actix_rt::test]
async fn without_a_free_connection_it_queues_and_with_a_full_queue_it_drops() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let config = config(|own| {
        own.connections_per_destination = 1;
        own.queue_per_destination = 2;
        own.queue_bytes_per_destination = 12;
    });
    let (dispatcher, _said) = alone.dispatcher(&port, &config);
    let words = ["first", "secnd", "a-long-one", "third", "fifth"];
    let (queued, mut reported): (Vec<_>, Vec<_>) = words.iter().map(|word| alone.queued(&port, word)).unzip();
    dispatcher.queue.take(queued);
    assert_eq!(soon(reported.remove(4)).await.expect("a report"), FiringReport::Dropped(DropReason::QueueFull));
    assert_eq!(soon(reported.remove(2)).await.expect("a report"), FiringReport::Dropped(DropReason::QueueBytesFull));
    let (stream, body) = port.request().await;
    assert_eq!(
        (body.as_str(), alone.metrics.deliveries.queue_depth.get(), alone.metrics.deliveries.queue_bytes.get()),
        ("first!", 2, 12)
    );
    respond(&stream, 200).await;
    for word in ["secnd!", "third!"] {
        assert_eq!(next_request(&stream).await, word, "on the open connection");
        respond(&stream, 500).await;
    }
    let mut outcomes = Vec::new();
    for report in reported {
        outcomes.push(outcome(soon(report).await.expect("a report")));
    }
    assert_eq!(outcomes, [Outcome::Delivered, Outcome::ServerError, Outcome::ServerError]);
    assert_eq!(
        (
            alone.metrics.deliveries.queue_depth.get(),
            alone.metrics.deliveries.queue_bytes.get(),
            alone.gate.deliveries()
        ),
        (0, 0, 0)
    );
}

/// A delivery of a trigger with this rate.
fn rated(alone: &Alone, port: &Port, trigger: &str, per_s: u32, word: &str) -> InFlight {
    let (mut queued, _) = alone.of("own", port, word);
    let mut target = (*queued.delivery.target).clone();
    let trigger = crate::model::id::TriggerId::new(trigger).expect("a name");
    target.rate = Some((trigger, per_s.try_into().expect("not zero")));
    queued.delivery.target = Arc::new(target);
    queued
}

/// The task that waits for rates already sleeps until the delivery of a slow trigger is due.
#[actix_rt::test]
async fn a_slow_trigger_does_not_hold_up_a_fast_one() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let (dispatcher, _said) = alone.dispatcher(&port, &config(|_| {}));
    let queue = &dispatcher.queue;
    let sleeps_until = async |earlier_than: Option<Instant>| loop {
        match queue.sleeps_until() {
            Some(until) if earlier_than.is_none_or(|other| until < other) => return until,
            _ => tokio::task::yield_now().await,
        }
    };
    queue.take((0..2).map(|_| rated(&alone, &port, "slow", 1, "slow")));
    let slow = soon(sleeps_until(None)).await;
    queue.take((0..101).map(|_| rated(&alone, &port, "fast", 100, "fast")));
    soon(sleeps_until(Some(slow))).await;
}

/// What waits for its trigger's rate does not wait for the destination.
#[actix_rt::test]
async fn deliveries_over_their_rate_are_no_backlog() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let mut waiting = WaitingDeliveries::new(64);
    let now = Instant::now();
    for _ in 0..5 {
        if let Some(passed) = waiting.push_over_rate(now, rated(&alone, &port, "t", 1, "rated")) {
            waiting.push(now, passed);
        }
    }
    assert_eq!((waiting.len(), waiting.ready_len()), (5, 1));
    // They hold no places of others that come from a stream either.
    let bounds = DestinationBounds::new(&config(|_| ()), Some(512));
    for _ in 0..bounds.kept_places {
        assert!(waiting.push_over_rate(now, rated(&alone, &port, "t", 1, "rated")).is_none());
    }
    assert_eq!(waiting.has_room(&alone.of("other", &port, "word").0, &bounds, true), Ok(()));
    let accounts = ["own", "other"].map(|name| Some(AccountId::new(name).expect("a name")));
    let room = waiting.room_for_parked(&bounds, accounts.to_vec(), true).expect("half of it is free");
    assert_eq!(room.accounts[0].1, 0, "it would be parked again");
    assert!(room.accounts[1].1 > 0);
}

/// A delivery that exceeds its trigger's rate waits without a permit; other triggers are not affected.
#[actix_rt::test]
async fn deliveries_over_a_triggers_rate_wait() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let (dispatcher, _said) = alone.dispatcher(&port, &config(|own| own.connections_per_destination = 1));
    let rated = |word: &str| rated(&alone, &port, "t", 20, word);
    let begun = Instant::now();
    let mut queued: Vec<InFlight> = (0..25).map(|number| rated(&number.to_string())).collect();
    let (admission, mut responded) = alone.admission();
    queued[24].permit = Some(Permit::Request(admission, alone.gate.charge_default()));
    queued.push(alone.of("own", &port, "other").0);
    dispatcher.queue.take(queued);
    assert!(responded.try_recv().is_ok(), "it delays no producer");
    let (stream, first) = port.request().await;
    let mut bodies = vec![first];
    bodies.extend(served(&stream, 25).await);
    let place = |word: &str| bodies.iter().position(|body| body == word).expect("it came");
    assert!(place("other!") <= 20, "it waited for another trigger's rate: {bodies:?}");
    let rated: Vec<&String> = bodies.iter().filter(|body| *body != "other!").collect();
    assert!(rated.iter().enumerate().all(|(number, body)| **body == format!("{number}!")), "{bodies:?}");
    // One second's worth is sent at once, then five at 20 per second.
    assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
}

#[actix_rt::test]
async fn a_trigger_keeps_its_rate_beside_thousands_of_others() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let rated = |number: usize| rated(&alone, &port, &format!("t{number}"), 1, "rated");
    let (mut triggers, begun) = (RatedTriggers::default(), Instant::now());
    for number in 0..3_000 {
        assert!(triggers.admit(rated(number), begun).is_some(), "{number}: its first one");
    }
    for number in 0..3_000 {
        assert!(triggers.admit(rated(number), begun).is_none(), "{number}: its second one");
    }
    let all = triggers.due(begun + Duration::from_secs(1));
    assert_eq!((all.len(), triggers.len()), (3_000, 0));
}

#[actix_rt::test]
async fn a_destination_has_a_rate() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let config = config(|own| {
        own.connections_per_destination = 1;
        own.rate_per_destination_s = 20.try_into().ok();
    });
    let (dispatcher, _said) = alone.dispatcher(&port, &config);
    let begun = Instant::now();
    let queued = (0..25).map(|number| alone.of("own", &port, &number.to_string()).0);
    dispatcher.queue.take(queued);
    let (stream, first) = port.request().await;
    let mut bodies = vec![first];
    bodies.extend(served(&stream, 24).await);
    assert_eq!(bodies, (0..25).map(|number| format!("{number}!")).collect::<Vec<_>>());
    assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
}

/// What arrives is passed on in turn: the other account's delivery is sent while most of the flood's still wait for that,
/// and so is a test of the flood's account.
#[actix_rt::test]
async fn many_arrivals_of_one_account_delay_no_other() {
    const FLOOD: usize = 5_000;
    let (alone, ports) = (Alone::new(), [Port::open().await, Port::open().await, Port::open().await]);
    let dispatchers = alone.dispatchers(config(|own| own.queue_per_destination = 2 * FLOOD), 16);
    let (mut test, _reported_test) = alone.of("flood", &ports[2], "test");
    test.is_test = true;
    let (flood, _reported): (Vec<_>, Vec<_>) = (0..FLOOD).map(|_| alone.of("flood", &ports[0], "flood")).unzip();
    let (other, _reported) = alone.of("other", &ports[1], "other");
    dispatchers.do_send(DeliveriesRendered(flood));
    dispatchers.do_send(DeliveriesRendered(vec![other, test]));
    assert_eq!(ports[1].request().await.1, "other!");
    assert_eq!(ports[2].request().await.1, "test!");
    let passed_on = alone.metrics.deliveries.queue_depth.get();
    assert!(passed_on < FLOOD as i64 / 2, "{passed_on} were passed on before");
}

/// Its client waits for one attempt before it and for its own: what began later would be sent without a report.
#[actix_rt::test]
async fn a_test_that_has_waited_for_an_attempt_is_not_begun_and_says_so() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let config = config(|own| own.attempt_timeout = Duration::from_secs(5));
    let (dispatcher, _said) = alone.dispatcher(&port, &config);
    let (mut late, reported_late) = alone.queued(&port, "late");
    (late.is_test, late.accepted_at) = (true, Instant::now() - Duration::from_secs(6));
    let (mut abandoned, reported_abandoned) = alone.queued(&port, "abandoned");
    abandoned.is_test = true;
    drop(reported_abandoned);
    let (mut begun, reported) = alone.queued(&port, "begun");
    begun.is_test = true;
    dispatcher.queue.take(vec![late, abandoned, begun]);
    assert_eq!(soon(reported_late).await.expect("a report"), FiringReport::Dropped(DropReason::QueueFull));
    let (stream, body) = port.request().await;
    assert_eq!(body, "begun!");
    respond(&stream, 200).await;
    assert_eq!(outcome(soon(reported).await.expect("a report")), Outcome::Delivered);
    assert_eq!(alone.metrics.deliveries.dropped.get(DropReason::QueueFull), 2);
}
