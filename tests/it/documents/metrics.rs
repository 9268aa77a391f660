//! `docs/operating/metrics.md` has every metric.

use std::collections::BTreeMap;

use posthaste::telemetry::metrics::Metrics;

use super::{agrees, cell};

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
    let rows = kinds.iter().map(|(name, kind)| format!("| `{name}` | {kind} | {} |\n", cell(helps[name])));
    let table = format!("\n| metric | type | meaning |\n|---|---|---|\n{}\n", rows.collect::<String>());
    agrees("docs/operating/metrics.md", "metrics", &table);
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
