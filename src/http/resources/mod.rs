//! The table of all calls, and their handlers: one file for each kind of resource. To add a call, write its handler with
//! its description, and its line in the table. Its route, `Allow` and the OpenAPI document follow.

mod activity;
mod destinations;
mod dictionary;
pub(super) mod events;
mod keys;
pub(super) mod operations;
mod presets;
pub(super) mod records;
mod whoami;

pub use activity::SENT_EVERY as ACTIVITY_SENT_EVERY;

use super::call::Call;
use super::console;
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use records::{secret_rotate, template_check, trigger_check, trigger_explain, trigger_test};

/// All calls, in the order of the OpenAPI document.
pub(super) fn table() -> Vec<Call> {
    [
        events::calls(),
        records::calls::<Trigger>(),
        trigger_check::calls(),
        trigger_explain::calls(),
        trigger_test::calls(),
        secret_rotate::calls(),
        records::calls::<Template>(),
        template_check::calls(),
        dictionary::calls(),
        presets::calls(),
        keys::calls(),
        whoami::calls(),
        activity::calls(),
        destinations::calls(),
        operations::calls(),
        console::calls(),
    ]
    .concat()
}
