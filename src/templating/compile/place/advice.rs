//! The advice for a mistake with a comma. It differs in a loop, beside an optional part, and in plain text. Messages name
//! only what is in the template.

/// The surroundings of a mistake.
#[derive(Debug, Clone, Copy)]
pub(super) struct MistakeContext<'c> {
    pub(super) source: &'c str,
    /// Where it was detected.
    pub(super) here: Surroundings,
    /// The last key, value or comma before it.
    pub(super) mark: Surroundings,
    /// The blocks between the two that were skipped.
    pub(super) passed: Option<SkippedBlocks>,
    /// Whether it is a second value where only one is allowed.
    pub(super) second_value: bool,
}

/// Blocks that were skipped one after the other: where the first and the last begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SkippedBlocks {
    pub(super) first: usize,
    pub(super) last: usize,
}

impl SkippedBlocks {
    /// Those before, and this one.
    pub(super) fn and(before: Option<Self>, at: usize) -> Self {
        Self { first: before.map_or(at, |before| before.first), last: at }
    }
}

/// The mistakes whose fix depends on the blocks around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CorrectableMistake {
    CommaMissing,
    CommaTrailing,
    CommaSurplus,
    AfterEnd,
    ValueMissing,
}

impl CorrectableMistake {
    pub(super) fn of(code: &str) -> Option<Self> {
        Some(match code {
            "json_missing_comma" => Self::CommaMissing,
            "json_trailing_comma" => Self::CommaTrailing,
            "json_comma" => Self::CommaSurplus,
            "json_after_end" => Self::AfterEnd,
            "json_value_missing" => Self::ValueMissing,
            _ => return None,
        })
    }
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

/// The kind of a separator, as far as advice depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    Comma,
    Other,
}

impl Separator {
    pub(super) fn of(text: &str) -> Self {
        if text.trim() == "," { Self::Comma } else { Self::Other }
    }
}

/// Whether the last mark is a comma.
pub(super) fn ends_with_comma(source: &str, mark: usize) -> bool {
    source.as_bytes().get(mark) == Some(&b',')
}

/// The message where a separator can't stand between two parts.
pub(super) fn separating(code: &str, separator: Separator, context: &MistakeContext<'_>) -> &'static str {
    match (code, separator) {
        ("json_comma", _) if ends_with_comma(context.source, context.mark.at) => {
            "The separator puts a comma between the parts, and the part before it ends with one as well. Remove the comma at the end of the part."
        }
        ("json_after_end", _) => {
            "A JSON body is one value, and here each part is one. Put [ before the block and ] behind it."
        }
        ("json_control", _) => {
            "In a JSON string a line break is written \\n, and the separator is part of the string: separator=\"\\\\n\"."
        }
        (code, Separator::Other) if code.starts_with("json_") => {
            "Between the elements and members of JSON the separator is a comma: separator=\",\"."
        }
        _ => {
            "The separator is not allowed between two parts here. In {{#each}} each element is a part. In {{#parts}} each block directly inside is a part, and so is the text between two blocks. Put a key and its value into one part."
        }
    }
}

const PARTS: &str = "put all parts into {{#parts separator=\",\"}}…{{/parts}}, without commas between them";

const ONE_BLOCK: &str = "one block: {{#if …}}…{{else if …}}…{{else}}null{{/if}}";

/// The message for a mistake, if the blocks around it determine the fix.
pub(super) fn advice(mistake: CorrectableMistake, context: &MistakeContext<'_>) -> Option<String> {
    match mistake {
        CorrectableMistake::CommaMissing => second_value(context).or_else(|| Some(missing(context))),
        CorrectableMistake::CommaTrailing => Some(trailing(context)),
        CorrectableMistake::CommaSurplus => Some(surplus(context)),
        CorrectableMistake::AfterEnd => second_value(context),
        CorrectableMistake::ValueMissing => value_missing(context),
    }
}

/// Two values where one is allowed, because a list or more than one block writes them.
fn second_value(context: &MistakeContext<'_>) -> Option<String> {
    let MistakeContext { here, mark, .. } = context;
    if !context.second_value {
        return None;
    }
    if let Some(each) = here.each.filter(|_| mark.at >= here.at || mark.each != here.each) {
        return Some(format!(
            "Each element of this list writes a value here, where only one value is allowed. Put [ before the list and \
            ] after it, and write {}.",
            separated(context.source, each)
        ));
    }
    here.branch?;
    Some(format!("If both blocks are written, there are two values here. Make them {ONE_BLOCK}."))
}

/// What to add where a key's place has what may be the next element of a list without brackets.
pub(super) fn in_a_list(code: &str, context: &MistakeContext<'_>) -> Option<String> {
    let each = context.here.each.filter(|_| matches!(code, "json_key" | "json_key_unquoted" | "json_colon"))?;
    let separated = separated(context.source, each);
    Some(format!(" If these are the elements of a list, put [ before it and ] after it, and write {separated}."))
}

/// No value, because each of several blocks was skipped.
fn value_missing(context: &MistakeContext<'_>) -> Option<String> {
    let passed = context.passed?;
    let all_conditions = !is_each(context.source, passed.first) && !is_each(context.source, passed.last);
    (passed.first != passed.last && all_conditions)
        .then(|| format!("If none of these blocks is written, a value is missing here. Make them {ONE_BLOCK}."))
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
        (_, Some(before), Some(own)) if before != own => format!(
            "If the block before this is also written, a comma is missing between them. If only one of the two is ever \
            written, make them one block: {{{{#if …}}}}…{{{{else if …}}}}…{{{{/if}}}}. If both may be written, {PARTS}."
        ),
        (_, Some(_), _) | (_, _, Some(_)) => {
            format!("A comma is missing before this. Put the comma inside the conditional part; or {PARTS}.")
        }
        _ if context.source[..here.at].ends_with('"') && !context.source[here.at..].starts_with('"') => {
            "The text before this ends at the quote. If the quote belongs to the text, write \\\"; otherwise write a comma \
            between the two."
                .to_owned()
        }
        _ => "A comma is missing before this: write one between the two.".to_owned(),
    }
}

/// The longest key that is recognized.
const KEY_BYTES_MAX: usize = 500;

/// Whether a text begins with a JSON string, which may contain expressions, and a colon.
pub(super) fn begins_with_key(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('"') else { return false };
    let mut rest = &rest[..rest.floor_char_boundary(KEY_BYTES_MAX)];
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
        _ if passed.is_some_and(|passed| is_each(context.source, passed.last)) => format!(
            "Nothing follows this comma if the list is empty. Remove it, and begin each element's part with a comma, without separator=; or {PARTS}."
        ),
        // The comma is at the end of a conditional part.
        _ if mark.branch.is_some() && mark.branch != here.branch => {
            format!("For some data nothing follows this comma. Instead, {PARTS}.")
        }
        _ if passed.is_some() => {
            format!("For some data nothing follows this comma. Put it inside the conditional part; or {PARTS}.")
        }
        _ => "Remove this comma: nothing follows it.".to_owned(),
    }
}

fn surplus(context: &MistakeContext<'_>) -> String {
    let MistakeContext { here, mark, passed, .. } = context;
    match here.each {
        Some(each) if has_separator(context.source, each) && mark.at == each => "The list's separator puts a comma here already. Where a value stands before the list, remove separator= and keep this comma; otherwise remove this comma.".to_owned(),
        Some(each) if has_separator(context.source, each) => {
            "Remove this comma: the list's separator stands between the parts.".to_owned()
        }
        Some(each) => {
            let separated = separated(context.source, each);
            format!(
                "For some data nothing precedes this comma, because not every element writes a part. Remove it and \
                write {separated}: it puts a comma between all parts that are not blank. Or filter the list first: \
                {{{{#each (where list \"field\" value) separator=\",\"}}}}."
            )
        }
        None if passed.is_some_and(|passed| is_each(context.source, passed.last)) => format!(
            "Nothing precedes this comma if the list is empty. Remove it, and end each element's part with a comma, without separator=; or {PARTS}."
        ),
        None if passed.is_some() && here.branch.is_some() => {
            format!("For some data nothing precedes this comma. Instead, {PARTS}.")
        }
        None if passed.is_some() => {
            format!(
                "For some data nothing precedes this comma. Put it inside the conditional part; or {PARTS}."
            )
        }
        None => "This comma is superfluous: remove it.".to_owned(),
    }
}

/// The beginning of a block.
fn begin(source: &str, at: usize) -> &str {
    source.get(at..).and_then(|block| block.split_inclusive("}}").next()).unwrap_or("")
}

/// Whether the block at this byte is a list's.
fn is_each(source: &str, at: usize) -> bool {
    begin(source, at).trim_start_matches(['{', '~']).starts_with("#each")
}

fn has_separator(source: &str, each: usize) -> bool {
    begin(source, each).contains("separator=")
}

/// The beginning of the loop with a separator, as its author should write it.
fn separated(source: &str, each: usize) -> String {
    const ANY: &str = "{{#each … separator=\",\"}}";
    let begin = begin(source, each);
    let inside = begin.trim_end_matches(['}', '~']);
    if begin.contains('\n') || begin.len() > 100 || begin.contains("separator") {
        return ANY.to_owned();
    }
    let (list, names) = match inside.split_once(" as |") {
        Some((list, names)) => (list, format!(" as |{names}")),
        None => (inside, String::new()),
    };
    format!("{} separator=\",\"{names}}}}}", list.trim_end())
}
