//! What the checker accepts, it has proved: properties of generated templates with generated, hostile data, judged by
//! independent parsers.
//!
//! `POSTHASTE_CASES` sets how many cases each property gets, `POSTHASTE_SEED` the first of their random numbers.

mod data;
mod form;
mod json;
pub(crate) mod mutants;
mod parts;
mod plain;
pub(crate) mod request;
mod shape;
mod xml;

use posthaste::model::attributes::Attributes;
use posthaste::model::event::{EventIdentity, EventPattern, EventType};
use posthaste::model::id::AccountId;
use posthaste::model::template::Format;
use posthaste::templating::{CompiledTemplate, Data, EventDetails, TagLookup, TemplateLimits, compile};
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Map, Value};

/// A dictionary with one tag for each member of the generated data.
pub(crate) struct Members;

impl TagLookup for Members {
    fn tag_path(&self, entity: &str, attribute: &str) -> Option<&str> {
        let path = data::MEMBERS.iter().find(|name| name.eq_ignore_ascii_case(attribute));
        path.copied().filter(|_| entity.eq_ignore_ascii_case("data"))
    }

    fn tags(&self) -> Vec<String> {
        data::MEMBERS.iter().map(|name| format!("DATA:{}", name.to_uppercase())).collect()
    }

    fn paths(&self, _event: Option<&EventPattern>) -> Option<Vec<String>> {
        None
    }
}

fn config() -> Config {
    let number =
        |name: &str, otherwise: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    Config {
        cases: u32::try_from(number("POSTHASTE_CASES", 1_000)).expect("a number of cases"),
        rng_seed: RngSeed::Fixed(number("POSTHASTE_SEED", 1)),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    }
}

fn compiled(format: Format, body: &str) -> Result<CompiledTemplate, String> {
    let checked = compile(format, body, &Members, None, &TemplateLimits::default());
    checked.compiled.ok_or_else(|| format!("{body:?}: {:?}", checked.diagnostics))
}

fn data_of(members: &Map<String, Value>) -> Data {
    let event_type = EventType::new("t").expect("a type");
    let account = AccountId::new("a").expect("a name");
    let identity = EventIdentity::new(&account, &event_type, "", "i");
    let details = EventDetails { identity, time: "2026-01-01T00:00:00Z".into(), attributes: Attributes::default() };
    Data::of(members.clone().into(), details)
}

/// The body for this data; `None` if a bound stopped it.
fn body(compiled: &CompiledTemplate, members: &Map<String, Value>) -> Option<Vec<u8>> {
    compiled.render(&data_of(members)).ok().map(|body| body.to_vec())
}
