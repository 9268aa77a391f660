//! The OpenAPI document, made from the code.

use actix_web::HttpResponse;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A key to make.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct NewKey {}
/// A key.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct ShownKey {}
/// Keys.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct KeyList {}
/// A template to check.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct TemplateQuestion {}

/// The document.
pub fn document() -> Value {
    json!({"openapi": "3.1.0"})
}

pub(super) async fn serve() -> HttpResponse {
    HttpResponse::Ok().json(document())
}
