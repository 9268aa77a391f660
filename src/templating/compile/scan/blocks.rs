//! Which blocks are open, and how deep: each begins, has one `{{else}}` at the end, and closes by
//! its name.

use super::{Role, Scanner, is_space_or_tilde};
use crate::json::LookAlike;

/// The most `{{else if …}}` of the blocks that are open at one point: the parser recurses for each.
const CHAINED_MAX: usize = 100;

/// A block that has begun.
pub(super) struct OpenBlock<'b> {
    pub(super) name: &'b str,
    pub(super) at: usize,
    /// `else if`s so far: the parser nests each in the one before.
    chained: usize,
    /// An `{{else}}` was there.
    closed_by_else: bool,
    /// An end in the syntax of another language that was found in it, such as `{{endif}}`.
    foreign_end: Option<&'b str>,
}

impl OpenBlock<'_> {
    pub(super) fn never_closed(&self) -> String {
        let instead = self.foreign_end.map(|end| format!(", in place of {{{{{end}}}}}")).unwrap_or_default();
        format!("The block {{{{#{0}}}}} is never closed: write {{{{/{0}}}}} where it ends{instead}.", self.name)
    }
}

impl<'b> Scanner<'b, '_, '_> {
    /// What the expression does to the blocks that are open.
    pub(super) fn meaning(&mut self, at: usize, inside: &'b str) -> Option<Role> {
        let inside = inside.trim_start_matches(is_space_or_tilde);
        let mut letters = inside.chars();
        let sigil = letters.next();
        let after = letters.as_str().trim_start();
        match sigil {
            Some('>') => self.findings.error("partial", at, PARTIAL),
            Some('#') => {
                self.opens(at, after)?;
                return Some(Role::Begin);
            }
            Some('/') => {
                self.closes(at, after);
                return Some(Role::End);
            }
            Some('^') if is_section(after) => {
                self.inverted_section(at, name_of(after));
                return Some(Role::Begin);
            }
            Some('^') => return self.inverts(at, after),
            _ => match inside.strip_prefix("else") {
                Some(after) if after.starts_with(is_name_letter) => self.else_in_one_word(at, name_of(inside)),
                Some(after) if !after.starts_with(['.', '/']) => return self.inverts(at, after.trim_start()),
                _ => self.ends_elsewhere(inside.trim_end_matches(is_space_or_tilde)),
            },
        }
        Some(Role::Value)
    }

    /// Mustache's `{{^x}}…{{/x}}`. Its end is not a mistake of its own.
    fn inverted_section(&mut self, at: usize, name: &'b str) {
        let message = format!("This belongs to Mustache. Here it is written {{{{#unless {name}}}}}…{{{{/unless}}}}.");
        self.misplaced("foreign_syntax", at, message);
        self.depth += 1;
        self.open.push(OpenBlock { name, at, chained: 0, closed_by_else: false, foreign_end: None });
    }

    fn else_in_one_word(&mut self, at: usize, name: &str) {
        let message = if matches!(name, "elseif" | "else_if" | "else-if" | "elseIf") {
            "It is written as two words: {{else if …}}.".to_owned()
        } else {
            format!("The parser reads {{{{{name}}}}} as an {{{{else}}}}. Write {{{{this.{name}}}}}.")
        };
        self.findings.error("syntax", at, message);
        self.broken = true;
    }

    fn ends_elsewhere(&mut self, inside: &'b str) {
        if ends_block(inside)
            && let Some(block) = self.open.last_mut()
        {
            block.foreign_end.get_or_insert(inside);
        }
    }

    fn opens(&mut self, at: usize, after: &'b str) -> Option<()> {
        if name_of(after) == "else" {
            self.misplaced("syntax", at, "It is written without the #: {{else}} or {{else if …}}.");
            return Some(());
        }
        if ends_block(name_of(after)) {
            self.misplaced("unclosed_block", at, "A block ends with / and its name: {{/if}}, {{/each}}.");
            return Some(());
        }
        if after.starts_with('>') {
            self.findings.error("partial", at, PARTIAL);
            self.broken = true;
        }
        self.depth += 1;
        if self.depth > self.nesting_max {
            return self.too_deep(at);
        }
        let name = name_of(after.trim_start_matches(['>', '*', ' ']));
        self.open.push(OpenBlock { name, at, chained: 0, closed_by_else: false, foreign_end: None });
        Some(())
    }

    fn inverts(&mut self, at: usize, after: &str) -> Option<Role> {
        let chained = !after.trim_matches(is_space_or_tilde).is_empty();
        let role = if chained { Role::ElseIf } else { Role::Else };
        let Some(block) = self.open.last_mut() else {
            self.misplaced(
                "else_outside_block",
                at,
                "An {{else}} belongs between {{#if …}} (or unless, each, with) and its end.",
            );
            return Some(role);
        };
        if block.closed_by_else {
            self.misplaced(
                "else_outside_block",
                at,
                "Nothing but the block's end may follow its {{else}} part: {{else if …}} goes before {{else}}.",
            );
            return Some(role);
        }
        block.closed_by_else = !chained;
        if chained {
            // A chain looks flat, but the parser nests each part in the one before.
            block.chained += 1;
            self.chained += 1;
            if self.chained > CHAINED_MAX {
                let message = format!("There are more than {CHAINED_MAX} {{{{else if …}}}} here.");
                return self.refuse("too_deep", at, message);
            }
        }
        Some(role)
    }

    fn closes(&mut self, at: usize, after: &str) {
        let name = name_of(after);
        if name == "else" {
            return self.misplaced(
                "syntax",
                at,
                "It is written without the /: {{else}}. A block ends with / and its name: {{/if}}.",
            );
        }
        let Some(block) = self.open.pop() else {
            let message = format!(
                "There is no {{{{#{name}}}}} for this {{{{/{name}}}}} to close. A block begins with a #: {{{{#{name} …}}}}."
            );
            return self.misplaced("unclosed_block", at, message);
        };
        self.depth -= 1;
        self.chained -= block.chained;
        if block.name != name {
            let message =
                format!("This closes {name:?}, but the block open here is {0:?}: write {{{{/{0}}}}}.", block.name);
            self.misplaced("unclosed_block", at, message);
        }
    }
}

/// Whether a word ends a block in other languages.
fn ends_block(word: &str) -> bool {
    matches!(word, "end" | "endif" | "endfor" | "endeach" | "endunless" | "endwith" | "fi" | "done")
}

const PARTIAL: &str = "Partials ({{> …}}) are not accepted: a template can't include another one.";

/// Whether `{{^` stands before a name, and so is not an `{{else}}`, which has none or continues with `if`.
fn is_section(after: &str) -> bool {
    let name = name_of(after);
    !name.is_empty() && after[name.len()..].trim_matches(is_space_or_tilde).is_empty()
}

fn is_name_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$' | ':') || (c >= '\u{80}' && LookAlike::of(c).is_none())
}

pub(super) fn name_of(text: &str) -> &str {
    let end = text.find(|c| !is_name_letter(c)).unwrap_or(text.len());
    &text[..end]
}
