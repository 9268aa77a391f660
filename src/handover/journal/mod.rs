//! The journal: what an embedded store's node has accepted and not yet begun to send, kept in files beside the
//! store, so that accepted events survive what `store.survives` says.
//!
//! # Format
//!
//! The journal is a folder of *segments*. A segment is one file, named by its number (16 hexadecimal digits) and its
//! kind: `0000000000000007.accepted` or `0000000000000008.begun`. Integers are little-endian.
//!
//! A segment begins with a header of 64 bytes (`format::SegmentHeader`):
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `PHJRNL`, 0x1a, 0x0a |
//! | 8 | 2 | version of the format, 1 |
//! | 10 | 1 | kind: 1 accepted, 2 begun |
//! | 11 | 1 | level: 1 `process`, 2 `power` |
//! | 12 | 4 | bytes of the file. EARLIER(record): zero |
//! | 16 | 8 | number, as in the name |
//! | 24 | 8 | run: starts of a node on this folder, counted |
//! | 32 | 16 | boot id of the kernel; zero where there is none |
//! | 48 | 8 | created, Unix milliseconds |
//! | 56 | 8 | checksum of the 56 bytes before, seeded with the number |
//!
//! Records follow, each at a multiple of 8 bytes, padded with zeros. The rest of the file is zeros: space is
//! allocated when a segment is made, so that a full disk is met then and not in the middle of a record. A record is a
//! header of 24 bytes and a body:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | checksum (XXH3) of all that follows, seeded with the segment's number and the record's offset |
//! | 8 | 4 | length of the body |
//! | 12 | 1 | kind: 1 accepted, 2 fired, 3 begun |
//! | 13 | 1 | flags: 1 commits its request |
//! | 14 | 2 | epoch: one higher after each write that failed |
//! | 16 | 4 | durable: how much of the segment was known to be on the disk when this was written |
//! | 20 | 4 | check of bytes 8 to 19, seeded in the same way |
//!
//! *accepted* holds an event and the triggers it fired, *fired* more triggers of the same event, *begun* names
//! firings whose attempts are about to begin, or that were dropped. See `body` for the bodies. Accepted and fired
//! records carry a due time and an attempt number, and begun ones an attempt number: a retry can be added without a
//! new format. Today the due time is 0 (at once) and the attempt number 1.
//!
//! Beside the segments, an empty file such as `0000000000000005.<boot id>.ended` says that the run 5 has ended, in this
//! boot, with everything on the disk. See `ended`.
//!
//! # Invariants
//!
//! 1. One thread writes a segment, at its end only. A segment is never written again after a new start.
//! 2. A request gets its 202 response only after the record that commits it is written (`process`) or synced (`power`).
//!    A request without a committing record never got its response; recovery drops its records.
//! 3. The first byte of a POST is sent only after the begun record that names it is written or synced. A firing that
//!    any begun record names is never sent again.
//! 4. Accepted segments go away first: a begun segment is removed only after every accepted segment with a number
//!    below the one drawn when the begun segment was sealed has been removed and the folder was synced. A segment's
//!    number is drawn before it is known which firings are unsettled. So no accepted segment remains that lists a
//!    firing whose begun record is gone. See `keeper`.
//! 5. A run begins by syncing a begun segment (its *mark*) and the folder. So a power cut cannot hide that a run took
//!    place. See `recovery`.
//! 6. A record is valid at its own place only: a copy at another offset or in another segment fails its checksum.
//!    A record with a lower epoch than the one before is the remains of a failed write and ends the segment.
//! 7. An invalid record that is below the `durable` of a later one, or in `process` mode before a valid one, is
//!    damage, and is reported with its place. Any other is a torn tail, whose producer got no response. See `scan`.
//! 8. A failed sync is final for its segment. Its unsettled records are rewritten to a new segment before
//!    anything else is accepted.
//! 9. An accepted record that commits the request of its own id is whole: it lists all unsettled firings of its entry,
//!    and recovery ignores other records of the entry. Rewritten records are whole.
//! 10. The record that commits a request stays as long as any entry of the request is unsettled and not rewritten, also
//!     if it is in another segment. Records of a request may be in segments with descending numbers.
//! 11. After a failed write the checksums of its records are erased: missing bytes that are zero would complete them, and
//!     of requests that are written together some may be whole. With `power` that is synced before they are refused.
//! 12. A run that stops gracefully syncs all segments, and then marks its end. A segment written in the boot of such a
//!     mark, by that run or an earlier one, is whole, whatever its level and the current boot are. No later run has the
//!     number of a marked one.
//! 13. A run's last begun segment stays as long as any of its accepted segments, as a later one draws the number of its
//!     seal. So an accepted segment whose header is damaged can be trusted if all headers of begun segments are valid and
//!     none is of a run whose page cache is gone.

mod accept;
mod begin;
mod bits;
mod body;
mod charges;
mod disk;
mod ended;
mod feed;
mod folder;
mod format;
mod handle;
mod keeper;
mod ledger;
mod recovered;
mod recovery;
mod registry;
mod running;
mod scan;
mod segment;
mod segment_writer;
#[cfg(test)]
mod tests;
mod threads;

pub use feed::{FeedProgress, RecoveredEntries, RecoveryFeed};
pub use running::{Journal, JournalError, folder};
