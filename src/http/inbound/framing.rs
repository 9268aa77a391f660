//! Finds where the heads and bodies of requests begin and end in the bytes of a connection (RFC 9112). It decides which
//! bytes may be passed on: a head only when it is complete, so that the server parses each head once, however it
//! arrives. It changes no byte, and rejects a request only for an [`UnfitHead`]: the server refuses invalid ones and closes the connection. Pure:
//! no socket, no clock.

/// How large a request's head may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadLimits {
    /// Bytes up to and including the empty line.
    pub(super) bytes: usize,
    /// Header fields.
    pub(super) fields: usize,
}

/// The length of a head, and of the body behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestLengths {
    pub(super) head: usize,
    pub(super) body: u64,
}

/// Why a head is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnfitHead {
    /// It exceeds the limit of bytes.
    TooLong,
    /// It exceeds the limit of fields.
    TooManyFields,
    /// It offers to change to WebSocket, and its body has a length. The server would take all that follows for the body,
    /// whatever the length is, and so would take other requests that a proxy sends on the connection.
    UpgradeWithBody,
}

/// The position in a connection's bytes.
#[derive(Debug)]
pub(super) struct RequestFraming {
    limits: HeadLimits,
    at: FramingState,
    /// How many heads were passed on.
    passed: u64,
    /// Whether it is certain where each of their requests ends: of some, only the server knows.
    is_certain: bool,
    /// How many heads may be passed on.
    passes_max: u64,
}

#[derive(Debug)]
enum FramingState {
    Head(PartialHead),
    /// This many bytes of a body are left.
    Body(u64),
    Chunked(Chunked),
    /// All that follows belongs to one request: after CONNECT or an upgrade.
    Rest,
    /// A head is unfit. Nothing more is passed on.
    Refused(UnfitHead),
}

/// An incomplete head.
#[derive(Debug, Default)]
struct PartialHead {
    /// How many of its bytes were scanned.
    scanned: usize,
    /// Where its incomplete line begins.
    line: usize,
    /// Complete lines: the request line and the fields.
    lines: usize,
    body: DeclaredBody,
}

/// What a head says about its body.
#[derive(Debug, Default)]
struct DeclaredBody {
    length: u64,
    chunked: bool,
    rest: bool,
    is_upgrade: bool,
    /// Whether every reader of the head finds the same length.
    is_certain: bool,
}

/// Inside a chunked body.
#[derive(Debug, Clone, Copy)]
enum Chunked {
    /// The line of a chunk's size. `extension`: its digits have ended.
    Size {
        size: u64,
        extension: bool,
    },
    Data(u64),
    /// The line end after a chunk's data.
    DataEnd,
    /// The trailer, in a line with this many characters.
    Trailer {
        line: usize,
    },
}

impl RequestFraming {
    pub(super) fn new(limits: HeadLimits) -> Self {
        let at = FramingState::Head(PartialHead::default());
        Self { limits, at, passed: 0, is_certain: true, passes_max: u64::MAX }
    }

    /// With the same limits, behind this many requests, at the first byte of another.
    pub(super) fn restarted(&self, requests: u64) -> Self {
        Self { passed: requests, ..Self::new(self.limits) }
    }

    /// No head after this many is passed on. It does not count as incomplete meanwhile, and is not scanned.
    pub(super) fn let_pass(&mut self, heads: u64) {
        self.passes_max = heads;
    }

    /// Whether the next head has to wait.
    pub(super) fn is_held_back(&self) -> bool {
        self.passed >= self.passes_max && self.is_at_head()
    }

    /// Returns how many of these bytes may be passed on. `bytes` are all bytes that were not passed on yet: those that
    /// were held back come again, followed by new ones; they are not scanned again. What is before a head that is
    /// [refused](Self::refused) is passed on.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        while passed < bytes.len() {
            let rest = &bytes[passed..];
            if self.is_held_back() {
                break;
            }
            passed += match &mut self.at {
                FramingState::Head(head) => match head.scan(rest, self.limits) {
                    Ok(None) => break,
                    Ok(Some(length)) => {
                        self.passed += 1;
                        self.is_certain &= head.body.is_certain;
                        self.at = head.body.begin();
                        length
                    }
                    Err(unfit) => {
                        self.at = FramingState::Refused(unfit);
                        break;
                    }
                },
                FramingState::Body(left) => {
                    let part = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= part as u64;
                    if *left == 0 {
                        self.at = FramingState::Head(PartialHead::default());
                    }
                    part
                }
                FramingState::Chunked(state) => {
                    let (part, next) = state.advance(rest);
                    match next {
                        Some(next) => *state = next,
                        None => self.at = FramingState::Head(PartialHead::default()),
                    }
                    part
                }
                FramingState::Rest => rest.len(),
                FramingState::Refused(_) => break,
            };
        }
        passed
    }

    /// Whether a head begins with the next byte.
    pub(super) fn is_at_head(&self) -> bool {
        matches!(&self.at, FramingState::Head(head) if head.scanned == 0)
    }

    /// The same as [`advance`](Self::advance) at such a byte, where these bytes begin with a head that was passed on before,
    /// but for the digits of its body's length.
    pub(super) fn advance_known(&mut self, bytes: &[u8], known: RequestLengths) -> usize {
        self.passed += 1;
        self.at = DeclaredBody { length: known.body, ..DeclaredBody::default() }.begin();
        known.head + self.advance(&bytes[known.head..])
    }

    /// How many requests are complete, if no byte of the next one has come, or only a part of its head. Always `None`
    /// after a request whose end is not certain: one whose body has no length, or of another version of HTTP.
    pub(super) fn complete_requests(&self) -> Option<u64> {
        (self.is_certain && matches!(self.at, FramingState::Head(_))).then_some(self.passed)
    }

    /// Why the connection's last head is not passed on, if it is unfit.
    pub(super) fn refused(&self) -> Option<UnfitHead> {
        match &self.at {
            FramingState::Refused(unfit) => Some(*unfit),
            _ => None,
        }
    }
}

impl PartialHead {
    /// Scans the new part of the head that `bytes` begin with; returns its length once it is complete.
    fn scan(&mut self, bytes: &[u8], limits: HeadLimits) -> Result<Option<usize>, UnfitHead> {
        while let Some(found) = memchr::memchr(b'\n', &bytes[self.scanned..]) {
            let end = self.scanned + found;
            let line = &bytes[self.line..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            (self.scanned, self.line) = (end + 1, end + 1);
            if self.scanned > limits.bytes {
                return Err(UnfitHead::TooLong);
            }
            match (self.lines, line.is_empty()) {
                // Empty lines before a request line are skipped.
                (0, true) => continue,
                (0, false) => {
                    self.body.rest = line.starts_with(b"CONNECT ");
                    self.body.is_certain = !self.body.rest && line.ends_with(b" HTTP/1.1");
                }
                (_, true) if self.body.is_taken_for_rest() => return Err(UnfitHead::UpgradeWithBody),
                (_, true) => return Ok(Some(self.scanned)),
                (_, false) => self.body.read(line),
            }
            self.lines += 1;
            if self.lines > limits.fields + 1 {
                return Err(UnfitHead::TooManyFields);
            }
        }
        self.scanned = bytes.len();
        if self.scanned > limits.bytes { Err(UnfitHead::TooLong) } else { Ok(None) }
    }
}

impl DeclaredBody {
    /// Reads a field line that determines the length of the body.
    fn read(&mut self, line: &[u8]) {
        let Some(colon) = memchr::memchr(b':', line) else {
            return;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value).ok();
            self.length = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = value.eq_ignore_ascii_case(b"chunked");
            self.is_certain = false;
        } else if name.eq_ignore_ascii_case(b"upgrade") && value.eq_ignore_ascii_case(b"websocket") {
            (self.rest, self.is_upgrade, self.is_certain) = (true, true, false);
        }
    }

    /// Whether the server takes all that follows for a body that has a length.
    fn is_taken_for_rest(&self) -> bool {
        self.is_upgrade && !self.chunked && self.length > 0
    }

    fn begin(&self) -> FramingState {
        match self {
            Self { chunked: true, .. } => FramingState::Chunked(Chunked::Size { size: 0, extension: false }),
            // A CONNECT whose body has a length is a request like others.
            Self { rest: true, length: 0, .. } => FramingState::Rest,
            Self { length: 0, .. } => FramingState::Head(PartialHead::default()),
            Self { length, .. } => FramingState::Body(*length),
        }
    }
}

impl Chunked {
    /// Consumes bytes; returns how many, and the next state: `None` is the end of the body.
    fn advance(self, bytes: &[u8]) -> (usize, Option<Self>) {
        let first = bytes[0];
        let next = match self {
            Self::Data(left) => {
                let part = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left - part as u64;
                return (part, Some(if left == 0 { Self::DataEnd } else { Self::Data(left) }));
            }
            Self::Size { size: 0, .. } if first == b'\n' => Self::Trailer { line: 0 },
            Self::Size { size, .. } if first == b'\n' => Self::Data(size),
            Self::Size { size, extension } => match char::from(first).to_digit(16).filter(|_| !extension) {
                Some(digit) => Self::Size { size: size.saturating_mul(16).saturating_add(digit.into()), extension },
                None => Self::Size { size, extension: true },
            },
            Self::DataEnd if first == b'\n' => Self::Size { size: 0, extension: false },
            Self::DataEnd => Self::DataEnd,
            Self::Trailer { line: 0 } if first == b'\n' => return (1, None),
            Self::Trailer { .. } if first == b'\n' => Self::Trailer { line: 0 },
            Self::Trailer { line } if first == b'\r' => Self::Trailer { line },
            Self::Trailer { line } => Self::Trailer { line: line + 1 },
        };
        (1, Some(next))
    }
}

#[cfg(test)]
mod tests;
