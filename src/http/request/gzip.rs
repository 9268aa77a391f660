//! Bodies that are compressed (RFC 9110, section 8.4.1.3). Decompression ends at the bound of a body, so a small one
//! that would become large costs no more than a body of the greatest size.

use std::io::{self, Error, ErrorKind, Write};

use bytes::Bytes;
use flate2::bufread::GzDecoder;

/// The most members (RFC 1952, section 2.2). Each has a decoder of its own, however few bytes it holds.
pub(super) const MEMBERS_MAX: usize = 1_000;

/// Why a body can't be decompressed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GzipError {
    /// It is not gzip, or not all of it.
    NotGzip,
    /// It holds more than it may.
    TooLarge,
    /// It has too many members.
    TooManyMembers,
    /// The bound on all bodies has no room for it.
    NoRoom,
}

/// The decompressed body. `charge` charges each further number of bytes, or refuses it.
pub(super) fn decompress(gzip: &[u8], max: usize, charge: impl FnMut(usize) -> bool) -> Result<Bytes, GzipError> {
    let mut plain = DecompressedBytes { bytes: Vec::new(), max, charge, refused: None };
    let mut rest = gzip;
    for _ in 0..MEMBERS_MAX {
        let mut member = GzDecoder::new(rest);
        if io::copy(&mut member, &mut plain).is_err() {
            return Err(plain.refused.unwrap_or(GzipError::NotGzip));
        }
        rest = member.into_inner();
        if rest.is_empty() {
            return Ok(plain.bytes.into());
        }
    }
    Err(GzipError::TooManyMembers)
}

/// Receives what is decompressed, until it is too much.
struct DecompressedBytes<C> {
    bytes: Vec<u8>,
    max: usize,
    charge: C,
    refused: Option<GzipError>,
}

impl<C: FnMut(usize) -> bool> Write for DecompressedBytes<C> {
    fn write(&mut self, part: &[u8]) -> Result<usize, Error> {
        if self.bytes.len() + part.len() > self.max {
            self.refused = Some(GzipError::TooLarge);
        } else if !(self.charge)(part.len()) {
            self.refused = Some(GzipError::NoRoom);
        }
        if self.refused.is_some() {
            return Err(ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::Compression;
    use flate2::read::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut gzip = Vec::new();
        GzEncoder::new(plain, Compression::best()).read_to_end(&mut gzip).expect("compressed");
        gzip
    }

    #[test]
    fn decompression_ends_at_the_bound() {
        let bomb = gzip(&vec![b' '; 32 << 20]);
        assert!(bomb.len() < 100 << 10);
        let mut charged = 0;
        let refused = decompress(&bomb, 1 << 20, |bytes| {
            charged += bytes;
            true
        });
        assert_eq!(refused, Err(GzipError::TooLarge));
        assert!(charged <= 1 << 20, "{charged}");
        assert_eq!(decompress(&bomb, usize::MAX, |_| false), Err(GzipError::NoRoom));
    }

    #[test]
    fn incomplete_gzip_is_refused() {
        let whole = gzip(b"{\"type\":\"a\",\"data\":{}}");
        for end in 0..whole.len() {
            assert_eq!(decompress(&whole[..end], 1_000, |_| true), Err(GzipError::NotGzip), "{end}");
        }
        for at in [0, 1, 2, whole.len() - 1, whole.len() - 5] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            assert_eq!(decompress(&damaged, 1_000, |_| true), Err(GzipError::NotGzip), "{at}");
        }
    }

    #[test]
    fn many_empty_members_are_refused() {
        let empty = gzip(b"");
        assert_eq!(decompress(&empty.repeat(MEMBERS_MAX), 1, |_| true).as_deref(), Ok(&b""[..]));
        assert_eq!(decompress(&empty.repeat(MEMBERS_MAX + 1), 1, |_| true), Err(GzipError::TooManyMembers));
    }

    proptest! {
        /// A body may consist of several parts (RFC 1952, section 2.2).
        #[test]
        fn what_was_compressed_is_read(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..500), 1..4)) {
            let plain = parts.concat();
            let body: Vec<u8> = parts.iter().flat_map(|part| gzip(part)).collect();
            let mut charged = 0;
            let read = decompress(&body, plain.len(), |bytes| { charged += bytes; true });
            prop_assert_eq!(read.as_deref(), Ok(plain.as_slice()));
            prop_assert_eq!(charged, plain.len());
            if !plain.is_empty() {
                prop_assert_eq!(decompress(&body, plain.len() - 1, |_| true), Err(GzipError::TooLarge));
            }
        }
    }
}
