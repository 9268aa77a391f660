//! Schemas of the documents that the code reads and writes without a type of their own, so that every mistake in a
//! document can be named. These types only describe. Tests compare them with the node's responses.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

use crate::http::resources::records::finding::Finding;
use crate::model::template::Format;
use crate::templating::Diagnostic;

/// An event of the product.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the Ingester reads events")]
pub(in crate::http) struct EventDocument {
    /// The event type: dot-separated words. Any type is accepted; it need not be in the dictionary.
    #[schema(example = "guest.created")]
    r#type: String,
    /// The account whose triggers it may fire. Default: `default`.
    #[schema(example = "acme")]
    account: Option<String>,
    /// The producer's id of the event. Default: a generated one.
    id: Option<String>,
    /// When it happened (RFC 3339). Default: now.
    #[schema(format = DateTime)]
    time: Option<String>,
    /// The event's data, which filters and templates read.
    #[schema(value_type = Object)]
    data: Value,
}

/// A CloudEvent in structured mode (CloudEvents 1.0, JSON event format).
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the Ingester reads events")]
pub(in crate::http) struct CloudEventDocument {
    /// `1.0`.
    #[schema(example = "1.0")]
    specversion: String,
    /// The event type: dot-separated words. Any type is accepted; it need not be in the dictionary.
    r#type: String,
    /// Where it happened. `source` and `id` together identify the event.
    source: String,
    /// The producer's id of the event.
    id: String,
    /// When it happened (RFC 3339). Default: now.
    #[schema(format = DateTime)]
    time: Option<String>,
    /// The account whose triggers it may fire (an extension attribute). Default: `default`.
    account: Option<String>,
    /// The object within `source` that the event is about.
    subject: Option<String>,
    /// The media type of `data` or `data_base64`, which must be JSON.
    datacontenttype: Option<String>,
    /// The event's data, which filters and templates read.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// The event's data as base64 of JSON text, in place of `data`.
    data_base64: Option<String>,
}

/// A trigger: which events fire it, the template that is rendered, and the URL that it is sent to.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; `Trigger::from_json` reads it")]
pub(in crate::http) struct TriggerDocument {
    /// Its id in the account. With PUT it must be that of the path. With POST the default is a generated one.
    id: Option<String>,
    /// A name for people.
    name: Option<String>,
    /// One event type (`guest.created`), every type that begins with `guest.` (`guest.*`), or every type (`*`).
    #[schema(example = "guest.created")]
    event: String,
    /// A filter on the event's data, in the pattern language of Amazon EventBridge.
    #[schema(value_type = Option<Object>)]
    r#where: Option<Value>,
    /// The id of a template of the same account.
    template: String,
    /// The URL of the receiver. Its path and query may hold template expressions.
    #[schema(example = "https://example.com/hook")]
    url: String,
    /// Headers of the delivery. Values are write-only: a response has `null` in their place. A `null` in a request keeps
    /// the saved value, as long as the destination stays the same.
    headers: Option<BTreeMap<String, Option<String>>>,
    /// `whsec_…`: short for one entry of `secrets` without `until`. Write-only. `null` removes every secret that is not
    /// in `secrets`.
    #[schema(write_only)]
    secret: Option<String>,
    /// Each secret signs the deliveries until it ends. Without this member, the saved secrets are kept.
    secrets: Option<Vec<SecretDocument>>,
    /// The most deliveries that each node starts in a second. More wait in their queue.
    #[schema(minimum = 1, example = 50)]
    rate_per_s: Option<u32>,
    /// A disabled trigger never fires. Default: `true`.
    enabled: Option<bool>,
    /// In the response to a write: reasons why the trigger may never fire, and values in its template that such events
    /// are not known to have.
    #[schema(read_only)]
    warnings: Option<Vec<Finding>>,
}

/// A trigger to check. The response to a GET may be sent as it is.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; `Trigger::from_json` reads it")]
pub(in crate::http) struct TriggerQuestion {
    /// The trigger.
    #[serde(flatten)]
    trigger: TriggerDocument,
    /// The data of an event. Default: the dictionary's examples.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
}

/// A signing secret of a trigger.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; `Trigger::from_json` reads it")]
pub(in crate::http) struct SecretDocument {
    /// Its id. An entry with `id` and without `key` keeps the saved key.
    #[schema(example = "sec_95d9d81740f8f052")]
    id: Option<String>,
    /// `whsec_` and the base64 of 24 to 64 random bytes. Write-only.
    #[schema(write_only)]
    key: Option<String>,
    /// When it ends (RFC 3339). Default: never.
    #[schema(format = DateTime, example = "2030-01-31T12:00:00Z")]
    until: Option<String>,
}

/// A template: a body with expressions for values of the event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; `Template::from_json` reads it")]
pub(in crate::http) struct TemplateDocument {
    /// Its id in the account. With PUT it must be that of the path. With POST the default is a generated one.
    id: Option<String>,
    /// A name for people.
    name: Option<String>,
    /// The format of the body.
    format: Format,
    /// The body. It is saved byte for byte.
    #[schema(example = "{\"guest\": \"*|GUEST:NAME|*\"}")]
    body: String,
    /// The `content-type` of deliveries. Default: that of the format.
    content_type: Option<String>,
    /// In the response to a write: likely mistakes.
    #[schema(read_only)]
    warnings: Option<Vec<Diagnostic>>,
}

/// A page of triggers.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(in crate::http) struct TriggerList {
    /// The triggers, in the order of their ids.
    items: Vec<TriggerDocument>,
    /// Ids on this page whose stored record can't be read. Present where there are any.
    unreadable: Option<Vec<String>>,
    /// Present where there are more: send it as `cursor` to get the next page.
    cursor: Option<String>,
}

/// A page of templates.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(in crate::http) struct TemplateList {
    /// The templates, in the order of their ids.
    items: Vec<TemplateDocument>,
    /// Ids on this page whose stored record can't be read. Present where there are any.
    unreadable: Option<Vec<String>>,
    /// Present where there are more: send it as `cursor` to get the next page.
    cursor: Option<String>,
}

/// A key to create.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; `KeyScope::read` reads it")]
pub(in crate::http) struct NewKey {
    /// A name for people.
    name: Option<String>,
    /// `operator` may do everything, `producer` posts events, `account` manages one account.
    scope: String,
    /// The account. Required with the scope `account`. With `producer` it limits the key to events of that account.
    account: Option<String>,
}

/// What is known of a key, without its text.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; `Key::to_json` writes it")]
pub(in crate::http) struct KeyDocument {
    /// Its id.
    id: String,
    /// A name for people.
    name: String,
    /// `operator`, `producer` or `account`.
    scope: String,
    /// The account that it is limited to.
    account: Option<String>,
    /// When it was created (RFC 3339).
    created: String,
}

/// A new key. This response is the only one that shows its text.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(in crate::http) struct ShownKey {
    /// The key, without its text.
    #[serde(flatten)]
    described: KeyDocument,
    /// The key's text, for `Authorization: Bearer …`.
    key: String,
}

/// A page of keys.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(in crate::http) struct KeyList {
    /// The keys, in the order of their ids.
    items: Vec<KeyDocument>,
    /// Ids on this page whose stored record can't be read. Present where there are any.
    unreadable: Option<Vec<String>>,
    /// Present where there are more: send it as `cursor` to get the next page.
    cursor: Option<String>,
}

/// A template to check.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; `template_check` reads it")]
pub(in crate::http) struct TemplateQuestion {
    /// The template.
    #[serde(flatten)]
    template: TemplateDocument,
    /// The event types that it is for. A path that their data is not known to have is a warning.
    event: Option<String>,
    /// The data of an event for the preview. Default: the dictionary's examples.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
}
