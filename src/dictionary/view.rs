//! The dictionary as the HTTP interface returns it: `GET /v1/dictionary` and `GET /v1/dictionary/{event}`.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{AttributeEntry, AttributeType, Dictionary, EntityEntry, EventEntry};
use crate::templating::{self, HelperView};

/// The whole dictionary, and the helpers, which are the same with each dictionary.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DictionaryView {
    /// The known event types. Events of other types are accepted too.
    pub events: Vec<EventView>,
    /// The entities that events carry.
    pub entities: Vec<EntityView>,
    /// The helpers that templates may call.
    pub helpers: Vec<HelperView>,
}

/// One event type.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventView {
    /// The type, as events and triggers write it.
    #[serde(rename = "type")]
    #[schema(example = "guest.created")]
    pub event_type: String,
    /// When it happens.
    pub description: String,
    /// The names of the entities that its data may carry.
    #[schema(example = json!(["GUEST", "EVENT"]))]
    pub entities: Vec<String>,
}

/// One entity.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntityView {
    /// Its name, the first part of its tags.
    #[schema(example = "GUEST")]
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its tags.
    pub tags: Vec<TagView>,
}

/// One tag and its path.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TagView {
    /// The tag, as a template writes it.
    #[schema(example = "*|GUEST:NAME|*")]
    pub tag: String,
    /// The path of the tag; a template may use it instead of the tag.
    #[schema(example = "guest.name")]
    pub path: String,
    /// The type of the value.
    #[serde(rename = "type")]
    pub attribute_type: AttributeType,
    /// What it is.
    pub description: String,
    /// A value of its type.
    #[schema(value_type = Value, example = "Nora Vale")]
    pub example: Value,
}

/// One event type with everything that a template for it may name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventDetailView {
    /// The type and its entities.
    #[serde(flatten)]
    pub event: EventView,
    /// The tags of all entities that it carries.
    pub tags: Vec<TagView>,
    /// Sample data for such an event, made of the tags' examples.
    #[schema(value_type = Object)]
    pub sample: Map<String, Value>,
}

impl Dictionary {
    /// The response to `GET /v1/dictionary`.
    pub fn view(&self) -> DictionaryView {
        DictionaryView {
            events: self.events().map(EventView::of).collect(),
            entities: self.entities().map(EntityView::of).collect(),
            helpers: templating::helpers(),
        }
    }

    /// The response to `GET /v1/dictionary/{event}`; `None` if the dictionary doesn't have the type.
    pub fn event_view(&self, event_type: &str) -> Option<EventDetailView> {
        let event = self.event(event_type)?;
        let entities = self.entities_of(event);
        Some(EventDetailView {
            event: EventView::of(event),
            tags: entities.flat_map(|entity| entity.attributes.iter().map(TagView::of)).collect(),
            sample: self.sample(event_type),
        })
    }
}

impl EventView {
    fn of(event: &EventEntry) -> Self {
        Self {
            event_type: event.event_type.to_string(),
            description: event.description.clone(),
            entities: event.entities.clone(),
        }
    }
}

impl EntityView {
    fn of(entity: &EntityEntry) -> Self {
        Self {
            name: entity.name.clone(),
            description: entity.description.clone(),
            tags: entity.attributes.iter().map(TagView::of).collect(),
        }
    }
}

impl TagView {
    fn of(attribute: &AttributeEntry) -> Self {
        Self {
            tag: format!("*|{}|*", attribute.tag),
            path: attribute.path.clone(),
            attribute_type: attribute.attribute_type,
            description: attribute.description.clone(),
            example: attribute.example.clone(),
        }
    }
}
