//! Reads XML 1.0 with namespaces, character by character: one element, with an optional declaration, comments and white
//! space around it. Document types are refused.

mod content;
mod declaration;
mod names;
mod tags;

use std::borrow::Cow;

use self::content::{around, bang, cdata, comment, content};
use self::names::{ListId, Lists};
use super::{ErrorLocation, Machine, MisplacedValue, PlacementError};
use crate::templating::program::EscapeContext;
use crate::templating::render::escape::xml::is_allowed;

/// The machine, with the names it has read.
#[derive(Debug, Default)]
pub(super) struct XmlMachine {
    lists: Lists,
}

/// The position in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct XmlState {
    mode: XmlMode,
    /// The open elements: for each its name and its attributes.
    stack: ListId,
    /// The name in the current tag.
    name: ListId,
    /// The attributes of that tag: their names, and the values of those that declare a namespace.
    attributes: ListId,
    /// The name of the current attribute.
    attribute: ListId,
    /// Its value if it declares a namespace; the text of a reference.
    text: ListId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum XmlMode {
    /// At the beginning.
    Start,
    /// Before the element.
    Before,
    /// In an element, after this many `]` (a value may end with any number: 2).
    Content(u8),
    /// After the element.
    Behind,
    /// After `<`.
    Open,
    /// After `<!`: the remaining characters of `--` or `[CDATA[`.
    Bang(&'static str),
    /// In a comment, after this many `-`.
    Comment(u8),
    /// In a CDATA section, after this many `]`.
    Cdata(u8),
    /// In a tag's name.
    Name,
    /// In a tag, after white space.
    InTag,
    /// In a tag, right after an attribute.
    AfterAttribute,
    /// After the `/` at a tag's end.
    Slash,
    AttributeName,
    AfterAttributeName,
    BeforeValue,
    /// In an attribute's value, with this quote.
    Value {
        quote: char,
        declares: bool,
    },
    /// After `&`, in an attribute's value with this quote or in content.
    Reference(Option<char>),
    /// In the name of a closing tag.
    CloseName,
    /// After that name.
    Close,
}

type XmlStep = Result<XmlState, PlacementError>;

impl XmlState {
    fn to(self, mode: XmlMode) -> Self {
        Self { mode, ..self }
    }

    /// Outside all tags.
    fn outside(stack: ListId) -> Self {
        Self {
            mode: if stack == 0 { XmlMode::Behind } else { XmlMode::Content(0) },
            stack,
            name: 0,
            attributes: 0,
            attribute: 0,
            text: 0,
        }
    }
}

impl Machine for XmlMachine {
    type State = XmlState;

    fn start(&self) -> XmlState {
        XmlState::outside(0).to(XmlMode::Start)
    }

    fn prefix(&mut self, state: XmlState, text: &str) -> Result<Option<(usize, XmlState)>, PlacementError> {
        let declared = state.mode == XmlMode::Start
            && text.starts_with("<?xml")
            && !text["<?xml".len()..].starts_with(names::continues_name);
        if !declared {
            return Ok(None);
        }
        Ok(Some((declaration::read(text)?, state.to(XmlMode::Before))))
    }

    fn step(&mut self, state: XmlState, c: char) -> Result<(XmlState, bool), PlacementError> {
        if !is_allowed(c) {
            return Err(xml_error("xml_character", "XML can't hold this control character."));
        }
        let next = match state.mode {
            XmlMode::Start | XmlMode::Before | XmlMode::Behind => around(state, c),
            XmlMode::Content(brackets) => content(state, brackets, c),
            XmlMode::Open => self.opened(state, c),
            XmlMode::Bang(rest) => bang(state, rest, c),
            XmlMode::Comment(dashes) => comment(state, dashes, c),
            XmlMode::Cdata(brackets) => Ok(cdata(state, brackets, c)),
            XmlMode::Name => self.name(state, c),
            XmlMode::InTag | XmlMode::AfterAttribute => self.in_tag(state, c),
            XmlMode::Slash if c == '>' => self.tag_ends(state, true),
            XmlMode::Slash => Err(xml_error("xml_syntax", "This / must be followed by >.")),
            XmlMode::AttributeName | XmlMode::AfterAttributeName => self.attribute_name(state, c),
            XmlMode::BeforeValue => self.before_value(state, c),
            XmlMode::Value { quote, declares } => self.value_text(state, quote, declares, c),
            XmlMode::Reference(quote) => self.reference(state, quote, c),
            XmlMode::CloseName | XmlMode::Close => self.close(state, c),
        };
        next.map(|next| (next, false))
    }

    fn value(&mut self, state: XmlState) -> Result<(EscapeContext, XmlState), MisplacedValue<XmlState>> {
        let (code, message, onward) = match state.mode {
            // The value may end with `]]`, and `]]>` is not allowed.
            XmlMode::Content(_) => return Ok((EscapeContext::XmlText, state.to(XmlMode::Content(2)))),
            XmlMode::Value { declares: false, .. } => return Ok((EscapeContext::XmlAttribute, state)),
            XmlMode::Value { .. } => {
                ("xml_namespace", "A namespace can't come from the data: write it literally.", Some(state))
            }
            XmlMode::Start | XmlMode::Before | XmlMode::Behind => (
                "xml_outside_root",
                "A value is not allowed outside the body's element: write <element>{{…}}</element>.",
                Some(state),
            ),
            XmlMode::BeforeValue => {
                ("xml_unquoted_attribute", "An attribute's value must be in quotes: write name=\"{{…}}\".", None)
            }
            XmlMode::Comment(_) => (
                "xml_in_comment",
                "A value is not allowed in a comment. Remove the expression or the comment.",
                Some(state),
            ),
            XmlMode::Cdata(_) => (
                "xml_in_cdata",
                "A value is not allowed in a CDATA section. Write the expression as text: it is escaped automatically.",
                Some(state),
            ),
            XmlMode::Reference(_) => ("expression_in_token", "A value is not allowed in a reference like &amp;.", None),
            _ => (
                "xml_in_tag",
                "A value is not allowed in a tag, except in the quotes of an attribute. Write the names of elements \
                and attributes literally.",
                None,
            ),
        };
        Err(MisplacedValue::new(code, message, onward))
    }

    fn end(&self, state: XmlState) -> Result<(), PlacementError> {
        match state.mode {
            XmlMode::Behind => Ok(()),
            XmlMode::Start | XmlMode::Before => {
                Err(xml_error("xml_no_element", "For some data the body has no element. An XML body is one element.")
                    .at(ErrorLocation::Block))
            }
            _ => match self.lists.pop(state.stack) {
                Some((_, (name, _))) => Err(xml_error(
                    "xml_unclosed",
                    format!(
                        "For some data an element is never closed: write </{}> where it ends.",
                        self.lists.text(name)
                    ),
                )),
                None => Err(xml_error("xml_unclosed", "The body ends inside a tag or a comment.")),
            },
        }
    }
}

fn xml_error(code: &'static str, message: impl Into<Cow<'static, str>>) -> PlacementError {
    PlacementError::here(code, message)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
