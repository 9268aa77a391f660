//! What a receiver does with one request, generated from random numbers, and which outcomes it allows.

use crate::model::outcome::Outcome;

/// A source of numbers, determined by its seed.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

/// What happens to the connection after the sent part of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The next request is read.
    Next,
    /// Data that was not requested follows, in the same write as the response's end.
    Leftover,
    /// The same data follows a moment later.
    LeftoverLater,
    /// The connection is closed without an announcement.
    Close,
    /// Only the receiver's side is closed.
    HalfClose,
    /// The connection is reset.
    Reset,
}

/// What a receiver does with one request.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// It responds after the head of the request, and reads the rest later.
    pub(super) is_early: bool,
    /// The whole response.
    pub(super) response: Vec<u8>,
    /// Where the head of the final response ends.
    head_end: usize,
    status: u16,
    /// The sizes of the pieces in which it is sent, repeated.
    pub(super) pieces: Vec<usize>,
    /// Only this many bytes are sent, then the connection ends.
    pub(super) cut: Option<usize>,
    pub(super) after: After,
    /// The receiver announced a close, or its response can only end with the connection.
    pub(super) ends: bool,
}

/// A status that identifies its request: the receiver chooses the class, the rest is the request's number.
pub(super) fn status_of(class: u16, number: usize) -> u16 {
    class * 100 + 10 + (number % 80) as u16
}

impl Plan {
    pub(super) fn new(numbers: &mut Numbers, number: usize) -> Self {
        let status = status_of([2, 2, 2, 3, 4, 5][numbers.below(6)], number);
        let mut response = Vec::new();
        for _ in 0..numbers.below(4) {
            let code = [100, 102, 103][numbers.below(3)];
            response.extend_from_slice(format!("HTTP/1.1 {code} Wait\r\nlink: </x>\r\n\r\n").as_bytes());
        }
        let closes = numbers.one_in(8);
        let mut head = format!("HTTP/1.1 {status} Done\r\nx-number: {number}\r\nx: a\r\n b\r\n");
        if closes {
            head.push_str("Connection: close\r\n");
        }
        let body = "b".repeat(numbers.below(60));
        let mut until_close = false;
        let body = match numbers.below(5) {
            0 | 1 => {
                let twice =
                    if numbers.one_in(3) { format!("content-length: {}\r\n", body.len()) } else { String::new() };
                head.push_str(&format!("{twice}Content-Length: {}\r\n", body.len()));
                body
            }
            2 | 3 => {
                head.push_str("Transfer-Encoding: chunked\r\n");
                let (one, two) = body.split_at(body.len() / 2);
                let chunk = |part: &str| match part.len() {
                    0 => String::new(),
                    length => format!("{length:x};e=1\r\n{part}\r\n"),
                };
                format!("{}{}0\r\nt: v\r\n\r\n", chunk(one), chunk(two))
            }
            _ => {
                until_close = true;
                head.push_str(if closes { "" } else { "Connection: close\r\n" });
                body
            }
        };
        response.extend_from_slice(head.as_bytes());
        response.extend_from_slice(b"\r\n");
        let head_end = response.len();
        response.extend_from_slice(body.as_bytes());
        let cut = numbers.one_in(6).then(|| numbers.below(response.len()));
        let after = match numbers.below(8) {
            _ if until_close || closes => After::Close,
            0..=2 => After::Next,
            3 => After::Leftover,
            4 => After::LeftoverLater,
            5 => After::HalfClose,
            6 => After::Reset,
            _ => After::Close,
        };
        let after =
            if cut.is_some() && !matches!(after, After::Reset | After::HalfClose) { After::Close } else { after };
        Self {
            is_early: numbers.one_in(6),
            response,
            head_end,
            status,
            pieces: (0..3).map(|_| 1 + numbers.below(40)).collect(),
            cut,
            after,
            ends: closes || until_close || cut.is_some(),
        }
    }

    /// Whether it only responds with success.
    pub(super) fn is_plain(&self) -> bool {
        !self.is_early && !self.ends && self.after == After::Next && self.status / 100 == 2
    }

    /// How many bytes of the response are sent.
    pub(super) fn sent(&self) -> usize {
        self.cut.unwrap_or(self.response.len())
    }

    /// Whether an attempt may end with this outcome and status.
    pub(super) fn allows(&self, outcome: Outcome, status: Option<u16>) -> bool {
        let is_lost = (outcome, status) == (Outcome::ConnectionLostAfterSend, None);
        let is_told = status == Some(self.status)
            && outcome
                == match self.status / 100 {
                    2 => Outcome::Delivered,
                    3 => Outcome::Redirect,
                    4 => Outcome::ClientError,
                    _ => Outcome::ServerError,
                };
        if self.sent() < self.head_end {
            return is_lost;
        }
        // A reset discards what was sent and not yet read. The system resets a connection that is closed with unread
        // data.
        let is_reset = self.after == After::Reset || (self.is_early && self.after != After::Next);
        is_told || (is_reset && is_lost)
    }
}
