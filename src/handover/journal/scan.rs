//! Reads a segment's records and distinguishes a torn tail from damage.

use super::format::{ALIGN, RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES};

/// A valid record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScannedRecord<'a> {
    pub(super) header: RecordHeader,
    pub(super) offset: usize,
    pub(super) body: &'a [u8],
}

/// A part of a segment that was written but holds no valid record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damage {
    /// Its offset.
    pub(super) offset: usize,
    /// Its length.
    pub(super) bytes: usize,
}

/// The contents of a segment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan<'a> {
    pub(super) records: Vec<ScannedRecord<'a>>,
    pub(super) damage: Vec<Damage>,
    /// Where the last valid record ends.
    pub(super) end: usize,
    /// Whether bytes after the end are not zero: an unfinished write.
    pub(super) torn: bool,
}

/// Decides which gaps between valid records are damage. If the page cache survived, records reached the file in order,
/// so each gap is damage. If only the disk's content survived, a gap is damage below the offset that a later record
/// knew to be durable. Above it, the disk kept a later write and not an earlier one, whose producer got no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteOrder {
    /// All writes are present, in order.
    Kept,
    /// Writes after the last sync may be missing, in any combination.
    Lost,
}

/// Reads all valid records of the segment with this number.
pub(super) fn scan(bytes: &[u8], number: u64, order: WriteOrder) -> Scan<'_> {
    let mut found = Scan { end: SEGMENT_HEADER_BYTES, ..Scan::default() };
    let (mut at, mut epoch) = (SEGMENT_HEADER_BYTES, 0);
    let mut gaps = Vec::new();
    while let Some(record) = next(bytes, number, at, epoch) {
        if record.offset > at {
            gaps.push(Damage { offset: at, bytes: record.offset - at });
        }
        epoch = record.header.epoch;
        at = record.offset + record.header.stride();
        found.end = at;
        found.records.push(record);
    }
    found.torn = bytes.get(found.end..).is_some_and(|rest| rest.iter().any(|byte| *byte != 0));
    let durable =
        |gap: &Damage| found.records.iter().any(|r| r.offset > gap.offset && r.header.durable as usize > gap.offset);
    found.damage = gaps.into_iter().filter(|gap| order == WriteOrder::Kept || durable(gap)).collect();
    found
}

/// The next valid record from this offset on. A record of an earlier epoch is the remainder of a failed write.
fn next(bytes: &[u8], number: u64, from: usize, epoch: u16) -> Option<ScannedRecord<'_>> {
    let mut at = from;
    while at + RECORD_HEADER_BYTES <= bytes.len() {
        // Most of a segment is zeros; they are no record.
        if bytes[at + 12] == 0 {
            let zeros = bytes[at..].iter().take_while(|byte| **byte == 0).count();
            at += (zeros / ALIGN * ALIGN).max(ALIGN);
            continue;
        }
        let record = RecordHeader::open(&bytes[at..], number, at as u64);
        if let Some((header, body)) = record.filter(|(header, _)| header.epoch >= epoch) {
            return Some(ScannedRecord { header, offset: at, body });
        }
        at += ALIGN;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::format::RecordKind;
    use super::*;

    /// A segment with records of these epochs and durable offsets, and the offset of each.
    fn segment(records: &[(u16, u32)]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut places) = (vec![1; SEGMENT_HEADER_BYTES], Vec::new());
        for (number, (epoch, durable)) in records.iter().enumerate() {
            let length = 5 + 8 * number;
            let header =
                RecordHeader { kind: RecordKind::Begun, commits: false, epoch: *epoch, durable: *durable, length };
            let offset = bytes.len();
            bytes.resize(offset + header.stride(), 0);
            bytes[offset + RECORD_HEADER_BYTES..][..length].fill(b'x');
            header.seal(&mut bytes[offset..], 9, offset as u64);
            places.push(offset);
        }
        bytes.resize(bytes.len() + 100, 0);
        (bytes, places)
    }

    fn offsets(scan: &Scan<'_>) -> Vec<usize> {
        scan.records.iter().map(|record| record.offset).collect()
    }

    #[test]
    fn every_truncation_and_every_damaged_byte_keeps_the_other_records() {
        let (bytes, places) = segment(&[(0, 0), (0, 0), (0, 0)]);
        let whole = scan(&bytes, 9, WriteOrder::Kept);
        assert_eq!((offsets(&whole), whole.damage.len(), whole.torn), (places.clone(), 0, false));
        for end in SEGMENT_HEADER_BYTES..whole.end {
            let cut = scan(&bytes[..end], 9, WriteOrder::Kept);
            let strides: Vec<usize> =
                whole.records.iter().map(|r| r.offset + RECORD_HEADER_BYTES + r.header.length).collect();
            let kept: Vec<usize> = places.iter().zip(&strides).filter(|(_, e)| **e <= end).map(|(p, _)| *p).collect();
            assert_eq!((offsets(&cut), cut.damage.len()), (kept, 0), "cut at {end}");
        }
        for at in SEGMENT_HEADER_BYTES..whole.end {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            let found = scan(&damaged, 9, WriteOrder::Kept);
            let hit = places.iter().rposition(|place| *place <= at).expect("within a record");
            let padding = at >= places[hit] + RECORD_HEADER_BYTES + whole.records[hit].header.length;
            let kept: Vec<usize> =
                places.iter().enumerate().filter(|(n, _)| padding || *n != hit).map(|(_, place)| *place).collect();
            assert_eq!(offsets(&found), kept, "damage at {at}");
            // Damage of the last record can't be distinguished from a torn tail.
            let expected = usize::from(!padding && hit != 2);
            assert_eq!(found.damage.len(), expected, "damage at {at}");
            assert!(found.damage.iter().all(|damage| damage.offset == places[hit]));
        }
    }

    #[test]
    fn after_a_power_cut_only_durable_records_can_be_damaged() {
        let (mut bytes, places) = segment(&[(0, 0), (0, 64), (0, 64)]);
        bytes[places[1] + 30] ^= 1;
        assert_eq!(scan(&bytes, 9, WriteOrder::Lost).damage, [], "never synced");
        assert_eq!(scan(&bytes, 9, WriteOrder::Kept).damage.len(), 1);
        let (mut bytes, places) = segment(&[(0, 0), (0, 64), (0, 200)]);
        bytes[places[1] + 30] ^= 1;
        let gap = Damage { offset: places[1], bytes: places[2] - places[1] };
        assert_eq!(scan(&bytes, 9, WriteOrder::Lost).damage, [gap]);
    }

    #[test]
    fn the_rest_of_a_failed_write_is_no_record() {
        let (bytes, places) = segment(&[(0, 0), (1, 0), (0, 0)]);
        let found = scan(&bytes, 9, WriteOrder::Kept);
        assert_eq!((offsets(&found), found.torn, found.damage.len()), (places[..2].to_vec(), true, 0));
    }
}
