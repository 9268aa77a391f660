//! Reads the members that events have in every encoding. Values that an event has in common with the one before it are
//! made, or checked, once.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use super::rejection::Rejection;
use crate::json::Json;
use crate::model::event::{EVENT_ID_BYTES_MAX, EventType};
use crate::model::id::{AccountId, DEFAULT_ACCOUNT, EventIds, IdText, LastName};
use crate::model::rfc_3339;

thread_local! {
    /// The time that was written last, in milliseconds: several requests may arrive in one of them.
    static WRITTEN: RefCell<(u64, Arc<str>)> = RefCell::new((u64::MAX, "".into()));
    static NAMES: Cell<LastNames> =
        const { Cell::new(LastNames { account: LastName::none(), event_type: LastName::none() }) };
}

/// A time, in milliseconds of the Unix time.
fn written(millisecond: u64) -> Arc<str> {
    WRITTEN.with_borrow_mut(|(at, text)| {
        if *at != millisecond {
            let time = i64::try_from(millisecond).ok().and_then(|own| Timestamp::from_millisecond(own).ok());
            (*at, *text) = (millisecond, time.unwrap_or(Timestamp::MAX).to_string().into());
        }
        Arc::clone(text)
    })
}

/// The account and the type that an event had last: most have the same, and those are checked once.
#[derive(Debug, Default)]
pub(super) struct LastNames {
    account: LastName<AccountId>,
    event_type: LastName<EventType>,
}

impl LastNames {
    /// Those that a request on this thread had.
    pub(super) fn take() -> Self {
        NAMES.take()
    }

    /// For the next request.
    pub(super) fn keep(self) {
        NAMES.set(self);
    }

    /// Reads those of the next event.
    pub(super) fn read(
        &mut self,
        event_type: Option<Json<'_>>,
        account: Option<Json<'_>>,
    ) -> Result<(&AccountId, &EventType), Rejection> {
        let event_type = text("type", event_type)?.ok_or(Rejection::Missing("type"))?;
        let event_type = self.event_type.read(event_type, EventType::new)?;
        let account = text("account", account)?.unwrap_or(DEFAULT_ACCOUNT);
        let account = self.account.read(account, AccountId::new).map_err(Rejection::Account)?;
        Ok((account, event_type))
    }
}

/// The time of a request, and the ids of its events that have none.
#[derive(Debug, Default)]
pub(super) struct GeneratedValues {
    /// In milliseconds of the Unix time, once it is needed.
    now: Option<u64>,
    ids: EventIds,
}

impl GeneratedValues {
    fn now(&mut self) -> u64 {
        let read = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        *self.now.get_or_insert_with(read)
    }

    /// The producer's own text if it is a valid time, otherwise the current time, to the millisecond.
    pub(super) fn time(&mut self, value: Option<Json<'_>>) -> Result<Arc<str>, Rejection> {
        let Some(text) = text("time", value)? else {
            return Ok(written(self.now()));
        };
        if rfc_3339::is_time(text) { Ok(text.into()) } else { Err(Rejection::Time) }
    }

    /// The id of an event without one.
    pub(super) fn new_id<'t>(&mut self, room: &'t mut IdText) -> &'t str {
        let now = self.now();
        self.ids.next_id(now, room)
    }
}

pub(super) fn event_id(value: Json<'_>) -> Result<&str, Rejection> {
    let id = text("id", Some(value))?.unwrap_or_default();
    if id.is_empty() || id.len() > EVENT_ID_BYTES_MAX {
        return Err(Rejection::Id(id.len()));
    }
    Ok(id)
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
        let mut generated = GeneratedValues::default();
        for text in ["9999-12-31T23:59:59Z", "2026-07-01T15:00:00.1234567890123-03:30"] {
            assert_eq!(generated.time(Some(Json::String(text))), Ok(text.into()));
        }
        assert_eq!(generated.time(Some(Json::String("2026-07-01T15:00:00+24:00"))), Err(Rejection::Time));
    }

    #[test]
    fn the_time_of_a_request_is_that_of_all_its_events() {
        assert_eq!(&*written(1_700_000_000_120), "2023-11-14T22:13:20.12Z");
        let mut generated = GeneratedValues { now: Some(1_700_000_000_000), ..GeneratedValues::default() };
        for _ in 0..2 {
            assert_eq!(generated.time(None).as_deref(), Ok("2023-11-14T22:13:20Z"));
            assert!(generated.new_id(&mut [0; 36]).starts_with("018bcfe5-6800-7"));
            written(0);
        }
    }
}
