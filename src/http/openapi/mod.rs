//! The OpenAPI 3.1 document, generated from the route table: each call has a description, and each description the
//! schemas that it refers to.

pub(super) mod operation;
mod rules;
pub(super) mod shapes;
pub(super) mod terms;

use serde_json::{Map, Value, json};

use operation::{Operation, Schemas, Shape, problem};

use super::problem::Problem;

/// A call, as the document needs it.
pub(super) struct DescribedCall {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) operation: Operation,
}

/// The document of these calls, in their order. `allow` returns the methods of a path.
pub(super) fn document(calls: Vec<DescribedCall>, allow: impl Fn(&str) -> String) -> Value {
    let mut schemas = Schemas::new();
    Shape::of::<Problem>().collect(&mut schemas);
    let mut paths = Map::new();
    for DescribedCall { path, method, operation } in calls {
        for shape in operation.shapes() {
            shape.collect(&mut schemas);
        }
        let mut described = operation.document(path);
        described["responses"]["405"] = problem(405, &format!("This path supports {}", allow(path)));
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method] = described;
    }
    let mut schemas = serde_json::to_value(schemas).expect("schemas are JSON");
    rules::flatten(&mut schemas);
    rules::apply(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Posthaste",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": "Accepts events over HTTP, renders each customer's templates with them, and sends each result as one HTTP POST. Errors are problem \
                            documents (RFC 9457) with a stable `code`.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    })
}
