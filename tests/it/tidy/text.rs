//! What a file's text may hold.

use std::collections::BTreeMap;

use super::Source;

/// A longer file has more than one subject.
const FILE_LINES_MAX: usize = 400;
/// A longer function can't be read at one sight.
const FUNCTION_LINES_MAX: usize = 70;

/// Words that the project once used, and the field's term in their place. One concept has one word, and a reader who
/// knows the field understands each sentence at first sight.
const BANNED: [(&str, &str); 15] = [
    ("manyth", "every Nth"),
    ("to be had", "available"),
    ("words are off", "usage error"),
    ("of the request was taken", "no event of this request was accepted"),
    ("taker", "consumer"),
    ("by and by", "gradually"),
    ("whoever comes", "any node"),
    ("sign of life", "heartbeat"),
    ("signs of life", "heartbeats"),
    ("anew", "again"),
    ("so many", "this many"),
    ("holds up nobody", "delays no other"),
    ("all the same", "still"),
    ("of late", "recently"),
    ("long again", "the time again, or a factor"),
];

/// What the mark `EARLIER(…)` may hold; `CONTRIBUTING.md` explains it.
const EARLIER: [&str; 3] = ["record", "entry", "node"];

/// Types that are texts.
const TEXTS: [&str; 4] = ["String", "&str", "&'static str", "Box<str>"];

/// A reader learns from a file's first line what it is for.
pub(super) fn headless(sources: &[Source]) -> Vec<String> {
    let headless = sources.iter().filter(|source| !source.text.starts_with("//! "));
    headless.map(|source| format!("{} does not begin with what it is for", source.path)).collect()
}

pub(super) fn long_files(sources: &[Source]) -> Vec<String> {
    let counted = sources.iter().map(|source| (source, source.text.lines().count()));
    let long = counted.filter(|(_, lines)| *lines > FILE_LINES_MAX);
    long.map(|(source, lines)| format!("{} has {lines} lines; at most {FILE_LINES_MAX}", source.path)).collect()
}

/// Functions are measured from the line of their name to the brace at the same depth, as the formatter writes them.
pub(super) fn long_functions(sources: &[Source]) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let text = source.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let Some(name) = function(line) else { continue };
            let end = format!("{}}}", " ".repeat(line.len() - line.trim_start().len()));
            // A declaration without a body ends at this depth too.
            let declared = format!("{}) ", &end[..end.len() - 1]);
            let ends = |line: &&str| *line == end || (line.starts_with(&declared) && line.ends_with(';'));
            let length = lines[number..].iter().position(ends).map_or(1, |length| length + 1);
            if length > FUNCTION_LINES_MAX {
                violations.push(format!("{}: {name} has {length} lines; at most {FUNCTION_LINES_MAX}", source.path));
            }
        }
    }
    violations
}

/// The name of the function that begins in this line and does not end in it.
fn function(line: &str) -> Option<&str> {
    let begin = line.trim_start();
    let begins = ["fn ", "pub", "async ", "const fn "].iter().any(|word| begin.starts_with(word));
    let (_, after) = begin.split_once("fn ").filter(|_| begins)?;
    let ends = line.ends_with('}') || line.ends_with(';');
    after.split(['(', '<']).next().filter(|_| !ends)
}

/// `expect` states the invariant that makes an error impossible; `unwrap` says nothing.
pub(super) fn unwraps(sources: &[Source]) -> Vec<String> {
    let found = sources.iter().filter(|source| !source.is_test() && source.code().contains(".unwrap()"));
    found.map(|source| format!("{} unwraps", source.path)).collect()
}

/// An error is a type: its caller can tell one from another, and its text is written once. An alias of a text is a text.
pub(super) fn text_errors(sources: &[Source]) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources {
        let aliases = source.text.lines().filter_map(|line| line.split_once("type ")?.1.split_once(" = "));
        for (name, _) in aliases.filter(|(_, meaning)| TEXTS.contains(&meaning.trim_end_matches(';'))) {
            violations.push(format!("{}: {name} is another name for a text; make it a type", source.path));
        }
        for (at, opening) in source.text.match_indices("Result<") {
            let error = last_argument(&source.text[at + opening.len()..]);
            if error.is_some_and(|error| TEXTS.contains(&error)) {
                let line = source.text[..at].lines().count();
                violations.push(format!("{}:{line}: an error is a text; make it a type", source.path));
            }
        }
    }
    violations
}

/// The last of two or more generic arguments, the first of which begins here.
fn last_argument(arguments: &str) -> Option<&str> {
    let (mut depth, mut last) = (0_usize, None);
    let mut before = ' ';
    for (at, c) in arguments.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' if before == '-' => {}
            '>' if depth == 0 => return last.map(|begin: usize| arguments[begin..at].trim().trim_end_matches(',')),
            '>' | ')' | ']' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 && !arguments[at + 1..].trim_start().starts_with('>') => last = Some(at + 1),
            _ => {}
        }
        before = c;
    }
    None
}

/// One name means one thing: no two types share a name, wherever they are visible. A reader who knows a type in one
/// file can rely on its name in the next, and a search for the name finds one definition.
pub(super) fn shared_names(sources: &[Source]) -> Vec<String> {
    let mut homes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        for name in source.code().lines().filter_map(defined_type) {
            homes.entry(name.to_owned()).or_default().push(&source.path);
        }
    }
    let shared = homes.into_iter().filter(|(_, files)| files.len() > 1);
    shared.map(|(name, files)| format!("{name} is a type in {}; rename one", files.join(" and "))).collect()
}

/// The type that this line defines. A `type` inside an `impl` or a trait is a part of that, and its name is the trait's.
fn defined_type(line: &str) -> Option<&str> {
    let begin = line.trim_start();
    let public = begin.strip_prefix("pub").and_then(|rest| match rest.strip_prefix('(') {
        Some(limited) => Some(limited.split_once(") ")?.1),
        None => rest.strip_prefix(' '),
    });
    let is_associated = public.is_none() && begin.len() < line.len() && begin.starts_with("type ");
    let rest = public.unwrap_or(begin);
    let kinds = ["struct ", "enum ", "union ", "trait ", "type "];
    let name = kinds.iter().find_map(|kind| rest.strip_prefix(kind)).filter(|_| !is_associated)?;
    // A macro's `$name` is no name yet.
    name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().filter(|name| !name.is_empty())
}

pub(super) fn banned_words(sources: &[Source]) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources {
        let lines: Vec<String> = source.text.lines().map(str::to_lowercase).collect();
        for (number, line) in lines.iter().enumerate() {
            let next = lines.get(number + 1).map_or("", String::as_str);
            let joined = format!("{line} {}", next.trim_start_matches(['/', '!', '-', '#', '*', ' ']));
            // A phrase may be broken across two lines.
            let stands_here = |word: &str| is_word(line, word) || (is_word(&joined, word) && !is_word(next, word));
            for (word, instead) in BANNED.iter().filter(|(word, _)| stands_here(word)) {
                violations.push(format!("{}:{}: {word:?}; write: {instead}", source.path, number + 1));
            }
        }
    }
    violations
}

/// What is there for earlier versions has one mark, so that a search finds all of it when it may be deleted.
pub(super) fn unmarked(sources: &[Source]) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//") || line.trim_start().starts_with("--");
            let prose = ["earlier version", "older version"].iter().any(|words| line.to_lowercase().contains(words));
            let unknown = line.split("EARLIER(").skip(1).any(|mark| {
                let kind = mark.split_once("):").map(|(kind, _)| kind);
                !kind.is_some_and(|kind| EARLIER.contains(&kind))
            });
            if (is_comment && prose) || unknown {
                violations.push(format!("{}:{}: write EARLIER(…): one of {EARLIER:?}", source.path, number + 1));
            }
        }
    }
    violations
}

fn is_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(|c| c.is_alphanumeric() && c != 's')
    })
}
