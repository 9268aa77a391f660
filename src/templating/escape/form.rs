//! Writes text into a form (`application/x-www-form-urlencoded`): percent-encoded UTF-8.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// A value's text: all but letters, digits and `-._~` is encoded, a blank as `%20`.
pub(in crate::templating) fn encoded(out: &mut Vec<u8>, text: &str) {
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            percent(out, byte);
        }
    }
}

/// The author's own text: what can't stand in a form is encoded (blanks, letters beyond ASCII, a
/// `%` without two digits behind it), the rest, with `=`, `&` and `+`, is the author's.
pub(in crate::templating) fn constant(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    for (i, &byte) in bytes.iter().enumerate() {
        let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        let stays = match byte {
            b'%' => hex(i + 1) && hex(i + 2),
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
            _ => byte.is_ascii_graphic(),
        };
        if stays {
            out.push(byte);
        } else {
            percent(&mut out, byte);
        }
    }
    String::from_utf8(out).expect("encoded text is ASCII")
}

fn percent(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_back() {
        let text: String = ('\0'..='\u{2fff}').chain("😀%41+&=;".chars()).collect();
        let mut out = b"k=".to_vec();
        encoded(&mut out, &text);
        let pairs: Vec<_> = url::form_urlencoded::parse(&out).collect();
        assert_eq!(pairs, [("k".into(), text.into())]);
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
