//! Heads and bodies in pieces: what is passed on, counted and refused.

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
        (&["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "3;a=1\r\nabc\r\n0", "\r\n\r\nGET"], &[47, 13, 4]),
        (&["POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: b\r\n", "\r\nGET"], &[56, 2]),
        (&["CONNECT x HTTP/1.1\r\n\r\n", "any\r\nthing"], &[22, 10]),
        (&["CONNECT x HTTP/1.1\r\ncontent-length: 2\r\n\r\n", "ab", "GET"], &[41, 2, 0]),
        (&["GET / HTTP/1.1\r\nupgrade: WebSocket\r\n\r\n", "x"], &[38, 1]),
    ] {
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        assert_eq!(passed(&pieces).as_deref(), Ok(expected), "{pieces:?}");
    }
}

/// A known head is passed on as it was when it was scanned.
#[test]
fn a_known_head_is_not_scanned_again() {
    let head = |length: &str| format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    for (length, behind) in [("3", "ab"), ("3", "abc"), ("2", "ab\r\nGET / HTTP/1.1\r\n\r\nG"), ("12", "")] {
        let first = head("1") + "x";
        let second = head(length) + behind;
        let [mut scanned, mut known] = [(); 2].map(|()| RequestFraming::new(LIMITS));
        for framing in [&mut scanned, &mut known] {
            assert!(framing.is_at_head());
            assert_eq!(framing.advance(first.as_bytes()), first.len());
            assert!(framing.is_at_head());
        }
        let lengths = RequestLengths { head: head(length).len(), body: length.parse().expect("a number") };
        let passed = known.advance_known(second.as_bytes(), lengths);
        assert_eq!(scanned.advance(second.as_bytes()), passed, "{second}");
        assert_eq!(scanned.complete_requests(), known.complete_requests(), "{second}");
        assert_eq!((scanned.is_at_head(), format!("{scanned:?}")), (known.is_at_head(), format!("{known:?}")));
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
    assert_eq!((framing.advance(both.as_bytes()), framing.refused()), (request.len(), Some(UnfitHead::TooManyFields)));
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
