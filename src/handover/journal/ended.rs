//! Which runs have ended with all of their writes on the disk, so that a later start trusts them also in another boot of
//! the kernel, or on another machine. A graceful stop leaves an empty file with this in its name. EARLIER(node): the file
//! is ignored there.

use std::fmt;

use super::format::{BootId, SegmentHeader};

const ENDING: &str = "ended";

/// A run that has synced all segments of the folder at its end, and wrote nothing afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EndedRun {
    pub(super) run: u64,
    /// The boot in which it ended. What earlier runs wrote in the same boot, it has synced too.
    pub(super) boot: BootId,
}

impl EndedRun {
    /// Reads a file's name; `None` if it is that of another file.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (run, rest) = name.split_once('.')?;
        let (boot, ending) = rest.split_once('.')?;
        let own = Self {
            run: u64::from_str_radix(run, 16).ok()?,
            boot: BootId(u128::from_str_radix(boot, 16).ok()?.to_be_bytes()),
        };
        (ending == ENDING && own.to_string() == name).then_some(own)
    }

    /// Whether it has synced what this segment held.
    fn has_synced(&self, segment: &SegmentHeader) -> bool {
        segment.run <= self.run && segment.boot.is_same(self.boot)
    }
}

impl fmt::Display for EndedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{:032x}.{ENDING}", self.run, u128::from_be_bytes(self.boot.0))
    }
}

/// Tells the segments that hold all that was written to them from those of which the page cache may have been lost.
#[derive(Debug, Clone)]
pub(super) struct WholeSegments {
    /// The current boot.
    pub(super) boot: BootId,
    pub(super) ended: Vec<EndedRun>,
}

impl WholeSegments {
    pub(super) fn contain(&self, segment: &SegmentHeader) -> bool {
        segment.boot.is_same(self.boot) || self.ended.iter().any(|run| run.has_synced(segment))
    }

    /// The marks of runs of which no segment is left.
    pub(super) fn unneeded<'a>(&'a self, segments: &'a [SegmentHeader]) -> impl Iterator<Item = &'a EndedRun> {
        self.ended.iter().filter(|run| !segments.iter().any(|segment| run.has_synced(segment)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_refused() {
        let run = EndedRun { run: 0x1f, boot: BootId([0xab; 16]) };
        let name = format!("000000000000001f.{}.ended", "ab".repeat(16));
        assert_eq!((run.to_string(), EndedRun::parse(&name)), (name.clone(), Some(run)));
        assert_eq!(super::super::format::SegmentName::parse(&name), None, "earlier versions ignore it");
        for other in ["lock", "000000000000001f.begun", &name[1..], &name[..name.len() - 1], &name.to_uppercase()] {
            assert_eq!(EndedRun::parse(other), None, "{other}");
        }
    }
}
