//! The HTTP interface, version 1. The table of all calls is here; one file for each kind of resource handles them. To
//! add a call, write its handler with its description, and its line in the table. The modules below this layer decide
//! about records and events; it sends no deliveries itself.

mod activity;
mod auth;
mod body;
mod body_buffer;
mod call;
mod caller;
mod codes;
mod console;
mod destinations;
mod dictionary;
mod events;
mod expect;
mod expensive;
mod expressions;
mod finding;
mod gzip;
pub mod inbound;
mod keyless;
mod keys;
mod openapi;
mod operations;
mod paging;
mod path;
mod precondition;
mod presets;
mod problem;
mod query;
mod records;
mod routes;
mod secret_rotate;
mod security;
mod state;
mod template_check;
mod templates;
mod trigger_check;
mod trigger_explain;
mod trigger_test;
mod triggers;
mod whoami;

pub use activity::SENT_EVERY as ACTIVITY_SENT_EVERY;
pub use codes::{PROBLEM_CODES, ProblemCode};
pub use events::EventsCall;
pub use problem::Problem;
pub use routes::{admin_routes, openapi_document, routes};
pub use state::{AppState, Pipeline};

use call::Call;

use crate::model::template::Template;
use crate::model::trigger::Trigger;

/// All calls, in the order of the OpenAPI document.
fn table() -> Vec<Call> {
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
