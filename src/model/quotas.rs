//! What one account may store, so that no account fills what all share. The values are settings.

use serde_json::{Map, Value};

use super::field::FieldError;
use super::outcome::DropReason;
use super::trigger::{BrokenRule, Trigger};
use super::words::words;
use crate::matching::Pattern;

/// The quotas of each account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotas {
    /// Triggers.
    pub triggers: usize,
    /// Templates.
    pub templates: usize,
    /// Bytes of the documents of both.
    pub bytes: usize,
    /// Bytes of one trigger's filter, as compact JSON.
    pub filter_bytes: usize,
    /// Headers of one trigger.
    pub headers: usize,
    /// Secrets of one trigger.
    pub secrets: usize,
}

words! {
    /// A quota of an account.
    pub enum Quota {
        /// Triggers.
        Triggers = "triggers",
        /// Templates.
        Templates = "templates",
        /// Bytes of documents.
        Bytes = "bytes",
    }
}

impl Quotas {
    /// Every quota that a trigger's document exceeds. Checked before the document is processed.
    pub fn check_document(&self, members: &Map<String, Value>) -> Vec<FieldError> {
        let length = |member: &str| match members.get(member) {
            Some(Value::Array(items)) => items.len(),
            Some(Value::Object(members)) => members.len(),
            _ => 0,
        };
        self.check(members.get("where").map_or(0, json_bytes), length("headers"), length("secrets"))
    }

    fn check(&self, filter_bytes: usize, headers: usize, secrets: usize) -> Vec<FieldError> {
        let parts = [
            ("where", "filter_too_large", "bytes", filter_bytes, self.filter_bytes),
            ("headers", "too_many", "headers", headers, self.headers),
            ("secrets", "too_many", "secrets", secrets, self.secrets),
        ];
        let over = parts.into_iter().filter(|(.., number, most)| number > most);
        over.map(|(member, code, what, number, most)| {
            let detail = format!("`{member}` has {number} {what}; at most {most} are accepted");
            FieldError::new(format!("/{member}"), code, detail)
        })
        .collect()
    }

    /// Every quota that a trigger exceeds, which was saved under other quotas or by another program.
    pub fn check_trigger(&self, trigger: &Trigger) -> Vec<BrokenRule> {
        let filter_bytes = trigger.pattern.as_ref().map_or(0, Pattern::source_bytes);
        let over = self.check(filter_bytes, trigger.headers.len(), trigger.secrets.len());
        let reason =
            |pointer: &str| if pointer == "/where" { DropReason::FilterTooCostly } else { DropReason::HeaderRefused };
        over.into_iter().map(|error| BrokenRule { reason: reason(&error.pointer), error }).collect()
    }
}

/// The length of a value as compact JSON, computed without creating the text.
pub fn json_bytes(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("a value is JSON, and counting never fails");
    count.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const QUOTAS: Quotas = Quotas { triggers: 1, templates: 1, bytes: 100, filter_bytes: 20, headers: 2, secrets: 1 };

    #[test]
    fn each_part_of_a_document_has_its_quota() {
        for (document, expected) in [
            (json!({"where": {"a": ["é"]}, "headers": {"a": "1", "b": "2"}, "secrets": [{}]}), &[][..]),
            (json!({"where": {"a": ["x".repeat(12)]}}), &["/where filter_too_large"]),
            (
                json!({"headers": {"a": "1", "b": "2", "c": "3"}, "secrets": [{}, {}]}),
                &["/headers too_many", "/secrets too_many"],
            ),
            (json!({"headers": 7, "secrets": "x"}), &[]),
        ] {
            let over = QUOTAS.check_document(document.as_object().expect("an object"));
            let over: Vec<String> = over.iter().map(|error| format!("{} {}", error.pointer, error.code)).collect();
            assert_eq!(over, expected, "{document}");
        }
    }

    #[test]
    fn the_length_is_that_of_the_text() {
        for value in [json!(null), json!({"a": [1.50, "é\n\"", true]}), json!([])] {
            assert_eq!(json_bytes(&value), value.to_string().len());
        }
    }
}
