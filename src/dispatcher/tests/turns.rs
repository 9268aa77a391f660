//! More destinations than Dispatchers.

use super::overflow::Overflow;
use super::*;
use crate::flow::account::NodeBounds;
use crate::flow::destination_state::DestinationStatesQuery;

/// Responds to every request, until the test ends.
fn respond_to_all(port: Port) {
    actix_rt::spawn(async move {
        while let Ok((stream, _)) = port.0.accept().await {
            actix_rt::spawn(async move {
                let mut part = [0; 4_096];
                while stream.readable().await.is_ok() {
                    match stream.try_read(&mut part) {
                        Ok(0) => return,
                        Ok(read) if part[..read].ends_with(b"!") => respond(&stream, 200).await,
                        _ => {}
                    }
                }
            });
        }
    });
}

/// There may be two Dispatchers: a third destination has its turn when one of the others is idle.
#[actix_rt::test]
async fn one_more_destination_waits_until_another_is_idle() {
    let alone = Alone::new();
    let dispatchers = alone.dispatchers(config(|own| own.destinations_max = 2), 16);
    let ports = [Port::open().await, Port::open().await, Port::open().await];
    let all = [0, 0, 1, 0, 2].map(|port: usize| alone.queued(&ports[port], &format!("to-{port}")));
    let (queued, reported): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    dispatchers.send(DeliveriesRendered(queued)).await.expect("they live");
    assert_eq!(alone.metrics.deliveries.destinations.get(), 2);
    let mut streams = Vec::new();
    for port in [0, 0, 0, 1, 2] {
        let (stream, body) = ports[port].request().await;
        assert_eq!(body, format!("to-{port}!"));
        respond(&stream, 200).await;
        streams.push(stream);
        assert!(alone.metrics.deliveries.destinations.get() <= 2);
    }
    for report in reported {
        assert_eq!(outcome(soon(report).await.expect("a report")), Outcome::Delivered);
    }
    assert_eq!(alone.metrics.deliveries.queue_depth.get(), 0);
}

/// There may be one Dispatcher, and its destination always has something to send: it gives way to another after its
/// turn, and loses nothing by that.
#[actix_rt::test]
async fn a_destination_that_is_never_idle_gives_way() {
    let alone = Alone::new();
    let few = config(|own| (own.destinations_max, own.connections_per_destination) = (1, 1));
    let dispatchers = alone.dispatchers(few, 1_000);
    let (busy, other) = (Port::open().await, Port::open().await);
    let targets = [busy.target(), other.target()];
    [busy, other].into_iter().for_each(respond_to_all);
    let mut reports = Vec::new();
    let give = |target: &Arc<Target>| {
        let (queued, reported) = alone.queued_for(target, "x");
        (dispatchers.send(DeliveriesRendered(vec![queued])), reported)
    };
    let (given, reported) = give(&targets[0]);
    given.await.expect("they live");
    reports.push(reported);
    let (given, mut other) = give(&targets[1]);
    given.await.expect("they live");
    let deadline = Instant::now() + Duration::from_secs(20);
    let served = loop {
        assert!(Instant::now() < deadline, "it never gave way");
        // As many as this always wait.
        while alone.metrics.deliveries.queue_depth.get() < 50 {
            let (given, reported) = give(&targets[0]);
            given.await.expect("they live");
            reports.push(reported);
        }
        if let Ok(report) = other.try_recv() {
            break report;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(outcome(served), Outcome::Delivered);
    for report in reports {
        assert_eq!(outcome(soon(report).await.expect("a report")), Outcome::Delivered);
    }
}

/// Of nine Dispatchers a lone account has eight, so that another account's destination finds one at once, whatever the
/// others are for.
#[actix_rt::test]
async fn an_account_leaves_a_dispatcher_for_another() {
    let alone = Alone::new();
    let dispatchers = alone.dispatchers(config(|own| own.destinations_max = 9), 100);
    let mut ports = Vec::new();
    for _ in 0..13 {
        ports.push(Port::open().await);
    }
    let of = |account: &str, port: &Port| {
        let (mut queued, reported) = alone.queued(port, account);
        let account = alone.gate.account(&AccountId::new(account).expect("a name"));
        queued.account = account.deliver(queued.delivery.body.len());
        (queued, reported)
    };
    let (flood, _reported): (Vec<_>, Vec<_>) = ports[1..].iter().map(|port| of("flood", port)).unzip();
    dispatchers.send(DeliveriesRendered(flood)).await.expect("they live");
    let mut silent = Vec::new();
    for port in &ports[1..9] {
        silent.push(port.request().await);
    }
    assert_eq!(alone.metrics.deliveries.destinations.get(), 8);
    let (other, _reported) = of("other", &ports[0]);
    dispatchers.send(DeliveriesRendered(vec![other])).await.expect("they live");
    assert_eq!(ports[0].request().await.1, "other!");
    assert_eq!(alone.metrics.deliveries.destinations.get(), 9);
}

/// The node may have eight connections. A destination that waits for its receiver holds half of them; of five others,
/// those that find none wait until it gives one back.
#[actix_rt::test]
async fn destinations_never_have_more_connections_than_the_node_may_have() {
    let alone = Alone::new();
    let dispatchers = alone.dispatchers_with(Pool::new(8, 1), config(|_| {}), 100);
    let mut ports = Vec::new();
    for _ in 0..6 {
        ports.push(Port::open().await);
    }
    let give = |port: &Port, word: &str| {
        let (queued, reported) = alone.queued(port, word);
        (dispatchers.send(DeliveriesRendered(vec![queued])), reported)
    };
    let mut reports = Vec::new();
    for _ in 0..8 {
        let (given, reported) = give(&ports[0], "busy");
        given.await.expect("they live");
        reports.push(reported);
    }
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(ports[0].request().await.0);
    }
    let mut others = Vec::new();
    for port in &ports[1..] {
        let (given, reported) = give(port, "other");
        given.await.expect("they live");
        others.push(reported);
    }
    let mut first = Vec::new();
    for port in &ports[1..5] {
        first.push(port.request().await.0);
    }
    assert_eq!(alone.metrics.deliveries.destinations.get(), 5, "no connection is left for the sixth");
    respond(&held[0], 200).await;
    let sixth = ports[5].request().await.0;
    assert_eq!(alone.metrics.deliveries.destinations.get(), 6);
    for stream in first.iter().chain([&sixth]) {
        respond(stream, 200).await;
    }
    for report in others {
        assert_eq!(outcome(soon(report).await.expect("a report")), Outcome::Delivered);
    }
}

#[test]
fn accounts_that_wait_for_dispatchers_take_turns() {
    let alone = Alone::new();
    let mut overflow = Overflow::new(100, 10);
    let mut push = |account: &str, host: usize| {
        let url = format!("http://h{host}.example/");
        let (mut queued, _) = alone.queued_for(&Arc::new(Target::read(&url, &[], Vec::new()).expect("a target")), "x");
        let account = alone.gate.account(&AccountId::new(account).expect("a name"));
        queued.account = account.deliver(queued.delivery.body.len());
        overflow.push(Instant::now(), queued).expect("room");
    };
    (0..5).for_each(|host| push("flood", host));
    push("other", 5);
    // Another account uses one of the first account's destinations: it has a turn of its own there.
    push("other", 4);
    let mut order = Vec::new();
    while let Some((_, destination, waiting)) = overflow.pop(|_| true) {
        order.push((destination.host.to_string(), waiting.deliveries.len()));
        if order.len() == 4 {
            assert!(overflow.pop(|account| account.as_str() == "other").is_none(), "its turns are over");
        }
    }
    let expected = [("h0", 1), ("h5", 1), ("h1", 1), ("h4", 2), ("h2", 1), ("h3", 1)];
    assert_eq!(order, expected.map(|(host, number)| (format!("{host}.example"), number)));
    assert!(overflow.is_empty());
}

/// Their bodies are in memory, like those of events' deliveries.
#[test]
fn tests_that_wait_for_a_dispatcher_have_a_part_of_their_account_s_bytes() {
    let bounds = NodeBounds { events: 10, deliveries: 10, bytes: 100_000, events_per_s: None };
    let alone = Alone { gate: Gate::new(bounds, 10), ..Alone::new() };
    let mut overflow = Overflow::new(100, 10);
    let target = Arc::new(Target::read("http://h.example/", &[], Vec::new()).expect("a target"));
    let mut push = |bytes: usize| {
        let mut test = alone.queued_for(&target, &"x".repeat(bytes)).0;
        test.is_test = true;
        overflow.push(Instant::now(), test).map_err(|refused| refused.0)
    };
    assert_eq!(push(10), Ok(()));
    assert_eq!(push(90_000), Err(DropReason::QueueBytesFull));
    assert_eq!(push(10), Ok(()));
}

/// What waits releases its permits after a while. A destination that had its turn in between holds them for the whole
/// time again, and those that wait behind it release theirs in time.
#[actix_rt::test]
async fn permits_are_held_from_when_a_destination_waits() {
    let alone = Alone::new();
    let (mut overflow, begun) = (Overflow::new(100, 10), Instant::now());
    let at = |seconds| begun + Duration::from_secs(seconds);
    let push = |overflow: &mut Overflow, host: &str, now| {
        let url = format!("http://{host}.example/");
        let (mut queued, _) = alone.queued_for(&Arc::new(Target::read(&url, &[], Vec::new()).expect("a target")), "x");
        let (admission, responded) = alone.admission();
        queued.permit = Some(Permit::Request(admission, alone.gate.charge_default()));
        overflow.push(now, queued).expect("room");
        responded
    };
    let mut again = push(&mut overflow, "again", at(0));
    let turn = overflow.pop(|_| true).expect("it waits");
    assert_eq!((&*turn.1.host, turn.2.deliveries.len()), ("again.example", 1));
    let mut second = push(&mut overflow, "again", at(5));
    let mut behind = push(&mut overflow, "behind", at(6));
    let wait = Duration::from_secs(10);
    overflow.release_permits(at(14), wait);
    assert!(again.try_recv().is_err(), "it has had its turn, and is on its way");
    assert!(second.try_recv().is_err() && behind.try_recv().is_err());
    overflow.release_permits(at(15), wait);
    assert!(second.try_recv().is_ok() && behind.try_recv().is_err());
    overflow.release_permits(at(16), wait);
    assert!(behind.try_recv().is_ok());
}

/// There may be one Dispatcher, whose attempt takes longer than its turn. Its destination gives way however often it was
/// looked at meanwhile, and what waits for it is sent later.
#[actix_rt::test]
async fn a_destination_gives_way_when_its_attempt_ends() {
    let alone = Alone::new();
    let few = config(|own| (own.destinations_max, own.connections_per_destination) = (1, 1));
    let dispatchers = alone.dispatchers(few, 1_000);
    let (slow, other) = (Port::open().await, Port::open().await);
    let all = [&slow, &slow, &other].map(|port| alone.queued(port, "x"));
    let (queued, reports): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    dispatchers.send(DeliveriesRendered(queued)).await.expect("they live");
    let (stream, _) = slow.request().await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(700) {
        tokio::task::yield_now().await;
    }
    respond(&stream, 200).await;
    respond(&other.request().await.0, 200).await;
    respond(&slow.request().await.0, 200).await;
    for report in reports {
        assert_eq!(outcome(soon(report).await.expect("a report")), Outcome::Delivered);
    }
}

/// More destinations than are read at a time: all are counted, and those in the worst state are listed.
#[actix_rt::test]
async fn the_states_of_many_destinations_are_read_in_parts() {
    let alone = Alone::new();
    let dispatchers = alone.dispatchers(config(|_| {}), 1_000);
    let silent = Port::open().await;
    let closed = |number: usize| {
        let url = format!("http://127.1.{}.{}:1/", number / 250, 1 + number % 250);
        alone.queued_for(&Arc::new(Target::read(&url, &[], Vec::new()).expect("a target")), "x")
    };
    let all = (0..600).map(closed).chain([alone.queued(&silent, "x")]);
    let (queued, mut reports): (Vec<_>, Vec<_>) = all.unzip();
    dispatchers.send(DeliveriesRendered(queued)).await.expect("they live");
    let _request = silent.request().await;
    let _of_silent = reports.pop();
    for report in reports {
        soon(report).await.expect("a report");
    }
    let survey = soon(dispatchers.send(DestinationStatesQuery { limit: 5 })).await.expect("they live");
    assert_eq!((survey.total, survey.destinations.len()), (601, 5));
    let all = soon(dispatchers.send(DestinationStatesQuery { limit: 1_000 })).await.expect("they live");
    let names: std::collections::BTreeSet<_> = all.destinations.iter().map(|one| &one.destination).collect();
    assert_eq!((names.len(), all.total), (601, 601));
    assert_eq!(all.destinations.iter().filter(|one| one.in_flight == 1).count(), 1);
}
