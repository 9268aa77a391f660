//! What follows from the table of calls in `resources/mod.rs`: the routes of the server, the `Allow` header of a 405
//! response, and the OpenAPI document.

use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, Route, guard, web};
use serde_json::Value;

use super::call::Call;
use super::console;
use super::openapi::{self, DescribedCall};
use super::problem::Problem;
use super::resources::{operations, table};

/// The OpenAPI document, made once.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let described = table().into_iter().map(|call| DescribedCall {
        path: call.path,
        method: lower(&call.method),
        operation: (call.operation)(),
    });
    openapi::document(described.collect(), |path| ResourceRoutes::at(path, &table()).allow())
});

fn lower(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::PUT => "put",
        Method::POST => "post",
        Method::DELETE => "delete",
        _ => unreachable!("a test checks that the table has no other method"),
    }
}

/// The OpenAPI 3.1 document of the interface.
pub fn openapi_document() -> &'static Value {
    &DOCUMENT
}

/// Sets the routes up.
pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/console/").to(console::redirect));
    serve(&table(), config);
}

/// Sets up the routes of the second server: health and metrics.
pub fn admin_routes(config: &mut web::ServiceConfig) {
    serve(&operations::calls(), config);
}

fn serve(calls: &[Call], config: &mut web::ServiceConfig) {
    config.app_data(web::Data::new(operations::OpenApi(openapi_document)));
    let mut paths: Vec<&str> = calls.iter().map(|call| call.path).collect();
    // A literal path comes before a path with parameters that would match it too.
    paths.sort_by_key(|path| (path.matches('{').count(), *path));
    paths.dedup();
    for path in paths {
        config.service(ResourceRoutes::at(path, calls).into_service());
    }
    config.default_service(web::to(not_found));
}

/// A path and its calls.
struct ResourceRoutes<'a> {
    pattern: String,
    calls: Vec<&'a Call>,
}

impl<'a> ResourceRoutes<'a> {
    /// A literal path such as `templates/check` also matches `templates/{id}`: methods that the literal path does not
    /// have are handled by the other path.
    fn at(path: &str, calls: &'a [Call]) -> Self {
        let mut own: Vec<&Call> = calls.iter().filter(|call| call.path == path).collect();
        let mut pattern = path.to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        for call in calls {
            let Some((at, name)) = stands_for(call.path, &parts) else { continue };
            if own.iter().all(|other| other.method != call.method) {
                own.push(call);
                let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
                parts[at] = format!("{{{name}:{}}}", parts[at]);
                pattern = parts.join("/");
            }
        }
        Self { pattern, calls: own }
    }

    /// Its methods, as in the header `Allow` (RFC 9110, section 10.2.1).
    fn allow(&self) -> String {
        let has = |method: &Method| self.calls.iter().any(|call| call.method == *method);
        let all = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE];
        let own = all.iter().filter(|method| has(method) || (**method == Method::HEAD && has(&Method::GET)));
        own.map(Method::as_str).collect::<Vec<_>>().join(", ")
    }

    fn into_service(self) -> actix_web::Resource {
        let allow = self.allow();
        let refuse = move || {
            let allow = allow.clone();
            async move { method_not_allowed(&allow) }
        };
        let resource = web::resource(self.pattern).default_service(web::to(refuse));
        self.calls.into_iter().fold(resource, |resource, call| resource.route(guarded(call)))
    }
}

/// If a path differs from these parts only in one parameter: the index of that part, and the parameter's name.
fn stands_for<'p>(path: &'p str, parts: &[&str]) -> Option<(usize, &'p str)> {
    let other: Vec<&str> = path.split('/').collect();
    if other.len() != parts.len() {
        return None;
    }
    let mut differ = other.iter().zip(parts).enumerate().filter(|(_, (other, own))| other != own);
    let (at, (other, own)) = differ.next()?;
    let name = other.strip_prefix('{')?.strip_suffix('}')?;
    (differ.next().is_none() && !own.starts_with('{')).then_some((at, name))
}

/// `GET` serves `HEAD` too: the server leaves the body out (RFC 9110, section 9.3.2).
fn guarded(call: &Call) -> Route {
    let route = (call.handler)();
    match call.method {
        Method::GET => route.guard(guard::Any(guard::Get()).or(guard::Head())),
        _ => route.method(call.method.clone()),
    }
}

async fn not_found() -> Result<HttpResponse, Problem> {
    let detail = "this path does not exist; /console is the web console, and /v1/openapi.json lists all paths";
    Err(Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail))
}

fn method_not_allowed(allow: &str) -> Result<HttpResponse, Problem> {
    let detail = format!("this path supports {allow}");
    let allow = HeaderValue::from_str(allow).expect("the names of methods are visible ASCII");
    Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).with_header(header::ALLOW, allow))
}
