//! Reads the members that events have in every encoding. Values that several events of one request have in common are
//! created once.

use std::cell::RefCell;
use std::sync::Arc;

use jiff::Timestamp;

use super::rejection::Rejection;
use crate::json::Json;
use crate::model::event::{EVENT_ID_BYTES_MAX, EventType};
use crate::model::id::{AccountId, EventIds};
use crate::model::rfc_3339;

thread_local! {
    /// The time that was written last, in milliseconds: several requests may arrive in one of them.
    static WRITTEN: RefCell<Option<(i64, Arc<str>)>> = const { RefCell::new(None) };
}

/// The current time, to the millisecond.
fn now() -> Arc<str> {
    let now = Timestamp::now();
    let millisecond = now.as_millisecond();
    WRITTEN.with_borrow_mut(|written| match written {
        Some((at, text)) if *at == millisecond => Arc::clone(text),
        _ => {
            let text: Arc<str> = Timestamp::from_millisecond(millisecond).unwrap_or(now).to_string().into();
            *written = Some((millisecond, Arc::clone(&text)));
            text
        }
    })
}

/// The values of the request's previous event: the next one usually has the same.
#[derive(Debug, Default)]
pub(super) struct PreviousValues {
    event_type: Option<EventType>,
    account: Option<AccountId>,
    now: Option<Arc<str>>,
    no_source: Option<Arc<str>>,
    ids: EventIds,
}

impl PreviousValues {
    pub(super) fn event_type(&mut self, value: Option<Json<'_>>) -> Result<EventType, Rejection> {
        let text = text("type", value)?.ok_or(Rejection::Missing("type"))?;
        if let Some(same) = self.event_type.as_ref().filter(|last| last.as_str() == text) {
            return Ok(same.clone());
        }
        let read = EventType::new(text)?;
        Ok(self.event_type.insert(read).clone())
    }

    pub(super) fn account(&mut self, value: Option<Json<'_>>) -> Result<AccountId, Rejection> {
        let named = text("account", value)?;
        let same = self.account.as_ref().filter(|last| match named {
            Some(name) => last.as_str() == name,
            None => **last == AccountId::default_account(),
        });
        if let Some(same) = same {
            return Ok(same.clone());
        }
        let read = match named {
            None => AccountId::default_account(),
            Some(name) => AccountId::new(name).map_err(Rejection::Account)?,
        };
        Ok(self.account.insert(read).clone())
    }

    /// The producer's own text if it is a valid time, otherwise the current time, to the millisecond.
    pub(super) fn time(&mut self, value: Option<Json<'_>>) -> Result<Arc<str>, Rejection> {
        let Some(text) = text("time", value)? else {
            return Ok(Arc::clone(self.now.get_or_insert_with(now)));
        };
        if rfc_3339::is_time(text) { Ok(text.into()) } else { Err(Rejection::Time) }
    }

    /// The id of an event without one.
    pub(super) fn new_id(&mut self) -> Arc<str> {
        self.ids.next_id()
    }

    /// The source of an event without one.
    pub(super) fn no_source(&mut self) -> Arc<str> {
        Arc::clone(self.no_source.get_or_insert_with(|| "".into()))
    }
}

pub(super) fn event_id(value: Json<'_>) -> Result<Arc<str>, Rejection> {
    let id = text("id", Some(value))?.unwrap_or_default();
    if id.is_empty() || id.len() > EVENT_ID_BYTES_MAX {
        return Err(Rejection::Id(id.len()));
    }
    Ok(id.into())
}

/// Accepts data that templates can read.
pub(super) fn data(value: Json<'_>) -> Result<(), Rejection> {
    match value {
        Json::Object(_) => Ok(()),
        other => Err(Rejection::NotObject("`data`", other.kind())),
    }
}

pub(super) fn text<'a>(name: &str, value: Option<Json<'a>>) -> Result<Option<&'a str>, Rejection> {
    match value {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(other) => Err(Rejection::NotText(name.to_owned(), other.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_kept_as_it_came() {
        let mut members = PreviousValues::default();
        for text in ["9999-12-31T23:59:59Z", "2026-07-01T15:00:00.1234567890123-03:30"] {
            assert_eq!(members.time(Some(Json::String(text))), Ok(text.into()));
        }
        assert_eq!(members.time(Some(Json::String("2026-07-01T15:00:00+24:00"))), Err(Rejection::Time));
    }

    #[test]
    fn common_values_are_created_once_and_never_mixed_up() {
        let mut members = PreviousValues::default();
        let mut account = |name: Option<&'static str>| members.account(name.map(Json::String)).expect("a name");
        let named: Vec<AccountId> =
            [None, Some("a"), Some("a"), Some("b"), None, Some("default")].map(&mut account).into();
        assert_eq!(
            named.iter().map(AccountId::as_str).collect::<Vec<_>>(),
            ["default", "a", "a", "b", "default", "default"]
        );
        assert!(members.account(Some(Json::String("a b"))).is_err());
        let mut event_type = |name| members.event_type(Some(Json::String(name))).map(|t| t.as_str().to_owned());
        assert_eq!(event_type("x.y"), Ok("x.y".to_owned()));
        assert!(event_type("x y").is_err());
        assert_eq!(event_type("x.y"), Ok("x.y".to_owned()));
        assert_eq!(event_type("z"), Ok("z".to_owned()));
    }
}
