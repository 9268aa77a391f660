//! `if`, `unless`, `each`, `with`, `parts`: the blocks that a template may use.

use handlebars::template::{BlockParam, HelperTemplate, Parameter, Template};
use serde_json::Value;

use super::calls;
use super::scopes::BlockScope;
use super::{ParserState, refused};
use crate::templating::compile::foreign::is_value;
use crate::templating::compile::origin::Origin;
use crate::templating::program::{
    EachNode, Expression, IfNode, Nodes, PartsNode, SeparatorNode, TemplateNode, TextNode, WithNode,
};

/// The longest separator, in bytes.
const SEPARATOR_BYTES_MAX: usize = 100;

const PARTS: &str = "{{#parts}} takes nothing but its separator, and has no {{else}}: {{#parts separator=\",\"}}{{#if guest.email}}…{{/if}}{{#if guest.phone}}…{{/if}}{{/parts}}.";

/// The options of a block.
#[derive(Default)]
struct Options {
    include_zero: bool,
    separator: Option<SeparatorNode>,
}

fn example(block: &str) -> &'static str {
    match block {
        "each" => {
            "{{#each rental.tags}}…{{this}}…{{/each}}, or with a name of your own {{#each rental.tags as |tag|}}…{{tag}}…{{/each}}"
        }
        "with" => "{{#with guest}}…{{name}}…{{/with}}",
        _ => {
            "{{#if guest.email}}…{{/if}}; with conditions {{#if (eq guest.country \"IT\")}} or {{#if (and guest.email guest.phone)}}"
        }
    }
}

/// The error for an unknown block, with what to write instead of one of another engine or helper library.
/// A section of Mustache's is named like a value.
fn unknown(name: &str, section: bool) -> String {
    let plain = name.to_ascii_lowercase().replace(['_', '-'], "");
    let instead = match plain.as_str() {
        "ifequals" | "ifeq" | "equals" | "equal" | "eq" | "is" | "ifcond" | "compare" | "ifcompare" | "ifis" => {
            "Comparisons are written in parentheses in {{#if}}: {{#if (eq a b)}}…{{/if}}; others are ne, lt, lte, gt, \
            gte"
        }
        "ifnotequals" | "ifnoteq" | "unlesseq" | "unlessequals" | "ne" | "neq" | "isnt" | "not" => {
            "Comparisons are written in parentheses in {{#if}}: {{#if (ne a b)}}…{{/if}}"
        }
        "gt" | "gte" | "lt" | "lte" | "ifgt" | "ifgte" | "iflt" | "iflte" => {
            "Comparisons are written in parentheses in {{#if}}: {{#if (gt a b)}}…{{/if}}; others are gte, lt, lte"
        }
        "and" | "ifand" | "or" | "ifor" => {
            "Conditions are joined in parentheses in {{#if}}: {{#if (and a b)}}…{{/if}}, {{#if (or a b)}}…{{/if}}"
        }
        "for" | "foreach" | "range" | "list" | "loop" => "A list is repeated with {{#each list}}…{{this}}…{{/each}}",
        "switch" | "case" => "Choose with {{#if (eq a \"x\")}}…{{else if (eq a \"y\")}}…{{else}}…{{/if}}",
        "ifnot" | "notif" => "The opposite of {{#if a}} is {{#unless a}}…{{/unless}}",
        "elseif" | "elif" | "elsif" => "It is written {{else if …}}",
        _ => "",
    };
    let instead = match instead {
        "" if section => {
            format!(
                "A list is repeated with {{{{#each {name}}}}}…{{{{/each}}}}, and a condition is {{{{#if {name}}}}}…{{{{/if}}}}"
            )
        }
        _ => instead.to_owned(),
    };
    let stop = if instead.is_empty() { "" } else { ". " };
    format!(
        "There is no block {name:?}. {instead}{stop}The blocks are {{{{#if …}}}}, {{{{#unless …}}}}, {{{{#each …}}}}, {{{{#with …}}}} and {{{{#parts …}}}}."
    )
}

impl ParserState<'_, '_, '_, '_> {
    pub(super) fn block(&mut self, block: &HelperTemplate, at: usize) -> Nodes {
        let name = block.name.as_name().unwrap_or("").to_owned();
        match name.as_str() {
            "parts" => return vec![self.parts(block, at)],
            "if" | "unless" | "each" | "with" => {}
            _ => {
                let section = block.params.is_empty() && block.hash.is_empty() && is_value(&name);
                let message = calls::element_in(&block.params).unwrap_or_else(|| unknown(&name, section));
                self.findings.error("unknown_block", at, message);
                // Its content is checked nevertheless.
                self.part(block.inverse.as_ref());
                return self.part(block.template.as_ref());
            }
        }
        let call = calls::without_parentheses(&block.params);
        if let Some(message) = calls::element(&format!("#{name} "), &block.params) {
            self.findings.error("foreign_syntax", at, message);
        } else if let Some(message) = calls::element_in(&block.params) {
            self.findings.error("block_values", at, message);
        } else if let Some(call) = &call {
            let message = format!("A helper and its values are in parentheses: {{{{#{name} {call}}}}}.");
            self.findings.error("block_values", at, message);
        } else if block.params.len() != 1 {
            self.findings.error("block_values", at, format!("{{{{#{name}}}}} takes one value: {}.", example(&name)));
        }
        let options = self.options(block, &name, at);
        let (value, path) = match block.params.first().filter(|_| call.is_none()) {
            Some(Parameter::Path(path)) => {
                let text = Parameter::Path(path.clone());
                self.path_from_root(text.as_name().unwrap_or(""), at)
            }
            Some(other) => (self.parameter(other, at), None),
            None => (refused(), None),
        };
        let names = self.names(block, &name, at);
        let node = match name.as_str() {
            "each" => self.each(block, value, names, options.separator, at),
            "with" => self.with(block, value, path, names, at),
            _ => {
                let then = self.part(block.template.as_ref());
                let otherwise = self.part(block.inverse.as_ref());
                let negated = name == "unless";
                let include_zero = options.include_zero;
                TemplateNode::If(Box::new(IfNode { condition: value, negated, include_zero, then, otherwise, at }))
            }
        };
        vec![node]
    }

    /// Each block directly inside is a part, and so is the text between two blocks.
    fn parts(&mut self, block: &HelperTemplate, at: usize) -> TemplateNode {
        if !block.params.is_empty() || block.block_param.is_some() || block.inverse.is_some() {
            self.findings.error("block_values", at, PARTS);
        }
        let separator = self.options(block, "parts", at).separator;
        let separator = separator.unwrap_or_else(|| self.separator(",", at));
        let mut parts: Vec<Nodes> = Vec::new();
        let mut between = Nodes::new();
        for node in self.part(block.template.as_ref()) {
            if matches!(node, TemplateNode::Text(_) | TemplateNode::Write(_)) {
                between.push(node);
            } else {
                parts.push(std::mem::take(&mut between));
                parts.push(vec![node]);
            }
        }
        parts.push(between);
        let is_blank = |node: &TemplateNode| matches!(node, TemplateNode::Text(text) if text.content.trim().is_empty());
        parts.retain(|part| !part.iter().all(is_blank));
        TemplateNode::Parts(Box::new(PartsNode { parts, separator, at }))
    }

    fn separator(&mut self, text: &str, at: usize) -> SeparatorNode {
        let id = self.origins.add(Origin::Straight(at.cast_signed()));
        SeparatorNode { text: TextNode { content: text.into(), id }, is_encoded: false }
    }

    fn each(
        &mut self,
        block: &HelperTemplate,
        list: Expression,
        (value_name, place_name): (Option<String>, Option<String>),
        separator: Option<SeparatorNode>,
        at: usize,
    ) -> TemplateNode {
        if self.scopes.loops() >= self.each_depth_max {
            self.findings.error(
                "each_too_deep",
                at,
                format!("{{{{#each}}}} may stand {} deep in one another.", self.each_depth_max),
            );
        }
        let scope = BlockScope { is_loop: true, path: None, value_name, place_name };
        let body = self.inside(scope, block.template.as_ref());
        let otherwise = self.part(block.inverse.as_ref());
        TemplateNode::Each(Box::new(EachNode { list, body, otherwise, separator, at }))
    }

    fn with(
        &mut self,
        block: &HelperTemplate,
        value: Expression,
        path: Option<Vec<String>>,
        (value_name, place_name): (Option<String>, Option<String>),
        at: usize,
    ) -> TemplateNode {
        if place_name.is_some() {
            self.findings.error("block_values", at, "{{#with … as |name|}} gives one name.");
        }
        let scope = BlockScope { is_loop: false, path, value_name, place_name: None };
        let body = self.inside(scope, block.template.as_ref());
        let otherwise = self.part(block.inverse.as_ref());
        TemplateNode::With(Box::new(WithNode { value, body, otherwise, at }))
    }

    fn inside(&mut self, scope: BlockScope, template: Option<&Template>) -> Nodes {
        self.scopes.push(scope);
        let nodes = self.part(template);
        self.scopes.pop();
        nodes
    }

    fn part(&mut self, template: Option<&Template>) -> Nodes {
        template.map(|template| self.nodes(template)).unwrap_or_default()
    }

    /// `includeZero=true` of `if` and `unless`, `separator=","` of `each` and `parts`.
    fn options(&mut self, block: &HelperTemplate, name: &str, at: usize) -> Options {
        let mut options = Options::default();
        for (option, value) in &block.hash {
            match (option.as_str(), value) {
                ("includeZero", Parameter::Literal(Value::Bool(truth))) if matches!(name, "if" | "unless") => {
                    options.include_zero = *truth;
                }
                ("separator", Parameter::Literal(Value::String(text)))
                    if matches!(name, "each" | "parts") && text.len() <= SEPARATOR_BYTES_MAX =>
                {
                    options.separator = Some(self.separator(text, at));
                }
                ("separator", _) if matches!(name, "each" | "parts") => {
                    self.findings.error(
                        "block_values",
                        at,
                        "A separator is a text in quotes of at most 100 characters: {{#each rental.tags separator=\", \
                        \"}}.",
                    );
                    // So that its absence is not reported as well.
                    options.separator = Some(self.separator(",", at));
                }
                _ => self.findings.error(
                    "block_values",
                    at,
                    "The options of blocks are includeZero=true for {{#if}} and {{#unless}}, and separator=\",\" for {{#each}} and {{#parts}}.",
                ),
            }
        }
        options
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
