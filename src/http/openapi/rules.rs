//! What the readers of documents require of a member beyond its type, as JSON Schema: patterns, lengths and bounds, each
//! from the code that reads the member. Lengths in the code are bytes, which characters beyond ASCII reach sooner.

use serde_json::{Value, json};

use super::terms::{event_pattern_schema, event_type_schema, name_schema, or_null};
use crate::http::request::paging::{LIMIT_MAX, cursor_schema};
use crate::http::resources::records::secret_rotate::GRACE_S_MAX;
use crate::model::event::EVENT_ID_BYTES_MAX;
use crate::model::headers::{HEADER_NAME_PATTERN, HEADER_VALUE_PATTERN, HEADERS_BYTES_MAX, HEADERS_MAX};
use crate::model::key::KeyScope;
use crate::model::media_type::MEDIA_TYPE_PATTERN;
use crate::model::secret::{SECRET_ID_PATTERN, SECRET_PATTERN, SECRETS_MAX};
use crate::model::template::{CONTENT_TYPE_BYTES_MAX, Format};
use crate::model::trigger::DISPLAY_NAME_BYTES_MAX;
use crate::model::url::{URL_BYTES_MAX, URL_PATTERN};

/// Documents whose readers refuse a member that they do not know.
const CLOSED: [&str; 10] = [
    "EventDocument",
    "TriggerDocument",
    "TriggerQuestion",
    "SecretDocument",
    "TemplateDocument",
    "TemplateQuestion",
    "NewKey",
    "ExplainQuestion",
    "RotationDocument",
    "Preset",
];

/// Adds the rules to the schemas of the document.
pub(super) fn apply(schemas: &mut Value) {
    for name in CLOSED {
        lay(schemas, &format!("/{name}"), json!({"additionalProperties": false}));
    }
    for rules in [events(), records(), keys(), questions()] {
        for (name, properties) in rules {
            for (property, rule) in properties {
                lay(schemas, &format!("/{name}/properties/{property}"), rule);
            }
        }
    }
    // Attributes of an extension are members of their own. Each mode of `data` excludes the other.
    let extension = json!({"type": ["string", "number", "boolean", "null"]});
    lay(
        schemas,
        "/CloudEventDocument",
        json!({
            "additionalProperties": extension,
            "not": {"required": ["data", "data_base64"], "properties": {"data_base64": {"type": "string"}}},
        }),
    );
    // An operator's key belongs to no account, an account's to one.
    let with =
        |scope: &str, account: Value| json!({"if": {"properties": {"scope": {"const": scope}}}, "then": account});
    lay(
        schemas,
        "/NewKey",
        json!({"allOf": [
            with("operator", json!({"properties": {"account": {"type": "null"}}})),
            with("account", json!({"required": ["account"], "properties": {"account": {"type": "string"}}})),
        ]}),
    );
    let both = json!({"required": ["secret", "secrets"], "properties": {
        "secret": {"type": "string"}, "secrets": {"type": "array"}}});
    for name in ["TriggerDocument", "TriggerQuestion"] {
        lay(schemas, &format!("/{name}"), json!({"not": both}));
    }
}

/// A schema's name, and rules for its properties.
type Rules = Vec<(&'static str, Vec<(&'static str, Value)>)>;

fn events() -> Rules {
    let id = json!({"minLength": 1, "maxLength": EVENT_ID_BYTES_MAX});
    let cloud = vec![
        ("specversion", json!({"const": "1.0"})),
        ("type", event_type_schema()),
        ("source", json!({"minLength": 1})),
        ("id", id.clone()),
        ("account", name_schema_or_null()),
        // A CloudEvent without data has no such member.
        ("data", json!({"type": "object"})),
        ("data_base64", json!({"contentEncoding": "base64"})),
    ];
    let own = vec![("type", event_type_schema()), ("account", name_schema_or_null()), ("id", id)];
    vec![("EventDocument", own), ("CloudEventDocument", cloud)]
}

fn records() -> Rules {
    let secret = or_null(json!({"pattern": SECRET_PATTERN}));
    let trigger = vec![
        ("id", name_schema_or_null()),
        ("name", display_name()),
        ("event", event_pattern_schema()),
        ("template", name_schema()),
        ("url", json!({"pattern": URL_PATTERN, "maxLength": URL_BYTES_MAX})),
        ("headers", headers()),
        ("secret", secret.clone()),
        ("secrets", json!({"maxItems": SECRETS_MAX})),
        ("rate_per_s", json!({"format": "int64", "maximum": u32::MAX})),
        read_only(),
    ];
    let secret = vec![("id", or_null(json!({"pattern": SECRET_ID_PATTERN}))), ("key", secret)];
    let content_type = or_null(json!({"pattern": MEDIA_TYPE_PATTERN, "maxLength": CONTENT_TYPE_BYTES_MAX}));
    let (id, name) = (("id", name_schema_or_null()), ("name", display_name()));
    let template = vec![id, name, ("content_type", content_type), read_only()];
    let check = template.iter().cloned().chain([("event", or_null(event_pattern_schema()))]).collect();
    let formats: Vec<&str> = Format::ALL.into_iter().map(Format::as_str).collect();
    vec![
        ("TriggerDocument", trigger.clone()),
        ("TriggerQuestion", trigger),
        ("SecretDocument", secret),
        ("TemplateDocument", template),
        ("TemplateQuestion", check),
        ("Preset", vec![("format", json!({"enum": formats}))]),
    ]
}

/// Members of the response to a write. They are ignored if they are sent back.
fn read_only() -> (&'static str, Value) {
    ("warnings", json!({"readOnly": true}))
}

fn keys() -> Rules {
    let scope = || ("scope", json!({"enum": KeyScope::WORDS}));
    let new = vec![scope(), ("name", display_name()), ("account", name_schema_or_null())];
    vec![("NewKey", new), ("KeyDocument", vec![scope()]), ("ShownKey", vec![scope()]), ("Whoami", vec![scope()])]
}

fn questions() -> Rules {
    let explain = vec![
        ("type", event_type_schema()),
        ("triggers", json!({"items": name_schema(), "maxItems": LIMIT_MAX})),
        ("limit", json!({"minimum": 1, "maximum": LIMIT_MAX})),
        ("cursor", or_null(cursor_schema())),
    ];
    vec![("ExplainQuestion", explain), ("RotationDocument", vec![("grace_s", json!({"maximum": GRACE_S_MAX}))])]
}

fn headers() -> Value {
    json!({
        "maxProperties": HEADERS_MAX,
        "propertyNames": {"pattern": HEADER_NAME_PATTERN},
        "additionalProperties": {"pattern": HEADER_VALUE_PATTERN, "maxLength": HEADERS_BYTES_MAX - 1},
    })
}

fn display_name() -> Value {
    json!({"maxLength": DISPLAY_NAME_BYTES_MAX})
}

fn name_schema_or_null() -> Value {
    or_null(name_schema())
}

/// Lays a rule over a part of a schema.
fn lay(schemas: &mut Value, pointer: &str, rule: Value) {
    let part = schemas.pointer_mut(pointer);
    unite(part.unwrap_or_else(|| unreachable!("{pointer} is a part of a schema: a test makes the document")), rule);
}

fn unite(part: &mut Value, rule: Value) {
    match (part, rule) {
        (Value::Object(part), Value::Object(rule)) => {
            for (name, value) in rule {
                unite(part.entry(name).or_insert(Value::Null), value);
            }
        }
        (part, rule) => *part = rule,
    }
}

/// Makes one object of each schema that consists of several, as where a document has all members of another and more:
/// a closed schema knows its own members only.
pub(super) fn flatten(schemas: &mut Value) {
    let known = schemas.clone();
    for schema in schemas.as_object_mut().into_iter().flat_map(|schemas| schemas.values_mut()) {
        let Some(Value::Array(parts)) = schema.get("allOf").cloned() else { continue };
        let mut whole = schema.clone();
        if let Some(members) = whole.as_object_mut() {
            members.shift_remove("allOf");
        }
        for part in parts {
            add_members(&mut whole, part["$ref"].as_str().map_or(&part, |name| referred(&known, name)));
        }
        *schema = whole;
    }
}

fn referred<'s>(schemas: &'s Value, reference: &str) -> &'s Value {
    &schemas[reference.rsplit('/').next().unwrap_or_default()]
}

fn add_members(whole: &mut Value, part: &Value) {
    let Some(members) = part.as_object() else { return };
    for (name, value) in members {
        match (name.as_str(), &mut whole[name]) {
            ("properties", own) => unite(own, value.clone()),
            ("required", Value::Array(own)) => own.extend(value.as_array().cloned().unwrap_or_default()),
            // Its own description goes before that of a part.
            (_, own) if own.is_null() => *own = value.clone(),
            _ => {}
        }
    }
}
