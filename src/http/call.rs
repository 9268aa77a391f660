//! A call of the interface: its path, its handler, and its description in the OpenAPI document.

use actix_web::Route;
use actix_web::http::Method;

use super::openapi::operation::Operation;

/// One row of the route table.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// Makes a route to the handler; called on each HTTP thread.
    pub(super) handler: fn() -> Route,
    pub(super) operation: fn() -> Operation,
}

impl Call {
    pub(super) fn get(path: &'static str, handler: fn() -> Route, operation: fn() -> Operation) -> Self {
        Self { method: Method::GET, path, handler, operation }
    }

    pub(super) fn put(path: &'static str, handler: fn() -> Route, operation: fn() -> Operation) -> Self {
        Self { method: Method::PUT, path, handler, operation }
    }

    pub(super) fn post(path: &'static str, handler: fn() -> Route, operation: fn() -> Operation) -> Self {
        Self { method: Method::POST, path, handler, operation }
    }

    pub(super) fn delete(path: &'static str, handler: fn() -> Route, operation: fn() -> Operation) -> Self {
        Self { method: Method::DELETE, path, handler, operation }
    }
}
