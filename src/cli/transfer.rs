//! What export and import share: the format of the file, and opening the store that the settings name. The file is
//! one JSON document:
//!
//! ```json
//! {"posthaste_export":1,"accounts":[
//!   {"account":"acme","templates":[{"id":"welcome","format":"json","body":"…"}],
//!    "triggers":[{"id":"new-guest","event":"guest.created","template":"welcome","url":"https://…","secret":"whsec_…"}]}]}
//! ```
//!
//! Templates and triggers are written as the HTTP interface takes them. Keys are never in it.

use std::sync::Arc;

use super::error::CommandError;
use crate::config::Config;
use crate::flow::messages::{LiveTarget, LiveTemplate};
use crate::model::id::AccountId;
use crate::model::outcome::DropReason;
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use crate::store::{Change, ChangeSink, Snapshot, Store};
use crate::telemetry::metrics::Metrics;

/// The member that marks the file, and the format that this version reads and writes.
pub(super) const MARK: &str = "posthaste_export";
/// See [`MARK`].
pub(super) const VERSION: u64 = 1;

/// Ignores what the store holds: only matching events needs it.
struct IgnoringSink;

impl ChangeSink for IgnoringSink {
    fn compile(&self, _: &AccountId, _: &Template) -> Option<Arc<LiveTemplate>> {
        None
    }

    fn target(&self, _: &AccountId, _: &Trigger) -> Result<LiveTarget, DropReason> {
        Err(DropReason::UrlRefused)
    }

    fn apply(&self, _: Vec<Change>) {}

    fn snapshot(&self, _: usize) -> Box<dyn Snapshot + '_> {
        Box::new(Self)
    }
}

impl Snapshot for IgnoringSink {
    fn add(&mut self, _: Vec<Change>) {}

    fn finish(self: Box<Self>) {}
}

/// Opens the store that the settings name.
pub(super) async fn open(config: &Config) -> Result<Store, CommandError> {
    if !config.store.capabilities().persistent {
        return Err(CommandError::MemoryStore);
    }
    Ok(Store::open(&config.store, Arc::new(IgnoringSink), Arc::new(Metrics::new())).await?)
}
