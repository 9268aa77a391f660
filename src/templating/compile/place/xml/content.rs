//! Reads what is between tags: text, references, comments, CDATA sections.

use super::names::ListId;
use super::{XmlMachine, XmlMode, XmlState, XmlStep, is_blank, xml_error};
use crate::templating::render::escape::xml::is_allowed;

/// Before or after the root element.
pub(super) fn around(state: XmlState, c: char) -> XmlStep {
    let behind = state.mode == XmlMode::Behind;
    match c {
        c if is_blank(c) => Ok(state.to(if behind { XmlMode::Behind } else { XmlMode::Before })),
        // The next character distinguishes a second element from a comment.
        '<' => Ok(XmlState { text: ListId::from(behind), ..state.to(XmlMode::Open) }),
        _ => Err(xml_error("xml_outside_root", "An XML body is one element: text outside it is not allowed.")),
    }
}

pub(super) fn content(state: XmlState, brackets: u8, c: char) -> XmlStep {
    Ok(match c {
        '<' => state.to(XmlMode::Open),
        '&' => state.to(XmlMode::Reference(None)),
        '>' if brackets == 2 => {
            return Err(xml_error(
                "xml_bracket",
                "Write &gt; for this >: it is not allowed after ]], and a value may end with ]].",
            ));
        }
        ']' => state.to(XmlMode::Content(2.min(brackets + 1))),
        _ => state.to(XmlMode::Content(0)),
    })
}

/// After `<!`.
pub(super) fn bang(state: XmlState, rest: &'static str, c: char) -> XmlStep {
    let rest = match (rest, c) {
        ("", '-') => "-",
        ("", '[') if state.stack != 0 => "CDATA[",
        ("", 'D') => {
            return Err(xml_error("xml_doctype", "Document types (<!DOCTYPE …>) are not accepted."));
        }
        (rest, c) => match rest.strip_prefix(c) {
            Some("") if rest == "-" => return Ok(state.to(XmlMode::Comment(0))),
            Some("") => return Ok(state.to(XmlMode::Cdata(0))),
            Some(rest) => rest,
            None => {
                return Err(xml_error(
                    "xml_syntax",
                    "<! must begin a comment (<!-- … -->) or, inside the element, a CDATA section.",
                ));
            }
        },
    };
    Ok(state.to(XmlMode::Bang(rest)))
}

pub(super) fn comment(state: XmlState, dashes: u8, c: char) -> XmlStep {
    match (dashes, c) {
        (2, '>') if state.stack != 0 => Ok(XmlState::outside(state.stack)),
        (2, '>') if state.text != 0 => Ok(XmlState::outside(0)),
        (2, '>') => Ok(XmlState::outside(0).to(XmlMode::Before)),
        (2, _) => Err(xml_error("xml_syntax", "A comment can't contain --.")),
        (_, '-') => Ok(state.to(XmlMode::Comment(dashes + 1))),
        _ => Ok(state.to(XmlMode::Comment(0))),
    }
}

/// In a CDATA section.
pub(super) fn cdata(state: XmlState, brackets: u8, c: char) -> XmlState {
    state.to(match (brackets, c) {
        (2, '>') => XmlMode::Content(0),
        (_, ']') => XmlMode::Cdata(2.min(brackets + 1)),
        _ => XmlMode::Cdata(0),
    })
}

impl XmlMachine {
    /// After `&`: one of XML's five names, or a character's number.
    pub(super) fn reference(&mut self, state: XmlState, quote: Option<char>, c: char) -> XmlStep {
        if c != ';' {
            let text = self.lists.push_char(state.text, c);
            let fits = (c.is_ascii_alphanumeric() || c == '#') && self.lists.length(text) <= 8;
            return if fits { Ok(XmlState { text, ..state }) } else { Err(reference_error()) };
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
        if !named && !text.is_empty() && text.chars().all(char::is_alphanumeric) {
            return Err(xml_error(
                "xml_ampersand",
                format!(
                    "&{text}; belongs to HTML. Write the character itself, or its number: &#160; is a no-break space."
                ),
            ));
        }
        if !named && !number.and_then(char::from_u32).is_some_and(is_allowed) {
            return Err(reference_error());
        }
        let mode = quote.map_or(XmlMode::Content(0), |quote| XmlMode::Value { quote, declares: false });
        Ok(XmlState { text: 0, ..state.to(mode) })
    }
}

fn reference_error() -> super::PlacementError {
    xml_error(
        "xml_ampersand",
        "For a literal & write &amp; (the references of XML are &amp; &lt; &gt; &quot; &apos; and numbers like \
        &#233;).",
    )
}
