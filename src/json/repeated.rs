//! Finds repeated members of an object. JSON readers silently take the last one; in a text that a person writes, it is
//! a mistake.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The JSON Pointer of the first repeated member below `below` (a JSON Pointer); `None` if there is none, or if the
/// text is not JSON.
pub fn repeated_member(text: &[u8], below: &str) -> Option<String> {
    let mut search = Search { pointer: String::new(), below, found: None };
    let mut reader = serde_json::Deserializer::from_slice(text);
    // Stops with an error at the first one.
    let _ = (&mut search).deserialize(&mut reader);
    search.found
}

struct Search<'b> {
    pointer: String,
    below: &'b str,
    found: Option<String>,
}

impl Search<'_> {
    /// Whether the position is below the searched one, or on the way to it.
    fn concerns(&self) -> bool {
        self.pointer.starts_with(self.below) || self.below.starts_with(&self.pointer)
    }
}

impl<'de> DeserializeSeed<'de> for &mut Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Search<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        let length = self.pointer.len();
        while let Some(name) = members.next_key::<String>()? {
            self.pointer.push('/');
            self.pointer.push_str(&super::names::pointer_part(&name));
            if self.concerns() {
                if self.pointer.starts_with(self.below) && !names.insert(name) {
                    self.found = Some(self.pointer.clone());
                    return Err(serde::de::Error::custom("a member is there twice"));
                }
                members.next_value_seed(&mut *self)?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
            self.pointer.truncate(length);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let length = self.pointer.len();
        for place in 0_usize.. {
            self.pointer.push('/');
            self.pointer.push_str(&place.to_string());
            let more = elements.next_element_seed(&mut *self)?;
            self.pointer.truncate(length);
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_repeated_member_below_a_place_is_found() {
        for (text, found) in [
            (r#"{"where":{"a":[1],"a":[2]}}"#, Some("/where/a")),
            (r#"{"id":1,"id":2,"where":{"a":[{"b":1,"c":2,"b":{}}]}}"#, Some("/where/a/0/b")),
            (r#"{"id":1,"id":2,"where":{"a":[1e400,true,null,"x"],"b":{"a":1}}}"#, None),
            (r#"{"where":{"$or":[{"a":[1]},{"a~/":[1],"a~/":[1]}]}}"#, Some("/where/$or/1/a~0~1")),
            (r#"{"where":{"a":[1],"\u0061":[2]}}"#, Some("/where/a")),
            (r#"{"where":{}"#, None),
        ] {
            assert_eq!(repeated_member(text.as_bytes(), "/where").as_deref(), found, "{text}");
        }
    }
}
