//! The shape of the source: which file may name which outside crate, and which part which other.

use std::path::{Path, PathBuf};

/// One outside system, one home: who may name a crate.
const HOMES: [(&str, &[&str]); 16] = [
    ("handlebars", &["templating"]),
    ("redb", &["store/embedded"]),
    ("::redis", &["redis"]),
    ("awc", &["dispatcher/outbound", "dispatcher/attempt.rs", "dispatcher/queue.rs", "cli/demo/calls.rs"]),
    ("actix_tls", &["dispatcher/outbound"]),
    ("hickory_resolver", &["dispatcher/outbound", "dispatcher/set.rs"]),
    ("rustls", &["dispatcher/outbound", "dispatcher/attempt.rs", "redis/authorities.rs"]),
    ("actix_web", &["http", "node.rs", "cli/receive"]),
    ("prometheus", &["telemetry/metrics"]),
    ("arc_swap", &["live/mod.rs"]),
    ("rpds", &["live/index.rs"]),
    ("clap", &["cli"]),
    ("rustix", &["cli/serve.rs", "flow/descriptors.rs", "handover/journal/disk.rs"]),
    ("actix_http", &["http/inbound"]),
    ("tracing_subscriber", &["telemetry/log.rs"]),
    ("bytestring", &["json", "ingester/batch.rs"]),
];

/// Plain data and vocabulary: what knows no stage, no framework and no wiring.
const PLAIN: [&str; 6] = ["model", "matching", "json/mod.rs", "json/build.rs", "json/read.rs", "json/view.rs"];

/// Stages never name one another.
const STAGES: [&str; 5] = ["ingester", "matcher", "renderer", "handover", "dispatcher"];

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).expect("below").display().to_string();
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        // Tests may reach for what they need.
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
        (name, text)
    };
    found.into_iter().map(read).collect()
}

/// Whether the code, comments aside, names a crate or module by a path.
fn names(text: &str, path: &str) -> bool {
    text.lines().map(str::trim_start).filter(|line| !line.starts_with("//")).any(|line| {
        line.match_indices(path).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || (c == ':' && !path.starts_with("crate")))
        })
    })
}

#[test]
fn an_outside_system_has_one_home() {
    for (name, text) in sources() {
        for (outside, homes) in HOMES {
            let at_home = homes.iter().any(|home| name.starts_with(home));
            assert!(at_home || !names(&text, &format!("{outside}::")), "{name} names {outside}; its home is {homes:?}");
        }
    }
}

#[test]
fn stages_know_messages_and_never_one_another() {
    for (name, text) in sources() {
        let Some(own) = STAGES.iter().find(|stage| name.starts_with(**stage)) else { continue };
        for other in STAGES.iter().filter(|stage| *stage != own).chain(&["http", "node", "cli"]) {
            assert!(!names(&text, &format!("crate::{other}")), "{name} names {other}");
        }
    }
}

#[test]
fn plain_data_know_no_framework() {
    for (name, text) in sources().into_iter().filter(|(name, _)| PLAIN.iter().any(|plain| name.starts_with(plain))) {
        for forbidden in ["actix", "crate::flow", "crate::store", "crate::live", "crate::config", "crate::telemetry"] {
            assert!(!names(&text, forbidden), "{name} names {forbidden}");
        }
        for stage in STAGES {
            assert!(!names(&text, &format!("crate::{stage}")), "{name} names {stage}");
        }
    }
}
