//! What people who are no programmers write at first, and whether the message about it leads to what they need.

use super::{Small, check};
use crate::model::template::Format::{self, Json, Text, Xml};
use crate::templating::{CompileContext, TemplateLimits, compile_in};

/// Each row is a mistake: words that some message has to hold, and a word that none may.
#[rustfmt::skip]
const MISTAKES: &[(Format, &str, &[&str], &str)] = &[
    // Blocks.
    (Text, "{{if a}}x{{/if}}", &["There is no {{#if}}", "A block begins with a #: {{#if …}}"], "never closed"),
    (Text, "{{#if a}}x{{#endif}}", &["A block ends with / and its name: {{/if}}"], "{{/endif}}"),
    (Text, "{{#each a}}x{{#end}}{{/each}}", &["A block ends with / and its name"], "{{/end}}"),
    // Lists without brackets.
    (Json, "{\"a\": {{#each xs}}{{this}},{{/each}} }", &["put [ before it", "{{#each xs separator=\",\"}}"], "Nothing follows"),
    (Json, "{\"a\": {{#each xs}}\"{{this}}\",{{/each}} }", &["put [ before it", "{{#each xs separator=\",\"}}"], "Nothing follows"),
    (Json, "{ {{a}}: 1 }", &["must be in quotes"], "put [ before"),
    (Json, "{\"a\": \"He said \"{{a}}\"\"}", &["If the quote belongs to the text, write \\\""], "elsewhere"),
    (Json, "[\"a\"\"b\"]", &["A comma is missing"], "the quote"),
    // Conditions, lists and rows of other languages.
    (Text, "{{#if a == \"GB\" || a == \"IE\"}}{{/if}}", &["{{#if (or (eq a \"GB\") (eq a \"IE\"))}}"], "(gt a 1)"),
    (Text, "{{#if a > 1 && !b && c}}{{/if}}", &["{{#if (and (gt a 1) (not b) c)}}"], "(eq b"),
    (Text, "{{#if a > 1 && b || c}}{{/if}}", &["(and (gt a 1) (eq b \"x\"))"], "(or"),
    (Text, "{{#if (a > 1) && b}}{{/if}}", &["(and (gt a 1) (eq b \"x\"))"], "(or"),
    (Text, "{{#ifnot a}}{{/ifnot}}", &["{{#unless a}}"], "elsewhere"),
    (Text, "{{#each room in rooms}}{{/each}}", &["{{#each rooms as |room|}}…{{room}}"], "takes one value"),
    (Text, "{{#for room in rooms}}{{/for}}", &["{{#each rooms as |room|}}…{{room}}"], "There is no block"),
    (Text, "{{#each a}}{{@number}}{{/each}}", &["{{add @index 1}}"], "elsewhere"),
    // Helpers.
    (Text, "{{upper(guest.name)}}", &["{{upper guest.name}}"], "elsewhere"),
    (Text, "{{present a}}", &["{{#if guest.email}}"], "with dots"),
    (Text, "{{xml_escape a}}", &["escaped as the format needs it"], "with dots"),
    (Text, "{{average xs}}", &["{{divide (sum list) (length list)}}"], "Did you mean"),
    (Text, "{{nl2br a}}", &["\"\\n\" \"<br>\""], "with dots"),
    (Text, "{{is_empty a}}", &["Did you mean not?"], "elsewhere"),
    (Text, "{{toISOString a}}", &["Did you mean date?"], "elsewhere"),
    (Text, "{{phone a}}", &["Did you mean digits?"], "elsewhere"),
    (Text, "{{(first xs).name}}", &["{{lookup (first guests) \"name\"}}"], "Expressions look like"),
    // With tags.
    (Text, "{{#if *|GUEST:NAME|* == \"x\"}}{{/if}}", &["{{#if (eq *|GUEST:NAME|* \"x\")}}"], "(gt a 1)"),
    (Text, "{{#if eq *|GUEST:NAME|* \"x\"}}{{/if}}", &["{{#if (eq *|GUEST:NAME|* \"x\")}}"], "(eq guest"),
    (Text, "{{ *|GUEST:NAME|* | upcase }}", &["{{upper *|GUEST:NAME|*}}"], "guest.name"),
    (Text, "{{upper(*|GUEST:NAME|*)}}", &["{{upper *|GUEST:NAME|*}}"], "elsewhere"),
    (Text, "{{*|GUEST:NAME|*.toUpperCase()}}", &["{{upper *|GUEST:NAME|*}}"], "guest.name"),
    (Json, "[{{#each *|GUEST:NAME|*}}{{this}}{{/each}}]", &["{{#each *|GUEST:NAME|* separator=\",\"}}"], "…"),
    // XML.
    (Xml, "<p>a<br>b</p>", &["write <br/>"], "</br>"),
    (Xml, "<p>a&nbsp;b</p>", &["&nbsp; belongs to HTML", "&#160;"], "&amp;"),
    (Xml, "<p>a &#0; b</p>", &["&amp;"], "HTML"),
    (Xml, "<p>a & b</p>", &["&amp;"], "HTML"),
    (Xml, "<p><b>a</p>", &["write </b>"], "<b/>"),
    (Xml, "<a><p:\u{feff}b/></a>", &["byte order mark"], "declared"),
    (Xml, "<a b\u{200d}=\"1\"/>", &["can't be seen"], "elsewhere"),
];

#[test]
fn messages_lead_to_what_is_meant() {
    let mut failed = Vec::new();
    for (format, body, words, never) in MISTAKES {
        let checked = check(*format, body);
        assert!(checked.compiled.is_none(), "{body}");
        let messages: Vec<_> = checked.diagnostics.iter().map(|found| found.message.as_str()).collect();
        let together = messages.join("\n");
        if !words.iter().all(|word| together.contains(word)) || together.contains(never) {
            failed.push(format!("{body}: {messages:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_field_of_csv_is_in_quotes_once() {
    let found = |content_type: &str, body: &str| {
        let setting = CompileContext { content_type: Some(content_type), ..CompileContext::of(&Small) };
        let diagnostics = compile_in(Text, body, &setting, &TemplateLimits::default()).diagnostics;
        diagnostics.into_iter().map(|found| (found.column, found.message)).collect::<Vec<_>>()
    };
    let [(2, twice), (23, bare)] = &found("text/csv", "\"{{csv guest.name}}\";\"{{guest.name}}\"")[..] else {
        panic!("two warnings")
    };
    assert!(twice.contains("in place of \"{{csv x}}\""), "{twice}");
    assert!(bare.ends_with("Write {{csv x}} in place of \"{{x}}\"."), "{bare}");
    assert_eq!(found("text/csv", "\"{{csv guest.name}},{{csv guest.name}}\""), []);
    // Dates and numbers whose constants hold nothing to escape.
    let plain = "{{date guest.name}}{{date guest.name \"%d.%m.%Y %H:%M\" locale=\"de\"}}{{number guest.age decimals=2 group=\"\" point=\".\"}}";
    assert_eq!(found("text/csv", plain), []);
    assert_eq!(found("text/html", plain), []);
    for other in [
        "{{date guest.name \"%d, %m\"}}",
        "{{number guest.age}}",
        "{{number guest.age group=\"\" point=\",\"}}",
        "{{number guest.age group=\"\" locale=\"de\"}}",
    ] {
        assert_eq!(found("text/csv", other).len(), 1, "{other}");
    }
}

#[test]
fn what_a_helper_can_t_read_is_explained() {
    let data = super::data(serde_json::json!({"in": "16:00", "now": "now"}));
    for (body, words) in [
        ("{{date in}}", "which this pattern needs; a time of day has hours and minutes"),
        ("{{date in \"%d %H\"}}", "which this pattern needs"),
        ("{{unix in}}", "is not a recognized date"),
        ("{{date \"now\" \"%F\"}}", "the time of the event is event.time"),
        ("{{date_add now days=1}}", "the time of the event is event.time"),
    ] {
        let (_, found) = check(Text, body).compiled.expect(body).preview(&data);
        assert!(found.iter().any(|found| found.message.contains(words)), "{body}: {found:?}");
    }
}

#[test]
fn an_ampersand_that_is_a_character_is_warned_of() {
    for (body, columns) in [
        ("a=Bed & Breakfast&b=R&B", &[7, 22][..]),
        ("a=R&B {{x}} x&b={{x}}", &[4]),
        ("a=Q&A{{x}}", &[4]),
        ("a=1&{{x}}b&c=2", &[4]),
        ("a=1&k{{x}}={{x}}&", &[]),
        ("a=1&&b=2", &[]),
        ("a=1&k{{#if x}}=1{{/if}}", &[]),
        ("a=1{{#if x}}&b={{x}}{{/if}}&{{#each xs separator=\"&\"}}c=1{{/each}}", &[]),
    ] {
        let found = check(Format::Form, body).diagnostics;
        let ampersands = found.iter().filter(|found| found.code == "form_ampersand").map(|found| found.column);
        assert_eq!(ampersands.collect::<Vec<_>>(), columns, "{body}: {found:?}");
    }
}
