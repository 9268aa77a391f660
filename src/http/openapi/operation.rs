//! The description of one call in the OpenAPI document. A handler's file describes its calls with this builder, beside
//! the handler; what all calls of a kind share is added here.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::terms::{event_type_schema, name_schema};

/// The schemas that the document's references name.
pub(in crate::http) type Schemas = BTreeMap<String, RefOr<Schema>>;

/// A type of the interface: its name in the document, and its schema with those that it refers to.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Shape {
    name: fn() -> String,
    collect: fn(&mut Schemas),
}

impl Shape {
    pub(in crate::http) fn of<T: ToSchema + PartialSchema>() -> Self {
        Self {
            name: || T::name().into_owned(),
            collect: |schemas| {
                let mut referred = Vec::new();
                T::schemas(&mut referred);
                schemas.extend(referred);
                schemas.insert(T::name().into_owned(), T::schema());
            },
        }
    }

    fn reference(self) -> Value {
        json!({"$ref": format!("#/components/schemas/{}", (self.name)())})
    }

    /// Adds its schema, and those that it refers to.
    pub(in crate::http) fn collect(self, schemas: &mut Schemas) {
        (self.collect)(schemas);
    }
}

/// One call, described.
#[derive(Debug, Clone)]
pub(in crate::http) struct Operation {
    id: &'static str,
    tag: &'static str,
    summary: String,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: BTreeMap<u16, Value>,
    shapes: Vec<Shape>,
    open: bool,
}

impl Operation {
    /// `id` is the name of the call in generated clients.
    pub(in crate::http) fn new(id: &'static str, tag: &'static str, summary: impl Into<String>) -> Self {
        let (parameters, responses) = (Vec::new(), BTreeMap::new());
        let (summary, shapes) = (summary.into(), Vec::new());
        Self { id, tag, summary, parameters, body: None, responses, shapes, open: false }
    }

    /// The call needs no key.
    pub(in crate::http) fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// The request is a JSON document.
    pub(in crate::http) fn body(mut self, shape: Shape) -> Self {
        self.shapes.push(shape);
        self.body = Some(json!({"required": true, "content": {"application/json": {"schema": shape.reference()}}}));
        self
    }

    /// The request has a body of other kinds: a request body object (OpenAPI 3.1, section 4.8.13) that refers to these
    /// shapes.
    pub(in crate::http) fn bodies(mut self, body: Value, shapes: &[Shape]) -> Self {
        self.body = Some(body);
        self.shapes.extend(shapes);
        self
    }

    /// A response with a JSON document.
    pub(in crate::http) fn json(mut self, status: u16, what: &str, shape: Shape) -> Self {
        self.shapes.push(shape);
        self.respond(status, what, Some(("application/json", shape.reference())))
    }

    /// A response with a JSON value that no type describes, or with text.
    pub(in crate::http) fn content(self, status: u16, what: &str, media_type: &str, schema: Value) -> Self {
        self.respond(status, what, Some((media_type, schema)))
    }

    /// A type that the document also describes, because a text contains it.
    pub(in crate::http) fn shape(mut self, shape: Shape) -> Self {
        self.shapes.push(shape);
        self
    }

    /// A response without a body.
    pub(in crate::http) fn empty(self, status: u16, what: &str) -> Self {
        self.respond(status, what, None)
    }

    /// A response with a problem document.
    pub(in crate::http) fn problem(mut self, status: u16, what: &str) -> Self {
        self.responses.insert(status, problem(status, what));
        self
    }

    fn respond(mut self, status: u16, what: &str, content: Option<(&str, Value)>) -> Self {
        let mut response = json!({"description": what});
        if let Some((media_type, schema)) = content {
            response["content"] = json!({media_type: {"schema": schema}});
        }
        self.responses.insert(status, response);
        self
    }

    /// A header of these responses.
    pub(in crate::http) fn header(mut self, statuses: &[u16], name: &str, what: &str) -> Self {
        for status in statuses {
            if let Some(response) = self.responses.get_mut(status) {
                response["headers"][name] = json!({"description": what, "schema": {"type": "string"}});
            }
        }
        self
    }

    /// A query parameter or a request header; `location` is `query` or `header`.
    pub(in crate::http) fn parameter(mut self, location: &str, name: &str, what: &str, schema: Value) -> Self {
        self.parameters.push(json!({"name": name, "in": location, "description": what, "schema": schema}));
        self
    }

    /// The shapes that its schemas refer to.
    pub(in crate::http) fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// Its operation object (OpenAPI 3.1, section 4.8.10), with the path's parameters and the responses that all calls
    /// of its kind share.
    pub(in crate::http) fn document(mut self, path: &str) -> Value {
        self.add_common_responses(path);
        let mut parameters: Vec<Value> = path_parameters(path).collect();
        parameters.append(&mut self.parameters);
        let responses: Map<String, Value> =
            self.responses.into_iter().map(|(status, response)| (status.to_string(), response)).collect();
        let mut document =
            json!({"tags": [self.tag], "operationId": self.id, "summary": self.summary, "responses": responses});
        if !parameters.is_empty() {
            document["parameters"] = parameters.into();
        }
        if let Some(body) = self.body {
            document["requestBody"] = body;
        }
        if self.open {
            document["security"] = json!([]);
        }
        document
    }

    fn add_common_responses(&mut self, path: &str) {
        let by_account = path.starts_with("/v1/accounts/");
        let has_body = self.body.is_some();
        let reads = has_body || by_account || self.parameters.iter().any(|parameter| parameter["name"] == "limit");
        let keyed = !self.open;
        let stored = by_account || path.starts_with("/v1/keys") || path == "/v1/events";
        for (applies, status, what) in [
            (keyed && reads, 400, "The path, the query, a header or the body can't be read"),
            (keyed, 401, "The key is missing or unknown"),
            (keyed && !path.starts_with("/v1/dictionary"), 403, "The key's scope does not allow this"),
            (has_body, 408, "The body did not arrive in time"),
            (
                has_body || by_account,
                429,
                "A bound of the node, or this account's share of it, is reached. `Retry-After` says when to try again",
            ),
            (true, 431, "The request line and the headers are too large"),
            (has_body, 413, "The body is too large; nothing was done"),
            (has_body, 415, "The content type is not supported"),
            (has_body, 422, "The document has mistakes; `errors` names each"),
            (has_body, 500, "An internal error; nothing was done"),
            (
                keyed && stored,
                503,
                "The node is stopping, or its store is unavailable. `Retry-After` says when to try again",
            ),
        ] {
            if applies {
                self.responses.entry(status).or_insert_with(|| problem(status, what));
            }
        }
    }
}

/// The parameters in braces.
fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let (what, schema) = match name {
            "event" => ("The event type", event_type_schema()),
            "account" => ("The account", name_schema()),
            _ => ("Its id", name_schema()),
        };
        json!({"name": name, "in": "path", "required": true, "description": what, "schema": schema})
    })
}

/// A response with a problem document.
pub(in crate::http) fn problem(status: u16, what: &str) -> Value {
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    let mut response = json!({"description": what, "content": {"application/problem+json": {"schema": schema}}});
    let header = match status {
        401 => Some(("WWW-Authenticate", "string")),
        405 => Some(("Allow", "string")),
        429 | 503 => Some(("Retry-After", "integer")),
        _ => None,
    };
    if let Some((name, kind)) = header {
        response["headers"][name] = json!({"schema": {"type": kind}});
    }
    response
}
