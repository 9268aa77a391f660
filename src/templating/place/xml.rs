//! Reads XML 1.0 with namespaces, character by character: one element, with an optional
//! declaration, comments and white space round it. Document types are not taken.

use super::xml_names::{self, Id, Lists};
use super::{Fault, Machine, Misplaced, xml_declaration};
use crate::templating::escape::xml::is_allowed;
use crate::templating::program::Place;

/// The deepest nesting of elements.
const DEPTH_MAX: usize = 100;

/// The most attributes of one tag.
const ATTRIBUTES_MAX: usize = 200;

/// The machine, with the names it has read.
#[derive(Debug, Default)]
pub(super) struct Xml {
    lists: Lists,
}

/// Where in the document the text has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State {
    mode: Mode,
    /// The open elements: for each its name and its attributes.
    stack: Id,
    /// The name in the tag that is read.
    name: Id,
    /// The attributes in that tag: for each its name, and its value if it declares a namespace.
    attributes: Id,
    /// The name of the attribute that is read.
    attribute: Id,
    /// Its value if it declares a namespace; the text of a reference.
    text: Id,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mode {
    /// Nothing was read.
    Start,
    /// Before the element.
    Before,
    /// In an element, after so many `]` (a value may end with any number: 2).
    Content(u8),
    /// After the element.
    Behind,
    /// After `<`.
    Open,
    /// After `<!`: what of `--` or `[CDATA[` is still to come.
    Bang(&'static str),
    /// In a comment, after so many `-`.
    Comment(u8),
    /// In a CDATA section, after so many `]`.
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

type Stepped = Result<State, Fault>;

impl State {
    fn to(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Outside all tags.
    fn outside(stack: Id) -> Self {
        Self {
            mode: if stack == 0 { Mode::Behind } else { Mode::Content(0) },
            stack,
            name: 0,
            attributes: 0,
            attribute: 0,
            text: 0,
        }
    }
}

impl Machine for Xml {
    type State = State;

    fn start(&self) -> State {
        State::outside(0).to(Mode::Start)
    }

    fn prefix(&mut self, state: State, text: &str) -> Result<Option<(usize, State)>, Fault> {
        let declared = state.mode == Mode::Start
            && text.starts_with("<?xml")
            && !text["<?xml".len()..].starts_with(xml_names::continues_name);
        if !declared {
            return Ok(None);
        }
        Ok(Some((xml_declaration::read(text)?, state.to(Mode::Before))))
    }

    fn step(&mut self, state: State, c: char) -> Result<(State, bool), Fault> {
        if !is_allowed(c) {
            return Err(fault("xml_character", "XML can't hold this control character."));
        }
        let next = match state.mode {
            Mode::Start | Mode::Before | Mode::Behind => around(state, c),
            Mode::Content(brackets) => content(state, brackets, c),
            Mode::Open => self.opened(state, c),
            Mode::Bang(rest) => bang(state, rest, c),
            Mode::Comment(dashes) => comment(state, dashes, c),
            Mode::Cdata(brackets) => Ok(state.to(match (brackets, c) {
                (2, '>') => Mode::Content(0),
                (_, ']') => Mode::Cdata(2.min(brackets + 1)),
                _ => Mode::Cdata(0),
            })),
            Mode::Name => self.name(state, c),
            Mode::InTag | Mode::AfterAttribute => self.in_tag(state, c),
            Mode::Slash if c == '>' => self.tag_ends(state, true),
            Mode::Slash => Err(fault("xml_syntax", "After this / only > may stand.")),
            Mode::AttributeName | Mode::AfterAttributeName => self.attribute_name(state, c),
            Mode::BeforeValue => self.before_value(state, c),
            Mode::Value { quote, declares } => self.value_text(state, quote, declares, c),
            Mode::Reference(quote) => self.reference(state, quote, c),
            Mode::CloseName | Mode::Close => self.close(state, c),
        };
        next.map(|next| (next, false))
    }

    fn value(&mut self, state: State) -> Result<(Place, State), Misplaced<State>> {
        let (code, message, onward) = match state.mode {
            // The value may end with `]]`, behind which `>` can't stand.
            Mode::Content(_) => return Ok((Place::XmlText, state.to(Mode::Content(2)))),
            Mode::Value { declares: false, .. } => return Ok((Place::XmlAttribute, state)),
            Mode::Value { .. } => ("xml_namespace", "A namespace can't come from the data: write it out.", Some(state)),
            Mode::Start | Mode::Before | Mode::Behind => (
                "xml_outside_root",
                "No value can stand outside the one element that the body is: write <element>{{…}}</element>.",
                Some(state),
            ),
            Mode::BeforeValue => {
                ("xml_unquoted_attribute", "An attribute's value stands in quotes: write name=\"{{…}}\".", None)
            }
            Mode::Comment(_) => (
                "xml_in_comment",
                "No value can stand in a comment, which receivers skip anyway. Take the expression, or the comment, out.",
                Some(state),
            ),
            Mode::Cdata(_) => (
                "xml_in_cdata",
                "No value can stand in a CDATA section. Write the expression as plain text: it is escaped by itself.",
                Some(state),
            ),
            Mode::Reference(_) => ("expression_in_token", "No value can stand in a reference like &amp;.", None),
            _ => (
                "xml_in_tag",
                "No value can stand in a tag, except in an attribute's quotes. Names of elements and attributes are written out.",
                None,
            ),
        };
        Err(Misplaced::new(code, message, onward))
    }

    fn end(&self, state: State) -> Result<(), Fault> {
        match state.mode {
            Mode::Behind => Ok(()),
            Mode::Start | Mode::Before => Err(fault(
                "xml_no_element",
                "There are data for which the body has no element. An XML body is one element.",
            )
            .at(super::Blame::Block)),
            _ => match self.lists.pop(state.stack) {
                Some((_, (name, _))) => Err(fault(
                    "xml_unclosed",
                    format!(
                        "There are data for which an element is never closed: write </{}> where it ends.",
                        self.lists.text(name)
                    ),
                )),
                None => Err(fault("xml_unclosed", "The body ends inside a tag or a comment.")),
            },
        }
    }
}

impl Xml {
    /// Whether an attribute of this name declares a namespace.
    fn declares(&self, attribute: Id) -> bool {
        let name = self.lists.text(attribute);
        name == "xmlns" || name.starts_with("xmlns:")
    }

    /// The character after `<`.
    fn opened(&mut self, state: State, c: char) -> Stepped {
        match c {
            '/' if state.stack != 0 => Ok(state.to(Mode::CloseName)),
            '/' => Err(fault("xml_close", "There is no open element to close here.")),
            '!' => Ok(state.to(Mode::Bang(""))),
            '?' => Err(fault(
                "xml_declaration",
                "<? begins only the declaration, which is the very first thing in the body: <?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            )),
            c if xml_names::begins_name(c) && state.stack == 0 && state.text != 0 => Err(fault(
                "xml_outside_root",
                "An XML body is one element, and it has ended before this one. Put both in an element of their own.",
            )),
            c if xml_names::begins_name(c) => {
                let name = self.lists.push_char(0, c);
                Ok(State { name, text: 0, ..state.to(Mode::Name) })
            }
            _ => Err(fault("xml_syntax", "After < an element's name must stand. For the sign itself write &lt;")),
        }
    }

    fn name(&mut self, state: State, c: char) -> Stepped {
        match c {
            c if xml_names::continues_name(c) => {
                let name = self.lists.push_char(state.name, c);
                Ok(State { name, ..state })
            }
            _ => self.in_tag(state.to(Mode::Name), c),
        }
    }

    /// In a tag, between its parts.
    fn in_tag(&mut self, state: State, c: char) -> Stepped {
        match c {
            c if is_blank(c) => Ok(state.to(Mode::InTag)),
            '/' => Ok(state.to(Mode::Slash)),
            '>' => self.tag_ends(state, false),
            c if state.mode == Mode::InTag && xml_names::begins_name(c) => {
                let attribute = self.lists.push_char(0, c);
                Ok(State { attribute, ..state.to(Mode::AttributeName) })
            }
            c if xml_names::begins_name(c) => Err(fault("xml_syntax", "Before an attribute a blank must stand.")),
            _ => Err(fault("xml_syntax", "In a tag only attributes like name=\"…\" may stand here, or the tag's end.")),
        }
    }

    fn tag_ends(&mut self, state: State, empty: bool) -> Stepped {
        xml_names::check(&self.lists, state.name, state.attributes, state.stack)
            .map_err(|message| fault("xml_namespace", message))?;
        if empty {
            return Ok(State::outside(state.stack));
        }
        if self.lists.length(state.stack) >= DEPTH_MAX {
            return Err(fault("xml_too_deep", "Elements stand too deep in one another: 100 are the most."));
        }
        let stack = self.lists.push(state.stack, (state.name, state.attributes));
        Ok(State::outside(stack))
    }

    fn attribute_name(&mut self, state: State, c: char) -> Stepped {
        match c {
            c if state.mode == Mode::AttributeName && xml_names::continues_name(c) => {
                let attribute = self.lists.push_char(state.attribute, c);
                Ok(State { attribute, ..state })
            }
            c if is_blank(c) => Ok(state.to(Mode::AfterAttributeName)),
            '=' if self.lists.length(state.attributes) >= ATTRIBUTES_MAX => {
                Err(fault("xml_too_deep", "A tag can't have more than 200 attributes."))
            }
            '=' => {
                let twice = self.lists.backwards(state.attributes).any(|(name, _)| name == state.attribute);
                if twice {
                    let name = self.lists.text(state.attribute);
                    return Err(fault(
                        "xml_attribute_twice",
                        format!("There are data for which this tag has the attribute {name} twice."),
                    ));
                }
                Ok(state.to(Mode::BeforeValue))
            }
            _ => Err(fault("xml_syntax", "After an attribute's name =\"…\" must stand.")),
        }
    }

    fn before_value(&self, state: State, c: char) -> Stepped {
        match c {
            '"' | '\'' => {
                let declares = self.declares(state.attribute);
                Ok(State { text: 0, ..state.to(Mode::Value { quote: c, declares }) })
            }
            c if is_blank(c) => Ok(state),
            _ => Err(fault("xml_unquoted_attribute", "An attribute's value stands in quotes.")),
        }
    }

    fn value_text(&mut self, state: State, quote: char, declares: bool, c: char) -> Stepped {
        match c {
            c if c == quote => {
                let attributes = self.lists.push(state.attributes, (state.attribute, state.text));
                let state = State { attributes, attribute: 0, text: 0, ..state };
                Ok(state.to(Mode::AfterAttribute))
            }
            '<' => Err(fault("xml_syntax", "In an attribute's value write &lt; for <")),
            '&' if declares => Err(fault("xml_namespace", "In a namespace's name no & may stand.")),
            '&' => Ok(State { text: 0, ..state.to(Mode::Reference(Some(quote))) }),
            c if declares => {
                let text = self.lists.push_char(state.text, c);
                Ok(State { text, ..state })
            }
            _ => Ok(state),
        }
    }

    /// After `&`: one of XML's five names, or a character's number.
    fn reference(&mut self, state: State, quote: Option<char>, c: char) -> Stepped {
        if c != ';' {
            let text = self.lists.push_char(state.text, c);
            let fits = (c.is_ascii_alphanumeric() || c == '#') && self.lists.length(text) <= 8;
            return if fits { Ok(State { text, ..state }) } else { Err(reference_fault()) };
        }
        let text = self.lists.text(state.text);
        let number = match text.strip_prefix('#') {
            Some(digits) => match digits.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => digits.parse().ok(),
            },
            None => None,
        };
        let named = matches!(text.as_str(), "amp" | "lt" | "gt" | "quot" | "apos");
        if !named && !number.and_then(char::from_u32).is_some_and(is_allowed) {
            return Err(reference_fault());
        }
        let mode = quote.map_or(Mode::Content(0), |quote| Mode::Value { quote, declares: false });
        Ok(State { text: 0, ..state.to(mode) })
    }

    /// After `</`.
    fn close(&mut self, state: State, c: char) -> Stepped {
        let naming = state.mode == Mode::CloseName;
        match c {
            c if naming && ((xml_names::continues_name(c) && state.name != 0) || xml_names::begins_name(c)) => {
                let name = self.lists.push_char(state.name, c);
                Ok(State { name, ..state })
            }
            c if is_blank(c) && state.name != 0 => Ok(state.to(Mode::Close)),
            '>' => {
                let (stack, (name, _)) = self.lists.pop(state.stack).expect("an element is open: `opened` saw to it");
                if name == state.name {
                    return Ok(State::outside(stack));
                }
                let (open, close) = (self.lists.text(name), self.lists.text(state.name));
                Err(fault(
                    "xml_close",
                    format!(
                        "There are data for which the element open here is <{open}>, not <{close}>: write </{open}>, and let each block hold whole elements."
                    ),
                ))
            }
            _ => Err(fault("xml_syntax", "After </ the element's name and > must stand, as in </name>.")),
        }
    }
}

fn fault(code: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::here(code, message)
}

fn reference_fault() -> Fault {
    fault(
        "xml_ampersand",
        "For & itself write &amp; (the references that XML knows are &amp; &lt; &gt; &quot; &apos; and numbers like &#233;).",
    )
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Before or behind the element.
fn around(state: State, c: char) -> Stepped {
    let behind = state.mode == Mode::Behind;
    match c {
        c if is_blank(c) => Ok(state.to(if behind { Mode::Behind } else { Mode::Before })),
        // A second element is told from a comment by the next character.
        '<' => Ok(State { text: Id::from(behind), ..state.to(Mode::Open) }),
        _ => Err(fault("xml_outside_root", "An XML body is one element: no text may stand outside it.")),
    }
}

fn content(state: State, brackets: u8, c: char) -> Stepped {
    Ok(match c {
        '<' => state.to(Mode::Open),
        '&' => state.to(Mode::Reference(None)),
        '>' if brackets == 2 => {
            return Err(fault(
                "xml_bracket",
                "Write &gt; for this >: after ]] (with which a value may end) it can't stand in text.",
            ));
        }
        ']' => state.to(Mode::Content(2.min(brackets + 1))),
        _ => state.to(Mode::Content(0)),
    })
}

/// After `<!`.
fn bang(state: State, rest: &'static str, c: char) -> Stepped {
    let rest = match (rest, c) {
        ("", '-') => "-",
        ("", '[') if state.stack != 0 => "CDATA[",
        ("", 'D') => return Err(fault("xml_doctype", "Document types (<!DOCTYPE …>) are not taken.")),
        (rest, c) => match rest.strip_prefix(c) {
            Some("") if rest == "-" => return Ok(state.to(Mode::Comment(0))),
            Some("") => return Ok(state.to(Mode::Cdata(0))),
            Some(rest) => rest,
            None => {
                return Err(fault(
                    "xml_syntax",
                    "After <! only a comment (<!-- … -->) or, inside the element, a CDATA section may come.",
                ));
            }
        },
    };
    Ok(state.to(Mode::Bang(rest)))
}

fn comment(state: State, dashes: u8, c: char) -> Stepped {
    match (dashes, c) {
        (2, '>') if state.stack != 0 => Ok(State::outside(state.stack)),
        (2, '>') if state.text != 0 => Ok(State::outside(0)),
        (2, '>') => Ok(State::outside(0).to(Mode::Before)),
        (2, _) => Err(fault("xml_syntax", "In a comment no -- may stand.")),
        (_, '-') => Ok(state.to(Mode::Comment(dashes + 1))),
        _ => Ok(state.to(Mode::Comment(0))),
    }
}
