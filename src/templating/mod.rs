//! stub
use crate::event::{Event, EventPattern};
use crate::template::Format;
use bytes::Bytes;
use handlebars::{Context, Handlebars, RenderContext, Renderable as _, Template as Hbs};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use utoipa::ToSchema;

/// Limits.
#[derive(Debug, Clone)]
pub struct Limits {
    pub body_bytes_max: usize,
    pub nesting_max: usize,
    pub each_depth_max: usize,
    pub steps_max: usize,
    pub output_bytes_max: usize,
}
impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes_max: 65536, nesting_max: 32, each_depth_max: 4, steps_max: 100000, output_bytes_max: 1 << 20 }
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Diagnostic {
    pub severity: Severity,
    pub code: &'static str,
    pub line: usize,
    pub column: usize,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}
pub trait Dictionary: Send + Sync {
    fn tag_path(&self, entity: &str, attribute: &str) -> Option<&str>;
    fn tags(&self) -> Vec<String>;
    fn paths(&self, event: Option<&EventPattern>) -> Option<Vec<String>>;
}
#[derive(Debug)]
pub struct Compiled {
    template: Hbs,
    registry: Handlebars<'static>,
    format: Format,
}
pub struct Checked {
    pub compiled: Option<Compiled>,
    pub diagnostics: Vec<Diagnostic>,
}
pub fn compile(
    format: Format,
    body: &str,
    dictionary: &dyn Dictionary,
    _event: Option<&EventPattern>,
    _limits: &Limits,
) -> Checked {
    let mut out = String::new();
    let mut rest = body;
    while let Some(at) = rest.find("*|") {
        out.push_str(&rest[..at]);
        let Some(end) = rest[at..].find("|*") else { break };
        let (e, a) = rest[at + 2..at + end].split_once(':').unwrap_or(("", ""));
        match dictionary.tag_path(e, a) {
            Some(p) => {
                let _ = write!(out, "{{{{{p}}}}}");
            }
            None => {
                return Checked {
                    compiled: None,
                    diagnostics: vec![Diagnostic {
                        severity: Severity::Error,
                        code: "unknown_tag",
                        line: 1,
                        column: 1,
                        message: "x".into(),
                        suggestion: None,
                    }],
                };
            }
        }
        rest = &rest[at + end + 2..];
    }
    out.push_str(rest);
    match Hbs::compile(&out) {
        Ok(template) => {
            let mut registry = Handlebars::new();
            registry.register_escape_fn(match format {
                Format::Json => |s: &str| {
                    let q = serde_json::to_string(s).unwrap_or_default();
                    q[1..q.len() - 1].to_owned()
                },
                Format::Xml => |s: &str| handlebars::html_escape(s),
                Format::Form => |s: &str| url::form_urlencoded::byte_serialize(s.as_bytes()).collect(),
                Format::Text => |s: &str| s.to_owned(),
            });
            Checked { compiled: Some(Compiled { template, registry, format }), diagnostics: vec![] }
        }
        Err(e) => Checked {
            compiled: None,
            diagnostics: vec![Diagnostic {
                severity: Severity::Error,
                code: "syntax",
                line: 1,
                column: 1,
                message: e.to_string(),
                suggestion: None,
            }],
        },
    }
}
#[derive(Debug)]
pub struct Data(Context);
impl Data {
    pub fn of(event: Event) -> Self {
        Self::of_parts(event.data, Some((event.event_type.as_str(), &event.id, &event.time, event.account.as_str())))
    }
    pub fn of_parts(data: Map<String, Value>, _m: Option<(&str, &str, &str, &str)>) -> Self {
        Self(Context::from(Value::Object(data)))
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrendered {
    TooLarge,
    TooManySteps,
    Malformed,
    Failed,
}
impl Compiled {
    pub fn render(&self, data: &Data) -> Result<Bytes, Unrendered> {
        struct O(Vec<u8>);
        impl handlebars::Output for O {
            fn write(&mut self, s: &str) -> std::io::Result<()> {
                self.0.extend_from_slice(s.as_bytes());
                Ok(())
            }
        }
        let mut out = O(Vec::with_capacity(512));
        let mut rc = RenderContext::new(None);
        self.template.render(&self.registry, &data.0, &mut rc, &mut out).map_err(|_| Unrendered::Failed)?;
        if self.format == Format::Json {
            serde_json::from_slice::<serde::de::IgnoredAny>(&out.0).map_err(|_| Unrendered::Malformed)?;
        }
        Ok(out.0.into())
    }
}

impl std::fmt::Display for Unrendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("x")
    }
}
