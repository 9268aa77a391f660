//! Warnings about a well-formed template that probably does not send what its author means. It checks each value in its
//! context, and refuses nothing.

use super::findings::DiagnosticList;
use super::origin::Origins;
use crate::model::media_type::MediaType;
use crate::model::template::Format;
use crate::templating::program::{EscapeContext, Expression, HelperCall, Nodes, TemplateNode, ValueNode};
use crate::templating::render::helpers::{self, ResultKind};

/// Warns of values that are probably mistakes.
pub(crate) fn warn(
    nodes: &Nodes,
    format: Format,
    content_type: Option<&str>,
    origins: &Origins<'_>,
    findings: &mut DiagnosticList<'_>,
) {
    each_write(nodes, &mut |write, _| number_as_text(write, findings));
    match format {
        Format::Form => by_hand(nodes, "\"", origins, findings),
        Format::Json => by_hand(nodes, "\\\"", origins, findings),
        Format::Text => each_write(nodes, &mut |write, quoted| unescaped(write, quoted, content_type, findings)),
        Format::Xml => {}
    }
}

/// JSON written by hand in a plain text: a value between its quotes is not escaped.
fn by_hand(nodes: &Nodes, quote: &str, origins: &Origins<'_>, findings: &mut DiagnosticList<'_>) {
    for three in nodes.windows(3) {
        let [TemplateNode::Text(before), TemplateNode::Write(write), TemplateNode::Text(after)] = three else {
            continue;
        };
        let begins = |text: &str| {
            let before_quote = text.strip_suffix(quote).map(str::trim_end);
            // In a string of JSON, `="` begins an attribute of HTML.
            let is_field = |text: &str| quote == "\"" && text.ends_with('=');
            before_quote.is_some_and(|text| text.ends_with([':', ',', '[', '{']) || is_field(text))
        };
        let in_json = write.context != EscapeContext::JsonString || before.content.contains(quote);
        if in_json
            && begins(&before.content)
            && after.content.starts_with(quote)
            && write.context != (EscapeContext::JsonValue { depth: 0 })
        {
            let at = origins.offset(before.id, before.content.len() - quote.len());
            findings.warning("json_by_hand", at, format!("This is JSON inside of text: a quote or line break in the value would break it. Write {{{{json x}}}} in place of {quote}{{{{x}}}}{quote}."));
        }
    }
    for node in nodes {
        for inner in node.inner() {
            by_hand(inner, quote, origins, findings);
        }
    }
}

/// A value in a `text` template that is sent in another format, and not escaped for it. `quoted`: the author wrote quotes
/// around it.
fn unescaped(write: &ValueNode, quoted: bool, content_type: Option<&str>, findings: &mut DiagnosticList<'_>) {
    let media_type = content_type.and_then(MediaType::parse).map(|media_type| media_type.essence());
    let (helper, gives) = match media_type.as_deref() {
        Some("text/html") => ("html", Some(ResultKind::Html)),
        Some("text/csv") => ("csv", Some(ResultKind::Csv)),
        Some("application/x-www-form-urlencoded") => ("url_encode", None),
        // A value per line, which the format json does not have.
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/json-seq") => {
            ("json", None)
        }
        _ => return,
    };
    let safe = match &write.value {
        Expression::Call(call) => {
            let own = helpers::get(call.helper);
            own.name == helper
                || Some(own.gives) == gives
                || matches!(own.gives, ResultKind::Number | ResultKind::Boolean)
                || is_plain(call)
        }
        Expression::Local(_) | Expression::Literal(_) => true,
        Expression::Path(_) => false,
    };
    let quoted = quoted && helper == "csv";
    if quoted && is_call_of(&write.value, helper) {
        let message = "csv writes the quotes itself: write {{csv x}} in place of \"{{csv x}}\".";
        findings.warning("value_unescaped", write.at, message);
    } else if !safe {
        let instead = if quoted { " in place of \"{{x}}\"" } else { "" };
        let message = format!(
            "This body is sent as {}, and the value is not escaped for it. Write {{{{{helper} x}}}}{instead}.",
            media_type.unwrap_or_default()
        );
        findings.warning("value_unescaped", write.at, message);
    }
}

fn is_call_of(value: &Expression, helper: &str) -> bool {
    matches!(value, Expression::Call(call) if helpers::get(call.helper).name == helper)
}

/// Whether a call writes nothing that HTML or CSV would have to escape, by its constants: a date in a plain pattern, a
/// number without grouped thousands.
fn is_plain(call: &HelperCall) -> bool {
    let is_plain = |text: &str| !text.contains([',', ';', '"', '\'', '<', '>', '&', '\t', '\r', '\n']);
    match helpers::get(call.helper).name {
        "date" => call.constant(1).is_none_or(is_plain),
        "number" => {
            let point = call.option("point").is_none() || call.constant_option("point").is_some_and(is_plain);
            call.option("locale").is_none() && call.constant_option("group").is_some_and(is_plain) && point
        }
        _ => false,
    }
}

/// Looks at each value, and whether the author wrote quotes around it.
fn each_write(nodes: &Nodes, look: &mut impl FnMut(&ValueNode, bool)) {
    for (i, node) in nodes.iter().enumerate() {
        if let TemplateNode::Write(write) = node {
            let (before, after) = (content(nodes[..i].last()), content(nodes.get(i + 1)));
            look(write, before.ends_with('"') && after.starts_with('"'));
        }
        for inner in node.inner() {
            each_write(inner, look);
        }
    }
}

/// The characters of a text; empty for other nodes.
fn content(node: Option<&TemplateNode>) -> &str {
    match node {
        Some(TemplateNode::Text(text)) => &text.content,
        _ => "",
    }
}

/// As a JSON value, `number`, `money` and a date in seconds write a text in quotes.
fn number_as_text(write: &ValueNode, findings: &mut DiagnosticList<'_>) {
    let (EscapeContext::JsonValue { .. }, Expression::Call(call)) = (write.context, &write.value) else { return };
    let helper = helpers::get(call.helper);
    let instead = match helper.gives {
        ResultKind::Figures => "{{to_number x}} or {{round x 2}}",
        _ if is_seconds(call) => "{{unix x}}",
        _ => return,
    };
    let message = format!(
        "{} writes text here, in quotes. For a JSON number write {instead}; if text is meant, put the expression in quotes.",
        helper.name
    );
    findings.warning("number_as_text", write.at, message);
}

fn is_seconds(call: &HelperCall) -> bool {
    helpers::get(call.helper).name == "date" && call.constant(1) == Some("%s")
}
