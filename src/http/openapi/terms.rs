//! Schemas of the terms that many calls and documents share, from the bounds of the code that reads them.

use serde_json::{Value, json};

use crate::model::event::{EVENT_PATTERN_PATTERN, EVENT_TYPE_BYTES_MAX, EVENT_TYPE_PATTERN};
use crate::model::id::{NAME_BYTES_MAX, NAME_PATTERN};

/// The schema of accounts and ids.
pub(in crate::http) fn name_schema() -> Value {
    json!({"type": "string", "pattern": NAME_PATTERN, "minLength": 1, "maxLength": NAME_BYTES_MAX})
}

/// The schema of an event type.
pub(super) fn event_type_schema() -> Value {
    json!({"type": "string", "pattern": EVENT_TYPE_PATTERN, "maxLength": EVENT_TYPE_BYTES_MAX})
}

/// The schema of what a trigger listens to.
pub(super) fn event_pattern_schema() -> Value {
    json!({"type": "string", "pattern": EVENT_PATTERN_PATTERN, "maxLength": EVENT_TYPE_BYTES_MAX + ".*".len()})
}

/// The same for a member that may be `null`, which counts as left out.
pub(super) fn or_null(mut schema: Value) -> Value {
    schema["type"] = json!(["string", "null"]);
    schema
}
