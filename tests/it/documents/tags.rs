//! `docs/templates.md` lists every tag of the shipped dictionary, and which events carry it.

use posthaste::dictionary::Dictionary;

use super::{agrees, cell};

#[test]
fn every_tag_is_in_the_document() {
    let view = serde_json::to_value(Dictionary::shipped().view()).expect("JSON");
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| cell(value.as_str().unwrap_or_default());
    let mut page = String::from("\n");
    for entity in list(&view["entities"]) {
        let (name, description) = (text(&entity["name"]), text(&entity["description"]));
        page.push_str(&format!(
            "### {name}: {description}\n\n| tag | path | type | example | what it is |\n|---|---|---|---|---|\n"
        ));
        for tag in list(&entity["tags"]) {
            let example = match &tag["example"] {
                serde_json::Value::String(example) => cell(example),
                example => cell(&example.to_string()),
            };
            let [name, path, kind, description] =
                ["tag", "path", "type", "description"].map(|member| text(&tag[member]));
            page.push_str(&format!("| `{name}` | `{path}` | {kind} | {example} | {description} |\n"));
        }
        page.push('\n');
    }
    page.push_str("### Which events carry them\n\n| event | when | entities |\n|---|---|---|\n");
    for event in list(&view["events"]) {
        let entities: Vec<String> = list(&event["entities"]).iter().map(text).collect();
        let row =
            format!("| `{}` | {} | {} |\n", text(&event["type"]), text(&event["description"]), entities.join(", "));
        page.push_str(&row);
    }
    page.push('\n');
    agrees("docs/templates.md", "tags", &page);
}
