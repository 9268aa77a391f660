//! Ended firings (`GET /v1/activity`), the states of destinations (`GET /v1/destinations`), and the headers of
//! responses for browsers.

use awc::http::Method;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::support::{Behaviour, DEADLINE, Node, Receiver, RedisServer, free_port, json_template};

const OPERATOR: &str = "operator-key-for-tests";

/// A client of the stream.
struct Watcher {
    chunks: std::pin::Pin<Box<dyn futures_util::Stream<Item = Vec<u8>>>>,
    text: String,
}

impl Watcher {
    async fn open(node: &Node, query: &str) -> Self {
        let url = format!("http://{}/v1/activity{query}", node.running().address());
        let mut request = awc::Client::builder().timeout(DEADLINE).finish().get(url);
        if let Some(key) = &node.key {
            request = request.insert_header(("authorization", format!("Bearer {key}")));
        }
        let response = request.send().await.expect("a response");
        assert_eq!((response.status().as_u16(), content_type(response.headers())), (200, "text/event-stream"));
        let chunks = Box::pin(response.map(|chunk| chunk.expect("a chunk").to_vec()));
        let mut watcher = Self { chunks, text: String::new() };
        // The first chunk arrives once the client is subscribed.
        watcher.read(|text| text.contains("retry: ")).await;
        watcher
    }

    async fn read(&mut self, done: impl Fn(&str) -> bool) {
        let reading = async {
            while !done(&self.text) {
                let chunk = self.chunks.next().await.expect("the stream goes on");
                self.text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
            }
        };
        tokio::time::timeout(DEADLINE, reading).await.expect("in time");
    }

    /// The next `number` firings.
    async fn firings(&mut self, number: usize) -> Vec<Value> {
        self.read(|text| lines(text, "firing").len() >= number).await;
        lines(&std::mem::take(&mut self.text), "firing")
    }
}

fn content_type(headers: &awc::http::header::HeaderMap) -> &str {
    headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The data of the events with this name.
fn lines(text: &str, name: &str) -> Vec<Value> {
    let head = format!("event: {name}\ndata: ");
    let events = text.split_inclusive("\n\n").filter(|event| event.ends_with("\n\n"));
    events.filter_map(|event| serde_json::from_str(event.strip_prefix(&head)?.trim_end()).ok()).collect()
}

fn event(account: &str, id: &str) -> Value {
    json!({"type": "guest.created", "account": account, "id": id, "data": {"guest": {"name": "hunter2"}}})
}

async fn key_of(node: &Node, account: &str) -> String {
    let made = node.post("/v1/keys", &json!({"scope": "account", "account": account})).await.json();
    made["key"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

#[actix_rt::test]
async fn each_ended_firing_is_sent_without_its_data() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    let secret = json!({"x-token": "hunter2"});
    let trigger = json!({"event": "guest.*", "url": receiver.url("/in/hunter2?key=hunter2"), "headers": secret});
    node.set_up("good", &json_template(), trigger).await;
    let nobody = json!({"event": "guest.*", "url": format!("http://127.0.0.1:{}/", free_port())});
    node.set_up("bad", &json_template(), nobody).await;
    let mut all = Watcher::open(&node, "").await;
    let mut failed = Watcher::open(&node, "?outcome=failed&account=default").await;
    let mut other = Watcher::open(&node, "?account=other").await;
    node.fire(event("default", "e1")).await;
    let mut firings = all.firings(2).await;
    firings.sort_by_key(|line| line["trigger"].to_string());
    let [bad, good] = &firings[..] else { panic!("{firings:?}") };
    assert_eq!((&bad["trigger"], &bad["outcome"], &bad["status"]), (&json!("bad"), &json!("connect"), &Value::Null));
    let port = receiver.port();
    for (member, expected) in [
        ("account", json!("default")),
        ("event_type", json!("guest.created")),
        ("event_id", json!("e1")),
        ("trigger", json!("good")),
        ("destination", json!(format!("http://127.0.0.1:{port}"))),
        ("outcome", json!("delivered")),
        ("reason", Value::Null),
        ("status", json!(200)),
    ] {
        assert_eq!(good[member], expected, "{member} of {good}");
    }
    assert!(good["duration_ms"].is_u64() && good["time"].is_string() && good["node"].is_string(), "{good}");
    assert!(!format!("{firings:?}").contains("hunter2"));
    assert_eq!(failed.firings(1).await[0]["trigger"], "bad");

    // A test of a trigger is a firing too.
    node.post("/v1/accounts/default/triggers/good/test", &json!({})).await;
    assert_eq!(all.firings(1).await[0]["trigger"], "good");
    drop((all, failed));
    node.put("/v1/accounts/other/templates/t", &json_template()).await;
    let url = receiver.url("/");
    node.put("/v1/accounts/other/triggers/t", &json!({"event": "*", "template": "t", "url": url})).await;
    node.fire(event("other", "e2")).await;
    assert_eq!(other.firings(1).await[0]["event_id"], "e2", "and nothing of another account");
    // A connected client does not delay a stop.
    assert_eq!(node.stop().await.unsent, 0);
}

#[actix_rt::test]
async fn a_dropped_firing_is_sent_with_its_reason() {
    let one =
        [("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"), ("POSTHASTE_DISPATCH__QUEUE_PER_DESTINATION", "1")];
    let (node, receiver) = (Node::start(&one).await, Receiver::start());
    receiver.behave(Behaviour::Silence);
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let mut watcher = Watcher::open(&node, "?outcome=dropped").await;
    for id in ["1", "2", "3"] {
        assert_eq!(node.post("/v1/events", &event("default", id)).await.status, 202);
    }
    let dropped = &watcher.firings(1).await[0];
    assert_eq!((&dropped["outcome"], &dropped["reason"]), (&json!("dropped"), &json!("queue_full")), "{dropped}");
    assert_eq!((&dropped["status"], &dropped["duration_ms"]), (&Value::Null, &Value::Null));

    let told = node.get("/v1/destinations").await.json();
    assert_eq!(told["total"], 1, "{told}");
    let only = &told["items"][0];
    assert_eq!(
        (&only["queued"], &only["in_flight"], &only["dropped"]),
        (&json!(1), &json!(1), &json!({"queue_full": 1}))
    );
    assert!(only["oldest_ms"].is_u64() && only["queued_bytes"].as_u64() > Some(0), "{only}");
    assert!(only["trouble"] == "stalled" || only["trouble"] == "dropping", "{only}");
    assert_eq!(node.get("/v1/destinations?limit=0").await.problem(), (400, "bad_limit".into()));
}

/// A trigger whose filter takes more steps than it may is named with the reason, also where nothing else fires.
#[actix_rt::test]
async fn a_filter_that_costs_too_much_is_reported() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    let numeric: Vec<Value> = (0..900).map(|n| json!({"numeric": [">", 10_000 + n]})).collect();
    let url = receiver.url("/");
    node.set_up("costly", &json_template(), json!({"event": "*", "url": url, "where": {"n": numeric}})).await;
    let mut watcher = Watcher::open(&node, "").await;
    let event = json!({"type": "a", "id": "1", "data": {"n": (0..500).collect::<Vec<_>>()}});
    assert_eq!(node.post("/v1/events", &event).await.status, 202);
    let told = &watcher.firings(1).await[0];
    let expected = json!(["costly", "dropped", "filter_too_costly", format!("http://127.0.0.1:{}", receiver.port())]);
    assert_eq!(json!([told["trigger"], told["outcome"], told["reason"], told["destination"]]), expected, "{told}");
}

/// What has waited for too long in the journal is told as it is dropped.
#[actix_rt::test]
async fn expired_deliveries_are_reported() {
    let one = [
        ("POSTHASTE_STORE__SURVIVES", "process"),
        ("POSTHASTE_JOURNAL__AGE_MAX_S", "1"),
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"),
        ("POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS", "1500"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("file:{}", folder.path().join("store.redb").display());
    let node = Node::start(&[&one[..], &[("POSTHASTE_STORE__URL", &store)]].concat()).await;
    let receiver = Receiver::start();
    receiver.behave(Behaviour::Silence);
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let mut watcher = Watcher::open(&node, "?outcome=dropped").await;
    for id in ["1", "2"] {
        assert_eq!(node.post("/v1/events", &event("default", id)).await.status, 202);
    }
    let told = &watcher.firings(1).await[0];
    assert_eq!((&told["event_id"], &told["reason"]), (&json!("2"), &json!("expired")), "{told}");
}

#[actix_rt::test]
async fn a_key_watches_only_what_it_may() {
    let key = [("POSTHASTE_AUTH__OPERATOR_KEY", OPERATOR), ("POSTHASTE_ACTIVITY__SUBSCRIBERS_MAX", "2")];
    for (for_accounts, expected) in [("false", (403, "forbidden")), ("true", (200, ""))] {
        let more = [&key[..], &[("POSTHASTE_ACTIVITY__FOR_ACCOUNTS", for_accounts)]].concat();
        let mut node = Node::start(&more).await;
        assert_eq!(node.get("/v1/activity").await.problem(), (401, "key_missing".into()));
        node.key = Some(OPERATOR.into());
        let own = key_of(&node, "acme").await;
        let producer = node.post("/v1/keys", &json!({"scope": "producer", "account": "acme"})).await.json();
        let whoami = node.get("/v1/whoami").await.json();
        assert_eq!((&whoami["scope"], &whoami["activity"]), (&json!("operator"), &json!(true)));
        for query in ["?account=a b", "?trigger=..", "?outcome=lost"] {
            assert_eq!(node.get(&format!("/v1/activity{}", query.replace(' ', "%20"))).await.status, 400, "{query}");
        }
        let mut watchers = vec![Watcher::open(&node, "").await];
        node.key = producer["key"].as_str().map(str::to_owned);
        let whoami = node.get("/v1/whoami").await.json();
        assert_eq!((&whoami["scope"], &whoami["account"]), (&json!("producer"), &json!("acme")));
        node.key = Some(own);
        let whoami = node.get("/v1/whoami").await.json();
        assert_eq!((&whoami["scope"], &whoami["account"]), (&json!("account"), &json!("acme")));
        assert_eq!(whoami["activity"], json!(for_accounts == "true"));
        assert_eq!(node.get("/v1/activity?account=other").await.problem(), (403, "forbidden".into()));
        assert_eq!(node.get("/v1/destinations").await.problem(), (403, "forbidden".into()));
        if expected.0 == 403 {
            assert_eq!(node.get("/v1/activity").await.problem(), (403, "forbidden".into()));
        } else {
            watchers.push(Watcher::open(&node, "").await);
            let refused = node.get("/v1/activity").await;
            assert_eq!(
                (refused.problem(), refused.header("retry-after")),
                ((429, "too_many_subscribers".into()), "10".into())
            );
        }
        assert_eq!(node.call(Method::HEAD, "/v1/destinations", &[], "").await.status, 403);
        drop(watchers);
        node.stop().await;
    }
}

/// An idle stream finds out soon that its client has left.
#[actix_rt::test]
async fn a_client_that_left_makes_room_for_another() {
    let node = Node::start(&[("POSTHASTE_ACTIVITY__SUBSCRIBERS_MAX", "1")]).await;
    drop(Watcher::open(&node, "").await);
    let soon = DEADLINE / 4;
    let left = std::time::Instant::now();
    loop {
        let response =
            awc::Client::default().get(format!("http://{}/v1/activity", node.running().address())).send().await;
        match response.expect("a response").status().as_u16() {
            200 => break,
            status => assert_eq!(status, 429),
        }
        assert!(left.elapsed() < soon, "its subscription was kept");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    node.stop().await;
}

#[actix_rt::test]
async fn each_response_has_security_headers() {
    let origins = "[\"https://app.example.com\"]";
    let node = Node::start(&[("POSTHASTE_CONSOLE__FRAME_ANCESTORS", origins)]).await;
    for path in ["/v1/dictionary", "/healthz", "/nothing", "/v1/openapi.json"] {
        let reply = node.get(path).await;
        let told = ["x-content-type-options", "content-security-policy", "referrer-policy", "cache-control"];
        let told = told.map(|name| reply.header(name));
        let expected = ["nosniff", "default-src 'none'; frame-ancestors 'none'", "no-referrer", "no-store"];
        assert_eq!(told, expected, "{path}");
    }
    let page = node.get("/console").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8".into()));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(policy.ends_with("frame-ancestors https://app.example.com") && !policy.contains("unsafe"), "{policy}");
    let tag = page.header("etag");
    let same = node.call(Method::GET, "/console", &[("if-none-match", &tag)], "").await;
    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, tag));
    // Built or not, the page is served uncompressed to a client that does not accept gzip.
    let plain = node.call(Method::GET, "/console", &[("accept-encoding", "identity")], "").await;
    assert!(String::from_utf8_lossy(&plain.body).contains("<title>Posthaste"), "{:?}", plain.body);
}

#[actix_rt::test]
async fn with_redis_the_sending_node_reports_the_firing() {
    let (server, receiver) = (RedisServer::start(), Receiver::start());
    let url = server.url();
    let node =
        async |roles: &str| Node::start(&[("POSTHASTE_STORE__URL", &url), ("POSTHASTE_CLUSTER__ROLES", roles)]).await;
    let (ingest, dispatch) = (node("[\"ingest\"]").await, node("[\"dispatch\"]").await);
    ingest.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let mut watcher = Watcher::open(&dispatch, "?account=default&trigger=t").await;
    ingest.fire(event("default", "e1")).await;
    let firing = &watcher.firings(1).await[0];
    assert_eq!((&firing["event_id"], &firing["event_type"]), (&json!("e1"), &json!("guest.created")), "{firing}");
    assert_eq!((&firing["outcome"], &firing["status"]), (&json!("delivered"), &json!(200)), "{firing}");
    drop(watcher);
    // An entry of another program has no names: it is sent, and no firing is reported.
    let mut watcher = Watcher::open(&dispatch, "").await;
    server.add_delivery("{posthaste:0}:deliveries", &receiver.url("/old"), "x", &[]);
    receiver.wait_for(2).await;
    ingest.fire(event("default", "e2")).await;
    assert_eq!(watcher.firings(1).await[0]["event_id"], "e2");
    ingest.stop().await;
    dispatch.stop().await;
}
