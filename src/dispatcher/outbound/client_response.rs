//! The response as the HTTP client sees it: a short head that is cheap to parse. The client never sees the receiver's
//! own head.

use std::fmt::Write as _;

use tokio::io::ReadBuf;

use super::response::AllowedOrigin;

/// The head for the client, and how many of its bytes were read.
pub(super) enum ClientResponse {
    /// `HTTP/1.1 200 ` and the end of the head.
    Short([u8; 17], usize),
    /// The same with fields.
    Long(Vec<u8>, usize),
}

const LINE: [u8; 17] = *b"HTTP/1.1 000 \r\n\r\n";

impl ClientResponse {
    /// A response with this status. `closes`: the client closes the connection after it. `allowed` is included for a
    /// request for consent.
    pub(super) fn new(status: u16, closes: bool, allowed: Option<&AllowedOrigin>) -> Self {
        let mut line = LINE;
        let mut rest = status;
        for digit in line[9..12].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        if !closes && allowed.is_none() {
            return Self::Short(line, 0);
        }
        let mut head = String::from_utf8_lossy(&line[..15]).into_owned();
        let allowed = allowed
            .into_iter()
            .flat_map(|allowed| [("webhook-allowed-origin", &allowed.origin), ("webhook-allowed-rate", &allowed.rate)]);
        for (name, value) in allowed {
            if let Some(value) = value {
                let _ = write!(head, "{name}: {value}\r\n");
            }
        }
        head.push_str(if closes { "connection: close\r\n\r\n" } else { "\r\n" });
        Self::Long(head.into_bytes(), 0)
    }

    /// Copies as much as fits; true once everything was copied.
    pub(super) fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let (bytes, given) = match self {
            Self::Short(line, given) => (line.as_slice(), given),
            Self::Long(head, given) => (head.as_slice(), given),
        };
        let part = (bytes.len() - *given).min(buffer.remaining());
        buffer.put_slice(&bytes[*given..*given + part]);
        *given += part;
        *given == bytes.len()
    }
}
