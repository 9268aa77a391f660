//! The OpenAPI 3.1 document, made from the code: from the handlers' own notes, and for triggers and
//! templates from the one set of calls that serves both.

mod answers;
mod shapes;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::problem::Problem;
use super::{dictionary, events, keys, operations, template_check, trigger_test};
use shapes::{CloudEventDocument, TemplateDocument, TemplateList, TriggerDocument, TriggerList};

pub(super) use shapes::{EventDocument, KeyList, NewKey, ShownKey, TemplateQuestion};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Posthaste",
        description = "Events in; each customer's own template rendered; one HTTP POST out. Errors are problem documents (RFC 9457) with a stable `code`."
    ),
    paths(
        events::post,
        template_check::check,
        trigger_test::test,
        dictionary::all,
        dictionary::one,
        keys::create,
        keys::list,
        keys::delete,
        operations::metrics,
        operations::alive,
        operations::ready,
        serve,
    ),
    components(schemas(
        Problem,
        TriggerDocument,
        TemplateDocument,
        TriggerList,
        TemplateList,
        EventDocument,
        CloudEventDocument
    ))
)]
struct Noted;

/// The document, made once.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Noted::openapi()).expect("the document is JSON: a test makes it");
    for name in ["trigger", "template"] {
        let (collection, member) = record_paths(name);
        document["paths"][format!("/v1/accounts/{{account}}/{name}s")] = collection;
        document["paths"][format!("/v1/accounts/{{account}}/{name}s/{{id}}")] = member;
    }
    document["paths"]["/v1/events"]["post"]["requestBody"] = events_body();
    answers::complete(&mut document);
    document["components"]["securitySchemes"] = json!({"key": {"type": "http", "scheme": "bearer"}});
    document["security"] = json!([{"key": []}]);
    document
});

/// The document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "operations",
    responses((status = 200, description = "The OpenAPI 3.1 document of this interface")))]
pub(super) async fn serve() -> HttpResponse {
    HttpResponse::Ok().json(document())
}

/// The ways in which events come, as [`events`] takes them.
fn events_body() -> Value {
    let schema = |of: &str| json!({"$ref": format!("#/components/schemas/{of}")});
    let many = |of: &str| json!({"type": "array", "items": schema(of)});
    let lines = json!({"type": "string", "description": "One event object a line"});
    json!({
        "required": true,
        "description": "One event or many. A CloudEvent in binary mode has its attributes in headers that \
                        begin with `ce-`, and JSON data as its body.",
        "content": {
            "application/json": {"schema": {"oneOf": [schema("EventDocument"), many("EventDocument")]}},
            "application/x-ndjson": {"schema": lines},
            "application/cloudevents+json": {"schema": schema("CloudEventDocument")},
            "application/cloudevents-batch+json": {"schema": many("CloudEventDocument")},
        },
    })
}

/// The five calls on a kind of record, as [`super::records`] serves them.
fn record_paths(name: &str) -> (Value, Value) {
    let title = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
    let schema = |of: &str| json!({"$ref": format!("#/components/schemas/{title}{of}")});
    let content = |of: &str| json!({"application/json": {"schema": schema(of)}});
    let done = |what: &str, of: &str| json!({"description": what, "content": content(of)});
    let problem = |what: &str| {
        let schema = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
        json!({"description": what, "content": {"application/problem+json": schema}})
    };
    let path = |of: &str, what: &str| json!({"name": of, "in": "path", "required": true, "description": what, "schema": {"type": "string"}});
    let query =
        |of: &str, what: &str| json!({"name": of, "in": "query", "description": what, "schema": {"type": "string"}});
    let header =
        |of: &str, what: &str| json!({"name": of, "in": "header", "description": what, "schema": {"type": "string"}});
    let call = |id: &str, what: &str, parameters: Value, body: bool, responses: Value| {
        let mut call = json!({"tags": [format!("{name}s")], "operationId": format!("{id}_{name}"), "summary": what,
                              "parameters": parameters, "responses": responses});
        if body {
            call["requestBody"] = json!({"required": true, "content": content("Document")});
        }
        call
    };
    let account = path("account", "The account");
    let own = path("id", "Its name in the account");
    let if_match = header("If-Match", "Only if the record has this ETag");
    let if_absent = header("If-None-Match", "`*`: only if there is none");
    let if_newer = header("If-None-Match", "Only if the record has another ETag");
    let refused = problem("The document has mistakes; `errors` or `diagnostics` names each");
    let collection = json!({
        "get": call("list", "List them, in the order of their ids",
            json!([account, query("limit", "1 to 1000; 100"), query("cursor", "What the page before gave")]), false,
            json!({"200": done("A page", "List")})),
        "post": call("create", "Make one; the id is made unless it is given", json!([account]), true,
            json!({"201": done("Made; `Location` and `ETag` say where and which", "Document"),
                   "409": problem("There is one with this id"), "422": refused})),
    });
    let in_use = if name == "template" { "It is in use by a trigger" } else { "It can't be removed as things stand" };
    let member = json!({
        "get": call("read", "Read one", json!([account, own, if_newer]), false,
            json!({"200": done("It, with its `ETag`", "Document"), "304": {"description": "It has this ETag still"},
                   "404": problem("There is none"), "409": problem("What is stored can't be read")})),
        "put": call("replace", "Make or replace one", json!([account, own, if_match, if_absent]), true,
            json!({"200": done("Replaced", "Document"), "201": done("Made", "Document"),
                   "409": problem("What is stored of the template can't be read"),
                   "412": problem("It is at another ETag"), "422": refused})),
        "delete": call("delete", "Remove one", json!([account, own, if_match]), false,
            json!({"204": {"description": "Gone"}, "404": problem("There is none"),
                   "409": problem(in_use), "412": problem("It is at another ETag")})),
    });
    (collection, member)
}
