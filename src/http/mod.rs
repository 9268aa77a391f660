//! The HTTP interface, version 1. Its modules, in the order in which a request passes them:
//!
//! - `inbound/`: connections, and the server that reads requests from them
//! - `routes.rs`: which call a request is for; it follows from the table in `resources/mod.rs`, as does `openapi/`
//! - `request/`: who calls, within what bounds, and with what parameters and body
//! - `resources/`: the handlers; `console/`: the web page
//! - `problem.rs`, `codes.rs`, `security.rs`: errors, and the headers of each response
//!
//! The layers below decide about records and events; this one sends no deliveries itself.

mod call;
mod codes;
mod console;
pub mod inbound;
mod openapi;
mod problem;
mod request;
mod resources;
mod routes;
mod security;
mod state;

pub use codes::{PROBLEM_CODES, ProblemCode};
pub use problem::Problem;
pub use resources::ACTIVITY_SENT_EVERY;
pub use resources::events::EventsCall;
pub use routes::{admin_routes, openapi_document, routes};
pub use state::{AppState, Pipeline};
