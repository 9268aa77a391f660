//! Forms: the body has the template's pairs, with the values inserted.

use posthaste::model::template::Format;
use proptest::collection::vec;
use proptest::prelude::*;

use super::parts::{self, Expr, Piece, Scope, expr, pieces};
use super::{body, compiled, config, data};

type Pair = (Vec<Piece>, Vec<Piece>, Option<Expr>);

fn escape(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('*', "%2A")
}

pub(crate) fn template(pairs: &[Pair]) -> String {
    let mut out = "first=1".to_owned();
    for (key, value, on) in pairs {
        let pair = format!("&{}={}", parts::write(key, 0, escape), parts::write(value, 0, escape));
        out += &match on {
            Some(on) => format!("{{{{#if {}}}}}{pair}{{{{/if}}}}", on.path(0)),
            None => pair,
        };
    }
    out
}

pub(crate) fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    vec((pieces(), pieces(), proptest::option::of(expr())), 0..4)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bodies_have_the_author_s_pairs(pairs in pairs(), members in data::members()) {
        let template = template(&pairs);
        let compiled = compiled(Format::Form, &template).map_err(TestCaseError::fail)?;
        if let Some(body) = body(&compiled, &members) {
            prop_assert!(body.iter().all(u8::is_ascii_graphic), "{}", template);
            let scope = Scope::of(&members);
            let mut expected = vec![("first".to_owned(), "1".to_owned())];
            for (key, value, on) in &pairs {
                if on.as_ref().is_none_or(|on| on.holds(&scope)) {
                    expected.push((parts::text(key, &scope), parts::text(value, &scope)));
                }
            }
            let parsed: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
            prop_assert_eq!(parsed, expected, "{}", template);
        }
    }
}
