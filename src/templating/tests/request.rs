//! Expressions in the URL and the headers of a trigger: what they come to, what is refused when they are
//! saved, and what drops a delivery.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Small, data};
use crate::model::target::Target;
use crate::model::url::TriggerUrl;
use crate::templating::{CompileContext, Expressions, TemplateLimits, UnsendableReason, is_error};

fn target(url: &str, headers: &[(&str, &str)], value: &Value) -> Result<Target, UnsendableReason> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let parsed = TriggerUrl::new(url).expect(url);
    let (expressions, found) =
        Expressions::compile(&parsed, &headers, &CompileContext::of(&Small), &TemplateLimits::default());
    assert!(!found.iter().any(is_error), "{url}: {found:?}");
    let target = Target::of(parsed, &headers, Vec::new()).expect("headers");
    match expressions {
        Some(expressions) => expressions.target(&target, &data(value.clone())).map(|target| Target::clone(&target)),
        None => Ok(target),
    }
}

fn refused(url: &str, headers: &[(&str, &str)]) -> Vec<(Option<String>, &'static str)> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let url = TriggerUrl::new(url).expect(url);
    let (expressions, found) =
        Expressions::compile(&url, &headers, &CompileContext::of(&Small), &TemplateLimits::default());
    assert!(expressions.is_none(), "{url:?}");
    found.into_iter().filter(is_error).map(|found| (found.header, found.diagnostic.code)).collect()
}

#[test]
#[rustfmt::skip]
fn values_stay_in_their_segment_and_in_the_query() {
    let data = json!({"guest": {"name": "A/B?c#d &=%é"}, "id": 7, "dots": "..", "dot": ".", "more": "...", "spelt": "%2e%2E", "empty": "", "yes": true, "xs": [1, "a b"]});
    for (url, sent) in [
        ("https://h.example/guests/{{guest.name}}/notes", "https://h.example/guests/A%2FB%3Fc%23d%20%26%3D%25%C3%A9/notes"),
        ("https://h.example/*|GUEST:NAME|*?a={{id}}", "https://h.example/A%2FB%3Fc%23d%20%26%3D%25%C3%A9?a=7"),
        ("https://h.example?q={{guest.name}}&r=1", "https://h.example/?q=A%2FB%3Fc%23d%20%26%3D%25%C3%A9&r=1"),
        ("https://h.example:8443/a b/{{id}}.json", "https://h.example:8443/a%20b/7.json"),
        ("https://h.example/{{id}}{{dots}}/x", "https://h.example/7../x"),
        ("https://h.example/{{more}}", "https://h.example/..."),
        ("https://h.example/{{spelt}}", "https://h.example/%252e%252E"),
        ("https://h.example/v{{#if yes}}2{{else}}1{{/if}}/x?{{#if yes}}a={{dots}}{{/if}}", "https://h.example/v2/x?a=.."),
        ("https://h.example/x?{{#each xs separator=\"&\"}}i={{this}}{{/each}}", "https://h.example/x?i=1&i=a%20b"),
        ("https://h.example/x?{{#each xs separator=\"&\"}}{{#if @first}} {{else}}i={{this}}{{/if}}{{/each}}", "https://h.example/x?i=a%20b"),
        ("https://h.example/a//{{id}}/", "https://h.example/a//7/"),
        ("https://h.example/x?q={{empty}}", "https://h.example/x?q="),
        ("https://h.example/{{url_encode guest.name}}", "https://h.example/A%252FB%253Fc%2523d%2520%2526%253D%2525%25C3%25A9"),
    ] {
        assert_eq!(target(url, &[], &data).map(|target| target.url.to_string()).as_deref(), Ok(sent), "{url}");
    }
    for url in [
        "https://h.example/a/{{dots}}/b", "https://h.example/{{dot}}", "https://h.example/{{dot}}{{dot}}", "https://h.example/.{{dot}}", "https://h.example/{{empty}}/b",
        "https://h.example/%2e{{dot}}", "https://h.example/{{missing}}", "https://h.example/{{#if no}}a{{/if}}", "https://h.example/a/{{empty}}?x=1", "https://h.example/.{{empty}}",
    ] {
        assert_eq!(target(url, &[], &data).map(|target| target.url), Err(UnsendableReason::Url), "{url}");
    }
    let longest = |bytes: usize| {
        target("https://h.example/?x={{x}}", &[], &json!({"x": "x".repeat(bytes - 21)})).map(|target| target.url.len())
    };
    assert_eq!((longest(8_000), longest(8_001)), (Ok(8_000), Err(UnsendableReason::UrlTooLong)));
    let long = json!({"x": "é".repeat(2_000)});
    assert_eq!(target("https://h.example/?x={{x}}", &[], &long).map(|target| target.url), Err(UnsendableReason::UrlTooLong));
}

#[test]
#[rustfmt::skip]
fn the_shape_of_a_url_is_checked_when_it_is_saved() {
    for (url, code) in [
        ("https://h.example/{{#if x}}a/b{{/if}}", "url_shape"),
        ("https://h.example/a{{#each xs}}/b{{/each}}", "url_shape"),
        ("https://h.example/a{{#if x}}?b=1{{/if}}", "url_shape"),
        ("https://h.example/a/{{#with x}}{{#if y}}b/{{/if}}{{/with}}", "url_shape"),
        ("https://h.example/a{{#each xs separator=\"/\"}}{{this}}{{/each}}", "url_shape"),
        ("https://h.example/{{#parts separator=\"?\"}}{{#if x}}a{{/if}}{{#if y}}b{{/if}}{{/parts}}", "url_shape"),
        ("https://h.example/a/{{#if y}}{{#each xs separator=\"/b/\"}}{{this}}{{/each}}{{/if}}", "url_shape"),
        ("https://h.example/{{x}}/../b", "url_segment"),
        ("https://h.example/./{{x}}", "url_segment"),
        ("https://h.example/{{x}}#a", "url_syntax"),
        ("https://h.example/{{uper x}}", "unknown_helper"),
        ("https://h.example/*|GUEST:NMAE|*", "unknown_tag"),
        ("https://h.example/{{x", "unclosed"),
        ("https://h.example/{{{x}}}", "unescaped"),
    ] {
        assert_eq!(refused(url, &[]).first(), Some(&(None, code)), "{url}");
    }
    assert_eq!(refused("https://h.example/", &[("x-a", "b"), ("x-c", "{{d")]), [(Some("x-c".to_owned()), "unclosed")]);
}

#[test]
fn syntax_of_other_languages_is_reported_with_its_column_in_the_url() {
    for (url, column, instead) in [
        ("https://h.example/guests/{id}/notes", 26, "{{id}}"),
        ("https://h.example/{{x}}/{id}", 25, "{{id}}"),
        ("https://h.example/${id}", 19, "{{id}}"),
        ("https://h.example/{{x}}/${id}", 25, "{{id}}"),
        ("https://h.example/x?id=<$.detail.id>", 24, "{{id}}"),
    ] {
        let parsed = TriggerUrl::new(url).expect(url);
        let (_, found) = Expressions::compile(&parsed, &[], &CompileContext::of(&Small), &TemplateLimits::default());
        let reported: Vec<_> = found.iter().filter(|found| found.diagnostic.code == "foreign_syntax").collect();
        let [only] = reported.as_slice() else { panic!("{url}: {found:?}") };
        assert_eq!(only.diagnostic.column, column, "{url}");
        assert!(only.diagnostic.message.contains(instead), "{url}: {only:?}");
    }
    for url in ["https://h.example/{}", "https://h.example/{a b}", "https://h.example/{{x}}?y={{#if x}}1{{/if}}"] {
        let parsed = TriggerUrl::new(url).expect(url);
        let (_, found) = Expressions::compile(&parsed, &[], &CompileContext::of(&Small), &TemplateLimits::default());
        assert!(found.iter().all(|found| found.diagnostic.code != "foreign_syntax"), "{url}: {found:?}");
    }
    let (_, found) = Expressions::compile(
        &TriggerUrl::new("https://h.example/{{uper x}}").expect("a URL"),
        &[],
        &CompileContext::of(&Small),
        &TemplateLimits::default(),
    );
    assert_eq!(found[0].diagnostic.column, 19);
}

#[test]
fn header_values_hold_no_control_characters_and_are_bounded() {
    let data = json!({"a": "x", "zoe": "Zoë", "lines": "a\r\nX-Other: b", "nul": "\0", "tab": "a\tb", "blank": " a ", "long": "x".repeat(9_000)});
    let value = |text: &str| {
        let target = target("https://h.example/", &[("x-first", "1"), ("x-token", text), ("x-last", "2")], &data)?;
        let names: Vec<_> = target.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-first", "x-token", "x-last"]);
        Ok::<_, UnsendableReason>(String::from_utf8(target.headers[1].1.as_bytes().to_vec()).expect("UTF-8"))
    };
    for (text, sent) in [
        ("Bearer {{a}}", "Bearer x"),
        ("{{zoe}}", "Zoë"),
        ("{{blank}}", "a"),
        ("{{missing}}", ""),
        ("{{base64 lines}}", "YQ0KWC1PdGhlcjogYg=="),
        ("{{#if a}}yes{{/if}}", "yes"),
        ("a \"b\" <c>", "a \"b\" <c>"),
    ] {
        assert_eq!(value(text).as_deref(), Ok(sent), "{text}");
    }
    for text in ["{{lines}}", "a{{nul}}", "{{tab}}"] {
        assert_eq!(value(text), Err(UnsendableReason::Header(1)), "{text}");
    }
    assert_eq!(value("{{long}}"), Err(UnsendableReason::HeadersTooLong));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_changes_the_destination_the_path_s_shape_or_the_headers(text in any::<String>(), other in "[./%2eE?#\\\\@:&=]{0,6}") {
        let data = json!({"a": text, "b": other});
        let url = "https://h.example:8443/x/{{a}}/{{b}}{{a}}/y?p={{a}}&q={{b}}";
        let headers = [("x-a", "{{a}}"), ("x-b", "-{{b}}")];
        if let Ok(sent) = target(url, &headers, &data) {
            let parsed = url::Url::parse(&sent.url).expect("a URL");
            prop_assert_eq!((parsed.scheme(), parsed.host_str(), parsed.port()), ("https", Some("h.example"), Some(8443)));
            prop_assert_eq!(parsed.path_segments().expect("segments").count(), 4);
            let query: Vec<_> = parsed.query_pairs().collect();
            prop_assert_eq!(query, [("p".into(), text.as_str().into()), ("q".into(), other.as_str().into())] as [(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>); 2]);
            prop_assert_eq!(sent.headers.len(), 2);
            prop_assert_eq!(sent.uri.path().matches('/').count(), 4);
            prop_assert!(sent.headers.iter().all(|(_, value)| !value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\t' | 0))));
        }
    }
}
