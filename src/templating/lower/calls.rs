//! Helpers as a template calls them: each by its name, with as many values as it takes, and with
//! constants that it can use. A mistake here is seen when the template is saved, not when an event
//! fires it.

use handlebars::template::{HelperTemplate, Parameter, Subexpression, TemplateElement};
use serde_json::Value;

use super::super::diagnostic::Severity;
use super::super::helpers::numbers::DECIMALS_MAX;
use super::super::helpers::{self, Helper, Signature, dates};
use super::super::nearest::likely;
use super::super::program::{Call, Expression};
use super::super::tags;
use super::{Lowering, refused};

/// The longest text that `truncate` leaves.
const CHARACTERS_MAX: u64 = 1_000_000;

impl Lowering<'_, '_, '_, '_> {
    /// A value that a block or helper is given.
    pub(super) fn parameter(&mut self, parameter: &Parameter, at: usize) -> Expression {
        match parameter {
            Parameter::Literal(Value::Array(_) | Value::Object(_)) => {
                self.findings.error("syntax", at, "A list or an object can't be written in an expression.");
                refused()
            }
            Parameter::Literal(value) => Expression::Literal(value.into()),
            Parameter::Subexpression(inner) => self.call_of(inner, at),
            _ => {
                let text = parameter.as_name().unwrap_or("").to_owned();
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
        let Some(signature) = helpers::find(name) else {
            self.unknown_helper(name, at);
            return refused();
        };
        let (least, most) = signature.values;
        if !(least..=most).contains(&call.params.len()) {
            let values = match (least, most) {
                (1, 1) => "one value".to_owned(),
                _ if least == most => format!("{least} values"),
                _ => format!("{least} to {most} values"),
            };
            let message = format!("{name} takes {values}, as in {}.", signature.example);
            self.findings.error("helper_values", at, message);
            return refused();
        }
        let arguments: Box<[Expression]> = call.params.iter().map(|parameter| self.parameter(parameter, at)).collect();
        let mut options = Vec::new();
        let mut named: Vec<_> = call.hash.iter().collect();
        named.sort_by_key(|(name, _)| *name);
        for (option, value) in named {
            let Some(option) = signature.options.iter().find(|known| *known == option) else {
                let message = format!("{name} has no option {option:?}. It is used like {}.", signature.example);
                self.findings.error("helper_values", at, message);
                continue;
            };
            options.push((*option, self.parameter(value, at)));
        }
        let call = Call { helper: signature.helper, arguments, options: options.into() };
        if let Some(message) = wrong_constant(&call) {
            self.findings.error("helper_values", at, format!("{message} As in {}.", signature.example));
        }
        Expression::Call(Box::new(call))
    }

    fn unknown_helper(&mut self, name: &str, at: usize) {
        let message = match name {
            _ if tags::of_name(name).is_some() => {
                "A tag takes no values: write it alone, or as a value of a helper, as in {{upper *|GUEST:NAME|*}}."
                    .to_owned()
            }
            "" => "A helper's name must stand first, as in {{upper guest.name}}.".to_owned(),
            "log" => "log is not taken: a template can't write to the engine's log.".to_owned(),
            _ => {
                let names = helpers::HELPERS.iter().map(|signature: &Signature| signature.name);
                let suggestion = likely(name, names);
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

/// What is wrong with the constants that a helper is given, if anything.
fn wrong_constant(call: &Call) -> Option<&'static str> {
    let argument = |place: usize| call.arguments.get(place);
    match call.helper {
        Helper::Date => match (argument(1), call.option("tz")) {
            (Some(pattern), _) if !text(pattern).is_some_and(dates::is_pattern) => Some(
                "A date's pattern is a text in quotes, of 200 characters at most, in which %d is the day, %B the month, %Y the year.",
            ),
            (_, Some(Expression::Literal(zone))) if zone.root().as_str().and_then(dates::find_zone).is_none() => {
                Some("There is no such time zone.")
            }
            _ => None,
        },
        Helper::Number | Helper::Money => {
            let decimals = call.option("decimals");
            let most = u64::try_from(DECIMALS_MAX).expect("a small number");
            if decimals.is_some_and(|decimals| whole(decimals).is_none_or(|number| number > most)) {
                return Some("decimals is a number from 0 to 20.");
            }
            let signs = [call.option("group"), call.option("point")];
            let wrong = signs.into_iter().flatten().any(|sign| text(sign).is_none_or(|sign| sign.len() > 16));
            wrong.then_some("group and point are short texts in quotes.")
        }
        Helper::Truncate => {
            if argument(1).and_then(whole).is_none_or(|number| number > CHARACTERS_MAX) {
                return Some("The length is a number written in the template.");
            }
            let wrong = call.option("end").is_some_and(|end| text(end).is_none());
            wrong.then_some("end is a text in quotes.")
        }
        Helper::Join => {
            let wrong = argument(1).is_some_and(|separator| text(separator).is_none());
            wrong.then_some("The separator is a text in quotes.")
        }
        Helper::Lookup => {
            let within = match argument(0) {
                Some(Expression::Path(_)) => true,
                Some(Expression::Call(call)) => {
                    matches!(call.helper, Helper::Lookup | Helper::Default)
                }
                _ => false,
            };
            (!within).then_some("lookup finds things only in the data: its first value is a path.")
        }
        _ => None,
    }
}

fn text(expression: &Expression) -> Option<&str> {
    match expression {
        Expression::Literal(literal) => literal.root().as_str(),
        _ => None,
    }
}

fn whole(expression: &Expression) -> Option<u64> {
    match expression {
        Expression::Literal(literal) => literal.root().as_i64().and_then(|number| u64::try_from(number).ok()),
        _ => None,
    }
}
