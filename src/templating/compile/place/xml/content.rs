//! Reads what is between tags: text, references, comments, CDATA sections.

use super::names::Id;
use super::{Mode, State, Stepped, XmlMachine, fault, is_blank};
use crate::templating::render::escape::xml::is_allowed;

/// Before or after the root element.
pub(super) fn around(state: State, c: char) -> Stepped {
    let behind = state.mode == Mode::Behind;
    match c {
        c if is_blank(c) => Ok(state.to(if behind { Mode::Behind } else { Mode::Before })),
        // The next character distinguishes a second element from a comment.
        '<' => Ok(State { text: Id::from(behind), ..state.to(Mode::Open) }),
        _ => Err(fault("xml_outside_root", "An XML body is one element: text outside it is not allowed.")),
    }
}

pub(super) fn content(state: State, brackets: u8, c: char) -> Stepped {
    Ok(match c {
        '<' => state.to(Mode::Open),
        '&' => state.to(Mode::Reference(None)),
        '>' if brackets == 2 => {
            return Err(fault(
                "xml_bracket",
                "Write &gt; for this >: it is not allowed after ]], and a value may end with ]].",
            ));
        }
        ']' => state.to(Mode::Content(2.min(brackets + 1))),
        _ => state.to(Mode::Content(0)),
    })
}

/// After `<!`.
pub(super) fn bang(state: State, rest: &'static str, c: char) -> Stepped {
    let rest = match (rest, c) {
        ("", '-') => "-",
        ("", '[') if state.stack != 0 => "CDATA[",
        ("", 'D') => {
            return Err(fault("xml_doctype", "Document types (<!DOCTYPE …>) are not accepted."));
        }
        (rest, c) => match rest.strip_prefix(c) {
            Some("") if rest == "-" => return Ok(state.to(Mode::Comment(0))),
            Some("") => return Ok(state.to(Mode::Cdata(0))),
            Some(rest) => rest,
            None => {
                return Err(fault(
                    "xml_syntax",
                    "<! must begin a comment (<!-- … -->) or, inside the element, a CDATA section.",
                ));
            }
        },
    };
    Ok(state.to(Mode::Bang(rest)))
}

pub(super) fn comment(state: State, dashes: u8, c: char) -> Stepped {
    match (dashes, c) {
        (2, '>') if state.stack != 0 => Ok(State::outside(state.stack)),
        (2, '>') if state.text != 0 => Ok(State::outside(0)),
        (2, '>') => Ok(State::outside(0).to(Mode::Before)),
        (2, _) => Err(fault("xml_syntax", "A comment can't contain --.")),
        (_, '-') => Ok(state.to(Mode::Comment(dashes + 1))),
        _ => Ok(state.to(Mode::Comment(0))),
    }
}

/// In a CDATA section.
pub(super) fn cdata(state: State, brackets: u8, c: char) -> State {
    state.to(match (brackets, c) {
        (2, '>') => Mode::Content(0),
        (_, ']') => Mode::Cdata(2.min(brackets + 1)),
        _ => Mode::Cdata(0),
    })
}

impl XmlMachine {
    /// After `&`: one of XML's five names, or a character's number.
    pub(super) fn reference(&mut self, state: State, quote: Option<char>, c: char) -> Stepped {
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
}

fn reference_fault() -> super::Fault {
    fault(
        "xml_ampersand",
        "For a literal & write &amp; (the references of XML are &amp; &lt; &gt; &quot; &apos; and numbers like \
        &#233;).",
    )
}
