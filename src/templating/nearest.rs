//! The known name that a misspelt one most likely meant.

/// Names longer than this are not compared: nobody misspells those.
const NAME_CHARS_MAX: usize = 80;

/// The candidate with the fewest edits from the name, if they are few for its length. Of equals
/// the first.
pub(super) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let name: Vec<char> = name.to_lowercase().chars().collect();
    if name.len() > NAME_CHARS_MAX {
        return None;
    }
    let edits_max = (name.len() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let other: Vec<char> = candidate.to_lowercase().chars().collect();
            let near = other.len() <= NAME_CHARS_MAX && name.len().abs_diff(other.len()) <= edits_max;
            let edits = if near { edits(&name, &other) } else { usize::MAX };
            (edits, candidate)
        })
        .filter(|&(edits, _)| edits <= edits_max)
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, candidate)| candidate)
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
            ("GUEST:NMAE", Some("GUEST:NAME")),
            ("guest:nam", Some("GUEST:NAME")),
            ("INQUIRY:ARIVE", Some("INQUIRY:ARRIVE")),
            ("WEATHER:TODAY", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
