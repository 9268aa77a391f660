//! `docs/filters.md`: its examples match as documented, and the dictionary gives no warning for them.

use posthaste::dictionary::Dictionary;
use posthaste::json::Document;
use posthaste::matching::Pattern;
use posthaste::model::trigger::Trigger;
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../../docs/filters.md");

#[test]
fn the_examples_of_the_guide_match_as_documented() {
    let dictionary = Dictionary::shipped();
    let (mut filters, mut events) = (0, 0);
    let mut pattern: Option<(Value, Pattern)> = None;
    let mut event_type = "";
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("### ") {
            event_type = heading.rsplit('`').nth(1).expect("an event type in the heading");
        }
        let Some(kind) = line.strip_prefix("```json ") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let block: Value = serde_json::from_str(&block.join("\n")).expect("JSON");
        if kind == "filter" {
            let document =
                json!({"id": "t", "event": event_type, "template": "w", "url": "https://h.example/", "where": block});
            let trigger = Trigger::from_json(document).expect("a trigger");
            assert_eq!(dictionary.trigger_warnings(&trigger), [], "{block}");
            pattern = Some((block.clone(), Pattern::new(&block).expect("a filter")));
            filters += 1;
            continue;
        }
        let (source, pattern) = pattern.as_ref().expect("a filter before its events");
        let document = Document::from(&block);
        assert_eq!(super::matches(pattern, &document), kind == "fires", "{source} {block}");
        assert_eq!(super::naive::matches(source, &block), kind == "fires", "{source} {block}");
        events += 1;
    }
    assert_eq!((filters, events), (10, 20));
}
