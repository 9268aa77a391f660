//! The metrics follow Prometheus' rules for its text format and for names (like `promtool check metrics`): every series
//! has a help text and a type, only counters end in `_total`, and names end in base units.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::support::{Node, Receiver, json_template};

/// The documented metrics.
const PROMISED: [&str; 17] = [
    "posthaste_events_accepted_total",
    "posthaste_events_rejected_total{code=\"malformed_body\"}",
    "posthaste_events_rejected_total{code=\"engine_full\"}",
    "posthaste_firings_matched_total",
    "posthaste_deliveries_rendered_total",
    "posthaste_attempts_total{outcome=\"delivered\"}",
    "posthaste_attempts_total{outcome=\"timeout_response\"}",
    "posthaste_dropped_total{reason=\"queue_full\"}",
    "posthaste_dropped_total{reason=\"stopped\"}",
    "posthaste_queue_depth",
    "posthaste_parked_deliveries",
    "posthaste_destinations",
    "posthaste_attempts_in_flight",
    "posthaste_events_in_flight",
    "posthaste_accept_to_send_seconds_count",
    "posthaste_attempt_duration_seconds_bucket{le=\"+Inf\"}",
    "posthaste_attempt_duration_seconds_sum",
];

#[actix_rt::test]
async fn names_and_format_follow_the_rules() {
    let node = Node::start(&[]).await;
    let reply = node.get("/metrics").await;
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = String::from_utf8(reply.body).expect("UTF-8");
    let (mut types, mut helps, mut series) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            assert!(help.len() > 5 && helps.insert(name), "{line}");
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            assert!(types.insert(name, kind).is_none(), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a series and a value");
            value.parse::<f64>().expect("a number");
            assert!(series.insert(name), "{name} is there twice");
        }
    }
    assert_eq!(types.keys().copied().collect::<BTreeSet<_>>(), helps);
    for (name, kind) in &types {
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()), "{name}");
        assert!(name.starts_with("posthaste_"), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == "counter", "{name} {kind}");
        assert!(name.ends_with("_seconds") || *kind != "histogram", "{name} {kind}");
        for word in
            ["gauge", "counter", "histogram", "summary", "count", "sum", "bucket", "ms", "milliseconds", "kilobytes"]
        {
            assert!(!name.split('_').any(|own| own == word), "{name} names {word}");
        }
    }
    for one in &series {
        let name = one.split('{').next().expect("a name");
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(types.contains_key(base), "{one} has no type");
    }
    for promised in PROMISED {
        assert!(series.contains(promised), "{promised} is not there before it happened");
    }
}

/// Follows one valid and one invalid event through every counter.
#[actix_rt::test]
async fn each_step_is_counted_once() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("a", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    node.set_up("b", &json_template(), json!({"event": "x.*", "url": receiver.url("/")})).await;
    let reply = node.post("/v1/events", &json!([{"type": "x.y", "data": {}}, {"type": "x y", "data": {}}])).await;
    assert_eq!(reply.status, 202);
    receiver.wait_for(2).await;
    node.wait_for_metric("posthaste_attempts_total{outcome=\"delivered\"}", 2.0).await;
    for (name, value) in [
        ("posthaste_events_accepted_total", 1.0),
        ("posthaste_events_rejected_total{code=\"bad_event_type\"}", 1.0),
        ("posthaste_firings_matched_total", 2.0),
        ("posthaste_deliveries_rendered_total", 2.0),
        ("posthaste_accept_to_send_seconds_count", 2.0),
        ("posthaste_attempt_duration_seconds_count", 2.0),
        ("posthaste_destinations", 1.0),
        ("posthaste_attempts_in_flight", 0.0),
        ("posthaste_queue_depth", 0.0),
        ("posthaste_events_in_flight", 0.0),
        ("posthaste_triggers", 2.0),
        ("posthaste_templates", 2.0),
    ] {
        assert_eq!(node.metric(name).await, value, "{name}");
    }
}
