//! What documents look like where no type of the code says it: they are read and written by hand, so
//! that every mistake of a stranger's can be named. These types only describe; the tests hold them
//! against what the node answers.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

use crate::http::finding::Finding;
use crate::model::template::Format;
use crate::templating::Diagnostic;

/// An event: something that happened.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is the Ingester's")]
pub(in crate::http) struct EventDocument {
    /// What kind of thing: dot-separated words, an open set.
    #[schema(example = "guest.created")]
    r#type: String,
    /// Whose triggers it may fire; `default` where it is left out.
    #[schema(example = "acme")]
    account: Option<String>,
    /// The producer's id for it; made where it is left out.
    id: Option<String>,
    /// When, RFC 3339; now where it is left out.
    #[schema(format = DateTime)]
    time: Option<String>,
    /// What is known of it: what filters and templates read.
    #[schema(value_type = Object)]
    data: Value,
}

/// A CloudEvent in structured mode (CloudEvents 1.0, JSON event format).
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is the Ingester's")]
pub(in crate::http) struct CloudEventDocument {
    /// `1.0`.
    #[schema(example = "1.0")]
    specversion: String,
    /// What kind of thing: dot-separated words, an open set.
    r#type: String,
    /// Where it happened; with `id` it tells the event apart.
    source: String,
    /// The producer's id for it.
    id: String,
    /// When, RFC 3339; now where it is left out.
    #[schema(format = DateTime)]
    time: Option<String>,
    /// An extension attribute: whose triggers it may fire.
    account: Option<String>,
    /// What it is about, in its source.
    subject: Option<String>,
    /// Of `data` and `data_base64`; JSON.
    datacontenttype: Option<String>,
    /// What is known of it.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// The same as base64 of JSON text.
    data_base64: Option<String>,
}

/// A trigger: when such an event comes, send this there.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is `Trigger::from_json`")]
pub(in crate::http) struct TriggerDocument {
    /// Its name in the account; the path's in a PUT, made in a POST without one.
    id: Option<String>,
    /// What people call it.
    name: Option<String>,
    /// One type (`guest.created`), all below a word (`guest.*`), or all (`*`).
    #[schema(example = "guest.created")]
    event: String,
    /// A filter in the pattern language of Amazon EventBridge, over the event's data.
    #[schema(value_type = Option<Object>)]
    r#where: Option<Value>,
    /// The id of a template of the same account.
    template: String,
    /// Where to.
    #[schema(example = "https://example.com/hook")]
    url: String,
    /// Headers to send. Values are written and never read: a response has `null` in their place, and sent back
    /// it keeps the value that is saved, as long as the destination stays the same.
    headers: Option<BTreeMap<String, Option<String>>>,
    /// `whsec_…`; short for one entry of `secrets` without an end. Written, never read; `null` takes all
    /// secrets away that are not sent.
    #[schema(write_only)]
    secret: Option<String>,
    /// Each signs what is sent until it ends. Left out, those that are saved stay.
    secrets: Option<Vec<SecretDocument>>,
    /// Deliveries that may begin in a second, on each node that sends; more wait in their queue.
    #[schema(minimum = 1, example = 50)]
    rate_per_s: Option<u32>,
    /// A disabled trigger never fires. True where it is left out.
    enabled: Option<bool>,
    /// In the answer to a write: why it may never fire, and where its template names what such events are not known to
    /// carry.
    #[schema(read_only)]
    warnings: Option<Vec<Finding>>,
}

/// A trigger to check; what a GET answers may be sent as it is.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is `Trigger::from_json`")]
pub(in crate::http) struct TriggerQuestion {
    /// The trigger.
    #[serde(flatten)]
    trigger: TriggerDocument,
    /// The data of an event; the dictionary's examples where they are left out.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
}

/// A signing secret of a trigger.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is `Trigger::from_json`")]
pub(in crate::http) struct SecretDocument {
    /// Its name. Sent without `key` it keeps the key that is saved.
    #[schema(example = "sec_95d9d81740f8f052")]
    id: Option<String>,
    /// `whsec_` and the base64 of 24 to 64 random bytes. Written, never read.
    #[schema(write_only)]
    key: Option<String>,
    /// When it ends, RFC 3339; left out: never.
    #[schema(format = DateTime, example = "2030-01-31T12:00:00Z")]
    until: Option<String>,
}

/// A template: a body with places for values.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is `Template::from_json`")]
pub(in crate::http) struct TemplateDocument {
    /// Its name in the account; the path's in a PUT, made in a POST without one.
    id: Option<String>,
    /// What people call it.
    name: Option<String>,
    /// The body's shape.
    format: Format,
    /// The body, kept to the byte.
    #[schema(example = "{\"guest\": \"*|GUEST:NAME|*\"}")]
    body: String,
    /// What is sent as `content-type` in place of the format's.
    content_type: Option<String>,
    /// In the answer to a write: what is worth a look.
    #[schema(read_only)]
    warnings: Option<Vec<Diagnostic>>,
}

/// A page of triggers.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(in crate::http) struct TriggerList {
    /// In the order of their ids.
    items: Vec<TriggerDocument>,
    /// Where there are more: what to ask for them with.
    cursor: Option<String>,
}

/// A page of templates.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(in crate::http) struct TemplateList {
    /// In the order of their ids.
    items: Vec<TemplateDocument>,
    /// Where there are more: what to ask for them with.
    cursor: Option<String>,
}

/// A key to make.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is `Scope::read`")]
pub(in crate::http) struct NewKey {
    /// What people call it.
    name: Option<String>,
    /// `operator`, `producer` or `account`.
    scope: String,
    /// Of which account: required for `account`, and narrows `producer`.
    account: Option<String>,
}

/// A key, without the key itself.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the writing is `Key::to_json`")]
pub(in crate::http) struct KeyDocument {
    /// Its public name.
    id: String,
    /// What people call it.
    name: String,
    /// What it opens.
    scope: String,
    /// Of which account.
    account: Option<String>,
    /// When it was made, RFC 3339.
    created: String,
}

/// A new key; the only time that it is shown.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(in crate::http) struct ShownKey {
    /// The key without its text.
    #[serde(flatten)]
    described: KeyDocument,
    /// The key: `Authorization: Bearer …`.
    key: String,
}

/// A page of keys.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(in crate::http) struct KeyList {
    /// In the order of their ids.
    items: Vec<KeyDocument>,
    /// Where there are more: what to ask for them with.
    cursor: Option<String>,
}

/// A template to check.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is in `template_check`")]
pub(in crate::http) struct TemplateQuestion {
    /// The template.
    #[serde(flatten)]
    template: TemplateDocument,
    /// The events it is for; paths they don't carry are pointed out.
    event: Option<String>,
    /// Data for the preview; the dictionary's examples where it is left out.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
}
