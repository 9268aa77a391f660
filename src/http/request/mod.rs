//! What handlers read from a request: who calls and what they may do, the parameters of the path and the query, and the
//! body; each within its bounds.

pub(super) mod auth;
pub(super) mod body;
mod body_buffer;
pub(super) mod caller;
pub(super) mod expensive;
mod gzip;
mod keyless;
pub(super) mod paging;
pub(super) mod path;
pub(super) mod query;
