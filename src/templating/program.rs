//! A template as the renderer walks it: what is written, chosen and repeated, with every path resolved to the block it
//! starts from and every expression to its escape context. Plain data; the parser's own tree is not kept.

use std::num::NonZeroU32;

use super::render::data::EVENT;
use crate::json::{Document, Json};

/// Parts, in order.
pub(crate) type Nodes = Vec<TemplateNode>;

/// One part of a template.
#[derive(Debug)]
pub(crate) enum TemplateNode {
    /// Text of the template.
    Text(TextNode),
    /// A value.
    Write(ValueNode),
    /// One of two parts.
    If(Box<IfNode>),
    /// A part for each element.
    Each(Box<EachNode>),
    /// A part with another value as `this`.
    With(Box<WithNode>),
    /// Parts with a separator between those that are not blank.
    Parts(Box<PartsNode>),
}

impl TemplateNode {
    /// The parts inside.
    pub(crate) fn inner(&self) -> Vec<&Nodes> {
        match self {
            Self::Text(_) | Self::Write(_) => Vec::new(),
            Self::If(chosen) => vec![&chosen.then, &chosen.otherwise],
            Self::Each(each) => vec![&each.body, &each.otherwise],
            Self::With(with) => vec![&with.body, &with.otherwise],
            Self::Parts(parts) => parts.parts.iter().collect(),
        }
    }

    /// The parts inside.
    pub(crate) fn inner_mut(&mut self) -> Vec<&mut Nodes> {
        match self {
            Self::Text(_) | Self::Write(_) => Vec::new(),
            Self::If(chosen) => vec![&mut chosen.then, &mut chosen.otherwise],
            Self::Each(each) => vec![&mut each.body, &mut each.otherwise],
            Self::With(with) => vec![&mut with.body, &mut with.otherwise],
            Self::Parts(parts) => parts.parts.iter_mut().collect(),
        }
    }

    /// The separator of the parts inside, if there is one.
    pub(crate) fn separator(&self) -> Option<&SeparatorNode> {
        match self {
            Self::Each(each) => each.separator.as_ref(),
            Self::Parts(parts) => Some(&parts.separator),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn separator_mut(&mut self) -> Option<&mut SeparatorNode> {
        match self {
            Self::Each(each) => each.separator.as_mut(),
            Self::Parts(parts) => Some(&mut parts.separator),
            _ => None,
        }
    }
}

/// Text of the template.
#[derive(Debug)]
pub(crate) struct TextNode {
    pub(crate) content: Box<str>,
    /// The number of this text, in the order of the body.
    pub(crate) id: usize,
}

/// What is written between parts that are not blank.
#[derive(Debug)]
pub(crate) struct SeparatorNode {
    pub(crate) text: TextNode,
    /// Whether the parts are percent-encoded, so that a blank in them is `%20`.
    pub(crate) is_encoded: bool,
}

/// A value that is written.
#[derive(Debug)]
pub(crate) struct ValueNode {
    pub(crate) value: Expression,
    /// How it is escaped. Set by `compile/place`; until then it means nothing.
    pub(crate) context: EscapeContext,
    /// The number of this value, in the order of the body.
    pub(crate) id: usize,
    /// Where the expression begins.
    pub(crate) at: usize,
}

/// `if` and `unless`.
#[derive(Debug)]
pub(crate) struct IfNode {
    pub(crate) condition: Expression,
    /// Whether `then` is used if the condition does not hold: `unless`.
    pub(crate) negated: bool,
    /// Whether the number 0 counts as true.
    pub(crate) include_zero: bool,
    pub(crate) then: Nodes,
    pub(crate) otherwise: Nodes,
    pub(crate) at: usize,
}

/// `each`.
#[derive(Debug)]
pub(crate) struct EachNode {
    pub(crate) list: Expression,
    pub(crate) body: Nodes,
    /// Used for a list without elements, and for a value that is not a list.
    pub(crate) otherwise: Nodes,
    /// Written between the elements' parts that are not blank.
    pub(crate) separator: Option<SeparatorNode>,
    pub(crate) at: usize,
}

/// `parts`.
#[derive(Debug)]
pub(crate) struct PartsNode {
    pub(crate) parts: Vec<Nodes>,
    pub(crate) separator: SeparatorNode,
    pub(crate) at: usize,
}

/// `with`.
#[derive(Debug)]
pub(crate) struct WithNode {
    pub(crate) value: Expression,
    pub(crate) body: Nodes,
    pub(crate) otherwise: Nodes,
    pub(crate) at: usize,
}

/// The context of an expression, which determines how its value is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum EscapeContext {
    /// Plain text, as it is.
    Text,
    /// In a JSON string.
    JsonString,
    /// A JSON value, inside this many open brackets.
    JsonValue { depth: u8 },
    /// Between XML tags.
    XmlText,
    /// In an XML attribute's quotes.
    XmlAttribute,
    /// In a form's key or value.
    Form,
    /// In a segment of a URL's path.
    UrlPath,
    /// In a URL's query.
    UrlQuery,
}

/// An expression with a value.
#[derive(Debug)]
pub(crate) enum Expression {
    /// A value of the data.
    Path(DataPath),
    /// What a loop provides for its element.
    Local(Local),
    /// A value written in the template.
    Literal(Box<Document>),
    /// A helper's result.
    Call(Box<HelperCall>),
}

/// A path through the data.
#[derive(Debug)]
pub(crate) struct DataPath {
    /// The block whose `this` it starts from; 0 is the root, 1 the outermost `each` or `with`.
    pub(crate) scope: usize,
    pub(crate) steps: Box<[PathStep]>,
    /// The total length of its names in bytes: the possible cost of following it.
    pub(crate) bytes: usize,
    /// Whether it may read the properties of the event itself.
    pub(crate) reads_event: bool,
    /// The object of the data whose member it is: paths of the template with the same names before the last one have the
    /// same number. `None`: it starts from a block, or may read the properties of the event.
    pub(crate) object: Option<NonZeroU32>,
}

impl DataPath {
    /// `object` numbers the names before the last one.
    pub(crate) fn new(scope: usize, names: &[String], object: impl FnOnce(&[String]) -> NonZeroU32) -> Self {
        let steps = names.iter().map(|name| PathStep::new(name)).collect();
        let reads_event = scope == 0 && names.first().is_none_or(|name| name == EVENT);
        let object = names.split_last().filter(|_| scope == 0 && !reads_event).map(|(_, before)| object(before));
        Self { scope, steps, bytes: names.iter().map(String::len).sum(), reads_event, object }
    }
}

/// One name of a path.
#[derive(Debug)]
pub(crate) struct PathStep {
    pub(crate) name: Box<str>,
    /// The name as an index of a list, if it is one.
    pub(crate) index: Option<usize>,
}

impl PathStep {
    fn new(name: &str) -> Self {
        Self { name: name.into(), index: name.parse().ok() }
    }
}

/// What a loop provides for its element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Local {
    /// The loop, numbered like [`DataPath::scope`].
    pub(crate) scope: usize,
    pub(crate) what: LocalName,
}

/// The names of [`Local`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalName {
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

/// A helper: its group and its place there, see `render/helpers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct HelperId {
    pub(crate) group: usize,
    pub(crate) place: usize,
}

/// A call of a helper.
#[derive(Debug)]
pub(crate) struct HelperCall {
    pub(crate) helper: HelperId,
    pub(crate) arguments: Box<[Expression]>,
    pub(crate) options: Box<[(&'static str, Expression)]>,
    /// Where the expression begins in the body: line and column.
    pub(crate) at: (u32, u32),
}

impl HelperCall {
    /// The option of this name.
    pub(crate) fn option(&self, name: &str) -> Option<&Expression> {
        self.options.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// The text of the argument at this index, if it is a constant.
    pub(crate) fn constant(&self, place: usize) -> Option<&str> {
        self.arguments.get(place)?.literal()?.as_str()
    }

    /// The digits of the number at this index, if it is a constant.
    pub(crate) fn constant_number(&self, place: usize) -> Option<&str> {
        self.arguments.get(place)?.digits()
    }

    /// The text of an option, if it is a constant.
    pub(crate) fn constant_option(&self, name: &str) -> Option<&str> {
        self.option(name)?.literal()?.as_str()
    }

    /// The digits of a number of an option, if it is a constant.
    pub(crate) fn constant_option_number(&self, name: &str) -> Option<&str> {
        self.option(name)?.digits()
    }

    /// The boolean of an option, if it is a constant.
    pub(crate) fn constant_option_flag(&self, name: &str) -> Option<bool> {
        match self.option(name)?.literal()? {
            Json::Bool(truth) => Some(truth),
            _ => None,
        }
    }
}

impl Expression {
    /// The value, if it is a constant.
    pub(crate) fn literal(&self) -> Option<Json<'_>> {
        match self {
            Self::Literal(document) => Some(document.root()),
            _ => None,
        }
    }

    fn digits(&self) -> Option<&str> {
        match self.literal()? {
            Json::Number(digits) => Some(digits),
            _ => None,
        }
    }
}
