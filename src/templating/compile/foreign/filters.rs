//! Filters after a value, `{{x | upcase}}`, as in Liquid and Jinja.

use super::{REPEATED_BYTES_MAX, is_value, names};
use crate::templating::render::helpers;

const BELONGS: &str = "Filters after | belong to Liquid and Jinja.";
const GENERAL: &str = "Here a helper is written before its value: {{upper guest.name}}.";

/// What to write for an expression with filters.
pub(super) fn explain(block: &str, text: &str) -> String {
    let mut parts = split(text, '|').into_iter();
    let value = parts.next().unwrap_or("").trim();
    let filters: Vec<_> = parts.map(Filter::of).collect();
    if let ([only], true, "") = (filters.as_slice(), is_value(value), block) {
        match only.name.to_ascii_lowercase().as_str() {
            "raw" | "safe" => {
                return format!("{BELONGS} Write {{{{{value}}}}} alone: values are escaped for the format.");
            }
            name if names::helper(name).unwrap_or(name) == "json" => {
                return format!(
                    "{BELONGS} Here {{{{{value}}}}} alone is written as JSON at the position of a JSON value; in text, \
                    write {{{{json {value}}}}}."
                );
            }
            _ => {}
        }
    }
    match translated(value, &filters).filter(|text| text.len() <= REPEATED_BYTES_MAX) {
        Some(call) if block.is_empty() => {
            format!("{BELONGS} Here a helper is written before its value: {{{{{call}}}}}.")
        }
        Some(call) => format!("{BELONGS} Here a helper is written before its value: {{{{{block} ({call})}}}}."),
        None => format!("{BELONGS} {GENERAL}"),
    }
}

/// The filters as nested helpers, without the outermost parentheses.
fn translated(value: &str, filters: &[Filter<'_>]) -> Option<String> {
    let mut inner = is_value(value).then(|| value.to_owned())?;
    for (i, filter) in filters.iter().enumerate() {
        let within = if i == 0 { inner } else { format!("({inner})") };
        inner = filter.call(&within)?;
    }
    Some(inner)
}

struct Filter<'t> {
    name: &'t str,
    arguments: Vec<&'t str>,
}

impl<'t> Filter<'t> {
    /// `name`, `name: a, b` or `name(a, b)`.
    fn of(text: &'t str) -> Self {
        let text = text.trim();
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let rest = rest.trim();
        let inside = match rest.strip_prefix('(') {
            Some(inside) => inside.strip_suffix(')').unwrap_or(inside),
            None => rest.strip_prefix(':').unwrap_or(rest),
        };
        let arguments = split(inside, ',').into_iter().map(str::trim).filter(|text| !text.is_empty()).collect();
        Self { name, arguments }
    }

    fn call(&self, value: &str) -> Option<String> {
        let name = match self.name {
            // Without a replacement, the text is removed.
            "remove" if self.arguments.len() == 1 => {
                return is_value(self.arguments[0]).then(|| format!("replace {value} {} \"\"", self.arguments[0]));
            }
            name if helpers::find(name).is_some() => name,
            name => names::helper(name)?,
        };
        let (_, helper) = helpers::find(name)?;
        let mut call = format!("{name} {value}");
        for (i, argument) in self.arguments.iter().enumerate() {
            if !is_value(argument) {
                return None;
            }
            let option = if name == "truncate" && i == 1 { "end=" } else { "" };
            call.push_str(&format!(" {option}{argument}"));
        }
        let values = 1 + self.arguments.len() - usize::from(name == "truncate" && self.arguments.len() > 1);
        let (least, most) = helper.values;
        (least..=most).contains(&values).then_some(call)
    }
}

/// The parts of a text between separators that are outside quotes.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut quote = None;
    text.split(|c: char| match quote {
        Some(open) => {
            if c == open {
                quote = None;
            }
            false
        }
        None if matches!(c, '"' | '\'') => {
            quote = Some(c);
            false
        }
        None => c == separator,
    })
    .collect()
}
