//! Patterns of dates (strftime's), and what is wrong with one: which directive there is not, or that it is written as in
//! other libraries (`YYYY-MM-DD`).

use std::borrow::Cow;

use jiff::fmt::strtime::{self, BrokenDownTime};

use super::super::locale::Locale;

/// The longest pattern, in bytes: each of its directives can make 255.
pub(super) const PATTERN_BYTES_MAX: usize = 200;

/// How other libraries write the parts of a date, and the directive for it. The longest of a letter first.
const WORDS: &[(&str, &str)] = &[
    ("YYYY", "%Y"),
    ("yyyy", "%Y"),
    ("YY", "%y"),
    ("yy", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%-m"),
    ("dddd", "%A"),
    ("ddd", "%a"),
    ("DD", "%d"),
    ("dd", "%d"),
    ("D", "%-d"),
    ("d", "%-d"),
    ("EEEE", "%A"),
    ("EEE", "%a"),
    ("HH", "%H"),
    ("H", "%-H"),
    ("hh", "%I"),
    ("h", "%-I"),
    ("mm", "%M"),
    ("m", "%-M"),
    ("ss", "%S"),
    ("s", "%-S"),
    ("A", "%p"),
    ("a", "%p"),
    ("T", "T"),
    ("Z", "%:z"),
];

/// What is wrong with a pattern, if anything. One without directives would be written as it is.
pub(super) fn mistake(pattern: &str) -> Option<Cow<'static, str>> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Some("A date's pattern has 200 characters at most.".into());
    }
    if !pattern.contains('%') {
        let own = foreign(pattern).map(|own| format!(" Write {own:?}.")).unwrap_or_default();
        let parts = "The parts of a date's pattern begin with %: %d is the day, %m the month, %Y the year.";
        return Some(format!("{parts}{own}").into());
    }
    if can_format(pattern) {
        return None;
    }
    let bad = directives(pattern).find(|(_, directive)| !directive.is_empty() && !can_format(directive));
    Some(match bad {
        Some((_, "%")) => "A percent sign in a date's pattern is written %%.".into(),
        Some((_, bad)) => format!(
            "A date's pattern can't hold {bad}: there are %d, %m, %B, %Y, %H, %M and those of docs/templates.md."
        )
        .into(),
        None => "This date's pattern can't be used.".into(),
    })
}

fn can_format(pattern: &str) -> bool {
    strtime::format(pattern, BrokenDownTime::from(&sample())).is_ok()
}

fn sample() -> jiff::ZonedDateTime {
    jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC)
}

/// The pattern that other libraries write with letters alone, if all its letters are known.
fn foreign(pattern: &str) -> Option<String> {
    let mut own = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if !first.is_ascii_alphabetic() {
            own.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let length = rest.find(|c| c != first).unwrap_or(rest.len());
        let (_, directive) = WORDS.iter().find(|(word, _)| *word == &rest[..length])?;
        own.push_str(directive);
        rest = &rest[length..];
    }
    (own.contains('%') && own.len() <= PATTERN_BYTES_MAX).then_some(own)
}

/// The parts of a pattern: text, and the directive after it, which is empty at the end.
fn directives(pattern: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = rest.find('%').unwrap_or(rest.len());
        let (text, directive) = rest.split_at(at);
        let letter = |c: char| !matches!(c, '%' | '-' | '_' | '^' | '#' | '0'..='9' | ':' | '.');
        let end = match directive.get(1..) {
            None => 0,
            Some(after) if after.starts_with('%') => 2,
            Some(after) => after.char_indices().find(|(_, c)| letter(*c)).map_or(1, |(at, c)| 1 + at + c.len_utf8()),
        };
        rest = &directive[end..];
        Some((text, &directive[..end]))
    })
}

/// The pattern with the names of the month and the day of the week in a locale's language.
pub(super) fn localized(pattern: &str, month: usize, weekday: usize, locale: Locale) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    for (text, directive) in directives(pattern) {
        out.push_str(text);
        let name = match NameKind::of(directive) {
            Some((NameKind::Month, short)) => locale.month(month, short),
            Some((NameKind::Weekday, short)) => locale.weekday(weekday, short),
            None => {
                out.push_str(directive);
                continue;
            }
        };
        let upper = directive.contains('^');
        out.push_str(&if upper { name.to_uppercase() } else { name.to_owned() }.replace('%', "%%"));
    }
    out
}

/// What a name in a date names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    Month,
    Weekday,
}

impl NameKind {
    /// How many there are.
    pub(super) fn count(self) -> usize {
        match self {
            Self::Month => 12,
            Self::Weekday => 7,
        }
    }

    /// What a directive names, if it is a name, and whether it is the short one.
    fn of(directive: &str) -> Option<(Self, bool)> {
        match directive.chars().next_back()? {
            'B' => Some((Self::Month, false)),
            'b' | 'h' => Some((Self::Month, true)),
            'A' => Some((Self::Weekday, false)),
            'a' => Some((Self::Weekday, true)),
            _ => None,
        }
    }
}

/// A directive for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameDirective {
    pub(super) kind: NameKind,
    pub(super) short: bool,
    /// How many full stops the pattern has right after it.
    pub(super) stops: usize,
}

/// How many full stops a text begins with.
pub(super) fn leading_stops(text: &str) -> usize {
    text.bytes().take_while(|byte| *byte == b'.').count()
}

/// The directives for names in a pattern, in order.
pub(super) fn name_directives(pattern: &str) -> impl Iterator<Item = NameDirective> {
    let mut parts = directives(pattern).peekable();
    std::iter::from_fn(move || {
        loop {
            let (_, directive) = parts.next()?;
            let Some((kind, short)) = NameKind::of(directive) else { continue };
            let after = parts.peek().map_or("", |(text, _)| text);
            return Some(NameDirective { kind, short, stops: leading_stops(after) });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_other_libraries_is_translated() {
        for (written, own) in [
            ("YYYY-MM-DD", "%Y-%m-%d"),
            ("dd/MM/yyyy HH:mm", "%d/%m/%Y %H:%M"),
            ("D MMMM YY, h:mm A", "%-d %B %y, %-I:%M %p"),
            ("YYYY-MM-DDTHH:mm:ssZ", "%Y-%m-%dT%H:%M:%S%:z"),
            ("EEE d.M.", "%a %-d.%-m."),
        ] {
            let message = mistake(written).expect("no directive");
            assert!(message.ends_with(&format!(" Write {own:?}.")), "{message}");
            assert_eq!(mistake(own), None);
        }
        for other in ["today", "YYYY-MM-ww", "--", ""] {
            assert!(mistake(other).expect("no directive").ends_with("%Y the year."), "{other}");
        }
    }

    #[test]
    fn a_directive_that_can_not_be_used_is_named() {
        for (pattern, named) in [
            ("%d %L %Y", Some("hold %L: ")),
            ("%F %3E", Some("hold %3E: ")),
            ("%H:%M%", Some("is written %%.")),
            ("100% %d", Some("hold % : ")),
            ("%é", Some("hold %é: ")),
            (&"%d".repeat(101), Some("200 characters")),
            ("%d.%m.%Y %H:%M:%S%.3f %% %:z", None),
        ] {
            let mistake = mistake(pattern);
            match named {
                Some(named) => {
                    assert!(mistake.as_deref().is_some_and(|mistake| mistake.contains(named)), "{pattern} {mistake:?}")
                }
                None => assert_eq!(mistake, None, "{pattern}"),
            }
        }
    }
}
