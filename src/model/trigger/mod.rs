//! Triggers: an event pattern, an optional filter, a template and a URL. A [`Trigger`] that exists can be
//! sent: its URL is one, its headers are headers, its secrets can sign. Whether it may be sent is told by
//! [`Trigger::broken_rules`], since a trigger that was saved before a rule became stricter is still read.

mod kept;
mod parts;
mod rules;

use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::json::repeated_members;
use crate::matching::Pattern;
use crate::model::event::EventPattern;
use crate::model::field::{FieldError, Fields};
use crate::model::id::{TemplateId, TriggerId};
use crate::model::secret::Secret;
use crate::model::target::Target;
use crate::model::url::{TriggerUrl, has_expressions};

pub use kept::complete;
pub use parts::header_pointer;
pub use rules::BrokenRule;

/// The longest display name of a trigger or template, in bytes.
pub const DISPLAY_NAME_BYTES_MAX: usize = 256;

/// What a customer set up: when such an event comes, send this there.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The trigger's name in its account.
    pub id: TriggerId,
    /// What people call it.
    pub name: String,
    /// Which events it listens to.
    pub event: EventPattern,
    /// Which of them fire it; `None`: all.
    pub pattern: Option<Arc<Pattern>>,
    /// What is sent.
    pub template: TemplateId,
    /// Where to.
    pub url: Box<TriggerUrl>,
    /// Names and values of headers that are sent with it.
    pub headers: Vec<(String, String)>,
    /// Sign what is sent.
    pub secrets: Vec<Secret>,
    /// How many of its deliveries may begin in a second, on each node that sends; `None`: as many as there are.
    pub rate_per_s: Option<NonZeroU32>,
    /// A disabled trigger is kept, and never fires.
    pub enabled: bool,
}

impl Trigger {
    /// Reads a trigger as the HTTP interface and the store write it.
    pub fn from_json(document: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::new(document, "a trigger")?;
        let id = fields.required_text("id");
        let id = fields.parse("id", "bad_name", id, TriggerId::new);
        let name = display_name(&mut fields);
        let event = fields.required_text("event");
        let event = fields.parse("event", "bad_event_pattern", event, EventPattern::new);
        let pattern = fields.take("where").map(|source| Pattern::new(&source));
        let pattern = match pattern {
            Some(Err(error)) => {
                fields.refuse(format!("/where{}", error.pointer), error.code, error.detail);
                None
            }
            Some(Ok(pattern)) => Some(Arc::new(pattern)),
            None => None,
        };
        let template = fields.required_text("template");
        let template = fields.parse("template", "bad_name", template, TemplateId::new);
        let url = fields.required_text("url");
        let url = fields.parse("url", "bad_url", url, |text| TriggerUrl::new(text).map(Box::new));
        let headers = parts::read_headers(&mut fields);
        let secrets = parts::read_secrets(&mut fields);
        let rate_per_s = parts::read_rate(&mut fields);
        let enabled = fields.flag("enabled").unwrap_or(true);
        let trigger = match (id, event, template, url) {
            (Some(id), Some(event), Some(template), Some(url)) => {
                Some(Self { id, name, event, pattern, template, url, headers, secrets, rate_per_s, enabled })
            }
            _ => None,
        };
        fields.finish(trigger)
    }

    /// The trigger as the HTTP interface shows it: a header's name with `null` for its value, a secret's id
    /// without its key.
    pub fn to_json(&self) -> Value {
        self.document(|_| Value::Null, parts::shown_secrets)
    }

    /// The trigger as the store keeps it: all of it.
    pub fn to_stored_json(&self) -> Value {
        self.document(|value| value.into(), parts::stored_secrets)
    }

    /// `header` makes what stands for a header's value, `secrets` the member that holds the secrets.
    fn document(&self, header: impl Fn(&str) -> Value, secrets: impl Fn(&[Secret]) -> (&'static str, Value)) -> Value {
        let mut members = Map::new();
        members.insert("id".into(), self.id.as_str().into());
        members.insert("name".into(), self.name.as_str().into());
        members.insert("event".into(), self.event.to_string().into());
        if let Some(pattern) = &self.pattern {
            members.insert("where".into(), pattern.source());
        }
        members.insert("template".into(), self.template.as_str().into());
        members.insert("url".into(), self.url.as_written().into());
        if !self.headers.is_empty() {
            let headers = self.headers.iter().map(|(name, value)| (name.clone(), header(value)));
            members.insert("headers".into(), Value::Object(headers.collect()));
        }
        if !self.secrets.is_empty() {
            let (name, list) = secrets(&self.secrets);
            members.insert(name.into(), list);
        }
        if let Some(rate) = self.rate_per_s {
            members.insert("rate_per_s".into(), rate.get().into());
        }
        members.insert("enabled".into(), self.enabled.into());
        Value::Object(members)
    }

    /// Whether its URL or a header depends on the event's data.
    pub fn has_expressions(&self) -> bool {
        self.url.expressions().is_some() || self.headers.iter().any(|(_, value)| has_expressions(value))
    }

    /// What the Dispatcher needs of it, made once and not per delivery.
    pub fn target(&self) -> Target {
        let target = Target::of(TriggerUrl::clone(&self.url), &self.headers, self.secrets.clone());
        let mut target = target.expect("a trigger's headers were read when it was");
        target.rate = self.rate_per_s.map(|per_s| (self.id.clone(), per_s));
        target
    }
}

/// The names that stand twice in an object of a filter: readers of JSON would leave out the first of them in silence.
/// `way` leads to the triggers in the text; `*` stands for any place in a list.
pub fn repeated(text: &[u8], way: &[&str]) -> Vec<FieldError> {
    let repeated = repeated_members(text, &[way, &["where"]].concat()).into_iter();
    let detail = "this name stands twice in its object; join the two conditions, or write an `$or`";
    repeated.map(|pointer| FieldError::new(pointer, "repeated_key", detail)).collect()
}

/// Reads the display name that triggers and templates have in common.
pub fn display_name(fields: &mut Fields) -> String {
    let name = fields.text("name").unwrap_or_default();
    if name.len() > DISPLAY_NAME_BYTES_MAX {
        fields.refuse(
            "/name",
            "too_long",
            format!("`name` has {} bytes; at most {DISPLAY_NAME_BYTES_MAX} are taken", name.len()),
        );
    }
    name
}

#[cfg(test)]
mod tests;
