//! More destinations than Dispatchers.

use super::*;

/// Responds to every request, until the test ends.
fn respond_to_all(port: Port) {
    actix_rt::spawn(async move {
        while let Ok((stream, _)) = port.0.accept().await {
            actix_rt::spawn(async move {
                let mut part = [0; 4_096];
                while stream.readable().await.is_ok() {
                    match stream.try_read(&mut part) {
                        Ok(0) => return,
                        Ok(read) if part[..read].ends_with(b"!") => answer(&stream, 200).await,
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
        answer(&stream, 200).await;
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
