//! Conformance of stores: which records are kept, in which order, and for how long.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use posthaste::model::key::Key;
use posthaste::model::template::Template;
use posthaste::model::trigger::Trigger;
use posthaste::store::{Precondition, StoreError, StoredRecord};

use super::{Home, URL, account, get, ids, key, remove, save, template, trigger, users};

pub(super) async fn what_was_put_is_there_with_its_secrets(home: Home) {
    let (store, _) = home.open().await;
    let acme = account("acme");
    let (template, trigger, key) = (template("w"), trigger("t", "w", URL), key("till"));
    for (created, count) in [(true, 1), (false, 2)] {
        let revisions = [
            store.put(Some(&acme), &template, Precondition::None).await,
            store.put(Some(&acme), &trigger, Precondition::None).await,
            store.put(None, &key, Precondition::None).await,
        ];
        for written in revisions {
            assert_eq!(written.expect("written").created, created, "{count}");
        }
    }
    let found: StoredRecord<Template> = get(&store, Some(&acme), "w").await.expect("there");
    assert_eq!(found.value, template);
    let found: StoredRecord<Trigger> = get(&store, Some(&acme), "t").await.expect("there");
    assert_eq!(found.value.to_stored_json(), trigger.to_stored_json());
    assert_eq!(found.value.secrets, trigger.secrets);
    let found: StoredRecord<Key> = get(&store, None, key.id.as_str()).await.expect("there");
    assert_eq!(found.value, key);

    for (account, id) in [("acme", "x"), ("acm", "w"), ("acme2", "w"), ("acme", "")] {
        let nothing = get::<Template>(&store, Some(&self::account(account)), id).await;
        assert_eq!(nothing, None, "{account} {id}");
    }
    store.delete::<Key>(None, key.id.as_str(), Precondition::None).await.expect("deleted");
    assert_eq!(get::<Key>(&store, None, key.id.as_str()).await, None);
    let again = store.delete::<Key>(None, key.id.as_str(), Precondition::None);
    assert_eq!(again.await, Err(StoreError::NotFound));
    let no_name = store.delete::<Trigger>(Some(&acme), "a b", Precondition::None);
    assert_eq!(no_name.await, Err(StoreError::NotFound));
    assert_eq!(store.unreadable(), 0);
}

pub(super) async fn a_record_is_kept_where_its_kind_belongs(home: Home) {
    let (store, probe) = home.open().await;
    let acme = account("acme");
    let none = Precondition::None;
    let misplaced = [
        store.put(None, &template("w"), none.clone()).await.err(),
        store.put(Some(&acme), &key("k"), none.clone()).await.err(),
        store.get::<Trigger>(None, "t").await.err(),
        store.list::<Key>(Some(&acme), None, 1).await.err(),
        store.delete::<Key>(Some(&acme), "k", none).await.err(),
    ];
    for error in misplaced {
        assert!(matches!(error, Some(StoreError::Misplaced(_))), "{error:?}");
    }
    assert!(probe.take().is_empty());
}

pub(super) async fn pages_follow_the_bytes_of_the_ids(home: Home) {
    let (store, _) = home.open().await;
    let (acme, other) = (account("acme"), account("acme-2"));
    // Every valid kind of character, neighbours in each order of sorting, and the longest name.
    let longest = "z".repeat(128);
    let names = [
        "a", "B", "b", "a:b", "a@b", "a.b", "a_b", "a~b", "a-b", "a0", "10", "9", "~", "-", ":", "_", "@", ".a", "..a",
        &longest,
    ];
    for name in names {
        for account in [&acme, &other] {
            save(&store, account, &template(name)).await;
        }
    }
    let sorted: Vec<String> = BTreeSet::from(names).into_iter().map(String::from).collect();
    for limit in [1, 2, 7, names.len() - 1, names.len(), 1_000] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = ids::<Template>(&store, Some(&acme), after.as_deref(), limit).await;
            assert!(page.len() <= limit && !page.is_empty());
            assert!(next.is_none() || next.as_ref() == page.last());
            seen.extend(page);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, sorted, "{limit}");
    }
    for name in names {
        assert!(get::<Template>(&store, Some(&acme), name).await.is_some());
    }
    // Each kind and account has its own list.
    assert!(ids::<Trigger>(&store, Some(&acme), None, 9).await.0.is_empty());
    assert!(ids::<Template>(&store, Some(&account("acme-")), None, 9).await.0.is_empty());
}

pub(super) async fn a_cursor_outlives_what_it_points_at(home: Home) {
    let (store, _) = home.open().await;
    let acme = account("acme");
    for id in ["b", "d", "f", "h"] {
        save(&store, &acme, &template(id)).await;
    }
    let (page, next) = ids::<Template>(&store, Some(&acme), None, 2).await;
    assert_eq!((page, next.as_deref()), (vec!["b".into(), "d".into()], Some("d")));
    remove::<Template>(&store, &acme, "d").await;
    for id in ["a", "c", "e"] {
        save(&store, &acme, &template(id)).await;
    }
    let (page, next) = ids::<Template>(&store, Some(&acme), Some("d"), 9).await;
    assert_eq!((page, next), (vec!["e".into(), "f".into(), "h".into()], None));
}

pub(super) async fn accounts_are_those_that_hold_something(home: Home) {
    let (store, _) = home.open().await;
    assert_eq!(store.accounts().await, Ok(vec![]));
    store.put(None, &key("till"), Precondition::None).await.expect("written");
    let names = ["b", "a", "a-", "a~", "A", "ab", &"z".repeat(128)];
    for name in names {
        for id in ["v", "w"] {
            save(&store, &account(name), &template(id)).await;
        }
        save(&store, &account(name), &trigger("t", "w", URL)).await;
    }
    let expected: Vec<_> = BTreeSet::from(names).into_iter().map(account).collect();
    assert_eq!(store.accounts().await.as_ref(), Ok(&expected));
    let a = account("a");
    for id in ["v", "t", "w"] {
        let gone = match id {
            "t" => store.delete::<Trigger>(Some(&a), id, Precondition::None).await,
            _ => store.delete::<Template>(Some(&a), id, Precondition::None).await,
        };
        gone.expect("deleted");
    }
    let expected: Vec<_> = expected.into_iter().filter(|name| *name != a).collect();
    assert_eq!(store.accounts().await, Ok(expected));
}

pub(super) async fn what_was_written_is_there_after_a_restart(home: Home) {
    if !home.keeps {
        return;
    }
    let (store, probe) = home.open().await;
    assert!(probe.take().is_empty());
    let mut written = BTreeSet::new();
    for name in ["acme", "beta"] {
        let account = account(name);
        let record = template("w");
        save(&store, &account, &record).await;
        // More than one batch.
        let triggers: Vec<_> = (0..1_200).map(|n| trigger(&format!("t{n}"), "w", URL)).collect();
        let puts = triggers.iter().map(|t| store.put(Some(&account), t, Precondition::None));
        for put in join_all(puts).await {
            put.expect("written");
        }
    }
    let key = key("till");
    let last = store.put(None, &key, Precondition::None).await.expect("written").revision;
    written.extend(probe.take());
    drop(store);

    let (store, probe) = home.open().await;
    let told = probe.take();
    assert_eq!(written, told.iter().cloned().collect());
    assert_eq!(written.len(), told.len());
    let templates = told.iter().rposition(|line| line.starts_with("template"));
    let triggers = told.iter().position(|line| line.starts_with("trigger"));
    assert!(templates < triggers, "templates come first");
    let found: StoredRecord<Key> = get(&store, None, key.id.as_str()).await.expect("there");
    assert_eq!((found.value, found.revision), (key.clone(), last));
    let next = store.put(None, &key, Precondition::Is(vec![last])).await.expect("written");
    assert!(next.revision > last);
    let acme = account("acme");
    let used = store.delete::<Template>(Some(&acme), "w", Precondition::None);
    assert!(matches!(used.await, Err(StoreError::TemplateInUse { .. })));
}

pub(super) async fn triggers_are_listed_by_their_template(home: Home) {
    let (store, _) = home.open().await;
    let (acme, other) = (account("acme"), account("acme-2"));
    for account in [&acme, &other] {
        // Names that sort just before and after, and one that begins with the other.
        for name in ["w", "w-", "w0", "v~"] {
            save(&store, account, &template(name)).await;
        }
    }
    for (id, template) in [("a", "w"), ("B", "w"), ("c", "w-"), ("d", "w"), ("e", "w0"), ("~", "w"), ("f", "v~")] {
        save(&store, &acme, &trigger(id, template, URL)).await;
    }
    save(&store, &other, &trigger("z", "w", URL)).await;
    assert_eq!(users(&store, &acme, "w", None, 10).await, (["B", "a", "d", "~"].map(str::to_owned).to_vec(), None));
    let (mut found, mut after) = (Vec::new(), None);
    for page in 0..4 {
        let (ids, next) = users(&store, &acme, "w", after.as_deref(), 1).await;
        assert_eq!((ids.len(), next.is_some()), (1, page < 3));
        found.extend(ids);
        after = next;
    }
    assert_eq!(found, ["B", "a", "d", "~"]);
    save(&store, &acme, &trigger("a", "w-", URL)).await;
    remove::<Trigger>(&store, &acme, "~").await;
    assert_eq!(users(&store, &acme, "w", Some("B"), 10).await, (vec!["d".to_owned()], None));
    assert_eq!(users(&store, &acme, "nowhere", None, 10).await, (Vec::new(), None));
}
