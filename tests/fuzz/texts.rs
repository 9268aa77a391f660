//! Any bytes as a template, in each format, as the end of a URL, as a header, and as data: nothing panics,
//! nothing takes long, what the checker takes gives well-formed bodies, and no value changes a destination. The fuzzer sees which code each try leads to and changes
//! it towards code that was not reached yet.
//!
//! An input is a byte for the format, the template, and behind a byte that no text has, the data as JSON.
#![no_main]

#[path = "../it/templating/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "the tests use the rest of it")]
mod templating;

use posthaste::model::template::Format;
use serde_json::{Map, Value};

const BETWEEN: u8 = 0xff;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((format, rest)) = input.split_first() else { return };
    let format = Format::ALL[usize::from(*format) % Format::ALL.len()];
    let mut parts = rest.split(|&byte| byte == BETWEEN);
    let template = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let members: Map<String, Value> =
        parts.next().and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
    templating::mutants::judge(format, &template, &members).expect("a taken template gives well-formed bodies");
    templating::request::judge(&template, &members).expect("no value changes where a delivery goes");
});
