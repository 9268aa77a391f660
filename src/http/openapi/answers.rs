//! Answers that many calls have in common, added to each call of the document that may give them. What
//! only one call answers stands at that call.

use serde_json::{Map, Value, json};

/// Calls that need no key.
const OPEN: [&str; 4] = ["/metrics", "/healthz", "/readyz", "/v1/openapi.json"];

/// Adds to every call what all of its kind may answer, and says which need no key.
pub(super) fn complete(document: &mut Value) {
    let paths = document["paths"].as_object_mut().expect("the document has paths: a test reads them");
    for (path, calls) in paths {
        let calls = calls.as_object_mut().expect("a path has calls");
        for call in calls.values_mut() {
            if OPEN.contains(&path.as_str()) {
                call["security"] = json!([]);
            }
            for (status, what) in answers(path, call) {
                let answers = call["responses"].as_object_mut().expect("a call has answers");
                answers.entry(status.to_string()).or_insert_with(|| problem(status, what));
            }
            sort(&mut call["responses"]);
        }
    }
}

fn answers(path: &str, call: &Value) -> Vec<(u16, &'static str)> {
    let mut answers = Vec::new();
    if OPEN.contains(&path) {
        return answers;
    }
    let has_body = call.get("requestBody").is_some();
    let by_account = path.starts_with("/v1/accounts/");
    if has_body || by_account || takes(call, "limit") {
        answers.push((400, "The path, the query, a header or the body can't be read"));
    }
    answers.push((401, "There is no key, or none that is known"));
    if !path.starts_with("/v1/dictionary") {
        answers.push((403, "The key's scope does not reach here"));
    }
    if has_body {
        answers.push((408, "The body did not arrive in time"));
        answers.push((413, "The body is too large; nothing of it was taken"));
        answers.push((415, "The content type is not taken"));
        answers.push((422, "The document has mistakes; `errors` names each"));
        answers.push((500, "A fault of the engine; nothing was done"));
    }
    if by_account || path.starts_with("/v1/keys") || path == "/v1/events" {
        answers
            .push((503, "The node is stopping, or its store is not available. `Retry-After` says when to try again"));
    }
    answers
}

fn takes(call: &Value, parameter: &str) -> bool {
    let parameters = call["parameters"].as_array();
    parameters.is_some_and(|all| all.iter().any(|one| one["name"] == parameter))
}

fn problem(status: u16, what: &str) -> Value {
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    let mut answer = json!({"description": what, "content": {"application/problem+json": {"schema": schema}}});
    let header = match status {
        401 => Some(("WWW-Authenticate", "string")),
        503 => Some(("Retry-After", "integer")),
        _ => None,
    };
    if let Some((name, kind)) = header {
        answer["headers"][name] = json!({"schema": {"type": kind}});
    }
    answer
}

/// In the order of their numbers, as people look for them.
fn sort(answers: &mut Value) {
    let Some(unsorted) = answers.as_object_mut().map(std::mem::take) else { return };
    let mut sorted: Vec<(String, Value)> = unsorted.into_iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    *answers = Value::Object(sorted.into_iter().collect::<Map<_, _>>());
}
