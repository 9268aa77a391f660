//! Threads that read and compile the records of a store while all of it is loaded: as many as there are processors, for
//! as long as the load lasts.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::backend::Location;
use super::change::Change;
use super::compile_budget::CompileBudget;
use super::feed::{ChangeFeed, Observation, read};

/// Rows of a batch, at most: few, so that a handful of slow templates is divided between threads.
pub(super) const BATCH_ROWS: usize = 100;

/// A record as it is stored.
pub(super) type StoredRow = (Location, Vec<u8>);

/// Rows, and what their records are passed to.
type DecodingJob = (Vec<StoredRow>, Box<dyn FnOnce(Vec<Observation<Change>>) + Send>);

/// The threads. They end when it is dropped, after what they were given.
pub(super) struct Decoders {
    threads: Vec<Sender<DecodingJob>>,
    next: usize,
}

impl Decoders {
    pub(super) fn start(feed: &Arc<ChangeFeed>) -> io::Result<Self> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let budget = Arc::new(CompileBudget::of_load());
        let threads = (0..threads).map(|_| {
            let (jobs, given) = channel::<DecodingJob>();
            let (feed, budget) = (Arc::clone(feed), Arc::clone(&budget));
            let work = move || {
                for (rows, done) in given {
                    done(
                        rows.into_iter().map(|(location, json)| budget.compile(&feed, read(location, &json))).collect(),
                    );
                }
            };
            thread::Builder::new().name("store-decoder".to_owned()).spawn(work)?;
            Ok(jobs)
        });
        Ok(Self { threads: threads.collect::<io::Result<_>>()?, next: 0 })
    }

    /// How many rows of a page are a batch, so that each thread gets some.
    #[cfg(feature = "redis")]
    pub(super) fn batch_of(&self, rows: usize) -> usize {
        rows.div_ceil(self.threads.len()).clamp(1, BATCH_ROWS)
    }

    /// Reads and compiles rows on the next thread, and calls `done` there. It is dropped, and not called, if that thread ended
    /// in a panic. The caller bounds what is under way.
    pub(super) fn decode(
        &mut self,
        rows: Vec<StoredRow>,
        done: impl FnOnce(Vec<Observation<Change>>) + Send + 'static,
    ) {
        self.next = (self.next + 1) % self.threads.len();
        // An error drops the rows and `done`.
        let _ = self.threads[self.next].send((rows, Box::new(done)));
    }
}
