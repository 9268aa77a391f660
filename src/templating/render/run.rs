//! Walks a program once, with one event's data, into one buffer. Every part costs steps, so that no template runs long,
//! and the buffer is bounded. It never checks the template's text again: that was proved when the template was saved.

use std::borrow::Cow;
use std::num::NonZeroU32;

use super::args::{Args, BYTES_PER_STEP, Evaluator};
use super::complaint::{self, Complaint};
use super::data::Data;
use super::escape::percent;
use super::helpers;
use super::stop::{ArgumentLocation, HelperFailure, RenderFailure, UnusableArgument, ValueRoom};
use super::value::Datum;
use super::write::{escaped, simple, write};
use crate::json::{Json, Object};
use crate::templating::limits::TemplateLimits;
use crate::templating::program::{
    DataPath, EachNode, EscapeContext, Expression, HelperCall, IfNode, LocalName, Nodes, PartsNode, PathStep,
    SeparatorNode, TemplateNode, ValueNode, WithNode,
};

/// A rendering in progress.
pub(crate) struct RenderRun<'a> {
    out: Vec<u8>,
    output_bytes_max: usize,
    steps_left: usize,
    data: &'a Data,
    /// Its root for paths that don't read the event's properties.
    root: Json<'a>,
    /// The object that the last path was looked up in, by [`DataPath::object`]; `None`: it is no object.
    object: (Option<NonZeroU32>, Option<Object<'a>>),
    /// The open `each` and `with` blocks, from the outside.
    scopes: Vec<RenderScope<'a>>,
    /// Values that helpers could not use, for a preview.
    complaints: Option<Vec<Complaint>>,
}

struct RenderScope<'a> {
    this: Datum<'a>,
    key: Option<&'a str>,
    index: usize,
    last: bool,
}

/// The separator between parts.
struct PartSeparator<'a> {
    separator: Option<&'a SeparatorNode>,
    /// A part before was not blank.
    earlier: bool,
}

impl<'a> PartSeparator<'a> {
    fn of(separator: Option<&'a SeparatorNode>) -> Self {
        Self { separator, earlier: false }
    }
}

/// Whether bytes are nothing but white space. Most parts have another byte soon.
fn is_blank(bytes: &[u8]) -> bool {
    let is_space = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ');
    match bytes.iter().find(|byte| !is_space(byte)) {
        None => true,
        Some(byte) if byte.is_ascii() => false,
        Some(_) => std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(char::is_whitespace)),
    }
}

/// Renders a program. The first buffer has `bytes_expected`. The steps that it takes are subtracted from `steps_left`.
pub(crate) fn render<'a>(
    nodes: &'a Nodes,
    data: &'a Data,
    limits: &TemplateLimits,
    steps_left: &mut usize,
    bytes_expected: usize,
) -> Result<Vec<u8>, RenderFailure> {
    let mut run = RenderRun::new(data, limits, bytes_expected);
    let steps = run.steps_left.min(*steps_left);
    run.steps_left = steps;
    let done = run.nodes(nodes);
    *steps_left -= steps - run.steps_left;
    // With room left over, what shares the bytes would need an allocation of its own.
    run.out.shrink_to_fit();
    done.map(|()| run.out)
}

/// Renders a program, and says which values its helpers could not use.
pub(crate) fn preview<'a>(
    nodes: &'a Nodes,
    data: &'a Data,
    limits: &TemplateLimits,
) -> (Result<Vec<u8>, RenderFailure>, Vec<Complaint>) {
    let mut run = RenderRun::new(data, limits, 0);
    run.complaints = Some(Vec::new());
    let done = run.nodes(nodes);
    let complaints = run.complaints.take().unwrap_or_default();
    (done.map(|()| run.out), complaints)
}

impl<'a> Evaluator<'a> for RenderRun<'a> {
    fn evaluate(&mut self, expression: &'a Expression) -> Result<Datum<'a>, RenderFailure> {
        self.value(expression)
    }

    fn spend(&mut self, steps: usize) -> Result<(), RenderFailure> {
        take(&mut self.steps_left, steps)
    }

    fn room(&self) -> ValueRoom {
        let by_steps = self.steps_left.saturating_add(1).saturating_mul(BYTES_PER_STEP);
        if by_steps < self.output_bytes_max {
            ValueRoom { bytes: by_steps, over: RenderFailure::TooManySteps }
        } else {
            ValueRoom { bytes: self.output_bytes_max, over: RenderFailure::TooLarge }
        }
    }

    fn output_bytes_max(&self) -> usize {
        self.output_bytes_max
    }
}

/// Takes steps from those that are left.
fn take(left: &mut usize, steps: usize) -> Result<(), RenderFailure> {
    *left = left.checked_sub(steps).ok_or(RenderFailure::TooManySteps)?;
    Ok(())
}

impl<'a> RenderRun<'a> {
    fn new(data: &'a Data, limits: &TemplateLimits, bytes_expected: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes_expected.min(limits.output_bytes_max)),
            output_bytes_max: limits.output_bytes_max,
            steps_left: limits.steps_max,
            data,
            root: data.root(false),
            object: (None, None),
            scopes: Vec::new(),
            complaints: None,
        }
    }

    fn nodes(&mut self, nodes: &'a Nodes) -> Result<(), RenderFailure> {
        for node in nodes {
            self.spend(1)?;
            match node {
                TemplateNode::Text(text) => self.out.extend_from_slice(text.content.as_bytes()),
                TemplateNode::Write(part) => self.written(part)?,
                TemplateNode::If(chosen) => self.chosen(chosen)?,
                TemplateNode::Each(each) => self.each(each)?,
                TemplateNode::With(with) => self.with(with)?,
                TemplateNode::Parts(parts) => self.parts(parts)?,
            }
            if self.out.len() > self.output_bytes_max {
                return Err(RenderFailure::TooLarge);
            }
        }
        Ok(())
    }

    /// Nearly all that is written is a text or a number of the data.
    #[inline(always)]
    fn written(&mut self, part: &'a ValueNode) -> Result<(), RenderFailure> {
        let Expression::Path(path) = &part.value else {
            let value = self.value(&part.value)?;
            return self.write(part.context, &value);
        };
        self.spend(path.bytes / BYTES_PER_STEP)?;
        let value = match self.member(path) {
            Some(value) => value,
            None => match self.walked(path)? {
                Datum::Data(value) => value,
                made => return self.write(part.context, &made),
            },
        };
        let Some(text) = simple(part.context, value) else { return self.write(part.context, &Datum::Data(value)) };
        self.spend(text.len() / BYTES_PER_STEP)?;
        escaped(&mut self.out, part.context, text);
        Ok(())
    }

    #[inline(never)]
    fn write(&mut self, context: EscapeContext, value: &Datum<'a>) -> Result<(), RenderFailure> {
        let room = self.room();
        let Self { out, steps_left, .. } = self;
        write(out, context, value, room, |bytes| take(steps_left, bytes / BYTES_PER_STEP))
    }

    fn chosen(&mut self, chosen: &'a IfNode) -> Result<(), RenderFailure> {
        let holds = self.holds(&chosen.condition, chosen.include_zero)?;
        if holds == chosen.negated { self.nodes(&chosen.otherwise) } else { self.nodes(&chosen.then) }
    }

    /// Whether an expression's value counts as true. A number is read digit by digit, at its cost.
    fn holds(&mut self, expression: &'a Expression, include_zero: bool) -> Result<bool, RenderFailure> {
        let value = self.value(expression)?;
        self.truth(&value, include_zero)
    }

    fn truth(&mut self, value: &Datum<'a>, include_zero: bool) -> Result<bool, RenderFailure> {
        if let Datum::Data(Json::Number(digits)) = value {
            self.spend(digits.len() / BYTES_PER_STEP)?;
        }
        Ok(value.holds(include_zero))
    }

    fn with(&mut self, with: &'a WithNode) -> Result<(), RenderFailure> {
        let value = self.value(&with.value)?;
        if !self.truth(&value, false)? {
            return self.nodes(&with.otherwise);
        }
        let scope = RenderScope { this: value, key: None, index: 0, last: false };
        self.element(&with.body, &mut PartSeparator::of(None), scope)
    }

    fn each(&mut self, each: &'a EachNode) -> Result<(), RenderFailure> {
        let mut joint = PartSeparator::of(each.separator.as_ref());
        match self.value(&each.list)? {
            Datum::Data(Json::Array(list)) if !list.is_empty() => {
                for (index, element) in list.iter().enumerate() {
                    let scope =
                        RenderScope { this: Datum::Data(element), key: None, index, last: index + 1 == list.len() };
                    self.element(&each.body, &mut joint, scope)?;
                }
                Ok(())
            }
            Datum::List(list) if !list.is_empty() => {
                for (index, element) in list.iter().enumerate() {
                    self.spend(element.bytes() / BYTES_PER_STEP)?;
                    let scope = RenderScope { this: element.clone(), key: None, index, last: index + 1 == list.len() };
                    self.element(&each.body, &mut joint, scope)?;
                }
                Ok(())
            }
            Datum::Data(Json::Object(members)) if !members.is_empty() => {
                for (index, (key, member)) in members.iter().enumerate() {
                    let last = index + 1 == members.len();
                    let scope = RenderScope { this: Datum::Data(member), key: Some(key), index, last };
                    self.element(&each.body, &mut joint, scope)?;
                }
                Ok(())
            }
            _ => self.nodes(&each.otherwise),
        }
    }

    fn parts(&mut self, parts: &'a PartsNode) -> Result<(), RenderFailure> {
        let mut joint = PartSeparator::of(Some(&parts.separator));
        for part in &parts.parts {
            self.joined(part, &mut joint)?;
        }
        Ok(())
    }

    /// Writes a part, with the separator before it unless it is the first. A blank part writes nothing.
    fn joined(&mut self, part: &'a Nodes, joint: &mut PartSeparator<'a>) -> Result<(), RenderFailure> {
        let Some(separator) = joint.separator else { return self.nodes(part) };
        let start = self.out.len();
        if joint.earlier {
            self.out.extend_from_slice(separator.text.content.as_bytes());
        }
        let begin = self.out.len();
        self.nodes(part)?;
        let written = &self.out[begin..];
        if if separator.is_encoded { percent::is_blank(written) } else { is_blank(written) } {
            self.out.truncate(start);
        } else {
            joint.earlier = true;
        }
        Ok(())
    }

    fn element(
        &mut self,
        body: &'a Nodes,
        joint: &mut PartSeparator<'a>,
        scope: RenderScope<'a>,
    ) -> Result<(), RenderFailure> {
        self.spend(1)?;
        self.scopes.push(scope);
        let done = self.joined(body, joint);
        self.scopes.pop();
        done
    }

    /// The value of an expression.
    fn value(&mut self, expression: &'a Expression) -> Result<Datum<'a>, RenderFailure> {
        Ok(match expression {
            Expression::Path(path) => return self.path(path),
            Expression::Literal(literal) => Datum::Data(literal.root()),
            Expression::Call(call) => return self.call(call),
            Expression::Local(local) => {
                // The root has no entry of its own, so the outermost block is 1.
                let scope = &self.scopes[local.scope - 1];
                let key = || scope.key.map(|key| Datum::Text(Cow::Borrowed(key)));
                match local.what {
                    LocalName::First => Datum::Truth(scope.index == 0),
                    LocalName::Last => Datum::Truth(scope.last),
                    LocalName::Index => Datum::Index(scope.index),
                    LocalName::Key => key().unwrap_or(Datum::Missing),
                    LocalName::KeyOrIndex => key().unwrap_or(Datum::Index(scope.index)),
                }
            }
        })
    }

    fn path(&mut self, path: &'a DataPath) -> Result<Datum<'a>, RenderFailure> {
        self.spend(path.bytes / BYTES_PER_STEP)?;
        self.member(path).map_or_else(|| self.walked(path), |member| Ok(Datum::Data(member)))
    }

    /// Where a path leads, by all of its steps.
    fn walked(&mut self, path: &'a DataPath) -> Result<Datum<'a>, RenderFailure> {
        let start = match path.scope.checked_sub(1) {
            None if path.reads_event => self.data.root(true),
            None => self.root,
            Some(block) => match &self.scopes[block].this {
                Datum::Data(value) => *value,
                made => {
                    let made = made.clone();
                    return self.made_path(made, &path.steps);
                }
            },
        };
        Ok(follow(start, &path.steps))
    }

    /// The value of a path that leads to a member of an object. An object is not looked up again for the next path.
    #[inline(always)]
    fn member(&mut self, path: &'a DataPath) -> Option<Json<'a>> {
        path.object?;
        if self.object.0 != path.object {
            self.object = (path.object, object_of(self.root, &path.steps));
        }
        self.object.1?.get(&path.steps.last()?.name)
    }

    /// A path from a value that a helper made.
    fn made_path(&mut self, made: Datum<'a>, steps: &'a [PathStep]) -> Result<Datum<'a>, RenderFailure> {
        let value = steps.iter().fold(made, |value, step| value.step(&step.name, step.index));
        self.spend(value.bytes() / BYTES_PER_STEP)?;
        Ok(value)
    }

    /// Calls a helper. A helper that can't use a value returns a missing one.
    fn call(&mut self, call: &'a HelperCall) -> Result<Datum<'a>, RenderFailure> {
        self.spend(1)?;
        let helper = helpers::get(call.helper);
        match helper.run(&mut Args::new(self, call)) {
            Ok(value) => Ok(value),
            Err(HelperFailure::Rendering(reason)) => Err(reason),
            Err(HelperFailure::Helper(unusable)) => {
                if self.complaints.is_some() {
                    self.complain(call, unusable)?;
                }
                Ok(Datum::Missing)
            }
        }
    }

    /// Records a value that a helper could not use.
    fn complain(&mut self, call: &'a HelperCall, unusable: UnusableArgument) -> Result<(), RenderFailure> {
        let expression = match unusable.value {
            ArgumentLocation::Argument(place) => call.arguments.get(place),
            ArgumentLocation::Option(name) => call.option(name),
        };
        let kept = self.complaints.take();
        let value = match expression {
            Some(expression) => self.value(expression)?,
            None => Datum::Missing,
        };
        self.complaints = kept;
        if let Some(complaints) = &mut self.complaints {
            complaint::add(complaints, call, &value, unusable.expected);
        }
        Ok(())
    }
}

/// The object that the value of a path is a member of, if it is.
#[inline(never)]
fn object_of<'a>(root: Json<'a>, steps: &'a [PathStep]) -> Option<Object<'a>> {
    let (_, before) = steps.split_last()?;
    match root.follow(before.iter().map(|step| &*step.name))? {
        (Json::Object(object), followed) if followed == before.len() => Some(object),
        _ => None,
    }
}

/// A path through the data.
#[inline(never)]
fn follow<'a>(start: Json<'a>, steps: &'a [PathStep]) -> Datum<'a> {
    let Some((value, followed)) = start.follow(steps.iter().map(|step| &*step.name)) else { return Datum::Missing };
    steps[followed..].iter().fold(Datum::Data(value), |value, step| value.step(&step.name, step.index))
}
