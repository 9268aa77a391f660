//! A body with several mistakes: each is reported at its own position, except those that another one causes.

use super::{Small, check};
use crate::model::template::Format::{self, Json, Text};
use crate::templating::{CompileContext, Severity, TemplateLimits, compile_in};

/// The errors of a body: code, line, column, and a part of the message.
type ExpectedErrors<'t> = &'t [(&'t str, usize, usize, &'t str)];

const ONE_BLOCK: &str = "{{#if …}}…{{else if …}}…{{else}}null{{/if}}";
const PARTS: &str = "put all parts into {{#parts separator=\",\"}}";

fn assert_told(rows: &[(Format, &str, ExpectedErrors<'_>)]) {
    let mut failed = Vec::new();
    for (format, body, expected) in rows {
        let found = check(*format, body).diagnostics;
        let errors: Vec<_> = found.iter().filter(|found| found.severity == Severity::Error).collect();
        let is_same = errors.len() == expected.len()
            && errors.iter().zip(*expected).all(|(found, (code, line, column, words))| {
                (found.code, found.line, found.column) == (*code, *line, *column) && found.message.contains(words)
            });
        if !is_same {
            failed.push(format!("{body}: {errors:#?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
#[rustfmt::skip]
fn every_mistake_with_a_comma_is_told() {
    assert_told(&[
        (Json, "{\"a\": 1\n\"b\": [1\n2,],\n,\"c\": 3,\n}", &[
            ("json_missing_comma", 2, 1, "write one between"), ("json_missing_comma", 3, 1, "write one between"), ("json_trailing_comma", 3, 2, "Remove this comma"),
            ("json_comma", 4, 1, "remove it"), ("json_trailing_comma", 4, 8, "Remove this comma"),
        ]),
        (Json, "[1,,]", &[("json_trailing_comma", 1, 3, "Remove"), ("json_comma", 1, 4, "remove")]),
        (Json, "[,\n1,\n,2]", &[("json_comma", 1, 2, "remove"), ("json_comma", 3, 1, "remove")]),
        (Json, "{,\"a\":1,\n,\"b\":2}", &[("json_comma", 1, 2, "remove"), ("json_comma", 2, 1, "remove")]),
        (Json, "[\"a\" \"b\"\n{{x}} {\"k\" : 1}\n[2] true]", &[
            ("json_missing_comma", 1, 6, ""), ("json_missing_comma", 2, 1, ""), ("json_missing_comma", 2, 7, ""), ("json_missing_comma", 3, 1, ""), ("json_missing_comma", 3, 5, ""),
        ]),
        (Json, "{\"a\": ,\n\"b\": }", &[("json_value_missing", 1, 7, "null"), ("json_value_missing", 2, 6, "null")]),
        (Json, "{\"a\": \"x\" \"y\",\n\"b\": 1 2}", &[("json_missing_comma", 1, 11, ""), ("json_missing_comma", 2, 8, "")]),
        // In lists of a template, each at its own line.
        (Json, "{\"a\":[\n{{#each xs}}\n{{this}},\n{{/each}}\n],\n\"b\":[\n{{#each ys}}\n\"{{this}}\"\n{{/each}}\n]}", &[
            ("json_trailing_comma", 3, 9, "{{#each xs separator=\",\"}}"), ("json_missing_comma", 8, 1, "{{#each ys separator=\",\"}}"),
        ]),
        (Json, "{\n{{#if a}}\"a\":1{{/if}}\n{{#if b}}\"b\":2{{/if}}\n{{#if c}}\"c\":3{{/if}}\n}", &[("json_missing_comma", 3, 10, PARTS), ("json_missing_comma", 4, 10, PARTS)]),
        // One comma is reported once, and advice does not say what is written.
        (Json, "[{{#if a}}1{{/if}},{{#if b}}2{{/if}}]", &[("json_comma", 1, 19, PARTS)]),
        (Json, "{ {{#if a}}\"a\":1,{{/if}} {{#if b}}\"b\":2{{/if}} }", &[("json_trailing_comma", 1, 17, "Instead, put all parts into")]),
        (Json, "{ {{#if a}}\"a\":1{{/if}} {{#if b}},\"b\":2{{/if}} }", &[("json_comma", 1, 34, "Instead, put all parts into")]),
        (Json, "{ {{#parts}}{{#if a}}\"a\":1,{{/if}}{{#if b}}\"b\":2,{{/if}}{{#if c}}\"c\":3{{/if}}{{/parts}} }", &[
            ("json_comma", 1, 27, "the end of the part"), ("json_comma", 1, 49, "the end of the part"),
        ]),
        // What can't be read ends it.
        (Json, "[1 2,\nx,\n3 4]", &[("json_missing_comma", 1, 4, ""), ("json_token", 2, 1, "")]),
        (Json, "[1 2}", &[("json_missing_comma", 1, 4, ""), ("json_bracket", 1, 5, "")]),
    ]);
    // The number of reports is bounded, and so is their work.
    let many = format!("[{}0]", "1 ".repeat(20_000));
    assert_eq!(check(Json, &many).diagnostics.len(), 100);
    let on_many_paths = format!("[{}{}0]", "{{#if a}}1{{/if}}".repeat(9), "1 ".repeat(200));
    assert_eq!(check(Json, &on_many_paths).diagnostics.len(), 100);
}

#[test]
#[rustfmt::skip]
fn blocks_in_place_of_one_value_become_one_block() {
    assert_told(&[
        (Json, "{\"a\": {{#if x}}\"1\"{{/if}}{{#if y}}\"2\"{{/if}} }", &[("json_missing_comma", 1, 35, ONE_BLOCK)]),
        (Json, "{\"a\": {{#if x}}{{x}}{{/if}}{{#if y}}{{y}}{{/if}} }", &[("json_missing_comma", 1, 37, ONE_BLOCK)]),
        (Json, "{\"a\": {{#if x}}null{{/if}}{{#if y}}true{{/if}}{{#if z}}[3]{{/if}}, \"b\": 2 3}", &[
            ("json_missing_comma", 1, 36, ONE_BLOCK), ("json_missing_comma", 1, 56, ONE_BLOCK), ("json_missing_comma", 1, 75, ""),
        ]),
        (Json, "{\"a\": {{#each xs}}1{{/each}}{{#each ys}}2{{/each}} }", &[("json_value_missing", 1, 7, "in an {{else}}")]),
        // Digits of several blocks are one number.
        (Json, "{\"a\": {{#if x}}1{{/if}}{{#if y}}2{{/if}} }", &[("json_value_missing", 1, 7, ONE_BLOCK)]),
        // Both can't be written, but none may be.
        (Json, "{\"a\": {{#if x}}{{#if y}}1{{/if}}{{#unless y}}{{#if z}}2{{/if}}{{/unless}}{{else}}0{{/if}} }", &[("json_value_missing", 1, 16, ONE_BLOCK)]),
        (Json, "{\"a\": {{#if x}}1{{/if}} }", &[("json_value_missing", 1, 7, "in an {{else}}")]),
        // The whole body.
        (Json, "{{#if x}}{\"a\": 1}{{/if}}{{#if y}}{\"b\": 2}{{/if}}", &[("json_after_end", 1, 34, ONE_BLOCK)]),
        (Json, "{{#each xs}}{\"a\": {{this}}}{{/each}}", &[("json_after_end", 1, 13, "Put [ before the list")]),
        (Json, "{\"a\": 1} {\"b\": 2}", &[("json_after_end", 1, 10, "it ends before this character")]),
        // A list where one value is allowed, and a list of members.
        (Json, "{\"a\": {{#each xs}}{{this}}{{/each}} }", &[("json_missing_comma", 1, 19, "Put [ before the list")]),
        (Json, "{\"a\": {{#each xs}}\"{{this}}\"{{/each}} }", &[("json_missing_comma", 1, 19, "Put [ before the list")]),
        (Json, "{ {{#each xs}}\"{{@key}}\": {{this}}{{/each}} }", &[("json_missing_comma", 1, 15, "{{#each xs separator=\",\"}}")]),
    ]);
    // What is advised is accepted.
    let advised = "{\"a\": {{#if x}}{{x}}{{else if y}}{{y}}{{else}}null{{/if}} }";
    assert!(check(Json, advised).compiled.is_some());
}

/// A mark of another language where it can't stand is one error, with the way to write it.
#[test]
#[rustfmt::skip]
fn a_mark_where_no_text_may_stand_is_one_error() {
    for (body, column, here) in [
        ("{\"a\": <$.detail.id>}", 7, "{{id}}"),
        ("{\"a\": ${x}}", 7, "{{x}}"),
        ("{\"a\": {% if x %}1{% endif %}}", 7, "{{#if x}}"),
        ("{\"a\": <%= x %>}", 7, "{{x}}"),
        ("{\"a\": [[guest.name]]}", 7, "{{guest.name}}"),
        ("{\"a\": {guest.name}}", 7, "{{guest.name}}"),
        ("{\"a\": %guest.name%}", 7, "{{guest.name}}"),
        ("{\"é\": @{guest.name}, \"b\": \"${y}\"}", 7, "{{guest.name}}"),
        ("{\"a\": \"{{uper x}}\", \"b\": <$.y>}", 26, "{{y}}"),
    ] {
        let event = crate::model::event::EventPattern::new("guest.created").expect("a pattern");
        let setting = CompileContext { event: Some(&event), ..CompileContext::of(&Small) };
        let found = compile_in(Json, body, &setting, &TemplateLimits::default()).diagnostics;
        let errors: Vec<_> = found.iter().filter(|found| found.severity == Severity::Error && found.code != "unknown_helper").collect();
        let [error] = errors.as_slice() else { panic!("{body}: {found:#?}") };
        assert_eq!((error.code, error.column), ("foreign_syntax", column), "{body}");
        assert!(error.message.contains(here), "{body}: {}", error.message);
    }
}

/// What may be a placeholder is one if its name is known: to the dictionary, or from the data.
#[test]
fn placeholders_of_other_languages_are_warned_of_where_their_name_is_known() {
    let data = crate::json::Document::from(&serde_json::json!({"own": {"first_name": "x"}}));
    let event = crate::model::event::EventPattern::new("guest.created").expect("a pattern");
    let reported = |body: &str| {
        let setting = CompileContext { event: Some(&event), data: Some(data.root()), ..CompileContext::of(&Small) };
        let checked = compile_in(Text, body, &setting, &TemplateLimits::default());
        assert!(checked.compiled.is_some(), "{body}");
        checked.diagnostics.into_iter().map(|found| (found.code, found.column, found.message)).collect::<Vec<_>>()
    };
    for (body, here) in [
        ("Dear [[guest.name]]", "{{guest.name}}"),
        ("Dear %GUEST_NAME%", "{{guest.name}}"),
        ("Dear @{name}", "{{guest.name}}"),
        ("Dear {GUEST:EMAIL}", "{{guest.email}}"),
        ("Dear #{own.first_name}", "{{own.first_name}}"),
        ("Dear {first-name}", "{{own.first_name}}"),
        ("From %event.type%", "{{event.type}}"),
    ] {
        let found = reported(body);
        let [("foreign_syntax", 6, message)] = found.as_slice() else { panic!("{body}: {found:?}") };
        assert!(message.contains(here), "{body}: {message}");
    }
    for honest in [
        "100% %",
        "a{color}",
        "[[link]]",
        "%unknown%",
        "{}",
        "\\{{name}}",
        "[name]",
        "{{guest.name}}%",
        "50%{{guest.name}}%",
    ] {
        assert_eq!(reported(honest), [], "{honest}");
    }
}

/// Errors of authors who are no programmers, and the cure that the message names.
#[test]
#[rustfmt::skip]
fn what_authors_write_by_mistake_gets_its_cure() {
    assert_told(&[
        (Json, "{\"text\": \"Hi {{x}}, \"n\": 1}", &[("json_token", 1, 22, "the one before lacks its \" at the end")]),
        (Json, "{\"text\": \"the \"big\" one\"}", &[("json_token", 1, 16, "write \\\"")]),
        (Json, "{\"n\": {{x}} nights}", &[("json_token", 1, 13, "in the same double quotes")]),
        (Json, "{\"n\": {{x}} EUR}", &[("json_token", 1, 13, "in the same double quotes")]),
        (Json, "{\"n\": {{x}}.00}", &[("json_token", 1, 12, "in the same double quotes")]),
        (Json, "{\"n\": \"x\";\"m\": 1}", &[("json_token", 1, 10, "write , in place of ;")]),
        (Json, "{\"n\": True}", &[("json_token", 1, 7, "small letters")]),
        (Json, "{\"n\": None}", &[("json_token", 1, 7, "small letters")]),
        (Json, "Hello {{x}}", &[("json_token", 1, 1, "choose the format text")]),
        (Json, "{\"n\": 1}}", &[("json_after_end", 1, 9, "remove this one")]),
        (Json, "\"{{x}}\" \"{{y}}\"", &[("json_after_end", 1, 9, "put all values into one list")]),
        (Json, "{\"n\": 1} # end", &[("json_token", 1, 10, "{{! … }}")]),
        (Json, "[\"a\" true, 1 null]", &[("json_missing_comma", 1, 6, "write one between"), ("json_missing_comma", 1, 14, "write one between")]),
        (Text, "{{#if eq a \"IT\"}}x{{/if}}", &[("block_values", 1, 1, "{{#if (eq a \"IT\")}}")]),
        (Text, "{{#if a gt 3}}x{{/if}}", &[("block_values", 1, 1, "{{#if (gt a 3)}}")]),
        (Text, "{{#if (a gt 3)}}x{{/if}}", &[("unknown_helper", 1, 1, "(gt a 3)")]),
        (Text, "{{#if a b}}x{{/if}}", &[("block_values", 1, 1, "takes one value")]),
        (Text, "{{upper(guest.name)}}", &[("unknown_helper", 1, 1, "write guest.name without parentheses")]),
        (Text, "{{guest->name}}", &[("foreign_syntax", 1, 1, "{{guest.name}}")]),
        (Text, "{{\"guest.name\"}}", &[("syntax", 1, 3, "without quotes: {{guest.name}}")]),
        (Text, "a{{ }}", &[("syntax", 1, 5, "is empty")]),
        (Text, "\"{{guest.name arrives\"", &[("unclosed", 1, 22, "write }} there")]),
    ]);
}

/// What is at a bound is accepted, and what is one over it is refused.
#[test]
fn bounds_are_exact() {
    let nested = |depth: usize| "{{#if a}}".repeat(depth) + &"{{/if}}".repeat(depth);
    for (accepted, refused, code) in [
        ("{{a}}".repeat(1_000), "{{a}}".repeat(1_001), "too_many_expressions"),
        ("x".repeat(65_536), "x".repeat(65_537), "too_long"),
        (nested(32), nested(33), "too_deep"),
    ] {
        assert!(check(Text, &accepted).compiled.is_some(), "{code}");
        assert_eq!(check(Text, &refused).diagnostics.first().map(|found| found.code), Some(code));
    }
}
