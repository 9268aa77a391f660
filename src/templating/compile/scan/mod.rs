//! Checks a body before the parser reads it. The parser recurses for each block, list and parenthesis, so a few
//! kilobytes can overflow the stack. The scan counts these in one loop without recursion, and refuses what a template may
//! not contain. It also refuses text that the parser could read differently. It does not interpret the body.

mod blocks;
mod comments;
mod placeholder;
mod scanned;

use self::blocks::OpenBlock;
use self::scanned::Braces;
use super::diagnostic::Severity;
use super::findings::DiagnosticList;
use super::foreign;
use super::known::KnownPaths;
use super::tags::{self, TAG_CLOSE, TAG_OPEN};
use crate::json::LookAlike;
use crate::templating::limits::TemplateLimits;

pub(crate) use self::placeholder::PLACEHOLDER;
pub(crate) use self::scanned::{Role, ScannedBody};

/// The most expressions in one body: the work of later steps grows with them.
const EXPRESSIONS_MAX: usize = 1_000;

/// Scans a body. `None` if the parser must not read it; the findings give the reasons.
pub(crate) fn scan(
    body: &str,
    known: &KnownPaths<'_>,
    limits: &TemplateLimits,
    findings: &mut DiagnosticList<'_>,
) -> Option<ScannedBody> {
    if body.len() > limits.body_bytes_max {
        findings.error(
            "too_long",
            0,
            format!("The body has {} bytes; the maximum is {}.", body.len(), limits.body_bytes_max),
        );
        return None;
    }
    let mut scanner = Scanner {
        body,
        nesting_max: limits.nesting_max,
        known,
        findings,
        open: Vec::new(),
        depth: 0,
        chained: 0,
        text: String::with_capacity(body.len()),
        expressions: Vec::new(),
        resume: None,
        broken: false,
    };
    scanner.run()?;
    (!scanner.broken).then_some(ScannedBody { text: scanner.text, expressions: scanner.expressions })
}

struct Scanner<'b, 'f, 'p> {
    body: &'b str,
    nesting_max: usize,
    known: &'f KnownPaths<'f>,
    findings: &'f mut DiagnosticList<'p>,
    open: Vec<OpenBlock<'b>>,
    /// The number of open blocks.
    depth: usize,
    /// The number of their `{{else if …}}` so far.
    chained: usize,
    text: String,
    expressions: Vec<Braces>,
    /// Where the scan continues after an expression that could not be read.
    resume: Option<usize>,
    /// The parser must not read the text: the begin or the end of a block or an expression is missing. The scan
    /// continues, so that further mistakes are reported.
    broken: bool,
}

impl<'b> Scanner<'b, '_, '_> {
    /// Reports a mistake that ends the scan, unless [`Self::resume`] is set.
    fn refuse<T>(&mut self, code: &'static str, at: usize, message: impl Into<String>) -> Option<T> {
        self.findings.error(code, at, message);
        None
    }

    /// Reports a mistake inside an expression, which may be syntax of another language. The scan continues after it.
    fn misread<T>(
        &mut self,
        expression: usize,
        code: &'static str,
        at: usize,
        message: impl Into<String>,
    ) -> Option<T> {
        let inside = self.skip(expression, at);
        match foreign::explain(inside) {
            Some(message) => self.refuse("foreign_syntax", at, message),
            None => self.refuse(code, at, message),
        }
    }

    /// Lets the scan continue after the expression that contains this byte, and returns the text inside its braces.
    fn skip(&mut self, expression: usize, from: usize) -> &'b str {
        let body = self.body;
        let rest = &body[from..];
        match (rest.find("}}"), rest.find("{{")) {
            (Some(close), open) if open.is_none_or(|open| close < open) => {
                let triple = body[expression..].starts_with("{{{") && rest[close..].starts_with("}}}");
                self.resume = Some(from + close + 2 + usize::from(triple));
                &body[expression + 2..from + close]
            }
            // It has no end of its own.
            (_, open) => {
                self.broken = true;
                self.resume = Some(from + open.unwrap_or(rest.len()));
                ""
            }
        }
    }

    /// Reports a mistake in the order of blocks. Only the first is reported, as it causes others.
    fn misplaced(&mut self, code: &'static str, at: usize, message: impl Into<String>) {
        if !self.broken {
            self.findings.error(code, at, message);
        }
        self.broken = true;
    }

    fn run(&mut self) -> Option<()> {
        let mut from = 0;
        let mut count = 0;
        while let Some(found) = memchr::memmem::find(&self.body.as_bytes()[from..], b"{{") {
            let at = from + found;
            let slashes = self.body[from..at].bytes().rev().take_while(|&b| b == b'\\').count();
            // One backslash makes the braces text; more are text themselves.
            if slashes == 1 {
                let end = at + if self.body[at..].starts_with("{{{{") { 4 } else { 2 };
                self.plain(from, end);
                from = end;
                continue;
            }
            self.plain(from, at);
            count += 1;
            if count > EXPRESSIONS_MAX {
                return self.refuse(
                    "too_many_expressions",
                    at,
                    format!("The body has more than {EXPRESSIONS_MAX} expressions."),
                );
            }
            from = self.mustache(at)?;
        }
        self.plain(from, self.body.len());
        if self.broken {
            return Some(());
        }
        for block in std::mem::take(&mut self.open).into_iter().rev() {
            let message = block.never_closed();
            self.findings.error("unclosed_block", block.at, message);
            self.broken = true;
        }
        Some(())
    }

    /// Copies the author's text, and warns of what resembles a tag or another language.
    fn plain(&mut self, from: usize, to: usize) {
        let text = &self.body[from..to];
        self.text.push_str(text);
        for (at, inside) in tags::misshapen(text) {
            self.misshapen_tag(from + at, inside);
        }
        for (at, written) in tags::look_alikes(text) {
            let message =
                format!("These characters only look like {written}, and are sent as they stand: write {written}.");
            self.findings.warning("look_alike", from + at, message);
        }
        let known = |name: &str| self.known.named(name);
        for mark in foreign::marks::find(text).into_iter().chain(foreign::placeholders::find(text, known)) {
            self.findings.mark(from + mark.at, mark.length, mark.message);
        }
    }

    fn misshapen_tag(&mut self, at: usize, inside: &str) {
        if self.findings.is_full(Severity::Warning) {
            return;
        }
        let (message, meant) = tags::misshapen_warning(inside, self.known.dictionary());
        self.findings.add(Severity::Warning, "misshapen_tag", at, message, meant);
    }

    /// Reads what begins with the `{{` here, and returns where it ends.
    fn mustache(&mut self, at: usize) -> Option<usize> {
        let rest = &self.body[at..];
        if rest.starts_with("{{{{") {
            self.findings.error(
                "raw_block",
                at,
                "Raw blocks are not accepted. If a brace of the body precedes an expression, put a space between them.",
            );
            self.broken = true;
            return Some(at + 4);
        }
        if rest.starts_with("{{!") {
            return self.comment(at);
        }
        if rest[2..].trim_start_matches('~').starts_with('!') {
            return self.trimming_comment(at);
        }
        let start = self.text.len();
        let (end, inside, read) = match self.expression(at) {
            Some((end, inside)) => (end, inside, true),
            None => {
                let end = self.resume.take()?;
                (end, self.body[at + 2..end].trim_end_matches('}'), false)
            }
        };
        let role = self.meaning(at, inside)?;
        if !read || inside.trim_start_matches(is_space_or_tilde).starts_with('>') {
            self.replace(start, at, end);
        }
        self.expressions.push(Braces { start, end: self.text.len(), role });
        Some(end)
    }

    /// Replaces an expression that has a mistake with a placeholder.
    fn replace(&mut self, start: usize, at: usize, end: usize) {
        self.text.truncate(start);
        match placeholder::with_placeholder(&self.body[at..end]) {
            Some(text) => self.text.push_str(&text),
            None => self.broken = true,
        }
    }

    /// Finds the end of an expression, and copies it with its tags as names.
    fn expression(&mut self, at: usize) -> Option<(usize, &'b str)> {
        let body = self.body;
        let opened = body[at + 2..].trim_start_matches(is_space_or_tilde);
        let triple = opened.starts_with('{');
        let start = body.len() - opened.len() + usize::from(triple);
        self.text.push_str(&body[at..start]);
        let mut parentheses = 0_usize;
        let mut names = false;
        let mut i = start;
        while let Some(c) = body[i..].chars().next() {
            let step = match c {
                '"' | '\'' => self.string(at, i, c)?,
                '[' => self.segment(at, i)?,
                '*' => {
                    i += self.tag(at, start, i)?;
                    continue;
                }
                TAG_OPEN | TAG_CLOSE | PLACEHOLDER => {
                    return self.misread(at, "syntax", i, "This character is not allowed in an expression.");
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
                // The names after `as` are between two of them.
                '|' if names || body[start..i].trim_end().ends_with(" as") => {
                    names = !names;
                    1
                }
                '|' => return self.misread(at, "syntax", i, "A | can't stand in an expression, except in as |name|."),
                '{' => return self.misread(at, "syntax", i, "A { can't stand inside an expression."),
                '}' => {
                    let Some(length) = closing(&body[i..], triple) else {
                        self.broken = true;
                        self.skip(at, i);
                        let (at, message) = if triple { (at, TRIPLE) } else { (i, SINGLE) };
                        return self.refuse("syntax", at, message);
                    };
                    self.text.push_str(&body[i..i + length]);
                    return Some((i + length, &body[at + 2..i]));
                }
                other => {
                    if let Some(found) = LookAlike::of(other) {
                        self.skip(at, i);
                        return self.refuse("look_alike", i, format!("This is {found}."));
                    }
                    other.len_utf8()
                }
            };
            self.text.push_str(&body[i..i + step]);
            i += step;
        }
        self.broken = true;
        self.resume = Some(body.len());
        self.refuse("unclosed", at, "The expression is never closed: write }} where it ends.")
    }

    /// Copies a tag as a name, and returns its length in the body.
    fn tag(&mut self, expression: usize, start: usize, at: usize) -> Option<usize> {
        let body = self.body;
        let Some(tag) = tags::at_start(&body[at..]) else {
            if body[start..at].trim_matches(is_space_or_tilde).trim_start_matches('#').trim().is_empty() {
                self.skip(expression, at);
                return self.refuse("decorator", expression, "Decorators ({{* and {{#*) are not accepted.");
            }
            return self.misread(
                expression,
                "syntax",
                at,
                "A * can't stand in an expression, except round a tag: *|GUEST:NAME|*.",
            );
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
        let message = format!(
            "The quoted text is never closed: write {quote} where it ends. If the expression ends before it, write }}}} there."
        );
        self.broken = true;
        self.skip(expression, at);
        self.refuse("unclosed", at, message)
    }

    /// The length of a `[name]` in a path. Brackets, quotes and braces in the name are refused:
    /// the parser would first try to read them as a list.
    fn segment(&mut self, expression: usize, at: usize) -> Option<usize> {
        let inside = &self.body[at + 1..];
        match inside.find([']', '[', '"', '\'', '{', '}', '(', ')', ',', TAG_OPEN, TAG_CLOSE]) {
            Some(end) if inside.as_bytes()[end] == b']' => Some(end + 2),
            _ => self.misread(
                expression,
                "syntax",
                at,
                "In an expression, [ begins a name with spaces, as in {{guest.[first name]}}; lists can't be written.",
            ),
        }
    }

    fn too_deep<T>(&mut self, at: usize) -> Option<T> {
        let message = format!("Blocks and parentheses are nested more than {} deep.", self.nesting_max);
        self.refuse("too_deep", at, message)
    }
}

const TRIPLE: &str = "This begins with {{{ but doesn't end with }}}. If the first { is a brace of the body, put a \
    space after it: { {{#if …}}.";
const SINGLE: &str = "A single } is not allowed inside an expression, which ends with }}.";

/// The length of an expression's closing braces, if the text begins with them.
fn closing(rest: &str, triple: bool) -> Option<usize> {
    let inner = if triple { rest.strip_prefix('}')?.trim_start_matches(is_space_or_tilde) } else { rest };
    let after = inner.strip_prefix("}}")?;
    Some(rest.len() - after.len())
}

fn is_space_or_tilde(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '~')
}
