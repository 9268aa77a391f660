//! Percent-encoding (RFC 3986, in UTF-8) of values and of the author's own text, for forms and URLs.

use percent_encoding::percent_encode_byte;

/// Whether a byte stands for itself in a value: letters, digits and `-._~`, which RFC 3986 calls unreserved.
static UNRESERVED: [bool; 256] = unreserved();

const fn unreserved() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
}

/// A value's text. A blank becomes `%20`.
pub(crate) fn encode(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        if !UNRESERVED[usize::from(byte)] {
            out.extend_from_slice(&bytes[from..i]);
            out.extend_from_slice(percent_encode_byte(byte).as_bytes());
            from = i + 1;
        }
    }
    out.extend_from_slice(&bytes[from..]);
}

/// A value's text, as a text of its own.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    encode(&mut out, text);
    String::from_utf8(out).expect("encoded text is ASCII")
}

/// The author's own text. Characters that are not allowed are encoded: blanks, letters beyond ASCII, a `%` without two
/// digits after it. The rest, also `=`, `&` and `+`, stays as it is.
pub(crate) fn constant(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    for (i, &byte) in bytes.iter().enumerate() {
        let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        let stays = match byte {
            b'%' => hex(i + 1) && hex(i + 2),
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
            _ => byte.is_ascii_graphic(),
        };
        if stays {
            out.push(char::from(byte));
        } else {
            out.push_str(percent_encode_byte(byte));
        }
    }
    out
}

/// Whether encoded text is nothing but white space.
pub(crate) fn is_blank(encoded: &[u8]) -> bool {
    let mut decoded = Vec::new();
    let mut rest = encoded;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = std::str::from_utf8(after.get(..2).unwrap_or_default()).unwrap_or_default();
        let Ok(meant) = u8::from_str_radix(digits, 16) else { return false };
        if byte != b'%' {
            return false;
        }
        decoded.push(meant);
        rest = &after[2..];
    }
    std::str::from_utf8(&decoded).is_ok_and(|text| text.chars().all(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_value_decodes_to_the_value() {
        let text: String = ('\0'..='\u{2fff}').chain("😀%41+&=;".chars()).collect();
        let mut out = b"k=".to_vec();
        encode(&mut out, &text);
        let pairs: Vec<_> = url::form_urlencoded::parse(&out).collect();
        assert_eq!(pairs, [("k".into(), text.into())]);
    }

    #[test]
    fn blanks_are_found_in_every_notation() {
        for (encoded, blank) in [
            ("", true),
            ("%20", true),
            ("%0A%09%0d%C2%A0%e3%80%80", true),
            ("%20a", false),
            ("a%20", false),
            ("%C2", false),
            ("%2", false),
            ("%", false),
            ("+", false),
            (" ", false),
        ] {
            assert_eq!(is_blank(encoded.as_bytes()), blank, "{encoded}");
        }
    }

    #[test]
    fn the_author_s_text_keeps_its_meaning() {
        for (text, expected) in [
            ("a=1&b=2", "a=1&b=2"),
            ("note=New guest:+", "note=New%20guest:+"),
            ("a=100%&b=%41%4", "a=100%25&b=%41%254"),
            ("ä=\n", "%C3%A4=%0A"),
        ] {
            assert_eq!(constant(text), expected);
        }
    }
}
