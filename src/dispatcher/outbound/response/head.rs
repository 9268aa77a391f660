//! The head of a response (RFC 9112, sections 2 to 5), line by line. Only the fields that affect the message's framing
//! and the connection are kept; any number of others is skipped.

use std::time::Duration;

use super::{HEAD_BYTES_MAX, HELD_BYTES_MAX, NoResponse, Reuse, VALUE_BYTES_MAX};

/// What a connection that waits for its next request keeps of the memory for lines.
const KEPT_BYTES_MAX: usize = 512;

/// Splits bytes into lines. A line that arrives in one piece is not copied.
#[derive(Debug, Default)]
pub(super) struct LineSplitter {
    /// The start of a line whose end has not arrived.
    begun: Vec<u8>,
    is_whole: bool,
    bytes: usize,
}

impl LineSplitter {
    pub(super) fn reset(&mut self) {
        self.begun.clear();
        (self.is_whole, self.bytes) = (false, 0);
    }

    /// Whether a byte was read.
    pub(super) fn has_begun(&self) -> bool {
        self.bytes > 0
    }

    /// The next line without its end, if that has arrived; otherwise stores all of `rest`.
    pub(super) fn next<'a, 'b: 'a>(&'a mut self, rest: &mut &'b [u8]) -> Result<Option<&'a [u8]>, NoResponse> {
        let end = memchr::memchr(b'\n', rest);
        let taken = end.map_or(rest.len(), |end| end + 1);
        let (piece, after) = rest.split_at(taken);
        *rest = after;
        self.bytes += taken;
        if self.bytes > HEAD_BYTES_MAX {
            return Err(NoResponse);
        }
        if end.is_none() {
            self.hold(piece)?;
            return Ok(None);
        }
        let line = if self.begun.is_empty() {
            piece
        } else {
            self.hold(piece)?;
            self.is_whole = true;
            &self.begun
        };
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// Holds a piece of a line, as far as any line is held. No value that matters is as long.
    fn hold(&mut self, piece: &[u8]) -> Result<(), NoResponse> {
        let (held, rest) = piece.split_at(piece.len().min(HELD_BYTES_MAX - self.begun.len()));
        self.begun.extend_from_slice(held);
        is_text(rest.trim_ascii_end()).then_some(()).ok_or(NoResponse)
    }

    /// Discards the line that was read.
    pub(super) fn consumed(&mut self) {
        if self.is_whole {
            self.begun.clear();
            self.is_whole = false;
        }
    }

    /// Frees what usual lines do not need.
    pub(super) fn release_memory(&mut self) {
        release(&mut self.begun);
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.begun.capacity()
    }
}

/// Frees the memory of an empty buffer that has grown large.
fn release(buffer: &mut Vec<u8>) {
    if buffer.is_empty() && buffer.capacity() > KEPT_BYTES_MAX {
        *buffer = Vec::new();
    }
}

/// What `Transfer-Encoding` says about the end of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    /// The last coding is `chunked`.
    Chunked,
    /// Another coding, which ends with the connection.
    Other,
}

/// The response to a CloudEvents handshake: `WebHook-Allowed-Origin` and `WebHook-Allowed-Rate`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::dispatcher::outbound) struct AllowedOrigin {
    /// Which origin may send.
    pub(in crate::dispatcher::outbound) origin: Option<String>,
    /// How many requests per minute, or `*`.
    pub(in crate::dispatcher::outbound) rate: Option<String>,
}

/// Fields that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeadField {
    Connection,
    ContentLength,
    KeepAlive,
    TransferEncoding,
    AllowedOrigin,
    AllowedRate,
}

impl HeadField {
    fn named(name: &[u8]) -> Option<Self> {
        let is = |own: &[u8]| name.eq_ignore_ascii_case(own);
        match name.len() {
            10 if is(b"connection") => Some(Self::Connection),
            10 if is(b"keep-alive") => Some(Self::KeepAlive),
            14 if is(b"content-length") => Some(Self::ContentLength),
            17 if is(b"transfer-encoding") => Some(Self::TransferEncoding),
            20 if is(b"webhook-allowed-rate") => Some(Self::AllowedRate),
            22 if is(b"webhook-allowed-origin") => Some(Self::AllowedOrigin),
            _ => None,
        }
    }
}

/// What is known of the head so far.
#[derive(Debug, Default)]
pub(super) struct ResponseHead {
    status: Option<u16>,
    is_1_0: bool,
    has_field: bool,
    /// The field whose line the next line may continue.
    open: Option<HeadField>,
    value: Vec<u8>,
    pub(super) content_length: Option<u64>,
    pub(super) transfer: Option<Transfer>,
    closes: bool,
    keeps: bool,
    timeout: Option<Duration>,
    no_more: bool,
    pub(super) allowed: AllowedOrigin,
}

impl ResponseHead {
    pub(super) fn reset(&mut self) {
        // Nothing of it was read: the response was like the last one.
        if self.status.is_none() {
            return;
        }
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        *self = Self { value, ..Self::default() };
    }

    pub(super) fn status(&self) -> u16 {
        self.status.unwrap_or_default()
    }

    /// Reads a line; true if it ends the head.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<bool, NoResponse> {
        if self.status.is_none() {
            // Some servers end a body with a line break that does not belong to it.
            if !line.is_empty() {
                self.status_line(line)?;
            }
            return Ok(false);
        }
        match line {
            [] => self.close_field().map(|()| true),
            [b' ' | b'\t', ..] => self.continue_field(line).map(|()| false),
            _ => self.field(line).map(|()| false),
        }
    }

    /// `HTTP/1.1 200 OK` (RFC 9112, section 4). The reason and the space before it may be missing.
    fn status_line(&mut self, line: &[u8]) -> Result<(), NoResponse> {
        let (b"HTTP/1.", [minor @ b'0'..=b'9', b' ', code @ ..]) = line.split_at_checked(7).ok_or(NoResponse)? else {
            return Err(NoResponse);
        };
        let ([a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'], [] | [b' ', ..]) =
            code.split_at_checked(3).ok_or(NoResponse)?
        else {
            return Err(NoResponse);
        };
        is_text(code).then_some(()).ok_or(NoResponse)?;
        let digit = |byte: &u8| u16::from(byte - b'0');
        self.status = Some(digit(a) * 100 + digit(b) * 10 + digit(c));
        self.is_1_0 = *minor == b'0';
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), NoResponse> {
        self.close_field()?;
        let colon = memchr::memchr(b':', line).ok_or(NoResponse)?;
        // White space before the colon is removed from responses (RFC 9112, section 5.1).
        let (name, value) = (line[..colon].trim_ascii_end(), &line[colon + 1..]);
        if name.is_empty() || !name.iter().all(|byte| TOKEN[usize::from(*byte)]) || !is_text(value) {
            return Err(NoResponse);
        }
        self.has_field = true;
        self.open = HeadField::named(name);
        self.add_value(value)
    }

    /// A folded line (RFC 9112, section 5.2) continues the field after a space.
    fn continue_field(&mut self, line: &[u8]) -> Result<(), NoResponse> {
        if !self.has_field || !is_text(line) {
            return Err(NoResponse);
        }
        self.add_value(line)
    }

    /// Of a field that is kept.
    fn add_value(&mut self, value: &[u8]) -> Result<(), NoResponse> {
        if self.open.is_some() {
            if self.value.len() + value.len() > VALUE_BYTES_MAX {
                return Err(NoResponse);
            }
            self.value.extend_from_slice(value);
        }
        Ok(())
    }

    /// Frees what usual heads do not need.
    pub(super) fn release_memory(&mut self) {
        release(&mut self.value);
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let texts = [&self.allowed.origin, &self.allowed.rate];
        self.value.capacity() + texts.into_iter().flatten().map(String::capacity).sum::<usize>()
    }

    fn close_field(&mut self) -> Result<(), NoResponse> {
        let Some(field) = self.open.take() else { return Ok(()) };
        let value = std::mem::take(&mut self.value);
        let read = self.read(field, value.trim_ascii());
        self.value = value;
        self.value.clear();
        read
    }

    fn read(&mut self, field: HeadField, value: &[u8]) -> Result<(), NoResponse> {
        match field {
            HeadField::Connection => {
                for option in list(value) {
                    self.closes |= option.eq_ignore_ascii_case(b"close");
                    self.keeps |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            HeadField::ContentLength => {
                // If the same length is repeated, it is that length (RFC 9112, section 6.3).
                for length in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    let length = number(length).ok_or(NoResponse)?;
                    if self.content_length.replace(length).is_some_and(|before| before != length) {
                        return Err(NoResponse);
                    }
                }
            }
            HeadField::KeepAlive => self.keep_alive(value),
            HeadField::TransferEncoding => {
                // `identity` is the name for no coding in RFC 2616.
                for coding in list(value).filter(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
                    let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
                    self.transfer = Some(if is_chunked { Transfer::Chunked } else { Transfer::Other });
                }
            }
            HeadField::AllowedOrigin => self.allowed.origin = text(value),
            HeadField::AllowedRate => self.allowed.rate = text(value),
        }
        Ok(())
    }

    /// `timeout=5, max=100` (RFC 2068, section 19.7.1.1).
    fn keep_alive(&mut self, value: &[u8]) {
        for parameter in list(value) {
            let Some(equals) = memchr::memchr(b'=', parameter) else { continue };
            let (name, number) = (parameter[..equals].trim_ascii(), number(parameter[equals + 1..].trim_ascii()));
            if name.eq_ignore_ascii_case(b"timeout") {
                self.timeout = number.map(Duration::from_secs).or(self.timeout);
            }
            self.no_more |= name.eq_ignore_ascii_case(b"max") && number == Some(0);
        }
    }

    /// What the head says about reusing the connection, if the body does not end with it.
    pub(super) fn reuse(&self) -> Reuse {
        let framed_twice = self.transfer.is_some() && self.content_length.is_some();
        if self.closes || self.no_more || framed_twice || (self.is_1_0 && !self.keeps) {
            Reuse::No
        } else {
            Reuse::Within(self.timeout)
        }
    }

    /// Whether the receiver says that the connection closes after the message.
    pub(super) fn ends_connection(&self) -> bool {
        self.closes || self.is_1_0
    }

    /// HTTP/1.0 has no transfer codings. If such a message names some, only the end of the connection reliably ends it
    /// (RFC 9112, section 6.1).
    pub(super) fn is_misframed(&self) -> bool {
        self.is_1_0 && self.transfer.is_some()
    }
}

fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// Digits only: no sign, no inner white space, no overflow.
fn number(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A text of the handshake, which lasts as long as the connection is idle.
fn text(value: &[u8]) -> Option<String> {
    if value.len() > KEPT_BYTES_MAX {
        return None;
    }
    std::str::from_utf8(value).ok().map(str::to_owned)
}

/// Which bytes may be in the name of a field.
const TOKEN: [bool; 256] = {
    let (mut token, others) = ([false; 256], b"!#$%&'*+-.^_`|~");
    let mut byte = 0;
    while byte < 256 {
        token[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut other = 0;
    while other < others.len() {
        token[others[other] as usize] = true;
        other += 1;
    }
    token
};

/// No control characters except tabs: other parsers may treat a bare CR or a NUL differently.
fn is_text(value: &[u8]) -> bool {
    // Without an early end, so that many bytes are looked at together.
    !value.iter().fold(false, |is_other, byte| is_other | matches!(byte, 0..=8 | 10..=31 | 127))
}
