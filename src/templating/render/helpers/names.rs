//! Dates that are written with the names of months and weekdays of a language.

use super::super::locale::Locale;
use super::patterns::{NameDirective, NameKind, PATTERN_BYTES_MAX, leading_stops, name_directives};

/// The longest text in which names are looked for, in bytes: a date with a time and a zone in a script of three bytes a
/// letter.
pub(super) const DATE_BYTES_MAX: usize = 128;
/// The most words of a text that are compared with names.
const WORDS_MAX: usize = 8;
/// How many names a word is compared with: long and short ones, of the language and in English.
pub(super) const NAMES: usize = 4 * (12 + 7);

/// How many words of a text [`in_english`] compares with names.
pub(super) fn count_words(text: &str) -> usize {
    runs(text).filter(|(_, is_word)| *is_word).take(WORDS_MAX).count()
}

/// A date with a locale's names of months and weekdays in English, in which dates are read: as long or short as its
/// pattern wants them. `None` if it has none.
pub(super) fn in_english(text: &str, pattern: &str, locale: Locale) -> Option<String> {
    if text.len() > DATE_BYTES_MAX || pattern.len() > PATTERN_BYTES_MAX {
        return None;
    }
    let wanted: Vec<NameDirective> = name_directives(pattern).collect();
    let mut out = String::with_capacity(text.len() + 16);
    let (mut words, mut names) = (0, 0);
    let mut is_translated = false;
    let mut stops_after_name = None;
    for (part, is_word) in runs(text) {
        words += usize::from(is_word);
        if !is_word || words > WORDS_MAX {
            // A locale may write a short name with a full stop that the pattern doesn't have.
            let extra = stops_after_name.take().is_some_and(|stops| leading_stops(part) > stops);
            out.push_str(&part[usize::from(extra)..]);
            continue;
        }
        let word = part.to_lowercase();
        // The text has its names in the order of the pattern.
        let place = wanted.get(names);
        match find(&word, place, |kind, index, short| local_name(locale, kind, index, short)) {
            Some((kind, index)) => {
                let own = place.filter(|place| place.kind == kind);
                let directive = own.or_else(|| wanted.iter().find(|other| other.kind == kind));
                out.push_str(english_name(kind, index, directive.is_some_and(|directive| directive.short)));
                stops_after_name = Some(place.map_or(0, |place| place.stops));
                is_translated = true;
                names += 1;
            }
            None => {
                out.push_str(part);
                names += usize::from(find(&word, place, english_name).is_some());
            }
        }
    }
    is_translated.then_some(out)
}

/// The parts of a text, in order: words, and what is between them.
fn runs(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_word = rest.chars().next()?.is_alphabetic();
        let end = rest.find(|c: char| c.is_alphabetic() != is_word).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        Some((part, is_word))
    })
}

/// The month or weekday with this name, which is in lower case. In some languages one name is both: then it is what the
/// pattern has there.
fn find(
    word: &str,
    place: Option<&NameDirective>,
    name: impl Fn(NameKind, usize, bool) -> &'static str,
) -> Option<(NameKind, usize)> {
    let kinds = match place.map(|place| place.kind) {
        Some(NameKind::Weekday) => [NameKind::Weekday, NameKind::Month],
        Some(NameKind::Month) | None => [NameKind::Month, NameKind::Weekday],
    };
    kinds.into_iter().find_map(|kind| {
        let is_named = |index: &usize| [false, true].iter().any(|short| is_same(name(kind, *index, *short), word));
        (0..kind.count()).find(is_named).map(|index| (kind, index))
    })
}

fn is_same(name: &str, lower: &str) -> bool {
    name.trim_end_matches('.').chars().flat_map(char::to_lowercase).eq(lower.chars())
}

/// The name of a month or weekday, both from 0, in a language.
fn local_name(locale: Locale, kind: NameKind, index: usize, short: bool) -> &'static str {
    match kind {
        NameKind::Month => locale.month(index + 1, short),
        NameKind::Weekday => locale.weekday(index, short),
    }
}

fn english_name(kind: NameKind, index: usize, short: bool) -> &'static str {
    let name = match kind {
        NameKind::Month => MONTHS[index],
        NameKind::Weekday => WEEKDAYS[index],
    };
    if short { &name[..3] } else { name }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_pattern_has_there() {
        for (language, text, pattern, english) in [
            ("it", "mar 14 lug 2026", "%a %d %b %Y", Some("Tue 14 Jul 2026")),
            ("es", "mar 3 mar 2026", "%a %d %b %Y", Some("Tue 3 Mar 2026")),
            ("it", "3 mar 2026, MAR", "%d %B %Y, %^A", Some("3 March 2026, Tuesday")),
            // An English name is one of the pattern's names as well.
            ("it", "Tue 3 mar 2026", "%a %d %b %Y", Some("Tue 3 Mar 2026")),
            // What the pattern doesn't have there is read as before.
            ("de", "Freitag Mai", "%d", Some("Friday May")),
            ("de", "14. Aug 2026", "%d. %B %Y", Some("14. August 2026")),
            ("de", "Mai Freitag", "%A %b", Some("May Friday")),
            ("fr", "14 Brumaire 2026", "%d %B %Y", None),
            ("fr", "14 August 2026", "%d %B %Y", None),
            ("de", "", "%B", None),
        ] {
            let locale = Locale::find(language).expect(language);
            assert_eq!(in_english(text, pattern, locale).as_deref(), english, "{text}");
        }
    }

    #[test]
    fn a_full_stop_is_kept_where_the_pattern_has_it() {
        for (language, text, pattern, english) in [
            ("de", "14.Okt.2026", "%d.%b.%Y", "14.Oct.2026"),
            ("de", "14. Okt. 2026", "%d. %b %Y", "14. Oct 2026"),
            ("fr", "ven. 14.août.2026", "%a %d.%b.%Y", "Fri 14.Aug.2026"),
            ("nb", "14. aug.. 2026", "%d. %b. %Y", "14. Aug. 2026"),
            ("de", "2026 Okt.", "%Y %b.", "2026 Oct."),
            ("de", "2026 Okt.", "%Y %b", "2026 Oct"),
        ] {
            let locale = Locale::find(language).expect(language);
            assert_eq!(in_english(text, pattern, locale).as_deref(), Some(english), "{text}");
        }
    }

    #[test]
    fn no_more_words_are_compared_than_a_date_has() {
        let german = Locale::find("de").expect("German");
        let words = |count: usize| "x ".repeat(count) + "Mai";
        assert_eq!(in_english(&words(7), "%B", german), Some("x ".repeat(7) + "May"));
        assert_eq!(in_english(&words(8), "%B", german), None);
        assert_eq!([0, 7, 8, 60].map(|count| count_words(&words(count))), [1, 8, 8, 8]);
        assert_eq!(in_english(&format!("{:<128}", "Mai"), "%B", german).map(|text| text.len()), Some(128));
        assert_eq!(in_english(&format!("{:<129}", "Mai"), "%B", german), None);
        assert_eq!(in_english("Mai", &"%B".repeat(101), german), None);
    }
}
