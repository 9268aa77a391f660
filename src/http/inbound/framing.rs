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
    /// How many heads were complete; `None` since one whose request ends where only the server knows.
    heads: Option<u64>,
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
        Self { limits, at: FramingState::Head(PartialHead::default()), heads: Some(0) }
    }

    /// Returns how many of these bytes may be passed on. `bytes` are all bytes that were not passed on yet: those that
    /// were held back come again, followed by new ones; they are not scanned again. What is before a head that is
    /// [refused](Self::refused) is passed on.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        while passed < bytes.len() {
            let rest = &bytes[passed..];
            passed += match &mut self.at {
                FramingState::Head(head) => match head.scan(rest, self.limits) {
                    Ok(None) => break,
                    Ok(Some(length)) => {
                        self.heads = self.heads.filter(|_| head.body.is_certain).map(|heads| heads + 1);
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

    /// How many requests are complete, if no byte of the next one has come, or only a part of its head. Always `None`
    /// after a request whose end is not certain: one whose body has no length, or of another version of HTTP.
    pub(super) fn complete_requests(&self) -> Option<u64> {
        self.heads.filter(|_| matches!(self.at, FramingState::Head(_)))
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
            Self { rest: true, .. } => FramingState::Rest,
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes: 200, fields: 4 };

    /// Passes a connection's bytes in these pieces; returns what was passed on after each.
    fn passed(pieces: &[&[u8]]) -> Result<Vec<usize>, UnfitHead> {
        let (mut framing, mut held, mut passed) = (RequestFraming::new(LIMITS), Vec::new(), Vec::new());
        for piece in pieces {
            held.extend_from_slice(piece);
            let pass = framing.advance(&held);
            held.drain(..pass);
            passed.push(pass);
        }
        framing.refused().map_or(Ok(passed), Err)
    }

    #[test]
    fn a_head_is_passed_on_once_complete_and_a_body_at_once() {
        for (pieces, expected) in [
            (&["GET / HTTP/1.1\r\n", "host: x\r\n", "\r", "\n"][..], &[0, 0, 0, 27][..]),
            (&["\r\n\r\nGET / HTTP/1.1\nhost: x\n\nGET"], &[28]),
            (&["POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nab", "c", "dGET", " / HTTP/1.1\r\n\r\n"], &[40, 1, 1, 18]),
            (
                &["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "3;a=1\r\nabc\r\n0", "\r\n\r\nGET"],
                &[47, 13, 4],
            ),
            (&["POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: b\r\n", "\r\nGET"], &[56, 2]),
            (&["CONNECT x HTTP/1.1\r\n\r\n", "any\r\nthing"], &[22, 10]),
            (&["GET / HTTP/1.1\r\nupgrade: WebSocket\r\n\r\n", "x"], &[38, 1]),
        ] {
            let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            assert_eq!(passed(&pieces).as_deref(), Ok(expected), "{pieces:?}");
        }
    }

    #[test]
    fn requests_are_counted_while_their_ends_are_certain() {
        let get = "GET / HTTP/1.1\r\n\r\n";
        let counted = |bytes: &[&str]| {
            let mut framing = RequestFraming::new(LIMITS);
            framing.advance(bytes.concat().as_bytes());
            framing.complete_requests()
        };
        assert_eq!(counted(&[]), Some(0));
        assert_eq!(counted(&[get, "\r\n", get, "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}", get]), Some(4));
        assert_eq!(counted(&[get, "GET / HT"]), Some(1), "a part of a head");
        assert_eq!(counted(&["POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{"]), None, "a part of a body");
        for uncertain in [
            "GET / HTTP/1.0\r\n\r\n",
            "GET /\r\n\r\n",
            "CONNECT x HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: identity\r\ncontent-length: 2\r\n\r\n{}",
        ] {
            assert_eq!(counted(&[get, uncertain]), None, "{uncertain}");
            assert_eq!(counted(&[get, uncertain, get]), None, "{uncertain}");
        }
    }

    #[test]
    fn heads_over_a_limit_are_refused_before_they_end() {
        let long = format!("GET / HTTP/1.1\r\na: {}", "x".repeat(LIMITS.bytes));
        assert_eq!(passed(&[long.as_bytes()]), Err(UnfitHead::TooLong));
        assert_eq!(passed(&[&b"\n".repeat(LIMITS.bytes + 1)]), Err(UnfitHead::TooLong));
        let fields = |number| format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(number));
        assert_eq!(passed(&[fields(LIMITS.fields).as_bytes()]), Ok(vec![0]));
        assert_eq!(passed(&[fields(LIMITS.fields + 1).as_bytes()]), Err(UnfitHead::TooManyFields));
        // What is before it is passed on, and nothing behind it.
        let request = "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nab";
        let mut framing = RequestFraming::new(LIMITS);
        let both = format!("{request}{}", fields(LIMITS.fields + 1));
        assert_eq!(
            (framing.advance(both.as_bytes()), framing.refused()),
            (request.len(), Some(UnfitHead::TooManyFields))
        );
        assert_eq!(framing.advance(request.as_bytes()), 0);
        // The limit applies to each head.
        let short = "GET / HTTP/1.1\r\n\r\n".repeat(50);
        assert_eq!(passed(&[short.as_bytes()]), Ok(vec![short.len()]));
    }

    #[test]
    fn an_upgrade_with_a_body_is_refused() {
        let passed = |fields: &str| passed(&[format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n").as_bytes()]);
        for fields in ["content-length: 2\r\nUpgrade: WebSocket", "upgrade:websocket \r\ncontent-length: 2"] {
            assert_eq!(passed(fields), Err(UnfitHead::UpgradeWithBody), "{fields}");
        }
        for fields in [
            "upgrade: websocket",
            "upgrade: websocket\r\ncontent-length: 0",
            "upgrade: websocket\r\ntransfer-encoding: chunked",
            "upgrade: h2c\r\ncontent-length: 2",
        ] {
            assert!(passed(fields).is_ok(), "{fields}");
        }
    }

    /// Byte by byte, each byte is scanned once.
    #[test]
    fn the_work_is_linear_in_what_arrives() {
        let mut framing = RequestFraming::new(HeadLimits { bytes: 1 << 20, fields: 96 });
        let head = format!("GET / HTTP/1.1\r\na: {}", "x".repeat(100_000));
        for end in 1..=head.len() {
            assert_eq!(framing.advance(&head.as_bytes()[..end]), 0);
            match &framing.at {
                FramingState::Head(head) => assert_eq!(head.scanned, end),
                other => panic!("{other:?}"),
            }
        }
    }

    fn request() -> impl Strategy<Value = (String, usize)> {
        prop_oneof![
            Just(("GET /a HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 28)),
            "[ -~\r\n]{0,60}".prop_map(|body| {
                let head = format!("POST / HTTP/1.1\r\nhost: x\r\nContent-Length:{}\r\n\r\n", body.len());
                (format!("{head}{body}"), head.len())
            }),
            prop::collection::vec("[ -~\r\n]{1,30}", 0..4).prop_map(|chunks| {
                let head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: Chunked\r\n\r\n";
                let chunks = chunks.iter().map(|chunk| format!("{:X}\r\n{chunk}\r\n", chunk.len()));
                (format!("{head}{}0\r\n\r\n", chunks.collect::<String>()), head.len())
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// However requests are cut into pieces: no part of a head is passed on, everything else at once.
        #[test]
        fn pieces_make_no_difference(requests in prop::collection::vec(request(), 1..5), cuts in prop::collection::vec(1_usize..40, 1..60)) {
            let text: String = requests.iter().map(|(text, _)| text.as_str()).collect();
            // How much may be passed on when this many bytes have arrived.
            let may = |there: usize| {
                let mut begin = 0;
                for (text, head) in &requests {
                    if there < begin + head {
                        return begin;
                    }
                    if there < begin + text.len() {
                        return there;
                    }
                    begin += text.len();
                }
                begin
            };
            let mut framing = RequestFraming::new(LIMITS);
            let (mut there, mut done) = (0, 0);
            for cut in cuts.iter().cycle() {
                there = (there + cut).min(text.len());
                done += framing.advance(&text.as_bytes()[done..there]);
                prop_assert_eq!((done, framing.refused()), (may(there), None));
                if there == text.len() {
                    break;
                }
            }
            prop_assert!(matches!(framing.at, FramingState::Head(_)) && done == text.len());
        }
    }
}
