//! Writes which attempts are about to begin, on the thread that sends. Attempts that begin at about the same time share
//! one record.

use std::io;
use std::sync::Arc;

use super::body::write_item;
use super::folder::Folder;
use super::format::{RecordKind, SegmentKind};
use super::ledger::{EntryFiring, ReleasedShares, Segment};
use super::registry::SegmentRegistry;
use super::segment_writer::SegmentWriter;

/// Writes begun records; one for each thread that sends.
#[derive(Debug)]
pub(super) struct Beginner<D: Folder> {
    writer: SegmentWriter<D>,
}

/// Firings whose begun record could not be written. Their attempts must wait.
#[derive(Debug)]
pub(super) struct NotBegun<F> {
    pub(super) error: io::Error,
    pub(super) firings: Vec<EntryFiring<F>>,
}

/// Firings whose begun record is written.
#[derive(Debug)]
pub(super) struct BegunGroup<F> {
    pub(super) segment: Arc<Segment<F>>,
    /// Where the record ends.
    pub(super) end: u32,
    firings: Vec<EntryFiring<F>>,
}

impl<D: Folder> Beginner<D> {
    pub(super) fn new(journal: Arc<SegmentRegistry<D>>) -> Self {
        Self { writer: SegmentWriter::new(journal, SegmentKind::Begun) }
    }

    /// Writes the record of these firings, or returns them with the error.
    pub(super) fn begin(
        &mut self,
        firings: Vec<EntryFiring<D::File>>,
        now_ms: u64,
    ) -> Result<BegunGroup<D::File>, NotBegun<D::File>> {
        self.writer.push(RecordKind::Begun, false, |body| {
            firings.iter().for_each(|(entry, index)| write_item(body, entry.id, *index));
        });
        match self.writer.write(now_ms) {
            Ok(written) => {
                written.segment.written(firings.len());
                Ok(BegunGroup { segment: written.segment, end: written.end, firings })
            }
            Err(error) => Err(NotBegun { error, firings }),
        }
    }

    /// Called regularly, so that a thread that sends nothing keeps no old segment open.
    pub(super) fn roll_if_asked(&mut self) {
        self.writer.roll_if_asked();
    }
}

impl<F: super::folder::SegmentFile> BegunGroup<F> {
    /// The record is written and, with the level `power`, synced: the attempts may begin.
    pub(super) fn mark(self) {
        let mut released = ReleasedShares::default();
        for (entry, index) in &self.firings {
            entry.settle(*index, &mut released);
        }
        drop(released);
        self.segment.marked(self.firings.len());
    }

    /// The sync of the record failed: its firings must be recorded again, in another segment.
    pub(super) fn fail(self) -> Vec<EntryFiring<F>> {
        // No attempt begins by this record, so its segment is as free to go as if it did not name them.
        self.segment.marked(self.firings.len());
        self.firings
    }
}
