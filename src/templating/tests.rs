//! The engine as a whole, through what it gives the rest of the program: tables of templates that
//! are taken and of templates that are refused, with the place and the code.

use serde_json::{Value, json};

use super::*;
use crate::template::Format::{self, Form, Json, Text, Xml};

struct Small;

impl Dictionary for Small {
    fn tag_path(&self, entity: &str, attribute: &str) -> Option<&str> {
        let tag = format!("{entity}:{attribute}").to_ascii_uppercase();
        let known = [
            ("GUEST:NAME", "guest.name"),
            ("GUEST:EMAIL", "guest.email"),
            ("INQUIRY:ARRIVE", "inquiry.arrive"),
            ("INQUIRY:COST", "inquiry.cost"),
        ];
        known.iter().find(|(name, _)| *name == tag).map(|(_, path)| *path)
    }

    fn tags(&self) -> Vec<String> {
        ["GUEST:NAME", "GUEST:EMAIL", "INQUIRY:ARRIVE", "INQUIRY:COST"].map(str::to_owned).into()
    }

    fn paths(&self, event: Option<&EventPattern>) -> Option<Vec<String>> {
        event?;
        Some(["guest.name", "guest.email", "rental.tags", "date"].map(str::to_owned).into())
    }
}

fn check(format: Format, body: &str) -> Checked {
    compile(format, body, &Small, None, &Limits::default())
}

fn data(value: Value) -> Data {
    let Value::Object(data) = value else { panic!("data are an object") };
    let about = About { event_type: "guest.created", id: "e1", time: "2026-07-01T10:00:00Z", account: "acme" };
    Data::with(data, about)
}

fn render(format: Format, body: &str, value: &Value) -> String {
    let checked = check(format, body);
    let compiled = checked.compiled.unwrap_or_else(|| panic!("{body}: {:?}", checked.diagnostics));
    let rendered = compiled.render(&data(value.clone())).expect("within bounds");
    String::from_utf8(rendered.to_vec()).expect("UTF-8")
}

fn sample() -> Value {
    let exact: Value = serde_json::from_str("1234.50").expect("a number");
    json!({
        "guest": {"name": "Anna \"A\" <O'Neil> & Söhne\n", "email": "a@b.c", "first name": "Anna", "vip": true},
        "inquiry": {"arrive": "2026-07-01", "cost": exact, "nights": 7, "zero": 0, "none": null},
        "rooms": [{"n": "one", "beds": [1, 2]}, {"n": "two", "beds": []}, {"n": "three", "beds": [3]}],
        "names": {"b": 1, "a": {"x": 2}},
        "empty": [],
        "date": "a field",
        "trick": "*|GUEST:NAME|* {{guest.name}}",
    })
}

#[test]
fn bodies_are_rendered() {
    let data = sample();
    for (format, body, expected) in [
        (Text, "", ""),
        (Text, "plain", "plain"),
        (Text, "*|GUEST:NAME|*|{{guest.email}}", "Anna \"A\" <O'Neil> & Söhne\n|a@b.c"),
        (Text, "{{guest.[first name]}} {{this.guest.vip}} {{@root.guest.email}}", "Anna true a@b.c"),
        (Text, "{{trick}}", "*|GUEST:NAME|* {{guest.name}}"),
        (Text, "{{{trick}}} {{&trick}}", "*|GUEST:NAME|* {{guest.name}} *|GUEST:NAME|* {{guest.name}}"),
        (
            Text,
            "{{inquiry.cost}} {{inquiry.none}}{{inquiry.nothing.at.all}} {{names}}",
            "1234.50  {\"b\":1,\"a\":{\"x\":2}}",
        ),
        (Text, r"\{{x}} \\{{guest.email}}", r"{{x}} \a@b.c"),
        (Text, "a{{! no }}b{{!-- }} --}}c", "abc"),
        (Text, "a  {{~guest.vip~}}  b", "atrueb"),
        (Text, "{{date}} {{this.date}} {{upper date}}", "a field a field A FIELD"),
        (Text, "{{#each rooms}}{{@index}}{{n}}{{#unless @last}},{{/unless}}{{/each}}", "0one,1two,2three"),
        (Text, "{{#each names}}{{@key}}={{this}}{{@first}}{{@last}};{{/each}}", "b=1truefalse;a={\"x\":2}falsetrue;"),
        (
            Text,
            "{{#each rooms as |room i|}}{{i}}{{room.n}}{{#each room.beds as |b|}}[{{b}}{{room.n}}{{@index}}{{@../index}}{{../n}}]{{/each}}{{/each}}",
            "0one[1one00one][2one10one]1two2three[3three02three]",
        ),
        (Text, "{{#each names as |v k|}}{{k}}{{/each}}", "ba"),
        (Text, "{{#each empty}}x{{else}}none{{/each}}", "none"),
        (Text, "{{#each guest.name}}x{{else}}none{{/each}}", "none"),
        (Text, "{{#with guest}}{{email}}{{../date}}{{@root.date}}*|GUEST:EMAIL|*{{/with}}", "a@b.ca fielda fielda@b.c"),
        (Text, "{{#with nothing}}x{{else}}y{{/with}}", "y"),
        (Text, "{{#with guest as |g|}}{{g.email}}{{/with}}", "a@b.c"),
        (Text, "{{#if inquiry.zero}}a{{else if guest.vip}}b{{else}}c{{/if}}", "b"),
        (Text, "{{#if inquiry.zero includeZero=true}}a{{/if}}{{#unless empty}}b{{/unless}}", "ab"),
        (Text, "{{#if (and guest.vip (not empty))}}a{{/if}}{{#if (or empty inquiry.zero)}}b{{/if}}", "a"),
        (
            Text,
            "{{#if (eq inquiry.nights 7)}}a{{/if}}{{#if (gt inquiry.cost \"1000\")}}b{{/if}}{{#if (lt inquiry.arrive \"2026-07-02\")}}c{{/if}}",
            "abc",
        ),
        (
            Text,
            "{{date inquiry.arrive \"%d.%m.%y\"}} {{date *|INQUIRY:ARRIVE|* \"%A\"}} {{date guest.name}}|",
            "01.07.26 Wednesday |",
        ),
        (
            Text,
            "{{number inquiry.cost decimals=1 group=\".\" point=\",\"}} {{money inquiry.cost \"EUR\"}} {{money *|INQUIRY:COST|*}}",
            "1.234,5 1,234.50 EUR 1,234.50",
        ),
        (Text, "{{default inquiry.none nothing \"none\"}} {{default guest.email \"x\"}}", "none a@b.c"),
        (Text, "{{lookup (lookup rooms 1) \"n\"}} {{lookup names \"b\"}} {{lookup names 5}}|", "two 1 |"),
        (Text, "{{#each (lookup names \"a\")}}{{@key}}{{/each}}", "x"),
        (
            Text,
            "{{upper (default guest.nick guest.email)}} {{truncate guest.email 3}} {{truncate guest.email 2 end=\"\"}}",
            "A@B.C a@… a@",
        ),
        (
            Text,
            "{{join rooms.0.beds \"+\"}} {{json names}} {{json guest.email}}",
            "1+2 {\"b\":1,\"a\":{\"x\":2}} \"a@b.c\"",
        ),
        (Text, "{{event.type}} {{event.account}} {{event.id}}", "guest.created acme e1"),
        (Text, "{{#if guest.vip}}\n  yes\n{{/if}}\nend", "  yes\nend"),
        (
            Json,
            r#"{"a": "Dear {{guest.name}}!", "{{guest.email}}": {{guest.name}}}"#,
            r#"{"a": "Dear Anna \"A\" <O'Neil> & Söhne\n!", "a@b.c": "Anna \"A\" <O'Neil> & Söhne\n"}"#,
        ),
        (
            Json,
            r#"{"cost": {{inquiry.cost}}, "x": [{{inquiry.none}}, {{nothing}}, {{guest.vip}}], "r": {{rooms.0}}}"#,
            r#"{"cost": 1234.50, "x": [null, null, true], "r": {"n":"one","beds":[1,2]}}"#,
        ),
        (Json, "*|GUEST:EMAIL|*", r#""a@b.c""#),
        (
            Json,
            r#"{"m":{{money inquiry.cost "EUR"}},"j":{{json names}},"k":"{{json names.a}}","e":{{eq 1 1}},"d":{{date guest.name}}}"#,
            r#"{"m":"1,234.50 EUR","j":{"b":1,"a":{"x":2}},"k":"{\"x\":2}","e":true,"d":null}"#,
        ),
        (Json, "[{{#each rooms}}{{#unless @first}},{{/unless}}{{n}}{{/each}}]", r#"["one","two","three"]"#),
        (
            Json,
            "[{{#each rooms}}{\"n\":{{n}},\"i\":{{@index}}}{{#unless @last}},{{/unless}}{{/each}}]",
            r#"[{"n":"one","i":0},{"n":"two","i":1},{"n":"three","i":2}]"#,
        ),
        (Json, "[{{#each rooms}}{{#if @index}},{{/if}}{{n}}{{/each}}]", r#"["one","two","three"]"#),
        (Json, "[0{{#each rooms}},{{n}}{{/each}}]", r#"[0,"one","two","three"]"#),
        (Json, "{{#each empty}}{{#if @first}}[{{/if}}{{this}}{{#if @last}}]{{else}},{{/if}}{{else}}[]{{/each}}", "[]"),
        (Json, "{{#if guest.vip}}1{{else}}2{{/if}}", "1"),
        (Json, "{\"a\":1{{#if guest.vip}},\"b\":{{guest.vip}}{{/if}}}", "{\"a\":1,\"b\":true}"),
        (
            Json,
            "{ {{#each names}}\"{{@key}}\":{{this}}{{#unless @last}},{{/unless}}{{/each}} }",
            "{ \"b\":1,\"a\":{\"x\":2} }",
        ),
        (
            Xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"{{guest.name}}\" c='x'><!-- c -->{{guest.name}}&#233;<d/><![CDATA[<]]></a>\n",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"Anna &quot;A&quot; &lt;O&apos;Neil&gt; &amp; Söhne&#10;\" c='x'><!-- c -->Anna \"A\" &lt;O'Neil&gt; &amp; Söhne\n&#233;<d/><![CDATA[<]]></a>\n",
        ),
        (
            Xml,
            "<s:e xmlns:s=\"urn:x\"><s:b>{{#each rooms}}<r n=\"{{n}}\"/>{{/each}}</s:b></s:e>",
            "<s:e xmlns:s=\"urn:x\"><s:b><r n=\"one\"/><r n=\"two\"/><r n=\"three\"/></s:b></s:e>",
        ),
        (Form, "name={{guest.email}}&text=Hello {{inquiry.cost}}!", "name=a%40b.c&text=Hello%201234.50!"),
        (Form, "a=1{{#if guest.vip}}&{{guest.email}}={{guest.vip}}{{/if}}", "a=1&a%40b.c=true"),
    ] {
        assert_eq!(render(format, body, &data), expected, "{body}");
    }
}

#[test]
fn mistakes_are_placed_and_named() {
    for (format, body, expected) in [
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
        (Text, "{{date a \"%Q%\"}}", ("helper_values", 1, 1)),
        (Text, "{{date a b}}", ("helper_values", 1, 1)),
        (Text, "{{date a \"%F\" tz=\"Mars\"}}", ("helper_values", 1, 1)),
        (Text, "{{lookup \"abc\" 1}}", ("helper_values", 1, 1)),
        (Text, "{{upper [1]}}", ("syntax", 1, 1)),
        (Text, "{{../x}}", ("above_root", 1, 1)),
        (Text, "{{@index}}", ("unknown_local", 1, 1)),
        (Text, "{{#each a}}{{@size}}{{/each}}", ("unknown_local", 1, 12)),
        (Text, "a\n *|GUEST:NMAE|*", ("unknown_tag", 2, 2)),
        (Text, "{{upper *|GUEST:NMAE|*}}", ("unknown_tag", 1, 1)),
        (Text, "{{guest..name}}", ("syntax", 1, 9)),
        (Text, "{{elsewhere}}", ("syntax", 1, 1)),
        (
            Text,
            "{{#each a}}{{#each b}}{{#each c}}{{#each d}}{{/each}}{{/each}}{{/each}}{{/each}}",
            ("each_too_deep", 1, 34),
        ),
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
    ] {
        let checked = check(format, body);
        let errors: Vec<_> = checked
            .diagnostics
            .iter()
            .filter(|found| found.severity == Severity::Error)
            .map(|found| (found.code, found.line, found.column))
            .collect();
        assert!(checked.compiled.is_none(), "{body}");
        assert_eq!(errors.first(), Some(&expected), "{body}: {:?}", checked.diagnostics);
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let body = "{\"a\": \"*|GUEST:NMAE|*\",\n \"b\": {{uper x}},\n \"c\": {{{x}}},\n {{d}}: 1 }";
    let codes: Vec<_> = check(Json, body).diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["unknown_tag", "unknown_helper", "unescaped", "json_key_unquoted"]);
}

#[test]
fn odd_things_are_warned_of() {
    let event = EventPattern::new("guest.created").expect("a pattern");
    for (format, body, code, suggestion) in [
        (Json, r#"{"a":1,"b":2,"\u0061":3}"#, Some("duplicate_key"), None),
        (Json, r#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#, None, None),
        (Json, r#"{ {{#if guest.name}}"a":1{{else}}"a":2{{/if}} }"#, None, None),
        (Json, r#"{ {{#if guest.name}}"a":1{{else}}"b":2{{/if}},"b":3 }"#, Some("duplicate_key"), None),
        (Json, r#"{ {{#each rental.tags}}"a":1{{#unless @last}},{{/unless}}{{/each}} }"#, Some("duplicate_key"), None),
        (Json, r#"{ {{#each rental.tags}}"{{this}}":1{{#unless @last}},{{/unless}}{{/each}} }"#, None, None),
        (Text, "{{guest.nmae}}", Some("unknown_path"), Some("guest.name")),
        (Text, "{{guest}}{{guest.name}}{{rental.tags.0}}{{event.type}}", None, None),
        (Text, "{{#with guest}}{{phone}}{{/with}}", Some("unknown_path"), None),
        (Text, "*|INQUIRY:COST|*", Some("unknown_path"), None),
        (Text, "{{date}}", Some("helper_name"), None),
        (Text, "{{this.date}}", None, None),
        (Text, "*|GUEST NAME|*", Some("misshapen_tag"), None),
        (Text, "{{default guest.name \"*|GUEST:NAME|*\"}}", Some("tag_in_string"), None),
        (Form, "a=1\n&b=2", Some("form_line_break"), None),
    ] {
        let checked = compile(format, body, &Small, Some(&event), &Limits::default());
        assert!(checked.compiled.is_some(), "{body}: {:?}", checked.diagnostics);
        let found = checked.diagnostics.first();
        assert_eq!(found.map(|found| found.code), code, "{body}: {:?}", checked.diagnostics);
        assert_eq!(found.and_then(|found| found.suggestion.as_deref()), suggestion, "{body}");
    }
}

#[test]
fn tags_suggest_the_nearest() {
    let checked = check(Text, "*|GUEST:NMAE|*");
    assert_eq!(checked.diagnostics[0].suggestion.as_deref(), Some("*|GUEST:NAME|*"));
}

#[test]
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
fn renderings_are_bounded() {
    let list: Vec<Value> = (0..200).map(Value::from).collect();
    let long = "x".repeat(100_000);
    let hostile = json!({"l": list, "long": long, "c": "\u{1}".repeat(100_000)});
    for (format, body, expected) in [
        (
            Text,
            "{{#each l}}{{#each ../l}}{{#each ../../l}}abcdefgh{{/each}}{{/each}}{{/each}}",
            Unrendered::TooManySteps,
        ),
        (Text, "{{#each l}}{{#each ../l}}{{#each ../../l}}{{/each}}{{/each}}{{/each}}", Unrendered::TooManySteps),
        (Text, "{{#each l}}{{../long}}{{/each}}", Unrendered::TooLarge),
        (Text, "{{#each l}}{{#if (eq ../long \"y\")}}1{{/if}}{{/each}}", Unrendered::TooManySteps),
        (Xml, "<a>{{#each l}}{{../c}}{{/each}}</a>", Unrendered::TooManySteps),
        (Text, "{{#each l}}{{truncate ../long 1}}{{/each}}", Unrendered::TooManySteps),
    ] {
        let compiled = check(format, body).compiled.expect("taken");
        assert_eq!(compiled.render(&data(hostile.clone())), Err(expected), "{body}");
    }
}

#[test]
fn compiled_templates_and_data_are_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Compiled>();
    shared::<Data>();
}
