//! Subscribers of the activity: filters, bounds, and what they miss.

use std::time::Duration;

use super::*;
use crate::model::event::{EventIdentity, EventType};
use crate::model::id::TriggerId;
use crate::model::outcome::{DropReason, Outcome};

const BOUNDS: ActivityBounds = ActivityBounds { subscribers: 8, lines: 3 };

fn account(name: &str) -> AccountId {
    AccountId::new(name).expect("a name")
}

fn firing(of: &str, trigger: &str) -> FiringId {
    let event_type = EventType::new("guest.created").expect("a type");
    let event = EventIdentity::new(&account(of), &event_type, "", "1");
    FiringId { event, trigger: TriggerId::new(trigger).expect("a name") }
}

fn destination() -> Destination {
    Destination::new(true, "example.com", 443)
}

fn attempted(outcome: Outcome) -> FiringReport {
    FiringReport::Attempted { outcome, status: None, duration: Duration::from_millis(1) }
}

/// The waiting lines, without waiting for more: trigger and word of each, and the number skipped.
fn taken(subscription: &mut Subscription) -> (Vec<String>, u64) {
    let Some(Some(batch)) = futures_util::FutureExt::now_or_never(subscription.next()) else { return (Vec::new(), 0) };
    let line = |line: &Arc<EndedFiring>| format!("{} {}", line.firing.trigger, line.report.word());
    (batch.lines.iter().map(line).collect(), batch.skipped)
}

#[test]
fn each_subscriber_receives_what_its_filter_selects() {
    let activity = Arc::new(Activity::new(BOUNDS));
    let all = [
        (firing("a", "t"), attempted(Outcome::Delivered)),
        (firing("a", "u"), attempted(Outcome::ClientError)),
        (firing("b", "t"), FiringReport::Dropped(DropReason::QueueFull)),
    ];
    let filter = |of: Option<&str>, trigger: Option<&str>, words: &str| {
        let mut filter = ActivityFilter::default();
        filter.account = of.map(account);
        filter.trigger = trigger.map(|trigger| TriggerId::new(trigger).expect("a name"));
        filter.with_outcomes(words).expect("words that are known")
    };
    for (filter, expected) in [
        (filter(None, None, ""), &["t delivered", "u client_error", "t queue_full"][..]),
        (filter(Some("a"), None, ""), &["t delivered", "u client_error"]),
        (filter(None, Some("t"), ""), &["t delivered", "t queue_full"]),
        (filter(None, None, "failed"), &["u client_error", "t queue_full"]),
        (filter(None, None, "dropped"), &["t queue_full"]),
        (filter(None, None, "delivered, queue_full"), &["t delivered", "t queue_full"]),
        (filter(Some("b"), Some("u"), "failed"), &[]),
    ] {
        let mut subscription = activity.subscribe(None, filter.clone()).expect("room");
        for (firing, report) in &all {
            activity.ended(Some(firing), Some(&destination()), *report);
        }
        activity.ended(None, Some(&destination()), attempted(Outcome::Delivered));
        assert_eq!(taken(&mut subscription).0, expected, "{filter:?}");
    }
    assert_eq!(activity.subscribers(), 0, "each has ended");
    let error = ActivityFilter::default().with_outcomes("delivered,lost").expect_err("no such word");
    assert!(error.to_string().starts_with("\"lost\" is not an outcome"), "{error}");
}

#[test]
fn lines_beyond_a_slow_subscribers_room_are_counted_as_skipped() {
    let activity = Arc::new(Activity::new(BOUNDS));
    let mut subscription = activity.subscribe(None, ActivityFilter::default()).expect("room");
    for _ in 0..2 {
        for _ in 0..10 {
            activity.ended(Some(&firing("a", "t")), Some(&destination()), attempted(Outcome::Delivered));
        }
        let (lines, skipped) = taken(&mut subscription);
        assert_eq!((lines.len(), skipped), (3, 7));
    }
}

#[test]
fn one_account_leaves_room_for_others_and_all_accounts_for_the_operator() {
    let activity = Arc::new(Activity::new(BOUNDS));
    let mut held = Vec::new();
    let mut subscribe = |owner: Option<&str>| {
        let subscription = activity.subscribe(owner.map(account), ActivityFilter::default());
        subscription.map(|subscription| held.push(subscription)).is_ok()
    };
    assert!(subscribe(Some("a")) && !subscribe(Some("a")), "an eighth of eight");
    assert!(subscribe(Some("b")) && subscribe(Some("c")) && subscribe(Some("d")) && !subscribe(Some("e")), "half");
    assert!((0..4).all(|_| subscribe(None)) && !subscribe(None), "the operator has the rest");
    held.clear();
    assert_eq!(activity.subscribers(), 0);
}

#[actix_rt::test]
async fn a_subscription_ends_with_the_node_and_wakes_for_each_line() {
    let activity = Arc::new(Activity::new(BOUNDS));
    let mut subscription = activity.subscribe(None, ActivityFilter::default()).expect("room");
    let reading = actix_rt::spawn(async move {
        let mut number = 0;
        while let Some(batch) = subscription.next().await {
            number += batch.lines.len();
        }
        number
    });
    tokio::task::yield_now().await;
    activity.ended(Some(&firing("a", "t")), Some(&destination()), attempted(Outcome::Delivered));
    tokio::task::yield_now().await;
    activity.ended(Some(&firing("a", "t")), Some(&destination()), attempted(Outcome::Delivered));
    activity.close();
    let read = tokio::time::timeout(Duration::from_secs(10), reading).await.expect("in time").expect("no panic");
    assert_eq!((read, activity.subscribers()), (2, 0));
}
