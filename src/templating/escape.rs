//! How a value's text is written into a body of each format. Knows nothing of places: a value in a
//! JSON string is escaped as one, and one beside it has to be a number.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use handlebars::{Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext};
use serde_json::Value;

use super::each::Each;
use crate::template::Format;

static REGISTRIES: LazyLock<[Arc<Handlebars<'static>>; 4]> = LazyLock::new(|| Format::ALL.map(make));

/// The format's registry: its escape, and the bounded `each`. It holds no template, so no template
/// can name another.
pub(super) fn registry(format: Format) -> Arc<Handlebars<'static>> {
    Arc::clone(&REGISTRIES[format as usize])
}

fn make(format: Format) -> Arc<Handlebars<'static>> {
    let mut registry = Handlebars::new();
    let escape = match format {
        Format::Json => json,
        Format::Xml => xml,
        Format::Form => form,
        Format::Text => str::to_owned,
    };
    registry.register_helper(WRITE, Box::new(Write { escape }));
    registry.register_helper("each", Box::new(Each));
    Arc::new(registry)
}

/// The name of the helper that writes values. No author can call it: it is no Handlebars name.
pub(super) const WRITE: &str = "write value";

/// Writes a value as the product says: handlebars' own writing knows no JSON.
struct Write {
    escape: fn(&str) -> String,
}

impl HelperDef for Write {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        match helper.param(0).map(handlebars::PathAndJson::value) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => out.write(&(self.escape)(text))?,
            // A number's and a boolean's text needs no escape in any format but for a form's plus.
            Some(other) => out.write(&(self.escape)(&other.to_string()))?,
        }
        Ok(())
    }
}

fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\0'..='\u{1f}' => {
                let written = write!(escaped, "\\u{:04x}", u32::from(character));
                written.expect("a String takes every write");
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Characters that XML 1.0 forbids are left out; a carriage return is written so that it survives.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' | '\n' => escaped.push(character),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            _ => escaped.push(character),
        }
    }
    escaped
}

fn form(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
