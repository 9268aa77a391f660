//! Conformance of stores: when a write succeeds, when it is refused, and which changes are reported.

use futures_util::future::join_all;
use posthaste::model::id::TemplateId;
use posthaste::model::template::Template;
use posthaste::model::trigger::Trigger;
use posthaste::store::{Precondition, Revision, StoreError, StoredRecord};

use super::{Home, URL, account, get, key, remove, save, template, trigger};

pub(super) async fn preconditions_hold_or_nothing_is_done(home: Home) {
    use Precondition::{Absent, Exists, Is};
    let (store, probe) = home.open().await;
    let acme = account("acme");
    let record = template("w");
    let put = |precondition| store.put(Some(&acme), &record, precondition);
    let delete = |precondition| store.delete::<Template>(Some(&acme), "w", precondition);
    let failed = |current| StoreError::PreconditionFailed { current };

    for precondition in [Exists, Is(vec![Revision(1)]), Is(vec![])] {
        assert_eq!(put(precondition.clone()).await, Err(failed(None)));
        assert_eq!(delete(precondition).await, Err(failed(None)));
    }
    assert_eq!(delete(Absent).await, Err(StoreError::NotFound));
    assert!(probe.take().is_empty());

    let first = put(Absent).await.expect("written").revision;
    for precondition in [Absent, Is(vec![Revision(first.0 + 1)]), Is(vec![])] {
        assert_eq!(put(precondition.clone()).await, Err(failed(Some(first))));
        assert_eq!(delete(precondition).await, Err(failed(Some(first))));
    }
    assert_eq!(probe.take().len(), 1);
    let second = put(Is(vec![Revision(0), first])).await.expect("written").revision;
    assert_eq!(put(Is(vec![first])).await, Err(failed(Some(second))));
    let third = put(Exists).await.expect("written").revision;
    assert_eq!(delete(Is(vec![first, second])).await, Err(failed(Some(third))));
    assert_eq!(delete(Is(vec![third])).await, Ok(()));
    // A recreated record does not get an old revision.
    let fourth = put(Absent).await.expect("written").revision;
    assert!(first < second && second < third && third < fourth);
    assert_eq!(delete(Is(vec![third])).await, Err(failed(Some(fourth))));
    assert_eq!(delete(Exists).await, Ok(()));
}

pub(super) async fn revisions_grow_over_all_records(home: Home) {
    let (store, _) = home.open().await;
    let mut last = Revision(0);
    for turn in 0..3 {
        for name in ["acme", "beta"] {
            let acme = account(name);
            let template = template("w");
            let trigger = trigger("t", "w", URL);
            for written in [
                store.put(Some(&acme), &template, Precondition::None).await,
                store.put(Some(&acme), &trigger, Precondition::None).await,
            ] {
                let revision = written.expect("written").revision;
                assert!(revision > last, "{turn} {name}");
                last = revision;
            }
        }
    }
    let found = get::<Trigger>(&store, Some(&account("beta")), "t").await;
    assert_eq!(found.map(|found| found.revision), Some(last));
}

pub(super) async fn a_template_in_use_stays(home: Home) {
    let (store, probe) = home.open().await;
    let (acme, beta) = (account("acme"), account("beta"));
    let put_trigger = |id: &str, template: &str, precondition| {
        let (store, acme) = (&store, &acme);
        let trigger = trigger(id, template, URL);
        async move { store.put(Some(acme), &trigger, precondition).await }
    };
    let delete = |account, id| store.delete::<Template>(Some(account), id, Precondition::None);
    let missing = StoreError::TemplateMissing(TemplateId::new("w").expect("a name"));
    save(&store, &beta, &template("w")).await;
    assert_eq!(put_trigger("t", "w", Precondition::None).await, Err(missing));
    // The precondition is checked first.
    let first = put_trigger("t", "w", Precondition::Exists).await;
    assert_eq!(first, Err(StoreError::PreconditionFailed { current: None }));
    for id in ["w", "v", "ww"] {
        save(&store, &acme, &template(id)).await;
    }
    for number in 0..20 {
        let put = put_trigger(&format!("t{number}"), "w", Precondition::None).await;
        put.expect("written");
    }
    probe.take();
    match delete(&acme, "w").await {
        Err(StoreError::TemplateInUse { triggers }) => {
            assert!((1..=20).contains(&triggers.len()));
            assert!(triggers.iter().all(|id| id.as_str().starts_with('t')));
        }
        other => panic!("{other:?}"),
    }
    assert!(probe.take().is_empty());
    assert!(get::<Template>(&store, Some(&acme), "w").await.is_some());
    // The same name in another account, and a longer name in this one, are not in use.
    assert_eq!(delete(&beta, "w").await, Ok(()));
    assert_eq!(delete(&acme, "ww").await, Ok(()));
    // A template in use can be replaced like any other.
    assert!(!save(&store, &acme, &template("w")).await.created);
    for number in 0..20 {
        let id = format!("t{number}");
        if number % 2 == 0 {
            let moved = put_trigger(&id, "v", Precondition::None).await;
            moved.expect("written");
        } else {
            remove::<Trigger>(&store, &acme, &id).await;
        }
    }
    assert_eq!(delete(&acme, "w").await, Ok(()));
    assert!(matches!(delete(&acme, "v").await, Err(StoreError::TemplateInUse { .. })));
}

pub(super) async fn the_sink_hears_all_in_order_before_the_response(home: Home) {
    let (store, probe) = home.open().await;
    let acme = account("acme");
    let (template, key) = (template("w"), key("till"));
    assert!(probe.take().is_empty());
    save(&store, &acme, &template).await;
    let told = format!("template acme/w = {}", template.to_json());
    assert_eq!(probe.take(), [told]);
    let put = store.put(None, &key, Precondition::None);
    put.await.expect("written");
    let told = format!("key -/{} = {}", key.id, key.to_stored_json());
    assert_eq!(probe.take(), [told]);

    // Many at once: each is reported before its response, and the last reported one is stored.
    let trigger = |writer: usize| trigger("t", "w", &format!("https://h/{writer}"));
    let writers = (0..50).map(|writer| {
        let (store, acme, probe) = (&store, &acme, &probe);
        async move {
            let trigger = trigger(writer);
            save(store, acme, &trigger).await;
            let told = format!("trigger acme/t = {}", trigger.to_stored_json());
            assert!(probe.0.lock().expect("a lock").contains(&told));
        }
    });
    join_all(writers).await;
    let found: StoredRecord<Trigger> = get(&store, Some(&acme), "t").await.expect("there");
    let kept = format!("trigger acme/t = {}", found.value.to_stored_json());
    let told = probe.take();
    assert_eq!((told.len(), told.last()), (50, Some(&kept)));
    remove::<Trigger>(&store, &acme, "t").await;
    assert_eq!(probe.take(), ["trigger acme/t gone"]);
}

pub(super) async fn no_update_is_lost_between_writers(home: Home) {
    const WRITERS: usize = 8;
    const TURNS: usize = 10;
    let (store, _) = home.open().await;
    let acme = account("acme");
    let record = Template { body: String::new(), ..template("w") };
    save(&store, &acme, &record).await;
    let writers = (0..WRITERS).map(|_| async {
        for _ in 0..TURNS {
            loop {
                let found: StoredRecord<Template> = get(&store, Some(&acme), "w").await.expect("there");
                let longer = Template { body: found.value.body + "x", ..record.clone() };
                let unchanged = Precondition::Is(vec![found.revision]);
                match store.put(Some(&acme), &longer, unchanged).await {
                    Ok(_) => break,
                    Err(StoreError::PreconditionFailed { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        }
    });
    join_all(writers).await;
    let found: StoredRecord<Template> = get(&store, Some(&acme), "w").await.expect("there");
    assert_eq!(found.value.body.len(), WRITERS * TURNS);
}

pub(super) async fn only_one_of_many_creates(home: Home) {
    let (store, _) = home.open().await;
    let acme = account("acme");
    let record = template("w");
    let writers = (0..40).map(|_| store.put(Some(&acme), &record, Precondition::Absent));
    let responses = join_all(writers).await;
    assert_eq!(responses.iter().filter(|response| response.is_ok()).count(), 1);
    // A trigger may be saved while its template is deleted: it is never stored without it.
    for turn in 0..20 {
        let trigger = trigger("t", "w", URL);
        let (put, gone) = futures_util::join!(
            store.put(Some(&acme), &trigger, Precondition::None),
            store.delete::<Template>(Some(&acme), "w", Precondition::None),
        );
        assert!(put.is_ok() != gone.is_ok(), "{turn}: {put:?} {gone:?}");
        if put.is_ok() {
            remove::<Trigger>(&store, &acme, "t").await;
        } else {
            save(&store, &acme, &record).await;
        }
    }
}
