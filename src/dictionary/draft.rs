//! Reads one dictionary file into drafts: events, entities and attributes that are each valid on their own. Never
//! compares them with each other; [`super::check`] does.

use serde_json::Value;
use toml::Spanned;
use toml::de::DeTable;

use super::attribute_type::AttributeType;
use super::error::{DictionaryError, SourcePosition, shown};
use super::members::{FileLines, Located, TableMembers};
use crate::json::LookAlike;
use crate::json::nearest::likely as nearest;
use crate::model::event::EventType;

/// The longest name of an entity or tag, in bytes.
pub const TAG_BYTES_MAX: usize = 64;
/// The longest path in bytes.
pub const PATH_BYTES_MAX: usize = 255;
/// The most words of a path.
pub const PATH_WORDS_MAX: usize = 16;

/// What was read from all files so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) events: Vec<DraftEvent>,
    pub(super) entities: Vec<DraftEntity>,
    /// Whether an entity may be missing because of a mistake, so that unknown names can't be reported.
    pub(super) incomplete: bool,
}

pub(super) struct DraftEvent {
    pub(super) place: SourcePosition,
    pub(super) event_type: EventType,
    pub(super) description: String,
    pub(super) entities: Vec<Located<String>>,
}

pub(super) struct DraftEntity {
    pub(super) place: SourcePosition,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) from_engine: bool,
    pub(super) aliases: Vec<String>,
    pub(super) attributes: Vec<DraftAttribute>,
}

pub(super) struct DraftAttribute {
    pub(super) place: SourcePosition,
    pub(super) tag: String,
    pub(super) path: String,
    pub(super) attribute_type: AttributeType,
    pub(super) description: String,
    pub(super) example: Value,
    pub(super) aliases: Vec<String>,
}

const ALIASES: &str = "write other words for it in a list, such as [\"PRICE\", \"TOTAL\"], or leave it out";
const DESCRIBE: &str = "say in a sentence what it is: customers read it";

impl Draft {
    /// Whether nothing was read.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.entities.is_empty()
    }

    /// Adds the contents of a file, and its mistakes to `errors`.
    pub(super) fn read(&mut self, file: &str, text: &str, errors: &mut Vec<DictionaryError>) {
        let source = FileLines::new(file, text);
        let (table, mistakes) = DeTable::parse_recoverable(text);
        if !mistakes.is_empty() {
            // The rest of an unreadable file would only lead to false reports.
            self.incomplete = true;
            errors.extend(mistakes.iter().map(|mistake| {
                let start = mistake.span().map_or(0, |span| span.start);
                let place = source.place(start);
                let found =
                    LookAlike::in_line(text, start).map_or_else(String::new, |found| format!("; this is {found}"));
                let what = format!("this is not TOML: {}{found}", mistake.message());
                place.error(what, "write `key = value`, with texts in quotes")
            }));
            return;
        }
        let mut members = TableMembers::new(&source, errors, table, "a dictionary file");
        let events = members.tables("event", "write [[event]] above each event type");
        let entities = members.tables("entity", "write [[entity]] above each entity");
        members.finish();
        for table in events {
            self.events.extend(read_event(&source, errors, table));
        }
        for table in entities {
            match read_entity(&source, errors, table) {
                Some(entity) => self.entities.push(entity),
                None => self.incomplete = true,
            }
        }
    }
}

fn read_event(
    source: &FileLines,
    errors: &mut Vec<DictionaryError>,
    table: Spanned<DeTable<'_>>,
) -> Option<DraftEvent> {
    const ENTITIES: &str = "write the names of the entities it carries, such as [\"GUEST\"], or []";
    let mut members = TableMembers::new(source, errors, table, "an event");
    let event_type = members.text("type", "write one such as \"guest.created\"");
    let event_type = event_type.and_then(|text| match EventType::new(&text.value) {
        Ok(event_type) => Some(event_type),
        Err(error) => {
            let instead = "leave out other characters and empty words";
            members.refuse(&text.place, error.to_string(), instead);
            None
        }
    });
    let description = members.text("description", DESCRIBE);
    let entities = members.texts("entities", ENTITIES);
    let place = members.place.clone();
    members.finish();
    Some(DraftEvent {
        place,
        event_type: event_type?,
        description: description.map(|text| text.value).unwrap_or_default(),
        entities,
    })
}

fn read_entity(
    source: &FileLines,
    errors: &mut Vec<DictionaryError>,
    table: Spanned<DeTable<'_>>,
) -> Option<DraftEntity> {
    let mut members = TableMembers::new(source, errors, table, "an entity");
    let name = word(&mut members, "name", "write one such as \"GUEST\"");
    let description = members.text("description", DESCRIBE);
    let from_engine = members.flag("from_engine");
    let aliases = members.texts_if_any("aliases", ALIASES);
    let tables = members.tables("attribute", "write [[entity.attribute]] above each attribute");
    let place = members.place.clone();
    members.finish();
    let mut attributes = Vec::with_capacity(tables.len());
    for table in tables {
        attributes.extend(read_attribute(source, errors, table));
    }
    Some(DraftEntity {
        place,
        name: name?,
        description: description.map(|text| text.value).unwrap_or_default(),
        from_engine,
        aliases: aliases.into_iter().map(|alias| alias.value).collect(),
        attributes,
    })
}

fn read_attribute(
    source: &FileLines,
    errors: &mut Vec<DictionaryError>,
    table: Spanned<DeTable<'_>>,
) -> Option<DraftAttribute> {
    let mut members = TableMembers::new(source, errors, table, "an attribute");
    let tag = word(&mut members, "tag", "write one such as \"NAME\"");
    let path = members.text("path", "write one such as \"guest.name\"");
    let path = path.and_then(|path| match path_mistake(&path.value) {
        None => Some(path.value),
        Some(mistake) => {
            let what = format!("{} is not a path: {mistake}", shown(&path.value));
            let instead = "write words of letters, digits and _ with single dots between them, such as guest.name";
            members.refuse(&path.place, what, instead);
            None
        }
    });
    let attribute_type = read_type(&mut members);
    let description = members.text("description", DESCRIBE);
    let form = attribute_type.map_or("a value of its type", AttributeType::example_form);
    let example = members.json("example", &format!("write {form}"));
    let aliases = members.texts_if_any("aliases", ALIASES);
    if let (Some(kind), Some(Located { value, place })) = (attribute_type, &example)
        && !kind.fits(value)
    {
        let what = format!("the example is not of the type {}", kind.as_str());
        members.refuse(place, what, format!("write {form}"));
    }
    let place = members.place.clone();
    members.finish();
    Some(DraftAttribute {
        place,
        tag: tag?,
        path: path?,
        attribute_type: attribute_type?,
        description: description.map(|text| text.value).unwrap_or_default(),
        example: example?.value,
        aliases: aliases.into_iter().map(|alias| alias.value).collect(),
    })
}

fn read_type(members: &mut TableMembers<'_, '_>) -> Option<AttributeType> {
    let words = AttributeType::ALL.map(AttributeType::as_str);
    let instead = format!("write one of {}", words.join(", "));
    let text = members.text("type", &instead)?;
    let found = AttributeType::named(&text.value);
    if found.is_none() {
        let instead = match nearest(&text.value, words) {
            Some(word) => format!("did you mean {word:?}?"),
            None => instead,
        };
        let what = format!("{} is not a type", shown(&text.value));
        members.refuse(&text.place, what, instead);
    }
    found
}

/// Reads a word that may be part of a tag.
fn word(members: &mut TableMembers<'_, '_>, name: &'static str, instead: &str) -> Option<String> {
    let text = members.text(name, instead)?;
    let mistake = if text.value.len() > TAG_BYTES_MAX {
        format!("it is longer than {TAG_BYTES_MAX} bytes")
    } else if let Some(c) = text.value.chars().find(|c| !is_word_character(*c)) {
        format!("it has the character {c:?}")
    } else {
        return Some(text.value);
    };
    let what = format!("`{name}` can't be {}: {mistake}", shown(&text.value));
    members.refuse(&text.place, what, "write letters of ASCII, digits and _ only");
    None
}

fn is_word_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn path_mistake(path: &str) -> Option<String> {
    if path.len() > PATH_BYTES_MAX {
        return Some(format!("it is longer than {PATH_BYTES_MAX} bytes"));
    }
    if path.split('.').count() > PATH_WORDS_MAX {
        return Some(format!("it has more than {PATH_WORDS_MAX} words"));
    }
    path.split('.').find_map(|word| {
        if word.is_empty() {
            return Some("a word is empty".to_owned());
        }
        // A template reads a word that begins with a digit as a number.
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return Some(format!("the word {word:?} begins with a digit"));
        }
        let odd = word.chars().find(|c| !is_word_character(*c))?;
        Some(format!("it has the character {odd:?}"))
    })
}
