//! Compares the contents of a dictionary's files with each other and builds the dictionary. Never reads a file.

use std::collections::{HashMap, HashSet};

use super::attribute_type::AttributeType;
use super::draft::{Draft, DraftAttribute, DraftEntity, DraftEvent};
use super::error::{DictionaryError, SourcePosition, shown};
use super::{ATTRIBUTES_MAX, AttributeEntry, Dictionary, EVENTS_MAX, EntityEntry, EventEntry};
use crate::json::nearest::likely as nearest;
use crate::templating::EVENT_PATHS;

/// The member of a template's data that Posthaste itself fills.
const ENGINE_MEMBER: &str = "event";

/// Builds the dictionary, or returns all of its mistakes.
pub(super) fn build(draft: Draft, mut errors: Vec<DictionaryError>) -> Result<Dictionary, Vec<DictionaryError>> {
    check_bounds(&draft, &mut errors);
    check_names(&draft, &mut errors);
    check_references(&draft, &mut errors);
    check_paths(&draft, &mut errors);
    if errors.is_empty() {
        Ok(assemble(draft))
    } else {
        errors.sort();
        errors.dedup();
        Err(errors)
    }
}

/// The dictionary is not empty and not too large.
fn check_bounds(draft: &Draft, errors: &mut Vec<DictionaryError>) {
    let instead = "leave out what templates don't name; a path works without being in the dictionary";
    let mut attributes = draft.entities.iter().flat_map(|entity| &entity.attributes);
    if let Some(over) = attributes.nth(ATTRIBUTES_MAX) {
        let what = format!("the dictionary has more than {ATTRIBUTES_MAX} attributes");
        errors.push(over.place.error(what, instead));
    }
    if let Some(over) = draft.events.get(EVENTS_MAX) {
        let what = format!("the dictionary has more than {EVENTS_MAX} event types");
        errors.push(over.place.error(what, instead));
    }
}

/// Each event type, each entity, and each tag within an entity is unique.
fn check_names(draft: &Draft, errors: &mut Vec<DictionaryError>) {
    let mut events = HashMap::new();
    for event in &draft.events {
        if let Some(first) = events.insert(event.event_type.as_str(), &event.place) {
            let what = format!("the event type {} is also at {first}", event.event_type);
            errors.push(event.place.error(what, "keep one of them"));
        }
    }
    let mut entities = HashMap::new();
    for entity in &draft.entities {
        let word = (entity.name.as_str(), &entity.place);
        once(&mut entities, word, "entity", errors);
        let mut tags = HashMap::new();
        for attribute in &entity.attributes {
            let word = (attribute.tag.as_str(), &attribute.place);
            once(&mut tags, word, "tag", errors);
        }
    }
}

/// Records a word; reports one that was there before, in the same case or another.
fn once<'a>(
    seen: &mut HashMap<String, (&'a str, &'a SourcePosition)>,
    (word, place): (&'a str, &'a SourcePosition),
    what: &str,
    errors: &mut Vec<DictionaryError>,
) {
    match seen.get(&word.to_ascii_uppercase()) {
        None => {
            seen.insert(word.to_ascii_uppercase(), (word, place));
        }
        Some((first, at)) if *first == word => {
            let what = format!("the {what} {word} is also at {at}");
            errors.push(place.error(what, "keep one of them"));
        }
        Some((first, at)) => {
            let what = format!("the {what} {word} differs only by case from {first} at {at}");
            errors.push(place.error(what, "keep one of them: tags are read in any case"));
        }
    }
}

/// The entities that events name exist.
fn check_references(draft: &Draft, errors: &mut Vec<DictionaryError>) {
    let names = || draft.entities.iter().map(|entity| entity.name.as_str());
    let known: HashSet<String> = names().map(str::to_ascii_uppercase).collect();
    for event in &draft.events {
        let mut seen = HashMap::new();
        for name in &event.entities {
            once(&mut seen, (&name.value, &name.place), "entity", errors);
            // If an entity could not be read because of a mistake, only that mistake is reported.
            if draft.incomplete || known.contains(&name.value.to_ascii_uppercase()) {
                continue;
            }
            let what =
                format!("{} carries the entity {}, which no file describes", event.event_type, shown(&name.value));
            let instead = match nearest(&name.value, names()) {
                Some(known) => format!("did you mean {known}?"),
                None => "describe it under [[entity]], or leave it out".to_owned(),
            };
            errors.push(name.place.error(what, instead));
        }
    }
}

/// Paths don't contradict each other, and `event` is reserved.
fn check_paths(draft: &Draft, errors: &mut Vec<DictionaryError>) {
    let mut by_path: HashMap<&str, (&DraftEntity, &DraftAttribute)> = HashMap::new();
    for entity in &draft.entities {
        for attribute in &entity.attributes {
            check_owner(entity, attribute, errors);
            let (owner, first) = *by_path.entry(&attribute.path).or_insert((entity, attribute));
            // A path may have a second tag: customers may know it by two names.
            if (first.attribute_type, &first.example) != (attribute.attribute_type, &attribute.example) {
                let what = format!(
                    "the path {} has another type or example than {}:{} at {}",
                    attribute.path, owner.name, first.tag, first.place
                );
                let instead = "write the same type and example, or another path";
                errors.push(attribute.place.error(what, instead));
            }
        }
    }
    let attributes = draft.entities.iter().flat_map(|entity| &entity.attributes);
    for attribute in attributes {
        let dots = attribute.path.match_indices('.');
        for (dot, _) in dots {
            let Some((owner, above)) = by_path.get(&attribute.path[..dot]) else {
                continue;
            };
            if above.attribute_type != AttributeType::Object {
                let what = format!(
                    "the path {} goes through {}:{} at {}, which is of the type {}",
                    attribute.path,
                    owner.name,
                    above.tag,
                    above.place,
                    above.attribute_type.as_str()
                );
                let instead = "make that one an object, or write another path";
                errors.push(attribute.place.error(what, instead));
            }
        }
    }
}

fn check_owner(entity: &DraftEntity, attribute: &DraftAttribute, errors: &mut Vec<DictionaryError>) {
    let path = attribute.path.as_str();
    if entity.from_engine {
        if !EVENT_PATHS.contains(&path) {
            let what = format!("Posthaste fills nothing at {path}");
            let instead = format!("write one of {}, or take `from_engine` from the entity", EVENT_PATHS.join(", "));
            errors.push(attribute.place.error(what, instead));
        }
    } else if path.split('.').next() == Some(ENGINE_MEMBER) {
        let what = format!("the path {path} is reserved: Posthaste puts `{ENGINE_MEMBER}` into every template's data");
        let instead = "write another path, or `from_engine = true` in the entity";
        errors.push(attribute.place.error(what, instead));
    }
}

fn assemble(draft: Draft) -> Dictionary {
    let entities: Vec<EntityEntry> = draft.entities.into_iter().map(entity_entry).collect();
    let own = entities.iter().filter(|entity| !entity.from_engine);
    let own: HashMap<String, &str> =
        own.map(|entity| (entity.name.to_ascii_uppercase(), entity.name.as_str())).collect();
    let engine: Vec<String> =
        entities.iter().filter(|entity| entity.from_engine).map(|entity| entity.name.clone()).collect();
    let events = draft.events.into_iter();
    let events = events.map(|event| event_entry(event, &own, &engine));
    Dictionary::new(events.collect(), entities)
}

fn entity_entry(draft: DraftEntity) -> EntityEntry {
    let DraftEntity { name, attributes, aliases, .. } = draft;
    let attributes = attributes.into_iter().map(|attribute| AttributeEntry {
        tag: format!("{name}:{}", attribute.tag),
        path: attribute.path,
        attribute_type: attribute.attribute_type,
        description: attribute.description,
        example: attribute.example,
        aliases: attribute.aliases,
    });
    EntityEntry {
        attributes: attributes.collect(),
        aliases,
        name,
        description: draft.description,
        from_engine: draft.from_engine,
    }
}

/// An event with the entities that it names, in its order and in their own spelling, followed by Posthaste's own
/// entities.
fn event_entry(draft: DraftEvent, own: &HashMap<String, &str>, engine: &[String]) -> EventEntry {
    let named = draft.entities.iter();
    let named = named.filter_map(|name| own.get(&name.value.to_ascii_uppercase()));
    EventEntry {
        entities: named.map(|name| (*name).to_owned()).chain(engine.iter().cloned()).collect(),
        event_type: draft.event_type,
        description: draft.description,
    }
}
