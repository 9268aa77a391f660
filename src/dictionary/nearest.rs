//! Finds the word that a misspelt one was meant to be. Suggests; never decides.

/// The longest word that is compared, in bytes: the work grows with the product of two lengths.
const WORD_BYTES_MAX: usize = 160;

/// The candidate that needs the fewest changed letters, whatever its case, if few enough to be
/// a slip; of equals the first.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let word = word.to_ascii_uppercase();
    // A third of the letters: past that, a suggestion puzzles more than it helps.
    let slip = (word.chars().count() / 3).max(1);
    candidates
        .filter(|candidate| candidate.len() <= WORD_BYTES_MAX)
        .map(|candidate| (distance(&word, &candidate.to_ascii_uppercase()), candidate))
        .filter(|(distance, _)| *distance <= slip)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters are put in, left out, changed, or swapped with their neighbour (optimal
/// string alignment).
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    // Three rows of the table are enough: a swap looks two rows back.
    let mut before = vec![0; other.len() + 1];
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1; other.len() + 1];
        for (j, b) in other.iter().enumerate() {
            let changed = last[j] + usize::from(a != b);
            row[j + 1] = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_nonsense_finds_none() {
        let known = ["GUEST:NAME", "GUEST:FNAME", "INQUIRY:NIGHTS", "RENTAL:NAME"];
        for (word, expected) in [
            ("GUEST:NAME", Some("GUEST:NAME")),
            ("guest:nmae", Some("GUEST:NAME")),
            ("GEUST:FNAM", Some("GUEST:FNAME")),
            ("INQUIRY:NIGHT", Some("INQUIRY:NIGHTS")),
            ("ENQUIRY:NIGHTS", Some("INQUIRY:NIGHTS")),
            ("WEATHER:TODAY", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), expected, "{word}");
        }
        assert_eq!(nearest(&"A".repeat(100_000), known.into_iter()), None);
    }

    #[test]
    fn distances_are_counted() {
        for (one, other, expected) in
            [("", "", 0), ("", "abc", 3), ("abc", "acb", 1), ("kitten", "sitting", 3), ("é", "e", 1)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }
}
