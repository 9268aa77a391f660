//! Which blocks are open, and how deep: each begins, has one `{{else}}` at the end, and closes by
//! its name.

use super::{Scanner, is_space_or_tilde};

/// The most `{{else if …}}` of the blocks that are open at one point: the parser recurses for each.
const CHAINED_MAX: usize = 100;

/// A block that has begun.
pub(super) struct Open<'b> {
    pub(super) name: &'b str,
    pub(super) at: usize,
    /// `else if`s so far: the parser nests each in the one before.
    chained: usize,
    /// An `{{else}}` was there.
    closed_by_else: bool,
}

impl<'b> Scanner<'b, '_, '_> {
    /// What the expression does to the blocks that are open.
    pub(super) fn meaning(&mut self, at: usize, inside: &'b str) -> Option<()> {
        let inside = inside.trim_start_matches(is_space_or_tilde);
        let mut letters = inside.chars();
        let sigil = letters.next();
        let after = letters.as_str().trim_start();
        match sigil {
            Some('>') => self.refuse("partial", at, PARTIAL),
            Some('#') if after.starts_with('>') => self.refuse("partial", at, PARTIAL),
            Some('#') => self.opens(at, after),
            Some('/') => self.closes(at, after),
            Some('^') => self.inverts(at, after),
            _ => match inside.strip_prefix("else") {
                Some(after) if after.starts_with(is_name_letter) => {
                    let name = name_of(inside);
                    let message = if matches!(name, "elseif" | "else_if" | "else-if" | "elseIf") {
                        "The word is written in two: {{else if …}}.".to_owned()
                    } else {
                        format!("The parser reads {{{{{name}}}}} as an {{{{else}}}}. Write {{{{this.{name}}}}}.")
                    };
                    self.refuse("syntax", at, message)
                }
                Some(after) if !after.starts_with(['.', '/']) => self.inverts(at, after.trim_start()),
                _ => Some(()),
            },
        }
    }

    fn opens(&mut self, at: usize, after: &'b str) -> Option<()> {
        self.depth += 1;
        if self.depth > self.nesting_max {
            return self.too_deep(at);
        }
        self.open.push(Open { name: name_of(after), at, chained: 0, closed_by_else: false });
        Some(())
    }

    fn inverts(&mut self, at: usize, after: &str) -> Option<()> {
        let chained = !after.trim_matches(is_space_or_tilde).is_empty();
        let Some(block) = self.open.last_mut() else {
            return self.refuse(
                "else_outside_block",
                at,
                "An {{else}} belongs between {{#if …}} (or unless, each, with) and its end.",
            );
        };
        if block.closed_by_else {
            return self.refuse(
                "else_outside_block",
                at,
                "Nothing but the block's end may follow its {{else}} part: {{else if …}} goes before {{else}}.",
            );
        }
        block.closed_by_else = !chained;
        if chained {
            // Flat to its author, a chain is nested for the parser.
            block.chained += 1;
            self.chained += 1;
            self.chains.push(at);
            if self.chained > CHAINED_MAX {
                let message = format!("There are more than {CHAINED_MAX} {{{{else if …}}}} here.");
                return self.refuse("too_deep", at, message);
            }
        }
        Some(())
    }

    fn closes(&mut self, at: usize, after: &str) -> Option<()> {
        let name = name_of(after);
        let Some(block) = self.open.pop() else {
            let message = format!("There is no {{{{#{name}}}}} for this {{{{/{name}}}}} to close.");
            return self.refuse("unclosed_block", at, message);
        };
        self.depth -= 1;
        self.chained -= block.chained;
        if block.name != name {
            let message =
                format!("This closes {name:?}, but the block open here is {0:?}: write {{{{/{0}}}}}.", block.name);
            return self.refuse("unclosed_block", at, message);
        }
        Some(())
    }
}

const PARTIAL: &str = "Partials ({{> …}}) are not accepted: a template stands alone.";

fn is_name_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$' | ':') || c >= '\u{80}'
}

fn name_of(text: &str) -> &str {
    let end = text.find(|c| !is_name_letter(c)).unwrap_or(text.len());
    &text[..end]
}
