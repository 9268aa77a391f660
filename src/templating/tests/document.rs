//! `docs/templates.md` says what the code does: its examples are rendered, and its tables have every
//! helper, limit and code, and no others.

use std::collections::BTreeSet;

use crate::dictionary::Dictionary;
use crate::json::Document;
use crate::model::event::EventPattern;
use crate::model::template::Format;
use crate::templating::compile::diagnostic::CODES;
use crate::templating::render::helpers;
use crate::templating::{Data, TemplateLimits, compile};

const DOCUMENT: &str = include_str!("../../../docs/templates.md");
const SETTINGS: &str = include_str!("../../../config/posthaste.toml");

struct Example {
    title: &'static str,
    event: EventPattern,
    format: Format,
    template: &'static str,
    data: &'static str,
    sent: &'static str,
}

fn section(title: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("no {title}"));
    rest.split("\n## ").next().unwrap_or(rest)
}

/// The inside of the next fenced block of this language, and what follows it.
fn block(text: &'static str, language: &str) -> (&'static str, &'static str) {
    let (_, inside) = text.split_once(&format!("\n```{language}\n")).unwrap_or_else(|| panic!("no {language}: {text}"));
    inside.split_once("\n```\n").expect("an end")
}

fn examples() -> Vec<Example> {
    let quoted = |text: &'static str, before: &str| {
        let (_, rest) = text.split_once(&format!("{before} `")).unwrap_or_else(|| panic!("no {before}: {text}"));
        rest.split_once('`').expect("an end").0
    };
    let example = |text: &'static str| {
        let (title, rest) = text.split_once('\n').expect("a title");
        let event = EventPattern::new(quoted(rest, "Event")).expect("a pattern");
        let format = quoted(rest, "format").parse().expect("a format");
        let (template, rest) = block(rest, "handlebars");
        let (data, rest) = block(rest, "json");
        let (sent, _) = block(rest, "text");
        Example { title, event, format, template, data, sent }
    };
    section("Ten worked examples").split("\n### ").skip(1).map(example).collect()
}

#[test]
fn the_examples_are_sent_as_they_say() {
    let dictionary = Dictionary::shipped();
    let examples = examples();
    assert_eq!(examples.len(), 10);
    for Example { title, event, format, template, data, sent } in examples {
        let checked = compile(format, template, &dictionary, Some(&event), &TemplateLimits::default());
        assert_eq!(checked.diagnostics, [], "{title}");
        let details = super::details("acme", "booking.confirmed", "evt-1", "2026-05-07T22:30:00Z");
        let data = Data::of(Document::read(data.into()).expect("JSON"), details);
        let body = checked.compiled.expect("taken").render(&data).expect("within bounds");
        assert_eq!(String::from_utf8_lossy(&body), sent, "{title}");
    }
}

/// The first cell of each of a table's rows.
fn cells(section: &'static str) -> Vec<&'static str> {
    let rows = section.lines().filter(|line| line.starts_with("| ") || line.starts_with("|-"));
    rows.skip(2).map(|row| row[2..].split(" | ").next().unwrap_or(row)).collect()
}

#[test]
fn every_code_has_its_fix() {
    let documented: Vec<_> =
        cells(section("What the checker says")).iter().map(|cell| cell.trim_matches('`')).collect();
    assert_eq!(documented, CODES);
}

#[test]
fn every_helper_is_documented_with_its_options() {
    let table = cells(section("Helpers")).join(" ");
    let calls: Vec<&str> = table.split("{{").skip(1).map(|call| call.split("}}").next().unwrap_or(call)).collect();
    let documented: BTreeSet<&str> = calls.iter().filter_map(|call| call.split(' ').next()).collect();
    assert_eq!(documented, helpers::all().map(|helper| helper.name).collect());
    for signature in helpers::all() {
        let call = calls.iter().find(|call| call.split(' ').next() == Some(signature.name)).expect("documented");
        let options: BTreeSet<&str> = call.split(' ').filter_map(|word| Some(word.split_once('=')?.0)).collect();
        assert_eq!(options, signature.options.iter().copied().collect(), "{}", signature.name);
    }
}

#[test]
fn the_examples_of_helpers_give_what_they_say() {
    let section = section("Helpers");
    let (data, _) = block(section, "json");
    let details = super::details("a", "t", "i", "2026-05-07T22:30:00Z");
    let data = Data::of(Document::read(data.into()).expect("JSON"), details);
    let mut shown = BTreeSet::new();
    let mut failed = Vec::new();
    for part in section.split("`{{").skip(1) {
        let Some((call, rest)) = part.split_once("}}` → `") else { continue };
        let expected = rest.split("` |").next().unwrap_or(rest).split("`; ").next().unwrap_or(rest);
        let checked =
            compile(Format::Text, &format!("{{{{{call}}}}}"), &Dictionary::shipped(), None, &TemplateLimits::default());
        let compiled = checked.compiled.unwrap_or_else(|| panic!("{call}: {:?}", checked.diagnostics));
        let body = compiled.render(&data).expect("within bounds");
        if body != expected {
            failed.push(format!("{call}: {} is not {expected}", String::from_utf8_lossy(&body)));
        }
        shown.extend(call.split([' ', '(']).filter_map(|word| helpers::find(word).map(|(_, helper)| helper.name)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(shown, helpers::all().map(|helper| helper.name).collect(), "each helper has an example");
}

#[test]
fn the_calls_in_messages_can_be_written() {
    for signature in helpers::all() {
        let end = if signature.example.starts_with("{{#if") { "{{/if}}" } else { "" };
        let body = format!("{}{end}", signature.example);
        let checked = compile(Format::Text, &body, &Dictionary::shipped(), None, &TemplateLimits::default());
        assert!(checked.compiled.is_some(), "{body}: {:?}", checked.diagnostics);
    }
}

#[test]
fn every_limit_is_documented_with_its_default() {
    let settings: toml::Table = SETTINGS.parse().expect("TOML");
    let limits = settings["templates"].as_table().expect("a section");
    let rows = section("Limits").lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let documented: BTreeSet<_> =
        rows.map(|(name, rest)| (name.to_owned(), rest.split(' ').next().unwrap_or(rest).to_owned())).collect();
    assert_eq!(documented, limits.iter().map(|(name, value)| (name.clone(), value.to_string())).collect());
}
