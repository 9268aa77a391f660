//! A helper's view of the rendering that calls it: its values, one by one, and the budget.

use std::borrow::Cow;
use std::rc::Rc;

use super::decimal::Decimal;
use super::stop::{HelperFailure, RenderFailure, ValueRoom};
use super::value::Datum;
use crate::json::Json;
use crate::templating::program::{Expression, HelperCall};

/// How many bytes of a value are read for one step.
pub(crate) const BYTES_PER_STEP: usize = 64;
/// How many elements of a list are read for one step.
pub(crate) const ELEMENTS_PER_STEP: usize = 4;

/// The rendering, as far as helpers need it.
pub(crate) trait Evaluator<'a> {
    /// The value of an expression.
    fn evaluate(&mut self, expression: &'a Expression) -> Result<Datum<'a>, RenderFailure>;
    /// Takes steps from the budget.
    fn spend(&mut self, steps: usize) -> Result<(), RenderFailure>;
    /// The most bytes that one text may have.
    fn output_bytes_max(&self) -> usize;
    /// How long a value may be that is written as text.
    fn room(&self) -> ValueRoom;
}

/// A helper's values.
pub(crate) struct Args<'r, 'a> {
    run: &'r mut (dyn Evaluator<'a> + 'r),
    call: &'a HelperCall,
}

/// The result of a helper.
pub(crate) type HelperResult<'a> = Result<Datum<'a>, HelperFailure>;

impl<'r, 'a> Args<'r, 'a> {
    pub(crate) fn new(run: &'r mut (dyn Evaluator<'a> + 'r), call: &'a HelperCall) -> Self {
        Self { run, call }
    }

    /// How many values there are.
    pub(crate) fn count(&self) -> usize {
        self.call.arguments.len()
    }

    /// The value at this index. Reading it costs steps.
    pub(crate) fn value(&mut self, place: usize) -> Result<Datum<'a>, RenderFailure> {
        let value = match self.call.arguments.get(place) {
            Some(expression) => self.run.evaluate(expression)?,
            None => Datum::Missing,
        };
        self.spend_bytes(value.bytes())?;
        Ok(value)
    }

    /// The text at a place.
    pub(crate) fn text(&mut self, place: usize) -> Result<Cow<'a, str>, HelperFailure> {
        self.value(place)?.into_text().ok_or(HelperFailure::argument(place, "text"))
    }

    /// The number at a place.
    pub(crate) fn number(&mut self, place: usize) -> Result<Decimal, HelperFailure> {
        let value = self.value(place)?;
        let expected = if value.is_number() { "a number of at most 400 digits" } else { "a number" };
        self.decimal(&value)?.ok_or(HelperFailure::argument(place, expected))
    }

    /// The number in a value or its text, if it is one. Computing with it costs a step, and more with a long one.
    pub(crate) fn decimal(&mut self, value: &Datum<'_>) -> Result<Option<Decimal>, RenderFailure> {
        let number = Decimal::of(value);
        self.run.spend(number.as_ref().map_or(0, |number| 1 + number.steps()))?;
        Ok(number)
    }

    /// The text of a value of any kind.
    pub(crate) fn text_of<'v>(&self, value: &'v Datum<'a>) -> Result<Cow<'v, str>, RenderFailure> {
        let room = self.run.room();
        value.text(room.bytes).map_err(|error| room.failure(&error))
    }

    /// A value of any kind as JSON.
    pub(crate) fn json_of(&self, value: &Datum<'a>) -> Result<String, RenderFailure> {
        let room = self.run.room();
        value.to_json(room.bytes).map_err(|error| room.failure(&error))
    }

    /// The whole number at a place.
    pub(crate) fn whole(&mut self, place: usize) -> Result<i64, HelperFailure> {
        self.number(place)?.to_whole().ok_or(HelperFailure::argument(place, "a whole number"))
    }

    /// The elements of the list at this index. Reading them costs steps.
    pub(crate) fn list(&mut self, place: usize) -> Result<Vec<Datum<'a>>, HelperFailure> {
        let value = self.value(place)?;
        let elements = self.elements(&value)?;
        elements.ok_or(HelperFailure::argument(place, "a list"))
    }

    /// The elements of a value that is a list. Reading them costs steps, and so do their texts: those that a helper made
    /// are copied.
    pub(crate) fn elements(&mut self, value: &Datum<'a>) -> Result<Option<Vec<Datum<'a>>>, RenderFailure> {
        Ok(match value {
            Datum::Data(Json::Array(list)) => {
                self.spend_elements(list.len())?;
                let elements: Vec<_> = list.iter().map(Datum::Data).collect();
                self.spend_bytes(elements.iter().map(Datum::bytes).sum())?;
                Some(elements)
            }
            Datum::List(list) => {
                self.spend_elements(list.len())?;
                self.spend_bytes(list.iter().map(Datum::bytes).sum())?;
                Some(list.to_vec())
            }
            _ => None,
        })
    }

    /// The value of an option, if it was given. Reading it costs steps.
    pub(crate) fn option(&mut self, name: &'static str) -> Result<Option<Datum<'a>>, RenderFailure> {
        let Some(expression) = self.call.option(name) else { return Ok(None) };
        let value = self.run.evaluate(expression)?;
        self.spend_bytes(value.bytes())?;
        Ok(Some(value))
    }

    /// The text of an option; a missing or empty one counts as absent.
    pub(crate) fn option_text(&mut self, name: &'static str) -> Result<Option<Cow<'a, str>>, HelperFailure> {
        match self.option(name)? {
            Some(value) if !value.is_blank() => value.into_text().map(Some).ok_or(HelperFailure::option(name, "text")),
            _ => Ok(None),
        }
    }

    /// The whole number of an option.
    pub(crate) fn option_whole(&mut self, name: &'static str) -> Result<Option<i64>, HelperFailure> {
        match self.option(name)? {
            Some(value) if !value.is_blank() => {
                let number = self.decimal(&value)?.and_then(|number| number.to_whole());
                number.map(Some).ok_or(HelperFailure::option(name, "a whole number"))
            }
            _ => Ok(None),
        }
    }

    /// Whether the value at a place holds as a condition.
    pub(crate) fn holds(&mut self, place: usize) -> Result<bool, RenderFailure> {
        Ok(self.value(place)?.holds(false))
    }

    /// Charges work.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), RenderFailure> {
        self.run.spend(steps)
    }

    /// Charges reading or writing this many bytes.
    pub(crate) fn spend_bytes(&mut self, bytes: usize) -> Result<(), RenderFailure> {
        self.run.spend(bytes / BYTES_PER_STEP)
    }

    /// Charges reading or creating this many elements.
    pub(crate) fn spend_elements(&mut self, elements: usize) -> Result<(), RenderFailure> {
        self.run.spend(elements / ELEMENTS_PER_STEP)
    }

    /// A text that the helper created. Its length is charged and bounded.
    pub(crate) fn made(&mut self, text: String) -> HelperResult<'a> {
        self.fits(text.len())?;
        self.spend_bytes(text.len())?;
        Ok(Datum::Text(text.into()))
    }

    /// Refuses a text that would be longer than any body.
    pub(crate) fn fits(&self, bytes: usize) -> Result<(), RenderFailure> {
        if bytes > self.run.output_bytes_max() { Err(RenderFailure::TooLarge) } else { Ok(()) }
    }

    /// A number that the helper made.
    pub(crate) fn made_number(number: &Decimal) -> Datum<'a> {
        Datum::Number(number.to_string().into())
    }

    /// A list that the helper made.
    pub(crate) fn made_list(list: Vec<Datum<'a>>) -> Datum<'a> {
        Datum::List(Rc::from(list))
    }
}
