//! The dictionary's tags, `*|GUEST:NAME|*`: their form, but not their meaning.

use super::tag_lookup::TagLookup;
use crate::json::LookAlike;

/// The shape of a tag, for the warning.
const SHAPE: &str = "This looks like a tag but stays as it is: a tag is an entity, a colon and an attribute of letters, digits and _, as in *|GUEST:NAME|*.";

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

/// Begins of expressions and tags in characters that look like theirs.
const LOOK_ALIKE_BEGINS: [(&str, &str); 3] = [("\u{ff5b}\u{ff5b}", "{{"), ("*\u{ff5c}", "*|"), ("\u{ff0a}|", "*|")];

/// Texts that look like the begin of an expression or a tag: where each stands, and what to write.
pub(crate) fn look_alikes(text: &str) -> impl Iterator<Item = (usize, &'static str)> {
    LOOK_ALIKE_BEGINS.into_iter().flat_map(move |(found, written)| {
        memchr::memmem::find_iter(text.as_bytes(), found).map(move |at| (at, written)).collect::<Vec<_>>()
    })
}

/// The warning about a misshapen tag, and the tag that is probably meant.
pub(crate) fn misshapen_warning(inside: &str, lookup: &dyn TagLookup) -> (String, Option<String>) {
    if let Some(message) = foreign(inside) {
        return (message.to_owned(), None);
    }
    let found = inside.chars().find_map(LookAlike::of).map(|found| format!(" It holds {}.", found.name()));
    let meant = meant(inside, lookup).map(|tag| format!("*|{tag}|*"));
    let hint = meant.as_ref().map(|tag| format!(" Did you mean {tag}?")).unwrap_or_default();
    (format!("{SHAPE}{}{hint}", found.unwrap_or_default()), meant)
}

/// The tag that is meant by the inside of a misshapen one: of this attribute (`FNAME` of Mailchimp's), or of this entity
/// and attribute with another sign between them.
fn meant(inside: &str, lookup: &dyn TagLookup) -> Option<String> {
    let words: Vec<&str> = inside.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if let [attribute] = words.as_slice() {
        let is_it = |tag: &String| tag.split_once(':').is_some_and(|(_, own)| own.eq_ignore_ascii_case(attribute));
        return lookup.tags().into_iter().find(is_it);
    }
    let (entity, attribute) = words.split_first()?;
    let wanted = format!("{entity}:{}", attribute.join("_"));
    let known = lookup.tags().into_iter().find(|tag| tag.eq_ignore_ascii_case(&wanted));
    known.or_else(|| lookup.tag_meant(entity, &attribute.join("_")))
}

/// The tag that a name in an expression replaces, `GUEST:NAME`, if it replaces one.
pub(crate) fn of_name(name: &str) -> Option<&str> {
    name.strip_prefix(TAG_OPEN)?.strip_suffix(TAG_CLOSE)?.strip_prefix('_')?.strip_suffix('_')
}

/// A text of an expression with its tags as the parser has them.
pub(crate) fn as_names(text: &str) -> String {
    let mut names = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(tag) = find(rest) {
        names.push_str(&rest[..tag.at]);
        names.push_str(&format!("{TAG_OPEN}_{}_{TAG_CLOSE}", tag.inside));
        rest = &rest[tag.at + tag.length..];
    }
    names + rest
}

/// A message with the tags in it as their author writes them.
pub(crate) fn as_written(message: String) -> String {
    if !message.contains(TAG_OPEN) {
        return message;
    }
    message.replace(&format!("{TAG_OPEN}_"), "*|").replace(&format!("_{TAG_CLOSE}"), "|*")
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
