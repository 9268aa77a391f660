//! Headers that tell a browser what it may do with a response. The defaults are for data: it may not be run, framed,
//! sniffed or cached. The console's files set their own policy.

use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;

/// Adds the headers that a response does not have.
pub(super) fn security_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"))
        .add((header::CACHE_CONTROL, "no-store"))
}
