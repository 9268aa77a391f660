//! `docs/operating/metrics.md` has every metric.

use std::collections::BTreeMap;

use posthaste::telemetry::metrics::{ConnectionEnd, Metrics};

use super::outcomes::table;
use super::{agrees, cell};

/// A label with more values than this is explained elsewhere.
const VALUES_MAX: usize = 5;

/// The label of a metric, with its values where they are few: the samples of a new node have them all.
fn label(text: &str, name: &str) -> String {
    let samples = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.split_once('}'));
    let pairs: Vec<(&str, &str)> = samples.filter_map(|(label, _)| label.split_once('=')).collect();
    let Some((label, _)) = pairs.first() else { return String::new() };
    let values: Vec<String> = pairs.iter().map(|(_, value)| format!("`{}`", value.trim_matches('"'))).collect();
    if values.len() > VALUES_MAX { format!("`{label}`") } else { format!("`{label}`: {}", values.join(", ")) }
}

#[test]
fn every_metric_is_in_the_document() {
    let text = Metrics::new().render();
    let mut kinds = BTreeMap::new();
    let mut helps = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => drop(kinds.insert(name, kind)),
            (Some("#"), Some("HELP"), Some(name), Some(help)) => drop(helps.insert(name, help)),
            _ => {}
        }
    }
    let row = |(name, kind): (&&str, &&str)| {
        format!("| `{name}` | {kind} | {} | {} |\n", label(&text, name), cell(helps[name]))
    };
    let rows: String = kinds.iter().map(row).collect();
    let table = format!("\n| metric | type | label | meaning |\n|---|---|---|---|\n{rows}\n");
    agrees("docs/operating/metrics.md", "metrics", &table);
}

#[test]
fn every_end_of_a_connection_is_in_the_document() {
    let words = ConnectionEnd::ALL.into_iter().map(ConnectionEnd::as_str);
    let ends = table("src/telemetry/metrics/connections.rs", "reason", "ConnectionEnd", words);
    agrees("docs/operating/metrics.md", "connections", &ends);
}

/// Each metric that an alert or the dashboard names exists.
#[test]
fn alerts_and_the_dashboard_name_existing_metrics() {
    let text = Metrics::new().render();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating");
    for name in ["alerts.yml", "dashboard.json"] {
        let document = std::fs::read_to_string(root.join(name)).expect(name);
        if name.ends_with(".json") {
            serde_json::from_str::<serde_json::Value>(&document).expect(name);
        }
        let mut found = 0;
        for (at, _) in document.match_indices("posthaste_") {
            let metric: String = document[at..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let metric = metric.trim_end_matches("_bucket");
            assert!(text.contains(&format!("# TYPE {metric} ")), "{name}: {metric}");
            found += 1;
        }
        assert!(found > 5, "{name}");
    }
}
