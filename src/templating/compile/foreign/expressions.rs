//! Expressions that can't be read, because they are written as in another language.

use super::{REPEATED_BYTES_MAX, filters, is_value, names};
use crate::templating::compile::tags;
use crate::templating::render::helpers;

/// What to write for the inside of an expression that belongs to another language.
pub(crate) fn explain(inside: &str) -> Option<String> {
    let inside = &*tags::as_names(inside);
    let inside = inside.trim_matches(|c: char| c.is_whitespace() || c == '~' || c == '-');
    let inside = inside.trim_start_matches('{').trim_end_matches('}').trim();
    let (block, value) = block(inside);
    n8n(value)
        .or_else(|| go(block, value))
        .or_else(|| operator(block, value))
        .or_else(|| value.contains('|').then(|| filters::explain(block, value)))
        .or_else(|| function(block, value))
        .or_else(|| method(block, value))
        .or_else(|| index(block, value))
}

/// The begin of a block, `#if` or `else if`, and what follows it.
fn block(inside: &str) -> (&str, &str) {
    let end = |from: usize| {
        let rest = &inside[from..];
        from + rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())
    };
    let at = match inside.strip_prefix("else ") {
        Some(_) => end("else ".len()),
        None if inside.starts_with('#') => end(1),
        None => 0,
    };
    let (block, value) = inside.split_at(at);
    (block, value.trim())
}

fn written(block: &str, value: &str) -> String {
    if block.is_empty() { format!("{{{{{value}}}}}") } else { format!("{{{{{block} {value}}}}}") }
}

/// n8n's `$json.x`, `$json["x"]` and `$('Node').item.json.x`.
pub(crate) fn n8n(value: &str) -> Option<String> {
    let end = value.find(['.', '[', '(']).unwrap_or(value.len());
    let (root, rest) = value.split_at(end);
    if !matches!(root, "$" | "$json" | "$node" | "$input" | "$items" | "$item") || rest.is_empty() {
        return None;
    }
    let path = match rest.split_once(".json").filter(|_| root != "$json") {
        Some((_, path)) => path,
        None => rest,
    };
    let path = plain_path(path.trim_start_matches('.')).unwrap_or_else(|| "guest.name".to_owned());
    Some(format!("{root} belongs to n8n. Here paths begin in the event's data: {{{{{path}}}}}."))
}

/// A path without quotes and brackets: `a["b c"][0]` is `a.[b c].0`.
fn plain_path(text: &str) -> Option<String> {
    let mut path = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = match rest.strip_prefix('[') {
            Some(inside) => {
                let (name, after) = inside.split_once(']')?;
                (name.trim_matches(['"', '\'', ' ']), after)
            }
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        if name.is_empty() || name.contains(['"', '\'', '[', ']', '{', '}', '(', ')', ',', '|', '*']) {
            return None;
        }
        if !path.is_empty() {
            path.push('.');
        }
        let is_word = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        path.push_str(&if is_word { name.to_owned() } else { format!("[{name}]") });
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    (!path.is_empty() && path.len() <= REPEATED_BYTES_MAX).then_some(path)
}

/// Go's `{{.}}`, `{{.Field}}`, `{{if .Field}}`, `{{range .Items}}`.
fn go(block: &str, value: &str) -> Option<String> {
    if value == "." {
        return Some(format!("The value itself, such as an element in a loop, is this: {}.", written(block, "this")));
    }
    let begins = |word: &str| {
        let mut letters = word.trim_start_matches('(').chars();
        letters.next() == Some('.') && letters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
    };
    if !value.split_whitespace().any(begins) {
        return None;
    }
    let words: Vec<_> =
        value.split_whitespace().map(|word| word.replacen('.', "", usize::from(begins(word)))).collect();
    let here = match words.as_slice() {
        [path] if is_value(path) => written(block, path),
        [word, path] if block.is_empty() && is_value(path) => match word.as_str() {
            "if" | "with" => format!("{{{{#{word} {path}}}}}…{{{{/{word}}}}}"),
            "range" => format!("{{{{#each {path}}}}}…{{{{/each}}}}"),
            _ => "{{guest.name}}".to_owned(),
        },
        _ => "{{guest.name}}".to_owned(),
    };
    Some(format!("A dot before a name belongs to Go. Leave it out: {here}."))
}

/// `a == b`, `a + b`, `!a`, `a ? b : c`.
pub(super) fn operator(block: &str, value: &str) -> Option<String> {
    const SAYS: &str = "Operators are helpers here, and are written before their values";
    let inner = value.strip_prefix('(').and_then(|value| value.strip_suffix(')'));
    let value = inner.filter(|inner| !inner.contains(['(', ')'])).unwrap_or(value);
    let words: Vec<_> = value.split_whitespace().collect();
    let helper = |sign: &str| {
        Some(match sign {
            "or" | "||" if block.is_empty() => "default",
            "eq" | "ne" | "lt" | "lte" | "gt" | "gte" | "and" | "or" => helpers::find(sign)?.1.name,
            "==" | "===" | "=" | "is" => "eq",
            "!=" | "!==" | "<>" => "ne",
            ">" => "gt",
            ">=" => "gte",
            "<" => "lt",
            "<=" => "lte",
            "&&" => "and",
            "||" => "or",
            "+" => "add",
            "-" => "subtract",
            "*" => "multiply",
            "/" => "divide",
            "%" => "modulo",
            _ => return None,
        })
    };
    let call = |call: String| {
        if block.is_empty() { format!("{{{{{call}}}}}") } else { format!("{{{{{block} ({call})}}}}") }
    };
    if let [a, sign, b] = words.as_slice()
        && let Some(name) = helper(sign)
        && is_value(a)
        && is_value(b)
    {
        let texts = if name == "add" { "; texts are written one after the other: {{a}}{{b}}" } else { "" };
        return Some(format!("{SAYS}: {}{texts}.", call(format!("{name} {a} {b}"))));
    }
    if let Some(negated) = value.strip_prefix('!').map(str::trim).filter(|negated| is_value(negated)) {
        return Some(format!("{SAYS}: {}.", call(format!("not {negated}"))));
    }
    if words.iter().any(|word| matches!(*word, "?" | "??" | "?:")) {
        return Some(
            "A choice is written {{#if a}}…{{else}}…{{/if}}, and a default value {{default a \"none\"}}.".to_owned(),
        );
    }
    let part = |part: &str| match *part.split_whitespace().collect::<Vec<_>>().as_slice() {
        [a, sign, b] if is_value(a) && is_value(b) => {
            let compares = |name: &&str| matches!(*name, "eq" | "ne" | "lt" | "lte" | "gt" | "gte");
            Some(format!("({} {a} {b})", helper(sign).filter(compares)?))
        }
        [negated] if negated.starts_with('!') && is_value(&negated[1..]) => Some(format!("(not {})", &negated[1..])),
        [value] if is_value(value) => Some(value.to_owned()),
        _ => None,
    };
    if let Some(joined) = joined(value, part) {
        return Some(format!("{SAYS}: {}.", call(joined)));
    }
    let is_sign = |word: &&str| !word.contains(char::is_alphabetic) && helper(word).is_some();
    let is_operation = words.iter().any(is_sign) || ["==", "!=", "&&", "||"].iter().any(|sign| value.contains(sign));
    is_operation.then(|| format!("{SAYS}: {{{{#if (and (gt a 1) (eq b \"x\"))}}}}, {{{{add a 1}}}}."))
}

/// `a == 1 && b == 2` as one call, where nothing is in parentheses and all signs between its parts are the same.
fn joined(value: &str, part: impl Fn(&str) -> Option<String>) -> Option<String> {
    [("&&", "and"), ("||", "or"), (" and ", "and"), (" or ", "or")].into_iter().find_map(|(sign, name)| {
        let parts: Vec<_> = value.split(sign).map(|text| part(text.trim())).collect::<Option<_>>()?;
        let call = format!("{name} {}", parts.join(" "));
        ((2..=8).contains(&parts.len()) && call.len() <= 2 * REPEATED_BYTES_MAX).then_some(call)
    })
}

/// `upper(name)`, `date(x, "%d")` and `date x, "%d"`.
fn function(block: &str, value: &str) -> Option<String> {
    let end = value.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(value.len());
    let (name, rest) = value.split_at(end);
    let helper = helpers::find(name).map(|(_, helper)| helper.name).or_else(|| names::helper(name))?;
    let rest = rest.trim();
    let inside = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest);
    let arguments: Vec<_> = filters::split(inside, ',').into_iter().map(str::trim).collect();
    let is_called = (inside.len() < rest.len() || arguments.len() > 1) && arguments.iter().all(|own| is_value(own));
    let call = is_called.then(|| format!("{helper} {}", arguments.join(" ")))?;
    let here = if block.is_empty() { written(block, &call) } else { written(block, &format!("({call})")) };
    Some(format!("Values stand behind the helper, with blanks and no commas between them: {here}."))
}

/// `name.toUpperCase()`.
fn method(block: &str, value: &str) -> Option<String> {
    let (before, arguments) = value.split_once('(')?;
    let (path, name) = before.rsplit_once('.')?;
    let arguments = arguments.strip_suffix(')').unwrap_or(arguments).trim();
    let known = names::helper(name).or_else(|| helpers::find(name).map(|(_, helper)| helper.name));
    let known = known.filter(|_| is_value(path));
    let here = match known {
        Some(helper) if !arguments.is_empty() => helpers::find(helper)?.1.example.to_owned(),
        Some(helper) if block.is_empty() => format!("{{{{{helper} {path}}}}}"),
        Some(helper) => format!("{{{{{block} ({helper} {path})}}}}"),
        None => "{{upper guest.name}}".to_owned(),
    };
    Some(format!("Values have no methods here. A helper is written before its value: {here}."))
}

/// `items[0].name`.
fn index(block: &str, value: &str) -> Option<String> {
    if value.starts_with('[') || !(value.contains('[') || value.contains("->")) {
        return None;
    }
    let path = plain_path(&value.replace("->", "."))?;
    let here = written(block, &path);
    Some(format!("Dots separate the parts of a path, including the index of an element: {here}."))
}
