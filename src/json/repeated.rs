//! Finds repeated members of an object. JSON readers silently take the last one; in a text that a person writes, it is
//! a mistake.

use std::collections::HashSet;
use std::{fmt, io};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The most repeated members that are reported.
const FOUND_MAX: usize = 100;

/// The JSON Pointers of the repeated members below a place, at most a hundred. The names on the path to the place are
/// given in `below`, where `*` is any name or any index of a list. Text after a syntax error is not read.
pub fn repeated_members(text: &[u8], below: &[&str]) -> Vec<String> {
    let mut search = RepeatedNameSearch { pointer: String::new(), way: below, found: Vec::new() };
    let begin = super::encoding::begin(text).unwrap_or(0);
    let mut reader = serde_json::Deserializer::from_slice(&text[begin..]);
    // It ends early, with an error, once there are too many.
    let _ = (&mut search).deserialize(&mut reader);
    search.found
}

/// Whether a text is the compact form of the value that was read from it, so that nothing of it was left out. It takes a
/// third of the time of [`repeated_members`].
pub fn is_compact(value: &Value, text: &[u8]) -> bool {
    struct Rest<'t>(&'t [u8]);
    impl io::Write for Rest<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut rest = Rest(text);
    serde_json::to_writer(&mut rest, value).is_ok() && rest.0.is_empty()
}

struct RepeatedNameSearch<'w> {
    pointer: String,
    /// The rest of the path to the place; empty at the place and below it.
    way: &'w [&'w str],
    found: Vec<String>,
}

impl<'w> RepeatedNameSearch<'w> {
    /// Visits a member or an element, unless the place is elsewhere.
    fn enter<T>(&mut self, name: &str, visit: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let (way, length) = (self.way, self.pointer.len());
        if let Some((first, rest)) = way.split_first() {
            if *first != "*" && *first != name {
                return None;
            }
            self.way = rest;
        }
        self.pointer.push('/');
        self.pointer.push_str(&super::names::pointer_part(name));
        let visited = visit(self);
        self.pointer.truncate(length);
        self.way = way;
        Some(visited)
    }
}

impl<'de> DeserializeSeed<'de> for &mut RepeatedNameSearch<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut RepeatedNameSearch<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::<_, foldhash::fast::RandomState>::default();
        while let Some(name) = members.next_key::<String>()? {
            let is_repeated = self.way.is_empty() && names.contains(&name);
            let visited = self.enter(&name, |search| {
                if is_repeated && search.found.len() < FOUND_MAX {
                    search.found.push(search.pointer.clone());
                }
                members.next_value_seed(search)
            });
            match visited {
                Some(visited) => visited?,
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
            if self.way.is_empty() {
                names.insert(name);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        for place in 0_usize.. {
            let visited = self.enter(&place.to_string(), |search| elements.next_element_seed(search));
            let more = match visited {
                Some(visited) => visited?.is_some(),
                None => elements.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
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
    fn a_compact_text_repeats_nothing() {
        let is_compact = |text: &str| is_compact(&serde_json::from_str(text).expect(text), text.as_bytes());
        for compact in [
            r#"{"a":[1e+5,1e-5,-0,0.10,1e+400,12345678901234567890123],"":null}"#,
            r#"["\"\\/\b\f\n\r\t\u0000\u001f","é€😀 ",{},[true,false]]"#,
        ] {
            assert!(is_compact(compact), "{compact}");
        }
        // In the last text the value read is as long as the text, and yet a member is repeated.
        for other in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":"","b":{"c":"","c":""}}"#,
            "[ 1]",
            "1 ",
            r#"{"a":1,"a":[1e5,1e5,1e5,1e5,1e5,1e5]}"#,
        ] {
            assert!(!is_compact(other), "{other}");
        }
    }

    #[test]
    fn repeated_members_below_a_place_are_found() {
        let many: String = (0..300).map(|_| "\"a\":1,").collect();
        for (text, found) in [
            (r#"{"where":{"a":[1],"a":[2]}}"#, &["/where/a"][..]),
            (r#"{"id":1,"id":2,"where":{"a":[{"b":1,"c":2,"b":{}}],"d":0,"d":1}}"#, &["/where/a/0/b", "/where/d"]),
            (r#"{"id":1,"id":2,"where":{"a":[1e400,true,null,"x"],"b":{"a":1}}}"#, &[]),
            (r#"{"where":{"$or":[{"a":[1]},{"a~/":[1],"a~/":[1]}]}}"#, &["/where/$or/1/a~0~1"]),
            (r#"{"where":{"a":[1],"\u0061":[2]}}"#, &["/where/a"]),
            ("\u{feff}{\"where\":{\"a\":[1],\"a\":[2]}}", &["/where/a"]),
            (r#"{"whereas":{"a":1,"a":1},"else":{"where":{"a":1,"a":1}},"where":{}"#, &[]),
        ] {
            assert_eq!(repeated_members(text.as_bytes(), &["where"]), found, "{text}");
        }
        assert_eq!(repeated_members(format!("{{{many}\"b\":1}}").as_bytes(), &[]).len(), FOUND_MAX);
    }

    #[test]
    fn a_place_may_be_in_every_element_of_a_list() {
        let text = r#"{"x":[{"t":[{"w":{"a":1}},{"id":1,"id":1,"w":{"a":1,"a":1}}]},{"t":[{"w":{"b":1,"b":2}}]}]}"#;
        let found = repeated_members(text.as_bytes(), &["x", "*", "t", "*", "w"]);
        assert_eq!(found, ["/x/0/t/1/w/a", "/x/1/t/0/w/b"]);
    }
}
