//! A POST as it arrived, formatted for a person or for a program.

use std::time::Instant;

use anstyle::Style;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::cli::print::{ASIDE, POST, visible, visible_line};

/// Headers that frame a request or describe the connection, which a person need not see.
const DULL_HEADERS: [&str; 8] =
    ["accept", "accept-encoding", "connection", "content-length", "date", "host", "keep-alive", "transfer-encoding"];

/// A POST as it arrived.
#[derive(Debug, Clone)]
pub(in crate::cli) struct ReceivedPost {
    /// When it was complete.
    pub(in crate::cli) time: Timestamp,
    /// The same, on the monotonic clock.
    pub(in crate::cli) arrived: Instant,
    /// The request's method.
    pub(in crate::cli) method: String,
    /// The path and the query.
    pub(in crate::cli) path: String,
    /// The headers, names in small letters and in order; a name may come more than once.
    pub(in crate::cli) headers: Vec<(String, String)>,
    /// The body, or the beginning of a long one.
    pub(in crate::cli) body: Bytes,
    /// How many bytes of the body were not kept.
    pub(in crate::cli) bytes_left_out: usize,
}

impl ReceivedPost {
    /// For a person: the request line, the informative headers, the body.
    pub(in crate::cli) fn text(&self) -> String {
        let (method, path) = (visible_line(&self.method), visible_line(&self.path));
        let time = format!("{:.3}", self.time);
        format!("{ASIDE}{time}{ASIDE:#} {POST}{method} {path}{POST:#}\n{}", self.content(ASIDE))
    }

    /// The same without the first line.
    pub(in crate::cli) fn content(&self, header: Style) -> String {
        let mut text = String::new();
        for (name, value) in self.headers.iter().filter(|h| !DULL_HEADERS.contains(&h.0.as_str())) {
            text.push_str(&format!("{header}{name}: {}{header:#}\n", visible_line(value)));
        }
        text.push('\n');
        text.push_str(&visible(&self.body));
        match self.bytes_left_out {
            0 => {}
            left_out => text.push_str(&format!("\n{ASIDE}… and {left_out} bytes more{ASIDE:#}")),
        }
        text
    }

    /// For a program: nothing changed, nothing hidden. Values of a repeated header are joined by a
    /// comma and a space (RFC 9110, section 5.3).
    pub(in crate::cli) fn json(&self) -> Value {
        let mut headers: Map<String, Value> = Map::new();
        for (name, value) in &self.headers {
            match headers.get_mut(name) {
                Some(Value::String(before)) => {
                    before.push_str(", ");
                    before.push_str(value);
                }
                _ => {
                    headers.insert(name.clone(), value.as_str().into());
                }
            }
        }
        let mut members = Map::new();
        members.insert("time".into(), format!("{:.3}", self.time).into());
        members.insert("method".into(), self.method.as_str().into());
        members.insert("path".into(), self.path.as_str().into());
        members.insert("headers".into(), headers.into());
        match self.body_text() {
            Some(text) => members.insert("body".into(), text.into()),
            None => members.insert("body_base64".into(), BASE64.encode(&self.body).into()),
        };
        if self.bytes_left_out > 0 {
            members.insert("bytes_left_out".into(), self.bytes_left_out.into());
        }
        members.into()
    }

    /// The body where it is UTF-8. A long one may have been cut within a character, which is left
    /// out too.
    fn body_text(&self) -> Option<&str> {
        match std::str::from_utf8(&self.body) {
            Ok(text) => Some(text),
            Err(error) if self.bytes_left_out > 0 && error.error_len().is_none() => {
                std::str::from_utf8(&self.body[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn receipt(body: &'static [u8]) -> ReceivedPost {
        ReceivedPost {
            time: "2026-05-06T09:30:00.1234Z".parse().expect("a time"),
            arrived: Instant::now(),
            method: "POST".to_owned(),
            path: "/hook?x=1".to_owned(),
            headers: [("content-type", "text/plain"), ("host", "h"), ("x-a", "1"), ("x-a", "\x1b2")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            body: Bytes::from_static(body),
            bytes_left_out: 0,
        }
    }

    #[test]
    fn a_person_sees_what_matters() {
        let text = anstream::adapter::strip_str(&receipt(b"{\"a\":\n1}\x1b").text()).to_string();
        let expected = "2026-05-06T09:30:00.123Z POST /hook?x=1\ncontent-type: text/plain\nx-a: 1\nx-a: \\u{1b}2\n\n\
                        {\"a\":\n1}\\u{1b}";
        assert_eq!(text, expected);
        let cut = ReceivedPost { bytes_left_out: 7, ..receipt(b"x") };
        assert!(cut.text().contains("… and 7 bytes more"));
    }

    #[test]
    fn a_program_sees_everything() {
        let expected = json!({"time": "2026-05-06T09:30:00.123Z", "method": "POST", "path": "/hook?x=1",
                              "headers": {"content-type": "text/plain", "host": "h", "x-a": "1, \u{1b}2"},
                              "body": "a\u{1b}"});
        assert_eq!(receipt(b"a\x1b").json(), expected);
        assert_eq!(receipt(b"\xff\x00").json()["body_base64"], "/wA=");
        assert!(receipt(b"\xff").json().get("body").is_none());
    }

    #[test]
    fn a_cut_within_a_character_is_still_text() {
        let cut = ReceivedPost { bytes_left_out: 1, ..receipt(b"ab\xc3") };
        assert_eq!(cut.json()["body"], "ab");
        assert_eq!(cut.json()["bytes_left_out"], 1);
        assert_eq!(receipt(b"ab\xc3").json()["body_base64"], "YWLD");
    }
}
