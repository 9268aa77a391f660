//! `docs/interface.md` lists every call.

use super::{agrees, cell};

#[test]
fn every_call_is_in_the_document() {
    let paths = posthaste::http::openapi_document()["paths"].as_object().expect("paths");
    let mut table = String::from("\n| call | what it does |\n|---|---|\n");
    // The files of the console are for its page only.
    for (path, calls) in paths.iter().filter(|(path, _)| !path.starts_with("/console/")) {
        for (method, call) in calls.as_object().expect("calls") {
            let open = if call["security"].is_array() { " (open)" } else { "" };
            let what = cell(call["summary"].as_str().expect("a summary"));
            table.push_str(&format!("| `{} {path}`{open} | {what} |\n", method.to_uppercase()));
        }
    }
    table.push('\n');
    agrees("docs/interface.md", "calls", &table);
}
