//! `equals-ignore-case`: two texts are equal if they are equal after Unicode simple case folding, character by
//! character (CaseFolding.txt, statuses C and S). It is symmetric and independent of language: ß equals ẞ but not ss, ς
//! and Σ equal σ, the Kelvin sign equals k, ſ equals s, and İ and ı equal only themselves.

use icu_casemap::CaseMapper;

/// The folded character.
pub(super) fn fold(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { CaseMapper::new().simple_fold(c) }
}

/// A text with each character folded.
pub(super) fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

/// Whether a text equals one that is already folded.
pub(super) fn equal(text: &str, folded: &str) -> bool {
    text.chars().map(fold).eq(folded.chars())
}

/// Whether a text begins with one that is already folded.
pub(super) fn begins(text: &str, folded: &str) -> bool {
    let mut chars = text.chars().map(fold);
    folded.chars().all(|own| chars.next() == Some(own))
}

/// Whether a text ends with one that is already folded.
pub(super) fn ends(text: &str, folded: &str) -> bool {
    let mut chars = text.chars().rev().map(fold);
    folded.chars().rev().all(|own| chars.next() == Some(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_simple_and_symmetric() {
        for (left, right, expected) in [
            ("Straße", "STRAßE", true),
            ("straße", "STRASSE", false),
            ("ß", "ẞ", true),
            ("ς", "Σ", true),
            ("ς", "σ", true),
            ("\u{212a}", "k", true),
            ("ſ", "S", true),
            ("İ", "i", false),
            ("İ", "i\u{307}", false),
            ("ı", "I", false),
            ("ŉ", "ʼN", false),
            ("ÖL", "öl", true),
            ("𐐀", "𐐨", true),
            ("😀", "😀", true),
            ("ﬀ", "FF", false),
            ("", "", true),
            ("a", "ab", false),
        ] {
            assert_eq!(equal(left, &folded(right)), expected, "{left} {right}");
            assert_eq!(equal(right, &folded(left)), expected, "{right} {left}");
            if expected {
                assert!(begins(&format!("{left}x"), &folded(right)) && ends(&format!("x{left}"), &folded(right)));
            }
        }
        assert!(!begins("a", "ab") && !ends("b", "ab"));
    }
}
