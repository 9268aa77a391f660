//! Deliveries that are kept in a journal, of which there is none here: each test says itself when attempts may begin.

use std::cell::Cell;

use super::*;
use crate::flow::journal::{AcceptJournal, AttemptGroup, AttemptJournal, AttemptStart, EventJournal, JournaledFiring};
use crate::flow::probe::EndedFirings;

/// Lets the test say when attempts begin.
#[derive(Debug)]
struct Asked {
    asked: mpsc::UnboundedSender<Rc<AttemptGroup>>,
    age_max: Duration,
}

impl AttemptJournal for Asked {
    fn begin(&self, firing: JournaledFiring) -> Option<Rc<AttemptGroup>> {
        firing.take();
        let group = Rc::<AttemptGroup>::default();
        self.asked.send(Rc::clone(&group)).expect("the test lives");
        Some(group)
    }

    fn age_max(&self) -> Duration {
        self.age_max
    }
}

/// A queue with one connection.
fn queue(alone: &Alone, port: &Port, age_max: Duration) -> (Rc<Queue>, mpsc::UnboundedReceiver<Rc<AttemptGroup>>) {
    let config = config(|own| own.connections_per_destination = 1);
    let resolver = Rc::new(system_resolver().expect("a resolver"));
    let outlet = Outbound::new(&config, OwnAddresses::default())
        .expect("TLS")
        .on_thread(resolver)
        .outlet(&port.destination(), &AccountId::default_account());
    let connections = DestinationConnections::new(&Pool::new(10, 1), 1, config.keep_alive);
    let (asked, asks) = mpsc::unbounded_channel();
    let (metrics, gate) = (alone.metrics(), Arc::clone(&alone.gate));
    let begin: Rc<dyn AttemptJournal> = Rc::new(Asked { asked, age_max });
    let bounds = DestinationBounds::new(&config, None);
    (Queue::new(port.destination(), bounds, (outlet, connections), metrics, gate, Some(begin)), asks)
}

/// While the disk is full the producer still gets its response, and the delivery is sent once there is room.
#[actix_rt::test]
async fn an_attempt_whose_record_cannot_be_written_holds_up_no_producer() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let (queue, mut asks) = queue(&alone, &port, Duration::from_secs(60));
    let entry = Arc::new(EndedFirings::default());
    let (admission, mut responded) = alone.admission();
    let (mut queued, reported) = alone.queued(&port, "one");
    queued.permit = Some(Permit::Request(admission, alone.gate.charge_default()));
    queued.journaled = Some(JournaledFiring::new(Arc::clone(&entry) as _, 3));
    queue.take(vec![queued]);
    let turn = soon(asks.recv()).await.expect("asked");
    assert!(responded.try_recv().is_err(), "it is about to begin");
    turn.set(AttemptStart::Later);
    soon(responded).await.expect("a response").expect("it was accepted");
    assert_eq!(alone.metrics.deliveries.attempts_in_flight.get(), 0);
    turn.set(AttemptStart::Now);
    let (stream, body) = port.request().await;
    assert_eq!(body, "one!");
    respond(&stream, 200).await;
    assert_eq!(outcome(soon(reported).await.expect("a report")), Outcome::Delivered);
    assert_eq!(*entry.0.lock().expect("whole"), Vec::<u32>::new());
}

/// The first attempt does not end; what waits behind it and is too old does, and what came too late held nothing up.
#[actix_rt::test]
async fn what_waits_too_long_ends_without_an_attempt() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let (queue, mut asks) = queue(&alone, &port, Duration::from_secs(60));
    let entry = Arc::new(EndedFirings::default());
    let old = Instant::now().checked_sub(Duration::from_secs(61)).expect("the machine runs for longer");
    let kept = |word: &str, index: u32, accepted_at: Instant| {
        let (mut queued, reported) = alone.queued(&port, word);
        (queued.accepted_at, queued.journaled) =
            (accepted_at, Some(JournaledFiring::new(Arc::clone(&entry) as _, index)));
        (queued, reported)
    };
    let (late, late_reported) = kept("late", 7, old);
    let (first, _first) = kept("first", 0, Instant::now());
    let (second, second_reported) = kept("second", 1, old);
    let (third, mut third_reported) = kept("third", 2, Instant::now());
    queue.take(vec![late, first, second, third]);
    let _turn = soon(asks.recv()).await.expect("asked");
    for reported in [late_reported, second_reported] {
        let ended = soon(reported).await.expect("a report");
        assert!(matches!(ended, FiringReport::Dropped(DropReason::Expired)), "{ended:?}");
    }
    assert_eq!(*entry.0.lock().expect("whole"), [7, 1]);
    assert!(third_reported.try_recv().is_err());
    assert_eq!(alone.metrics.deliveries.queue_depth.get(), 1);
}

/// The only worker panics beside its attempts: as it begins those that waited. What waits behind them is sent.
#[actix_rt::test]
async fn a_worker_that_panicked_gives_up_its_place() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let (queue, asks) = queue(&alone, &port, Duration::from_secs(60));
    let entry = Arc::new(EndedFirings::default());
    let [(first, _), (mut second, lost), (mut third, lost_too), (fourth, reported)] =
        ["first", "second", "third", "fourth"].map(|word| alone.queued(&port, word));
    second.journaled = Some(JournaledFiring::new(Arc::clone(&entry) as _, 0));
    third.journaled = Some(JournaledFiring::new(Arc::clone(&entry) as _, 1));
    queue.take(vec![first, second, third, fourth]);
    // So these can't be recorded.
    drop(asks);
    let (stream, _) = port.request().await;
    respond(&stream, 200).await;
    assert!(soon(lost).await.is_err() && soon(lost_too).await.is_err());
    assert_eq!(next_request(&stream).await, "fourth!");
    respond(&stream, 200).await;
    assert_eq!(outcome(soon(reported).await.expect("a report")), Outcome::Delivered);
    soon(async {
        while queue.idle_for(Instant::now()).is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A journal whose first attempt of each thread ends in a panic.
#[derive(Debug)]
struct Panics;

#[derive(Debug, Default)]
struct PanicsOnce(Cell<bool>);

impl EventJournal for Panics {
    fn accept_journal(&self) -> Arc<dyn AcceptJournal> {
        unreachable!("nothing is accepted here")
    }

    fn attempt_journal(&self) -> Rc<dyn AttemptJournal> {
        Rc::<PanicsOnce>::default()
    }

    fn close(&self) -> usize {
        0
    }
}

impl AttemptJournal for PanicsOnce {
    fn begin(&self, firing: JournaledFiring) -> Option<Rc<AttemptGroup>> {
        assert!(self.0.replace(true), "as it was asked to");
        firing.take();
        let group = Rc::<AttemptGroup>::default();
        group.set(AttemptStart::Now);
        Some(group)
    }

    fn age_max(&self) -> Duration {
        Duration::MAX
    }
}

/// The other destinations of its thread are not affected, and the next delivery to this one is sent.
#[actix_rt::test]
async fn a_dispatcher_that_panicked_is_replaced() {
    let (alone, port, other) = (Alone::new(), Port::open().await, Port::open().await);
    let mut settings = alone.settings(Pool::new(100, 1), config(|_| {}), 16);
    settings.journal = Some(Arc::new(Panics));
    let dispatchers = Dispatchers::start_on(&actix::Arbiter::current(), settings).expect("a resolver");
    let entry = Arc::new(EndedFirings::default());
    let (mut panics, lost) = alone.queued(&port, "lost");
    panics.journaled = Some(JournaledFiring::new(Arc::clone(&entry) as _, 0));
    dispatchers.send(DeliveriesRendered(vec![alone.queued(&other, "other").0])).await.expect("they live");
    let (stream, _) = other.request().await;
    dispatchers.send(DeliveriesRendered(vec![panics])).await.expect("they live");
    assert!(soon(lost).await.is_err());
    assert_eq!((alone.metrics.deliveries.destinations.get(), alone.gate.deliveries()), (1, 1));
    respond(&stream, 200).await;
    let (queued, reported) = alone.queued(&port, "one");
    dispatchers.send(DeliveriesRendered(vec![queued])).await.expect("they live");
    let (stream, body) = port.request().await;
    assert_eq!((body.as_str(), alone.metrics.deliveries.destinations.get()), ("one!", 2));
    respond(&stream, 200).await;
    assert_eq!(outcome(soon(reported).await.expect("a report")), Outcome::Delivered);
}
