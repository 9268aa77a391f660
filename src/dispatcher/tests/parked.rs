//! Deliveries from streams: when they are parked, and whose are fetched. The test stands for the worker of the claims.

use super::*;
use crate::flow::in_flight::{
    Claim, ClaimAction, EntryId, FetchRequest, FetchedDeliveries, PackPart, StreamClaims, StreamKind, StreamRequest,
};

/// Deliveries of an account, with claims that are redeemed through `claims`.
fn from_stream(alone: &Alone, port: &Port, claims: &StreamClaims, account: &str, is_late: bool) -> Vec<InFlight> {
    let one = |number| {
        let (mut queued, _) = alone.queued(port, "one");
        let claim = Claim::new(
            (EntryId { stream: StreamKind::First, millis: number, number: 0 }, PackPart::ONLY),
            None,
            claims.clone(),
            alone.gate.count_delivery(),
        );
        let account = alone.gate.account(&AccountId::new(account).expect("a name"));
        queued.account = account.deliver(queued.delivery.body.len());
        (queued.claim, queued.report) = (Some(claim.late(is_late)), None);
        queued
    };
    (0..10).map(one).collect()
}

fn parked(asked: &mut mpsc::UnboundedReceiver<StreamRequest>) -> Vec<String> {
    let requests = std::iter::from_fn(|| asked.try_recv().ok());
    let lane = |request| match request {
        StreamRequest::Redeem(claim) => match claim.action {
            ClaimAction::Park(lane, _) => lane.account,
            _ => None,
        },
        StreamRequest::Fetch(_) => None,
    };
    requests.filter_map(lane).map(|account| account.as_str().to_owned()).collect()
}

#[actix_rt::test]
async fn late_deliveries_are_parked_and_keep_their_stream_waiting_no_longer() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let config = config(|own| own.connections_per_destination = 2);
    for (is_late, number) in [(false, 0), (true, 6)] {
        let (dispatcher, _said) = alone.dispatcher(&port, &config);
        let (claims, mut asked) = StreamClaims::open();
        let deliveries = from_stream(&alone, &port, &claims, "flood", is_late);
        dispatcher.queue.take(deliveries);
        assert_eq!(parked(&mut asked), vec!["flood"; number], "two begin, and two have a place");
        let mut test = from_stream(&alone, &port, &claims, "flood", is_late).remove(0);
        test.is_test = true;
        dispatcher.queue.take(vec![test]);
        assert!(parked(&mut asked).is_empty(), "a test has places of its own");
    }
}

/// Tells a Dispatcher that some of an account are parked until it fetches.
async fn fetch(
    dispatcher: &OneDispatcher,
    account: &Option<AccountId>,
    claims: &StreamClaims,
    asked: &mut mpsc::UnboundedReceiver<StreamRequest>,
) -> FetchRequest {
    soon(async {
        loop {
            dispatcher.queue.report_parked(account.clone(), claims);
            if let Ok(StreamRequest::Fetch(fetch)) = asked.try_recv() {
                return fetch;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[actix_rt::test]
async fn accounts_take_turns_with_what_is_parked() {
    let (alone, port) = (Alone::new(), Port::open().await);
    let config = config(|own| own.connections_per_destination = 2);
    let (dispatcher, _said) = alone.dispatcher(&port, &config);
    let (claims, mut asked) = StreamClaims::open();
    let flood = AccountId::new("flood").ok();
    let mut firsts = Vec::new();
    // EARLIER(entry): without an account.
    for account in [&flood, &None, &flood, &None] {
        let fetch = fetch(&dispatcher, account, &claims, &mut asked).await;
        let lanes: Vec<_> = fetch.lanes.iter().map(|(lane, number)| (lane.account.clone(), *number)).collect();
        let numbers: Vec<usize> = lanes.iter().map(|(_, number)| *number).collect();
        assert_eq!(numbers, if firsts.is_empty() { vec![4] } else { vec![2, 2] }, "two begin, and two are queued");
        firsts.push(lanes[0].0.clone());
        let more = vec![true; lanes.len()];
        fetch.response.send(FetchedDeliveries { deliveries: Vec::new(), more }).expect("it waits");
    }
    assert_eq!(firsts, [flood.clone(), flood.clone(), None, flood], "they take turns");
}
