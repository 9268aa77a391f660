//! The known name that a misspelt one most likely meant.

/// Names are compared by so many of their characters.
const NAME_CHARS_MAX: usize = 80;

/// What may have been meant by a name that isn't known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nearest<'c> {
    pub(super) name: &'c str,
    /// So few edits away that it was most likely meant.
    pub(super) likely: bool,
}

impl Nearest<'_> {
    /// The sentence that tells of it, with `shown` for the name.
    pub(super) fn sentence(&self, shown: &str) -> String {
        if self.likely { format!(" Did you mean {shown}?") } else { format!(" The nearest there is: {shown}.") }
    }
}

/// The candidate with the fewest edits from the name. Of equals the first.
pub(super) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<Nearest<'c>> {
    let letters = |name: &str| name.to_lowercase().chars().take(NAME_CHARS_MAX).collect::<Vec<char>>();
    let wanted = letters(name);
    let found = candidates.into_iter().map(|candidate| (edits(&wanted, &letters(candidate)), candidate));
    let (edits, name) = found.min_by_key(|&(edits, _)| edits)?;
    Some(Nearest { name, likely: edits <= (wanted.len() / 3).max(1) })
}

/// The candidate that a misspelt name most likely meant, if one is so near.
pub(super) fn likely<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    nearest(name, candidates).filter(|nearest| nearest.likely).map(|nearest| nearest.name)
}

/// How many letters must be put in, left out, replaced or swapped with a neighbour.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
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
            ("INQUIRY:ARIVE", ("INQUIRY:ARRIVE", true)),
            ("CUSTOMER:FNAME", ("GUEST:FNAME", false)),
        ] {
            let nearest = nearest(name, known).expect("there are some");
            assert_eq!((nearest.name, nearest.likely), expected, "{name}");
            assert_eq!(likely(name, known).is_some(), expected.1);
        }
        assert_eq!(nearest("GUEST:NAME", []), None);
    }
}
