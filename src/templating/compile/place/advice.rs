//! The advice for a mistake with a comma. It differs in a loop, beside an optional part, and in plain text. Messages name
//! only what is in the template.

use crate::templating::compile::tags::{TAG_CLOSE, TAG_OPEN};

/// The surroundings of a mistake.
#[derive(Debug, Clone, Copy)]
pub(super) struct MistakeContext<'c> {
    pub(super) source: &'c str,
    /// Where it was detected.
    pub(super) here: Surroundings,
    /// The last key, value or comma before it.
    pub(super) mark: Surroundings,
    /// Whether a part between the two was skipped.
    pub(super) passed: bool,
}

/// A byte of the body, and the innermost blocks around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Surroundings {
    pub(super) at: usize,
    /// The `each`.
    pub(super) each: Option<usize>,
    /// The `if` or `unless`.
    pub(super) branch: Option<usize>,
}

const PARTS: &str = "put all parts into {{#parts separator=\",\"}}…{{/parts}}, without commas between them";

/// The message for a mistake with a comma.
pub(super) fn comma(code: &str, context: &MistakeContext<'_>) -> Option<String> {
    match code {
        "json_missing_comma" => Some(missing(context)),
        "json_trailing_comma" => Some(trailing(context)),
        "json_comma" => Some(surplus(context)),
        _ => None,
    }
}

fn missing(context: &MistakeContext<'_>) -> String {
    let MistakeContext { here, mark, .. } = context;
    // What precedes it on the path follows it in the text: the end of one element meets the begin of the next.
    let next_element = mark.at >= here.at;
    match (here.each, mark.branch, here.branch) {
        (Some(each), ..) if next_element => {
            format!(
                "A comma is missing between the elements of this list. Write {}: it puts a comma between all parts \
                that are not blank.",
                separated(context.source, each)
            )
        }
        (Some(each), ..) if mark.each != here.each && is_second_value(context) => format!(
            "Each element of this list writes a value here, where only one value is allowed. Put [ before the list and \
            ] after it, and write {}.",
            separated(context.source, each)
        ),
        (.., Some(_)) if is_second_value(context) => {
            "If both blocks are written, there are two values here. Make them \
            one block: {{#if …}}…{{else if …}}…{{else}}null{{/if}}."
                .to_owned()
        }
        (_, Some(before), Some(own)) if before != own => format!(
            "If the block before this is also written, a comma is missing between them. If only one of the two is ever \
            written, make them one block: {{{{#if …}}}}…{{{{else if …}}}}…{{{{/if}}}}. If both may be written, {PARTS}."
        ),
        (_, Some(_), _) | (_, _, Some(_)) => {
            format!("A comma is missing before this. Put the comma inside the conditional part; or {PARTS}.")
        }
        _ => "A comma is missing before this: write one between the two.".to_owned(),
    }
}

/// Whether the text at the mistake is a second value of a member, and not the key of the next member.
fn is_second_value(context: &MistakeContext<'_>) -> bool {
    let MistakeContext { source, here, mark, .. } = context;
    let behind_colon = source.as_bytes().get(mark.at) == Some(&b':');
    behind_colon && !source.get(here.at..).is_some_and(begins_with_key)
}

/// Whether a text begins with a JSON string, which may contain expressions, and a colon.
fn begins_with_key(text: &str) -> bool {
    let Some(mut rest) = text.strip_prefix('"') else { return false };
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '"' => return rest[1..].trim_start().starts_with(':'),
            '\\' => rest.get(2..).unwrap_or(""),
            '{' if rest.starts_with("{{") => rest.find("}}").map_or("", |end| &rest[end..]),
            c => &rest[c.len_utf8()..],
        };
    }
    false
}

fn trailing(context: &MistakeContext<'_>) -> String {
    let MistakeContext { here, mark, passed, .. } = context;
    match mark.each {
        Some(each) if mark.each != here.each => format!(
            "Nothing follows this comma after the last element. Remove it, and write {}: it puts a comma between all \
            parts that are not blank.",
            separated(context.source, each)
        ),
        _ if *passed || mark.branch != here.branch => {
            format!("For some data nothing follows this comma. Put it inside the conditional part; or {PARTS}.")
        }
        _ => "Remove this comma: nothing follows it.".to_owned(),
    }
}

fn surplus(context: &MistakeContext<'_>) -> String {
    let MistakeContext { here, passed, .. } = context;
    match here.each {
        Some(each) => {
            let separated = separated(context.source, each);
            format!(
                "For some data nothing precedes this comma, because not every element writes a part. Remove it and \
                write {separated}: it puts a comma between all parts that are not blank. Or filter the list first: \
                {{{{#each (where list \"field\" value) separator=\",\"}}}}."
            )
        }
        None if *passed => {
            format!("For some data nothing precedes this comma. Put it inside the conditional part; or {PARTS}.")
        }
        None => "This comma is superfluous: remove it.".to_owned(),
    }
}

/// The beginning of the loop with a separator, as its author should write it.
fn separated(source: &str, each: usize) -> String {
    const ANY: &str = "{{#each … separator=\",\"}}";
    let Some(begin) = source[each..].split_inclusive("}}").next() else { return ANY.to_owned() };
    let inside = begin.trim_end_matches(['}', '~']);
    if begin.contains([TAG_OPEN, TAG_CLOSE, '\n']) || begin.len() > 100 || begin.contains("separator") {
        return ANY.to_owned();
    }
    let (list, names) = match inside.split_once(" as |") {
        Some((list, names)) => (list, format!(" as |{names}")),
        None => (inside, String::new()),
    };
    format!("{} separator=\",\"{names}}}}}", list.trim_end())
}
