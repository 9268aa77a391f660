//! Finds marks of other template languages in the author's own text. They are sent unchanged, which is probably a
//! mistake.

use super::is_value;

/// The most bytes between the begin and the end of a mark.
const MARK_BYTES_MAX: usize = 200;

/// Where each mark begins, and what to write for it.
pub(crate) fn find(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, inside) in between(text, "{%", "%}") {
        found.push((at, format!("{{% … %}} belongs to Liquid and Jinja, and is sent unchanged. {}", tag(inside))));
    }
    for (at, inside) in between(text, "${", "}") {
        if inside.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            found.push((at, format!("${{…}} is sent unchanged. A value is written {}.", value(inside))));
        }
    }
    for (at, inside) in between(text, "<$", ">") {
        if let Some(path) = inside.strip_prefix('.') {
            let path = path.strip_prefix("detail.").unwrap_or(path);
            found.push((
                at,
                format!(
                    "<$.…> belongs to EventBridge, and is sent unchanged. Paths here begin in the event's data: {}.",
                    value(path)
                ),
            ));
        }
    }
    for (at, inside) in between(text, "<%=", "%>") {
        found.push((
            at,
            format!(
                "<%= … %> belongs to other languages, and is sent unchanged. A value is written {}.",
                value(inside)
            ),
        ));
    }
    found.sort_unstable();
    found
}

/// The inside of each mark with this begin and end, on one line.
fn between<'t>(text: &'t str, begin: &'static str, end: &'static str) -> impl Iterator<Item = (usize, &'t str)> {
    memchr::memmem::find_iter(text.as_bytes(), begin).filter_map(move |at| {
        let rest = &text[at + begin.len()..];
        let near = &rest[..rest.floor_char_boundary(MARK_BYTES_MAX)];
        let inside = near.split_once(end)?.0;
        (!inside.contains(begin)).then_some((at, inside))
    })
}

fn value(inside: &str) -> String {
    let path = inside.trim();
    if is_value(path) { format!("{{{{{path}}}}}") } else { "{{guest.name}}".to_owned() }
}

/// What to write for a tag of Liquid's.
fn tag(inside: &str) -> String {
    let inside = inside.trim_matches(|c: char| c.is_whitespace() || c == '-');
    let (word, rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    let words: Vec<_> = rest.split_whitespace().collect();
    match (word, words.as_slice()) {
        ("if", [path]) if is_value(path) => format!("A condition is written {{{{#if {path}}}}}…{{{{/if}}}}."),
        ("unless", [path]) if is_value(path) => format!("It is written {{{{#unless {path}}}}}…{{{{/unless}}}}."),
        ("elsif" | "elif", [path]) if is_value(path) => format!("Another condition is written {{{{else if {path}}}}}."),
        ("else", _) => "It is written {{else}}.".to_owned(),
        ("endif", _) => "A condition ends with {{/if}}.".to_owned(),
        ("endfor", _) => "A list ends with {{/each}}.".to_owned(),
        ("endunless", _) => "It ends with {{/unless}}.".to_owned(),
        ("for", [name, "in", list]) if is_value(name) && is_value(list) => {
            format!("A list is repeated with {{{{#each {list} as |{name}|}}}}…{{{{/each}}}}.")
        }
        ("assign" | "capture" | "set", _) => {
            "Values can't be assigned to a name; write the expression where it is used.".to_owned()
        }
        _ => "Conditions are written {{#if (eq a \"x\")}}…{{else}}…{{/if}}, lists {{#each xs}}…{{/each}}.".to_owned(),
    }
}
