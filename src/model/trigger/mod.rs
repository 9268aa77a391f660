//! Triggers: an event pattern, an optional filter, a template and a URL. A [`Trigger`] that exists has a valid URL,
//! valid headers and valid secrets. [`Trigger::broken_rules`] decides whether it may be sent, since a trigger that was
//! saved before a rule became stricter can still be read.

mod kept;
mod parts;
mod rules;

use std::num::NonZeroU32;

use serde_json::{Map, Value};

use crate::json::repeated_members;
use crate::matching::Pattern;
use crate::model::event::EventPattern;
use crate::model::field::{FieldError, Fields};
use crate::model::id::{TemplateId, TriggerId, UNREADABLE};
use crate::model::secret::Secret;
use crate::model::target::Target;
use crate::model::url::{TriggerUrl, has_expressions};

pub use kept::complete;
pub use parts::header_pointer;
pub use rules::BrokenRule;

/// The longest display name of a trigger or template, in bytes.
pub const DISPLAY_NAME_BYTES_MAX: usize = 256;

/// What a customer set up: for such events, send this there.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The trigger's name in its account.
    pub id: TriggerId,
    /// What people call it.
    pub name: String,
    /// The events that it listens to.
    pub event: EventPattern,
    /// The filter that they must pass; `None`: all pass.
    pub pattern: Option<Pattern>,
    /// What is sent.
    pub template: TemplateId,
    /// Where it is sent.
    pub url: Box<TriggerUrl>,
    /// Names and values of headers that are sent with it.
    pub headers: Vec<(String, String)>,
    /// They sign what is sent.
    pub secrets: Vec<Secret>,
    /// How many of its deliveries may begin per second, on each node that sends; `None`: no limit.
    pub rate_per_s: Option<NonZeroU32>,
    /// A disabled trigger is stored and never fires.
    pub enabled: bool,
}

impl Trigger {
    /// Reads a trigger as the HTTP interface and the store write it.
    pub fn from_json(document: Value) -> Result<Self, Vec<FieldError>> {
        let (trigger, errors) = Self::examine(document);
        trigger.filter(|_| errors.is_empty()).ok_or(errors)
    }

    /// The same for a caller that continues after a mistake: a harmless value replaces each invalid one. `None` only if
    /// the document is not an object.
    pub fn examine(document: Value) -> (Option<Self>, Vec<FieldError>) {
        let mut fields = match Fields::new(document, "a trigger") {
            Ok(fields) => fields,
            Err(errors) => return (None, errors),
        };
        let id = fields.required_text("id");
        let id = fields.parse("id", "bad_name", id, TriggerId::new);
        let name = display_name(&mut fields);
        let event = fields.required_text("event");
        let event = fields.parse("event", "bad_event_pattern", event, EventPattern::new);
        let pattern = parts::read_filter(&mut fields);
        let template = fields.required_text("template");
        let template = fields.parse("template", "bad_name", template, TemplateId::new);
        let url = fields.required_text("url");
        let url = fields.parse("url", "bad_url", url, TriggerUrl::new);
        let trigger = Self {
            id: id.unwrap_or_else(|| TriggerId::new(UNREADABLE).expect("this can be a name")),
            name,
            event: event.unwrap_or(EventPattern::Any),
            pattern,
            template: template.unwrap_or_else(|| TemplateId::new(UNREADABLE).expect("this can be a name")),
            url: Box::new(url.unwrap_or_else(TriggerUrl::placeholder)),
            headers: parts::read_headers(&mut fields),
            secrets: parts::read_secrets(&mut fields),
            rate_per_s: parts::read_rate(&mut fields),
            enabled: fields.flag("enabled").unwrap_or(true),
        };
        (Some(trigger), fields.end())
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

    /// `header` returns what is written for a header's value, `secrets` the member with the secrets.
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

    /// What the Dispatcher needs of it; computed once and not per delivery.
    pub fn target(&self) -> Target {
        let target = Target::of(TriggerUrl::clone(&self.url), &self.headers, self.secrets.clone());
        let mut target = target.expect("a trigger's headers were read when it was");
        target.rate = self.rate_per_s.map(|per_s| (self.id.clone(), per_s));
        target
    }
}

/// The names that occur twice in an object of a filter. JSON readers would silently ignore the first of them.
pub fn repeated(text: &[u8]) -> Vec<FieldError> {
    let repeated = repeated_members(text, &["where"]).into_iter();
    let detail = "this name is repeated in its object; combine the two conditions, or write an `$or`";
    repeated.map(|pointer| FieldError::new(pointer, "repeated_key", detail)).collect()
}

/// Reads the display name that triggers and templates have in common.
pub fn display_name(fields: &mut Fields) -> String {
    let name = fields.text("name").unwrap_or_default();
    if name.len() > DISPLAY_NAME_BYTES_MAX {
        fields.refuse(
            "/name",
            "too_long",
            format!("`name` has {} bytes; at most {DISPLAY_NAME_BYTES_MAX} are accepted", name.len()),
        );
    }
    name
}

#[cfg(test)]
mod tests;
