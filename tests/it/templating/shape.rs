//! The structure of a body belongs to the template's author. Two bodies of one template, with data that differ only in
//! their texts, have the same structure.

use std::fmt;

use posthaste::model::template::Format;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{body, compiled, xml};

/// A JSON value without its scalars and keys. Duplicate keys count twice, unlike in a map.
#[derive(Debug, PartialEq)]
enum Json {
    Leaf,
    List(Vec<Json>),
    Object(Vec<Json>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Leaf)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Leaf)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Leaf)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Leaf)
    }
    fn visit_str<E>(self, _: &str) -> Result<Json, E> {
        Ok(Json::Leaf)
    }
    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Leaf)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = access.next_element()? {
            list.push(element);
        }
        Ok(Json::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some((_, member)) = access.next_entry::<String, Json>()? {
            members.push(member);
        }
        // The parser represents numbers that no other type holds as an object, with any data.
        Ok(Json::Object(members))
    }
}

/// The structure of a body, as a text that can be compared.
fn shape(format: Format, body: &[u8]) -> String {
    match format {
        Format::Json => format!("{:?}", serde_json::from_slice::<Json>(body).expect("well-formed")),
        Format::Xml => {
            let found = xml::parse(body).expect("well-formed").into_iter().filter_map(|found| match found {
                xml::Found::Open(name, attributes) => {
                    let names = attributes.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
                    Some(format!("<{name} {names:?}>"))
                }
                xml::Found::Close(name) => Some(format!("</{name}>")),
                xml::Found::Text(_) => None,
            });
            found.collect()
        }
        // Each unescaped `=` and `&` in the body comes from the template.
        Format::Form => body.iter().filter(|byte| matches!(byte, b'=' | b'&')).map(|&byte| char::from(byte)).collect(),
        Format::Text => String::new(),
    }
}

/// Data in which every text is this one.
fn members(text: &str) -> Map<String, Value> {
    let data = serde_json::json!({"a": text, "b": text, "c": 1, "d": text, "xs": [text, text, 2], "o": {"k": text, "m": text}});
    match data {
        Value::Object(members) => members,
        _ => unreachable!("an object"),
    }
}

/// Texts that begin or end a construct in each of the formats.
const HOSTILE: [&str; 3] = ["\",\"x\":[1]}]<x a=\"'/>--></a>]]>&a=b%26{{a}}*|DATA:B|*\u{0}\r\n\u{ffff}", "\\", "1"];

/// Blocks and helpers that may distinguish texts, so that the author chooses by them.
const TELLING: [&str; 4] = ["{{#each (", "separator", "{{#if (", "parts"];

/// Whether a helper is called: its result for a text may be empty, and the template may test for that.
fn calls(template: &str) -> bool {
    super::parts::CALLS.iter().any(|call| {
        let name = call.split(' ').next().unwrap_or(call);
        template.contains(&format!("{name} "))
    })
}

/// Checks that no text in the data changes the structure of the body.
pub(crate) fn judge(format: Format, template: &str) -> Result<(), String> {
    if calls(template) || TELLING.iter().any(|telling| template.contains(telling)) {
        return Ok(());
    }
    let Ok(compiled) = compiled(format, template) else { return Ok(()) };
    let Some(tame) = body(&compiled, &members("x")) else { return Ok(()) };
    let tame = shape(format, &tame);
    for hostile in HOSTILE {
        let Some(body) = body(&compiled, &members(hostile)) else { continue };
        let wild = shape(format, &body);
        if wild != tame {
            return Err(format!("{template:?} with {hostile:?}: {wild} is not {tame}"));
        }
    }
    Ok(())
}
