//! `wildcard`: pieces of text with any text between them. The value must begin with the first piece and end with the
//! last one; each of the others is found as early as possible, so that matching needs one pass.

use memchr::memmem;

/// Why a text is not a wildcard pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WildcardError {
    #[error("two wildcards in a row mean the same as one; write one * (or \\* for the character)")]
    Repeated,
    #[error("a backslash may only precede * or \\; write \\\\ for the character")]
    Escape,
}

/// Splits at each `*`; `\*` and `\\` are the literal characters. If the result is one piece, there is no wildcard.
pub(super) fn pieces(text: &str) -> Result<Vec<String>, WildcardError> {
    let mut pieces = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => return Err(WildcardError::Repeated),
            '*' => pieces.push(String::new()),
            '\\' => match chars.next() {
                Some(escaped @ ('*' | '\\')) => push(&mut pieces, escaped),
                _ => return Err(WildcardError::Escape),
            },
            c => push(&mut pieces, c),
        }
    }
    Ok(pieces)
}

fn push(pieces: &mut [String], c: char) {
    if let Some(last) = pieces.last_mut() {
        last.push(c);
    }
}

/// Whether the text consists of these pieces, at least two, with any text between them.
pub(super) fn matches<'p>(text: &str, mut pieces: impl DoubleEndedIterator<Item = &'p str>) -> bool {
    let (Some(first), Some(last)) = (pieces.next(), pieces.next_back()) else {
        return false;
    };
    let Some(rest) = text.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    let mut rest = rest.as_bytes();
    for piece in pieces {
        match memmem::find(rest, piece.as_bytes()) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_what_they_say() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*a*b", "a*b", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*bc*c", "abcc", true),
            ("a*bc*c", "abc", false),
            ("*\\**", "x**y", true),
            ("*\\**", "xy", false),
            ("x*\\\\", "xy\\", true),
            ("*é", "café", true),
            ("日*é", "日本é", true),
            ("*ab*ab*", "xabyab", true),
            ("*ab*ab*", "xaby", false),
            ("*aba*aba*", "ababa", false),
            ("*aba*aba*", "abaaba", true),
        ] {
            let pieces = pieces(pattern).expect(pattern);
            assert_eq!(matches(text, pieces.iter().map(String::as_str)), expected, "{pattern} {text}");
        }
        for bad in ["**", "a**b", "a\\b", "\\", "a\\"] {
            assert!(pieces(bad).is_err(), "{bad}");
        }
        assert_eq!(pieces("a\\*b").expect("no wildcard"), ["a*b"]);
    }
}
