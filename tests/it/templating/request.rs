//! Expressions in the URL and the headers of a trigger: no value changes the destination, the number of path segments,
//! or the number of headers.

use posthaste::model::target::Target;
use posthaste::model::url::TriggerUrl;
use posthaste::templating::{CompileContext, Expressions, TemplateLimits, is_error};
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{Members, config, data, data_of, mutants};

/// The properties of a target that must not depend on the data.
type Shape = (String, usize, usize);

fn shape(target: &Target) -> Result<Shape, String> {
    let url = url::Url::parse(&target.url).map_err(|error| format!("{}: {error}", target.url))?;
    let origin = (url.scheme(), url.host_str(), url.port());
    if origin != ("https", Some("h.example"), Some(8443)) {
        return Err(format!("{} goes elsewhere", target.url));
    }
    let segments = url.path_segments().map_or(0, Iterator::count);
    let bytes = target.headers.iter().flat_map(|(_, value)| value.as_bytes());
    if bytes.into_iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err("a header's value holds a control character".to_owned());
    }
    Ok((target.destination.to_string(), segments, target.headers.len()))
}

/// Checks a text as the end of a URL and as the value of a header.
pub(crate) fn judge(text: &str, members: &Map<String, Value>) -> Result<(), String> {
    let Ok(url) = TriggerUrl::new(&format!("https://h.example:8443/{text}")) else { return Ok(()) };
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let headers: Vec<_> = [("x-fixed", "1"), ("x-own", if plain { text } else { "" })]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let (expressions, found) =
        Expressions::compile(&url, &headers, &CompileContext::of(&Members), &TemplateLimits::default());
    let Some(expressions) = expressions.filter(|_| !found.iter().any(is_error)) else { return Ok(()) };
    let target = Target::of(url, &headers, Vec::new()).map_err(|error| error.to_string())?;
    let mut first: Option<Shape> = None;
    for members in mutants::trials(members) {
        let Ok(target) = expressions.target(&target, &data_of(&members)) else { continue };
        let shape = shape(&target)?;
        match &first {
            Some(first) if *first != shape => {
                return Err(format!("{text:?}: {} has not the shape {first:?}", target.url));
            }
            Some(_) => {}
            None => first = Some(shape),
        }
    }
    Ok(())
}

/// The pieces that invalid URLs are made of.
const SCRAPS: [&str; 30] = [
    "{{a}}",
    "{{b}}",
    "{{upper a}}",
    "*|DATA:B|*",
    "{{#if a}}",
    "{{else}}",
    "{{/if}}",
    "{{#each xs}}",
    "{{#each xs separator=\"&\"}}",
    "{{/each}}",
    "{{#parts separator=\"/\"}}",
    "{{/parts}}",
    "{{this}}",
    "/",
    "?",
    "&",
    "=",
    "#",
    ".",
    "..",
    "%2e",
    "%",
    "2",
    "e",
    "\\",
    ":",
    "@",
    "x",
    " ",
    "é",
];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_value_changes_where_a_delivery_goes(
        scraps in proptest::collection::vec(proptest::sample::select(&SCRAPS[..]), 1..10),
        members in data::members(),
    ) {
        judge(&scraps.concat(), &members).map_err(TestCaseError::fail)?;
    }
}
