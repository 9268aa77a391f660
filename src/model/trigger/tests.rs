//! Trigger documents: what is read, what is refused, and what is shown again.

use serde_json::json;

use super::*;
use crate::model::egress::EgressRules;
use crate::model::outcome::DropReason;

const ONE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TWO: &str = "whsec_bjB0LWYwci10aGUtbDBnLWFuZC1sb25nLWVub3VnaA==";

fn minimal() -> Value {
    json!({"id": "t", "event": "guest.created", "template": "w", "url": "https://example.com/x"})
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = minimal();
    change(&mut document);
    document
}

fn trigger(change: impl FnOnce(&mut Value)) -> Trigger {
    Trigger::from_json(with(change)).expect("a trigger")
}

fn codes(change: impl FnOnce(&mut Value)) -> Vec<(String, &'static str)> {
    let errors = Trigger::from_json(with(change)).expect_err("refused");
    errors.into_iter().map(|e| (e.pointer, e.code)).collect()
}

#[test]
fn every_mistake_is_named_at_once() {
    let errors = codes(|d| {
        *d = json!({"event": 7, "template": "a b", "url": "ftp://x", "headers": {"x": null, "a b": "x"},
                    "secret": "x", "enabled": "yes", "evnt": 1});
    });
    let expected = [
        ("/id", "missing"),
        ("/event", "wrong_type"),
        ("/template", "bad_name"),
        ("/url", "bad_url"),
        ("/headers/x", "header_value_required"),
        ("/headers/a b", "bad_header"),
        ("/secret", "bad_secret"),
        ("/enabled", "wrong_type"),
        ("/evnt", "unknown_member"),
    ];
    assert_eq!(errors, expected.map(|(p, c)| (p.to_owned(), c)));
}

#[test]
fn every_mistake_in_secrets_is_named() {
    let errors = codes(|d| {
        d["secret"] = ONE.into();
        d["secrets"] = json!([{"key": "x"}, {"id": "sec_0"}, {"key": ONE, "until": "tomorrow"}, {"key": TWO, "id": "y"},
                              7, {"key": TWO, "ends": 1}, {"key": TWO}, {"key": TWO}]);
    });
    let expected = [
        ("/secret", "bad_secret"),
        ("/secrets/0/key", "bad_secret"),
        ("/secrets/1/key", "missing"),
        ("/secrets/2/until", "bad_time"),
        ("/secrets/3/id", "bad_secret"),
        ("/secrets/4", "wrong_type"),
        ("/secrets/5/ends", "unknown_member"),
        ("/secrets/7", "bad_secret"),
    ];
    assert_eq!(errors, expected.map(|(p, c)| (p.to_owned(), c)));
    let many: Vec<Value> = (0..9).map(|_| json!({"key": ONE})).collect();
    assert_eq!(codes(|d| d["secrets"] = many.into()), [("/secrets".to_owned(), "too_many")]);
}

#[test]
fn secrets_and_values_are_kept_and_never_shown() {
    let trigger = trigger(|d| {
        d["headers"] = json!({"X-Token": "hunter2"});
        d["secrets"] = json!([{"key": ONE}, {"key": TWO, "until": "2030-01-31T12:00:00Z"}]);
    });
    let shown = trigger.to_json();
    assert_eq!(shown["headers"], json!({"X-Token": null}));
    let (one, two) = (trigger.secrets[0].id(), trigger.secrets[1].id());
    assert_eq!(shown["secrets"], json!([{"id": one}, {"id": two, "until": "2030-01-31T12:00:00Z"}]));
    let last = with(|d| d["secrets"] = json!([{"key": ONE, "until": "9999-12-31T23:59:59Z"}]));
    let last = Trigger::from_json(last).expect("a trigger");
    assert_eq!(last.to_json()["secrets"][0]["until"], "9999-12-31T23:59:59Z");
    assert!(Trigger::from_json(last.to_stored_json()).is_ok_and(|read| read.secrets == last.secrets));
    for text in [shown.to_string(), format!("{:?}", trigger.secrets)] {
        assert!(!text.contains("MfKQ") && !text.contains("bjB0") && !text.contains("hunter2"), "{text}");
    }
    let kept = Trigger::from_json(trigger.to_stored_json()).expect("what was stored");
    assert_eq!((&kept.secrets, &kept.headers), (&trigger.secrets, &trigger.headers));
}

#[test]
fn one_secret_without_an_end_is_stored_as_earlier_versions_read_it() {
    let short = trigger(|d| d["secret"] = ONE.into());
    let long = trigger(|d| d["secrets"] = json!([{"key": ONE}]));
    assert_eq!(short.to_stored_json(), long.to_stored_json());
    assert_eq!(short.to_stored_json()["secret"], ONE);
}

fn completed(old: &Trigger, change: impl FnOnce(&mut Value)) -> Result<Trigger, Vec<FieldError>> {
    let mut document = old.to_json();
    change(&mut document);
    let (_, mut errors) = complete(document.as_object_mut().expect("an object"), old);
    let (trigger, more) = Trigger::examine(document);
    errors.extend(more);
    trigger.filter(|_| errors.is_empty()).ok_or(errors)
}

#[test]
fn what_is_shown_can_be_put_again_and_keeps_what_is_saved() {
    let old = trigger(|d| {
        d["headers"] = json!({"X-Token": "t", "X-Other": "o"});
        d["secrets"] = json!([{"key": ONE}, {"key": TWO}]);
    });
    let same = completed(&old, |_| {}).expect("a trigger");
    assert_eq!((&same.headers, &same.secrets), (&old.headers, &old.secrets));

    let changed = completed(&old, |d| {
        d["url"] = "https://EXAMPLE.com:443/other".into();
        d["headers"] = json!({"x-token": null, "X-New": "n"});
        d["secrets"][0]["until"] = "2030-01-31T12:00:00Z".into();
        d["secrets"].as_array_mut().expect("a list").remove(1);
    });
    let changed = changed.expect("the destination is the same");
    assert_eq!(changed.headers, [("x-token".into(), "t".into()), ("X-New".into(), "n".into())]);
    assert_eq!((changed.secrets.len(), changed.secrets[0].as_bytes()), (1, old.secrets[0].as_bytes()));
    assert!(changed.secrets[0].until.is_some());

    let silent = completed(&old, |d| {
        d.as_object_mut().expect("an object").remove("secrets");
        d.as_object_mut().expect("an object").remove("headers");
    });
    let silent = silent.expect("a trigger");
    assert_eq!((silent.secrets, silent.headers), (old.secrets.clone(), Vec::new()));
    assert!(completed(&old, |d| d["secret"] = Value::Null).expect("a trigger").secrets.is_empty());
    for none in [json!(null), json!([])] {
        assert!(completed(&old, |d| d["secrets"] = none).expect("a trigger").secrets.is_empty());
    }
}

#[test]
fn no_value_follows_a_new_host() {
    let old = trigger(|d| d["headers"] = json!({"X-Token": "hunter2"}));
    for url in ["https://example.org/x", "http://example.com/x", "https://example.com:8443/x"] {
        let errors = completed(&old, |d| d["url"] = url.into()).expect_err("refused");
        assert_eq!(
            (errors[0].pointer.as_str(), errors[0].code),
            ("/headers/X-Token", "header_value_required"),
            "{url}"
        );
        assert!(!errors[0].detail.contains("hunter2"));
    }
    let sent = completed(&old, |d| {
        d["url"] = "https://example.org/x".into();
        d["headers"]["X-Token"] = "again".into();
    });
    assert!(sent.is_ok(), "{sent:?}");
    let errors = completed(&old, |d| d["headers"]["X-New"] = Value::Null).expect_err("none is saved");
    assert_eq!((errors[0].pointer.as_str(), errors[0].code), ("/headers/X-New", "header_value_required"));
}

#[test]
fn what_was_saved_before_a_rule_is_read_and_breaks_it() {
    let many: Map<String, Value> = (0..33).map(|n| (format!("x-{n}"), "v".into())).collect();
    for (change, pointer, reason) in [
        (json!({"url": "http://10.0.0.1/"}), "/url", DropReason::UrlRefused),
        (json!({"url": "http://h.internal/"}), "/url", DropReason::UrlRefused),
        (json!({"url": "http://example.com:22/"}), "/url", DropReason::UrlRefused),
        (json!({"url": format!("http://example.com/{}", "x".repeat(2_048))}), "/url", DropReason::UrlRefused),
        (json!({"headers": {"X-Forwarded-For": "1"}}), "/headers/X-Forwarded-For", DropReason::HeaderRefused),
        (json!({"headers": {"a": "x".repeat(8_192)}}), "/headers", DropReason::HeaderRefused),
        (json!({"headers": many}), "/headers", DropReason::HeaderRefused),
    ] {
        let trigger = trigger(|d| {
            for (name, value) in change.as_object().expect("an object") {
                d[name] = value.clone();
            }
        });
        let broken = trigger.broken_rules(&EgressRules::default());
        assert_eq!(broken.len(), 1, "{change}: {broken:?}");
        assert_eq!((broken[0].error.pointer.as_str(), broken[0].reason), (pointer, reason), "{change}");
    }
    assert_eq!(trigger(|_| {}).broken_rules(&EgressRules::default()), []);
}

#[test]
fn a_rate_is_a_whole_number_and_is_kept() {
    for bad in [json!(0), json!(-1), json!(1.5), json!("5"), json!(4_294_967_296_u64)] {
        assert_eq!(codes(|d| d["rate_per_s"] = bad.clone()), [("/rate_per_s".to_owned(), "bad_rate")], "{bad}");
    }
    let mut document = minimal();
    document["rate_per_s"] = 5.into();
    let trigger = Trigger::from_json(document).expect("a trigger");
    assert_eq!(
        (trigger.to_json()["rate_per_s"].as_u64(), trigger.to_stored_json()["rate_per_s"].as_u64()),
        (Some(5), Some(5))
    );
    assert!(trigger.target().rate.is_some_and(|(id, per_s)| id == trigger.id && per_s.get() == 5));
}
