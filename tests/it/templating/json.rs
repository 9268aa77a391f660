//! JSON: the body has the template's structure, with the values inserted.

use posthaste::model::template::Format;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::parts::{self, Expr, Piece, Scope, expr, pieces};
use super::{body, compiled, config, data};

/// A part of a JSON template.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Constant(&'static str),
    Value(Expr),
    String(Vec<Piece>),
    List(Vec<Node>),
    Object(Vec<(Vec<Piece>, Node, Option<Expr>)>),
    If(Expr, Box<Node>, Box<Node>),
    /// A list made by `each`, with its commas written in one of several ways.
    Each(Expr, Box<Node>, u8),
    /// An object whose keys come from the data.
    Keys(Box<Node>),
}

pub(crate) fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        1 => proptest::sample::select(vec!["null", "-1.50e3", "true", "\"x\\u00e9\\ud83d\\ude00\"", "[]", "{ }"]).prop_map(Node::Constant),
        3 => expr().prop_map(Node::Value),
        3 => pieces().prop_map(Node::String),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let on = proptest::option::of(expr());
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Node::List),
            vec((pieces(), inner.clone(), on), 0..4).prop_map(Node::Object),
            (expr(), inner.clone(), inner.clone()).prop_map(|(on, then, other)| Node::If(
                on,
                Box::new(then),
                Box::new(other)
            )),
            (proptest::sample::select(vec!["xs", "o", "a"]), inner.clone(), 0_u8..4)
                .prop_map(|(list, each, way)| Node::Each(Expr::Member(list, 4), Box::new(each), way)),
            inner.prop_map(|each| Node::Keys(Box::new(each))),
        ]
    })
}

/// Braces and stars are written as escapes: they could begin an expression or a tag.
fn escape(text: &str) -> String {
    let special = |c: char| c < ' ' || matches!(c, '"' | '\\' | '{' | '*');
    let letter = |c| {
        if special(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }
    };
    text.chars().map(letter).collect()
}

impl Node {
    pub(crate) fn write(&self, depth: usize) -> String {
        let string = |pieces: &[Piece]| format!("\"{}\"", parts::write(pieces, depth, escape));
        match self {
            Self::Constant(text) => (*text).to_owned(),
            Self::Value(expr) => expr.written(depth),
            Self::String(pieces) => string(pieces),
            Self::List(nodes) => {
                let nodes: Vec<_> = nodes.iter().map(|node| node.write(depth)).collect();
                format!("[{}]", nodes.join(", "))
            }
            Self::Object(members) => {
                let mut out = "{ \"first\" : 0".to_owned();
                for (key, node, on) in members {
                    let member = format!(", {}: {}", string(key), node.write(depth));
                    out += &match on {
                        Some(on) => format!("{{{{#if {}}}}}{member}{{{{/if}}}}", on.path(depth)),
                        None => member,
                    };
                }
                out + "\n}"
            }
            Self::If(on, then, other) => {
                let (then, other) = (then.write(depth), other.write(depth));
                format!("{{{{#if {}}}}}{then}{{{{else}}}} {other} {{{{/if}}}}", on.path(depth))
            }
            Self::Each(..) | Self::Keys(_) if depth >= 3 => "0".to_owned(),
            Self::Each(list, each, way) => {
                let each = each.write(depth + 1);
                let inside = match way {
                    0 => format!("{{{{#unless @first}}}},{{{{/unless}}}}{each}"),
                    1 => format!("{each}{{{{#unless @last}}}},{{{{/unless}}}}"),
                    2 => format!("{{{{#if @last}}}}{each}{{{{else}}}}{each},{{{{/if}}}}"),
                    _ => format!("{{{{#if (not @first)}}}},{{{{/if}}}}{each}"),
                };
                format!("[{{{{#each {}}}}}{inside}{{{{/each}}}}]", list.path(depth))
            }
            Self::Keys(each) => {
                let each = each.write(depth + 1);
                let list = Expr::Member("o", 4).path(depth);
                format!(
                    "{{ {{{{#each {list}}}}}\"k{{{{@index}}}}\":{each}{{{{#unless @last}}}},{{{{/unless}}}}{{{{/each}}}} }}"
                )
            }
        }
    }

    fn value(&self, scope: &Scope<'_>) -> Value {
        let elements = |list: &Expr, each: &Node| -> Vec<Value> {
            let list = scope.list(list).into_iter().enumerate();
            list.map(|(place, element)| each.value(&scope.with(element, place))).collect()
        };
        match self {
            Self::Constant(text) => serde_json::from_str(text).expect("a constant"),
            Self::Value(expr) => expr.value(scope),
            Self::String(pieces) => Value::String(parts::text(pieces, scope)),
            Self::List(nodes) => nodes.iter().map(|node| node.value(scope)).collect(),
            Self::Object(members) => {
                let mut object = Map::new();
                object.insert("first".to_owned(), Value::from(0));
                for (key, node, on) in members {
                    if on.as_ref().is_none_or(|on| on.holds(scope)) {
                        object.insert(parts::text(key, scope), node.value(scope));
                    }
                }
                Value::Object(object)
            }
            Self::If(on, then, other) => if on.holds(scope) { then } else { other }.value(scope),
            Self::Each(..) | Self::Keys(_) if scope.elements.len() >= 3 => Value::from(0),
            Self::Each(list, each, _) => Value::Array(elements(list, each)),
            Self::Keys(each) => {
                let values = elements(&Expr::Member("o", 4), each).into_iter().enumerate();
                Value::Object(values.map(|(place, value)| (format!("k{place}"), value)).collect())
            }
        }
    }
}

/// A template of separated lists and optional members, with helpers where values stand.
fn separated() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        2 => (0..parts::CALLS.len(), expr()).prop_map(|(which, expr)| parts::call(which, &expr, 1)),
        1 => expr().prop_map(|expr| expr.written(1)),
        1 => parts::any_pieces().prop_map(|pieces| format!("\"{}\"", parts::write(&pieces, 1, escape))),
    ];
    let part = |value: String, on: Option<Expr>, key: usize| {
        let member = format!("\"k{key}\": {value}");
        match on {
            Some(on) => format!("{{{{#if {}}}}}{member}{{{{/if}}}} ", on.path(1)),
            None => format!("{{{{#if true}}}}{member}{{{{/if}}}}\n"),
        }
    };
    let members = vec((value, proptest::option::of(expr())), 0..5).prop_map(move |members| {
        let parts = members.into_iter().enumerate().map(|(key, (value, on))| part(value, on, key));
        parts.collect::<String>()
    });
    (members, expr(), proptest::sample::select(vec!["xs", "o", "a"]), any::<bool>()).prop_map(
        |(members, on, list, all)| {
            let object = format!("{{ {{{{#parts separator=\",\"}}}}{members}{{{{/parts}}}} }}");
            let each = if all { object } else { format!("{{{{#if {}}}}}{object}{{{{/if}}}}", on.path(1)) };
            format!("[{{{{#each {list} separator=\",\"}}}}{each}{{{{/each}}}}]")
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bodies_are_what_the_author_wrote(node in node(), members in data::members()) {
        let template = node.write(0);
        let compiled = compiled(Format::Json, &template).map_err(TestCaseError::fail)?;
        if let Some(body) = body(&compiled, &members) {
            let parsed: Value = serde_json::from_slice(&body)
                .map_err(|error| TestCaseError::fail(format!("{template}\n{}\n{error}", String::from_utf8_lossy(&body))))?;
            prop_assert_eq!(parsed, node.value(&Scope::of(&members)), "{}", template);
        }
    }

    #[test]
    fn separators_and_helpers_leave_bodies_well_formed(template in separated(), members in data::members()) {
        let compiled = compiled(Format::Json, &template).map_err(TestCaseError::fail)?;
        if let Some(body) = body(&compiled, &members) {
            let parsed: Result<Value, _> = serde_json::from_slice(&body);
            prop_assert!(parsed.is_ok(), "{}\n{}", template, String::from_utf8_lossy(&body));
        }
    }
}
