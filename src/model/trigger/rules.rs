//! The rules that a trigger must follow when it is saved. A trigger that was saved before they became stricter, or
//! under other settings, is read and reported, and fires nothing.

use super::Trigger;
use crate::model::egress::EgressRules;
use crate::model::field::FieldError;
use crate::model::headers::{HEADERS_BYTES_MAX, HEADERS_MAX, check_name, check_value};
use crate::model::outcome::DropReason;
use crate::model::trigger::parts::header_pointer;
use crate::model::url::URL_BYTES_MAX;

/// A rule that a trigger breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// Where, and what to write instead.
    pub error: FieldError,
    /// Why its deliveries are dropped.
    pub reason: DropReason,
}

impl Trigger {
    /// Every rule that the trigger breaks.
    pub fn broken_rules(&self, egress: &EgressRules) -> Vec<BrokenRule> {
        let mut broken = Vec::new();
        self.check_url(egress, |code, detail| {
            broken.push(BrokenRule { error: FieldError::new("/url", code, detail), reason: DropReason::UrlRefused });
        });
        self.check_headers(|pointer, code, detail| {
            broken
                .push(BrokenRule { error: FieldError::new(pointer, code, detail), reason: DropReason::HeaderRefused });
        });
        broken
    }

    fn check_url(&self, egress: &EgressRules, mut refuse: impl FnMut(&'static str, String)) {
        let length = self.url.as_written().len();
        if length > URL_BYTES_MAX {
            refuse("bad_url", format!("`url`: it has {length} bytes; at most {URL_BYTES_MAX} are accepted"));
        }
        if let Err(refused) = egress.check(&self.url.destination) {
            refuse("url_refused", format!("`url`: {refused}"));
        }
    }

    fn check_headers(&self, mut refuse: impl FnMut(String, &'static str, String)) {
        let number = self.headers.len();
        if number > HEADERS_MAX {
            refuse("/headers".into(), "too_many", format!("{number} headers; at most {HEADERS_MAX} are accepted"));
        }
        let bytes: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > HEADERS_BYTES_MAX {
            let detail = format!(
                "the names and values of the headers have {bytes} bytes; at most {HEADERS_BYTES_MAX} are accepted"
            );
            refuse("/headers".into(), "too_long", detail);
        }
        for (name, value) in &self.headers {
            if let Err(error) = check_name(name).and_then(|()| check_value(name, value)) {
                refuse(header_pointer(name), "bad_header", error.to_string());
            }
        }
    }
}
