//! Requests that the HTTP server can't read. It responds to them itself, with nothing but a status, and closes the
//! connection. Its response is recognized as it is written and replaced by a problem document, so that usual requests
//! need no further check.

use actix_web::http::StatusCode;

use super::direct;
use crate::http::problem::Problem;

/// How the server's own response begins, after the version.
const BEGIN: &[u8] = b" 400 Bad Request\r\ncontent-length: 0\r\n";
/// How it ends: the end of the date, which is its last field.
const END: &[u8] = b" GMT\r\n\r\n";
/// Its greatest length.
const BYTES_MAX: usize = 160;

/// Where the server's own response begins, if these bytes end with one. Responses of calls have bodies and more fields.
pub(super) fn response_at(bytes: &[u8]) -> Option<usize> {
    if !bytes.ends_with(END) {
        return None;
    }
    let last = bytes.len().saturating_sub(BYTES_MAX);
    let begin = last + memchr::memmem::rfind(&bytes[last..], BEGIN)?;
    let fields = &bytes[begin + BEGIN.len()..];
    let fields = fields.strip_prefix(b"connection: close\r\n").unwrap_or(fields);
    let is_own = fields.starts_with(b"date: ") && memchr::memmem::find(fields, b"\r\n") == Some(fields.len() - 4);
    let version = begin.checked_sub("HTTP/1.1".len())?;
    (is_own && bytes[version..].starts_with(b"HTTP/1.")).then_some(version)
}

/// The response that is sent instead.
pub(super) fn response() -> Vec<u8> {
    let detail = "this is not a request of HTTP version 1 (RFC 9112); look at the request line, at `Host`, which must be \
                  there once, and at how the length of the body is said";
    direct::last_response(&Problem::new(StatusCode::BAD_REQUEST, "malformed_request", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_s_own_response_is_recognized() {
        let own = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: Fri, 27 Nov 2026 10:00:00 GMT\r\n\r\n";
        let older = own.replace("HTTP/1.1", "HTTP/1.0").replace("connection: close\r\n", "");
        for (text, at) in [
            (own.to_owned(), Some(0)),
            (older, Some(0)),
            (format!("HTTP/1.1 200 OK\r\n\r\nbody{own}"), Some(23)),
            (own.replace("length: 0", "length: 9"), None),
            (own.replace("date", "x: y\r\ndate"), None),
            (own.replace("400 Bad Request", "404 Not Found"), None),
            (format!("{own}body"), None),
            (own[9..].to_owned(), None),
        ] {
            assert_eq!(response_at(text.as_bytes()), at, "{text}");
        }
    }
}
