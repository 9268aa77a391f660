//! Templates as customers save them. What one means, and whether it may be saved, is told in
//! [`crate::templating`].

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::TemplateId;

/// The shape of a body, which decides how values are written into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON value (RFC 8259).
    Json,
    /// One XML 1.0 document.
    Xml,
    /// Key/value pairs, `application/x-www-form-urlencoded`.
    Form,
    /// Anything else.
    Text,
}

impl Format {
    /// All formats, in the order of the documents.
    pub const ALL: [Self; 4] = [Self::Json, Self::Xml, Self::Form, Self::Text];

    /// The format's word in interfaces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Form => "form",
            Self::Text => "text",
        }
    }

    /// The `content-type` a receiver gets unless the template has its own.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

/// A body with places for values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The template's name in its account.
    pub id: TemplateId,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The body's shape.
    pub format: Format,
    /// The body, kept to the byte.
    pub body: String,
    /// The `content-type` to send in place of the format's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}
