//! The known name that a misspelt one most likely meant.

use std::borrow::Cow;

/// The most bytes of a name that a message repeats.
pub const SHOWN_BYTES_MAX: usize = 100;

/// The longest name that is compared, in characters: the work grows with the product of two lengths.
const NAME_CHARS_MAX: usize = 80;

/// The known name that is most like an unknown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NearestName<'c> {
    /// The known name.
    pub name: &'c str,
    /// Whether it is near enough to be what was meant.
    pub likely: bool,
}

impl NearestName<'_> {
    /// The sentence that suggests it, with `shown` as the name.
    pub fn sentence(&self, shown: &str) -> String {
        if self.likely { format!(" Did you mean {shown}?") } else { format!(" The nearest known name is {shown}.") }
    }
}

/// The number of letters to add, remove, replace or swap with the next to turn one name into the other.
pub fn edits(name: &str, other: &str) -> usize {
    strsim::osa_distance(name, other)
}

/// The candidate with the fewest edits from the name, ignoring case. Of equal ones the first.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<NearestName<'c>> {
    let letters = |name: &str| name.to_lowercase().chars().take(NAME_CHARS_MAX).collect::<String>();
    let wanted = letters(name);
    let found = candidates.into_iter().map(|candidate| (edits(&wanted, &letters(candidate)), candidate));
    let (edits, name) = found.min_by_key(|&(edits, _)| edits)?;
    // A third of the letters: beyond that, a suggestion confuses more than it helps.
    let compared = wanted.chars().count() - shared_chars(&wanted, &letters(name));
    Some(NearestName { name, likely: edits <= (compared / 3).max(1) })
}

/// The length of the parts with which both names begin, in characters: what is the same says nothing about the rest.
fn shared_chars(name: &str, other: &str) -> usize {
    let same = name.chars().zip(other.chars()).take_while(|(own, other)| own == other).enumerate();
    same.filter(|(_, (letter, _))| matches!(letter, '.' | ':')).last().map_or(0, |(place, _)| place + 1)
}

/// The candidate that a misspelt name most likely meant, if one is near enough.
pub fn likely<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    nearest(name, candidates).filter(|nearest| nearest.likely).map(|nearest| nearest.name)
}

/// A name of the author's, as a message shows it.
pub fn shown(name: &str) -> Cow<'_, str> {
    if name.len() <= SHOWN_BYTES_MAX {
        return name.into();
    }
    format!("{}…", &name[..name.floor_char_boundary(SHOWN_BYTES_MAX)]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_matched_and_other_words_are_not() {
        let known = ["GUEST:NAME", "GUEST:FNAME", "INQUIRY:ARRIVE", "RENTAL:NAME"];
        for (name, expected) in [
            ("GUEST:NMAE", ("GUEST:NAME", true)),
            ("guest:nam", ("GUEST:NAME", true)),
            ("GEUST:FNAM", ("GUEST:FNAME", true)),
            ("INQUIRY:ARIVE", ("INQUIRY:ARRIVE", true)),
            ("CUSTOMER:FNAME", ("GUEST:FNAME", false)),
            // What both begin with does not count.
            ("GUEST:VIP", ("GUEST:NAME", false)),
            ("RENTAL:NAMES", ("RENTAL:NAME", true)),
        ] {
            let nearest = nearest(name, known).expect("there are some");
            assert_eq!((nearest.name, nearest.likely), expected, "{name}");
            assert_eq!(likely(name, known).is_some(), expected.1);
        }
        assert_eq!(nearest("GUEST:NAME", []), None);
        assert_eq!(likely(&"A".repeat(100_000), known), None);
    }
}
