//! Templates mean what they mean in Handlebars: in a plain text body, the same template and data give the same text as
//! handlebars' own renderer.

use handlebars::Handlebars;
use posthaste::model::template::Format;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::parts::{self, Expr, Piece, pieces};
use super::{body, compiled, config};

/// Values that both renderers write in the same way; lists and objects are not among them.
fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-c<&\"{}]{0,3}".prop_map(Value::String),
        (-2_i64..3).prop_map(Value::from),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ]
}

fn members() -> impl Strategy<Value = Map<String, Value>> {
    let list = vec(scalar(), 0..4);
    let object = btree_map("[k-m]", scalar(), 0..4);
    (vec(proptest::option::of(scalar()), 4), list, object).prop_map(|(plain, list, object)| {
        let mut members: Map<String, Value> = ["a", "b", "c", "d"]
            .into_iter()
            .zip(plain)
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect();
        members.insert("xs".to_owned(), json!(list));
        members.insert("o".to_owned(), json!(object));
        members
    })
}

/// Digits become white space, so that many blocks stand alone on their lines.
fn escape(text: &str) -> String {
    let letter = |c| match c {
        '0'..='4' => '\n',
        '5'..='7' => ' ',
        '{' | '}' | '\\' | '*' => '.',
        c => c,
    };
    text.chars().map(letter).collect()
}

/// The pieces without tags, and with values that both renderers write in the same way.
fn common(pieces: Vec<Piece>) -> Vec<Piece> {
    let expr = |expr| match expr {
        Expr::Member("xs" | "o", way) => Expr::Member("a", way & 1),
        Expr::Member(name, way) => Expr::Member(name, [0, 1, 4][usize::from(way) % 3]),
        other => other,
    };
    let piece = |piece| match piece {
        Piece::Value(value) => Piece::Value(expr(value)),
        Piece::If(on, then, other) => Piece::If(expr(on), common(then), common(other)),
        Piece::Unless(on, then) => Piece::Unless(expr(on), common(then)),
        Piece::Each(list, each) => Piece::Each(list, common(each)),
        constant => constant,
    };
    pieces.into_iter().map(piece).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn text_bodies_are_those_of_handlebars(
        pieces in pieces(),
        between in "[a0-9]{0,3}",
        tilde in any::<bool>(),
        members in members(),
    ) {
        let mut template = parts::write(&common(pieces), 0, escape);
        template = template.replace("}}{{", &format!("}}}}{}{{{{", escape(&between)));
        if tilde {
            template = template.replace("{{else}}", "{{~else~}}").replace("{{/if}}", "{{/if ~}}");
        }
        let compiled = compiled(Format::Text, &template).map_err(TestCaseError::fail)?;
        let ours = body(&compiled, &members).expect("small");
        let mut plain = Handlebars::new();
        plain.register_escape_fn(handlebars::no_escape);
        // A byte order mark before a template is skipped, as nobody writes one on purpose.
        let theirs = plain.render_template(template.strip_prefix('\u{feff}').unwrap_or(&template), &members)
            .map_err(|error| TestCaseError::fail(format!("{template}: {error}")))?;
        prop_assert_eq!(String::from_utf8_lossy(&ours), theirs, "{}", template);
    }
}
