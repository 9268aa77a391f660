//! Where the body of a response ends (RFC 9112, sections 6 and 7). Its bytes are counted and dropped.

use super::NoResponse;
use super::head::{ResponseHead, Transfer};

/// The state of a body after some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyProgress {
    /// More follows.
    More,
    /// It is complete.
    End,
    /// It exceeds the bound, or its framing is broken: its end is not determined.
    Unusable,
}

/// A body that is read and discarded.
#[derive(Debug)]
pub(super) struct DiscardedBody {
    framing: BodyFraming,
    /// How many more bytes may be read.
    left: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyFraming {
    /// This many bytes more.
    Length(u64),
    Chunked(ChunkPosition),
    UntilClose,
}

/// What comes next in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChunkPosition {
    /// Digits of a chunk's size.
    Size { size: u64, digits: u8 },
    /// The chunk extension, to the end of the line.
    Extension { size: u64 },
    /// This many bytes of data.
    Data(u64),
    /// The line end after the data.
    DataEnd,
    /// A line of the trailer section, which may be empty so far.
    Trailer { is_empty: bool },
}

const SIZE: ChunkPosition = ChunkPosition::Size { size: 0, digits: 0 };

impl DiscardedBody {
    /// The body after the head of a final response to a POST.
    pub(super) fn of(head: &ResponseHead, bytes_max: usize) -> Self {
        let framing = match (head.status(), head.transfer, head.content_length) {
            (204 | 304, ..) => BodyFraming::Length(0),
            _ if head.is_misframed() => BodyFraming::UntilClose,
            (_, Some(Transfer::Chunked), _) => BodyFraming::Chunked(SIZE),
            (_, Some(Transfer::Other), _) => BodyFraming::UntilClose,
            (_, None, Some(length)) => BodyFraming::Length(length),
            (_, None, None) => BodyFraming::UntilClose,
        };
        Self { framing, left: bytes_max }
    }

    pub(super) fn ends_with_connection(&self) -> bool {
        self.framing == BodyFraming::UntilClose
    }

    /// Skips what belongs to the body.
    pub(super) fn skip(&mut self, rest: &mut &[u8]) -> BodyProgress {
        // A body whose announced length exceeds the bound is not read.
        if matches!(self.framing, BodyFraming::Length(length) if length > self.left as u64) {
            return BodyProgress::Unusable;
        }
        loop {
            if self.framing == BodyFraming::Length(0) {
                return BodyProgress::End;
            }
            if rest.is_empty() {
                return BodyProgress::More;
            }
            if self.left == 0 {
                return BodyProgress::Unusable;
            }
            let taken = match &mut self.framing {
                BodyFraming::Length(length) => {
                    let taken = fitting(rest, *length);
                    *length -= taken as u64;
                    taken
                }
                BodyFraming::UntilClose => rest.len(),
                BodyFraming::Chunked(chunk) => match chunk.step(rest) {
                    Ok(Some(taken)) => taken,
                    Ok(None) => {
                        *rest = &rest[1..];
                        return BodyProgress::End;
                    }
                    Err(NoResponse) => return BodyProgress::Unusable,
                },
            };
            let taken = taken.min(self.left);
            self.left -= taken;
            *rest = &rest[taken..];
        }
    }
}

fn fitting(rest: &[u8], bytes: u64) -> usize {
    usize::try_from(bytes).map_or(rest.len(), |bytes| bytes.min(rest.len()))
}

impl ChunkPosition {
    /// Reads on in bytes that are not empty and returns how many it used; `None`: the body ends before the first one.
    fn step(&mut self, rest: &[u8]) -> Result<Option<usize>, NoResponse> {
        let byte = rest[0];
        *self = match *self {
            Self::Data(left) => {
                let taken = fitting(rest, left);
                let left = left - taken as u64;
                *self = if left == 0 { Self::DataEnd } else { Self::Data(left) };
                return Ok(Some(taken));
            }
            Self::Size { size, digits } => match (char::from(byte).to_digit(16), byte) {
                (Some(digit), _) if digits < 16 => {
                    Self::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
                }
                (None, b';' | b' ' | b'\t' | b'\r') if digits > 0 => Self::Extension { size },
                (None, b'\n') if digits > 0 => Self::after_size(size),
                _ => return Err(NoResponse),
            },
            Self::Extension { size } if byte == b'\n' => Self::after_size(size),
            Self::Extension { size } => Self::Extension { size },
            Self::DataEnd if byte == b'\r' => Self::DataEnd,
            Self::DataEnd if byte == b'\n' => SIZE,
            Self::DataEnd => return Err(NoResponse),
            Self::Trailer { is_empty: true } if byte == b'\n' => return Ok(None),
            Self::Trailer { is_empty } => match byte {
                b'\n' => Self::Trailer { is_empty: true },
                b'\r' => Self::Trailer { is_empty },
                _ => Self::Trailer { is_empty: false },
            },
        };
        Ok(Some(1))
    }

    fn after_size(size: u64) -> Self {
        if size == 0 { Self::Trailer { is_empty: true } } else { Self::Data(size) }
    }
}
