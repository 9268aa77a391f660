//! The frame of segments and records: headers and checksums. [`super::body`] describes the bodies of records.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64_with_seed;

const MAGIC: [u8; 8] = *b"PHJRNL\x1a\n";
/// The version that is written. Later versions are refused.
pub(super) const VERSION: u16 = 1;
/// Bytes of a segment's header.
pub(super) const SEGMENT_HEADER_BYTES: usize = 64;
/// Bytes of a record's header.
pub(super) const RECORD_HEADER_BYTES: usize = 24;
/// Records begin at multiples of this.
pub(super) const ALIGN: usize = 8;
/// The most bytes of a body. A request's events and their firings are bounded far below it.
pub(super) const BODY_BYTES_MAX: usize = 1 << 30;

const COMMITS: u8 = 1;

/// Which crashes lose nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// `kill -9`: all that was passed to the kernel is kept.
    Process = 1,
    /// A power cut: all that the disk has confirmed is kept.
    Power = 2,
}

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum SegmentKind {
    /// Accepted and fired records.
    Accepted = 1,
    /// Begun records.
    Begun = 2,
}

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordKind {
    /// An event and some of the triggers that it fired.
    Accepted = 1,
    /// More triggers that it fired.
    Fired = 2,
    /// Firings that must not be sent again.
    Begun = 3,
}

/// Identifies one boot of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct BootId(pub(super) [u8; 16]);

impl BootId {
    /// Whether the page cache of `other` is still there in this boot. An unknown boot is never the same.
    pub(super) fn is_same(self, other: Self) -> bool {
        self == other && self != Self::default()
    }
}

/// The header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) kind: SegmentKind,
    pub(super) level: Durability,
    /// Bytes of the file. EARLIER(record): zero.
    pub(super) capacity: u32,
    pub(super) number: u64,
    pub(super) run: u64,
    pub(super) boot: BootId,
    pub(super) created_ms: u64,
}

/// Why a segment's header can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// Its write was not finished: the crash came while the segment was created, and nothing in it was promised.
    Unfinished,
    /// A later version wrote it.
    Version(u16),
    /// Anything else.
    Damaged,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10] = self.kind as u8;
        bytes[11] = self.level as u8;
        bytes[12..16].copy_from_slice(&self.capacity.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.run.to_le_bytes());
        bytes[32..48].copy_from_slice(&self.boot.0);
        bytes[48..56].copy_from_slice(&self.created_ms.to_le_bytes());
        let check = xxh3_64_with_seed(&bytes[..56], self.number);
        bytes[56..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// Reads the header of the segment with this number and kind.
    pub(super) fn decode(bytes: &[u8], number: u64, kind: SegmentKind) -> Result<Self, HeaderFault> {
        let Some(bytes) = bytes.get(..SEGMENT_HEADER_BYTES) else { return Err(HeaderFault::Unfinished) };
        let check = xxh3_64_with_seed(&bytes[..56], number).to_le_bytes();
        if bytes[..8] != MAGIC || bytes[56..] != check {
            // It is written from its start on, so the missing part is at its end, and zero.
            let written = 8 - bytes[56..].iter().rev().take_while(|byte| **byte == 0).count();
            let is_unfinished = bytes[56..56 + written] == check[..written];
            return Err(if is_unfinished { HeaderFault::Unfinished } else { HeaderFault::Damaged });
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        let level = match bytes[11] {
            1 => Durability::Process,
            2 => Durability::Power,
            _ => return Err(HeaderFault::Damaged),
        };
        if bytes[10] != kind as u8 || u64_at(bytes, 16) != number {
            return Err(HeaderFault::Damaged);
        }
        let mut boot = BootId::default();
        boot.0.copy_from_slice(&bytes[32..48]);
        let (run, created_ms) = (u64_at(bytes, 24), u64_at(bytes, 48));
        Ok(Self { kind, level, capacity: u32_at(bytes, 12), number, run, boot, created_ms })
    }
}

/// A segment's file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SegmentName {
    pub(super) number: u64,
    pub(super) kind: SegmentKind,
}

impl SegmentName {
    /// Reads a name; `None` if it is not the name of a segment.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (number, kind) = name.split_once('.')?;
        let kind = match kind {
            "accepted" => SegmentKind::Accepted,
            "begun" => SegmentKind::Begun,
            _ => return None,
        };
        let is_hex = number.len() == 16 && number.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        Some(Self { number: u64::from_str_radix(number, 16).ok().filter(|_| is_hex)?, kind })
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            SegmentKind::Accepted => "accepted",
            SegmentKind::Begun => "begun",
        };
        write!(f, "{:016x}.{kind}", self.number)
    }
}

/// The header of a record, without its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) kind: RecordKind,
    pub(super) commits: bool,
    pub(super) epoch: u16,
    pub(super) durable: u32,
    pub(super) length: usize,
}

impl RecordHeader {
    /// Bytes from the start of the record to the start of the next.
    pub(super) fn stride(&self) -> usize {
        (RECORD_HEADER_BYTES + self.length).next_multiple_of(ALIGN)
    }

    /// Writes the header into the first bytes of a record, in front of its body, for this position.
    pub(super) fn seal(&self, record: &mut [u8], number: u64, offset: u64) {
        record[8..12].copy_from_slice(&u32::try_from(self.length).unwrap_or(u32::MAX).to_le_bytes());
        record[12] = self.kind as u8;
        record[13] = if self.commits { COMMITS } else { 0 };
        record[14..16].copy_from_slice(&self.epoch.to_le_bytes());
        record[16..20].copy_from_slice(&self.durable.to_le_bytes());
        let head = header_check(record, number, offset);
        record[20..24].copy_from_slice(&head);
        let check = checksum(&record[8..RECORD_HEADER_BYTES + self.length], number, offset);
        record[..8].copy_from_slice(&check.to_le_bytes());
    }

    /// Reads the record at the start of these bytes, which are at this position; `None` if it is not valid.
    pub(super) fn open(bytes: &[u8], number: u64, offset: u64) -> Option<(Self, &[u8])> {
        let header = bytes.get(..RECORD_HEADER_BYTES)?;
        let length = u32_at(header, 8) as usize;
        let kind = match header[12] {
            1 => RecordKind::Accepted,
            2 => RecordKind::Fired,
            3 => RecordKind::Begun,
            _ => return None,
        };
        if length > BODY_BYTES_MAX
            || header[13] & !COMMITS != 0
            || header[20..24] != header_check(header, number, offset)
        {
            return None;
        }
        let checked = bytes.get(8..RECORD_HEADER_BYTES + length)?;
        if checksum(checked, number, offset) != u64_at(header, 0) {
            return None;
        }
        let commits = header[13] & COMMITS != 0;
        let epoch = u16::from_le_bytes([header[14], header[15]]);
        let own = Self { kind, commits, epoch, durable: u32_at(header, 16), length };
        Some((own, &checked[RECORD_HEADER_BYTES - 8..]))
    }
}

/// The checksum of a header alone. In a search for the next record after damage, it avoids a checksum over a length
/// that is part of a customer's data.
fn header_check(header: &[u8], number: u64, offset: u64) -> [u8; 4] {
    let sum = checksum(&header[8..20], number, offset).to_le_bytes();
    [sum[0], sum[1], sum[2], sum[3]]
}

/// The checksum of a record at a position. The position is mixed so that near offsets of near segments have different
/// seeds.
fn checksum(bytes: &[u8], number: u64, offset: u64) -> u64 {
    let seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) ^ offset.wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    xxh3_64_with_seed(bytes, seed)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// Zeros for bytes past the end: callers have checked the length.
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_header_is_read_back_under_its_own_name_only() {
        let header = SegmentHeader {
            kind: SegmentKind::Begun,
            level: Durability::Power,
            capacity: 1 << 24,
            number: 77,
            run: 5,
            boot: BootId([9; 16]),
            created_ms: 1_700_000_000_000,
        };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes, 77, SegmentKind::Begun), Ok(header));
        assert_eq!(SegmentHeader::decode(&bytes, 78, SegmentKind::Begun), Err(HeaderFault::Damaged));
        assert_eq!(SegmentHeader::decode(&bytes, 77, SegmentKind::Accepted), Err(HeaderFault::Damaged));
        assert_eq!(SegmentHeader::decode(&[0; 64], 77, SegmentKind::Begun), Err(HeaderFault::Unfinished));
        assert_eq!(SegmentHeader::decode(&bytes[..63], 77, SegmentKind::Begun), Err(HeaderFault::Unfinished));
        for at in 0..SEGMENT_HEADER_BYTES {
            let mut damaged = bytes;
            damaged[at] ^= 0x10;
            assert!(SegmentHeader::decode(&damaged, 77, SegmentKind::Begun).is_err(), "byte {at}");
        }
    }

    #[test]
    fn names_are_read_back_and_others_are_refused() {
        let name = SegmentName { number: 0x1f, kind: SegmentKind::Accepted };
        assert_eq!(name.to_string(), "000000000000001f.accepted");
        assert_eq!(SegmentName::parse(&name.to_string()), Some(name));
        for other in ["lock", "1f.begun", "000000000000001F.begun", "000000000000001f.beg", "+00000000000001f.begun"] {
            assert_eq!(SegmentName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_record_is_valid_at_its_own_position_and_every_byte_counts() {
        let mut record = vec![0; RECORD_HEADER_BYTES];
        record.extend_from_slice(b"hello");
        let header = RecordHeader { kind: RecordKind::Fired, commits: true, epoch: 2, durable: 64, length: 5 };
        header.seal(&mut record, 7, 4096);
        assert_eq!(RecordHeader::open(&record, 7, 4096), Some((header, &b"hello"[..])));
        assert_eq!(header.stride(), 32);
        for (number, offset) in [(7, 4104), (8, 4096), (7, 0)] {
            assert_eq!(RecordHeader::open(&record, number, offset), None);
        }
        for at in 0..record.len() {
            for bit in 0..8 {
                let mut damaged = record.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(RecordHeader::open(&damaged, 7, 4096), None, "bit {bit} of byte {at}");
            }
            assert_eq!(RecordHeader::open(&record[..at], 7, 4096), None, "the first {at} bytes");
        }
    }
}
