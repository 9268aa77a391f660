//! Reads a body before the parser does. The parser recurses for each block, list and
//! parenthesis, so a few kilobytes can end the process: here is counted, in one loop and without
//! recursion, what it would meet, and refused what may not be in a template at all. Where this
//! reading and the parser's could differ, the text is refused, so neither can be led past the
//! other. It never looks at what the body means.

mod blocks;
mod foreign;

use self::blocks::Open;
use super::findings::Findings;
use super::tags::{self, TAG_CLOSE, TAG_OPEN};
use crate::json::LookAlike;
use crate::templating::limits::TemplateLimits;

/// The most expressions in one body: the parser finds each one's line by counting from the top,
/// so that time grows with the square. These take it a tenth of a second in the longest body.
const EXPRESSIONS_MAX: usize = 1_000;

/// A body that the parser may see.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// The body, character for character, except that a tag's `*|` and `|*` inside an expression
    /// are one private character and a `_`, which the parser takes for letters.
    pub(crate) text: String,
    /// Where each `{{else if …}}` begins, in order: the parser doesn't tell.
    pub(crate) chains: Vec<usize>,
}

/// Scans a body. Nothing comes back where it was refused; the findings say why.
pub(crate) fn scan(body: &str, limits: &TemplateLimits, findings: &mut Findings<'_>) -> Option<Scanned> {
    if body.len() > limits.body_bytes_max {
        findings.error(
            "too_long",
            0,
            format!("The body has {} bytes; {} are the most.", body.len(), limits.body_bytes_max),
        );
        return None;
    }
    let mut scanner = Scanner {
        body,
        nesting_max: limits.nesting_max,
        findings,
        open: Vec::new(),
        depth: 0,
        chained: 0,
        text: String::with_capacity(body.len()),
        chains: Vec::new(),
    };
    scanner.run()?;
    Some(Scanned { text: scanner.text, chains: scanner.chains })
}

struct Scanner<'b, 'f, 'p> {
    body: &'b str,
    nesting_max: usize,
    findings: &'f mut Findings<'p>,
    open: Vec<Open<'b>>,
    /// How many blocks are open.
    depth: usize,
    /// How many `{{else if …}}` they have so far.
    chained: usize,
    text: String,
    chains: Vec<usize>,
}

impl<'b> Scanner<'b, '_, '_> {
    fn refuse<T>(&mut self, code: &'static str, at: usize, message: impl Into<String>) -> Option<T> {
        self.findings.error(code, at, message);
        None
    }

    fn run(&mut self) -> Option<()> {
        let mut from = 0;
        let mut expressions = 0;
        while let Some(found) = memchr::memmem::find(&self.body.as_bytes()[from..], b"{{") {
            let at = from + found;
            let slashes = self.body[from..at].bytes().rev().take_while(|&b| b == b'\\').count();
            // One backslash makes the braces text; more stand for themselves.
            if slashes == 1 {
                let end = at + if self.body[at..].starts_with("{{{{") { 4 } else { 2 };
                self.text.push_str(&self.body[from..end]);
                from = end;
                continue;
            }
            self.text.push_str(&self.body[from..at]);
            expressions += 1;
            if expressions > EXPRESSIONS_MAX {
                return self.refuse(
                    "too_many_expressions",
                    at,
                    format!("The body has more than {EXPRESSIONS_MAX} expressions."),
                );
            }
            from = self.mustache(at)?;
        }
        self.text.push_str(&self.body[from..]);
        if let Some(block) = self.open.pop() {
            let message =
                format!("The block {{{{#{0}}}}} is never closed: write {{{{/{0}}}}} where it ends.", block.name);
            return self.refuse("unclosed_block", block.at, message);
        }
        Some(())
    }

    /// Goes through what begins with the `{{` here and says where it ends.
    fn mustache(&mut self, at: usize) -> Option<usize> {
        let rest = &self.body[at..];
        if rest.starts_with("{{{{") {
            return self.refuse(
                "raw_block",
                at,
                "Raw blocks are not accepted. Where a brace of the body stands before an expression, put a space between them.",
            );
        }
        if rest.starts_with("{{!") {
            return self.comment(at);
        }
        let (end, inside) = self.expression(at)?;
        self.meaning(at, inside)?;
        Some(end)
    }

    /// A comment ends at `--}}` if it began with `--` and such an end is there, else at `}}`.
    fn comment(&mut self, at: usize) -> Option<usize> {
        let rest = &self.body[at + 3..];
        let long = rest
            .trim_start_matches([' ', '\t', '\r', '\n'])
            .strip_prefix("--")
            .and_then(|inner| inner.find("--}}").map(|end| (inner, end)))
            .map(|(inner, end)| self.body.len() - inner.len() + end + 4);
        let Some(end) = long.or_else(|| rest.find("}}").map(|end| at + 3 + end + 2)) else {
            return self.refuse("unclosed", at, "The comment is never closed: write }} where it ends.");
        };
        self.text.push_str(&self.body[at..end]);
        Some(end)
    }

    /// Finds the end of an expression, and copies it with its tags made names.
    fn expression(&mut self, at: usize) -> Option<(usize, &'b str)> {
        let body = self.body;
        let opened = body[at + 2..].trim_start_matches(is_space_or_tilde);
        let triple = opened.starts_with('{');
        let start = body.len() - opened.len() + usize::from(triple);
        self.text.push_str(&body[at..start]);
        if let Some(message) = foreign::expression(&body[start..]) {
            return self.refuse("foreign_syntax", at, message);
        }
        let mut parentheses = 0_usize;
        let mut names = false;
        let mut i = start;
        while let Some(c) = body[i..].chars().next() {
            let step = match c {
                '"' | '\'' => self.string(at, i, c)?,
                '[' => self.segment(i)?,
                '*' => {
                    i += self.tag(at, start, i)?;
                    continue;
                }
                TAG_OPEN | TAG_CLOSE => {
                    return self.refuse("syntax", i, "This character can't stand in an expression.");
                }
                '(' => {
                    parentheses += 1;
                    if self.depth + parentheses > self.nesting_max {
                        return self.too_deep(i);
                    }
                    1
                }
                ')' => {
                    parentheses = parentheses.saturating_sub(1);
                    1
                }
                // The names after `as` stand between two of them.
                '|' if names || body[start..i].trim_end().ends_with(" as") => {
                    names = !names;
                    1
                }
                '|' => return self.refuse("foreign_syntax", i, foreign::filter(&body[start..i], &body[i + 1..])),
                '{' => return self.refuse("syntax", i, "A { can't stand inside an expression."),
                '}' => {
                    let Some(length) = closing(&body[i..], triple) else {
                        return if triple {
                            self.refuse("syntax", at, TRIPLE)
                        } else {
                            self.refuse("syntax", i, SINGLE)
                        };
                    };
                    self.text.push_str(&body[i..i + length]);
                    return Some((i + length, &body[at + 2..i]));
                }
                other => {
                    if let Some(found) = LookAlike::of(other) {
                        return self.refuse("look_alike", i, format!("This is {found}."));
                    }
                    other.len_utf8()
                }
            };
            self.text.push_str(&body[i..i + step]);
            i += step;
        }
        self.refuse("unclosed", at, "The expression is never closed: write }} where it ends.")
    }

    /// Copies a tag as a name, and says how long it was.
    fn tag(&mut self, expression: usize, start: usize, at: usize) -> Option<usize> {
        let body = self.body;
        let Some(tag) = tags::at_start(&body[at..]) else {
            if body[start..at].trim_matches(is_space_or_tilde).trim_start_matches('#').trim().is_empty() {
                return self.refuse("decorator", expression, "Decorators ({{* and {{#*) are not accepted.");
            }
            return self.refuse("syntax", at, "A * can't stand in an expression, except round a tag: *|GUEST:NAME|*.");
        };
        self.text.push(TAG_OPEN);
        self.text.push('_');
        self.text.push_str(tag.inside);
        self.text.push('_');
        self.text.push(TAG_CLOSE);
        Some(tag.length)
    }

    /// The length of a quoted text.
    fn string(&mut self, expression: usize, at: usize, quote: char) -> Option<usize> {
        let mut escaped = false;
        for (i, c) in self.body[at..].char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => {
                    if let Some(tag) = tags::find(&self.body[at..at + i]) {
                        self.findings.warning(
                            "tag_in_string",
                            at + tag.at,
                            format!(
                                "In quotes, *|{0}|* stays that text. Write the tag without quotes to have its value.",
                                tag.inside
                            ),
                        );
                    }
                    return Some(i + 1);
                }
                _ => {}
            }
        }
        let message = format!("The quoted text is never closed: write {quote} where it ends.");
        self.refuse("unclosed", expression.max(at), message)
    }

    /// The length of a `[name]` in a path. Brackets, quotes and braces in the name are refused:
    /// the parser would first try to read them as a list.
    fn segment(&mut self, at: usize) -> Option<usize> {
        let inside = &self.body[at + 1..];
        match inside.find([']', '[', '"', '\'', '{', '}', '(', ')', ',', TAG_OPEN, TAG_CLOSE]) {
            Some(end) if inside.as_bytes()[end] == b']' => Some(end + 2),
            _ => self.refuse(
                "syntax",
                at,
                "In an expression, [ begins a name with blanks, as in {{guest.[first name]}}; lists can't be written.",
            ),
        }
    }

    fn too_deep<T>(&mut self, at: usize) -> Option<T> {
        let message = format!("Blocks and parentheses stand more than {} deep in one another.", self.nesting_max);
        self.refuse("too_deep", at, message)
    }
}

const TRIPLE: &str = "This begins with {{{ but doesn't end with }}}. Where the first { is a brace of the body, put a space behind it: { {{#if …}}.";
const SINGLE: &str = "A single } can't stand inside an expression, which ends with }}.";

/// How long the end of an expression is, if one is here.
fn closing(rest: &str, triple: bool) -> Option<usize> {
    let inner = if triple { rest.strip_prefix('}')?.trim_start_matches(is_space_or_tilde) } else { rest };
    let after = inner.strip_prefix("}}")?;
    Some(rest.len() - after.len())
}

fn is_space_or_tilde(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '~')
}
