//! Generated templates with mistakes. Those that the checker still accepts must give well-formed bodies for all tried
//! data; it must refuse most.

use posthaste::model::template::Format;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{body, compiled, config, data, form, json as json_templates, parts, shape, xml};

/// The pieces that mistakes are made of.
const SCRAPS: [&str; 56] = [
    "{{a}}",
    "{{#if a}}",
    "{{else}}",
    "{{/if}}",
    "{{#unless @last}}",
    "{{#unless @first}}",
    "{{/unless}}",
    "{{#each xs}}",
    "{{/each}}",
    "{{#each xs separator=\",\"}}",
    "{{#each xs separator=\"&\"}}",
    "{{#parts}}",
    "{{#parts separator=\"&\"}}",
    "{{/parts}}",
    "{{#if (lt @index 2)}}",
    "{{#if (eq @index 1)}}",
    "{{sort xs}}",
    "{{upper a}}",
    "{{round c 1}}",
    "{{#with o}}",
    "{{/with}}",
    "{{@index}}",
    "{{~a~}}",
    "*|DATA:B|*",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "1",
    "-",
    "0",
    ".",
    "e",
    "null",
    "\\",
    "\\u",
    "d83d",
    " ",
    "\n",
    "<",
    ">",
    "/",
    "<a>",
    "</a>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "&amp;",
    "&",
    "=",
    "x",
    "'",
];

#[derive(Debug, Clone)]
enum Mistake {
    Drop(prop::sample::Index),
    Twice(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, &'static str),
}

fn mistakes() -> impl Strategy<Value = Vec<Mistake>> {
    let at = any::<prop::sample::Index>;
    let mistake = prop_oneof![
        at().prop_map(Mistake::Drop),
        at().prop_map(Mistake::Twice),
        (at(), at()).prop_map(|(a, b)| Mistake::Swap(a, b)),
        (at(), proptest::sample::select(&SCRAPS[..])).prop_map(|(at, scrap)| Mistake::Insert(at, scrap)),
    ];
    proptest::collection::vec(mistake, 1..4)
}

/// Splits a template: expressions, tags and names as a whole, everything else into characters.
fn tokens(template: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("{{") {
            rest.find("}}").map_or(2, |end| end + 2)
        } else if rest.starts_with("*|") {
            rest.find("|*").map_or(2, |end| end + 2)
        } else if first.is_ascii_alphanumeric() {
            rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        tokens.push(rest[..length].to_owned());
        rest = &rest[length..];
    }
    tokens
}

fn mutated(template: &str, mistakes: &[Mistake]) -> String {
    let mut tokens = tokens(template);
    for mistake in mistakes {
        if tokens.is_empty() {
            break;
        }
        match mistake {
            Mistake::Drop(at) => drop(tokens.remove(at.index(tokens.len()))),
            Mistake::Twice(at) => {
                let at = at.index(tokens.len());
                tokens.insert(at, tokens[at].clone());
            }
            Mistake::Swap(a, b) => {
                let length = tokens.len();
                tokens.swap(a.index(length), b.index(length));
            }
            Mistake::Insert(at, scrap) => tokens.insert(at.index(tokens.len()), (*scrap).to_owned()),
        }
    }
    tokens.concat()
}

/// Data that makes every condition true and false, and loops with none, one, two and three elements.
pub(crate) fn trials(members: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let object = |value: Value| match value {
        Value::Object(members) => members,
        _ => unreachable!("an object"),
    };
    let hostile = "]]\"\\'<&>{{a}}";
    vec![
        Map::new(),
        object(json!({"a": hostile, "b": true, "c": 1, "d": [1], "xs": [1], "o": {"k": 1}})),
        object(
            json!({"a": hostile, "b": hostile, "c": "", "d": {}, "xs": [hostile, {"a": []}], "o": {"k": hostile, "": null}}),
        ),
        object(
            json!({"a": [], "b": {"a": 1}, "c": 0, "d": hostile, "xs": [1, "2", null], "o": {"a": 1, "b": 2, "c": 3}}),
        ),
        object(json!({"a": "x", "xs": [[1], [2, 3]], "o": {}})),
        object(json!({"b": "x", "c": "x", "xs": []})),
        members.clone(),
    ]
}

pub(crate) fn judge(format: Format, template: &str, members: &Map<String, Value>) -> Result<(), TestCaseError> {
    let Ok(compiled) = compiled(format, template) else {
        return Ok(());
    };
    shape::judge(format, template).map_err(TestCaseError::fail)?;
    for members in trials(members) {
        let Some(body) = body(&compiled, &members) else {
            continue;
        };
        let verdict = match format {
            Format::Json => serde_json::from_slice::<Value>(&body).map(drop).map_err(|error| error.to_string()),
            Format::Xml => xml::parse(&body).map(drop),
            Format::Form if body.iter().all(u8::is_ascii_graphic) => Ok(()),
            Format::Form => Err("not ASCII".to_owned()),
            Format::Text => Ok(()),
        };
        if let Err(error) = verdict {
            let body = String::from_utf8_lossy(&body).into_owned();
            return Err(TestCaseError::fail(format!("{template}\n{body}\n{error}")));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn json_with_mistakes_is_refused_or_well_formed(node in json_templates::node(), mistakes in mistakes(), members in data::members()) {
        judge(Format::Json, &mutated(&node.write(0), &mistakes), &members)?;
    }

    #[test]
    fn xml_with_mistakes_is_refused_or_well_formed(root in xml::root(), mistakes in mistakes(), members in data::members()) {
        judge(Format::Xml, &mutated(&root.write(0), &mistakes), &members)?;
    }

    #[test]
    fn a_form_with_mistakes_is_refused_or_well_formed(pairs in form::pairs(), mistakes in mistakes(), members in data::members()) {
        judge(Format::Form, &mutated(&form::template(&pairs), &mistakes), &members)?;
    }

    #[test]
    fn helpers_are_accepted_in_every_context_and_leave_bodies_well_formed(pieces in parts::any_pieces(), members in data::members()) {
        let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        let text = parts::write(&pieces, 0, plain);
        for (format, template) in [
            (Format::Json, format!("\"{text}\"")),
            (Format::Xml, format!("<a b=\"{text}\">{text}</a>")),
            (Format::Form, format!("k={text}&l=1")),
            (Format::Text, text.clone()),
        ] {
            let accepted = compiled(format, &template);
            prop_assert!(accepted.is_ok(), "{:?}", accepted.err());
            judge(format, &template, &members)?;
        }
    }

    #[test]
    fn random_scraps_are_refused_or_well_formed(scraps in proptest::collection::vec(proptest::sample::select(&SCRAPS[..]), 0..12), members in data::members()) {
        for format in Format::ALL {
            judge(format, &scraps.concat(), &members)?;
        }
    }
}

#[test]
fn any_text_is_read_without_a_panic() {
    let mut runner = proptest::test_runner::TestRunner::new(config());
    let parts = prop_oneof![
        2 => proptest::sample::select(&SCRAPS[..]).prop_map(str::to_owned),
        1 => proptest::sample::select(vec!["{{", "}}", "{{{", "}}}", "{{~", "~}}", "(", ")", "\"", "'", "[", "]", "../", "@", "as |x|", "else", "{{!", "--", "{{else if ", "{{#", "{{/", "^", "&", "=", "\u{a0}", "\r\n", "\u{e000}", "é"]).prop_map(str::to_owned),
        1 => data::text(),
    ];
    let texts = proptest::collection::vec(parts, 0..16).prop_map(|parts| parts.concat());
    runner
        .run(&(texts, data::members()), |(text, members)| {
            for format in Format::ALL {
                judge(format, &text, &members)?;
            }
            Ok(())
        })
        .expect("no panic and no malformed body");
}
