//! The dictionary's tags, `*|GUEST:NAME|*`: their shape, and nothing of what they stand for.

/// Stand for a tag's delimiters inside an expression, where the parser must take the tag for a
/// name. Private characters, which [`super::scan`] refuses in expressions of a customer's own.
pub(crate) const TAG_OPEN: char = '\u{e000}';
pub(crate) const TAG_CLOSE: char = '\u{e001}';

/// How far apart delimiters may stand and still be taken for those of one tag.
const TAG_BYTES: usize = 64;

/// A tag in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag<'t> {
    /// Where it begins.
    pub(crate) at: usize,
    /// How long it is, with its delimiters.
    pub(crate) length: usize,
    /// `GUEST:NAME`
    pub(crate) inside: &'t str,
}

/// The tag with which a text begins.
pub(crate) fn at_start(text: &str) -> Option<Tag<'_>> {
    let rest = text.strip_prefix("*|")?;
    let entity = name(rest);
    let attribute = name(rest[entity.len()..].strip_prefix(':')?);
    let inside = &rest[..entity.len() + 1 + attribute.len()];
    let fits = !entity.is_empty() && !attribute.is_empty() && rest[inside.len()..].starts_with("|*");
    fits.then_some(Tag { at: 0, length: inside.len() + 4, inside })
}

/// The first tag in a text.
pub(crate) fn find(text: &str) -> Option<Tag<'_>> {
    memchr::memmem::find_iter(text.as_bytes(), b"*|").find_map(|at| at_start(&text[at..]).map(|tag| Tag { at, ..tag }))
}

/// The first text that has a tag's delimiters but isn't one: `*|GUEST NAME|*`.
pub(crate) fn find_misshapen(text: &str) -> Option<usize> {
    memchr::memmem::find_iter(text.as_bytes(), b"*|").find(|&at| {
        let rest = &text.as_bytes()[at + 2..];
        let near = &rest[..rest.len().min(TAG_BYTES)];
        let line = near.split(|&b| b == b'\n').next().unwrap_or(near);
        memchr::memmem::find(line, b"|*").is_some() && at_start(&text[at..]).is_none()
    })
}

/// The tag that a name in an expression stands for, `GUEST:NAME`, if it stands for one.
pub(crate) fn of_name(name: &str) -> Option<&str> {
    name.strip_prefix(TAG_OPEN)?.strip_suffix(TAG_CLOSE)?.strip_prefix('_')?.strip_suffix('_')
}

fn name(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_one_shape() {
        for (text, expected) in [
            ("*|GUEST:NAME|*", Some((0, "GUEST:NAME"))),
            ("x *|guest:f_name2|* y", Some((2, "guest:f_name2"))),
            ("*|*|A:B|*|*", Some((2, "A:B"))),
            ("*|A:B|*|C:D|*", Some((0, "A:B"))),
            ("*|A:|*", None),
            ("*|:B|*", None),
            ("*|A|*", None),
            ("*|A:B:C|*", None),
            ("*|A B:C|*", None),
            ("*|Ä:B|*", None),
            ("*|A:B", None),
            ("*|A:B|", None),
            ("*|A-x:B|*", None),
            ("", None),
        ] {
            let found = find(text).map(|tag| (tag.at, tag.inside));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn near_misses_are_seen() {
        assert_eq!(find_misshapen("a *|GUEST NAME|* b"), Some(2));
        assert_eq!(find_misshapen("*|GUEST:NAME|*"), None);
        assert_eq!(find_misshapen("2 *| 3"), None);
    }
}
