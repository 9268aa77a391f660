//! Templates with mistakes: refused or warned of, at the right place, under the right code.

use super::{Small, check};
use crate::model::event::EventPattern;
use crate::model::template::Format;
use crate::model::template::Format::{Form, Json, Text, Xml};
use crate::templating::compile::diagnostic::CODES;
use crate::templating::{CompileContext, Severity, TemplateLimits, compile, compile_in};

/// The fix for a missing comma depends on what follows: another value of one member, or another member.
#[test]
fn a_second_value_is_distinguished_from_a_second_member() {
    for (body, fix) in [
        (
            r#"{"a": {{#if (eq a 1)}}"x"{{/if}}{{#if (eq a 2)}}"y"{{/if}} }"#,
            "make them one block: {{#if …}}…{{else if …}}…{{else}}null",
        ),
        (
            r#"{"a": {{#if b}}"x"{{else}}null{{/if}}{{#if c}}"y"{{/if}} }"#,
            "make them one block: {{#if …}}…{{else if …}}…{{else}}null",
        ),
        (
            r#"{"a": {{#each xs}}"x"{{/each}} }"#,
            "put [ before the list and ] after it, and write {{#each xs separator=\",\"}}",
        ),
        (r#"{"a": 1 {{#if x}}"b": 2{{/if}} }"#, "put the comma inside the conditional part"),
        (r#"{"a": 1 {{#if x}}"{{lookup names "k"}}\"": 2{{/if}} }"#, "put the comma inside the conditional part"),
        (r#"{ {{#if a}}"a": 1{{/if}} {{#if b}}"b": 2{{/if}} }"#, "{{#parts separator=\",\"}}"),
    ] {
        let found = check(Json, body).diagnostics;
        assert!(found.iter().any(|found| found.message.to_lowercase().contains(fix)), "{body}: {found:?}");
    }
}

/// Templates that are refused, with the first error's code, line and column.
#[rustfmt::skip]
const MISTAKES: &[(Format, &str, (&str, usize, usize))] = &[
    (Json, "{{", ("unclosed", 1, 1)),
    (Json, "{\n  \"a\": \"{{#if x}}b\"\n}", ("unclosed_block", 2, 9)),
    (Text, "{{/if}}", ("unclosed_block", 1, 1)),
    (Text, "{{#if x}}{{/each}}", ("unclosed_block", 1, 10)),
    (Text, "ä{{else}}", ("else_outside_block", 1, 2)),
    (Text, "{{#if x}}{{else}}{{else}}{{/if}}", ("else_outside_block", 1, 18)),
    (Text, "{{> x}}", ("partial", 1, 1)),
    (Text, "{{#> x}}{{/x}}", ("partial", 1, 1)),
    (Text, "{{#*inline \"x\"}}{{/inline}}", ("decorator", 1, 1)),
    (Text, "{{* x}}", ("decorator", 1, 1)),
    (Text, "{{{{raw}}}}{{{{/raw}}}}", ("raw_block", 1, 1)),
    (Text, "{{log guest}}", ("unknown_helper", 1, 1)),
    (Text, "{{uper guest}}", ("unknown_helper", 1, 1)),
    (Text, "{{#list guest}}{{/list}}", ("unknown_block", 1, 1)),
    (Text, "{{#if}}{{/if}}", ("block_values", 1, 1)),
    (Text, "{{#if a b}}{{/if}}", ("block_values", 1, 1)),
    (Text, "{{#if a x=1}}{{/if}}", ("block_values", 1, 1)),
    (Text, "{{upper a b}}", ("helper_values", 1, 1)),
    (Text, "{{upper a x=1}}", ("helper_values", 1, 1)),
    (Text, "{{divide a 0}}", ("helper_values", 1, 1)),
    (Text, "{{modulo a 0}}", ("helper_values", 1, 1)),
    (Text, "{{#if a}}b{{#else}}c{{/if}}", ("syntax", 1, 11)),
    (Text, "{{#if a}}b{{/else}}c{{/if}}", ("syntax", 1, 11)),
    (Text, "{{upper *|GUEST:NAME|*}}{{#if a}}{{else if (uper b)}}{{/if}}", ("unknown_helper", 1, 34)),
    (Text, "{{date a \"%Q%\"}}", ("helper_values", 1, 1)),
    (Text, "{{date a b}}", ("helper_values", 1, 1)),
    (Text, "{{date a \"%F\" tz=\"Mars\"}}", ("helper_values", 1, 1)),
    (Text, "{{upper [1]}}", ("syntax", 1, 1)),
    (Text, "{{default x 1e2}}", ("syntax", 1, 1)),
    (Text, "{{#if (eq x 0x1)}}{{/if}}", ("syntax", 1, 1)),
    (Text, "{{default x 1_000}}", ("syntax", 1, 1)),
    (Text, "a{{~! note ~}}{{x}}", ("syntax", 1, 2)),
    (Text, "{{../x}}", ("above_root", 1, 1)),
    (Text, "{{@index}}", ("unknown_local", 1, 1)),
    (Text, "{{#each a}}{{@size}}{{/each}}", ("unknown_local", 1, 12)),
    (Text, "a\n *|GUEST:NMAE|*", ("unknown_tag", 2, 2)),
    (Text, "{{upper *|GUEST:NMAE|*}}", ("unknown_tag", 1, 1)),
    (Text, "{{guest..name}}", ("syntax", 1, 9)),
    (Text, "{{elsewhere}}", ("syntax", 1, 1)),
    (Text, "{{#each a}}{{#each b}}{{#each c}}{{#each d}}{{#each e}}{{/each}}{{/each}}{{/each}}{{/each}}{{/each}}", ("each_too_deep", 1, 45)),
    (Json, "", ("json_value_missing", 1, 1)),
    (Json, "{{{x}}}", ("unescaped", 1, 1)),
    (Json, "{{&x}}", ("unescaped", 1, 1)),
    (Json, "{\"a\": {{#if x}}1{{/if}}}", ("json_value_missing", 1, 7)),
    (Json, "[\n{{#each xs}}\n  {{this}},\n{{/each}}\n]", ("json_trailing_comma", 3, 11)),
    (Json, "[{{#each xs}}{{this}}{{/each}}]", ("json_missing_comma", 1, 14)),
    (Json, "[{{#each xs}}{{#unless @last}}{{this}},{{/unless}}{{/each}}]", ("json_trailing_comma", 1, 39)),
    (Json, "{{a}}{{b}}", ("json_after_end", 1, 6)),
    (Json, "{ {{a}}: 1}", ("json_key_unquoted", 1, 3)),
    (Json, "{\"a\" {{a}}}", ("json_colon", 1, 6)),
    (Json, "{\"a\": 1{{a}}}", ("expression_in_token", 1, 8)),
    (Json, "{\"a\": \"\\\\{{a}}\"}", ("expression_in_token", 1, 10)),
    (Json, "{\"a\": \"\\u00{{a}}\"}", ("expression_in_token", 1, 12)),
    (Json, "{\"a\": \"\\ud83d{{a}}\"}", ("expression_in_token", 1, 14)),
    (Json, "{\"a\": \"{{a}}\n{{b}}\"}", ("json_control", 1, 13)),
    (Json, "{\"a\": '{{a}}'}", ("json_token", 1, 7)),
    (Json, "{\"a\": 01}", ("json_token", 1, 8)),
    (Json, "{\"a\": nul}", ("json_token", 1, 10)),
    (Json, "{\"a\": 1,}", ("json_trailing_comma", 1, 8)),
    (Json, "{\"a\": [1}", ("json_bracket", 1, 9)),
    (Json, "{\"a\": 1} x", ("json_after_end", 1, 10)),
    (Json, "{\"a\": {{a}}", ("json_unfinished", 1, 12)),
    (Json, "{{#if a}}\"{{else}}{{/if}}{{x}}{{#if a}}\"{{/if}}", ("place_varies", 1, 26)),
    (Json, "{{#each a}}[{{/each}}", ("each_unbalanced", 1, 1)),
    (Xml, "", ("xml_no_element", 1, 1)),
    (Xml, "{{a}}", ("xml_outside_root", 1, 1)),
    (Xml, "<a/><b/>", ("xml_outside_root", 1, 6)),
    (Xml, "<a/>x", ("xml_outside_root", 1, 5)),
    (Xml, "<{{a}}/>", ("xml_in_tag", 1, 2)),
    (Xml, "<a {{b}}=\"1\"/>", ("xml_in_tag", 1, 4)),
    (Xml, "<a b={{b}}/>", ("xml_unquoted_attribute", 1, 6)),
    (Xml, "<a><!-- {{b}} --></a>", ("xml_in_comment", 1, 9)),
    (Xml, "<a><![CDATA[{{b}}]]></a>", ("xml_in_cdata", 1, 13)),
    (Xml, "<a xmlns=\"{{b}}\"/>", ("xml_namespace", 1, 11)),
    (Xml, "<p:a/>", ("xml_namespace", 1, 6)),
    (Xml, "<a xmlns:p=\"u\" xmlns:q=\"u\" p:x=\"\" q:x=\"\"/>", ("xml_namespace", 1, 42)),
    (Xml, "<a xmlns:p=\"u\"><b xmlns:q=\"u \"><c p:x=\"\" q:x=\"\"/></b></a>", ("xml_namespace", 1, 49)),
    (Xml, "<a>&nbsp;</a>", ("xml_ampersand", 1, 9)),
    (Xml, "<a>{{b}} & c</a>", ("xml_ampersand", 1, 11)),
    (Xml, "<a>{{b}}></a>", ("xml_bracket", 1, 9)),
    (Xml, "<a>\u{1}</a>", ("xml_character", 1, 4)),
    (Xml, "<a></b>", ("xml_close", 1, 7)),
    (Xml, "<a>{{#if x}}</a>{{/if}}", ("xml_unclosed", 1, 24)),
    (Xml, "<a b=\"1\" {{#if x}}b=\"2\"{{/if}}/>", ("xml_attribute_twice", 1, 20)),
    (Xml, "<!DOCTYPE a><a/>", ("xml_doctype", 1, 3)),
    (Xml, " <?xml version=\"1.0\"?><a/>", ("xml_declaration", 1, 3)),
    (Xml, "<?xml version=\"1.0\" encoding=\"latin1\"?><a/>", ("xml_declaration", 1, 1)),
    (Form, "{{x}}", ("form_lone_key", 1, 1)),
    (Form, "a=1&{{x}}&b=2", ("form_lone_key", 1, 5)),
    (Json, "[,1]", ("json_comma", 1, 2)),
    (Json, "{a: 1}", ("json_key", 1, 2)),
    (Json, "\"\\x\"", ("json_escape", 1, 3)),
    (Xml, "<a>1 < 2</a>", ("xml_syntax", 1, 7)),
    (Json, "[\u{a0}1]", ("look_alike", 1, 2)),
    (Text, "{{x | upcase}}", ("foreign_syntax", 1, 5)),
];

#[test]
fn mistakes_are_placed_and_named() {
    for (format, body, expected) in MISTAKES {
        let checked = check(*format, body);
        let errors: Vec<_> = checked
            .diagnostics
            .iter()
            .filter(|found| found.severity == Severity::Error)
            .map(|found| (found.code, found.line, found.column))
            .collect();
        assert!(checked.compiled.is_none(), "{body}");
        assert_eq!(errors.first(), Some(expected), "{body}: {:?}", checked.diagnostics);
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let body = "{\"a\": \"*|GUEST:NMAE|*\",\n \"b\": {{uper x}},\n \"c\": {{{x}}},\n {{d}}: 1 }";
    let codes: Vec<_> = check(Json, body).diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["unknown_tag", "unknown_helper", "unescaped", "json_key_unquoted"]);
}

/// The mistakes of all expressions are reported, also if the scan or the parser can't read one of them.
#[test]
#[rustfmt::skip]
fn what_can_t_be_read_hides_no_other_mistake() {
    for (format, body, expected) in [
        (Json, "{\n\"a\": \"{{x | upcase}}\",\n\"b\": \"${y}\",\n\"c\": \"{% if z %}\",\n\"d\": \"<$.detail.id>\",\n\"e\": \"{{.Field}}\",\n\"f\": \"{{$json.x}}\",\n\"g\": {{ x|json }},\n\"h\": \"*|GUEST NAME|*\",\n\"i\": \"*|GUEST:|*\"}",
            &[("foreign_syntax", 2), ("foreign_syntax", 3), ("foreign_syntax", 4), ("foreign_syntax", 5), ("foreign_syntax", 6), ("foreign_syntax", 7), ("foreign_syntax", 8), ("misshapen_tag", 9), ("misshapen_tag", 10)][..]),
        // What follows is checked as if the expression were a value.
        (Json, "{\"a\": {{a + b}},\n\"b\": {{uper x}},\n\"c\": *|GUEST:NMAE|* }", &[("foreign_syntax", 1), ("unknown_helper", 2), ("unknown_tag", 3)]),
        (Json, "[{{a..b}},\n{{a..b}}\n{{c}}]", &[("syntax", 1), ("syntax", 2), ("json_missing_comma", 3)]),
        (Text, "{{#if a == b}}\n{{c?.d}}\n{{else if !e}}\n{{uper x}}{{/if}}", &[("foreign_syntax", 1), ("syntax", 2), ("foreign_syntax", 3), ("unknown_helper", 4)]),
        (Text, "{{#each xs | sort}}\n{{../x}}{{../../y}}\n{{/each}}{{> z}}", &[("foreign_syntax", 1), ("above_root", 2), ("partial", 3)]),
        (Text, "{{date x \u{201c}%d\u{201d}}}\n{{upper\u{a0}x}}\n{{* d}}", &[("look_alike", 1), ("look_alike", 2), ("decorator", 3)]),
        // Of blocks that don't match, the first is reported.
        (Text, "{{#if a}}\n{{/each}}{{/if}}{{/if}}\n{{x | upcase}}\n*|A B|*", &[("unclosed_block", 2), ("foreign_syntax", 3), ("misshapen_tag", 4)]),
        (Text, "{{#if a}}\n{{#each b}}\n${c}", &[("unclosed_block", 1), ("unclosed_block", 2), ("foreign_syntax", 3)]),
        (Text, "{{x }\n{{y | size}}", &[("syntax", 1), ("foreign_syntax", 2)]),
        (Text, "{{{{x}}}}\n{{y | size}}\n{{z", &[("raw_block", 1), ("foreign_syntax", 2), ("unclosed", 3)]),
        (Text, "{{#if a}}{{elseif b}}\n{{#if c}}{{elseif d}}{{/if}}{{/if}}", &[("syntax", 1), ("syntax", 2)]),
    ] {
        let checked = check(format, body);
        let reported: Vec<_> = checked.diagnostics.iter().map(|found| (found.code, found.line)).collect();
        assert_eq!(reported, expected, "{body}: {:?}", checked.diagnostics);
        assert!(checked.compiled.is_none(), "{body}");
    }
    // The number of reports is bounded.
    let many = "{{x | upcase}} *|A B|* ".repeat(400);
    assert_eq!(check(Text, &many).diagnostics.len(), 200);
    let found = check(Text, "{{#if a}}b{{endif}}").diagnostics;
    assert_eq!(found[0].message, "The block {{#if}} is never closed: write {{/if}} where it ends, in place of {{endif}}.");
}

/// Templates that are taken, with the first warning's code and suggestion.
#[rustfmt::skip]
const ODD: &[(Format, &str, Option<&str>, Option<&str>)] = &[
    (Json, r#"{"a":1,"b":2,"\u0061":3}"#, Some("duplicate_key"), None),
    (Json, r#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#, None, None),
    (Json, r#"{ {{#if guest.name}}"a":1{{else}}"a":2{{/if}} }"#, None, None),
    (Json, r#"{ {{#if guest.name}}"a":1{{else}}"b":2{{/if}},"b":3 }"#, Some("duplicate_key"), None),
    (Json, r#"{ {{#each rental.tags}}"a":1{{#unless @last}},{{/unless}}{{/each}} }"#, Some("duplicate_key"), None),
    (Json, r#"{ {{#each rental.tags}}"{{this}}":1{{#unless @last}},{{/unless}}{{/each}} }"#, None, None),
    (Text, "{{guest.nmae}}", Some("unknown_path"), Some("guest.name")),
    (Text, "{{guest}}{{guest.name}}{{rental.tags.0}}{{event.type}}", None, None),
    (Text, "{{#with guest}}{{phone}}{{/with}}", Some("unknown_path"), Some("guest.name")),
    (Text, "*|INQUIRY:COST|*", Some("unknown_path"), None),
    (Text, "{{date}}", Some("helper_name"), None),
    (Text, "{{this.date}}", None, None),
    (Text, "*|GUEST NAME|*", Some("misshapen_tag"), Some("*|GUEST:NAME|*")),
    (Text, "*|GUEST NICKNAME|*", Some("misshapen_tag"), None),
    (Text, "{{default guest.name \"*|GUEST:NAME|*\"}}", Some("tag_in_string"), None),
    (Form, "a=1\n&b=2", Some("form_line_break"), None),
    (Json, "{{number guest.name}}", Some("number_as_text"), None),
    (Json, "{{date guest.name \"%s\"}}", Some("number_as_text"), None),
    (Json, "\"{{number guest.name}}\"", None, None),
    (Form, "a=1&b=2\n", None, None),
    (Form, "a=1+1", Some("form_plus"), None),
    (Form, "a=Bed & Breakfast {{guest.name}}", Some("form_ampersand"), None),
    (Form, "payload={\"text\":\"{{guest.name}}\"}", Some("json_by_hand"), None),
    (Form, "payload={\"text\":{{json guest.name}}}", None, None),
    (Form, "a=\"{{guest.name}}", None, None),
    (Json, r#"{"p":"{\"text\":\"{{guest.name}}\"}"}"#, Some("json_by_hand"), None),
    (Json, r#"{"p":"{\"text\":{{json guest.name}}}","h":"<a href=\"{{guest.name}}\">"}"#, None, None),
    (Json, r#"{"p":"say \"{{guest.name}}\"","q":"{{guest.name}}","r":["{{guest.name}}"]}"#, None, None),
    (Json, "{\"s\":\"{% if up %}up{% endif %}\"}", Some("foreign_syntax"), None),
    (Text, "Dear ${name}", Some("foreign_syntax"), None),
    (Text, "<$.detail.id>", Some("foreign_syntax"), None),
    (Text, "{{$json.name}}", Some("foreign_syntax"), None),
    (Text, "100 %} ${ } <$5>", None, None),
    (Text, "{{rental.tags.length}}", None, None),
    (Text, "{{guest.name.size}}", Some("unknown_path"), None),
    (Text, "{{now}}", Some("unknown_path"), None),
    (Text, "*|EMAIL|*", Some("misshapen_tag"), Some("*|GUEST:EMAIL|*")),
    (Text, "*|GUEST.NAME|*", Some("misshapen_tag"), Some("*|GUEST:NAME|*")),
    (Text, "*|GUEST:\u{a0}NAME|*", Some("misshapen_tag"), Some("*|GUEST:NAME|*")),
    (Text, "\u{ff5b}\u{ff5b}guest.name\u{ff5d}\u{ff5d}", Some("look_alike"), None),
    (Text, "*\u{ff5c}GUEST:NAME\u{ff5c}*", Some("look_alike"), None),
    (Text, "{{g\u{443}est.name}}", Some("unknown_path"), Some("guest.name")),
];

#[test]
fn odd_things_are_warned_of() {
    let event = EventPattern::new("guest.created").expect("a pattern");
    for (format, body, code, suggestion) in ODD {
        let checked = compile(*format, body, &Small, Some(&event), &TemplateLimits::default());
        assert!(checked.compiled.is_some(), "{body}: {:?}", checked.diagnostics);
        let found = checked.diagnostics.first();
        assert_eq!(found.map(|found| found.code), *code, "{body}: {:?}", checked.diagnostics);
        assert_eq!(found.and_then(|found| found.suggestion.as_deref()), *suggestion, "{body}");
    }
}

#[test]
fn tags_suggest_the_nearest() {
    let checked = check(Text, "*|GUEST:NMAE|*");
    assert_eq!(checked.diagnostics[0].suggestion.as_deref(), Some("*|GUEST:NAME|*"));
}

#[test]
#[rustfmt::skip]
fn bodies_that_would_end_the_process_are_refused_first() {
    for (body, code) in [
        ("{{#if a}}".repeat(2000) + &"{{/if}}".repeat(2000), "too_deep"),
        ("{{#if a}}".repeat(5000), "too_deep"),
        (format!("{{{{upper {}x{}}}}}", "(upper ".repeat(3000), ")".repeat(3000)), "too_deep"),
        (format!("{{{{upper {}1{}}}}}", "[".repeat(3000), "]".repeat(3000)), "syntax"),
        ("{{#if a}}".to_owned() + &"{{else if b}}".repeat(1000) + "{{/if}}", "too_deep"),
        ("{{#*inline \"x\"}}{{> x}}{{/inline}}{{> x}}".to_owned(), "decorator"),
        ("{{a}}".repeat(3000), "too_many_expressions"),
        ("a".repeat(70_000), "too_long"),
        ("[".repeat(1000) + &"]".repeat(1000), "json_too_deep"),
    ] {
        let checked = check(Json, &body);
        assert_eq!(checked.diagnostics[0].code, code, "{:.40}", body);
    }
    let deep = "<a>".repeat(1000) + &"</a>".repeat(1000);
    assert_eq!(check(Xml, &deep).diagnostics[0].code, "xml_too_deep");
}

#[test]
fn every_code_is_provoked_by_a_test() {
    let refused = MISTAKES.iter().map(|(_, _, (code, ..))| *code);
    let odd = ODD.iter().filter_map(|(_, _, code, _)| *code);
    // In the tests below the tables, and of the check over HTTP.
    let others = [
        "too_deep",
        "too_long",
        "too_many_expressions",
        "too_intricate",
        "json_too_deep",
        "xml_too_deep",
        "preview_failed",
        "unusable_value",
        "value_unescaped",
        "content_type",
        // In the tests of URLs.
        "url_segment",
        "url_shape",
        "url_syntax",
    ];
    let provoked: Vec<&str> = refused.chain(odd).chain(others).collect();
    let missing: Vec<_> = CODES.iter().filter(|code| !provoked.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn many_warnings_hide_no_error() {
    let warned: String = (0..150).map(|n| format!("{{{{guest.n{n}}}}}\n")).collect();
    let event = EventPattern::new("guest.created").expect("a pattern");
    let checked =
        compile(Text, &(warned + "*|GUEST:NMAE|* {{uper x}}"), &Small, Some(&event), &TemplateLimits::default());
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    assert_eq!(errors.map(|found| found.code).collect::<Vec<_>>(), ["unknown_tag", "unknown_helper"]);
}

#[test]
fn too_many_ways_are_refused() {
    let attribute = |n: usize| format!("{{{{#if c{n}}}}} a{n}=\"\"{{{{/if}}}}");
    let body = format!("<a{}/>", (0..20).map(attribute).collect::<String>());
    assert_eq!(check(Xml, &body).diagnostics[0].code, "too_intricate");
    // Fewer ways, but many parts that each of them goes through.
    let attributes: String = (0..8).map(attribute).collect();
    let parts = |count: usize| {
        format!("<a{attributes} {{{{#each l}}}}{}{{{{/each}}}}/>", "{{#with g}} {{/with}} ".repeat(count))
    };
    assert_eq!(check(Xml, &parts(20)).diagnostics, []);
    assert_eq!(check(Xml, &parts(400)).diagnostics[0].code, "too_intricate");
}

#[test]
fn values_that_helpers_cannot_use_are_shown() {
    let data =
        super::data(serde_json::json!({"d": "03/04/2026", "n": 5, "o": {}, "none": null, "empty": "", "xs": [1]}));
    let reported = |body: &str| {
        let (_, found) = check(Text, body).compiled.expect(body).preview(&data);
        found.into_iter().map(|found| (found.line, found.column, found.message)).collect::<Vec<_>>()
    };
    assert_eq!(
        reported("a\n {{date d}}{{upper o}}"),
        [
            (
                2,
                2,
                "date: \"03/04/2026\" is not a recognized date; give its pattern with from=\"%d/%m/%Y\".".to_owned()
            ),
            (2, 12, "upper: an object is not text.".to_owned()),
        ]
    );
    assert_eq!(reported("{{#if (gt (add d 1) 2)}}{{/if}}")[0].2, "add: \"03/04/2026\" is not a number.");
    assert_eq!(reported("{{first n}}")[0].2, "first: the number 5 is not a list.");
    assert_eq!(reported("{{date none}}{{upper empty}}{{date missing}}"), []);
    assert!(reported("{{divide n (subtract n 5)}}")[0].2.contains("division by zero"));
    // How a date is written is advised for texts only.
    assert_eq!(reported("{{date xs}}")[0].2, "date: a list is not a date.");
    assert!(reported("{{date 9999999999999 unit=\"s\"}}")[0].2.contains("a count of seconds or milliseconds"));
    assert_eq!(
        reported("{{date \"2026-08-14\" tz=d}}")[0].2,
        "date: \"03/04/2026\" is not a known time zone, like \"Europe/Rome\"."
    );
}

#[test]
fn a_path_is_pointed_out_once_and_not_where_the_data_has_it() {
    let event = EventPattern::new("guest.created").expect("a pattern");
    let data = crate::json::Document::from(&serde_json::json!({"own": {"x": 1, "list": [1]}}));
    let found = |body: &str, data| {
        let setting = CompileContext { event: Some(&event), data, ..CompileContext::of(&Small) };
        let diagnostics = compile_in(Text, body, &setting, &TemplateLimits::default()).diagnostics;
        diagnostics.into_iter().map(|found| (found.code, found.column)).collect::<Vec<_>>()
    };
    assert_eq!(found("{{own.x}}{{own.x}}{{own.y}}", None), [("unknown_path", 1), ("unknown_path", 19)]);
    assert_eq!(found("{{own.x}}{{own.x}}{{own.y}}", Some(data.root())), [("unknown_path", 19)]);
    assert_eq!(found("{{own.list.length}}{{#each own.list}}{{this}}{{/each}}", Some(data.root())), []);
    // Only a list has a length without the helper.
    assert_eq!(found("{{own.x.length}}", Some(data.root())), [("unknown_path", 1)]);
}

#[test]
fn values_in_html_and_csv_are_escaped_for_it() {
    let found = |content_type: &str, body: &str| {
        let setting = CompileContext { content_type: Some(content_type), ..CompileContext::of(&Small) };
        let diagnostics = compile_in(Text, body, &setting, &TemplateLimits::default()).diagnostics;
        diagnostics.into_iter().map(|found| (found.code, found.column)).collect::<Vec<_>>()
    };
    let body = "{{guest.name}}{{html guest.name}}{{csv guest.name}}{{round guest.age}}{{upper guest.name}}";
    assert_eq!(
        found("text/html; charset=utf-8", body),
        [("value_unescaped", 1), ("value_unescaped", 34), ("value_unescaped", 71)]
    );
    assert_eq!(found("Text/CSV", body), [("value_unescaped", 1), ("value_unescaped", 15), ("value_unescaped", 71)]);
    assert_eq!(found("text/plain", body), []);
    let body = "a={{url_encode guest.name}}&b={{guest.name}}";
    assert_eq!(found("application/x-www-form-urlencoded", body), [("value_unescaped", 31)]);
    let body = "{\"a\":{{json guest.name}},\"b\":\"{{guest.name}}\"}\n";
    assert_eq!(found("application/x-ndjson", body), [("value_unescaped", 31)]);
}

#[test]
fn every_misshapen_tag_is_reported() {
    let found = check(Text, "*|GUEST NAME|* *|GUEST:FIRST NAME|* *|ELSE:|* *|IF:A=b|*").diagnostics;
    let reported: Vec<_> =
        found.iter().map(|found| (found.code, found.column, found.message.contains("Mailchimp"))).collect();
    let expected = [(1, false), (16, false), (37, true), (47, true)];
    assert_eq!(reported, expected.map(|(column, mailchimp)| ("misshapen_tag", column, mailchimp)));
}
