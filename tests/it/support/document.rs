//! Checks every response that a test gets against the node's own OpenAPI document: the call, the status, the content
//! type and the schema of a JSON body.

use serde_json::{Map, Value};

/// Fails if the document does not describe this response.
pub(crate) fn check(document: &Value, method: &str, path: &str, status: u16, content_type: Option<&str>, body: &[u8]) {
    let at = format!("{method} {path} -> {status}");
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let paths = paths(document, path.split('?').next().unwrap_or_default());
    if paths.is_empty() {
        assert_eq!(status, 404, "{at}: no such path is in the document");
        return;
    }
    let name = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    let Some(call) = paths.iter().find_map(|calls| calls.get(&name)) else {
        assert_eq!(status, 405, "{at}: no such call is in the document");
        return;
    };
    let response = call["responses"].get(status.to_string());
    let response = response.unwrap_or_else(|| panic!("{at} is not in the document: {json:?}"));
    let Some(content) = response.get("content").and_then(Value::as_object) else { return };
    if method == "HEAD" {
        return;
    }
    let media = content_type.map(|text| text.split(';').next().unwrap_or_default().trim());
    let media = media.unwrap_or_else(|| panic!("{at}: no content type"));
    let described = content.get(media).unwrap_or_else(|| panic!("{at}: {media} is not in the document"));
    if media.ends_with("json") {
        let json = json.unwrap_or_else(|| panic!("{at}: no JSON"));
        assert_eq!(fits(document, &described["schema"], &json), Ok(()), "{at}: {json}");
    }
}

/// The calls on a path: literal parts take precedence over parameters.
fn paths<'a>(document: &'a Value, path: &str) -> Vec<&'a Map<String, Value>> {
    let parts: Vec<&str> = path.split('/').collect();
    let is_open = |own: &str| own.starts_with('{');
    let fits = |pattern: &str| {
        let own: Vec<&str> = pattern.split('/').collect();
        own.len() == parts.len() && own.iter().zip(&parts).all(|(o, p)| o == p || (is_open(o) && !p.is_empty()))
    };
    let paths = document["paths"].as_object().expect("paths");
    let mut fitting: Vec<_> = paths.iter().filter(|(pattern, _)| fits(pattern)).collect();
    fitting.sort_by_key(|(pattern, _)| pattern.matches('{').count());
    fitting.into_iter().filter_map(|(_, calls)| calls.as_object()).collect()
}

/// Whether a value fits a schema. Supports the keywords of JSON Schema that the document uses.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = document.pointer(name.trim_start_matches('#'));
        return fits(document, schema.ok_or_else(|| format!("{name} is named and not there"))?, value);
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        let any = ways.iter().any(|way| fits(document, way, value).is_ok());
        return if any { Ok(()) } else { Err(format!("{value} fits none of {ways:?}")) };
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let own = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let taken = types.contains(&own) || (own == "integer" && types.contains(&"number"));
    if !types.is_empty() && !taken {
        return Err(format!("{value} is not {types:?}"));
    }
    if let Some(items) = value.as_array().filter(|_| schema.get("items").is_some()) {
        items.iter().try_for_each(|item| fits(document, &schema["items"], item))?;
    }
    match value.as_object() {
        Some(members) => members_fit(document, schema, members),
        None => Ok(()),
    }
}

fn members_fit(document: &Value, schema: &Value, members: &Map<String, Value>) -> Result<(), String> {
    let mut known = Map::new();
    let parts = schema["allOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
    for part in parts {
        let part =
            part["$ref"].as_str().and_then(|name| document.pointer(name.trim_start_matches('#'))).unwrap_or(&part);
        for name in part["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let there = members.contains_key(name);
            there.then_some(()).ok_or_else(|| format!("`{name}` is missing"))?;
        }
        known.extend(part["properties"].as_object().cloned().unwrap_or_default());
    }
    if known.is_empty() {
        return Ok(());
    }
    for (name, value) in members {
        let schema = known.get(name).ok_or_else(|| format!("`{name}` is not in the document"))?;
        fits(document, schema, value)?;
    }
    Ok(())
}
