//! `[auth]`: the operator's key. All other keys are kept in the store.

use super::reader::SettingsReader;

/// The fewest characters of a key.
const KEY_CHARACTERS_MIN: usize = 16;
/// The most characters of a key: a request's head, which holds it, has at most 32 kB.
const KEY_CHARACTERS_MAX: usize = 4_096;

/// `[auth]`.
#[derive(Debug, Clone)]
pub struct Auth {
    /// The operator's key, where one is set.
    pub operator_key: Option<String>,
}

/// Why no request can present a key, or should. Never the key itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum OperatorKeyError {
    #[error("a key has {KEY_CHARACTERS_MIN} characters or more")]
    Short,
    #[error("a key has {KEY_CHARACTERS_MAX} characters or fewer: a request sends it in its head")]
    Long,
    #[error(
        "it ends with a line break, which no request can send; remove that, as `$(cat FILE)` does for a key from a file"
    )]
    LineBreak,
    #[error(
        "its character {place} is {name}, which no request can send; write a key such as `openssl rand -hex 32` \
         prints"
    )]
    Character {
        /// From 1.
        place: usize,
        name: &'static str,
    },
}

impl Auth {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        let key = reader.text("auth.operator_key");
        if let Err(error) = check(&key) {
            reader.refuse("auth.operator_key", error.to_string());
        }
        Self { operator_key: Some(key).filter(|key| !key.is_empty()) }
    }
}

/// Whether a request can present the key as `Authorization: Bearer KEY`. What is around the value of a header is not
/// part of it (RFC 9110, section 5.5). An empty key counts as no key.
fn check(key: &str) -> Result<(), OperatorKeyError> {
    if key.trim_end_matches(['\r', '\n']).len() < key.len() {
        return Err(OperatorKeyError::LineBreak);
    }
    let can_be_sent = |place: usize, c: char| match c {
        ' ' | '\t' => place > 0 && place + 1 < key.len(),
        _ => c.is_ascii_graphic(),
    };
    if let Some((place, character)) = key.chars().enumerate().find(|(place, c)| !can_be_sent(*place, *c)) {
        let name = match character {
            ' ' | '\t' => "a blank at its edge",
            '\r' | '\n' => "a line break",
            '\0'..='\x7f' => "a control character",
            _ => "not ASCII",
        };
        return Err(OperatorKeyError::Character { place: place + 1, name });
    }
    match key.len() {
        1..KEY_CHARACTERS_MIN => Err(OperatorKeyError::Short),
        0..=KEY_CHARACTERS_MAX => Ok(()),
        _ => Err(OperatorKeyError::Long),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_that_a_request_can_present() {
        for (key, expected) in [
            ("", None),
            ("0123456789abcdef", None),
            ("~!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}", None),
            ("short", Some("16 characters or more")),
            ("0123456789abcdef\n", Some("it ends with a line break")),
            ("0123456789abcdef\r\n", Some("it ends with a line break")),
            ("\n", Some("it ends with a line break")),
            (" 0123456789abcdef", Some("its character 1 is a blank at its edge")),
            ("0123456789abcdef ", Some("its character 17 is a blank at its edge")),
            ("                ", Some("its character 1 is a blank at its edge")),
            ("0123 456789 abcdef", None),
            ("0123\r\n456789abcdef", Some("its character 5 is a line break")),
            ("0123456789abcde\u{7f}", Some("its character 16 is a control character")),
            ("0123456789\u{e9}abcdef", Some("its character 11 is not ASCII")),
            (&"k".repeat(33_000), Some("4096 characters or fewer")),
        ] {
            let error = check(key).err().map(|error| error.to_string());
            assert_eq!(error.is_some(), expected.is_some(), "{key:?}: {error:?}");
            assert!(error.unwrap_or_default().contains(expected.unwrap_or_default()), "{key:?}");
        }
    }
}
