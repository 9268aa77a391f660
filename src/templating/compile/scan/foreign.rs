//! Habits of other template languages, and what to write here.

/// What to write for an expression that belongs to another language, if one begins here.
pub(super) fn expression(inside: &str) -> Option<String> {
    let inside = inside.trim_start_matches(super::is_space_or_tilde);
    let end = inside.find("}}").unwrap_or(inside.len());
    let inside = inside[..end].trim_end_matches(super::is_space_or_tilde);
    let mut after_dot = inside.strip_prefix('.')?.chars();
    if !after_dot.next().is_some_and(|c| c.is_alphabetic() || c == '_') {
        return None;
    }
    let path = &inside[1..];
    let path = path.split(char::is_whitespace).next().unwrap_or(path);
    Some(format!("A dot before a name is how Go writes templates. Here it is left out: {{{{{path}}}}}."))
}

/// What to write for a filter: `before | after`.
pub(super) fn filter(before: &str, after: &str) -> String {
    let value = before.trim().trim_start_matches(['#', '~']).trim();
    let after = after.trim_start();
    let end = after.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(after.len());
    let name = &after[..end];
    let helper = match name.to_ascii_lowercase().as_str() {
        "upcase" | "uppercase" | "upper" => "upper",
        "downcase" | "lowercase" | "lower" => "lower",
        "strip" | "trim" => "trim",
        "size" | "length" | "count" => "length",
        "escape" | "e" | "escape_html" => "html",
        "urlencode" | "url_encode" | "url_escape" => "url_encode",
        "uniq" | "unique" => "unique",
        "plus" => "add",
        "minus" => "subtract",
        "times" => "multiply",
        "divided_by" => "divide",
        "map" => "pluck",
        "slice" => "slice",
        "titlecase" | "title" => "title",
        "base64_encode" | "b64encode" | "base64" => "base64",
        "date" | "strftime" => "date",
        "default" | "truncate" | "replace" | "join" | "split" | "first" | "last" | "sort" | "reverse" | "sum"
        | "where" | "round" | "floor" | "ceil" | "abs" | "capitalize" | "number" | "money" | "md5" | "sha256" => name,
        "json" | "tojson" | "to_json" | "jsonify" | "dump" => {
            return format!("Filters after | belong to Liquid and Jinja. Here {{{{{value}}}}} alone is written as JSON where a JSON value stands; in text, write {{{{json {value}}}}}.");
        }
        "raw" | "safe" => return format!("Filters after | belong to Liquid and Jinja. Write {{{{{value}}}}} alone: values are escaped for the format."),
        _ => return "Filters after | belong to Liquid and Jinja. Here a helper stands before its value: {{upper guest.name}}.".to_owned(),
    };
    format!(
        "Filters after | belong to Liquid and Jinja. Here a helper stands before its value: {{{{{helper} {value}}}}}."
    )
}
