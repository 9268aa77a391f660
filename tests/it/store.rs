//! What every store must do, whatever keeps it: each check takes a [`Home`] and runs against all
//! kinds of store there are. What only a file can do wrong is in [`file`].

mod file;

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use posthaste::id::{AccountId, TemplateId};
use posthaste::key::{Key, Scope};
use posthaste::store::{
    Change, ChangeSink, OpenError, Precondition, Record, Revision, Store, StoreError, Stored,
    Written,
};
use posthaste::template::Template;
use posthaste::trigger::Trigger;
use serde_json::json;

/// A place for one store, which goes away with it.
struct Home {
    url: String,
    /// What was written is there when it is opened again.
    keeps: bool,
    /// Whatever must live as long: a folder, a server.
    _guard: Box<dyn Any>,
}

impl Home {
    async fn open(&self) -> (Store, Arc<Probe>) {
        let probe = Arc::new(Probe::default());
        let store = Store::open(&self.url, probe.clone()).await;
        (store.expect("a store"), probe)
    }
}

fn in_memory() -> Home {
    Home {
        url: "memory:".to_owned(),
        keeps: false,
        _guard: Box::new(()),
    }
}

fn in_file() -> Home {
    let folder = tempfile::tempdir().expect("a folder");
    Home {
        url: format!("file:{}/a/b/store.redb", folder.path().display()),
        keeps: true,
        _guard: Box::new(folder),
    }
}

/// Remembers what it was told.
#[derive(Default)]
struct Probe(Mutex<Vec<String>>);

impl ChangeSink for Probe {
    fn apply(&self, changes: Vec<Change>) {
        assert!((1..=1_000).contains(&changes.len()));
        let mut told = self.0.lock().expect("a lock");
        told.extend(changes.into_iter().map(|change| match change {
            Change::Template(account, id, value) => line("template", &account, &id, value),
            Change::Trigger(account, id, value) => line("trigger", &account, &id, value),
            Change::Key(id, value) => line("key", &"-", &id, value),
        }));
    }
}

fn line<T: Record>(
    kind: &str,
    account: &dyn std::fmt::Display,
    id: &dyn std::fmt::Display,
    value: Option<T>,
) -> String {
    match value {
        Some(value) => format!("{kind} {account}/{id} = {}", value.to_stored_json()),
        None => format!("{kind} {account}/{id} gone"),
    }
}

impl Probe {
    /// What was told since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("a lock"))
    }
}

fn account(name: &str) -> AccountId {
    AccountId::new(name).expect("a name")
}

fn template(id: &str) -> Template {
    Template::from_json(json!({"id": id, "format": "json", "body": "{\"a\": {{a}}}\r\n"}))
        .expect("a template")
}

fn trigger(id: &str, template: &str, url: &str) -> Trigger {
    Trigger::from_json(json!({
        "id": id, "name": "n", "event": "guest.*", "where": {"a": [{"prefix": "x"}]},
        "template": template, "url": url, "headers": {"X-Token": "t"},
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "enabled": false,
    }))
    .expect("a trigger")
}

fn key(name: &str) -> Key {
    let now = "2026-11-02T10:00:00Z".parse().expect("a time");
    let scope = Scope::Account(account("acme"));
    Key::make(name.to_owned(), scope, now)
        .expect("randomness")
        .0
}

const URL: &str = "https://example.com/x";

async fn what_was_put_is_there_with_its_secrets(home: Home) {
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
    let found: Stored<Template> = get(&store, Some(&acme), "w").await.expect("there");
    assert_eq!(found.value, template);
    let found: Stored<Trigger> = get(&store, Some(&acme), "t").await.expect("there");
    assert_eq!(found.value.to_stored_json(), trigger.to_stored_json());
    assert_eq!(found.value.secret, trigger.secret);
    let found: Stored<Key> = get(&store, None, key.id.as_str()).await.expect("there");
    assert_eq!(found.value, key);

    for (account, id) in [("acme", "x"), ("acm", "w"), ("acme2", "w"), ("acme", "")] {
        let nothing = get::<Template>(&store, Some(&self::account(account)), id).await;
        assert_eq!(nothing, None, "{account} {id}");
    }
    store
        .delete::<Key>(None, key.id.as_str(), Precondition::None)
        .await
        .expect("deleted");
    assert_eq!(get::<Key>(&store, None, key.id.as_str()).await, None);
    let again = store.delete::<Key>(None, key.id.as_str(), Precondition::None);
    assert_eq!(again.await, Err(StoreError::NotFound));
    let no_name = store.delete::<Trigger>(Some(&acme), "a b", Precondition::None);
    assert_eq!(no_name.await, Err(StoreError::NotFound));
    assert_eq!(store.unreadable(), 0);
}

async fn save<T: Record>(store: &Store, account: &AccountId, value: &T) -> Written {
    let put = store.put(Some(account), value, Precondition::None);
    put.await.expect("written")
}

async fn remove<T: Record>(store: &Store, account: &AccountId, id: &str) {
    let gone = store.delete::<T>(Some(account), id, Precondition::None);
    gone.await.expect("deleted");
}

async fn get<T: Record>(store: &Store, account: Option<&AccountId>, id: &str) -> Option<Stored<T>> {
    store.get(account, id).await.expect("an answer")
}

async fn ids<T: Record>(
    store: &Store,
    account: Option<&AccountId>,
    after: Option<&str>,
    limit: usize,
) -> (Vec<String>, Option<String>) {
    let page = store
        .list::<T>(account, after, limit)
        .await
        .expect("a page");
    let ids = page.items.iter().map(|item| item.value.id().to_owned());
    (ids.collect(), page.next)
}

async fn a_record_is_kept_where_its_kind_belongs(home: Home) {
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

async fn pages_follow_the_bytes_of_the_ids(home: Home) {
    let (store, _) = home.open().await;
    let (acme, other) = (account("acme"), account("acme-2"));
    // Every legal kind of character, neighbours in each way of sorting, and the longest name.
    let longest = "z".repeat(128);
    let names = [
        "a", "B", "b", "a:b", "a@b", "a.b", "a_b", "a~b", "a-b", "a0", "10", "9", "~", "-", ":",
        "_", "@", ".", "..", &longest,
    ];
    for name in names {
        for account in [&acme, &other] {
            save(&store, account, &template(name)).await;
        }
    }
    let sorted: Vec<String> = BTreeSet::from(names)
        .into_iter()
        .map(String::from)
        .collect();
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
    // Kinds and accounts are lists of their own.
    assert!(
        ids::<Trigger>(&store, Some(&acme), None, 9)
            .await
            .0
            .is_empty()
    );
    assert!(
        ids::<Template>(&store, Some(&account("acme-")), None, 9)
            .await
            .0
            .is_empty()
    );
}

async fn a_cursor_outlives_what_it_points_at(home: Home) {
    let (store, _) = home.open().await;
    let acme = account("acme");
    for id in ["b", "d", "f", "h"] {
        save(&store, &acme, &template(id)).await;
    }
    let (page, next) = ids::<Template>(&store, Some(&acme), None, 2).await;
    assert_eq!(
        (page, next.as_deref()),
        (vec!["b".into(), "d".into()], Some("d"))
    );
    remove::<Template>(&store, &acme, "d").await;
    for id in ["a", "c", "e"] {
        save(&store, &acme, &template(id)).await;
    }
    let (page, next) = ids::<Template>(&store, Some(&acme), Some("d"), 9).await;
    assert_eq!(
        (page, next),
        (vec!["e".into(), "f".into(), "h".into()], None)
    );
}

async fn preconditions_hold_or_nothing_is_done(home: Home) {
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
    let second = put(Is(vec![Revision(0), first]))
        .await
        .expect("written")
        .revision;
    assert_eq!(put(Is(vec![first])).await, Err(failed(Some(second))));
    let third = put(Exists).await.expect("written").revision;
    assert_eq!(
        delete(Is(vec![first, second])).await,
        Err(failed(Some(third)))
    );
    assert_eq!(delete(Is(vec![third])).await, Ok(()));
    // A name that comes back has no old revision.
    let fourth = put(Absent).await.expect("written").revision;
    assert!(first < second && second < third && third < fourth);
    assert_eq!(delete(Is(vec![third])).await, Err(failed(Some(fourth))));
    assert_eq!(delete(Exists).await, Ok(()));
}

async fn revisions_grow_over_all_records(home: Home) {
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

async fn a_template_in_use_stays(home: Home) {
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
    assert_eq!(
        put_trigger("t", "w", Precondition::None).await,
        Err(missing)
    );
    // The precondition is judged first.
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
    // The same name in another account, and a longer one in the same, are not in use.
    assert_eq!(delete(&beta, "w").await, Ok(()));
    assert_eq!(delete(&acme, "ww").await, Ok(()));
    // Replacing a template in use is an ordinary write.
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
    assert!(matches!(
        delete(&acme, "v").await,
        Err(StoreError::TemplateInUse { .. })
    ));
}

async fn the_sink_hears_all_in_order_before_the_answer(home: Home) {
    let (store, probe) = home.open().await;
    let acme = account("acme");
    let (template, key) = (template("w"), key("till"));
    assert!(probe.take().is_empty());
    save(&store, &acme, &template).await;
    let told = format!("template acme/w = {}", template.to_stored_json());
    assert_eq!(probe.take(), [told]);
    let put = store.put(None, &key, Precondition::None);
    put.await.expect("written");
    let told = format!("key -/{} = {}", key.id, key.to_stored_json());
    assert_eq!(probe.take(), [told]);

    // Many at once: each is told when it is answered, and the last told is what is kept.
    let trigger = |writer: usize| trigger("t", "w", &format!("https://h/{writer}"));
    let writers = (0..50).map(|writer| {
        let (store, acme, probe) = (&store, &acme, &probe);
        async move {
            let trigger = trigger(writer);
            save(&store, acme, &trigger).await;
            let told = format!("trigger acme/t = {}", trigger.to_stored_json());
            assert!(probe.0.lock().expect("a lock").contains(&told));
        }
    });
    join_all(writers).await;
    let found: Stored<Trigger> = get(&store, Some(&acme), "t").await.expect("there");
    let kept = format!("trigger acme/t = {}", found.value.to_stored_json());
    let told = probe.take();
    assert_eq!((told.len(), told.last()), (50, Some(&kept)));
    remove::<Trigger>(&store, &acme, "t").await;
    assert_eq!(probe.take(), ["trigger acme/t gone"]);
}

async fn no_update_is_lost_between_writers(home: Home) {
    const WRITERS: usize = 8;
    const TURNS: usize = 10;
    let (store, _) = home.open().await;
    let acme = account("acme");
    let record = Template {
        body: String::new(),
        ..template("w")
    };
    save(&store, &acme, &record).await;
    let writers = (0..WRITERS).map(|_| async {
        for _ in 0..TURNS {
            loop {
                let found: Stored<Template> = get(&store, Some(&acme), "w").await.expect("there");
                let longer = Template {
                    body: found.value.body + "x",
                    ..record.clone()
                };
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
    let found: Stored<Template> = get(&store, Some(&acme), "w").await.expect("there");
    assert_eq!(found.value.body.len(), WRITERS * TURNS);
}

async fn only_one_of_many_creates(home: Home) {
    let (store, _) = home.open().await;
    let acme = account("acme");
    let record = template("w");
    let writers = (0..40).map(|_| store.put(Some(&acme), &record, Precondition::Absent));
    let answers = join_all(writers).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    // A trigger may come in the same moment as its template goes: never without it.
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

async fn accounts_are_those_that_hold_something(home: Home) {
    let (store, _) = home.open().await;
    assert_eq!(store.accounts().await, Ok(vec![]));
    store
        .put(None, &key("till"), Precondition::None)
        .await
        .expect("written");
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
            "t" => {
                store
                    .delete::<Trigger>(Some(&a), id, Precondition::None)
                    .await
            }
            _ => {
                store
                    .delete::<Template>(Some(&a), id, Precondition::None)
                    .await
            }
        };
        gone.expect("deleted");
    }
    let expected: Vec<_> = expected.into_iter().filter(|name| *name != a).collect();
    assert_eq!(store.accounts().await, Ok(expected));
}

async fn what_was_written_is_there_after_a_restart(home: Home) {
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
        let triggers: Vec<_> = (0..1_200)
            .map(|n| trigger(&format!("t{n}"), "w", URL))
            .collect();
        let puts = triggers
            .iter()
            .map(|t| store.put(Some(&account), t, Precondition::None));
        assert!(join_all(puts).await.iter().all(Result::is_ok));
    }
    let key = key("till");
    let last = store
        .put(None, &key, Precondition::None)
        .await
        .expect("written")
        .revision;
    written.extend(probe.take());
    drop(store);

    let (store, probe) = home.open().await;
    let told = probe.take();
    assert_eq!(written, told.iter().cloned().collect());
    assert_eq!(written.len(), told.len());
    let templates = told.iter().rposition(|line| line.starts_with("template"));
    let triggers = told.iter().position(|line| line.starts_with("trigger"));
    assert!(templates < triggers, "templates come first");
    let found: Stored<Key> = get(&store, None, key.id.as_str()).await.expect("there");
    assert_eq!((found.value, found.revision), (key.clone(), last));
    let next = store
        .put(None, &key, Precondition::Is(vec![last]))
        .await
        .expect("written");
    assert!(next.revision > last);
    let acme = account("acme");
    let used = store.delete::<Template>(Some(&acme), "w", Precondition::None);
    assert!(matches!(used.await, Err(StoreError::TemplateInUse { .. })));
}

/// Runs all checks against a kind of store.
macro_rules! conforms {
    ($module:ident, $home:path) => {
        mod $module {
            conforms!(@ $home:
                what_was_put_is_there_with_its_secrets,
                a_record_is_kept_where_its_kind_belongs,
                pages_follow_the_bytes_of_the_ids,
                a_cursor_outlives_what_it_points_at,
                preconditions_hold_or_nothing_is_done,
                revisions_grow_over_all_records,
                a_template_in_use_stays,
                the_sink_hears_all_in_order_before_the_answer,
                no_update_is_lost_between_writers,
                only_one_of_many_creates,
                accounts_are_those_that_hold_something,
                what_was_written_is_there_after_a_restart,
            );
        }
    };
    (@ $home:path: $($check:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $check() {
            super::$check($home()).await;
        }
    )*};
}

conforms!(memory_store, super::in_memory);
conforms!(file_store, super::in_file);

#[tokio::test]
async fn urls_that_name_no_store_say_what_to_write() {
    for (url, expected) in [
        (
            "redis://:hunter2@h:6379/0",
            "a store at `redis:` is not supported",
        ),
        ("rediss://h", "a store at `rediss:` is not supported"),
        (
            "redis+cluster://h",
            "a store at `redis+cluster:` is not supported",
        ),
        (
            "postgres://u:hunter2@h/d",
            "the store's URL has the scheme `postgres:`; write file:PATH",
        ),
        (
            "data/x.redb",
            "the store's URL has the scheme `data/x.redb:`; write file:PATH",
        ),
        ("memory:x", "write file:PATH or memory:"),
        ("", "write file:PATH or memory:"),
        ("file:", "`file:` needs a path"),
        ("file://host/x", "`file:` needs a path"),
    ] {
        let opened = Store::open(url, Arc::new(Probe::default())).await;
        let error: OpenError = opened.map(drop).expect_err(url);
        let text = error.to_string();
        assert!(
            text.contains(expected) && !text.contains("hunter2"),
            "{url}: {text}"
        );
    }
}
