//! Calls a helper: its values are worked out, its work is paid for, its result goes on.

use std::cmp::Ordering;

use super::Unrendered;
use super::helpers::{Helper, compare, dates, numbers, texts};
use super::program::{Call, Expression};
use super::render::{BYTES_PER_STEP, Run};
use super::value::Datum;
use crate::json::Json;

impl<'a> Run<'a> {
    pub(super) fn call(&mut self, call: &'a Call) -> Result<Datum<'a>, Unrendered> {
        match call.helper {
            Helper::And => self.junction(call, false),
            Helper::Or => self.junction(call, true),
            Helper::Default => self.default(call),
            Helper::Equal
            | Helper::Unequal
            | Helper::Less
            | Helper::LessOrEqual
            | Helper::Greater
            | Helper::GreaterOrEqual => self.comparison(call),
            Helper::Lookup => self.lookup(call),
            _ => self.conversion(call),
        }
    }

    fn argument(&mut self, call: &'a Call, place: usize) -> Result<Datum<'a>, Unrendered> {
        let value = match call.arguments.get(place) {
            Some(expression) => self.evaluate(expression)?,
            None => Datum::Missing,
        };
        self.spend(value.bytes() / BYTES_PER_STEP)?;
        Ok(value)
    }

    /// Helpers that make one value of another.
    fn conversion(&mut self, call: &'a Call) -> Result<Datum<'a>, Unrendered> {
        let value = self.argument(call, 0)?;
        Ok(match call.helper {
            Helper::Not => Datum::Truth(!value.holds(false)),
            Helper::Upper => Datum::made(texts::upper(&value)),
            Helper::Lower => Datum::made(texts::lower(&value)),
            Helper::Trim => Datum::made(texts::trim(&value)),
            Helper::Truncate => {
                let end = constant(call.option("end")).unwrap_or("…");
                Datum::made(texts::truncate(&value, whole(call.arguments.get(1)), end))
            }
            Helper::Join => {
                let separator = constant(call.arguments.get(1)).unwrap_or(", ");
                let elements = match value.data() {
                    Some(Json::Array(list)) => list.len(),
                    _ => 0,
                };
                self.spend(elements / 8)?;
                let joined = texts::join(&value, separator, self.output_bytes_max());
                let joined = joined.map_err(|_| Unrendered::TooLarge)?;
                self.spend(joined.as_ref().map_or(0, String::len) / BYTES_PER_STEP)?;
                Datum::made(joined)
            }
            Helper::Date => self.date(call, &value)?,
            Helper::Number => Datum::made(numbers::number(&value, style(call))),
            Helper::Money => {
                let currency = self.argument(call, 1)?;
                let currency = currency.simple_text();
                Datum::made(numbers::money(&value, currency.as_deref(), style(call)))
            }
            Helper::Json => json(value),
            _ => Datum::Missing,
        })
    }

    fn date(&mut self, call: &'a Call, value: &Datum<'a>) -> Result<Datum<'a>, Unrendered> {
        let pattern = constant(call.arguments.get(1)).unwrap_or(dates::PATTERN);
        let Some(zone) = call.option("tz") else {
            return Ok(Datum::made(dates::date(value, pattern, None)));
        };
        let zone = self.evaluate(zone)?;
        if zone.is_blank() {
            return Ok(Datum::made(dates::date(value, pattern, None)));
        }
        let zone = zone.simple_text();
        Ok(Datum::made(zone.and_then(|zone| dates::date(value, pattern, Some(&zone)))))
    }

    /// `and`, `or`: settled by the first value that is `settles`.
    fn junction(&mut self, call: &'a Call, settles: bool) -> Result<Datum<'a>, Unrendered> {
        for expression in &call.arguments {
            if self.holds(expression, false)? == settles {
                return Ok(Datum::Truth(settles));
            }
        }
        Ok(Datum::Truth(!settles))
    }

    /// The first value that is there, or the last.
    fn default(&mut self, call: &'a Call) -> Result<Datum<'a>, Unrendered> {
        let mut value = Datum::Missing;
        for expression in &call.arguments {
            value = self.evaluate(expression)?;
            if !value.is_blank() {
                break;
            }
        }
        Ok(value)
    }

    fn comparison(&mut self, call: &'a Call) -> Result<Datum<'a>, Unrendered> {
        let a = self.argument(call, 0)?;
        let b = self.argument(call, 1)?;
        let order = || compare::order(&a, &b);
        Ok(Datum::Truth(match call.helper {
            Helper::Equal => compare::equal(&a, &b),
            Helper::Unequal => !compare::equal(&a, &b),
            Helper::Less => order() == Some(Ordering::Less),
            Helper::LessOrEqual => order().is_some_and(Ordering::is_le),
            Helper::Greater => order() == Some(Ordering::Greater),
            _ => order().is_some_and(Ordering::is_ge),
        }))
    }

    /// A member of an object by its name, or an element of a list by its place.
    fn lookup(&mut self, call: &'a Call) -> Result<Datum<'a>, Unrendered> {
        let within = self.argument(call, 0)?;
        let name = self.argument(call, 1)?;
        let Some(name) = name.simple_text() else {
            return Ok(Datum::Missing);
        };
        let found = match within.data() {
            Some(Json::Object(members)) => members.get(&name),
            Some(Json::Array(list)) => name.parse().ok().and_then(|place: usize| list.get(place)),
            _ => None,
        };
        Ok(found.map_or(Datum::Missing, Datum::Data))
    }
}

/// The value as JSON, wherever it is written.
fn json(value: Datum<'_>) -> Datum<'_> {
    match value {
        Datum::Data(data) => Datum::Json(data),
        Datum::Text(text) => Datum::JsonText(text),
        other => other,
    }
}

/// A text that stands in the template; the check made sure that it does.
fn constant(expression: Option<&Expression>) -> Option<&str> {
    match expression? {
        Expression::Literal(literal) => literal.root().as_str(),
        _ => None,
    }
}

fn whole(expression: Option<&Expression>) -> usize {
    let number = match expression {
        Some(Expression::Literal(literal)) => literal.root().as_i64(),
        _ => None,
    };
    number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

fn style(call: &Call) -> numbers::Style<'_> {
    let decimals = call.option("decimals");
    numbers::Style {
        decimals: decimals.map(|decimals| whole(Some(decimals))),
        group: constant(call.option("group")).unwrap_or(","),
        point: constant(call.option("point")).unwrap_or("."),
    }
}
