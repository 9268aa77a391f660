//! Helpers as a template calls them: each by its name, with as many values as it takes, and with
//! constants that it can use. A mistake here is seen when the template is saved, not when an event
//! fires it.

use handlebars::template::{HelperTemplate, Parameter, Subexpression, TemplateElement};
use serde_json::Value;

use super::super::diagnostic::Severity;
use super::super::foreign;
use super::super::tags;
use super::{ParserState, refused};
use crate::json::nearest::likely;
use crate::templating::program::{Expression, HelperCall};
use crate::templating::render::helpers;

/// The longest call that a message repeats.
const WRITTEN_BYTES_MAX: usize = 120;

impl ParserState<'_, '_, '_, '_> {
    /// A value that a block or helper is given.
    pub(super) fn parameter(&mut self, parameter: &Parameter, at: usize) -> Expression {
        match parameter {
            Parameter::Literal(Value::Array(_) | Value::Object(_)) => {
                self.findings.error("syntax", at, "A list or an object can't be written in an expression.");
                refused()
            }
            Parameter::Literal(value) => Expression::Literal(Box::new(value.into())),
            Parameter::Subexpression(inner) => self.call_of(inner, at),
            _ => {
                let text = parameter.as_name().unwrap_or("").to_owned();
                if foreign::is_other_number(&text) {
                    let message = format!(
                        "{text} is not a number here. Write all digits and no other sign, as in 100 or 0.5; a name is \
                         in brackets: [{text}]."
                    );
                    self.findings.error("syntax", at, message);
                    return refused();
                }
                self.path(&text, at)
            }
        }
    }

    /// `(…)`: always a helper.
    pub(super) fn call_of(&mut self, inner: &Subexpression, at: usize) -> Expression {
        match inner.element.as_ref() {
            TemplateElement::Expression(helper) => self.call(helper, at),
            _ => refused(),
        }
    }

    /// A helper with what it is given.
    pub(super) fn call(&mut self, call: &HelperTemplate, at: usize) -> Expression {
        let name = call.name.as_name().unwrap_or("");
        let Some((id, helper)) = helpers::find(name) else {
            self.no_helper(name, call, at);
            return refused();
        };
        let (least, most) = helper.values;
        if let Some(message) = element("", &call.params) {
            self.findings.error("foreign_syntax", at, message);
            return refused();
        }
        if !(least..=most).contains(&call.params.len()) {
            let values = match (least, most) {
                (1, 1) => "one value".to_owned(),
                _ if least == most => format!("{least} values"),
                _ => format!("{least} to {most} values"),
            };
            let message = format!("{name} takes {values}, as in {}.", helper.example);
            self.findings.error("helper_values", at, message);
            return refused();
        }
        let arguments: Box<[Expression]> = call.params.iter().map(|parameter| self.parameter(parameter, at)).collect();
        let mut options = Vec::new();
        let mut named: Vec<_> = call.hash.iter().collect();
        named.sort_by_key(|(name, _)| *name);
        for (option, value) in named {
            let Some(option) = helper.options.iter().find(|known| *known == option) else {
                let message = format!("{name} has no option {option:?}. It is used like {}.", helper.example);
                self.findings.error("helper_values", at, message);
                continue;
            };
            options.push((*option, self.parameter(value, at)));
        }
        let call = HelperCall { helper: id, arguments, options: options.into(), at: self.findings.place(at) };
        if let Some(message) = (helper.check)(&call) {
            self.findings.error("helper_values", at, format!("{message} As in {}.", helper.example));
        }
        Expression::Call(Box::new(call))
    }

    /// A call that does not begin with a helper.
    fn no_helper(&mut self, name: &str, call: &HelperTemplate, at: usize) {
        let list = call.params.first().and_then(|first| element_of(name, first));
        if let Some(message) = list {
            return self.findings.error("foreign_syntax", at, message);
        }
        let is_name = foreign::is_value(name);
        if is_name && call.params.is_empty() && call.hash.is_empty() {
            let message = format!(
                "({name}) is no helper with its values: write {name} without parentheses, behind a blank, as in \
                {{{{upper {name}}}}}."
            );
            return self.findings.error("unknown_helper", at, message);
        }
        let words = written(&call.params).filter(|_| is_name && !call.params.is_empty());
        match words.and_then(|words| helper_call([name.to_owned()].into_iter().chain(words).collect())) {
            Some(call) => {
                let message = format!("A helper is written before its values: {call}.");
                self.findings.error("unknown_helper", at, message);
            }
            None => self.unknown_helper(name, at),
        }
    }

    fn unknown_helper(&mut self, name: &str, at: usize) {
        let message = match name {
            _ if let Some(instead) = foreign::instead_of_helper(name) => instead.to_owned(),
            _ if tags::of_name(name).is_some() => {
                "A tag takes no values: write it alone, or as a value of a helper, as in {{upper *|GUEST:NAME|*}}."
                    .to_owned()
            }
            "" => "A helper's name must come first, as in {{upper guest.name}}.".to_owned(),
            "if" | "unless" | "each" | "with" | "parts" => {
                format!("A block begins with a #: {{{{#{name} …}}}}…{{{{/{name}}}}}.")
            }
            _ => {
                let names = helpers::all().map(|helper| helper.name);
                let suggestion = foreign::helper(name).or_else(|| likely(name, names));
                let hint = suggestion.map(|name| format!(" Did you mean {name}?")).unwrap_or_default();
                let message = format!(
                    "There is no helper {name:?}.{hint} A field of the data is written with dots, as in {{{{guest.name}}}}."
                );
                let suggestion = suggestion.map(str::to_owned);
                return self.findings.add(Severity::Error, "unknown_helper", at, message, suggestion);
            }
        };
        self.findings.error("unknown_helper", at, message);
    }
}

/// What to write for an element, `items[0]`, among values. The parser takes its brackets for a list of its own.
pub(super) fn element(block: &str, parameters: &[Parameter]) -> Option<String> {
    let mut pairs = parameters.windows(2);
    pairs.find_map(|pair| element_of(&format!("{block}{}", pair[0].as_name()?), &pair[1]))
}

fn element_of(list: &str, brackets: &Parameter) -> Option<String> {
    match brackets {
        Parameter::Literal(index @ Value::Array(_)) => foreign::explain(&format!("{list}{index}")),
        _ => None,
    }
}

/// What to write for a block with `item in items`.
pub(super) fn element_in(parameters: &[Parameter]) -> Option<String> {
    match written(parameters)?.as_slice() {
        [item, word, list] if word == "in" => {
            Some(format!("A list is repeated with {{{{#each {list} as |{item}|}}}}…{{{{{item}}}}}…{{{{/each}}}}."))
        }
        _ => None,
    }
}

/// What a block's values mean if one of the first two names a helper: `eq a b` or `a eq b` is `(eq a b)`.
pub(super) fn without_parentheses(parameters: &[Parameter]) -> Option<String> {
    helper_call(written(parameters).filter(|words| words.len() > 1)?)
}

/// Values as their author wrote them.
fn written(parameters: &[Parameter]) -> Option<Vec<String>> {
    let word = |parameter: &Parameter| match parameter {
        Parameter::Literal(value) => Some(value.to_string()),
        other => other.as_name().filter(|name| foreign::is_value(name)).map(str::to_owned),
    };
    parameters.iter().map(word).collect()
}

fn helper_call(mut words: Vec<String>) -> Option<String> {
    let place = words.iter().take(2).position(|word| helpers::find(word).is_some())?;
    let name = words.remove(place);
    let call = format!("({name} {})", words.join(" "));
    (call.len() <= WRITTEN_BYTES_MAX).then_some(call)
}
