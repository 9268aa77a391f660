//! The identity of a firing, as an entry's field: account, event type, event source, event id and trigger, as a JSON list.
//! In a pack a firing that differs from the first one in the event's id alone is `=` and that id.

use std::borrow::Cow;

use serde::Deserialize;

use crate::model::event::{EventIdentity, EventType};
use crate::model::firing::FiringId;
use crate::model::id::{AccountId, LastName, TriggerId};

pub(super) fn firing_text(FiringId { event, trigger }: &FiringId) -> Vec<u8> {
    let names = [event.account(), event.event_type(), event.source(), event.id(), trigger.as_str()];
    serde_json::to_vec(&names).expect("a list of strings is JSON")
}

const SAME_BUT_ID: u8 = b'=';

/// The text of a firing in a pack with this first one.
pub(super) fn firing_text_after(first: Option<&FiringId>, firing: &FiringId) -> Vec<u8> {
    let is_same = |first: &FiringId| first.trigger == firing.trigger && first.event.differs_in_id_only(&firing.event);
    if first.is_some_and(is_same) {
        [&[SAME_BUT_ID], firing.event.id().as_bytes()].concat()
    } else {
        firing_text(firing)
    }
}

/// The names in their order.
#[derive(Deserialize)]
struct FiringNames<'t>(
    #[serde(borrow)] Cow<'t, str>,
    #[serde(borrow)] Cow<'t, str>,
    #[serde(borrow)] Cow<'t, str>,
    #[serde(borrow)] Cow<'t, str>,
    #[serde(borrow)] Cow<'t, str>,
);

/// Reads firings, and keeps the names that the last one had: consecutive deliveries usually share all but the event's id.
#[derive(Debug, Default)]
pub(super) struct FiringReader {
    account: LastName<AccountId>,
    event_type: LastName<EventType>,
    trigger: LastName<TriggerId>,
}

impl FiringReader {
    /// The same in a pack with this first firing.
    pub(super) fn read_after(&mut self, first: Option<&FiringId>, text: &[u8]) -> Option<FiringId> {
        let Some((&SAME_BUT_ID, id)) = text.split_first() else { return self.read(text) };
        let (first, id) = (first?, std::str::from_utf8(id).ok()?);
        Some(FiringId { event: first.event.with_id(id), trigger: first.trigger.clone() })
    }

    /// `None` if the text names no firing: the delivery is sent but does not appear in the activity.
    pub(super) fn read(&mut self, text: &[u8]) -> Option<FiringId> {
        let FiringNames(account, event_type, source, id, trigger) = serde_json::from_slice(text).ok()?;
        let account = self.account.read(&account, AccountId::new).ok()?;
        let event_type = self.event_type.read(&event_type, EventType::new).ok()?;
        let trigger = self.trigger.read(&trigger, TriggerId::new).ok()?;
        Some(FiringId { event: EventIdentity::new(account, event_type, &source, &id), trigger: trigger.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firing(account: &str, event_type: &str, source: &str, id: &str, trigger: &str) -> FiringId {
        let account = AccountId::new(account).expect("a name");
        let event_type = EventType::new(event_type).expect("a type");
        FiringId {
            event: EventIdentity::new(&account, &event_type, source, id),
            trigger: TriggerId::new(trigger).expect("a name"),
        }
    }

    #[test]
    fn each_firing_is_read_as_it_was_written_whatever_the_last_one_was() {
        let mut reader = FiringReader::default();
        let all = [
            firing("acme", "guest.created", "", "1", "t"),
            firing("acme", "guest.created", "", "2", "t"),
            firing("acme", "guest.created", "a\"b\\é\u{1F600}\n", "3", "t"),
            firing("acme", "guest.changed", "", "4", "u"),
            firing("other", "guest.changed", "", "4", "u"),
            firing("acme", "guest.created", "", "1", "t"),
        ];
        for given in &all {
            assert_eq!(reader.read(&firing_text(given)).as_ref(), Some(given));
            for first in all.iter().map(Some).chain([None]) {
                assert_eq!(reader.read_after(first, &firing_text_after(first, given)).as_ref(), Some(given));
            }
        }
        assert_eq!(firing_text_after(Some(&all[0]), &all[1]), b"=2");
        assert_eq!(reader.read_after(None, b"=2"), None, "after none");
        assert_eq!(reader.read_after(Some(&all[0]), b"=\xff"), None);
    }

    #[test]
    fn a_trigger_that_stays_the_same_is_kept_once() {
        let mut reader = FiringReader::default();
        let [first, second] =
            ["1", "2"].map(|id| reader.read(&firing_text(&firing("acme", "a.b", "s", id, "t"))).expect("a firing"));
        assert_eq!(first.trigger.as_str().as_ptr(), second.trigger.as_str().as_ptr());
    }

    #[test]
    fn what_names_no_firing_is_none_and_changes_nothing() {
        let mut reader = FiringReader::default();
        let given = firing("acme", "a.b", "s", "1", "t");
        assert_eq!(reader.read(&firing_text(&given)).as_ref(), Some(&given));
        for text in [
            "",
            "[]",
            r#"["acme","a.b","s","1"]"#,
            r#"["acme","a.b","s","1","t","u"]"#,
            r#"["acme","a.b","s",1,"t"]"#,
            r#"["a b","a.b","s","1","t"]"#,
            r#"["acme","a b","s","1","t"]"#,
            r#"["acme","a.b","s","1","t t"]"#,
        ] {
            assert_eq!(reader.read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(reader.read(&firing_text(&given)).as_ref(), Some(&given));
    }
}
