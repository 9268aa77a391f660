//! The dictionary's tags, `*|GUEST:NAME|*`: their form, but not their meaning.

/// Replace a tag's delimiters inside an expression, where the parser must read the tag as a name. Private characters,
/// which [`super::scan`] refuses in a customer's expressions.
pub(crate) const TAG_OPEN: char = '\u{e000}';
pub(crate) const TAG_CLOSE: char = '\u{e001}';

/// The greatest distance between the delimiters of one tag.
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

/// Texts with a tag's delimiters that are not tags, such as `*|GUEST NAME|*`: where each begins, and its content.
pub(crate) fn misshapen(text: &str) -> impl Iterator<Item = (usize, &str)> {
    memchr::memmem::find_iter(text.as_bytes(), b"*|").filter_map(|at| {
        let rest = &text[at + 2..];
        let near = &rest[..rest.floor_char_boundary(TAG_BYTES)];
        let line = near.split('\n').next().unwrap_or(near);
        let inside = line.split_once("|*")?.0;
        at_start(&text[at..]).is_none().then_some((at, inside))
    })
}

/// What to write for a tag of Mailchimp's that chooses between parts; its other tags name values.
pub(crate) fn foreign(inside: &str) -> Option<&'static str> {
    let word = inside.split(':').next().unwrap_or(inside).trim();
    let ends = inside.to_ascii_uppercase();
    match word.to_ascii_uppercase().as_str() {
        "IF" | "IFNOT" | "ELSE" | "ELSEIF" => {}
        "END" if ends.contains("IF") => {}
        _ => return None,
    }
    Some("Conditions like *|IF:…|* belong to Mailchimp. Write {{#if guest.email}}…{{else}}…{{/if}}.")
}

/// The tag that a name in an expression replaces, `GUEST:NAME`, if it replaces one.
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
        let seen = |text| misshapen(text).map(|(at, inside)| (at, inside.to_owned())).collect::<Vec<_>>();
        assert_eq!(seen("a *|GUEST NAME|* *|é|*"), [(2, "GUEST NAME".to_owned()), (17, "é".to_owned())]);
        assert_eq!(seen("*|GUEST:NAME|*"), []);
        assert_eq!(seen("2 *| 3"), []);
        assert_eq!(seen(&format!("*|{}", "é".repeat(100))), []);
    }
}
