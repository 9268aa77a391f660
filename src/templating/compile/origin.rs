//! The position in the body of each piece of the template's text. The parser returns texts trimmed and without the
//! backslashes of escaped braces; findings must have the position that the author sees.

/// The origins of all texts of a template, by their ids.
#[derive(Debug)]
pub(crate) struct Origins<'s> {
    source: &'s str,
    texts: Vec<Origin>,
}

/// One text's origin.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// The offset between a byte's position in the text and in the body is constant.
    Straight(isize),
    /// The position of each byte.
    Table(Vec<usize>),
}

impl Origin {
    /// The origin of the part of a text that begins at `start` and has this length.
    pub(crate) fn part(&self, start: usize, length: usize) -> Self {
        match self {
            Self::Straight(shift) => Self::Straight(shift.saturating_add_unsigned(start)),
            Self::Table(table) => Self::Table(table.iter().skip(start).take(length).copied().collect()),
        }
    }

    /// The position in the body of a byte of the text.
    pub(crate) fn offset(&self, byte: usize) -> usize {
        match self {
            Self::Straight(shift) => shift.saturating_add_unsigned(byte).unsigned_abs(),
            Self::Table(table) => {
                let beyond = || table.last().map_or(0, |last| last + 1);
                table.get(byte).copied().unwrap_or_else(beyond)
            }
        }
    }
}

impl<'s> Origins<'s> {
    pub(crate) fn of(source: &'s str) -> Self {
        Self { source, texts: Vec::new() }
    }

    pub(crate) fn source(&self) -> &'s str {
        self.source
    }

    /// Keeps a text's origin and gives the text its id.
    pub(crate) fn add(&mut self, origin: Origin) -> usize {
        self.texts.push(origin);
        self.texts.len() - 1
    }

    /// Whether a text follows directly on the first bytes of another.
    pub(crate) fn continues(&self, text: usize, length: usize, after: &Origin) -> bool {
        match (&self.texts[text], after) {
            (Origin::Straight(before), Origin::Straight(after)) => before.saturating_add_unsigned(length) == *after,
            _ => false,
        }
    }

    /// The position in the body of a byte of a text.
    pub(crate) fn offset(&self, text: usize, byte: usize) -> usize {
        self.texts[text].offset(byte)
    }

    /// Finds a text in the body. The parser returns where its first character other than white space is or, for a text
    /// of white space only, where it ends.
    pub(crate) fn find(&self, text: &str, reported: usize) -> Origin {
        let begin = text.trim_start_matches(is_blank);
        if begin.is_empty() {
            let before = &self.source[..reported];
            let run = before.trim_end_matches(is_blank).len();
            let start = if before.ends_with(text) { reported - text.len() } else { run };
            return Origin::Straight(start.cast_signed());
        }
        let lead = text.len() - begin.len();
        let source = &self.source[reported..];
        let skipped =
            if source.chars().next() == begin.chars().next() { 0 } else { source.len() - source.trim_start().len() };
        if source[skipped..].starts_with(begin) {
            return Origin::Straight((reported + skipped).cast_signed() - lead.cast_signed());
        }
        Origin::Table(self.align(begin, lead, reported + skipped))
    }

    /// Aligns both, if the body has backslashes that the text does not have.
    fn align(&self, begin: &str, lead: usize, start: usize) -> Vec<usize> {
        let source = self.source.as_bytes();
        let mut table: Vec<usize> = (0..lead).map(|i| (start + i).saturating_sub(lead)).collect();
        let mut at = start;
        for &byte in begin.as_bytes() {
            if byte != b'\\' && source.get(at) == Some(&b'\\') {
                at += 1;
            }
            table.push(at.min(source.len()));
            at += 1;
        }
        table
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_again() {
        for (source, text, reported, byte, expected) in [
            ("{{x}}  abc", "  abc", 7, 0, 5),
            ("{{x}}  abc", "  abc", 7, 2, 7),
            ("{{x~}}  abc", "abc", 8, 2, 10),
            ("{{x}} \n {{y}}", " \n ", 8, 1, 6),
            ("{{x}}\n  {{#if y}}", "\n", 8, 0, 5),
            ("a\\{{b}}c", "a{{b}}c", 0, 1, 2),
            ("a\\{{b}}c", "a{{b}}c", 0, 6, 7),
            ("{{x~}}\u{a0}abc", "abc", 6, 0, 8),
        ] {
            let origins = Origins::of(source);
            assert_eq!(origins.find(text, reported).offset(byte), expected, "{source}");
        }
    }
}
