//! The dictionary: the known event types, the entities that their data carries, and the path of each tag.
//! It helps people write templates. It never decides which events or paths are allowed, and never changes after it was
//! read.

mod attribute_type;
mod check;
mod draft;
mod error;
mod load;
mod members;
mod presets;
mod shipped;
mod trigger_warnings;
mod view;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde_json::{Map, Value};

pub use self::attribute_type::AttributeType;
pub use self::draft::{PATH_BYTES_MAX, PATH_WORDS_MAX, TAG_BYTES_MAX};
pub use self::error::DictionaryError;
pub use self::load::{FILE_BYTES_MAX, FILES_MAX};
pub use self::presets::{Preset, Presets};
pub use self::trigger_warnings::TriggerWarning;
pub use self::view::{DictionaryView, EntityView, EventDetailView, EventView, TagView};

use self::draft::Draft;
use self::load::FileText;
use crate::model::event::{EventPattern, EventType};
use crate::templating::{EVENT_PATHS, TagLookup};

/// The most attributes of one dictionary: a suggestion compares every tag, and `GET /v1/dictionary` returns all of
/// them.
pub const ATTRIBUTES_MAX: usize = 8_192;
/// The most event types of one dictionary.
pub const EVENTS_MAX: usize = 4_096;

/// The dictionary, checked and indexed.
#[derive(Debug, Clone, PartialEq)]
pub struct Dictionary {
    events: Vec<EventEntry>,
    entities: Vec<EntityEntry>,
    event_index: HashMap<EventType, usize>,
    /// By upper-case name.
    entity_index: HashMap<String, usize>,
    /// Paths by upper-case tag.
    tag_index: HashMap<String, String>,
}

/// One event type.
#[derive(Debug, Clone, PartialEq)]
pub struct EventEntry {
    /// The type.
    pub event_type: EventType,
    /// When it happens.
    pub description: String,
    /// The names of the entities that its data may carry, Posthaste's own last.
    pub entities: Vec<String>,
}

/// One entity.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityEntry {
    /// Its name, the first part of its tags.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Whether Posthaste fills it for every event, so that no producer posts it.
    pub from_engine: bool,
    /// Other words that people use for it.
    pub aliases: Vec<String>,
    /// Its attributes.
    pub attributes: Vec<AttributeEntry>,
}

/// One attribute of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeEntry {
    /// Entity and attribute, `GUEST:NAME`.
    pub tag: String,
    /// The path of the value in a template's data, `guest.name`.
    pub path: String,
    /// What kind of value it is.
    pub attribute_type: AttributeType,
    /// What it is.
    pub description: String,
    /// A value of its type.
    pub example: Value,
    /// Other words that people use for it.
    pub aliases: Vec<String>,
}

impl Dictionary {
    /// Reads every `*.toml` file of a folder; returns all mistakes at once, by file and line.
    pub fn load(dir: &Path) -> Result<Self, Vec<DictionaryError>> {
        let (texts, errors) = load::read_folder(dir, "catalogue.dir");
        Self::from_texts(&texts, errors)
    }

    /// Reads these texts; `errors` are mistakes that were found before.
    fn from_texts(texts: &[FileText], mut errors: Vec<DictionaryError>) -> Result<Self, Vec<DictionaryError>> {
        let mut draft = Draft { incomplete: !errors.is_empty(), ..Draft::default() };
        for (file, text) in texts {
            draft.read(file, text, &mut errors);
        }
        if let Some((file, _)) = texts.first()
            && errors.is_empty()
            && draft.is_empty()
        {
            errors.push(DictionaryError {
                file: file.clone(),
                line: None,
                what: "the dictionary has no event type and no entity".to_owned(),
                instead: "write [[event]] and [[entity]] tables into its files".to_owned(),
            });
        }
        check::build(draft, errors)
    }

    /// Indexes entries that [`check`] found to be consistent.
    fn new(events: Vec<EventEntry>, entities: Vec<EntityEntry>) -> Self {
        let attributes = entities.iter().flat_map(|entity| &entity.attributes);
        let tags = attributes.map(|a| (a.tag.to_ascii_uppercase(), a.path.clone()));
        let names = entities.iter().map(|e| e.name.to_ascii_uppercase());
        let types = events.iter().map(|event| event.event_type.clone());
        Self {
            tag_index: tags.collect(),
            entity_index: names.zip(0..).collect(),
            event_index: types.zip(0..).collect(),
            events,
            entities,
        }
    }

    /// The event types, in the order of the files.
    pub fn events(&self) -> impl Iterator<Item = &EventEntry> {
        self.events.iter()
    }

    /// The entities, in the order of the files.
    pub fn entities(&self) -> impl Iterator<Item = &EntityEntry> {
        self.entities.iter()
    }

    /// An event type; `None` if the dictionary doesn't have it, which is not a mistake.
    pub fn event(&self, event_type: &str) -> Option<&EventEntry> {
        let event_type = EventType::new(event_type).ok()?;
        Some(&self.events[*self.event_index.get(&event_type)?])
    }

    /// Sample data for an event of this type, made of the examples; of all entities if the type is unknown. Without
    /// `event`, which Posthaste adds.
    pub fn sample(&self, event_type: &str) -> Map<String, Value> {
        let entities: Vec<&EntityEntry> = match self.event(event_type) {
            Some(event) => self.entities_of(event).collect(),
            None => self.entities.iter().collect(),
        };
        let entities = entities.into_iter().filter(|entity| !entity.from_engine);
        let mut attributes: Vec<&AttributeEntry> = entities.flat_map(|entity| &entity.attributes).collect();
        // An object's own example is inserted before the attributes below it, which may refine it.
        attributes.sort_by_key(|attribute| attribute.path.matches('.').count());
        let mut data = Map::new();
        for attribute in attributes {
            insert(&mut data, &attribute.path, attribute.example.clone());
        }
        data
    }

    /// An event type that the pattern covers: the pattern itself if it is one type, otherwise the first known one.
    pub fn sample_type(&self, pattern: Option<&EventPattern>) -> EventType {
        if let Some(EventPattern::Exactly(event_type)) = pattern {
            return event_type.clone();
        }
        let known = |event: &&EventEntry| pattern.is_none_or(|pattern| pattern.matches(&event.event_type));
        let found = self.events().find(known).map(|event| event.event_type.clone());
        let stem = match pattern {
            Some(EventPattern::Below(words)) => words.as_str(),
            _ => "sample",
        };
        found.unwrap_or_else(|| {
            let made = EventType::new(&format!("{stem}.sample")).or_else(|_| EventType::new("sample"));
            made.expect("a word is an event type")
        })
    }

    /// The entities that an event's data may carry.
    fn entities_of(&self, event: &EventEntry) -> impl Iterator<Item = &EntityEntry> {
        event.entities.iter().map(|name| {
            let index = self.entity_index.get(&name.to_ascii_uppercase());
            &self.entities[*index.expect("an event names entities that exist: they were checked")]
        })
    }
}

/// Inserts a value at a dotted path and creates the objects on the way.
fn insert(data: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            data.insert(path.to_owned(), value);
        }
        Some((word, rest)) => {
            let below = data.entry(word).or_insert(Value::Null);
            if !below.is_object() {
                *below = Value::Object(Map::new());
            }
            let below = below.as_object_mut();
            insert(below.expect("it was just made an object"), rest, value);
        }
    }
}

impl TagLookup for Dictionary {
    fn tag_path(&self, entity: &str, attribute: &str) -> Option<&str> {
        let tag = format!("{entity}:{attribute}").to_ascii_uppercase();
        self.tag_index.get(&tag).map(String::as_str)
    }

    fn tag_meant(&self, entity: &str, attribute: &str) -> Option<String> {
        let called = |name: &str, aliases: &[String], word: &str| {
            name.eq_ignore_ascii_case(word) || aliases.iter().any(|alias| alias.eq_ignore_ascii_case(word))
        };
        let entities = self.entities.iter().filter(|known| called(&known.name, &known.aliases, entity));
        let mut attributes = entities.flat_map(|entity| &entity.attributes);
        let found = attributes.find(|known| {
            let name = known.tag.split_once(':').map_or(known.tag.as_str(), |(_, name)| name);
            called(name, &known.aliases, attribute)
        });
        found.map(|attribute| attribute.tag.clone())
    }

    fn tags(&self) -> Vec<String> {
        let attributes = self.entities.iter().flat_map(|entity| &entity.attributes);
        attributes.map(|attribute| attribute.tag.clone()).collect()
    }

    fn paths(&self, event: Option<&EventPattern>) -> Option<Vec<String>> {
        let entities: Vec<&EntityEntry> = match event {
            None => self.entities.iter().collect(),
            Some(pattern) => {
                let events = self.events.iter();
                let mut events = events.filter(|e| pattern.matches(&e.event_type)).peekable();
                events.peek()?;
                events.flat_map(|event| self.entities_of(event)).collect()
            }
        };
        let attributes = entities.into_iter().flat_map(|entity| &entity.attributes);
        let mut seen = HashSet::new();
        let paths = attributes.map(|attribute| attribute.path.as_str());
        let paths = paths.chain(EVENT_PATHS).filter(|path| seen.insert(*path));
        Some(paths.map(str::to_owned).collect())
    }
}
