//! Reads the responses of one connection as their bytes arrive, each byte once. Interim responses are skipped. Of the
//! final response the head is read, and the body is counted and discarded. Reports when the response is complete and
//! whether the connection can carry another request. Pure: it reads no socket.

mod body;
mod head;
#[cfg(test)]
mod tests;

use std::time::Duration;

use body::{BodyProgress, DiscardedBody};
use head::{LineSplitter, ResponseHead};

pub(super) use head::AllowedOrigin;

/// The most bytes of a head. Common servers send at most 8 kB.
const HEAD_BYTES_MAX: usize = 65_536;
/// The most bytes of the value of a field that matters.
const VALUE_BYTES_MAX: usize = 4_096;
/// How much of a line that arrives in pieces is held: more than such a field has.
const HELD_BYTES_MAX: usize = 2 * VALUE_BYTES_MAX;
/// A response that came in one piece of at most this many bytes is remembered.
const REMEMBERED_BYTES_MAX: usize = 512;
/// The most interim responses before the final one. A server that works for long sends one every few seconds.
const INTERIM_MAX: usize = 64;

/// The received bytes are no HTTP/1 response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoResponse;

/// The state of a response after some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseProgress {
    /// More follows.
    More,
    /// It is complete.
    Over,
}

/// Whether the connection can carry another request, as far as the receiver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reuse {
    /// It can't.
    No,
    /// It can; for this long, if the receiver says how long it waits.
    Within(Option<Duration>),
}

#[derive(Debug)]
enum ResponseStage {
    Head,
    Body(DiscardedBody),
    Over,
}

/// The last response of the connection that came in one piece, and what it said. The responses of most receivers are the
/// same byte for byte until the second of their `date` ends, so that most need not be read.
#[derive(Debug)]
struct WholeResponse {
    bytes: Vec<u8>,
    status: Option<u16>,
    reuse: Reuse,
}

/// The state of the response to one request.
#[derive(Debug)]
pub(super) struct Response {
    stage: ResponseStage,
    lines: LineSplitter,
    head: ResponseHead,
    interim: usize,
    status: Option<u16>,
    reuse: Reuse,
    body_bytes_max: usize,
    last: WholeResponse,
}

impl Response {
    /// At most `body_bytes_max` bytes of a body are read. A longer body ends the response, and the connection is not
    /// used again.
    pub(super) fn new(body_bytes_max: usize) -> Self {
        Self {
            stage: ResponseStage::Head,
            lines: LineSplitter::default(),
            head: ResponseHead::default(),
            interim: 0,
            status: None,
            reuse: Reuse::No,
            body_bytes_max,
            last: WholeResponse { bytes: Vec::new(), status: None, reuse: Reuse::No },
        }
    }

    /// Prepares for the next response.
    pub(super) fn reset(&mut self) {
        self.stage = ResponseStage::Head;
        self.lines.reset();
        self.head.reset();
        (self.interim, self.status, self.reuse) = (0, None, Reuse::No);
    }

    /// The status of the final response, once its head is complete.
    pub(super) fn status(&self) -> Option<u16> {
        self.status
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, ResponseStage::Over)
    }

    /// Whether the response is complete enough, although more bytes could follow. A response without a length ends with
    /// its connection, but a receiver that does not announce a close may never close it.
    pub(super) fn may_end_here(&self) -> bool {
        matches!(&self.stage, ResponseStage::Body(body) if body.ends_with_connection()) && !self.head.ends_connection()
    }

    /// What the response says about the connection, once it is complete.
    pub(super) fn reuse(&self) -> Reuse {
        self.reuse
    }

    /// The final response's fields of the CloudEvents handshake.
    pub(super) fn allowed_origin(&self) -> &AllowedOrigin {
        &self.head.allowed
    }

    #[cfg(test)]
    fn memory(&self) -> usize {
        self.lines.memory() + self.head.memory()
    }

    /// Reads bytes as they arrive.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<ResponseProgress, NoResponse> {
        if self.interim > 0 || self.lines.has_begun() || self.status.is_some() || bytes.is_empty() {
            return self.read(bytes);
        }
        if self.last.bytes == bytes {
            (self.stage, self.status, self.reuse) = (ResponseStage::Over, self.last.status, self.last.reuse);
            return Ok(ResponseProgress::Over);
        }
        let progress = self.read(bytes)?;
        let is_whole = progress == ResponseProgress::Over && bytes.len() <= REMEMBERED_BYTES_MAX;
        if is_whole && self.head.allowed == AllowedOrigin::default() {
            self.last.bytes.clear();
            self.last.bytes.extend_from_slice(bytes);
            (self.last.status, self.last.reuse) = (self.status, self.reuse);
        }
        Ok(progress)
    }

    fn read(&mut self, bytes: &[u8]) -> Result<ResponseProgress, NoResponse> {
        let mut rest = bytes;
        loop {
            match &mut self.stage {
                ResponseStage::Head => match self.lines.next(&mut rest)? {
                    None => return Ok(ResponseProgress::More),
                    Some(line) => {
                        let is_end = self.head.line(line)?;
                        self.lines.consumed();
                        if is_end {
                            self.end_head()?;
                        }
                    }
                },
                ResponseStage::Body(body) => match body.skip(&mut rest) {
                    BodyProgress::More => return Ok(ResponseProgress::More),
                    BodyProgress::End => self.stage = ResponseStage::Over,
                    BodyProgress::Unusable => self.give_up(),
                },
                ResponseStage::Over => {
                    if !rest.is_empty() {
                        // These bytes were not requested.
                        self.reuse = Reuse::No;
                    }
                    return Ok(ResponseProgress::Over);
                }
            }
        }
    }

    /// The receiver has closed its side. True if that completes a response whose status is known.
    pub(super) fn end(&mut self) -> bool {
        self.give_up();
        self.status.is_some()
    }

    fn give_up(&mut self) {
        self.reuse = Reuse::No;
        self.stage = ResponseStage::Over;
    }

    fn end_head(&mut self) -> Result<(), NoResponse> {
        let status = self.head.status();
        if status < 200 {
            // No upgrade was requested, and what would follow is not HTTP.
            if status == 101 || self.interim >= INTERIM_MAX {
                return Err(NoResponse);
            }
            self.interim += 1;
            self.head.reset();
            self.lines.reset();
            return Ok(());
        }
        self.lines.release_memory();
        self.head.release_memory();
        self.status = Some(status);
        let body = DiscardedBody::of(&self.head, self.body_bytes_max);
        self.reuse = if body.ends_with_connection() { Reuse::No } else { self.head.reuse() };
        self.stage = ResponseStage::Body(body);
        Ok(())
    }
}
