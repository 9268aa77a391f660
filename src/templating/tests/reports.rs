//! Public reports about templates of webhooks, `tests/reports`: what could not be written there can be
//! written here, and what must be refused is refused with words that help. Beside each report stand others
//! of its kind.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Small, check, render};
use crate::model::template::Format::{self, Form, Json, Text, Xml};
use crate::model::template::Template;
use crate::templating::{CheckedTemplate, CompileContext, TemplateLimits, compile_in};

struct Report {
    name: String,
    format: Format,
    body: String,
    content_type: Option<String>,
    data: Value,
    expect: Map<String, Value>,
}

fn reports() -> Vec<Report> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let document: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("a file")).expect("JSON");
        let text = |name: &str| document[name].as_str().map(str::to_owned);
        Report {
            name: path.display().to_string(),
            format: text("format").expect("a format").parse().expect("a format"),
            body: text("body").expect("a body"),
            content_type: text("content_type"),
            data: document["data"].clone(),
            expect: document["expect"].as_object().expect("what is expected").clone(),
        }
    };
    paths.into_iter().map(read).collect()
}

fn checked(report: &Report) -> CheckedTemplate {
    let setting = CompileContext { content_type: report.content_type.as_deref(), ..CompileContext::of(&Small) };
    compile_in(report.format, &report.body, &setting, &TemplateLimits::default())
}

/// Whether the template's document breaks a rule of its own.
fn document_refused(report: &Report) -> bool {
    let Some(content_type) = &report.content_type else { return false };
    let document =
        json!({"id": "t", "format": report.format.as_str(), "body": report.body, "content_type": content_type});
    Template::from_json(document).map_or(true, |template| !template.broken_rules().is_empty())
}

#[test]
fn every_report_comes_out_right() {
    let reports = reports();
    assert_eq!(reports.len(), 19);
    for report in &reports {
        let Report { name, expect, .. } = report;
        if let Some(Value::String(body)) = expect.get("body") {
            assert_eq!(render(report.format, &report.body, &report.data), *body, "{name}");
        }
        let checked = checked(report);
        if let Some(Value::Array(words)) = expect.get("refused_with") {
            assert!(checked.compiled.is_none(), "{name}");
            let said: String = checked.diagnostics.iter().map(|found| found.message.as_str()).collect();
            for word in words {
                assert!(said.contains(word.as_str().expect("a word")), "{name}: {said}");
            }
        }
        if expect.contains_key("refused_or_warned") {
            assert!(document_refused(report) || !checked.diagnostics.is_empty(), "{name}");
        }
    }
}

/// Templates like those that authors reported, with the exact body.
#[test]
#[rustfmt::skip]
fn further_templates_like_reported_ones_give_the_exact_body() {
    let mut failed = Vec::new();
    let data = json!({
        "a": "x", "b": "y", "yes": true, "no": false, "k": "k2", "xs": [7, 8, 9], "ys": [], "one": [1],
        "items": [{"id": "1", "on": false}, {"id": "2", "on": true, "more": "z"}, {"id": "3", "on": true}],
        "n": "12.50", "t": 1786723200000_i64, "day": "2026-08-14",
        "rooms": [{"name": "Hall", "beds": [1, 2]}, {"name": "Attic", "beds": []}],
    });
    for (format, body, expected) in [
        // Lists with conditions: the separator stands between what is written.
        (Json, "[{{#each items separator=\", \"}}{{#if on}}\"{{id}}\"{{/if}}{{/each}}]", "[\"2\", \"3\"]"),
        (Json, "[{{#each items separator=\",\"}}\n  {{#unless on}}\n  {{id}}\n  {{/unless}}\n{{/each}}]", "[\n  \"1\"\n]"),
        (Json, "{ {{#each items separator=\",\"}}{{#if on}}\"k{{id}}\":{{@index}}{{/if}}{{/each}} }", "{ \"k2\":1,\"k3\":2 }"),
        (Json, "[{{#each (where items \"on\" true) separator=\",\"}}{\"id\":{{id}}}{{/each}}]", "[{\"id\":\"2\"},{\"id\":\"3\"}]"),
        (Json, "[{{#each ys separator=\",\"}}1{{/each}}]", "[]"),
        (Json, "[{{#each ys separator=\",\"}}1{{else}}0{{/each}}]", "[0]"),
        (Json, "[{{#each rooms separator=\",\"}}[{{#each beds separator=\",\"}}{{this}}{{/each}}]{{/each}}]", "[[1,2],[]]"),
        (Json, "[{{#each rooms separator=\",\"}}{{#each beds separator=\",\"}}{{this}}{{/each}}{{/each}}]", "[1,2]"),
        (Json, "[0{{#each xs}},{{this}}{{/each}}]", "[0,7,8,9]"),
        (Json, "\"{{#each items separator=\", \"}}{{#if on}}{{id}}{{/if}}{{/each}}\"", "\"2, 3\""),
        (Form, "{{#each xs separator=\"&\"}}x={{this}}{{/each}}", "x=7&x=8&x=9"),
        (Form, "a={{#each xs separator=\", \"}}{{this}}{{/each}}", "a=7,%208,%209"),
        (Xml, "<a>{{#each items separator=\"; \"}}{{#if on}}<b>{{id}}</b>{{/if}}{{/each}}</a>", "<a><b>2</b>; <b>3</b></a>"),
        (Text, "{{#each items separator=\" and \"}}{{more}}{{/each}}|{{#each xs separator=\"\"}}{{this}}{{/each}}", "z|789"),
        (Text, "{{#each xs separator=\", \" as |x i|}}{{i}}{{x}}{{/each}}", "07, 18, 29"),
        // At most a number of elements, and other comparisons of the index.
        (Json, "[{{#each xs}}{{#if (lt @index 2)}}{{#if @index}},{{/if}}{{this}}{{/if}}{{/each}}]", "[7,8]"),
        (Json, "[{{#each xs}}{{#if (gte @index 1)}}{{#if (gt @index 1)}},{{/if}}{{this}}{{/if}}{{/each}}]", "[8,9]"),
        (Json, "[{{#each xs}}{{#if (eq 1 @index)}}{{this}}{{/if}}{{/each}}]", "[8]"),
        (Json, "[{{#each xs}}{{#if (and yes (lte @index 1))}}{{/if}}{{#unless (eq @index 0)}},{{/unless}}{{this}}{{/each}}]", "[7,8,9]"),
        (Json, "[{{#each (slice xs 0 2) separator=\",\"}}{{this}}{{/each}}]", "[7,8]"),
        // Members that are all optional.
        (Json, "{ {{#if a}}\"a\":1{{#if b}},{{/if}}{{/if}}{{#if b}}\"b\":2{{/if}} }", "{ \"a\":1,\"b\":2 }"),
        (Json, "{ {{#if no}}\"a\":1{{#if b}},{{/if}}{{/if}}{{#if b}}\"b\":2{{/if}} }", "{ \"b\":2 }"),
        (Json, "{ {{#if a}}\"a\":1{{/if}}{{#if (and a b)}},{{/if}}{{#if b}}\"b\":2{{/if}} }", "{ \"a\":1,\"b\":2 }"),
        (Json, "{ {{#parts separator=\",\"}}{{#if a}}\"a\":1{{/if}} {{#if no}}\"no\":1{{/if}}\n{{#if b}}\"b\":2{{/if}}{{/parts}} }", "{ \"a\":1,\"b\":2 }"),
        (Json, "{ {{#parts}}\"first\":{{n}}, \"second\":2 {{#if no}}\"no\":1{{/if}}{{#each xs separator=\",\"}}\"k{{this}}\":0{{/each}}{{/parts}} }", "{ \"first\":\"12.50\", \"second\":2 ,\"k7\":0,\"k8\":0,\"k9\":0 }"),
        (Json, "[{{#each items separator=\",\"}}{ {{#parts}}{{#if on}}\"on\":1{{/if}}{{#if more}}\"more\":{{more}}{{/if}}{{/parts}} }{{/each}}]", "[{  },{ \"on\":1,\"more\":\"z\" },{ \"on\":1 }]"),
        (Json, "[{{#each items separator=\",\"}}{ {{#if on}}\"on\":1{{#if more}},{{/if}}{{/if}}{{#if more}}\"more\":{{more}}{{/if}} }{{/each}}]", "[{  },{ \"on\":1,\"more\":\"z\" },{ \"on\":1 }]"),
        (Form, "{{#parts separator=\"&\"}}{{#if a}}a={{a}}{{/if}}{{#if no}}no=1{{/if}}{{#if b}}b={{b}}{{/if}}{{/parts}}", "a=x&b=y"),
        (Text, "{{#parts separator=\", \"}}{{#if a}}{{a}}{{/if}}{{#if no}}no{{/if}}end{{/parts}}", "x, end"),
        // A byte order mark, and the line break at the end of a form.
        (Text, "\u{feff}{{a}}", "x"), (Xml, "\u{feff}<?xml version=\"1.0\"?><a/>", "<?xml version=\"1.0\"?><a/>"), (Form, "\u{feff}a={{a}}\r\n", "a=x"), (Form, "a={{a}}\n\n", "a=x"),
        // Numbers from text, times, lengths.
        (Json, "[{{to_number n}},{{multiply n 100}},{{unix day tz=\"UTC\"}},{{unix t}}]", "[12.50,1250,1786665600,1786723200]"),
        (Json, "[{{xs.length}},{{length a}},{{#if ys.length}}1{{else}}0{{/if}}]", "[3,1,0]"),
    ] {
        let rendered = render(format, body, &data);
        if rendered != expected {
            failed.push(format!("{body}: {rendered:?} is not {expected:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Refused, with words that help, and without words that don't; the first finding is at this place.
#[test]
#[rustfmt::skip]
fn refusals_say_what_to_write_instead() {
    let mut failed = Vec::new();
    for (format, body, place, words, never) in [
        (Json, "{\"items\":[{{#each items}}{{#if enabled}}{{#unless @first}},{{/unless}}{\"id\":\"{{id}}\"}{{/if}}{{/each}}]}", (1, 59), &["{{#each items separator=\",\"}}", "filter"][..], &["{{#unless @first}},{{/unless}}"][..]),
        (Json, "[{{#each xs}}{{this}}{{/each}}]", (1, 14), &["{{#each xs separator=\",\"}}"], &["else if"]),
        (Json, "[{{#each xs as |x|}}{{x}},{{/each}}]", (1, 26), &["{{#each xs separator=\",\" as |x|}}"], &["else if"]),
        (Json, "{{#if a}}\n[1,]{{else}}0{{/if}}", (2, 3), &["Remove this comma"], &["each", "{{"]),
        (Json, "{\"text\":\"x\",}", (1, 12), &["Remove this comma"], &["each", "{{"]),
        (Json, "[1 2]", (1, 4), &["write one between"], &["each", "{{"]),
        (Json, "[,1]", (1, 2), &["remove it"], &["each", "{{"]),
        (Json, "{\"a\":1 {{#if b}}\"b\":2{{/if}} }", (1, 17), &["{{#parts separator=\",\"}}"], &["each"]),
        (Json, "{ {{#if a}}\"a\":1,{{/if}} }", (1, 17), &["{{#parts separator=\",\"}}"], &["each"]),
        (Json, "{ {{#if a}}\"a\":1{{/if}}, \"b\":2 }", (1, 24), &["{{#parts separator=\",\"}}"], &["each"]),
        (Json, "{ \"a\":1,{{#if b}}\"b\":2{{/if}} }", (1, 8), &["{{#parts separator=\",\"}}"], &["each"]),
        (Json, "{\"a\":[{{#each xs separator=\",\"}}{{this}}{{/each}}],\n\"b\":[{{#each ys}}{{this}},{{/each}}]}", (2, 26), &["{{#each ys separator=\",\"}}"], &["xs"]),
        (Json, "{\"a\":[{{#each xs separator=\",\"}}{{this}}{{/each}}],\n\"b\":[{{#each ys}}{{#if this}}{{#unless @first}},{{/unless}}{{this}}{{/if}}{{/each}}]}", (2, 48), &["{{#each ys separator=\",\"}}"], &["xs"]),
        (Json, "{ {{#parts}}\"a\":{{#if a}}1{{else}}2{{/if}}{{/parts}} }", (1, 3), &["each block directly inside is a part"], &[]),
        (Json, "{{#parts separator=\"x\"}}{{#if a}}1{{/if}}{{#if b}}2{{/if}}{{/parts}}", (1, 1), &["separator"], &[]),
        (Text, "{{#parts a}}{{/parts}}", (1, 1), &["{{#parts separator=\",\"}}"], &[]),
        (Text, "{{#each xs separator=a}}{{/each}}", (1, 1), &["text in quotes"], &[]),
        (Text, "{{#if a separator=\",\"}}{{/if}}", (1, 1), &["separator=\",\" for {{#each}}"], &[]),
        (Text, "{{#if a}}x{{elseif b}}y{{/if}}", (1, 11), &["{{else if …}}"], &["this."]),
        (Text, "{{#if a}}x{{elif b}}y{{/if}}", (1, 11), &["{{else if …}}"], &["this."]),
        (Text, "{{#if_equals a b}}x{{/if_equals}}", (1, 1), &["{{#if (eq a b)}}"], &[]),
        (Text, "{{#ifCond a '==' b}}x{{/ifCond}}", (1, 1), &["{{#if (eq a b)}}"], &[]),
        (Text, "{{#foreach xs}}x{{/foreach}}", (1, 1), &["{{#each list}}"], &[]),
        (Text, "{{if a}}x", (1, 1), &["{{#if …}}"], &[]),
        (Text, "{{name | upcase}}", (1, 8), &["{{upper name}}", "|"], &[]),
        (Text, "{{ name|json }}", (1, 8), &["{{json name}}", "|"], &[]),
        (Text, "{{name | frobnicate: 3}}", (1, 8), &["|"], &[]),
        (Text, "{{.Field.Name}}", (1, 1), &["{{Field.Name}}"], &[]),
        (Json, "{\"a\": {{{x}}}}", (1, 7), &["{{…}}"], &[]),
        (Json, "{\u{201c}a\u{201d}: 1}", (1, 2), &["curly quote", "U+201C"], &[]),
        (Json, "{\"a\":\u{a0}1}", (1, 6), &["no-break space", "U+00A0"], &[]),
        (Json, "{\"a\": 1\u{200b}}", (1, 8), &["can't be seen", "U+200B"], &[]),
        (Json, "[1, \u{feff}2]", (1, 5), &["byte order mark"], &[]),
        (Text, "{{upper \u{201c}x\u{201d}}}", (1, 9), &["curly quote"], &[]),
        (Text, "{{upper\u{a0}x}}", (1, 8), &["no-break space"], &[]),
        (Text, "*|IF:GUEST|*x*|END:IF|*", (1, 1), &["Mailchimp", "{{#if"], &["Did you mean"]),
        // A separator beside the author's own commas, and where it can't stand.
        (Json, "[{{#each xs separator=\",\"}}{{this}},{{/each}}]", (1, 36), &["the end of the part"], &["into one part"]),
        (Json, "{ {{#parts}}{{#if a}}\"a\":1,{{/if}}{{#if b}}\"b\":2{{/if}}{{/parts}} }", (1, 27), &["the end of the part"], &["into one part"]),
        (Json, "{ \"a\":1{{#each xs separator=\",\"}}, \"k{{@index}}\":{{this}}{{/each}} }", (1, 34), &["remove separator="], &["not every element"]),
        (Json, "[{{#each xs separator=\",\"}}, {{this}}{{/each}}]", (1, 28), &["Remove this comma"], &["not every element", "write {{#each"]),
        (Json, "[0, {{#each xs separator=\",\"}}{{this}}{{/each}}]", (1, 3), &["begin each element's part", "{{#parts separator=\",\"}}"], &["inside the part"]),
        (Json, "[{{#each xs separator=\",\"}}{{this}}{{/each}}, 0]", (1, 45), &["end each element's part", "{{#parts separator=\",\"}}"], &["inside the part"]),
        (Json, "[{{#each xs separator=\";\"}}{{this}}{{/each}}]", (1, 2), &["separator=\",\""], &["into one part"]),
        (Json, "{{#each xs separator=\",\"}}{{this}}{{/each}}", (1, 1), &["Put [ before"], &["into one part"]),
        (Json, "\"{{#each xs separator=\"\\n\"}}{{this}}{{/each}}\"", (1, 2), &["separator=\"\\\\n\""], &["into one part"]),
        // Quotes, comments, line breaks in quotes; sections of Mustache's; look-alikes in XML.
        (Json, "{'a': 1}", (1, 2), &["double"], &[]),
        (Json, "{\"a\": 'x'}", (1, 7), &["double"], &[]),
        (Json, "{\"a\": 1, // one\n\"b\": 2}", (1, 10), &["{{! … }}"], &[]),
        (Json, "[1 /* one */]", (1, 4), &["{{! … }}"], &[]),
        (Text, "{{join xs \"\n\"}}", (1, 1), &["Write \\n for a line break"], &["Expressions look like"]),
        (Text, "{{#xs}}{{n}}{{/xs}}", (1, 1), &["{{#each xs}}", "{{#if xs}}"], &[]),
        (Text, "{{^xs}}none{{/xs}}", (1, 1), &["{{#unless xs}}"], &["belongs between"]),
        (Text, "{{#if a}}{{^xs}}none{{/xs}}{{/if}}", (1, 10), &["{{#unless xs}}"], &["closes"]),
        (Text, "{{append a b}}", (1, 1), &["side by side", "(concat "], &["with dots"]),
        (Text, "{{math @index \"+\" 1}}", (1, 1), &["{{add a b}}"], &["with dots"]),
        (Text, "{{date a \"YYYY-MM-DD\"}}", (1, 1), &["\"%Y-%m-%d\""], &["text in quotes"]),
        (Text, "{{date a \"%d %L\"}}", (1, 1), &["%L"], &["text in quotes"]),
        (Text, "{{date a from=\"dd.MM.yyyy\"}}", (1, 1), &["from", "\"%d.%m.%Y\""], &[]),
        (Xml, "<a b=\u{201c}{{x}}\u{201d}/>", (1, 6), &["curly quote"], &[]),
        (Xml, "<a\u{a0}b=\"{{x}}\"/>", (1, 3), &["no-break space"], &[]),
        (Xml, "\u{200b}<a/>", (1, 1), &["can't be seen"], &[]),
    ] {
        let checked = check(format, body);
        let first = checked.diagnostics.iter().find(|found| found.severity == crate::templating::Severity::Error);
        let Some(first) = first else {
            failed.push(format!("{body}: accepted"));
            continue;
        };
        let helps = words.iter().all(|word| first.message.contains(word));
        let misleads = never.iter().any(|word| first.message.contains(word));
        if (first.line, first.column) != place || !helps || misleads {
            failed.push(format!("{body}: {first:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What is advised about separators and commas is accepted, and writes what was meant.
#[test]
#[rustfmt::skip]
fn what_is_advised_about_separators_works() {
    let data = json!({"xs": [1, 2], "ys": [], "a": 1, "b": 2});
    for (body, expected) in [
        ("[{{#each xs separator=\",\"}}{{this}}{{/each}}]", "[1,2]"),
        ("{ \"a\":1{{#each xs}}, \"k{{@index}}\":{{this}}{{/each}} }", "{ \"a\":1, \"k0\":1, \"k1\":2 }"),
        ("[0{{#each xs}}, {{this}}{{/each}}]", "[0, 1, 2]"),
        ("[0{{#each ys}}, {{this}}{{/each}}]", "[0]"),
        ("[{{#parts separator=\",\"}}0{{#each xs separator=\",\"}}{{this}}{{/each}}{{/parts}}]", "[0,1,2]"),
        ("[{{#parts separator=\",\"}}0{{#each ys separator=\",\"}}{{this}}{{/each}}{{/parts}}]", "[0]"),
        ("[{{#each xs}}{{this}},{{/each}} 0]", "[1,2, 0]"),
        ("[{{#parts separator=\",\"}}{{#each ys separator=\",\"}}{{this}}{{/each}} 0{{/parts}}]", "[ 0]"),
        ("{ {{#parts}}{{#if a}}\"a\":1{{/if}}{{#if b}}\"b\":2{{/if}}{{/parts}} }", "{ \"a\":1,\"b\":2 }"),
        ("\"{{#each xs separator=\"\\\\n\"}}{{this}}{{/each}}\"", "\"1\\n2\""),
        ("\"{{join xs \"\\n\"}}\"", "\"1\\n2\""),
    ] {
        assert_eq!(render(Json, body, &data), expected, "{body}");
    }
}

#[test]
fn a_chain_is_as_long_as_its_author_needs() {
    let chain = |length: usize| {
        let others: String = (1..length).map(|n| format!("{{{{else if (eq k \"k{n}\")}}}}\"v{n}\"")).collect();
        format!("{{{{#if (eq k \"k0\")}}}}\"v0\"{others}{{{{else}}}}null{{{{/if}}}}")
    };
    assert_eq!(render(Json, &chain(101), &json!({"k": "k99"})), "\"v99\"");
    assert_eq!(check(Json, &chain(102)).diagnostics[0].code, "too_deep");
    let two = format!("[{},{}]", chain(60), chain(60));
    assert_eq!(render(Json, &two, &json!({"k": "k1"})), "[\"v1\",\"v1\"]");
}

#[test]
fn conditions_that_are_the_same_come_out_the_same_only_for_the_same_values() {
    let refused = |body: &str| assert!(check(Json, body).compiled.is_none(), "{body}");
    // Of another element, of another block, of another question.
    refused("[{{#each xs}}{{#if a}}1{{#if b}},{{/if}}{{/if}}{{/each}}{{#if b}}2{{/if}}]");
    refused("[1{{#with x}}{{#if a}},{{/if}}{{/with}}{{#with y}}{{#if a}}2{{/if}}{{/with}}]");
    refused("[1{{#if a}},{{/if}}{{#if a includeZero=true}}2{{/if}}]");
    refused("[1{{#if (eq a 1)}},{{/if}}{{#if (eq a 2)}}2{{/if}}]");
    refused("[1{{#each xs}}{{#if this}},{{/if}}{{/each}}{{#each xs}}{{#if this}}2{{/if}}{{/each}}]");
    for taken in [
        "[1{{#if a}},{{/if}}{{#if a}}2{{/if}}]",
        "[1{{#unless a}},{{/unless}}{{#unless a}}2{{/unless}}]",
        "[1{{#if a}},{{/if}}{{#unless a}}{{else}}2{{/unless}}]",
        "[1{{#if (not a)}},{{/if}}{{#if (not a)}}2{{/if}}]",
        "[1{{#with x}}{{#if a}},{{/if}}{{#if a}}2{{/if}}{{/with}}]",
    ] {
        assert!(check(Json, taken).compiled.is_some(), "{taken}: {:?}", check(Json, taken).diagnostics);
    }
    // Too many to distinguish: then they are not, and the template is accepted as before.
    let many: String = (0..20).map(|n| format!("{{{{#if c{n}}}}}x{{{{/if}}}}")).collect();
    let body = format!("\"{many}{many}\"");
    assert!(check(Json, &body).compiled.is_some(), "{:?}", check(Json, &body).diagnostics);
}

/// Each loop knows eight kinds of positions, so walking the inner ones again for each would be too much work.
#[test]
fn loops_in_loops_are_walked_once_for_the_same_states() {
    let positions = "{{#if (eq @index 2)}}a{{/if}}{{#if (eq @index 4)}}b{{/if}}{{#if (eq @index 6)}}c{{/if}}";
    let nested = |inner: &str| format!("\"{0}{inner}{1}\"", "{{#each xs}}".repeat(4), "{{/each}}".repeat(4));
    let walked = nested(&format!("{positions}{}", "{{y}} t ".repeat(100)));
    assert!(check(Json, &walked).compiled.is_some(), "{:?}", check(Json, &walked).diagnostics);
    // What depends on an outer loop's position is walked for each of them: only the first element has no comma before.
    let outer =
        |comma: &str| format!("[{{{{#each xs}}}}{{{{#each this}}}}{comma}{{{{@../index}}}}{{{{/each}}}}{{{{/each}}}}]");
    assert!(check(Json, &outer("{{#unless (and @first @../first)}},{{/unless}}")).compiled.is_none());
    assert!(check(Json, &outer("{{#unless @first}},{{/unless}}")).compiled.is_none());
    let each_with_one = "[{{#each xs}}{{#unless @first}},{{/unless}}[{{#each this}}{{#unless @first}},{{/unless}}{{#if @../first}}1{{else}}2{{/if}}{{/each}}]{{/each}}]";
    assert_eq!(render(Json, each_with_one, &json!({"xs": [[0, 0], [0]]})), "[[1,1],[2]]");
    let only_in_the_first =
        "[{{#each xs}}{{#each this}}{{#if @../first}}{{y}}{{#unless @last}},{{/unless}}{{/if}}{{/each}}{{/each}}]";
    assert!(check(Json, only_in_the_first).compiled.is_some(), "{:?}", check(Json, only_in_the_first).diagnostics);
    let in_all = only_in_the_first.replace("{{#if @../first}}", "{{#if @../index}}");
    assert!(check(Json, &in_all).compiled.is_none());
    // The last of several elements follows another.
    assert!(
        check(Json, "[{{#each xs}}{{#if @last}}true{{else}}{{#if @first}}null{{/if}}{{/if}}{{/each}}]")
            .compiled
            .is_none()
    );
    // An {{else}} of an inner loop stands in the outer one.
    let in_else = "[{{#each xs}}{{#each this}}{{else}}{{#if @first}}{{y}}{{/if}}{{/each}}{{/each}}]";
    assert!(check(Json, in_else).compiled.is_some(), "{:?}", check(Json, in_else).diagnostics);
    assert!(check(Json, &in_else.replace("#if @first", "#if @index")).compiled.is_none());
}

/// The needs that people bring to templates of webhooks, each with its body.
#[test]
#[rustfmt::skip]
fn needs_can_be_written() {
    let exact = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
    let data = json!({
        "price": exact("12.34"), "qty": 3, "cost": exact("1234.5"), "text_cost": "1234.5", "text_id": "42", "deposit": exact("0.1"),
        "arrive": "2026-08-14", "depart": "2026-08-21", "local": "2026-08-14T16:00:00", "at": "2026-08-14T16:00:00Z",
        "ms": 1786723200000_i64, "european": "03/04/2026", "mail": "Fri, 14 Aug 2026 16:00:00 +0000",
        "name": "Anna Maria Rossi", "phone": "+39 06 123", "mail_address": " Anna@Example.com ", "code": "7",
        "items": [{"name": "Bed", "price": exact("10.10"), "on": true}, {"name": "Bath", "price": exact("0.20"), "on": false}, {"name": "Attic", "price": 5, "on": true}],
        "tags": ["b", "a", "b"], "html": "a < b & \"c\"", "link": "https://a.example/?q=a b&c=\"d\"", "note": "one, \"two\"\nthree",
    });
    let mut failed = Vec::new();
    for (need, format, body, expected) in [
        ("a sum", Json, "{\"total\":{{add cost deposit}}}", "{\"total\":1234.6}"),
        ("price x quantity", Json, "{{multiply price qty}}", "37.02"),
        ("cents as a whole number", Json, "{\"cents\":{{multiply price 100}}}", "{\"cents\":1234}"),
        ("cents of a price with more digits", Json, "{{round (multiply text_cost 100)}}", "123450"),
        ("nights between two dates", Json, "{{date_diff arrive depart unit=\"days\"}}", "7"),
        ("a row number from @index", Text, "{{#each tags separator=\" \"}}{{add @index 1}}.{{this}}{{/each}}", "1.b 2.a 3.b"),
        ("a share in per cent", Text, "{{round (multiply (divide 1 3) 100) 1}}%", "33.3%"),
        ("a number with decimals as a JSON number", Json, "{{round cost 2}}", "1234.5"),
        ("a number from text", Json, "[{{to_number text_cost}},{{to_number text_id}}]", "[1234.5,42]"),
        ("a number as text", Json, "{\"id\":{{to_string qty}}}", "{\"id\":\"3\"}"),
        ("a boolean from text", Json, "{{to_boolean \"yes\"}}", "true"),
        ("seconds since 1970", Json, "{{unix at}}", "1786723200"),
        ("milliseconds since 1970, written", Json, "{{unix at unit=\"ms\"}}", "1786723200000"),
        ("milliseconds since 1970, read", Text, "{{date ms \"%F %H:%M\"}}", "2026-08-14 16:00"),
        ("a day written as in Europe", Text, "{{date european \"%F\" from=\"%d/%m/%Y\"}}", "2026-04-03"),
        ("a date of an e-mail", Text, "{{date mail \"%F\"}}", "2026-08-14"),
        ("the moment when a day begins", Text, "{{date arrive \"%s\" tz=\"Europe/Rome\"}}", "1786658400"),
        ("a local time with its offset", Text, "{{date local \"%FT%T%:z\" tz=\"Europe/Rome\"}}", "2026-08-14T16:00:00+02:00"),
        ("two days later", Text, "{{date_add arrive days=2}}", "2026-08-16"),
        ("the day before, as people write it", Text, "{{date (date_add arrive days=-1) \"%-d %B\"}}", "13 August"),
        ("three hours before, where the rental is", Text, "{{date (date_add at hours=-3) \"%H:%M\" tz=\"Europe/Rome\"}}", "15:00"),
        ("months in the guest's language", Text, "{{date arrive \"%-d. %B\" locale=\"de\"}}, {{date arrive \"%A\" locale=\"it\"}}", "14. August, venerdì"),
        ("padded with zeros", Text, "{{pad_start code 4 \"0\"}}", "0007"),
        ("replaced", Text, "{{replace phone \" \" \"\"}}", "+3906123"),
        ("the first name", Text, "{{first (split name \" \")}}", "Anna"),
        ("the last name", Text, "{{last (split name \" \")}}", "Rossi"),
        ("initials", Text, "{{#each (split name \" \")}}{{substring this 0 1}}{{/each}}", "AMR"),
        ("a capital first", Text, "{{capitalize \"attic\"}} {{title \"anna maria\"}}", "Attic Anna Maria"),
        ("what begins with", Text, "{{#if (starts_with phone \"+39\")}}Italy{{/if}}", "Italy"),
        ("what contains", Text, "{{#if (contains name \"Maria\")}}yes{{/if}}{{#if (contains tags \"a\")}}yes{{/if}}", "yesyes"),
        ("how many", Json, "{\"n\":{{length items}},\"m\":{{items.length}}}", "{\"n\":3,\"m\":3}"),
        ("the first and the last", Text, "{{first tags}}{{last tags}}", "bb"),
        ("at most a number", Json, "[{{#each (slice items 0 2) separator=\",\"}}\"{{name}}\"{{/each}}]", "[\"Bed\",\"Bath\"]"),
        ("a sum of a field", Json, "{{sum items \"price\"}}", "15.3"),
        ("a join of a field", Text, "{{join (pluck items \"name\") \", \"}}", "Bed, Bath, Attic"),
        ("filtered by a field", Json, "{{pluck (where items \"on\" true) \"name\"}}", "[\"Bed\",\"Attic\"]"),
        ("sorted", Text, "{{join (pluck (sort items \"price\") \"name\") \" \"}}", "Bath Attic Bed"),
        ("without repetitions", Json, "{{sort (unique tags)}}", "[\"a\",\"b\"]"),
        ("a filtered list in JSON", Json, "[{{#each items separator=\",\"}}{{#if on}}{\"n\":\"{{name}}\"}{{/if}}{{/each}}]", "[{\"n\":\"Bed\"},{\"n\":\"Attic\"}]"),
        ("a link in a JSON string", Json, "\"https://x.example/?u={{url_encode link}}\"", "\"https://x.example/?u=https%3A%2F%2Fa.example%2F%3Fq%3Da%20b%26c%3D%22d%22\""),
        ("an HTML e-mail in a JSON string", Json, "\"<p>{{html html}}</p>\"", "\"<p>a &lt; b &amp; &quot;c&quot;</p>\""),
        ("a CSV row", Text, "{{csv name}},{{csv note}}", "Anna Maria Rossi,\"one, \"\"two\"\"\nthree\""),
        ("base64", Json, "{\"file\":\"{{base64 name}}\"}", "{\"file\":\"QW5uYSBNYXJpYSBSb3NzaQ==\"}"),
        ("a hashed e-mail", Text, "{{sha256 (lower (trim mail_address))}}", "f7d54c22dda5b1780276601cd005909b70543fc4a6ba72d735b4cb9bbb611f01"),
        ("money as people write it", Text, "{{money cost \"EUR\" locale=\"de\" symbol=true}}", "1.234,50\u{a0}€"),
        ("JSON inside of a form", Form, "payload={\"text\":{{json note}}}", "payload=%7B%22text%22:%22one%2C%20%5C%22two%5C%22%5Cnthree%22%7D"),
    ] {
        let rendered = render(format, body, &data);
        if rendered != expected {
            failed.push(format!("{need}: {body}: {rendered:?} is not {expected:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
