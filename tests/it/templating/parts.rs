//! The parts that generated templates of all formats are made of: expressions and conditions, their notation, and a
//! simple evaluation.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::data::MEMBERS;

/// A value of the data, as a template names it.
#[derive(Debug, Clone)]
pub(crate) enum Expr {
    /// A member of the root, written in one of several ways.
    Member(&'static str, u8),
    /// The element of the innermost loop; the root outside loops.
    This,
    /// The index of the element.
    Index,
}

/// What is known at an expression.
#[derive(Clone)]
pub(crate) struct Scope<'d> {
    pub(crate) root: &'d Map<String, Value>,
    /// The elements of the open loops, with their indexes.
    pub(crate) elements: Vec<(&'d Value, usize)>,
}

impl<'d> Scope<'d> {
    pub(crate) fn of(root: &'d Map<String, Value>) -> Self {
        Self { root, elements: Vec::new() }
    }

    pub(crate) fn with(&self, element: &'d Value, place: usize) -> Self {
        let mut inner = self.clone();
        inner.elements.push((element, place));
        inner
    }

    /// The elements of a loop: an object's are its values.
    pub(crate) fn list(&self, expr: &Expr) -> Vec<&'d Value> {
        match expr.found(self) {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(Value::Object(members)) => members.values().collect(),
            _ => Vec::new(),
        }
    }
}

impl Expr {
    /// The path, inside this many loops.
    pub(crate) fn path(&self, depth: usize) -> String {
        match self {
            Self::Member(name, 0) if depth == 0 => (*name).to_owned(),
            Self::Member(name, 1) if depth == 0 => format!("this.{name}"),
            Self::Member(name, 0..=2) => format!("@root.{name}"),
            Self::Member(name, _) => "../".repeat(depth) + name,
            Self::This if depth == 0 => "a".to_owned(),
            Self::This => "this".to_owned(),
            Self::Index if depth == 0 => "b".to_owned(),
            Self::Index => "@index".to_owned(),
        }
    }

    pub(crate) fn written(&self, depth: usize) -> String {
        match self {
            Self::Member(name, 2) => format!("*|Data:{name}|*"),
            Self::Member(name, 3) => format!("{{{{ *|DATA:{name}|* }}}}"),
            _ => format!("{{{{{}}}}}", self.path(depth)),
        }
    }

    fn found<'d>(&self, scope: &Scope<'d>) -> Option<&'d Value> {
        match (self, scope.elements.last()) {
            (Self::Member(name, _), _) => scope.root.get(*name),
            (Self::This, Some((element, _))) => Some(element),
            (Self::This, None) => scope.root.get("a"),
            (Self::Index, None) => scope.root.get("b"),
            (Self::Index, Some(_)) => None,
        }
    }

    pub(crate) fn value(&self, scope: &Scope<'_>) -> Value {
        match (self, scope.elements.last()) {
            (Self::Index, Some((_, place))) => Value::from(*place),
            _ => self.found(scope).cloned().unwrap_or(Value::Null),
        }
    }

    pub(crate) fn text(&self, scope: &Scope<'_>) -> String {
        match self.value(scope) {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    pub(crate) fn holds(&self, scope: &Scope<'_>) -> bool {
        match self.value(scope) {
            Value::Null => false,
            Value::Bool(truth) => truth,
            Value::Number(number) => {
                number.as_str().split(['e', 'E']).next().unwrap_or("").contains(|c| matches!(c, '1'..='9'))
            }
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::Object(members) => !members.is_empty(),
        }
    }
}

pub(crate) fn expr() -> impl Strategy<Value = Expr> {
    prop_oneof![
        5 => (proptest::sample::select(&MEMBERS[..]), 0_u8..5).prop_map(|(name, way)| Expr::Member(name, way)),
        2 => Just(Expr::This),
        1 => Just(Expr::Index),
    ]
}

/// A piece of text: in a string, between tags, in an attribute, in a form's key or value.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Constant(String),
    Value(Expr),
    If(Expr, Vec<Piece>, Vec<Piece>),
    Unless(Expr, Vec<Piece>),
    Each(Expr, Vec<Piece>),
    /// A helper's call with the value; its result is arbitrary.
    Call(usize, Expr),
    /// A list whose parts have a separator between them.
    Separated(Expr, Vec<Piece>),
}

/// Calls of every helper, with `$` for a value.
pub(crate) const CALLS: &[&str] = &[
    "add $ 1",
    "subtract $ 1",
    "multiply $ 3",
    "divide $ 7",
    "modulo $ 3",
    "round $ 2",
    "floor $",
    "ceil $",
    "abs $",
    "min $ 1",
    "max $",
    "to_number $",
    "to_string $",
    "to_boolean $",
    "default $ \"x\"",
    "lookup $ \"a\"",
    "json $",
    "upper $",
    "lower $",
    "capitalize $",
    "title $",
    "trim $",
    "truncate $ 5",
    "substring $ 1 3",
    "replace $ \"a\" \"\\\"\"",
    "concat $ \"a\" $",
    "digits $",
    "pad_start $ 4 \"<\"",
    "pad_end $ 4 \"&\"",
    "starts_with $ \"a\"",
    "ends_with $ \"a\"",
    "length $",
    "first $",
    "last $",
    "slice $ 0 2",
    "sort $",
    "reverse $",
    "unique $",
    "pluck $ \"a\"",
    "where $ \"a\"",
    "sum $",
    "contains $ \"a\"",
    "join $ \"]]>\"",
    "split $ \"a\"",
    "url_encode $",
    "html $",
    "csv $",
    "base64 $",
    "hex $",
    "sha256 $",
    "md5 $",
    "date $ \"%A %d\" locale=\"fr\"",
    "date_add $ days=1",
    "date_diff $ \"2026-01-01\"",
    "unix $",
    "number $ locale=\"de\"",
    "money $ \"EUR\" symbol=true",
    "eq $ 1",
    "ne $ 1",
    "lt $ 1",
    "lte $ \"b\"",
    "gt $ 1",
    "gte $ \"b\"",
    "not $",
    "and $ $",
    "or $ $",
];

/// The properties call every documented helper.
#[test]
fn every_helper_is_called() {
    let document = include_str!("../../../docs/templates.md");
    let helpers =
        document.split("\n## Helpers").nth(1).and_then(|rest| rest.split("\n### Where").next()).expect("helpers");
    let rows = helpers.lines().filter_map(|line| line.strip_prefix("| `{{"));
    let names = rows.flat_map(|row| row.split(" | ").next().unwrap_or(row).split("{{"));
    let names: Vec<_> = names.filter_map(|call| call.split(' ').next()).collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        assert!(CALLS.iter().any(|call| call.split(' ').next() == Some(name)), "{name}");
    }
}

/// A call in the notation of templates.
pub(crate) fn call(which: usize, expr: &Expr, depth: usize) -> String {
    format!("{{{{{}}}}}", CALLS[which].replace('$', &expr.path(depth)))
}

pub(crate) fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let leaf = prop_oneof![
        2 => proptest::collection::vec(any::<char>(), 0..4).prop_map(|letters| Piece::Constant(String::from_iter(letters))),
        2 => "[ -~]{0,5}".prop_map(Piece::Constant),
        4 => expr().prop_map(Piece::Value),
    ];
    blocks(leaf)
}

/// The same with helpers and separators; only the form of their bodies is known.
pub(crate) fn any_pieces() -> impl Strategy<Value = Vec<Piece>> {
    let leaf = prop_oneof![
        2 => "[ -~]{0,5}".prop_map(Piece::Constant),
        2 => expr().prop_map(Piece::Value),
        4 => (0..CALLS.len(), expr()).prop_map(|(which, expr)| Piece::Call(which, expr)),
        2 => (proptest::sample::select(vec!["xs", "o"]), expr())
            .prop_map(|(list, value)| Piece::Separated(Expr::Member(list, 4), vec![Piece::Value(value)])),
    ];
    blocks(leaf)
}

fn blocks(leaf: impl Strategy<Value = Piece> + 'static) -> impl Strategy<Value = Vec<Piece>> {
    let piece = leaf.prop_recursive(2, 8, 3, |inner| {
        let some = proptest::collection::vec(inner, 0..3);
        prop_oneof![
            (expr(), some.clone(), some.clone()).prop_map(|(on, then, other)| Piece::If(on, then, other)),
            (expr(), some.clone()).prop_map(|(on, then)| Piece::Unless(on, then)),
            (proptest::sample::select(vec!["xs", "o"]), some)
                .prop_map(|(list, each)| Piece::Each(Expr::Member(list, 4), each)),
        ]
    });
    proptest::collection::vec(piece, 0..4)
}

/// The pieces in the notation of templates; `escape` prepares constants.
pub(crate) fn write(pieces: &[Piece], depth: usize, escape: fn(&str) -> String) -> String {
    let inner = |pieces| write(pieces, depth, escape);
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Constant(text) => escape(text),
            Piece::Value(expr) => expr.written(depth),
            Piece::If(on, then, other) => {
                format!("{{{{#if {}}}}}{}{{{{else}}}}{}{{{{/if}}}}", on.path(depth), inner(then), inner(other))
            }
            Piece::Unless(on, then) => {
                format!("{{{{#unless {}}}}}{}{{{{/unless}}}}", on.path(depth), inner(then))
            }
            Piece::Each(list, each) if depth < 3 => {
                let each = write(each, depth + 1, escape);
                format!("{{{{#each {}}}}}{each}{{{{/each}}}}", list.path(depth))
            }
            Piece::Each(..) => String::new(),
            Piece::Call(which, expr) => call(*which, expr, depth),
            Piece::Separated(list, each) if depth < 3 => {
                let each = write(each, depth + 1, escape);
                format!("{{{{#each {} separator=\", \"}}}}{each}{{{{/each}}}}", list.path(depth))
            }
            Piece::Separated(..) => String::new(),
        })
        .collect()
}

/// The expected text of the pieces; `fit` is the format's treatment of values and constants.
pub(crate) fn text(pieces: &[Piece], scope: &Scope<'_>) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Constant(text) => text.clone(),
            Piece::Value(expr) => expr.text(scope),
            Piece::If(on, then, other) => text(if on.holds(scope) { then } else { other }, scope),
            Piece::Unless(on, then) if !on.holds(scope) => text(then, scope),
            Piece::Unless(..) => String::new(),
            Piece::Each(list, each) if scope.elements.len() < 3 => scope
                .list(list)
                .into_iter()
                .enumerate()
                .map(|(place, element)| text(each, &scope.with(element, place)))
                .collect(),
            Piece::Each(..) => String::new(),
            Piece::Call(..) | Piece::Separated(..) => unreachable!("no text is reckoned for these"),
        })
        .collect()
}
