//! What takes long.

use super::*;

/// A list of this many numbers, and a template that goes through it once for each of them.
fn squared(number: usize) -> (serde_json::Value, Option<Arc<LiveTemplate>>) {
    let body = "{{#each n}}{{#each ../n}}{{/each}}{{/each}}long";
    (json!(vec![1; number]), template(Format::Text, body))
}

fn bodies(deliveries: &DeliveriesRendered) -> Vec<&[u8]> {
    deliveries.0.iter().map(|queued| &queued.delivery.body[..]).collect()
}

#[actix_rt::test]
async fn what_takes_long_is_rendered_in_the_background_and_delays_its_own_account_only() {
    let (alone, mut passed) = Alone::start();
    let (release, held) = blocking::channel::<()>();
    let busy = TurnKey { account: AccountId::new("busy").expect("a name"), is_test: false };
    let busy = alone.background.run(busy, move || held.recv().is_ok());
    let ((list, long), short) = (squared(200), template(Format::Text, "{{event.id}}"));
    alone.give(vec![firing("1", "h", &list, long.clone()), firing("2", "h", &json!(1), short.clone())], None).await;
    alone.give_of("other", vec![firing("3", "h", &json!(1), short)], None).await;
    assert_eq!(bodies(&soon(passed.recv()).await.expect("deliveries")), [b"3"]);
    assert!(passed.try_recv().is_err(), "the account's second firing waits for its first");
    release.send(()).expect("somebody waits");
    assert_eq!(soon(busy).await, Ok(true));
    let mut rest = soon(passed.recv()).await.expect("deliveries");
    while rest.0.len() < 2 {
        rest.0.extend(soon(passed.recv()).await.expect("deliveries").0);
    }
    assert_eq!(bodies(&rest), [&b"long"[..], b"2"]);
    assert!(long.expect("a template").takes_long.load(Ordering::Relaxed));
}

#[actix_rt::test]
async fn a_template_that_took_long_is_rendered_at_once_again_when_it_does_not() {
    let (alone, mut passed) = Alone::start();
    let (list, long) = squared(200);
    let takes_long = || long.as_ref().is_some_and(|template| template.takes_long.load(Ordering::Relaxed));
    for (id, n, expected) in [("1", &list, true), ("2", &json!([1]), false), ("3", &json!([1]), false)] {
        alone.give(vec![firing(id, "h", n, long.clone())], None).await;
        assert_eq!(bodies(&soon(passed.recv()).await.expect("deliveries")), [b"long"], "{id}");
        assert_eq!(takes_long(), expected, "{id}");
    }
}

#[actix_rt::test]
async fn what_exceeds_the_steps_of_templates_in_the_background_is_dropped() {
    let (alone, mut passed) = Alone::start();
    let (list, long) = squared(400);
    let (report, reported) = oneshot::channel();
    let mut over = firing("1", "h", &list, long);
    over.report = Some(report);
    alone.give(vec![over, firing("2", "h", &json!(1), template(Format::Text, "{{event.id}}"))], None).await;
    assert_eq!(soon(reported).await.expect("a report"), FiringReport::Dropped(DropReason::RenderTooManySteps));
    assert_eq!(bodies(&soon(passed.recv()).await.expect("deliveries")), [b"2"]);
    assert_eq!(alone.metrics.deliveries.dropped.get(DropReason::RenderTooManySteps), 1);
}

/// A template that is compiled when it is first used.
fn late(result: Result<&'static str, DropReason>) -> Option<Arc<LiveTemplate>> {
    let compile =
        move || template(Format::Text, result?).and_then(Arc::into_inner).expect("it is new").compiled.into_inner();
    Some(Arc::new(LiveTemplate {
        id: TemplateId::new("t").expect("a name"),
        compiled: Late::new(compile, Arc::new(Metrics::new())),
        content_type: HeaderValue::from_static("a/b"),
        takes_long: AtomicBool::new(false),
    }))
}

#[actix_rt::test]
async fn what_is_not_compiled_yet_is_compiled_in_the_background() {
    let (alone, mut passed) = Alone::start();
    let (release, held) = blocking::channel::<()>();
    let busy = TurnKey { account: AccountId::new("busy").expect("a name"), is_test: false };
    let busy = alone.background.run(busy, move || held.recv().is_ok());
    let (first, wrong) = (late(Ok("late")), late(Err(DropReason::TemplateUnusable)));
    let firings = ["1", "2"].map(|id| firing(id, "h", &json!(1), first.clone()));
    alone.give(firings.into(), None).await;
    alone.give_of("other", vec![firing("3", "h", &json!(1), template(Format::Text, "at once"))], None).await;
    assert_eq!(bodies(&soon(passed.recv()).await.expect("deliveries")), [b"at once"]);
    assert!(passed.try_recv().is_err() && first.is_some_and(|template| !template.compiled.is_ready()));
    release.send(()).expect("somebody waits");
    assert_eq!(soon(busy).await, Ok(true));
    let mut rest = soon(passed.recv()).await.expect("deliveries");
    while rest.0.len() < 2 {
        rest.0.extend(soon(passed.recv()).await.expect("deliveries").0);
    }
    assert_eq!(bodies(&rest), [b"late", b"late"]);
    let (report, reported) = oneshot::channel();
    let mut unusable = firing("4", "h", &json!(1), wrong);
    unusable.report = Some(report);
    alone.give(vec![unusable], None).await;
    assert_eq!(soon(reported).await.expect("a report"), FiringReport::Dropped(DropReason::TemplateUnusable));
}
