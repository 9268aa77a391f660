//! Responses however they arrive: in pieces, over a bound, incomplete, and what is left of their connection.

use proptest::prelude::*;

use super::*;

const CAP: usize = 100;

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Complete, with this status and connection state.
    Over(u16, Reuse),
    /// Incomplete; the status, if it was known.
    More(Option<u16>),
    /// Not a response.
    None,
}

/// Feeds the text in pieces of these sizes, repeated; an empty list: in one piece.
fn read(text: &[u8], sizes: &[usize]) -> End {
    read_next(&mut Response::new(CAP), text, sizes)
}

/// The same on a connection that had other responses.
fn read_next(response: &mut Response, text: &[u8], sizes: &[usize]) -> End {
    response.reset();
    let mut sizes = sizes.iter().copied().filter(|size| *size > 0).cycle();
    let mut rest = text;
    while !rest.is_empty() {
        let piece = sizes.next().unwrap_or(rest.len()).min(rest.len());
        match response.feed(&rest[..piece]) {
            Err(NoResponse) => return End::None,
            Ok(ResponseProgress::More) => {}
            // The rest of the text stays on the connection.
            Ok(ResponseProgress::Over) => {
                let leftover = response.feed(&rest[piece..]);
                assert_eq!(leftover, Ok(ResponseProgress::Over));
                break;
            }
        }
        rest = &rest[piece..];
    }
    match response.is_over() {
        true => End::Over(response.status().expect("a status"), response.reuse()),
        false => End::More(response.status()),
    }
}

const KEPT: Reuse = Reuse::Within(None);

fn kept_for(seconds: u64) -> Reuse {
    Reuse::Within(Some(Duration::from_secs(seconds)))
}

#[test]
fn responses_and_what_they_say_of_the_connection() {
    let long = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "x: y\r\n".repeat(500));
    let interim = |code: u16, times: usize| {
        format!("{}HTTP/1.1 204 X\r\n\r\n", format!("HTTP/1.1 {code} X\r\na: b\r\n\r\n").repeat(times))
    };
    for (text, expected) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", End::Over(204, KEPT)),
        ("HTTP/1.1 204\r\n\r\n", End::Over(204, KEPT)),
        ("HTTP/1.1 204 \n\n", End::Over(204, KEPT)),
        ("\r\nHTTP/1.1 204 X\r\n\r\n", End::Over(204, KEPT)),
        ("HTTP/1.1 204 X\r\ncontent-length: 7\r\n\r\n", End::Over(204, KEPT)),
        ("HTTP/1.1 304 X\r\ntransfer-encoding: chunked\r\n\r\n", End::Over(304, KEPT)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", End::Over(200, KEPT)),
        ("HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", End::Over(200, KEPT)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\ncontent-length: 2\r\n\r\nok", End::Over(200, KEPT)),
        ("HTTP/1.1 200 OK\r\ncontent-length:\r\n 2\r\n\r\nok", End::Over(200, KEPT)),
        ("HTTP/1.1 200 OK\r\nx: a\r\n\tb\r\n  c\r\ncontent-length: 0\r\n\r\n", End::Over(200, KEPT)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no", End::More(Some(200))),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok!", End::Over(200, Reuse::No)),
        ("HTTP/1.1 204 X\r\n\r\nHTTP/1.1 500 X\r\n\r\n", End::Over(204, Reuse::No)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n", End::Over(200, Reuse::No)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n", End::Over(200, Reuse::No)),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", End::Over(200, Reuse::No)),
        ("HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n\r\n", End::Over(200, Reuse::No)),
        ("HTTP/1.1 200 OK\r\nkeep-alive: timeout=5, max=10\r\ncontent-length: 0\r\n\r\n", End::Over(200, kept_for(5))),
        ("HTTP/1.1 200 OK\r\nKeep-Alive: Timeout = 2\r\ncontent-length: 0\r\n\r\n", End::Over(200, kept_for(2))),
        ("HTTP/1.1 200 OK\r\nkeep-alive: timeout=-1, x, max=0\r\ncontent-length: 0\r\n\r\n", End::Over(200, Reuse::No)),
        ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", End::Over(200, Reuse::No)),
        ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n", End::Over(200, KEPT)),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", End::More(Some(200))),
        ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", End::More(Some(200))),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", End::More(Some(200))),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: 0\r\n\r\n", End::Over(200, KEPT)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", End::Over(200, KEPT)),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
            End::Over(200, KEPT),
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nt: v\r\nu: w\r\n\r\n", End::Over(200, KEPT)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\n\n", End::Over(200, KEPT)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n!", End::Over(200, Reuse::No)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx", End::Over(200, Reuse::No)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok!", End::Over(200, Reuse::No)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n11111111111111111\r\n", End::Over(200, Reuse::No)),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
            End::Over(200, Reuse::No),
        ),
        (&interim(100, 1), End::Over(204, KEPT)),
        (&interim(102, 2), End::Over(204, KEPT)),
        (&interim(103, INTERIM_MAX), End::Over(204, KEPT)),
        (&interim(103, INTERIM_MAX + 1), End::None),
        (&interim(101, 1), End::None),
        (
            "HTTP/1.1 100 X\r\nconnection: close\r\ncontent-length: 5\r\n\r\nHTTP/1.1 204 X\r\n\r\n",
            End::Over(204, KEPT),
        ),
        ("HTTP/1.1 700 X\r\ncontent-length: 0\r\n\r\n", End::Over(700, KEPT)),
        (&long, End::Over(200, KEPT)),
        ("HTTP/1.1 200 O", End::More(None)),
        ("", End::More(None)),
        ("HTTP/2 200 OK\r\n\r\n", End::None),
        ("HTTP/2.0 200 OK\r\n\r\n", End::None),
        ("http/1.1 200 OK\r\n\r\n", End::None),
        ("HTTP/1.1  200 OK\r\n\r\n", End::None),
        ("HTTP/1.1 20 OK\r\n\r\n", End::None),
        ("HTTP/1.1 2000 OK\r\n\r\n", End::None),
        ("HTTP/1.1 099 OK\r\n\r\n", End::None),
        ("ICY 200 OK\r\n\r\n", End::None),
        ("SSH-2.0-x\r\n", End::None),
        ("HTTP/1.1 200 OK\r\n a: b\r\n\r\n", End::None),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", End::None),
        ("HTTP/1.1 200 OK\r\n: x\r\n\r\n", End::None),
        ("HTTP/1.1 200 OK\r\na b: x\r\n\r\n", End::None),
        ("HTTP/1.1 200 OK\r\na: x\ry\r\n\r\n", End::None),
        ("HTTP/1.1 200 OK\r\na: \0\r\n\r\n", End::None),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", End::None),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\n", End::None),
        ("HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n", End::None),
        ("HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n", End::None),
        ("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n", End::None),
    ] {
        let shown = &text[..text.len().min(200)];
        assert_eq!(read(text.as_bytes(), &[]), expected, "{shown:?}");
        assert_eq!(read(text.as_bytes(), &[1]), expected, "{shown:?} byte by byte");
    }
}

#[test]
fn a_head_is_bounded() {
    let of = |bytes: usize| format!("HTTP/1.1 200 X\r\na: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(bytes - 42));
    for pieces in [&[][..], &[1_000], &[1]] {
        assert_eq!(of(HEAD_BYTES_MAX).len(), HEAD_BYTES_MAX);
        assert_eq!(read(of(HEAD_BYTES_MAX).as_bytes(), pieces), End::Over(200, KEPT));
        assert_eq!(read(of(HEAD_BYTES_MAX + 1).as_bytes(), pieces), End::None);
        assert_eq!(read(&vec![b'x'; HEAD_BYTES_MAX + 1], pieces), End::None);
    }
}

/// A value that matters is bounded, also in several lines; others may be as long as the head.
#[test]
fn a_value_is_bounded_however_it_arrives() {
    let of = |line: &str| format!("HTTP/1.1 200 X\r\n{line}\r\ncontent-length: 0\r\n\r\n");
    let long = |name: &str, bytes: usize| format!("{name}:{}", "x".repeat(bytes));
    let folded = |lines: usize| format!("keep-alive: {}", ["x".repeat(1_000).as_str()].repeat(lines).join("\r\n "));
    let control = format!("{}\0{}", long("a", HELD_BYTES_MAX + 10), "x".repeat(100));
    for pieces in [&[][..], &[1_000], &[1]] {
        for (line, expected) in [
            (long("a", HEAD_BYTES_MAX - 100), End::Over(200, KEPT)),
            (long("keep-alive", VALUE_BYTES_MAX), End::Over(200, KEPT)),
            (long("keep-alive", VALUE_BYTES_MAX + 1), End::None),
            (long("keep-alive", HEAD_BYTES_MAX - 100), End::None),
            (folded(4), End::Over(200, KEPT)),
            (folded(5), End::None),
            (control.clone(), End::None),
        ] {
            assert_eq!(read(of(&line).as_bytes(), pieces), expected, "{pieces:?} {}", &line[..20]);
        }
    }
}

/// A receiver can't have each of its connections keep what one head needed.
#[test]
fn the_memory_of_a_large_head_is_released() {
    let mut response = Response::new(100);
    let long = "x".repeat(4_000);
    let head = format!(
        "HTTP/1.1 200 X\r\nkeep-alive: {long}\r\nwebhook-allowed-origin: {long}\r\na: {long}{long}{long}\r\n\
         content-length: 0\r\n\r\n"
    );
    for piece in head.as_bytes().chunks(100) {
        response.feed(piece).expect("a response");
    }
    assert!(response.is_over());
    assert!(response.memory() < 2_000, "{} bytes", response.memory());
}

#[test]
fn a_body_is_bounded() {
    for (length, reuse) in [(CAP, KEPT), (CAP + 1, Reuse::No)] {
        let body = "x".repeat(length);
        let plain = format!("HTTP/1.1 200 X\r\ncontent-length: {length}\r\n\r\n{body}");
        assert_eq!(read(plain.as_bytes(), &[7]), End::Over(200, reuse), "{length}");
    }
    let endless = format!("HTTP/1.1 200 X\r\n\r\n{}", "x".repeat(CAP + 1));
    assert_eq!(read(endless.as_bytes(), &[]), End::Over(200, Reuse::No));
    let chunks = format!("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n{}", "1\r\nx\r\n".repeat(CAP));
    assert_eq!(read(chunks.as_bytes(), &[]), End::Over(200, Reuse::No));
    let extension = format!("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n1;{}", "x".repeat(CAP));
    assert_eq!(read(extension.as_bytes(), &[]), End::Over(200, Reuse::No));
}

#[test]
fn an_end_of_the_connection_ends_what_has_a_status() {
    for (text, counts) in [
        ("", false),
        ("HTTP/1.1 2", false),
        ("HTTP/1.1 100 X\r\n\r\n", false),
        ("HTTP/1.1 200 X\r\na: b\r\n", false),
        ("HTTP/1.1 200 X\r\n\r\nx", true),
        ("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nx", true),
    ] {
        let mut response = Response::new(CAP);
        assert_eq!(response.feed(text.as_bytes()), Ok(ResponseProgress::More));
        assert_eq!((response.end(), response.reuse()), (counts, Reuse::No), "{text:?}");
    }
}

#[test]
fn a_response_like_the_last_one_is_not_read_again() {
    let mut response = Response::new(CAP);
    let kept = |seconds| format!("HTTP/1.1 204 X\r\nkeep-alive: timeout={seconds}\r\n\r\n");
    for seconds in [5, 5, 7, 7, 5] {
        assert_eq!(read_next(&mut response, kept(seconds).as_bytes(), &[]), End::Over(204, kept_for(seconds)));
        assert_eq!(response.last.bytes, kept(seconds).as_bytes());
    }
    for other in [kept(9) + &"x".repeat(REMEMBERED_BYTES_MAX), kept(9)[..20].to_owned()] {
        read_next(&mut response, other.as_bytes(), &[]);
        assert_eq!(response.last.bytes, kept(5).as_bytes(), "too long, or a part of one");
    }
}

#[test]
fn consent_is_read() {
    let text = b"HTTP/1.1 200 X\r\nWebHook-Allowed-Origin: a.example\r\nwebhook-allowed-rate: 120\r\ncontent-length: 0\r\n\r\n";
    let mut response = Response::new(CAP);
    assert_eq!(response.feed(text), Ok(ResponseProgress::Over));
    let expected = AllowedOrigin { origin: Some("a.example".into()), rate: Some("120".into()) };
    assert_eq!(response.allowed_origin(), &expected);
    response.reset();
    assert_eq!(response.allowed_origin(), &AllowedOrigin::default());
    assert_eq!(response.feed(text), Ok(ResponseProgress::Over));
    assert_eq!(response.allowed_origin(), &expected, "it is not remembered without them");
}

/// Parts that responses are made of, valid and invalid ones.
fn part() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 103 X\r\n",
        "HTTP/1.0 200\r\n",
        "HTTP/1.1 204 X\r\n",
        "\r\n",
        "\n",
        "content-length: 3\r\n",
        "content-length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "connection: close\r\n",
        "keep-alive: timeout=2\r\n",
        "x: y\r\n",
        " folded\r\n",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "abc",
        "\0",
        "HTTP/",
        ":",
    ])
}

proptest! {
    /// The result does not depend on how a response is cut into pieces.
    #[test]
    fn pieces_make_no_difference(
        parts in prop::collection::vec(part(), 0..12),
        sizes in prop::collection::vec(1_usize..9, 1..5),
    ) {
        let text = parts.concat();
        prop_assert_eq!(read(text.as_bytes(), &sizes), read(text.as_bytes(), &[]), "{:?}", text);
    }

    /// Nor on the responses before it, of which the same bytes may be remembered.
    #[test]
    fn responses_before_make_no_difference(
        texts in prop::collection::vec((prop::collection::vec(part(), 0..6), prop::collection::vec(1_usize..40, 0..2)), 1..4),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut response = Response::new(CAP);
        for (parts, sizes) in texts.iter().chain(again.iter().map(|index| index.get(&texts))) {
            let text = parts.concat();
            prop_assert_eq!(read_next(&mut response, text.as_bytes(), sizes), read(text.as_bytes(), &[]), "{:?}", text);
        }
    }

    /// If the HTTP client's own parser accepts a response with a length, this reader finds the same status.
    #[test]
    fn an_independent_parser_agrees(
        status in 200_u16..600,
        fields in prop::collection::vec(("[a-z][a-z0-9-]{0,12}", "[ -~]{0,20}"), 0..8),
        body in "[ -~]{0,20}",
    ) {
        let ours = ["connection", "keep-alive", "content-length", "transfer-encoding"];
        let fields: String = fields.iter().filter(|(name, _)| !ours.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!("HTTP/1.1 {status} X\r\n{fields}content-length: {}\r\n\r\n{body}", body.len());
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut parsed = httparse::Response::new(&mut headers);
        prop_assert!(parsed.parse(text.as_bytes()).is_ok_and(|parsed| parsed.is_complete()), "{}", text);
        prop_assert_eq!(parsed.code, Some(status));
        let expected = match status {
            204 | 304 if !body.is_empty() => End::Over(status, Reuse::No),
            _ => End::Over(status, KEPT),
        };
        prop_assert_eq!(read(text.as_bytes(), &[]), expected, "{}", text);
    }
}
