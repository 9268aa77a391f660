//! A template as the renderer walks it: what is written, chosen and repeated, with every path
//! resolved to the block it starts from and every expression to the place it stands in. Plain
//! data; the parser's own tree is not kept.

use super::helpers::Helper;
use crate::json::Document;

/// What stands in a row.
pub(super) type Nodes = Vec<Node>;

/// One part of a template.
#[derive(Debug)]
pub(super) enum Node {
    /// The author's own text.
    Text(Text),
    /// A value.
    Write(Write),
    /// One of two parts.
    If(Box<If>),
    /// A part for each element.
    Each(Box<Each>),
    /// A part with another value as `this`.
    With(Box<With>),
}

/// The author's own text.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) content: Box<str>,
    /// Which text this is, in the order of the body.
    pub(super) id: usize,
}

/// A value that is written.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) value: Expression,
    /// How it is written. Known once the text around it was gone through.
    pub(super) place: Place,
    /// Which of the writes this is, in the order of the body.
    pub(super) id: usize,
    /// Where the expression begins.
    pub(super) at: usize,
}

/// `if` and `unless`.
#[derive(Debug)]
pub(super) struct If {
    pub(super) condition: Expression,
    /// Whether `then` is for a condition that doesn't hold: `unless`.
    pub(super) negated: bool,
    /// Whether the number 0 holds.
    pub(super) include_zero: bool,
    pub(super) then: Nodes,
    pub(super) otherwise: Nodes,
    pub(super) at: usize,
}

/// `each`.
#[derive(Debug)]
pub(super) struct Each {
    pub(super) list: Expression,
    pub(super) body: Nodes,
    /// For a list without elements, and for what is no list.
    pub(super) otherwise: Nodes,
    pub(super) at: usize,
}

/// `with`.
#[derive(Debug)]
pub(super) struct With {
    pub(super) value: Expression,
    pub(super) body: Nodes,
    pub(super) otherwise: Nodes,
    pub(super) at: usize,
}

/// Where an expression stands, which says how its value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// Plain text, as it is.
    Text,
    /// In a JSON string.
    JsonString,
    /// Where a JSON value stands, in as many open brackets.
    JsonValue { depth: u8 },
    /// Between XML tags.
    XmlText,
    /// In an XML attribute's quotes.
    XmlAttribute,
    /// In a form's key or value.
    Form,
}

/// What gives a value.
#[derive(Debug)]
pub(super) enum Expression {
    /// A value of the data.
    Path(Path),
    /// What a loop knows of its element.
    Local(Local),
    /// A value written in the template.
    Literal(Document),
    /// A helper's result.
    Call(Box<Call>),
}

/// A way through the data.
#[derive(Debug)]
pub(super) struct Path {
    /// The block whose `this` it starts from; 0 is the root, 1 the outermost `each` or `with`.
    pub(super) scope: usize,
    pub(super) steps: Box<[Step]>,
    /// How many bytes its names have together: what following it may cost.
    pub(super) bytes: usize,
}

impl Path {
    pub(super) fn new(scope: usize, names: &[String]) -> Self {
        let steps = names.iter().map(|name| Step::new(name)).collect();
        Self { scope, steps, bytes: names.iter().map(String::len).sum() }
    }
}

/// One name of a path.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: Box<str>,
    /// The name as an index of a list, if it is one.
    pub(super) index: Option<usize>,
}

impl Step {
    fn new(name: &str) -> Self {
        Self { name: name.into(), index: name.parse().ok() }
    }
}

/// What a loop knows of its element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Local {
    /// The loop, numbered like [`Path::scope`].
    pub(super) scope: usize,
    pub(super) what: LocalName,
}

/// The names of [`Local`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LocalName {
    /// `@first`
    First,
    /// `@last`
    Last,
    /// `@index`, from 0.
    Index,
    /// `@key`: an object's member's name; missing in a list.
    Key,
    /// The second of `as |item place|`: the key in an object, the index in a list.
    KeyOrIndex,
}

/// A helper with what it is given.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) helper: Helper,
    pub(super) arguments: Box<[Expression]>,
    pub(super) options: Box<[(&'static str, Expression)]>,
}

impl Call {
    /// The option of this name.
    pub(super) fn option(&self, name: &str) -> Option<&Expression> {
        self.options.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }
}
