//! Tags: names, attributes and their values, and that each element is closed by its own name.

use super::names::{self, ListId};
use super::{XmlMachine, XmlMode, XmlState, XmlStep, is_blank, xml_error};

/// The deepest nesting of elements.
const DEPTH_MAX: usize = 100;
/// The most attributes of one tag.
const ATTRIBUTES_MAX: usize = 200;

impl XmlMachine {
    /// Whether an attribute of this name declares a namespace.
    fn declares(&self, attribute: ListId) -> bool {
        let name = self.lists.text(attribute);
        name == "xmlns" || name.starts_with("xmlns:")
    }

    /// The character after `<`.
    pub(super) fn opened(&mut self, state: XmlState, c: char) -> XmlStep {
        match c {
            '/' if state.stack != 0 => Ok(state.to(XmlMode::CloseName)),
            '/' => Err(xml_error("xml_close", "There is no open element to close here.")),
            '!' => Ok(state.to(XmlMode::Bang(""))),
            '?' => Err(xml_error(
                "xml_declaration",
                "<? can begin only the declaration, at the start of the body: <?xml version=\"1.0\" \
                encoding=\"UTF-8\"?>",
            )),
            c if names::begins_name(c) && state.stack == 0 && state.text != 0 => Err(xml_error(
                "xml_outside_root",
                "An XML body is one element, and it ends before this one. Put both in one element.",
            )),
            c if names::begins_name(c) => {
                let name = self.lists.push_char(0, c);
                Ok(XmlState { name, text: 0, ..state.to(XmlMode::Name) })
            }
            _ => Err(xml_error("xml_syntax", "< must be followed by an element's name. For a literal < write &lt;")),
        }
    }

    pub(super) fn name(&mut self, state: XmlState, c: char) -> XmlStep {
        match c {
            c if names::continues_name(c) => {
                let name = self.lists.push_char(state.name, c);
                Ok(XmlState { name, ..state })
            }
            _ => self.in_tag(state.to(XmlMode::Name), c),
        }
    }

    /// In a tag, between its parts.
    pub(super) fn in_tag(&mut self, state: XmlState, c: char) -> XmlStep {
        match c {
            c if is_blank(c) => Ok(state.to(XmlMode::InTag)),
            '/' => Ok(state.to(XmlMode::Slash)),
            '>' => self.tag_ends(state, false),
            c if state.mode == XmlMode::InTag && names::begins_name(c) => {
                let attribute = self.lists.push_char(0, c);
                Ok(XmlState { attribute, ..state.to(XmlMode::AttributeName) })
            }
            c if names::begins_name(c) => Err(xml_error("xml_syntax", "A space must precede an attribute.")),
            _ => {
                Err(xml_error("xml_syntax", "Only an attribute like name=\"…\" or the end of the tag is allowed here."))
            }
        }
    }

    pub(super) fn tag_ends(&mut self, state: XmlState, empty: bool) -> XmlStep {
        names::check(&self.lists, state.name, state.attributes, state.stack)
            .map_err(|error| xml_error("xml_namespace", error.to_string()))?;
        if empty {
            return Ok(XmlState::outside(state.stack));
        }
        if self.lists.length(state.stack) >= DEPTH_MAX {
            return Err(xml_error("xml_too_deep", "Elements are nested too deeply: the maximum is 100."));
        }
        let declarations = self.declarations(state.attributes);
        let stack = self.lists.push(state.stack, (state.name, declarations));
        Ok(XmlState::outside(stack))
    }

    /// The attributes that the element's content depends on. Without the others, paths that differ only in them
    /// have the same state after the tag.
    fn declarations(&mut self, attributes: ListId) -> ListId {
        let all: Vec<(ListId, ListId)> = self.lists.backwards(attributes).collect();
        all.into_iter().rev().fold(
            0,
            |kept, (name, value)| {
                if self.declares(name) { self.lists.push(kept, (name, value)) } else { kept }
            },
        )
    }

    pub(super) fn attribute_name(&mut self, state: XmlState, c: char) -> XmlStep {
        match c {
            c if state.mode == XmlMode::AttributeName && names::continues_name(c) => {
                let attribute = self.lists.push_char(state.attribute, c);
                Ok(XmlState { attribute, ..state })
            }
            c if is_blank(c) => Ok(state.to(XmlMode::AfterAttributeName)),
            '=' if self.lists.length(state.attributes) >= ATTRIBUTES_MAX => {
                Err(xml_error("xml_too_deep", "A tag can't have more than 200 attributes."))
            }
            '=' => {
                let twice = self.lists.backwards(state.attributes).any(|(name, _)| name == state.attribute);
                if twice {
                    let name = self.lists.text(state.attribute);
                    return Err(xml_error(
                        "xml_attribute_twice",
                        format!("For some data this tag has the attribute {name} twice."),
                    ));
                }
                Ok(state.to(XmlMode::BeforeValue))
            }
            _ => Err(xml_error("xml_syntax", "An attribute's name must be followed by =\"…\".")),
        }
    }

    pub(super) fn before_value(&self, state: XmlState, c: char) -> XmlStep {
        match c {
            '"' | '\'' => {
                let declares = self.declares(state.attribute);
                Ok(XmlState { text: 0, ..state.to(XmlMode::Value { quote: c, declares }) })
            }
            c if is_blank(c) => Ok(state),
            _ => Err(xml_error("xml_unquoted_attribute", "An attribute's value must be in quotes.")),
        }
    }

    pub(super) fn value_text(&mut self, state: XmlState, quote: char, declares: bool, c: char) -> XmlStep {
        match c {
            c if c == quote => {
                let attributes = self.lists.push(state.attributes, (state.attribute, state.text));
                let state = XmlState { attributes, attribute: 0, text: 0, ..state };
                Ok(state.to(XmlMode::AfterAttribute))
            }
            '<' => Err(xml_error("xml_syntax", "In an attribute's value write &lt; for <")),
            '&' if declares => Err(xml_error("xml_namespace", "A namespace's name can't contain &.")),
            '&' => Ok(XmlState { text: 0, ..state.to(XmlMode::Reference(Some(quote))) }),
            c if declares => {
                let text = self.lists.push_char(state.text, c);
                Ok(XmlState { text, ..state })
            }
            _ => Ok(state),
        }
    }

    /// After `</`.
    pub(super) fn close(&mut self, state: XmlState, c: char) -> XmlStep {
        let naming = state.mode == XmlMode::CloseName;
        match c {
            c if naming && ((names::continues_name(c) && state.name != 0) || names::begins_name(c)) => {
                let name = self.lists.push_char(state.name, c);
                Ok(XmlState { name, ..state })
            }
            c if is_blank(c) && state.name != 0 => Ok(state.to(XmlMode::Close)),
            '>' => {
                let (stack, (name, _)) = self.lists.pop(state.stack).expect("an element is open: `opened` saw to it");
                if name == state.name {
                    return Ok(XmlState::outside(stack));
                }
                let (open, close) = (self.lists.text(name), self.lists.text(state.name));
                let write = match open.as_str() {
                    // Those of HTML have no end.
                    "br" | "hr" | "img" | "input" | "link" | "meta" => format!("write <{open}/>"),
                    _ => format!("write </{open}>"),
                };
                Err(xml_error(
                    "xml_close",
                    format!(
                        "For some data the open element is <{open}>, not <{close}>: {write}, and let each block contain \
                        whole elements."
                    ),
                ))
            }
            _ => Err(xml_error("xml_syntax", "</ must be followed by the element's name and >, as in </name>.")),
        }
    }
}
