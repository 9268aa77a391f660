//! Marks of other template languages in the author's own text. They are sent as they stand, which is hardly
//! meant.

/// Where each mark begins, and what to write for it.
pub(super) fn find(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("{%") {
        if text[at..].contains("%}") {
            found.push((at, "{% … %} belongs to Liquid and Jinja, and is sent as it stands. Conditions are written {{#if x}}…{{else}}…{{/if}}, lists {{#each xs}}…{{/each}}."));
        }
    }
    for (at, _) in text.match_indices("${") {
        let name = text[at + 2..].chars().next();
        if name.is_some_and(|c| c.is_alphabetic() || c == '_') && text[at..].contains('}') {
            found.push((at, "${…} is sent as it stands. A value is written {{guest.name}}."));
        }
    }
    for (at, _) in text.match_indices("<$") {
        if text[at + 2..].starts_with(['.', '[']) && text[at..].contains('>') {
            found.push((
                at,
                "<$.…> belongs to EventBridge, and is sent as it stands. A value is written {{guest.name}}.",
            ));
        }
    }
    for (at, _) in text.match_indices("<%=") {
        found.push((
            at,
            "<%= … %> belongs to other languages, and is sent as it stands. A value is written {{guest.name}}.",
        ));
    }
    found.sort_unstable();
    found
}
