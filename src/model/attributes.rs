//! The attributes of a CloudEvent that other events don't have: `subject`, `datacontenttype` and extension attributes
//! (CloudEvents 1.0, sections 3.1 and 3.3).

use serde_json::{Map, Value};

/// The most attributes of an event. The specification asks producers to send few, and each is found by a linear search.
pub const ATTRIBUTES_MAX: usize = 64;

/// The size of an attribute in addition to its name and value.
const ATTRIBUTE_BYTES: usize = 128;

/// Names and values: strings, numbers, true and false. Most events have none, which needs no memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes(Option<Box<Map<String, Value>>>);

/// An event has more than [`ATTRIBUTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event has at most {ATTRIBUTES_MAX} attributes of its own; put the others into its data")]
pub struct TooManyAttributes;

impl Attributes {
    /// Sets one that is not set yet.
    pub fn add(&mut self, name: &str, value: Value) -> Result<(), TooManyAttributes> {
        let own = self.0.get_or_insert_default();
        if own.len() >= ATTRIBUTES_MAX && !own.contains_key(name) {
            return Err(TooManyAttributes);
        }
        own.entry(name).or_insert(value);
        Ok(())
    }

    /// All attributes, in the order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> + Clone {
        self.0.iter().flat_map(|own| own.iter()).map(|(name, value)| (name.as_str(), value))
    }

    /// As JSON text, for storage; empty if there are none.
    pub fn to_text(&self) -> String {
        self.0.as_ref().map(|own| serde_json::to_string(own).unwrap_or_default()).unwrap_or_default()
    }

    /// Reads the stored text.
    pub fn from_text(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        serde_json::from_str(text).ok().map(|own| Self(Some(own)))
    }

    /// An upper bound of the memory that they need.
    pub fn heap_bytes(&self) -> usize {
        let text = |value: &Value| match value {
            Value::Number(number) => number.as_str().len(),
            value => value.as_str().map_or(0, str::len),
        };
        self.iter().map(|(name, value)| ATTRIBUTE_BYTES + name.len() + text(value)).sum()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_are_kept_as_they_are_and_bounded() {
        assert_eq!(
            (Attributes::default().to_text(), Attributes::from_text("")),
            ("".into(), Some(Attributes::default()))
        );
        let mut attributes = Attributes::default();
        for n in 0..ATTRIBUTES_MAX {
            assert_eq!(attributes.add(&format!("a{n}"), json!(n)), Ok(()));
        }
        assert_eq!(attributes.add("more", json!(true)), Err(TooManyAttributes));
        assert_eq!(attributes.add("a0", json!("the first stays")), Ok(()));
        assert_eq!(attributes.iter().next(), Some(("a0", &json!(0))));
        assert_eq!(Attributes::from_text(&attributes.to_text()), Some(attributes.clone()));
        assert!(attributes.heap_bytes() >= attributes.to_text().len());
        assert_eq!(Attributes::from_text("[]"), None);
    }
}
