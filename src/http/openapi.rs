//! The OpenAPI 3.1 document, made from the code: from the handlers' own notes, and for triggers and
//! templates from the one set of calls that serves both.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::HttpResponse;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::problem::Problem;
use super::{dictionary, events, keys, operations, template_check, trigger_test};
use crate::template::Format;

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
    ),
    components(schemas(Problem, TriggerDocument, TemplateDocument, TriggerList, TemplateList))
)]
struct Noted;

/// A trigger: when such an event comes, send this there.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is `Trigger::from_json`")]
struct TriggerDocument {
    /// Its name in the account; the path's in a PUT, made in a POST without one.
    id: Option<String>,
    /// What people call it.
    name: Option<String>,
    /// One type (`guest.created`), all below a word (`guest.*`), or all (`*`).
    #[schema(example = "guest.created")]
    event: String,
    /// A filter in the pattern language of Amazon EventBridge, over the event's data.
    #[schema(value_type = Option<Object>)]
    r#where: Option<Value>,
    /// The id of a template of the same account.
    template: String,
    /// Where to.
    #[schema(example = "https://example.com/hook")]
    url: String,
    /// Headers to send.
    headers: Option<BTreeMap<String, String>>,
    /// `whsec_…`; signs what is sent. Written, never read; `null` takes it away, leaving it out keeps it.
    #[schema(write_only)]
    secret: Option<String>,
    /// A disabled trigger never fires. True where it is left out.
    enabled: Option<bool>,
}

/// A template: a body with places for values.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is `Template::from_json`")]
struct TemplateDocument {
    /// Its name in the account; the path's in a PUT, made in a POST without one.
    id: Option<String>,
    /// What people call it.
    name: Option<String>,
    /// The body's shape.
    format: Format,
    /// The body, kept to the byte.
    #[schema(example = "{\"guest\": \"*|GUEST:NAME|*\"}")]
    body: String,
    /// What is sent as `content-type` in place of the format's.
    content_type: Option<String>,
}

/// A page of triggers.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
struct TriggerList {
    /// In the order of their ids.
    items: Vec<TriggerDocument>,
    /// Where there are more: what to ask for them with.
    cursor: Option<String>,
}

/// A page of templates.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
struct TemplateList {
    /// In the order of their ids.
    items: Vec<TemplateDocument>,
    /// Where there are more: what to ask for them with.
    cursor: Option<String>,
}

/// A key to make.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is `Scope::read`")]
pub(super) struct NewKey {
    /// What people call it.
    name: Option<String>,
    /// `operator`, `producer` or `account`.
    scope: String,
    /// Of which account: required for `account`, and narrows `producer`.
    account: Option<String>,
}

/// A key, without the key itself.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the writing is `Key::to_json`")]
pub(super) struct KeyDocument {
    /// Its public name.
    id: String,
    /// What people call it.
    name: String,
    /// What it opens.
    scope: String,
    /// Of which account.
    account: Option<String>,
    /// When it was made, RFC 3339.
    created: String,
}

/// A new key; the only time that it is shown.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct ShownKey {
    /// Its public name.
    id: String,
    /// What it opens.
    scope: String,
    /// The key: `Authorization: Bearer …`.
    key: String,
}

/// A page of keys.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct KeyList {
    /// In the order of their ids.
    items: Vec<KeyDocument>,
    /// Where there are more: what to ask for them with.
    cursor: Option<String>,
}

/// A template to check.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes; the reading is in `template_check`")]
pub(super) struct TemplateQuestion {
    /// The body's shape.
    format: Format,
    /// The body.
    body: String,
    /// The events it is for; paths they don't carry are pointed out.
    event: Option<String>,
    /// Data for the preview; the dictionary's examples where it is left out.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
}

/// The document, made once.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Noted::openapi()).expect("the document is JSON: a test makes it");
    for name in ["trigger", "template"] {
        let (collection, member) = record_paths(name);
        document["paths"][format!("/v1/accounts/{{account}}/{name}s")] = collection;
        document["paths"][format!("/v1/accounts/{{account}}/{name}s/{{id}}")] = member;
    }
    document["components"]["securitySchemes"] = json!({"key": {"type": "http", "scheme": "bearer"}});
    document["security"] = json!([{"key": []}]);
    document
});

/// The document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// The OpenAPI document.
pub(super) async fn serve() -> HttpResponse {
    HttpResponse::Ok().json(document())
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
    let refused = problem("The document has mistakes; `errors` or `diagnostics` names each");
    let collection = json!({
        "get": call("list", "List them, in the order of their ids",
            json!([account, query("limit", "1 to 1000; 100"), query("cursor", "What the page before gave")]), false,
            json!({"200": done("A page", "List")})),
        "post": call("create", "Make one; the id is made unless it is given", json!([account]), true,
            json!({"201": done("Made; `Location` and `ETag` say where and which", "Document"),
                   "409": problem("There is one with this id"), "422": refused})),
    });
    let in_use = if name == "template" { "It is in use by a trigger" } else { "What is stored can't be read" };
    let member = json!({
        "get": call("read", "Read one", json!([account, own]), false,
            json!({"200": done("It, with its `ETag`", "Document"), "404": problem("There is none")})),
        "put": call("replace", "Make or replace one", json!([account, own, if_match]), true,
            json!({"200": done("Replaced", "Document"), "201": done("Made", "Document"),
                   "412": problem("It is at another ETag"), "422": refused})),
        "delete": call("delete", "Remove one", json!([account, own, if_match]), false,
            json!({"204": {"description": "Gone"}, "404": problem("There is none"),
                   "409": problem(in_use), "412": problem("It is at another ETag")})),
    });
    (collection, member)
}
