//! Reads all records at a start: one thread reads rows, others decode and compile them, and the caller's thread adds
//! them to the sink, all at the same time.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use redb::{Database, ReadOnlyTable, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _};

use super::{RECORDS, RecordKey, RecordValue, number, unavailable};
use crate::model::id::AccountId;
use crate::store::backend::Location;
use crate::store::change::Change;
use crate::store::decoders::{BATCH_ROWS, Decoders, StoredRow};
use crate::store::feed::{ChangeFeed, Observation};
use crate::store::usage::Usage;
use crate::store::{Kind, StoreError};

/// Batches that are decoded or wait for it, or to be added, at most.
const BATCHES_AHEAD: usize = 32;

/// A batch that is being decoded.
type DecodedBatch = Receiver<Vec<Observation<Change>>>;

/// Passes all that the file holds to the sink, in the order of kinds.
pub(super) fn load(database: &Database, usage: &mut Usage, feed: &Arc<ChangeFeed>) -> Result<(), StoreError> {
    usage.clear();
    let load = || -> Result<(), redb::Error> {
        let records = database.begin_read()?.open_table(RECORDS)?;
        let mut snapshot = feed.snapshot(usize::try_from(records.len()?).unwrap_or(usize::MAX));
        let decoders = Decoders::start(feed)?;
        thread::scope(|scope| {
            let (given, batches) = sync_channel::<DecodedBatch>(BATCHES_AHEAD);
            let reading = scope.spawn(move || read_batches(&records, usage, decoders, &given));
            // In the order in which they were given out, until there are no more.
            for batch in batches {
                snapshot.add(batch.recv().expect("no decoder ended in a panic"));
            }
            reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        snapshot.finish();
        Ok(())
    };
    load().map_err(unavailable)
}

/// Gives out all rows in batches.
fn read_batches(
    records: &ReadOnlyTable<RecordKey, RecordValue>,
    usage: &mut Usage,
    mut decoders: Decoders,
    given: &SyncSender<DecodedBatch>,
) -> Result<(), redb::Error> {
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    let mut give_out = |batch: &mut Vec<StoredRow>| {
        let (done, decoded) = sync_channel(1);
        let full = std::mem::replace(batch, Vec::with_capacity(BATCH_ROWS));
        // Nobody waits for it only if the load failed.
        decoders.decode(full, move |records| drop(done.send(records)));
        given.send(decoded).is_ok()
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
        fn target(&self, _: &AccountId, _: &Trigger) -> Result<LiveTarget, DropReason> {
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
            let feed = Arc::new(ChangeFeed::new(Arc::clone(&ids) as _, Arc::new(Metrics::new())));
            let quotas = Config::from_layers(None, []).expect("the defaults").store.quotas;
            load(&database, &mut Usage::new(quotas), &feed).expect("read");
            assert_eq!(*ids.0.lock().expect("no panic"), expected);
        }
    }
}
