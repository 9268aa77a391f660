//! Finds placeholders of other template languages that could also be honest text, such as `%name%` or `[[name]]`. They are
//! taken for placeholders only where their inside names a value that events carry.

use super::marks::Mark;

/// The longest name in a placeholder, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Begins and ends; one that begins like another stands before it.
const SHAPES: [(&str, &str); 16] = [
    ("*|", "|"),
    ("*|", "*"),
    ("|", "|*"),
    ("|", "|"),
    ("[[", "]]"),
    ("<<", ">>"),
    ("%%", "%%"),
    ("@{", "}"),
    ("#{", "}"),
    ("%{", "}"),
    ("%(", ")s"),
    ("$(", ")"),
    ("{", "}"),
    ("[", "]"),
    ("%", "%"),
    ("$", ""),
];

/// All placeholders of a text, in order. `known` returns the path of the value that a name means.
pub(crate) fn find(text: &str, known: impl Fn(&str) -> Option<String>) -> Vec<Mark> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find(['[', '<', '%', '@', '#', '$', '{', '*', '|']).map(|at| from + at) {
        from = at + 1;
        let Some((shape, name, length)) = placeholder(&text[at..]) else { continue };
        // `${` is a mark of its own, and `[name]` and `$name` are common in honest text.
        let is_weak = matches!(shape.0, "[" | "$" | "|" | "*|") && !name.contains(['.', ':']);
        // A selection of GraphQL: `item(id: 1) { name }`.
        let is_selection = shape.0 == "{"
            && !name.contains(['.', ':'])
            && (text[from..].starts_with(' ') || text[..at].trim_end().ends_with(')'));
        let is_tag = matches!(shape, ("*|", "|")) && text[at + length..].starts_with('*');
        let is_inner = is_tag || text[..at].ends_with(['{', '$', '*']);
        let Some(path) = known(name).filter(|_| !is_weak && !is_selection && !is_inner) else { continue };
        let message = format!("{}…{} means nothing here. A value is written {{{{{path}}}}}.", shape.0, shape.1);
        found.push(Mark::new(at..at + length, message));
        from = at + length;
    }
    found
}

/// The placeholder with which a text begins: its shape, its name and its length.
fn placeholder(text: &str) -> Option<((&'static str, &'static str), &str, usize)> {
    SHAPES.into_iter().find_map(|shape| in_shape(text, shape))
}

fn in_shape<'t>(
    text: &'t str,
    shape: (&'static str, &'static str),
) -> Option<((&'static str, &'static str), &'t str, usize)> {
    let (begin, end) = shape;
    let padded = text.strip_prefix(begin)?;
    let rest = if begin == "%" || end.is_empty() { padded } else { padded.trim_start_matches(' ') };
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let length = rest.find(|c| !letter(c)).unwrap_or(rest.len());
    let name = if end.is_empty() { rest[..length].trim_end_matches(['.', ':', '-']) } else { &rest[..length] };
    let behind = &rest[name.len()..];
    let behind = if begin == "%" || end.is_empty() { behind } else { behind.trim_start_matches(' ') };
    let after = behind.strip_prefix(end)?;
    (!name.is_empty() && name.len() <= NAME_BYTES_MAX).then_some((shape, name, text.len() - after.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Option<String> {
        match name {
            "guest.name" | "name" | "GUEST:NAME" => Some("guest.name".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn every_shape_around_a_known_name_is_found() {
        for placeholder in [
            "[[name]]",
            "[[ guest.name ]]",
            "<<name>>",
            "%%name%%",
            "%name%",
            "%guest.name%",
            "@{name}",
            "#{name}",
            "%{name}",
            "%(name)s",
            "$(name)",
            "{name}",
            "{ GUEST:NAME }",
            "[guest.name]",
            "$guest.name",
            "*|GUEST:NAME|",
            "*|GUEST:NAME*",
            "|GUEST:NAME|*",
            "|GUEST:NAME|",
        ] {
            let body = format!("é {placeholder}. {{x}}");
            let found = find(&body, known);
            let [mark] = found.as_slice() else { panic!("{placeholder}: {found:?}") };
            assert_eq!(&body[mark.at..mark.at + mark.length], placeholder);
            assert!(mark.message.ends_with("A value is written {{guest.name}}."), "{}", mark.message);
        }
        assert_eq!(find("%name% {name}, [[name]]", known).len(), 3);
    }

    #[test]
    fn honest_text_is_left_alone() {
        for text in [
            "100%",
            "100% name%",
            "50 % name %",
            "a{color}",
            "a{name:red}",
            "[name]",
            "$name",
            "$5",
            "{name",
            "{{name}}",
            "${name}",
            "[[]]",
            "%%",
            "<name>",
            "|name|",
            "*|GUEST:NAME|*",
            "a*|GUEST:NAME|*b",
            "[[other]]",
            "name@{",
            "\\{name",
            "{ \"name\": 1 }",
            "[ [name] ]",
            "mutation { create(x: 1) { name } }",
            "create(x: 1){name}",
        ] {
            assert_eq!(find(text, known), [], "{text}");
        }
        // Each begin costs no more than a short look.
        for many in ["{", "%", "[", "%a", "{a", "[[ "] {
            assert_eq!(find(&many.repeat(20_000), known), []);
        }
    }
}
