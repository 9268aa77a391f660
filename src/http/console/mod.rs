//! The web console: a page and a few files, which use the public interface like any other client. `scripts/console`
//! builds them from `page/`; `build.rs` compresses them and compiles them in.

mod files;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, Route, web};
use serde_json::json;

use super::call::Call;
use super::openapi::operation::Operation;
use super::problem::Problem;
use super::state::AppState;
use files::File;

/// The HTML file.
const INDEX: &str = "index.html";

/// Served if the console was not built.
const NOT_BUILT: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Posthaste console</title>
<h1>The console is not part of this binary</h1>
<p>It was built without the console's files. Build them, and then the binary again:
<pre>scripts/console
cargo build --release</pre>
<p><code>scripts/console</code> needs Node 18 or later. The HTTP interface is all there:
<a href=\"v1/openapi.json\">/v1/openapi.json</a> describes it.
</html>
";

pub(super) fn calls() -> Vec<Call> {
    vec![
        Call::get("/console", handler, || describe("read_console", "The web console", "text/html")),
        Call::get("/console/console.js", handler, || describe("read_console_script", "Its script", "text/javascript")),
        Call::get("/console/console.css", handler, || describe("read_console_style", "Its style sheet", "text/css")),
        Call::get("/console/icon.svg", handler, || describe("read_console_icon", "Its icon", "image/svg+xml")),
    ]
}

fn handler() -> Route {
    web::route().to(serve)
}

fn describe(id: &'static str, summary: &'static str, media_type: &str) -> Operation {
    Operation::new(id, "console", summary)
        .open()
        .parameter("header", "If-None-Match", "Only if its entity tag differs", json!({"type": "string"}))
        .content(200, "The file", media_type, json!({"type": "string"}))
        .empty(304, "Its entity tag has not changed")
        .header(&[200, 304], "ETag", "Its entity tag")
        .problem(404, "The console was not built into this binary")
}

/// From `/console/` to the page, which names its files relative to its own address. The redirect is relative too, for
/// proxies that serve the node under a path.
pub(super) async fn redirect() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "../console")).finish()
}

async fn serve(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let name = request.path().strip_prefix("/console/").unwrap_or(INDEX);
    let dir = state.config.console.dir.as_deref();
    let file = match dir {
        Some(dir) => files::read(dir, name),
        None => files::built(name),
    };
    let file = match file {
        Some(file) => file,
        None if name == INDEX => File::of(NOT_BUILT.as_bytes().to_vec()),
        None => return Err(Problem::not_found("file")),
    };
    let ancestors = &state.config.console.frame_ancestors;
    Ok(respond(&request, name, &file, ancestors))
}

fn respond(request: &HttpRequest, name: &str, file: &File, frame_ancestors: &[String]) -> HttpResponse {
    let sent = |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_same = sent(header::IF_NONE_MATCH).is_some_and(|tags| tags.contains(file.etag.as_str()));
    let takes_gzip = sent(header::ACCEPT_ENCODING).is_some_and(|codings| codings.contains("gzip"));
    let status = if is_same { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, media_type(name)))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy(frame_ancestors)))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::VARY, "accept-encoding"))
        .insert_header((header::ETAG, file.etag.as_str()));
    if is_same {
        return response.finish();
    }
    match (&file.gzip, takes_gzip) {
        (Some(gzip), true) => response.insert_header((header::CONTENT_ENCODING, "gzip")).body(gzip.clone()),
        _ => response.body(file.plain()),
    }
}

/// Everything from the node and nothing else; all scripts and styles are files.
fn policy(frame_ancestors: &[String]) -> String {
    let ancestors = if frame_ancestors.is_empty() { "'none'".to_owned() } else { frame_ancestors.join(" ") };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors {ancestors}"
    )
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    }
}
