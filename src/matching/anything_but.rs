//! Reads the operator `anything-but`: values or one of some other operators, none of which may hold.

use serde_json::{Map, Value};

use super::error::PatternError;
use super::operators::wrong;
use super::program::{Op, small};
use super::read::PatternReader;

impl PatternReader {
    pub(super) fn anything_but(&mut self, argument: &Value, at: &str, tests: &mut Vec<Op>) -> Result<(), PatternError> {
        let place = tests.len();
        tests.push(Op::AnythingBut { operations: 0 });
        match argument {
            Value::Object(members) => self.anything_but_operator(members, argument, at, tests)?,
            Value::Array(list) if !list.is_empty() => {
                self.count(list.len(), at)?;
                for value in list {
                    self.plain(value, at, tests)?;
                }
                // EARLIER(record): a list of both.
                let numbers = list.iter().filter(|value| value.is_number()).count();
                if numbers > 0 && numbers < list.len() && self.complaint.is_none() {
                    let detail = "a list under `anything-but` holds strings or numbers and not both; keep those of \
                                  the type that the field has";
                    self.complaint = Some(PatternError::shape(at, detail));
                }
            }
            value => self.plain(value, at, tests)?,
        }
        tests[place] = Op::AnythingBut { operations: small(tests.len() - place - 1) };
        Ok(())
    }

    /// A string or a number under `anything-but`.
    fn plain(&mut self, value: &Value, at: &str, tests: &mut Vec<Op>) -> Result<(), PatternError> {
        let op = match value {
            Value::String(_) => Op::Text(self.words()),
            Value::Number(_) => Op::Number(self.number(at)?),
            other => return Err(wrong(at, "anything-but", other)),
        };
        tests.push(op);
        Ok(())
    }

    fn anything_but_operator(
        &mut self,
        members: &Map<String, Value>,
        whole: &Value,
        at: &str,
        tests: &mut Vec<Op>,
    ) -> Result<(), PatternError> {
        let mut only = members.iter();
        let (Some((name, argument)), None) = (only.next(), only.next()) else {
            return Err(wrong(at, "anything-but", whole));
        };
        if !matches!(name.as_str(), "prefix" | "suffix" | "equals-ignore-case" | "wildcard") {
            return Err(wrong(at, "anything-but", whole));
        }
        let at = format!("{at}/{name}");
        let texts = match argument {
            Value::Array(list) if !list.is_empty() => list.as_slice(),
            Value::String(_) => std::slice::from_ref(argument),
            other => return Err(wrong(&at, "anything-but", other)),
        };
        self.count(texts.len(), &at)?;
        for text in texts {
            match text {
                Value::String(text) if text.is_empty() && matches!(name.as_str(), "prefix" | "suffix") => {
                    let detail = format!("every text has the empty {name}, so nothing would match; name one");
                    return Err(PatternError::shape(&at, detail));
                }
                Value::String(_) => self.text_test(name, text, &at, tests)?,
                other => return Err(wrong(&at, "anything-but", other)),
            }
        }
        Ok(())
    }
}
