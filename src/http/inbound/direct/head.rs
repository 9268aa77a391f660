//! The heads of requests with events. The requests of a client mostly differ only in the lengths of their bodies. So
//! the last head of a connection is remembered, and one that differs from it only in that length is not parsed again.

use std::net::SocketAddr;

use actix_http::RequestHead;
use actix_web::http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use actix_web::http::{Method, Uri};

use super::super::framing::RequestLengths;
use crate::http::resources::events::{self, KnownHead};

/// The most fields of a head that is read here. Requests with more are rare, and the array for them is cleared for each.
const FIELDS_MAX: usize = 32;
/// A longer head is not remembered: a connection without a request would take memory for it.
const REMEMBERED_BYTES_MAX: usize = 1 << 10;
/// The most digits of a length that fits 64 bits whatever they are.
const LENGTH_DIGITS_MAX: usize = 19;

/// Reads the heads of one connection.
pub(super) struct EventsHead {
    /// The last head that was read, without the length of the body.
    pub(super) request: RequestHead,
    /// Its bytes before the digits of its length, and those behind them. Empty until there is one.
    before: Vec<u8>,
    behind: Vec<u8>,
    /// What the last head says, once a request with it was admitted.
    pub(super) known: Option<KnownHead>,
}

impl EventsHead {
    /// For the connection of this client.
    pub(super) fn new(peer: SocketAddr) -> Self {
        let mut request = RequestHead::default();
        request.method = Method::POST;
        request.uri = Uri::from_static(events::PATH);
        request.peer_addr = Some(peer);
        Self { request, before: Vec::new(), behind: Vec::new(), known: None }
    }

    /// Reads the head that these bytes begin with. `None`: it is not the head of a usual request with events, whose
    /// body has a length. The server reads all others, also those that are not valid, and responds to them.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<RequestLengths> {
        self.like_last(bytes).or_else(|| self.parse(bytes))
    }

    /// The request is over.
    pub(super) fn end(&mut self) {
        if self.before.len() + self.behind.len() > REMEMBERED_BYTES_MAX {
            (self.before, self.behind, self.request.headers) = (Vec::new(), Vec::new(), HeaderMap::new());
            self.known = None;
        }
    }

    /// Those of a head that only differs from the last one in its length.
    pub(super) fn like_last(&self, bytes: &[u8]) -> Option<RequestLengths> {
        let rest = bytes.strip_prefix(self.before.as_slice()).filter(|_| !self.before.is_empty())?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !rest[digits..].starts_with(&self.behind) {
            return None;
        }
        let body = length(&rest[..digits])?;
        Some(RequestLengths { head: self.before.len() + digits + self.behind.len(), body })
    }

    fn parse(&mut self, bytes: &[u8]) -> Option<RequestLengths> {
        let behind_path = bytes.strip_prefix(b"POST ")?.strip_prefix(events::PATH.as_bytes())?;
        if !behind_path.starts_with(b" HTTP/1.1\r\n") {
            return None;
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut parsed = httparse::Request::new(&mut fields);
        let Ok(httparse::Status::Complete(head)) = parsed.parse(bytes) else { return None };
        let (headers, digits) = usual_fields(parsed.headers)?;
        let body = length(digits)?;
        let begin = digits.as_ptr().addr() - bytes.as_ptr().addr();
        self.before = bytes[..begin].to_vec();
        self.behind = bytes[begin + digits.len()..head].to_vec();
        (self.known, self.request.headers) = (None, headers);
        Some(RequestLengths { head, body })
    }
}

/// Whether these bytes begin with the head of a usual request with events, whose body has a length.
pub(super) fn is_usual(bytes: &[u8]) -> bool {
    EventsHead::new(([0, 0, 0, 0], 0).into()).read(bytes).is_some()
}

/// The fields, and the digits of the body's length (RFC 9112, section 6). `None`: one of them makes the request unusual.
fn usual_fields<'a>(fields: &[httparse::Header<'a>]) -> Option<(HeaderMap, &'a [u8])> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    let (mut digits, mut hosts) = (None, 0);
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        match name {
            CONTENT_LENGTH if digits.is_none() => {
                digits = Some(field.value);
                continue;
            }
            CONTENT_LENGTH | TRANSFER_ENCODING | UPGRADE | EXPECT => return None,
            CONNECTION if !field.value.eq_ignore_ascii_case(b"keep-alive") => return None,
            HOST => hosts += 1,
            _ => {}
        }
        headers.append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    digits.filter(|_| hosts == 1).map(|digits| (headers, digits))
}

/// The length that these digits say; `None` if they are none, or if it is zero.
fn length(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() <= LENGTH_DIGITS_MAX)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|length| *length > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fresh() -> EventsHead {
        EventsHead::new(([127, 0, 0, 1], 9).into())
    }

    fn fields(head: &EventsHead) -> Vec<(String, Vec<u8>)> {
        let fields = head.request.headers.iter();
        let mut fields: Vec<_> = fields.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
        fields.sort();
        fields
    }

    #[test]
    fn a_usual_head_is_read_once_and_known_again_by_all_but_its_length() {
        let mut head = fresh();
        let text = |length: &str, more: &str| {
            format!(
                "POST /v1/events HTTP/1.1\r\nHost: x\r\ncontent-length:  {length} \r\na: 1\r\nA: 2\r\n{more}\r\n{{}}"
            )
        };
        let first = text("12", "");
        assert_eq!(head.read(first.as_bytes()), Some(RequestLengths { head: first.len() - 2, body: 12 }));
        let known: Vec<_> = head.request.headers.get_all("a").map(HeaderValue::as_bytes).collect();
        assert_eq!(known, [b"1", b"2"]);
        let longer = text("1234", "");
        assert_eq!(head.like_last(longer.as_bytes()), Some(RequestLengths { head: longer.len() - 2, body: 1_234 }));
        assert!(!head.request.headers.contains_key(CONTENT_LENGTH), "it would be that of another request");
        for other in [text("12", "b: 3\r\n"), text("", ""), text("+12", ""), text("12", "").replace("Host", "host")] {
            assert_eq!(head.like_last(other.as_bytes()), None, "{other}");
        }
        let other = text("7", "b: 3\r\n");
        assert_eq!(head.read(other.as_bytes()), Some(RequestLengths { head: other.len() - 2, body: 7 }));
        assert!(head.request.headers.contains_key("b"));
    }

    #[test]
    fn other_requests_are_left_to_the_server() {
        let head = |line: &str, fields: &str| format!("{line}\r\n{fields}\r\n\r\n");
        let line = "POST /v1/events HTTP/1.1";
        let usual = "host: x\r\ncontent-length: 2";
        assert!(fresh().read(head(line, usual).as_bytes()).is_some());
        assert!(fresh().read(head(line, &format!("{usual}\r\nConnection: Keep-Alive")).as_bytes()).is_some());
        for other in [
            "GET /v1/events HTTP/1.1",
            "POST /v1/events HTTP/1.0",
            "POST /v1/events?a HTTP/1.1",
            "POST /v1/event HTTP/1.1",
            "POST /v1/events/ HTTP/1.1",
            "POST http://x/v1/events HTTP/1.1",
        ] {
            assert!(fresh().read(head(other, usual).as_bytes()).is_none(), "{other}");
        }
        let long = format!("host: x\r\ncontent-length: {}", "9".repeat(20));
        let many = format!("{usual}{}", "\r\na: b".repeat(FIELDS_MAX - 1));
        for fields in [
            "host: x",
            "content-length: 2",
            "host: x\r\ncontent-length: 0",
            "host: x\r\ncontent-length:",
            "host: x\r\ncontent-length: 2, 2",
            "host: x\r\ncontent-length: 0x2",
            "host: x\r\ncontent-length: -2",
            "host: x\r\ncontent-length: 2\r\ncontent-length: 2",
            "host: x\r\nhost: x\r\ncontent-length: 2",
            "host: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked",
            "host: x\r\ncontent-length: 2\r\ntransfer-encoding: identity",
            "host: x\r\ncontent-length: 2\r\nexpect: 100-continue",
            "host: x\r\ncontent-length: 2\r\nupgrade: websocket",
            "host: x\r\ncontent-length: 2\r\nconnection: close",
            "host: x\r\ncontent-length: 2\r\nconnection: keep-alive, close",
            "host: x\r\ncontent-length : 2",
            "host: x\r\ncontent-length: 2\r\na: \u{1}",
            "host: x\r\ncontent-length: 2\r\n a: b",
            &long,
            &many,
        ] {
            assert!(fresh().read(head(line, fields).as_bytes()).is_none(), "{fields}");
        }
        let whole = head(line, usual);
        (0..whole.len()).for_each(|end| assert!(fresh().read(&whole.as_bytes()[..end]).is_none(), "{end}"));
    }

    #[test]
    fn a_long_head_is_not_remembered() {
        for (value, kept) in [(100, true), (2_000, false)] {
            let long = "x".repeat(value);
            let text = format!("POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\na: {long}\r\n\r\n");
            let mut head = fresh();
            assert!(head.read(text.as_bytes()).is_some());
            head.end();
            let is_kept = head.request.headers.contains_key("a");
            assert_eq!((head.like_last(text.as_bytes()).is_some(), is_kept), (kept, kept));
            assert!(head.read(text.as_bytes()).is_some() && head.request.headers.contains_key("a"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// What the last head was makes no difference.
        #[test]
        fn a_remembered_head_changes_nothing(
            heads in proptest::collection::vec(
                (0..3u8, "[a-c]{0,2}", "(0|[1-9][0-9]{0,3}|[0-9]{18,21}|1x|)", "(|\r\n|c: d\r\n\r\n)"), 1..6
            ),
        ) {
            let mut remembering = fresh();
            for (form, value, digits, end) in heads {
                let (before, between) = [("", "b: "), ("b: ", ""), ("connection: ", "b: ")][usize::from(form)];
                let first = if before.is_empty() { String::new() } else { format!("{before}{value}\r\n") };
                let second = if between.is_empty() { String::new() } else { format!("{between}{value}\r\n") };
                let text = format!("POST /v1/events HTTP/1.1\r\nhost: x\r\n{first}content-length: {digits}\r\n{second}{end}");
                let mut parsing = fresh();
                let expected = parsing.parse(text.as_bytes());
                prop_assert_eq!(remembering.read(text.as_bytes()), expected);
                if expected.is_some() {
                    prop_assert_eq!(fields(&remembering), fields(&parsing));
                }
            }
        }
    }
}
