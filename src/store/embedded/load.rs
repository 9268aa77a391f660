//! Reads all records at a start: one thread reads rows, others decode and compile them, and the caller's thread adds
//! them to the sink, all at the same time.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use redb::{Database, ReadOnlyTable, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _};

use super::{RECORDS, RecordKey, RecordValue, number, unavailable};
use crate::model::id::AccountId;
use crate::store::backend::Location;
use crate::store::change::Change;
use crate::store::feed::{ChangeFeed, Observation};
use crate::store::usage::Usage;
use crate::store::{Kind, StoreError};

/// Rows that are decoded and added at a time: few, so that a handful of slow templates is divided between threads.
const BATCH_ROWS: usize = 100;
/// Batches that wait on each side of a decoder, at most.
const BATCHES_AHEAD: usize = 8;

type StoredRow = (Location, Vec<u8>);

/// Passes all that the file holds to the sink, in the order of kinds.
pub(super) fn load(database: &Database, usage: &mut Usage, feed: &ChangeFeed) -> Result<(), StoreError> {
    usage.clear();
    let load = || -> Result<(), redb::Error> {
        let records = database.begin_read()?.open_table(RECORDS)?;
        let mut snapshot = feed.snapshot(usize::try_from(records.len()?).unwrap_or(usize::MAX));
        thread::scope(|scope| {
            let decoders = thread::available_parallelism().map_or(1, usize::from);
            let (rows, decoded): (Vec<_>, Vec<_>) = (0..decoders)
                .map(|_| {
                    let (rows, stored) = sync_channel(BATCHES_AHEAD);
                    let (ready, decoded) = sync_channel(BATCHES_AHEAD);
                    scope.spawn(move || decode(feed, &stored, &ready));
                    (rows, decoded)
                })
                .unzip();
            let reading = scope.spawn(move || read_batches(&records, usage, &rows));
            // In the order in which they were given out, until there are no more.
            decoded.iter().cycle().map_while(|decoded| decoded.recv().ok()).for_each(|batch| snapshot.add(batch));
            // After a panic of one decoder the others end too.
            drop(decoded);
            reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        snapshot.finish();
        Ok(())
    };
    load().map_err(unavailable)
}

/// Decodes and compiles batches until there are no more.
fn decode(feed: &ChangeFeed, stored: &Receiver<Vec<StoredRow>>, ready: &SyncSender<Vec<Observation<Change>>>) {
    for rows in stored {
        if ready.send(rows.into_iter().map(|(location, json)| feed.read(location, &json)).collect()).is_err() {
            return;
        }
    }
}

/// Gives out all rows, a batch to each decoder in turn. Ends early where a decoder ended after a panic.
fn read_batches(
    records: &ReadOnlyTable<RecordKey, RecordValue>,
    usage: &mut Usage,
    decoders: &[SyncSender<Vec<StoredRow>>],
) -> Result<(), redb::Error> {
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    let mut turns = decoders.iter().cycle();
    let mut give_out = |batch: &mut Vec<StoredRow>| {
        let full = std::mem::replace(batch, Vec::with_capacity(BATCH_ROWS));
        turns.next().is_some_and(|decoder| decoder.send(full).is_ok())
    };
    for entry in records.iter()? {
        let (location, value) = entry?;
        let (kind, account, id) = location.value();
        let kinds = [Kind::Template, Kind::Trigger, Kind::Key];
        // Only a later format has other kinds, and such a file was refused.
        let Some(kind) = kinds.into_iter().find(|k| number(*k) == kind) else {
            continue;
        };
        let location = Location { kind, account: AccountId::new(account).ok(), id: id.to_owned() };
        let (_, _, json) = value.value();
        if let Some(account) = &location.account {
            usage.count(kind, account, json.len());
        }
        batch.push((location, json.to_vec()));
        if batch.len() == BATCH_ROWS && !give_out(&mut batch) {
            return Ok(());
        }
    }
    give_out(&mut batch);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use redb::backends::InMemoryBackend;
    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::flow::messages::{LiveTarget, LiveTemplate};
    use crate::model::outcome::DropReason;
    use crate::model::template::Template;
    use crate::model::trigger::Trigger;
    use crate::store::change::{ChangeSink, Snapshot};
    use crate::store::embedded::write;
    use crate::telemetry::metrics::Metrics;

    /// The ids of what was loaded, in order.
    #[derive(Default)]
    struct Ids(Mutex<Vec<String>>);

    impl ChangeSink for Ids {
        fn compile(&self, _: &AccountId, _: &Template) -> Option<Arc<LiveTemplate>> {
            None
        }
        fn target(&self, _: &AccountId, _: &Trigger) -> Result<Arc<LiveTarget>, DropReason> {
            Err(DropReason::UrlRefused)
        }
        fn apply(&self, _: Vec<Change>) {}
        fn snapshot(&self, _: usize) -> Box<dyn Snapshot + '_> {
            Box::new(Part(self))
        }
    }

    struct Part<'a>(&'a Ids);

    impl Snapshot for Part<'_> {
        fn add(&mut self, changes: Vec<Change>) {
            let ids = changes.into_iter().filter_map(|change| match change {
                Change::Template(_, id, Some(_)) => Some(id.to_string()),
                Change::Trigger(_, id, Some(_)) => Some(id.to_string()),
                _ => None,
            });
            self.0.0.lock().expect("no panic").extend(ids);
        }
        fn finish(self: Box<Self>) {
            self.0.0.lock().expect("no panic").push("end".to_owned());
        }
    }

    #[test]
    fn everything_is_loaded_in_the_order_of_kinds_and_names() {
        for (templates, triggers) in [(0, 0), (1, BATCH_ROWS - 1), (BATCH_ROWS + 1, 40 * BATCH_ROWS + 7)] {
            let database = redb::Builder::new().create_with_backend(InMemoryBackend::new()).expect("a database");
            let database = write::mark(database).expect("marked");
            let writing = database.begin_write().expect("a transaction");
            let mut expected = Vec::new();
            {
                let mut records = writing.open_table(RECORDS).expect("the table");
                let mut put = |kind, id: String, document: serde_json::Value| {
                    let json = document.to_string();
                    let key = (number(kind), "acme", id.as_str());
                    records.insert(key, (1, "", json.as_bytes())).expect("room");
                    expected.push(id);
                };
                for place in 0..templates {
                    let id = format!("w{place:05}");
                    put(Kind::Template, id.clone(), json!({"id": id, "format": "text", "body": ""}));
                }
                for place in 0..triggers {
                    let id = format!("t{place:05}");
                    let document = json!({"id": id, "event": "*", "template": "w", "url": "https://h/"});
                    put(Kind::Trigger, id.clone(), document);
                }
            }
            writing.commit().expect("committed");
            expected.push("end".to_owned());
            let ids = Arc::new(Ids::default());
            let feed = ChangeFeed::new(Arc::clone(&ids) as _, Arc::new(Metrics::new()));
            let quotas = Config::from_layers(None, []).expect("the defaults").store.quotas;
            load(&database, &mut Usage::new(quotas), &feed).expect("read");
            assert_eq!(*ids.0.lock().expect("no panic"), expected);
        }
    }
}
