//! Generated sequences of requests. Whatever the receiver does, the outcome matches it, no request is read twice, and
//! no response is credited to another request.

use super::plan::{Numbers, Plan};
use super::receiver::Receiver;
use super::{LONG, Scripted, outlet, post, settings, target};
use crate::model::outcome::Outcome;

/// The number of requests in a sequence.
const REQUESTS: usize = 8;

async fn run(seed: u64) {
    let mut numbers = Numbers::new(seed);
    let (receiver, mut done) = Receiver::start().await;
    let target = target(&receiver.url());
    let outlet = outlet(&settings(|_| {}), &Scripted::new(&[Some(&[])]), &target);
    for number in 0..REQUESTS {
        let plan = Plan::new(&mut numbers, number);
        receiver.expect(number, plan.clone());
        let padding = if numbers.below(10) == 0 { 300_000 } else { numbers.below(40) };
        let (outcome, status) = post(&outlet, &target, format!("{number}!{}", "p".repeat(padding))).await;
        let at = || format!("seed {seed}, request {number}: {outcome:?} {status:?} with {plan:?}");
        assert_eq!(receiver.read(number), 1, "read once: {}", at());
        assert!(plan.allows(outcome, status), "{}", at());
        assert_eq!(outcome == Outcome::Delivered, status.is_some_and(|status| status / 100 == 2), "{}", at());
        // The receiver finishes its plan before the next request is sent. Without that order the expected outcome could
        // not be determined.
        let told = tokio::time::timeout(LONG, done.recv()).await.unwrap_or_else(|_| panic!("not in time: {}", at()));
        assert_eq!(told, Some(number), "{}", at());
    }
}

/// A few hundred sequences here; `scripts/fuzz` runs more.
#[actix_rt::test]
async fn outcomes_match_what_the_receiver_did() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = variable("POSTHASTE_SEQUENCES_FROM").unwrap_or(1);
    let sequences = variable("POSTHASTE_SEQUENCES").unwrap_or(300);
    for seed in first..first + sequences {
        run(seed).await;
    }
}
