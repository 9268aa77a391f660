//! Rendered bodies in each format, and the bounds of rendering.

use serde_json::{Value, json};

use super::{check, data, render};
use crate::model::template::Format::{Form, Json, Text, Xml};
use crate::templating::RenderFailure;

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
#[rustfmt::skip]
fn bodies_are_rendered() {
    let data = sample();
    for (format, body, expected) in [
        (Text, "", ""),
        (Text, "plain", "plain"),
        (Text, "*|GUEST:NAME|*|{{guest.email}}", "Anna \"A\" <O'Neil> & Söhne\n|a@b.c"),
        (Text, "{{guest.[first name]}} {{this.guest.vip}} {{@root.guest.email}}", "Anna true a@b.c"),
        (Text, "{{trick}}", "*|GUEST:NAME|* {{guest.name}}"),
        (Text, "{{{trick}}} {{&trick}}", "*|GUEST:NAME|* {{guest.name}} *|GUEST:NAME|* {{guest.name}}"),
        (Text, "{{inquiry.cost}} {{inquiry.none}}{{inquiry.nothing.at.all}} {{names}}", "1234.50  {\"b\":1,\"a\":{\"x\":2}}"),
        (Text, r"\{{x}} \\{{guest.email}}", r"{{x}} \a@b.c"),
        (Text, "a{{! no }}b{{!-- }} --}}c", "abc"),
        (Text, "a  {{~guest.vip~}}  b", "atrueb"),
        (Text, "{{date}} {{this.date}} {{upper date}}", "a field a field A FIELD"),
        (Text, "{{#each rooms}}{{@index}}{{n}}{{#unless @last}},{{/unless}}{{/each}}", "0one,1two,2three"),
        (Text, "{{#each names}}{{@key}}={{this}}{{@first}}{{@last}};{{/each}}", "b=1truefalse;a={\"x\":2}falsetrue;"),
        (Text, "{{#each rooms as |room i|}}{{i}}{{room.n}}{{#each room.beds as |b|}}[{{b}}{{room.n}}{{@index}}{{@../index}}{{../n}}]{{/each}}{{/each}}", "0one[1one00one][2one10one]1two2three[3three02three]"),
        (Text, "{{#each names as |v k|}}{{k}}{{/each}}", "ba"),
        (Text, "{{#each empty}}x{{else}}none{{/each}}", "none"),
        (Text, "{{#each guest.name}}x{{else}}none{{/each}}", "none"),
        (Text, "{{#with guest}}{{email}}{{../date}}{{@root.date}}*|GUEST:EMAIL|*{{/with}}", "a@b.ca fielda fielda@b.c"),
        (Text, "{{#with nothing}}x{{else}}y{{/with}}", "y"),
        // Members of one object after another, of others between them, of lists, and of what is no object.
        (Text, "{{guest.email}} {{inquiry.nights}} {{guest.email}}{{guest.none}}{{rooms.0.n}}{{rooms.1.n}} {{rooms.length}}{{guest.email.x}}{{guest.email.y}}{{none.x}}{{none.y}} {{date}}", "a@b.c 7 a@b.conetwo 3 a field"),
        (Text, "{{guest.email}}{{#with inquiry}} {{guest.email}}{{nights}}{{@root.guest.email}}{{@root.inquiry.nights}}{{/with}}", "a@b.c 7a@b.c7"),
        (Text, "{{#with guest as |g|}}{{g.email}}{{/with}}", "a@b.c"),
        (Text, "{{#if inquiry.zero}}a{{else if guest.vip}}b{{else}}c{{/if}}", "b"),
        (Text, "{{#if inquiry.zero includeZero=true}}a{{/if}}{{#unless empty}}b{{/unless}}", "ab"),
        (Text, "{{#if (and guest.vip (not empty))}}a{{/if}}{{#if (or empty inquiry.zero)}}b{{/if}}", "a"),
        (Text, "{{#if (eq inquiry.nights 7)}}a{{/if}}{{#if (gt inquiry.cost \"1000\")}}b{{/if}}{{#if (lt inquiry.arrive \"2026-07-02\")}}c{{/if}}", "abc"),
        (Text, "{{date inquiry.arrive \"%d.%m.%y\"}} {{date *|INQUIRY:ARRIVE|* \"%A\"}} {{date guest.name}}|", "01.07.26 Wednesday |"),
        (Text, "{{number inquiry.cost decimals=1 group=\".\" point=\",\"}} {{money inquiry.cost \"EUR\"}} {{money *|INQUIRY:COST|*}}", "1.234,5 1,234.50 EUR 1,234.50"),
        (Text, "{{default inquiry.none nothing \"none\"}} {{default guest.email \"x\"}}", "none a@b.c"),
        (Text, "{{lookup (lookup rooms 1) \"n\"}} {{lookup names \"b\"}} {{lookup names 5}}|", "two 1 |"),
        (Text, "{{#each (lookup names \"a\")}}{{@key}}{{/each}}", "x"),
        (Text, "{{upper (default guest.nick guest.email)}} {{truncate guest.email 3}} {{truncate guest.email 2 end=\"\"}}", "A@B.C a@… a@"),
        (Text, "{{join rooms.0.beds \"+\"}} {{json names}} {{json guest.email}}", "1+2 {\"b\":1,\"a\":{\"x\":2}} \"a@b.c\""),
        (Text, "{{event.type}} {{event.account}} {{event.id}}", "guest.created acme e1"),
        (Text, "{{#with event}}{{id}}{{/with}} {{#with this}}{{event.id}} {{@root.event.id}}{{/with}} {{lookup (lookup this \"event\") \"id\"}}", "e1 e1 e1 e1"),
        (Text, "{{#if guest.vip}}\n  yes\n{{/if}}\nend", "  yes\nend"),
        (Json, r#"{"a": "Dear {{guest.name}}!", "{{guest.email}}": {{guest.name}}}"#, r#"{"a": "Dear Anna \"A\" <O'Neil> & Söhne\n!", "a@b.c": "Anna \"A\" <O'Neil> & Söhne\n"}"#),
        (Json, r#"{"cost": {{inquiry.cost}}, "x": [{{inquiry.none}}, {{nothing}}, {{guest.vip}}], "r": {{rooms.0}}}"#, r#"{"cost": 1234.50, "x": [null, null, true], "r": {"n":"one","beds":[1,2]}}"#),
        (Json, "*|GUEST:EMAIL|*", r#""a@b.c""#),
        (Json, r#"{"m":{{money inquiry.cost "EUR"}},"j":{{json names}},"k":"{{json names.a}}","e":{{eq 1 1}},"d":{{date guest.name}}}"#, r#"{"m":"1,234.50 EUR","j":{"b":1,"a":{"x":2}},"k":"{\"x\":2}","e":true,"d":null}"#),
        (Json, "[{{#each rooms}}{{#unless @first}},{{/unless}}{{n}}{{/each}}]", r#"["one","two","three"]"#),
        (Json, "[{{#each rooms}}{\"n\":{{n}},\"i\":{{@index}}}{{#unless @last}},{{/unless}}{{/each}}]", r#"[{"n":"one","i":0},{"n":"two","i":1},{"n":"three","i":2}]"#),
        (Json, "[{{#each rooms}}{{#if @index}},{{/if}}{{n}}{{/each}}]", r#"["one","two","three"]"#),
        (Json, "[0{{#each rooms}},{{n}}{{/each}}]", r#"[0,"one","two","three"]"#),
        (Json, "{{#each empty}}{{#if @first}}[{{/if}}{{this}}{{#if @last}}]{{else}},{{/if}}{{else}}[]{{/each}}", "[]"),
        (Json, "{{#if guest.vip}}1{{else}}2{{/if}}", "1"),
        (Json, "{\"a\":1{{#if guest.vip}},\"b\":{{guest.vip}}{{/if}}}", "{\"a\":1,\"b\":true}"),
        (Json, "{ {{#each names}}\"{{@key}}\":{{this}}{{#unless @last}},{{/unless}}{{/each}} }", "{ \"b\":1,\"a\":{\"x\":2} }"),
        (Xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"{{guest.name}}\" c='x'><!-- c -->{{guest.name}}&#233;<d/><![CDATA[<]]></a>\n", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"Anna &quot;A&quot; &lt;O&apos;Neil&gt; &amp; Söhne&#10;\" c='x'><!-- c -->Anna \"A\" &lt;O'Neil&gt; &amp; Söhne\n&#233;<d/><![CDATA[<]]></a>\n"),
        (Xml, "<s:e xmlns:s=\"urn:x\"><s:b>{{#each rooms}}<r n=\"{{n}}\"/>{{/each}}</s:b></s:e>", "<s:e xmlns:s=\"urn:x\"><s:b><r n=\"one\"/><r n=\"two\"/><r n=\"three\"/></s:b></s:e>"),
        (Xml, "<a{{#if guest.vip}} b=\"1\"{{/if}}{{#if guest.vip}} c=\"1\"{{/if}}{{#if nothing}} d=\"1\"{{/if}}>{{#if guest.vip}}<e{{#if guest.vip}} f=\"\"{{/if}}/>{{/if}}</a>", "<a b=\"1\" c=\"1\"><e f=\"\"/></a>"),
        (Xml, "<a xmlns:p=\"u\" xmlns:q=\"v\"><b p:x=\"1\" q:x=\"2\" x=\"3\" xml:x=\"4\"/></a>", "<a xmlns:p=\"u\" xmlns:q=\"v\"><b p:x=\"1\" q:x=\"2\" x=\"3\" xml:x=\"4\"/></a>"),
        (Form, "name={{guest.email}}&text=Hello {{inquiry.cost}}!", "name=a%40b.c&text=Hello%201234.50!"),
        (Form, "a=1{{#if guest.vip}}&{{guest.email}}={{guest.vip}}{{/if}}", "a=1&a%40b.c=true"),
        // White space around blocks is no part, also where it would be written as %20.
        (Form, "{{#each rooms separator=\"&\"}} {{#if beds}}n={{n}}{{/if}} {{/each}}", "%20n=one%20&%20n=three%20"),
        (Form, "{{#parts separator=\"&\"}}{{#if guest.vip}} {{/if}}{{#if guest.vip}}a=1{{/if}}{{#if guest.vip}}%09{{/if}}{{#if guest.vip}}b=%20{{/if}}{{/parts}}", "a=1&b=%20"),
        (Text, "{{#parts separator=\"&\"}}{{#if guest.vip}}%20{{/if}}{{#if guest.vip}}a{{/if}}{{/parts}}", "%20&a"),
    ] {
        assert_eq!(render(format, body, &data), expected, "{body}");
    }
}

#[test]
#[rustfmt::skip]
fn renderings_are_bounded() {
    let list: Vec<Value> = (0..200).map(Value::from).collect();
    let long = "x".repeat(100_000);
    let zeros: Value = serde_json::from_str(&format!("0.{}", "0".repeat(100_000))).expect("a number");
    let many = json!({"a1": 1, "a2": 1, "a3": 1, "a4": 1, "a5": 1, "a6": 1, "a7": 1, "a8": 1, "a9": 1, "b1": 1, "b2": 1, "b3": 1, "b4": 1});
    let hostile = json!({"l": list, "long": long, "c": "\u{1}".repeat(100_000), "zeros": zeros, "many": many,
        "dots": ".".repeat(500_000), "digits": "7".repeat(390), "powers": vec!["7e-390".parse::<serde_json::Number>().expect("a number"); 1000]});
    let separator = format!("{{{{join l \"{}\"}}}}", "s".repeat(60_000));
    let name = format!("{{{{#each l}}}}{{{{../many.{}}}}}{{{{/each}}}}", "n".repeat(60_000));
    for (format, body, expected) in [
        (Text, "{{#each l}}{{#each ../l}}{{#each ../../l}}abcdefgh{{/each}}{{/each}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{#each ../l}}{{#each ../../l}}{{/each}}{{/each}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{../long}}{{/each}}", RenderFailure::TooLarge),
        (Text, "{{#each l}}{{#if (eq ../long \"y\")}}1{{/if}}{{/each}}", RenderFailure::TooManySteps),
        (Xml, "<a>{{#each l}}{{../c}}{{/each}}</a>", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{truncate ../long 1}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{#if ../zeros}}1{{/if}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{#with ../zeros}}1{{/with}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{#if (or ../zeros ../zeros)}}1{{/if}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{#with (upper long) as |u|}}{{#each ../l}}{{#if u}}1{{/if}}{{/each}}{{/with}}", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{length (pluck ../l ../dots)}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{length (pluck l dots)}}", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{#if (contains ../powers ../digits)}}1{{/if}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{max ../powers}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{length (where ../l \"a\" ../digits)}}{{length (sort ../powers)}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{add ../digits ../digits ../digits ../digits ../digits ../digits ../digits ../digits}}{{add ../digits ../digits ../digits ../digits ../digits ../digits ../digits ../digits}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{#each l}}{{date_add \"2026-08-14\" days=../digits hours=../digits}}{{date \"x\" from=../long}}{{/each}}", RenderFailure::TooManySteps),
        (Text, "{{#with (split long \"@\")}}{{#each ../l}}{{length (slice ../this 0 0)}}{{/each}}{{/with}}", RenderFailure::TooManySteps),
        (Text, "{{#with (split long \"@\")}}{{#each ../l}}{{#if ../this.0}}1{{/if}}{{/each}}{{/with}}", RenderFailure::TooManySteps),
        (Text, "{{#with (split long \"@\")}}{{#each ../l}}{{#each ../this}}{{/each}}{{/each}}{{/with}}", RenderFailure::TooManySteps),
        (Text, &separator, RenderFailure::TooLarge),
        (Text, &name, RenderFailure::TooManySteps),
    ] {
        let compiled = check(format, body).compiled.expect("taken");
        assert_eq!(compiled.render(&data(hostile.clone())), Err(expected), "{body}");
    }
}
