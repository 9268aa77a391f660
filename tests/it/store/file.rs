//! Files that are not a store, or a damaged one: each gets a clear error and is not changed by a single byte.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use posthaste::model::template::Template;
use posthaste::model::trigger::Trigger;
use posthaste::store::{OpenError, Precondition, Store, StoreError};
use redb::{Database, TableDefinition};

use super::{Probe, URL, account, get, ids, remove, save, template, trigger};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

async fn open(path: &Path) -> Result<(Store, Arc<Probe>), OpenError> {
    super::open(&format!("file:{}", path.display())).await
}

/// Opening must fail, and change nothing.
async fn refused(path: &Path) -> OpenError {
    let before = fs::read(path).expect("its bytes");
    let error = open(path).await.map(drop).expect_err("refused");
    assert!(before == fs::read(path).expect("its bytes"), "{error}");
    assert!(error.to_string().contains(&path.display().to_string()));
    error
}

/// A store with some records in it, closed.
async fn filled(folder: &Path, triggers: usize) -> PathBuf {
    let path = folder.join("store.redb");
    let (store, _) = open(&path).await.expect("a store");
    fill(&store, triggers).await;
    path
}

async fn fill(store: &Store, triggers: usize) {
    let acme = account("acme");
    save(store, &acme, &template("w")).await;
    for number in 0..triggers {
        let trigger = trigger(&format!("t{number}"), "w", URL);
        save(store, &acme, &trigger).await;
    }
}

#[tokio::test]
async fn other_files_are_refused() {
    let folder = folder();
    let path = folder.path().join("x");
    for content in [&b"x"[..], b"redb", b"hello\n", &[0; 100_000], b"SQLite format 3\0", &[0xFF; 9]] {
        fs::write(&path, content).expect("written");
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::Foreign(_)), "{error}");
    }
    fs::write(&path, b"").expect("written");
    assert!(matches!(refused(&path).await, OpenError::Empty(_)));
}

#[tokio::test]
async fn databases_of_other_programs_are_refused() {
    const OTHER: TableDefinition<&str, &str> = TableDefinition::new("records");
    const MARK: TableDefinition<&str, &str> = TableDefinition::new("posthaste");
    let folder = folder();
    let path = folder.path().join("other.redb");
    drop(Database::create(&path).expect("a database"));
    assert!(matches!(refused(&path).await, OpenError::Foreign(_)));
    for table in [OTHER, MARK] {
        write(&path, table, "format", "1");
        assert!(matches!(refused(&path).await, OpenError::Foreign(_)));
    }
}

fn write<V: redb::Value + 'static>(
    path: &Path,
    table: TableDefinition<&str, V>,
    key: &str,
    value: V::SelfType<'static>,
) {
    let database = Database::create(path).expect("a database");
    let transaction = database.begin_write().expect("a transaction");
    let mut table = transaction.open_table(table).expect("a table");
    table.insert(key, value).expect("written");
    drop(table);
    transaction.commit().expect("committed");
}

#[tokio::test]
async fn a_store_of_another_format_is_refused() {
    let folder = folder();
    let path = filled(folder.path(), 1).await;
    write(&path, TableDefinition::<&str, u64>::new("posthaste"), "format", 2);
    match refused(&path).await {
        OpenError::OtherFormat { found: 2, known: 1, .. } => {}
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_truncated_store_is_refused() {
    let folder = folder();
    let path = filled(folder.path(), 20).await;
    let whole = fs::read(&path).expect("its bytes");
    for length in [9, 10, 63, 64, 320, 4_095, 4_096, 8_192, whole.len() / 2, whole.len() - 4_096, whole.len() - 1] {
        fs::write(&path, &whole[..length]).expect("written");
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::Damaged { .. }), "{length}: {error}");
    }
    fs::write(&path, &whole).expect("written");
    open(&path).await.expect("whole again");
}

/// Each damage is either detected, and the file not changed, or is in an unused part: never a panic, and never a store
/// with missing records.
#[tokio::test]
async fn a_damaged_store_is_refused_or_complete() {
    let folder = folder();
    let path = folder.path().join("store.redb");
    let (store, _) = open(&path).await.expect("a store");
    fill(&store, 40).await;
    let crashed = fs::read(&path).expect("its bytes");
    drop(store);
    let closed = fs::read(&path).expect("its bytes");
    let copy = folder.path().join("copy.redb");
    for (name, whole) in [("crashed", &crashed), ("closed", &closed)] {
        // All of the header's first bytes, then positions throughout the written part.
        let used = whole.iter().rposition(|byte| *byte != 0).expect("bytes");
        let places = (0..360).step_by(3).chain((360..used).step_by(used / 120));
        let mut found = 0;
        for place in places {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x55;
            fs::write(&copy, &damaged).expect("written");
            match open(&copy).await {
                Err(_) => {
                    found += 1;
                    assert!(damaged == fs::read(&copy).expect("its bytes"), "{name} {place}");
                }
                Ok((store, probe)) => {
                    assert_eq!(probe.take().len(), 41, "{name} {place}");
                    assert_eq!(store.unreadable(), 0, "{name} {place}");
                    let acme = account("acme");
                    assert_eq!(ids::<Trigger>(&store, Some(&acme), None, 99).await.0.len(), 40);
                }
            }
        }
        assert!(found > 60, "{name}: {found}");
    }
}

/// A killed process leaves a store that needs a repair, which is not damage.
#[tokio::test]
async fn a_store_that_was_not_closed_opens_with_all_confirmed_writes() {
    let folder = folder();
    let path = folder.path().join("store.redb");
    let copy = folder.path().join("copy.redb");
    let (store, _) = open(&path).await.expect("a store");
    for turn in 1..=5 {
        fill(&store, turn * 3).await;
        fs::copy(&path, &copy).expect("copied");
        let (store, probe) = open(&copy).await.expect("repaired");
        assert_eq!(probe.take().len(), turn * 3 + 1);
        fill(&store, 1).await;
    }
}

#[tokio::test]
async fn a_store_that_is_open_is_refused() {
    let folder = folder();
    let path = folder.path().join("store.redb");
    let (store, _) = open(&path).await.expect("a store");
    fill(&store, 3).await;
    assert!(matches!(refused(&path).await, OpenError::Locked(_)));
    fill(&store, 3).await;
    drop(store);
    open(&path).await.expect("free again");
}

#[tokio::test]
async fn an_unusable_path_is_reported() {
    let folder = folder();
    let error = open(folder.path()).await.map(drop).expect_err("refused");
    assert!(matches!(error, OpenError::NotAFile(_)), "{error}");
    let error = open(Path::new("/dev/null")).await.map(drop).expect_err("refused");
    assert!(matches!(error, OpenError::NotAFile(_)), "{error}");

    let file = folder.path().join("file");
    fs::write(&file, "x").expect("written");
    let error = open(&file.join("store.redb")).await.map(drop).expect_err("refused");
    assert!(matches!(error, OpenError::System { .. }), "{error}");
    assert_eq!(fs::read(&file).expect("its bytes"), b"x");

    let nowhere = folder.path().join("link");
    symlink(folder.path().join("gone"), &nowhere).expect("a link");
    let error = open(&nowhere).await.map(drop).expect_err("refused");
    assert!(matches!(error, OpenError::System { .. }), "{error}");
}

#[tokio::test]
async fn a_file_without_permission_is_reported() {
    let folder = folder();
    let path = filled(folder.path(), 1).await;
    fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("set");
    // Some users may write whatever the mode is, and so may the store.
    if fs::OpenOptions::new().write(true).open(&path).is_err() {
        let error = refused(&path).await;
        assert!(matches!(error, OpenError::System { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_new_store_is_its_owners_and_alone_in_its_folder() {
    let folder = folder();
    let path = folder.path().join("a/b/store.redb");
    let (first, second) = futures_util::join!(open(&path), open(&path));
    // Both may have created one; one of them has it.
    assert!(first.is_ok() != second.is_ok(), "{:?} {:?}", first.err(), second.err());
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let names = fs::read_dir(folder.path().join("a/b")).expect("a folder");
    assert_eq!(names.count(), 1);
}

/// An unreadable record is reported and counted; the others stay live, and it can be replaced.
#[tokio::test]
async fn what_processes_left_that_ended_while_they_created_it_is_removed() {
    let folder = folder();
    let path = filled(folder.path(), 1).await;
    let beside = |end: &str| folder.path().join(format!("store.redb{end}"));
    let left = beside(&format!(".new-{}", posthaste::model::id::new_id()));
    // One ended before the file had its own name, another one after that.
    for link in [false, true] {
        if link {
            fs::hard_link(&path, &left).expect("a link")
        } else {
            fs::write(&left, b"redb").expect("written")
        }
        let others =
            [beside(".new-backup"), beside(".old"), folder.path().join("x.new-01a21dae-9509-714d-b91f-5278c3f8eda9")];
        others.iter().for_each(|other| fs::write(other, b"").expect("written"));
        let (store, _) = open(&path).await.expect("a store");
        assert!(get::<Trigger>(&store, Some(&account("acme")), "t0").await.is_some());
        assert!(!left.exists() && others.iter().all(|other| other.exists()));
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_nothing() {
    type Place<'a> = (u8, &'a str, &'a str);
    const RECORDS: TableDefinition<Place<'_>, (u64, &str, &[u8])> = TableDefinition::new("records");
    let folder = folder();
    let path = filled(folder.path(), 3).await;
    let database = Database::create(&path).expect("a database");
    let transaction = database.begin_write().expect("a transaction");
    let mut records = transaction.open_table(RECORDS).expect("a table");
    let other = trigger("other", "w", URL).to_stored_json().to_string();
    for (place, json) in [
        ((2, "acme", "t1"), &b"{"[..]),
        ((2, "acme", "t5"), b"{\"id\":\"t5\",\"url\":\"ftp://x\"}"),
        ((2, "acme", "t6"), other.as_bytes()),
        ((2, "a b", "other"), other.as_bytes()),
        ((1, "acme", "\u{0}"), b"\xFF"),
    ] {
        records.insert(place, (99, "", json)).expect("written");
    }
    drop(records);
    transaction.commit().expect("committed");
    drop(database);

    let (store, probe) = open(&path).await.expect("a store");
    let (gone, live): (Vec<_>, Vec<_>) = probe.take().into_iter().partition(|line| line.ends_with(" gone"));
    assert_eq!((store.unreadable(), live.len()), (5, 3), "{gone:?}");
    let acme = account("acme");
    let unreadable = store.get::<Trigger>(Some(&acme), "t1").await.map(drop);
    assert!(matches!(unreadable, Err(StoreError::Unreadable { .. })));
    let (page, next) = ids::<Trigger>(&store, Some(&acme), None, 2).await;
    assert_eq!((page, next.as_deref()), (vec!["t0".into()], Some("t1")));
    let cured = trigger("t1", "w", URL);
    let put = store.put(Some(&acme), &cured, Precondition::Exists);
    put.await.expect("written");
    assert!(get::<Trigger>(&store, Some(&acme), "t1").await.is_some());
    remove::<Trigger>(&store, &acme, "t5").await;
    assert_eq!(store.unreadable(), 3, "one was written again, one deleted");
    assert!(get::<Template>(&store, Some(&acme), "w").await.is_some());
}
