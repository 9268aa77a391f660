//! Plain data: what customers and producers create, and the results of its processing. A value that exists is valid.
//! Nothing here knows a stage or a framework.

pub mod attributes;
pub mod delivery;
pub mod destination;
pub mod duration_text;
pub mod egress;
pub mod event;
pub mod field;
pub mod firing;
pub mod headers;
pub mod id;
pub mod key;
pub mod media_type;
pub mod outcome;
pub mod quotas;
pub mod rfc_3339;
pub mod secret;
pub mod target;
pub mod template;
pub mod trigger;
pub mod url;
pub(crate) mod words;
