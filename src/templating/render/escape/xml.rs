//! Writes text into XML 1.0: between tags, or in an attribute's quotes.

/// The context of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum XmlContext {
    Text,
    Attribute,
}

/// Whether XML 1.0 allows a character in a document (its production `Char`).
pub(crate) fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// For each byte whether it may need escaping.
static SPECIAL: [bool; 256] = special();

const fn special() -> [bool; 256] {
    let mut table = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = true;
        control += 1;
    }
    table[b'&' as usize] = true;
    table[b'<' as usize] = true;
    table[b'>' as usize] = true;
    table[b'"' as usize] = true;
    table[b'\'' as usize] = true;
    // U+FFFE and U+FFFF begin with it.
    table[0xef] = true;
    table
}

/// The text, escaped so that a parser reads it back as it is, without the characters that XML
/// forbids. A carriage return, and in an attribute all white space but the blank, is written as a
/// reference: parsers change it otherwise.
pub(crate) fn escaped(out: &mut Vec<u8>, text: &str, place: XmlContext) {
    let bytes = text.as_bytes();
    let attribute = place == XmlContext::Attribute;
    let mut from = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        if !SPECIAL[usize::from(byte)] {
            continue;
        }
        let (instead, length): (&[u8], usize) = match byte {
            b'&' => (b"&amp;", 1),
            b'<' => (b"&lt;", 1),
            b'>' => (b"&gt;", 1),
            b'\r' => (b"&#13;", 1),
            b'"' if attribute => (b"&quot;", 1),
            b'\'' if attribute => (b"&apos;", 1),
            b'\n' if attribute => (b"&#10;", 1),
            b'\t' if attribute => (b"&#9;", 1),
            b'"' | b'\'' | b'\n' | b'\t' => continue,
            0xef if matches!(bytes[i + 1..], [0xbf, 0xbe | 0xbf, ..]) => (b"", 3),
            0xef => continue,
            _ => (b"", 1),
        };
        out.extend_from_slice(&bytes[from..i]);
        out.extend_from_slice(instead);
        from = i + length;
    }
    out.extend_from_slice(&bytes[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escape(text: &str, place: XmlContext) -> String {
        let mut out = Vec::new();
        escaped(&mut out, text, place);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn text_and_attribute_values_are_escaped() {
        for (text, in_text, in_attribute) in [
            ("Anna", "Anna", "Anna"),
            ("a<b>&\"'", "a&lt;b&gt;&amp;\"'", "a&lt;b&gt;&amp;&quot;&apos;"),
            ("1\r\n2\t3", "1&#13;\n2\t3", "1&#13;&#10;2&#9;3"),
            ("\0a\u{1f}b\u{b}", "ab", "ab"),
            ("\u{fffd}\u{fffe}\u{ffff}\u{10000}ï", "\u{fffd}\u{10000}ï", "\u{fffd}\u{10000}ï"),
            ("]]>", "]]&gt;", "]]&gt;"),
        ] {
            assert_eq!(escape(text, XmlContext::Text), in_text);
            assert_eq!(escape(text, XmlContext::Attribute), in_attribute);
        }
    }

    #[test]
    fn exactly_the_forbidden_characters_are_left_out() {
        for c in '\0'..=char::MAX {
            let left = !escape(&c.to_string(), XmlContext::Text).is_empty();
            assert_eq!(left, is_allowed(c), "{c:?}");
        }
    }
}
