//! The input of the parser: the text, and where its expressions are.

use super::placeholder::with_placeholder;

/// A body that the parser may see.
#[derive(Debug)]
pub(crate) struct ScannedBody {
    /// The body, character for character, except that a tag's `*|` and `|*` inside an expression are one private
    /// character and a `_`, which the parser takes for letters, and that expressions with a mistake are replaced by a placeholder.
    pub(crate) text: String,
    /// All expressions in it but comments, in order.
    pub(crate) expressions: Vec<Braces>,
}

/// An expression with its braces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Braces {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) role: Role,
}

/// What an expression is to the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Value,
    Begin,
    Else,
    ElseIf,
    End,
}

impl ScannedBody {
    /// What is between the braces of an expression.
    pub(crate) fn inside(&self, i: usize) -> &str {
        let Braces { start, end, .. } = self.expressions[i];
        self.text[start..end].trim_start_matches('{').trim_end_matches('}')
    }

    /// A template of this expression alone, with a block around it or behind it where it needs one, and how many bytes
    /// stand before it.
    pub(crate) fn alone(&self, i: usize) -> (String, usize) {
        let Braces { start, end, role } = self.expressions[i];
        let expression = &self.text[start..end];
        let mut words = self.inside(i).trim_matches(['~', '#', '/', ' ', '\t', '\r', '\n']).split_whitespace();
        let name = words.next().unwrap_or("").trim_end_matches('~');
        let (before, after) = match role {
            Role::Value => (String::new(), String::new()),
            Role::Begin => (String::new(), format!("{{{{/{name}}}}}")),
            Role::Else | Role::ElseIf => ("{{#if a}}".to_owned(), "{{/if}}".to_owned()),
            Role::End => (format!("{{{{#{name} a}}}}"), String::new()),
        };
        (format!("{before}{expression}{after}"), before.len())
    }

    /// Replaces these expressions with placeholders. `None` if one has no room for it.
    pub(crate) fn replace(&mut self, which: &[usize]) -> Option<()> {
        let mut text = String::with_capacity(self.text.len());
        let mut from = 0;
        let mut which = which.iter().peekable();
        for (i, braces) in self.expressions.iter_mut().enumerate() {
            text.push_str(&self.text[from..braces.start]);
            let expression = &self.text[braces.start..braces.end];
            from = braces.end;
            braces.start = text.len();
            if which.next_if_eq(&&i).is_some() {
                text.push_str(&with_placeholder(expression)?);
            } else {
                text.push_str(expression);
            }
            braces.end = text.len();
        }
        text.push_str(&self.text[from..]);
        self.text = text;
        Some(())
    }
}
