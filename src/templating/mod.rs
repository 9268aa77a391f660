//! Customers' templates: compiled and checked when they are saved, rendered when an event fires
//! them. Here is the only place that knows handlebars. It never does I/O, reads no clock, and
//! knows nothing of HTTP, actors or stores.

mod data;
mod diagnostic;
mod dictionary;
mod each;
mod escape;
mod limits;
mod scan;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use handlebars::{Handlebars, Output, RenderContext, Renderable as _, Template};
use serde::de::IgnoredAny;

pub use self::data::{About, Data};
pub use self::diagnostic::{Diagnostic, Severity};
pub use self::dictionary::Dictionary;
pub use self::limits::Limits;
use crate::event::EventPattern;
use crate::template::Format;

/// A template that may be rendered.
#[derive(Debug)]
pub struct Compiled {
    format: Format,
    template: Template,
    registry: Arc<Handlebars<'static>>,
    limits: Limits,
}

/// What compiling a body came to.
#[derive(Debug)]
pub struct Checked {
    /// The template, unless an error was found.
    pub compiled: Option<Compiled>,
    /// All that was found, in the order of the body.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why a rendering was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unrendered {
    /// The body would be longer than [`Limits::output_bytes_max`].
    TooLarge,
    /// It would take more than [`Limits::steps_max`].
    TooManySteps,
    /// The body would not have been well-formed.
    Malformed,
    /// Anything else.
    Failed,
}

impl Unrendered {
    /// The reason's stable word, for counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::TooManySteps => "too_many_steps",
            Self::Malformed => "malformed",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Unrendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the rendered body is too long",
            Self::TooManySteps => "the rendering takes too many steps",
            Self::Malformed => "the body would not be well-formed",
            Self::Failed => "the rendering failed",
        })
    }
}

impl std::error::Error for Unrendered {}

/// Compiles and checks a body. `event` says which events will be rendered with it, where that is
/// known. This version finds what can't be parsed or could hurt the engine, and tags that the
/// dictionary does not know; a body that some data breaks is found when it is rendered.
pub fn compile(
    format: Format,
    body: &str,
    dictionary: &dyn Dictionary,
    _event: Option<&EventPattern>,
    limits: &Limits,
) -> Checked {
    let refused = |diagnostics| Checked { compiled: None, diagnostics };
    let text = match scan::tags_to_paths(body, dictionary) {
        Ok(text) => text,
        Err(diagnostics) => return refused(diagnostics),
    };
    let found = scan::scan(body, format, limits);
    if !found.is_empty() {
        return refused(found);
    }
    match Template::compile(&text) {
        Ok(mut template) => match scan::unknown_helper(&template) {
            None => {
                scan::write_values(&mut template);
                let registry = escape::registry(format);
                let compiled = Compiled { format, template, registry, limits: limits.clone() };
                Checked { compiled: Some(compiled), diagnostics: Vec::new() }
            }
            Some(name) => {
                let cure = format!("there is no helper `{name}`; there are if, unless, each and with");
                refused(vec![scan::error(body, 0, "unknown_helper", cure)])
            }
        },
        Err(error) => {
            let (line, column) = error.pos().unwrap_or((1, 1));
            let message = format!("this is no Handlebars template: {}", error.reason());
            let suggestion = None;
            refused(vec![Diagnostic { severity: Severity::Error, code: "syntax", line, column, message, suggestion }])
        }
    }
}

impl Compiled {
    /// Writes the body for one event. A body that its format's parser refuses never leaves.
    pub fn render(&self, data: &Data) -> Result<Bytes, Unrendered> {
        let mut body = Body { bytes: Vec::with_capacity(512), max: self.limits.output_bytes_max, full: false };
        each::allow_steps(self.limits.steps_max);
        let mut context = RenderContext::new(None);
        let rendered = self.template.render(&self.registry, data.root(), &mut context, &mut body);
        if body.full {
            return Err(Unrendered::TooLarge);
        }
        if each::steps_spent() {
            return Err(Unrendered::TooManySteps);
        }
        rendered.map_err(|_| Unrendered::Failed)?;
        if self.format == Format::Json && serde_json::from_slice::<IgnoredAny>(&body.bytes).is_err() {
            return Err(Unrendered::Malformed);
        }
        Ok(Bytes::from(body.bytes))
    }

    /// The body's format.
    pub fn format(&self) -> Format {
        self.format
    }
}

/// Takes what is rendered, up to a bound.
struct Body {
    bytes: Vec<u8>,
    max: usize,
    full: bool,
}

impl Output for Body {
    fn write(&mut self, text: &str) -> std::io::Result<()> {
        if self.bytes.len() + text.len() > self.max {
            self.full = true;
            return Err(std::io::Error::other("the body is longer than it may be"));
        }
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    struct Tags;

    impl Dictionary for Tags {
        fn tag_path(&self, entity: &str, attribute: &str) -> Option<&str> {
            (entity.eq_ignore_ascii_case("guest") && attribute.eq_ignore_ascii_case("name")).then_some("guest.name")
        }

        fn tags(&self) -> Vec<String> {
            vec!["GUEST:NAME".into()]
        }

        fn paths(&self, _: Option<&EventPattern>) -> Option<Vec<String>> {
            None
        }
    }

    fn data(data: Value) -> Data {
        let Value::Object(data) = data else { unreachable!() };
        Data::with(data, About { event_type: "a", id: "1", time: "2026-01-02T03:04:05Z", account: "acme" })
    }

    fn render(format: Format, body: &str, with: Value) -> Result<String, Unrendered> {
        let checked = compile(format, body, &Tags, None, &Limits::default());
        let compiled = checked.compiled.unwrap_or_else(|| panic!("{body}: {:?}", checked.diagnostics));
        compiled.render(&data(with)).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn code(format: Format, body: &str) -> (&'static str, usize, usize) {
        let checked = compile(format, body, &Tags, None, &Limits::default());
        assert!(checked.compiled.is_none(), "{body} was taken");
        let first = &checked.diagnostics[0];
        (first.code, first.line, first.column)
    }

    #[test]
    fn each_format_has_its_escape_and_one_pass() {
        let nasty = "a\"b\\c\n<&>'é {{x}} *|GUEST:NAME|*\u{1}";
        let nights: Value = serde_json::from_str("7.50").unwrap();
        let with = json!({"guest": {"name": nasty, "nights": nights}});
        let body = render(Format::Json, "{\"n\":\"*|guest:Name|*\",\"k\":{{guest.nights}}}", with.clone()).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((body["n"].as_str(), body["k"].to_string().as_str()), (Some(nasty), "7.50"));
        let body = render(Format::Xml, "<n a='{{guest.name}}'>{{guest.name}}</n>", with.clone()).unwrap();
        let text = "a&quot;b\\c\n&lt;&amp;&gt;&#39;é {{x}} *|GUEST:NAME|*";
        assert_eq!(body, format!("<n a='{text}'>{text}</n>"));
        let body = render(Format::Form, "n={{guest.name}}&k={{guest.nights}}", with.clone()).unwrap();
        let pairs: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        assert_eq!(pairs[0].1, nasty);
        assert_eq!(render(Format::Text, "*|GUEST:NAME|*", with).unwrap(), nasty);
    }

    #[test]
    fn missing_and_null_are_empty_and_objects_are_compact_json() {
        let with = json!({"a": null, "o": {"x": [1, true]}});
        assert_eq!(render(Format::Text, "[{{a}}{{b.c}}{{o}}]", with).unwrap(), "[{\"x\":[1,true]}]");
    }

    #[test]
    fn a_json_body_that_some_data_breaks_never_leaves() {
        assert_eq!(render(Format::Json, "{\"a\":{{a}}}", json!({"a": 1})).unwrap(), "{\"a\":1}");
        assert_eq!(render(Format::Json, "{\"a\":{{a}}}", json!({})), Err(Unrendered::Malformed));
    }

    #[test]
    fn blocks_work() {
        let body = "{{#each list}}{{#unless @first}},{{/unless}}{{@index}}:{{this.n}}{{else}}none{{/each}}";
        let with = json!({"list": [{"n": "a"}, {"n": "b"}]});
        assert_eq!(render(Format::Text, body, with).unwrap(), "0:a,1:b");
        assert_eq!(render(Format::Text, body, json!({})).unwrap(), "none");
        let body = "{{#each o}}{{@key}}={{this}};{{/each}}{{#with o}}{{z}}{{/with}}{{#if o}}y{{else}}n{{/if}}";
        assert_eq!(render(Format::Text, body, json!({"o": {"z": 1, "a": 2}})).unwrap(), "z=1;a=2;1y");
    }

    #[test]
    fn work_and_output_are_bounded() {
        let list: Vec<u32> = (0..2_000).collect();
        let body = "{{#each l}}{{#each ../l}}{{/each}}{{/each}}";
        assert_eq!(render(Format::Text, body, json!({ "l": list })), Err(Unrendered::TooManySteps));
        let long = "x".repeat(40_000);
        let body = "{{a}}".repeat(40);
        assert_eq!(render(Format::Text, &body, json!({ "a": long })), Err(Unrendered::TooLarge));
    }

    #[test]
    fn what_could_hurt_the_engine_is_refused_with_its_place() {
        for (body, expected) in [
            ("{{#*inline \"x\"}}{{> x}}{{/inline}}{{> x}}", ("decorator_refused", 1, 1)),
            ("a\n {{> x}}", ("partial_refused", 2, 2)),
            ("{{{{raw}}}}x{{{{/raw}}}}", ("raw_block_refused", 1, 1)),
            ("{{log a}}", ("unknown_helper", 1, 1)),
            ("{{lookup a b}}", ("unknown_helper", 1, 1)),
            ("{{#frob a}}{{/frob}}", ("unknown_helper", 1, 1)),
            ("{{#if a}}", ("syntax", 1, 1)),
            ("x *|GUEST:NMAE|*", ("unknown_tag", 1, 3)),
            ("*|GUEST:NAME", ("unclosed_tag", 1, 1)),
        ] {
            let found = code(Format::Text, body);
            if expected.0 == "syntax" {
                assert_eq!(found.0, "syntax");
            } else {
                assert_eq!(found, expected, "{body}");
            }
        }
        assert_eq!(code(Format::Json, "\"{{{a}}}\"").0, "unescaped_refused");
        assert_eq!(code(Format::Xml, "<a>{{& a}}</a>").0, "unescaped_refused");
        let deep = |open: &str, close: &str| format!("{}{}", open.repeat(1_200), close.repeat(1_200));
        assert_eq!(code(Format::Text, &deep("{{#if a}}", "{{/if}}")).0, "nested_too_deep");
        assert_eq!(code(Format::Text, &format!("{{{{{}}}}}", deep("(a ", ")"))).0, "nested_too_deep");
        assert_eq!(code(Format::Text, &deep("{{#each a}}", "{{/each}}")).0, "nested_too_deep");
        assert_eq!(code(Format::Text, &"x".repeat(65_537)).0, "body_too_large");
    }
}
