//! `if`, `unless`, `each`, `with`: the blocks that a template may use.

use handlebars::template::{BlockParam, HelperTemplate, Parameter, Template};
use serde_json::Value;

use super::scopes::Scope;
use super::{Parsing, refused};
use crate::templating::program::{Each, Expression, If, Node, Nodes, With};

impl Parsing<'_, '_, '_, '_> {
    pub(super) fn block(&mut self, block: &HelperTemplate, at: usize) -> Nodes {
        let name = block.name.as_name().unwrap_or("").to_owned();
        if !matches!(name.as_str(), "if" | "unless" | "each" | "with") {
            self.findings.error("unknown_block", at, format!("There is no block {name:?}. The blocks are {{{{#if …}}}}, {{{{#unless …}}}}, {{{{#each …}}}} and {{{{#with …}}}}."));
            // What it holds is looked at all the same.
            self.part(block.inverse.as_ref());
            return self.part(block.template.as_ref());
        }
        if block.params.len() != 1 {
            let example = match name.as_str() {
                "each" => {
                    "{{#each rental.tags}}…{{this}}…{{/each}}, or with a name of your own {{#each rental.tags as |tag|}}…{{tag}}…{{/each}}"
                }
                "with" => "{{#with guest}}…{{name}}…{{/with}}",
                _ => {
                    "{{#if guest.email}}…{{/if}}; with conditions {{#if (eq guest.country \"IT\")}} or {{#if (and guest.email guest.phone)}}"
                }
            };
            self.findings.error("block_values", at, format!("{{{{#{name}}}}} takes one value: {example}."));
        }
        let include_zero = self.include_zero(block, &name, at);
        let (value, path) = match block.params.first() {
            Some(Parameter::Path(path)) => {
                let text = Parameter::Path(path.clone());
                self.path_from_root(text.as_name().unwrap_or(""), at)
            }
            Some(other) => (self.parameter(other, at), None),
            None => (refused(), None),
        };
        let names = self.names(block, &name, at);
        let node = match name.as_str() {
            "each" => self.each(block, value, names, at),
            "with" => self.with(block, value, path, names, at),
            _ => {
                let then = self.part(block.template.as_ref());
                let otherwise = self.part(block.inverse.as_ref());
                let negated = name == "unless";
                let chosen = If { condition: value, negated, include_zero, then, otherwise, at };
                Node::If(Box::new(chosen))
            }
        };
        vec![node]
    }

    fn each(
        &mut self,
        block: &HelperTemplate,
        list: Expression,
        (value_name, place_name): (Option<String>, Option<String>),
        at: usize,
    ) -> Node {
        if self.scopes.loops() >= self.each_depth_max {
            self.findings.error(
                "each_too_deep",
                at,
                format!("{{{{#each}}}} may stand {} deep in one another.", self.each_depth_max),
            );
        }
        let scope = Scope { is_loop: true, path: None, value_name, place_name };
        let body = self.inside(scope, block.template.as_ref());
        let otherwise = self.part(block.inverse.as_ref());
        Node::Each(Box::new(Each { list, body, otherwise, at }))
    }

    fn with(
        &mut self,
        block: &HelperTemplate,
        value: Expression,
        path: Option<Vec<String>>,
        (value_name, place_name): (Option<String>, Option<String>),
        at: usize,
    ) -> Node {
        if place_name.is_some() {
            self.findings.error("block_values", at, "{{#with … as |name|}} gives one name.");
        }
        let scope = Scope { is_loop: false, path, value_name, place_name: None };
        let body = self.inside(scope, block.template.as_ref());
        let otherwise = self.part(block.inverse.as_ref());
        Node::With(Box::new(With { value, body, otherwise, at }))
    }

    fn inside(&mut self, scope: Scope, template: Option<&Template>) -> Nodes {
        self.scopes.push(scope);
        let nodes = self.part(template);
        self.scopes.pop();
        nodes
    }

    fn part(&mut self, template: Option<&Template>) -> Nodes {
        template.map(|template| self.nodes(template)).unwrap_or_default()
    }

    /// `includeZero=true`, the one option that a block has.
    fn include_zero(&mut self, block: &HelperTemplate, name: &str, at: usize) -> bool {
        let mut include_zero = false;
        for (option, value) in &block.hash {
            match (option.as_str(), value) {
                ("includeZero", Parameter::Literal(Value::Bool(truth))) if matches!(name, "if" | "unless") => {
                    include_zero = *truth;
                }
                _ => self.findings.error(
                    "block_values",
                    at,
                    "The one option of {{#if}} and {{#unless}} is includeZero=true; the other blocks have none.",
                ),
            }
        }
        include_zero
    }

    /// The names after `as`.
    fn names(&mut self, block: &HelperTemplate, name: &str, at: usize) -> (Option<String>, Option<String>) {
        let text = |parameter: &Parameter| parameter.as_name().map(str::to_owned);
        let names = match &block.block_param {
            None => return (None, None),
            Some(BlockParam::Single(value)) => (text(value), None),
            Some(BlockParam::Pair((value, place))) => (text(value), text(place)),
            Some(_) => (None, None),
        };
        if matches!(name, "if" | "unless") {
            self.findings.error(
                "block_values",
                at,
                "Only {{#each}} and {{#with}} take names: {{#each rental.tags as |tag place|}}.",
            );
        }
        names
    }
}
