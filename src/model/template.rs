//! Templates as customers save them. [`crate::templating`] defines their meaning, and whether they may be saved.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::model::field::{FieldError, Fields};
use crate::model::id::{TemplateId, UNREADABLE};
use crate::model::media_type::MediaType;
use crate::model::trigger::display_name;

/// The longest `content_type`, in bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 256;

/// The format of a body, which determines how values are written into it.
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

    /// The structured format of what has this media type; `None` for all others.
    fn announced_by(media_type: MediaType<'_>) -> Option<Self> {
        let essence = media_type.essence();
        let (_, subtype) = essence.split_once('/')?;
        match subtype.rsplit('+').next()? {
            "json" => Some(Self::Json),
            "xml" => Some(Self::Xml),
            "x-www-form-urlencoded" => Some(Self::Form),
            _ => None,
        }
    }
}

/// The text names no format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the formats are json, xml, form and text")]
pub struct FormatError;

impl FromStr for Format {
    type Err = FormatError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|f| f.as_str() == text);
        found.ok_or(FormatError)
    }
}

/// A body with places for values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The template's name in its account.
    pub id: TemplateId,
    /// What people call it.
    pub name: String,
    /// The body's format.
    pub format: Format,
    /// The body, byte for byte.
    pub body: String,
    /// The `content-type` to send in place of the format's.
    pub content_type: Option<String>,
}

impl Template {
    /// Reads a template as the HTTP interface and the store write it. The meaning of its body is not checked here.
    pub fn from_json(document: Value) -> Result<Self, Vec<FieldError>> {
        let (template, errors) = Self::examine(document);
        template.filter(|_| errors.is_empty()).ok_or(errors)
    }

    /// The same for a caller that continues after a mistake: a harmless value replaces each invalid one. `None` only if
    /// the document is not an object.
    pub fn examine(document: Value) -> (Option<Self>, Vec<FieldError>) {
        let mut fields = match Fields::new(document, "a template") {
            Ok(fields) => fields,
            Err(errors) => return (None, errors),
        };
        let id = fields.required_text("id");
        let id = fields.parse("id", "bad_name", id, TemplateId::new);
        let name = display_name(&mut fields);
        let format = fields.required_text("format");
        let format = fields.parse("format", "bad_format", format, Format::from_str);
        let body = fields.required_text("body");
        let content_type = fields.text("content_type");
        let content_type = fields.parse("content_type", "bad_content_type", content_type, parse_content_type);
        let template = Self {
            id: id.unwrap_or_else(|| TemplateId::new(UNREADABLE).expect("this can be a name")),
            name,
            format: format.unwrap_or(Format::Text),
            body: body.unwrap_or_default(),
            content_type,
        };
        (Some(template), fields.end())
    }

    /// Every rule that the template breaks. One that was saved before the rules existed is read, reported, and sends
    /// nothing.
    pub fn broken_rules(&self) -> Vec<FieldError> {
        let Some(content_type) = self.content_type.as_deref() else { return Vec::new() };
        let Some(media_type) = MediaType::parse(content_type) else { return Vec::new() };
        let broken = [bad_parameters(media_type), foreign_charset(media_type), self.other_format(media_type)];
        let broken = broken.into_iter().flatten();
        broken.map(|detail| FieldError::new("/content_type", "bad_content_type", detail)).collect()
    }

    /// A body must not be sent as what only another format proves it to be.
    fn other_format(&self, media_type: MediaType<'_>) -> Option<String> {
        let announced = Format::announced_by(media_type).filter(|announced| *announced != self.format)?;
        let (own, other, media_type) = (self.format.as_str(), announced.as_str(), media_type.essence());
        let why = match self.format {
            Format::Text => format!("a text is sent unchanged, so a value could break {media_type}"),
            _ => format!("a body of the format {own} is not {media_type}"),
        };
        let choice = "which accepts this content type too";
        Some(format!("`content_type`: {why}; choose the format {other}, {choice}"))
    }

    /// The template as the HTTP interface shows it and the store keeps it: it has no secret.
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        members.insert("id".into(), self.id.as_str().into());
        members.insert("name".into(), self.name.as_str().into());
        members.insert("format".into(), self.format.as_str().into());
        members.insert("body".into(), self.body.as_str().into());
        if let Some(content_type) = &self.content_type {
            members.insert("content_type".into(), content_type.as_str().into());
        }
        Value::Object(members)
    }
}

/// A body must be UTF-8.
fn foreign_charset(media_type: MediaType<'_>) -> Option<String> {
    let charset = media_type.parameter("charset").filter(|charset| !charset.eq_ignore_ascii_case("utf-8"))?;
    Some(format!("`content_type`: bodies are UTF-8, and not {charset}; write charset=utf-8 or none"))
}

fn bad_parameters(media_type: MediaType<'_>) -> Option<String> {
    let detail = "`content_type`: after the type stand parameters such as ; charset=utf-8, each name once";
    (!media_type.has_valid_parameters()).then(|| detail.to_owned())
}

/// Why a text is not a content type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum ContentTypeError {
    #[error("it has {0} bytes; at most {CONTENT_TYPE_BYTES_MAX} are allowed")]
    TooLong(usize),
    #[error("it has the character {0:?}; only printable ASCII is allowed")]
    Character(char),
    #[error("write it like application/json or text/plain; charset=utf-8")]
    NotAMediaType,
}

/// Reads a content type: a media type of printable ASCII.
fn parse_content_type(text: &str) -> Result<String, ContentTypeError> {
    if text.len() > CONTENT_TYPE_BYTES_MAX {
        return Err(ContentTypeError::TooLong(text.len()));
    }
    if let Some(c) = text.chars().find(|c| !matches!(c, ' '..='~')) {
        return Err(ContentTypeError::Character(c));
    }
    MediaType::parse(text).map(|_| text.to_owned()).ok_or(ContentTypeError::NotAMediaType)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_mistake_is_named_at_once() {
        let errors = Template::from_json(json!({"id": "a b", "name": 1, "format": "yaml",
                                                "content_type": "json", "bdy": "x"}));
        let errors = errors.expect_err("refused").into_iter();
        let expected = [
            ("/id", "bad_name"),
            ("/name", "wrong_type"),
            ("/format", "bad_format"),
            ("/body", "missing"),
            ("/content_type", "bad_content_type"),
            ("/bdy", "unknown_member"),
        ];
        assert_eq!(errors.map(|e| (e.pointer, e.code)).collect::<Vec<_>>(), expected.map(|(p, c)| (p.to_owned(), c)));
    }

    #[test]
    fn a_template_is_kept_to_the_byte() {
        for format in Format::ALL {
            let document = json!({"id": "w", "name": "", "format": format.as_str(),
                                  "body": "\u{feff}{{a}}\r\n\t\0 é ", "content_type": "text/x; a=\"b\""});
            let template = Template::from_json(document.clone()).expect("a template");
            assert_eq!(template.to_json(), document);
        }
    }

    #[test]
    fn a_body_is_not_sent_as_another_format() {
        let refused = |format: Format, content_type: &str| {
            let document = json!({"id": "w", "format": format.as_str(), "body": "", "content_type": content_type});
            !Template::from_json(document).expect("what was saved is read").broken_rules().is_empty()
        };
        for (announced, content_type) in [
            (Format::Json, "application/json"),
            (Format::Json, "Text/JSON; charset=utf-8"),
            (Format::Json, "application/vnd.api+json"),
            (Format::Xml, "text/xml"),
            (Format::Xml, "application/xml"),
            (Format::Xml, "a/soap+xml;v=1"),
            (Format::Form, "application/x-www-form-urlencoded; charset=utf-8"),
        ] {
            for format in Format::ALL {
                assert_eq!(refused(format, content_type), format != announced, "{format:?} as {content_type}");
            }
        }
        for good in
            ["text/plain", "text/csv", "application/jsonlines", "application/x-ndjson", "text/html", "a/vnd.x; v=1"]
        {
            assert!(Format::ALL.into_iter().all(|format| !refused(format, good)), "{good}");
        }
        for bad in ["application/vnd.x; ;;=;\"", "a/b; charset=utf-8; charset=iso-8859-1"] {
            assert!(Format::ALL.into_iter().all(|format| refused(format, bad)), "{bad}");
        }
    }

    #[test]
    fn only_utf_8_is_a_charset_of_bodies() {
        let broken = |content_type: &str| {
            let document = json!({"id": "w", "format": "text", "body": "", "content_type": content_type});
            !Template::from_json(document).expect("what was saved is read").broken_rules().is_empty()
        };
        for good in ["a/b", "a/b; charset=utf-8", "a/b;a=b; Charset=\"UTF-8\"", "a/b; v=\"charset\""] {
            assert!(!broken(good), "{good}");
        }
        for bad in ["a/b; charset=iso-8859-1", "a/b;CHARSET=\"utf-16\"", "a/b; x=y; charset=us-ascii", "a/b; charset="]
        {
            assert!(broken(bad), "{bad}");
        }
    }

    #[test]
    fn content_types_that_are_taken_and_refused() {
        let longest = format!("text/{}", "x".repeat(CONTENT_TYPE_BYTES_MAX - 5));
        for good in ["a/b", "application/vnd.x+json", "text/plain ; charset=utf-8", &longest] {
            assert_eq!(parse_content_type(good), Ok(good.to_owned()));
        }
        let too_long = format!("{longest}x");
        for bad in ["", "json", "/", "a/", "/b", "a/b/c", "a b/c", " a/b", "a/b\r\nx: y", "a/é", &too_long] {
            assert!(parse_content_type(bad).is_err(), "{bad:?}");
        }
    }
}
