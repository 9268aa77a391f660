//! Warns of triggers that can never fire, as far as the dictionary knows. An event type or a path that the dictionary
//! does not have is a warning and never a mistake.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{AttributeType, Dictionary};
use crate::json::nearest::{likely, shown};
use crate::matching::{Condition, TestedType, conditions, excluding, is_operator, scalar_of};
use crate::model::event::EventPattern;
use crate::model::trigger::Trigger;

/// The most conditions of one trigger that are warned of, as of a template's expressions.
const WARNINGS_MAX: usize = 100;
/// The most bytes of their texts together; the last one may exceed it. A pointer repeats the names of its path, which may be
/// long.
const BYTES_MAX: usize = 65_536;
/// The most words of a dotted name that are shown as a path.
const NESTED_MAX: usize = 8;

/// A reason why a trigger may not work as intended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TriggerWarning {
    /// Always `warning`.
    pub severity: &'static str,
    /// The kind of warning. Stable.
    pub code: &'static str,
    /// Where: a JSON Pointer into the trigger.
    pub pointer: String,
    /// What may be wrong, for a person.
    pub message: String,
    /// What was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl TriggerWarning {
    fn new(code: &'static str, pointer: String, message: String, suggestion: Option<&str>) -> Self {
        Self { severity: "warning", code, pointer, message, suggestion: suggestion.map(str::to_owned) }
    }
}

impl Dictionary {
    /// Why a trigger may never fire.
    pub fn trigger_warnings(&self, trigger: &Trigger) -> Vec<TriggerWarning> {
        let mut warnings = Vec::new();
        warnings.extend(self.unknown_event(&trigger.event));
        let Some(source) = trigger.pattern.as_ref().map(|pattern| pattern.source()) else { return warnings };
        if let Some(paths) = self.data_paths(&trigger.event) {
            let found = conditions(&source).into_iter().filter_map(|condition| check(&condition, &paths));
            let mut room = BYTES_MAX;
            warnings.extend(found.take(WARNINGS_MAX).take_while(|warning| {
                let has_room = room > 0;
                room = room.saturating_sub(warning.pointer.len() + warning.message.len());
                has_room
            }));
        }
        warnings.extend(excluding(&source).map(|(one, other)| {
            let message = format!(
                "No single value meets both this condition and the one at /where{one}, so the filter matches nothing \
                 unless the field is a list."
            );
            TriggerWarning::new("conditions_exclude", format!("/where{other}"), message, None)
        }));
        warnings
    }

    fn unknown_event(&self, event: &EventPattern) -> Option<TriggerWarning> {
        if self.events().next().is_none() || self.events().any(|known| event.matches(&known.event_type)) {
            return None;
        }
        let (text, below) = match event {
            EventPattern::Exactly(own) => (own.as_str(), false),
            EventPattern::Below(words) => (words.as_str(), true),
            EventPattern::Any => return None,
        };
        let types = || self.events().map(|known| known.event_type.as_str());
        let stems = || types().filter_map(|known| known.rsplit_once('.').map(|(stem, _)| stem));
        let nearest = if below { None } else { likely(text, types()).map(str::to_owned) };
        // `guest` is no type, and was perhaps meant for all of its types.
        let nearest = nearest.or_else(|| likely(text, stems()).map(|stem| format!("{stem}.*")));
        let message =
            format!("The dictionary has no event type `{event}`: a trigger on it fires only if something posts one.");
        Some(TriggerWarning::new("unknown_event", "/event".to_owned(), message, nearest.as_deref()))
    }

    /// What events of the pattern's types carry, as their producers post them; `None`: no type is known.
    fn data_paths(&self, event: &EventPattern) -> Option<HashMap<&str, AttributeType>> {
        let mut events = self.events().filter(|known| event.matches(&known.event_type)).peekable();
        events.peek()?;
        let entities = events.flat_map(|event| self.entities_of(event)).filter(|entity| !entity.from_engine);
        let attributes = entities.flat_map(|entity| &entity.attributes);
        Some(attributes.map(|attribute| (attribute.path.as_str(), attribute.attribute_type)).collect())
    }
}

fn check(condition: &Condition<'_>, paths: &HashMap<&str, AttributeType>) -> Option<TriggerWarning> {
    let pointer = || format!("/where{}", condition.pointer);
    let dotted = condition.path.iter().find(|name| name.contains('.'));
    if let Some(name) = dotted {
        let name = shown(name);
        let words = name.split('.').take(NESTED_MAX).collect::<Vec<_>>().into_iter();
        let nested = words.rev().fold("[…]".to_owned(), |inner, word| format!("{{\"{word}\": {inner}}}"));
        let message = format!("`{name}` is one name with a dot in it, and not a path; a path is written as {nested}.");
        return Some(TriggerWarning::new("dotted_name", pointer(), message, None));
    }
    let path = condition.path.join(".");
    let free = |known: &str| {
        let is_open = matches!(paths.get(known), Some(AttributeType::Object | AttributeType::List));
        is_open && path.strip_prefix(known).is_some_and(|rest| rest.starts_with('.'))
    };
    if paths.contains_key(path.as_str()) || paths.keys().any(|known| free(known)) {
        return wrong_type(condition, paths.get(path.as_str()).copied(), pointer());
    }
    if let Some(name) = condition.path.iter().find(|name| is_operator(name)).map(|name| shown(name)) {
        let message = format!("`{name}` names a field here. As an operator it stands in a list: [{{\"{name}\": …}}].");
        return Some(TriggerWarning::new("operator_as_field", pointer(), message, None));
    }
    let is_below = |known: &&&str| known.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.'));
    // The first one in sorted order: a map has no order of its own, and the same trigger must get the same advice.
    if let Some(below) = paths.keys().filter(is_below).min() {
        let message = format!(
            "`{}` is an object, which no value equals; name one of its members, such as `{below}`.",
            shown(&path)
        );
        return Some(TriggerWarning::new("path_is_object", pointer(), message, Some(below)));
    }
    let mut known: Vec<&str> = paths.keys().copied().collect();
    known.sort_unstable();
    let message = format!("The dictionary does not know `{}` in the data of such events.", shown(&path));
    // Else one whose last names these are: the names before them were perhaps forgotten.
    let ends_so = |known: &&str| known.strip_suffix(path.as_str()).is_some_and(|rest| rest.ends_with('.'));
    let meant = likely(&path, known.iter().copied()).or_else(|| known.iter().copied().find(ends_so));
    Some(TriggerWarning::new("unknown_path", pointer(), message, meant))
}

/// Every test of the condition is of a type that the field never has.
fn wrong_type(condition: &Condition<'_>, known: Option<AttributeType>, pointer: String) -> Option<TriggerWarning> {
    let (own, advice) = match known? {
        AttributeType::Number | AttributeType::Integer => {
            (TestedType::Number, "a number: write it without quotes, or a range such as {\"numeric\": [\">\", 5]}")
        }
        AttributeType::Boolean => (TestedType::Boolean, "true or false: write one of them without quotes"),
        AttributeType::Object | AttributeType::List => return None,
        _ => (TestedType::Text, "a text: write it in quotes"),
    };
    let wrong = |test: &serde_json::Value| scalar_of(test).is_some_and(|tested| tested != own);
    let all = condition.tests.iter().all(wrong);
    let message = format!("The field is {advice}. No value of another type equals it.");
    all.then(|| TriggerWarning::new("wrong_value_type", pointer, message, None))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn warnings(event: &str, pattern: Value) -> Vec<(&'static str, String, Option<String>)> {
        let document =
            json!({"id": "t", "event": event, "template": "w", "url": "https://h.example/", "where": pattern});
        let trigger = Trigger::from_json(document).expect("a trigger");
        let warnings = Dictionary::shipped().trigger_warnings(&trigger);
        warnings.into_iter().map(|w| (w.code, w.pointer, w.suggestion)).collect()
    }

    #[test]
    fn a_trigger_that_can_never_fire_gets_a_warning_and_a_suggestion() {
        let one = |code, pointer: &str, meant: Option<&str>| vec![(code, pointer.to_owned(), meant.map(str::to_owned))];
        let exists = json!([{"exists": true}]);
        for (event, pattern, expected) in [
            ("guest.created", json!({"guest": {"country": ["PT"]}}), vec![]),
            ("guest.*", json!({"guest": {"country": ["PT"]}}), vec![]),
            ("*", json!({"guest": {"country": ["PT"]}}), vec![]),
            (
                "guest.craeted",
                json!({"guest": {"contry": ["PT"]}}),
                one("unknown_event", "/event", Some("guest.created")),
            ),
            ("guest", json!({"x": exists}), one("unknown_event", "/event", Some("guest.*"))),
            ("gest.*", json!({"x": exists}), one("unknown_event", "/event", Some("guest.*"))),
            (
                "guest.created",
                json!({"guest": {"contry": ["PT"]}}),
                one("unknown_path", "/where/guest/contry", Some("guest.country")),
            ),
            ("guest.created", json!({"name": ["x"]}), one("unknown_path", "/where/name", Some("guest.name"))),
            (
                "guest.created",
                json!({"guest": {"name": {"anything-but": ["x"]}}}),
                one("operator_as_field", "/where/guest/name/anything-but", None),
            ),
            ("guest.created", json!({"guest": exists}), {
                let found = warnings("guest.created", json!({"guest": exists}));
                assert_eq!(found[0].0, "path_is_object");
                found
            }),
            ("guest.created", json!({"guest.country": ["PT"]}), one("dotted_name", "/where/guest.country", None)),
            (
                "guest.created",
                json!({"guest": {"country": [351]}}),
                one("wrong_value_type", "/where/guest/country", None),
            ),
            (
                "inquiry.created",
                json!({"inquiry": {"cost": [{"prefix": "1"}, "7"]}}),
                one("wrong_value_type", "/where/inquiry/cost", None),
            ),
            (
                "guest.created",
                json!({"guest": {"email": [{"numeric": [">", 1]}]}}),
                one("wrong_value_type", "/where/guest/email", None),
            ),
            ("inquiry.created", json!({"inquiry": {"cost": ["7", {"anything-but": 7}]}}), vec![]),
            ("inquiry.created", json!({"inquiry": {"cost": ["7", 7]}}), vec![]),
            ("guest.created", json!({"event": {"type": ["x"]}}), one("unknown_path", "/where/event/type", None)),
            (
                "guest.created",
                json!({"guest": {"country": ["PT"]}, "$or": [{"guest": {"country": ["ES"]}}, {"guest": {"country": ["FR"]}}]}),
                one("conditions_exclude", "/where/$or/0/guest/country", None),
            ),
        ] {
            let found = warnings(event, pattern.clone());
            assert_eq!(found.len(), expected.len(), "{event} {pattern} {found:?}");
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!((found.0, &found.1), (expected.0, &expected.1), "{event} {pattern}");
                assert!(expected.2.is_none() || found.2 == expected.2, "{event} {pattern} {found:?}");
            }
        }
    }

    /// A name is as long as a filter may be, and each condition below it repeats it.
    #[test]
    fn long_names_make_no_long_warnings() {
        let many = |name: &str| {
            let below: serde_json::Map<_, _> = (0..100).map(|number| (format!("a{number}"), json!([1]))).collect();
            let where_ = json!({ name: below });
            let document =
                json!({"id": "t", "event": "*", "template": "w", "url": "https://h.example/", "where": where_});
            let trigger = Trigger::from_json(document).expect("a trigger");
            Dictionary::shipped().trigger_warnings(&trigger)
        };
        for name in [".".repeat(30_000), "a.".repeat(15_000), "a".repeat(30_000), "numeric".to_owned()] {
            let found = many(&name);
            let bytes: usize = found.iter().map(|own| own.pointer.len() + own.message.len()).sum();
            assert!((1..=BYTES_MAX + 2 * name.len()).contains(&bytes), "{bytes}");
            assert!(found.iter().all(|own| own.message.len() < 500), "{}", found[0].message);
        }
        assert_eq!(many("numeric").len(), WARNINGS_MAX);
        assert!(many("guest.name").iter().all(|own| own.message.contains("{\"guest\": {\"name\": […]}}")));
    }
}
