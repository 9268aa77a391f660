//! TLS with a private authority, and a user with exactly the rights that docs/redis.md lists.

use std::time::Duration;

use posthaste::config::StoreSettings;
use posthaste::model::trigger::Trigger;
use posthaste::store::OpenError;

use super::{Node, wait_until_equal};
use crate::store::{account, ids, remove};
use crate::support::{SecuredRedis, redis_document};

#[tokio::test]
async fn tls_and_a_user_with_the_documented_rights_are_enough() {
    let redis = SecuredRedis::start(1);
    redis.server.cli(&["ACL", "SETUSER", "default", "off"]);

    let settings = |user: &str, ca: Option<&str>| StoreSettings {
        url: redis.url(user),
        ca_file: ca.map(|name| redis.file(name)),
        start_within: Duration::ZERO,
        quotas: crate::store::generous(),
    };
    let (one, two) = (
        Node::open(&settings("posthaste:password", Some("ca.pem"))).await.expect("let in"),
        Node::open(&settings("posthaste:password", Some("ca.pem"))).await.expect("let in"),
    );
    one.put_template("a").await;
    for number in 0..10 {
        two.put("a", &format!("t{number}"), number).await.expect("written");
    }
    remove::<Trigger>(&one.store, &account("a"), "t3").await;
    assert_eq!(ids::<Trigger>(&one.store, Some(&account("a")), Some("t5"), 2).await.0, ["t6", "t7"]);
    assert_eq!(wait_until_equal(&[&one, &two]).await.len(), 10);

    // The public authorities do not know the certificate, nor does another private one, and a wrong password is
    // refused.
    let error = Node::open(&settings("posthaste:password", None)).await.map(drop).expect_err("not trusted");
    assert!(matches!(error, OpenError::Misdirected { .. }), "{error}");
    let error = Node::open(&settings("posthaste:wrong", Some("ca.pem"))).await.map(drop).expect_err("not let in");
    assert!(matches!(error, OpenError::Refused { .. }), "{error}");
    let error = Node::open(&settings("posthaste:password", Some("ca.key"))).await.map(drop).expect_err("no authority");
    assert!(error.to_string().starts_with("store.ca_file: "), "{error}");
    assert!(!error.to_string().contains("password@"), "{error}");
}

/// Each documented command is tried at the start and reported if the user may not use it, also where an earlier node left
/// its scripts in Redis.
#[tokio::test]
async fn a_missing_right_is_reported_at_the_start() {
    let redis = SecuredRedis::start(1);
    let settings = StoreSettings {
        url: redis.url("posthaste:password"),
        ca_file: Some(redis.file("ca.pem")),
        start_within: Duration::ZERO,
        quotas: crate::store::generous(),
    };
    let open = async || Node::open(&settings).await.map(drop);
    open().await.expect("nothing is missing");
    let documented = redis_document("acl").swap_remove(0);
    let rights = documented.split_whitespace().filter_map(|word| word.strip_prefix('+'));
    // Only a client of a cluster needs CLUSTER SLOTS, and only a warning needs INFO.
    let rights: Vec<&str> = rights.filter(|right| !["cluster|slots", "info"].contains(right)).collect();
    assert!(rights.contains(&"eval"), "{rights:?}");
    for right in rights {
        redis.server.cli(&["ACL", "SETUSER", "posthaste", &format!("-{right}")]);
        let error = open().await.expect_err("a right is missing");
        assert!(matches!(error, OpenError::Refused { .. }), "{error}");
        assert!(error.to_string().contains(&format!("it may not use {})", right.to_uppercase())), "{error}");
        redis.server.cli(&["ACL", "SETUSER", "posthaste", &format!("+{right}")]);
    }
    open().await.expect("nothing is missing");
    assert_eq!(redis.server.cli(&["KEYS", "*try*"]), "", "nothing is left behind");
}
