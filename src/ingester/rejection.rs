//! Why one event of a request is rejected: a stable code, and a sentence for the producer.

use crate::json::Malformed;
use crate::model::attributes::TooManyAttributes;
use crate::model::event::{EVENT_ID_BYTES_MAX, EventTypeError};
use crate::model::id::{AccountId, NameError};

/// The reason for which an event is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rejection {
    #[error("{0}")]
    Malformed(String),
    #[error("`{0}` is required")]
    Missing(&'static str),
    #[error("`{0}` must be a string, not {1}")]
    NotText(String, &'static str),
    /// What must be an object, and what it is.
    #[error("{0} must be a JSON object, not {1}")]
    NotObject(&'static str, &'static str),
    #[error("the attribute {0:?} is a string, a number, true or false, not {1}")]
    NotScalar(String, &'static str),
    #[error(transparent)]
    EventType(#[from] EventTypeError),
    #[error("`account`: {0}")]
    Account(NameError),
    #[error("this key may post events of the account {own} only, not of {other}")]
    OtherAccount { own: AccountId, other: String },
    #[error("`time` must be an RFC 3339 time, such as 2026-07-01T15:00:00Z")]
    Time,
    /// The length of the id in bytes.
    #[error("`id` has {0} bytes; it must have 1 to {EVENT_ID_BYTES_MAX}")]
    Id(usize),
    #[error("an event has no member {0:?}; it has type, account, id, time and data")]
    UnknownMember(String),
    #[error(
        "this is a CloudEvent; send it as application/cloudevents+json, or an array of them as \
         application/cloudevents-batch+json"
    )]
    CloudEvent,
    #[error("`specversion` must be 1.0")]
    SpecVersion,
    #[error("a CloudEvent has `data` or `data_base64`, not both")]
    DataTwice,
    #[error("`data_base64` is not base64")]
    NotBase64,
    #[error("the data is not JSON; a template needs a JSON object")]
    DataNotJson,
    #[error(transparent)]
    TooManyAttributes(#[from] TooManyAttributes),
}

impl Rejection {
    /// The stable code; `docs/problems.md` lists them.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed_json",
            Self::Missing(_) => "missing_member",
            Self::NotText(..) | Self::NotObject(..) | Self::NotScalar(..) => "wrong_type",
            Self::EventType(_) => "bad_event_type",
            Self::Account(_) => "bad_account",
            Self::OtherAccount { .. } => "account_not_allowed",
            Self::Time => "bad_time",
            Self::Id(_) => "bad_id",
            Self::UnknownMember(_) | Self::CloudEvent => "unknown_member",
            Self::SpecVersion => "bad_specversion",
            Self::DataTwice | Self::NotBase64 | Self::DataNotJson => "bad_data",
            Self::TooManyAttributes(_) => "too_many_attributes",
        }
    }
}

impl From<Malformed> for Rejection {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.to_string())
    }
}
