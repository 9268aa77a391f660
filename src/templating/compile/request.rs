//! Expressions in the URL and the headers of a trigger. No value changes where a delivery goes: the scheme,
//! the host and the port hold no expressions, the path has the same segments whatever the data holds, and
//! there are as many headers as the trigger has.

use std::sync::Arc;

use super::diagnostic::{Diagnostic, Severity};
use super::findings::DiagnosticList;
use super::foreign;
use super::known::KnownPaths;
use super::place::url::segments;
use super::shape::TemplateShape;
use super::{CompileContext, finish, program};
use crate::model::field::FieldError;
use crate::model::headers::{HEADERS_BYTES_MAX, rendered};
use crate::model::target::Target;
use crate::model::trigger::header_pointer;
use crate::model::url::{TriggerUrl, has_expressions};
use crate::templating::limits::TemplateLimits;
use crate::templating::program::Nodes;
use crate::templating::render::data::Data;
use crate::templating::render::run;
use crate::templating::render::stop::RenderFailure;

/// The longest URL that is sent, in bytes: common servers accept 8 kB in a request line.
const SENT_URL_BYTES_MAX: usize = 8_000;

/// The expressions of a trigger's URL and headers.
#[derive(Debug)]
pub struct Expressions {
    url: Option<UrlExpressions>,
    /// The headers with expressions, by their index among the trigger's.
    headers: Vec<(usize, Nodes)>,
    limits: TemplateLimits,
}

#[derive(Debug)]
struct UrlExpressions {
    /// Scheme, host and port, as the author wrote them.
    head: Box<str>,
    path_and_query: Nodes,
    /// For each segment of the path: whether it depends on the data.
    segments: Vec<bool>,
}

/// An error or warning about a trigger's expressions.
#[derive(Debug)]
pub struct RequestFinding {
    /// The header; none for the URL.
    pub header: Option<String>,
    /// The finding. Line and column are those of the URL, or of the header's value.
    pub diagnostic: Diagnostic,
}

/// Why a delivery can't be sent for this data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnsendableReason {
    /// The URL.
    #[error("a segment of the URL's path would be empty, . or ..")]
    Url,
    /// The URL is too long to be sent.
    #[error("the URL would be longer than {SENT_URL_BYTES_MAX} bytes")]
    UrlTooLong,
    /// A header, by its index.
    #[error("the header's value would contain a control character")]
    Header(usize),
    /// All headers together.
    #[error("the headers would be longer than {HEADERS_BYTES_MAX} bytes")]
    HeadersTooLong,
    /// The rendering itself.
    #[error(transparent)]
    Rendering(#[from] RenderFailure),
}

impl Expressions {
    /// Compiles the expressions of a trigger. `None` if it has none, or if one has an error.
    pub fn compile(
        written: &TriggerUrl,
        headers: &[(String, String)],
        setting: &CompileContext<'_>,
        limits: &TemplateLimits,
    ) -> (Option<Self>, Vec<RequestFinding>) {
        let mut found = Vec::new();
        let mut failed = false;
        let mut nodes = |shape, text: &str, header: Option<&str>| {
            let (nodes, diagnostics) = program(shape, text, setting, limits);
            failed |= nodes.is_none();
            found.extend(
                diagnostics
                    .into_iter()
                    .map(|diagnostic| RequestFinding { header: header.map(str::to_owned), diagnostic }),
            );
            nodes
        };
        let mut before = 0;
        let url = written.expressions().and_then(|(head, rest)| {
            before = head.chars().count();
            // The parser and browsers add the slash that a path begins with.
            let rest = if rest.starts_with('/') {
                rest.to_owned()
            } else {
                before -= 1;
                format!("/{rest}")
            };
            let nodes = nodes(TemplateShape::Url, &rest, None)?;
            let segments = segments(&nodes);
            Some(UrlExpressions { head: head.into(), path_and_query: finish::join(nodes), segments })
        });
        let with_expressions = headers.iter().enumerate().filter(|(_, (_, value))| has_expressions(value));
        let headers: Vec<_> = with_expressions
            .filter_map(|(place, (name, value))| Some((place, nodes(TemplateShape::Header, value, Some(name))?)))
            .collect();
        for finding in found.iter_mut().filter(|finding| finding.header.is_none()) {
            finding.diagnostic.column += before;
        }
        found.extend(foreign_marks(written, setting));
        let some = url.is_some() || !headers.is_empty();
        ((some && !failed).then(|| Self { url, headers, limits: limits.clone() }), found)
    }

    /// The target of one delivery.
    pub fn target(&self, target: &Target, data: &Data) -> Result<Arc<Target>, UnsendableReason> {
        let mut steps_left = usize::MAX;
        self.target_within(target, data, &mut steps_left)
    }

    /// The same in `steps_left` steps at most, from which those that it takes are subtracted. If it needs more it fails,
    /// and can be tried again.
    pub fn target_within(
        &self,
        target: &Target,
        data: &Data,
        steps_left: &mut usize,
    ) -> Result<Arc<Target>, UnsendableReason> {
        let mut own = target.clone();
        if let Some(url) = &self.url {
            let url = url.render(data, &self.limits, steps_left)?;
            // Only the path and the query can differ; if anything else did, nothing would be sent.
            if url.destination != target.destination {
                return Err(UnsendableReason::Url);
            }
            (own.url, own.uri, own.host) = (url.as_written().into(), url.uri, url.host);
        }
        for (place, nodes) in &self.headers {
            let value = text(nodes, data, &self.limits, steps_left)?;
            let header = own.headers.get_mut(*place).ok_or(UnsendableReason::Header(*place))?;
            header.1 = rendered(&value).ok_or(UnsendableReason::Header(*place))?;
        }
        let bytes: usize = own.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if !self.headers.is_empty() && bytes > HEADERS_BYTES_MAX {
            return Err(UnsendableReason::HeadersTooLong);
        }
        Ok(Arc::new(own))
    }
}

/// Warnings about marks of other languages in a URL. In one with expressions the scan reports those of bodies.
fn foreign_marks(url: &TriggerUrl, setting: &CompileContext<'_>) -> Vec<RequestFinding> {
    let text = url.as_written();
    let known = KnownPaths::new(setting.dictionary, setting.event, setting.data);
    let mut marks = foreign::marks::find_braces(text, |name| known.named(name).is_some());
    if url.expressions().is_none() {
        marks.extend(foreign::marks::find(text));
        marks.extend(foreign::placeholders::find(text, |name| known.named(name)));
    }
    let mut findings = DiagnosticList::of(text);
    for mark in marks {
        findings.mark(mark.at, mark.length, mark.message);
    }
    let findings = findings.into_list().into_iter();
    findings.map(|diagnostic| RequestFinding { header: None, diagnostic }).collect()
}

impl UrlExpressions {
    fn render(
        &self,
        data: &Data,
        limits: &TemplateLimits,
        steps_left: &mut usize,
    ) -> Result<TriggerUrl, UnsendableReason> {
        let rest = text(&self.path_and_query, data, limits, steps_left)?;
        let path = rest.split('?').next().unwrap_or("");
        let mut segments = path.split('/');
        let stays = |depends: &bool, segment: &str| !depends || !vanishes(segment);
        let all = self.segments.iter().all(|depends| segments.next().is_some_and(|segment| stays(depends, segment)));
        if !all || segments.next().is_some() {
            return Err(UnsendableReason::Url);
        }
        if self.head.len() + rest.len() > SENT_URL_BYTES_MAX {
            return Err(UnsendableReason::UrlTooLong);
        }
        TriggerUrl::new(&format!("{}{rest}", self.head)).map_err(|_| UnsendableReason::Url)
    }
}

/// Whether URL parsers remove a segment, or one before it: it is empty, `.` or `..`, in any notation.
fn vanishes(segment: &str) -> bool {
    let plain = segment.replace("%2e", ".").replace("%2E", ".");
    matches!(plain.as_str(), "" | "." | "..")
}

fn text(
    nodes: &Nodes,
    data: &Data,
    limits: &TemplateLimits,
    steps_left: &mut usize,
) -> Result<String, UnsendableReason> {
    let bytes = run::render(nodes, data, limits, steps_left, finish::bytes_expected(nodes))?;
    Ok(String::from_utf8(bytes).map_err(|_| RenderFailure::Failed)?)
}

impl RequestFinding {
    /// The finding as a mistake in the trigger's document.
    pub fn mistake(&self) -> FieldError {
        let detail = format!("column {}: {}", self.diagnostic.column, self.diagnostic.message);
        match &self.header {
            None => FieldError::new("/url", "bad_url", format!("`url`: {detail}")),
            Some(name) => FieldError::new(header_pointer(name), "bad_header", format!("`{name}`: {detail}")),
        }
    }
}

/// Whether a finding is an error.
pub fn is_error(finding: &RequestFinding) -> bool {
    finding.diagnostic.severity == Severity::Error
}
