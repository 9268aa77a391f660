//! What an account adds that has many deliveries waiting goes through Redis in packs. Each delivery of a pack is attempted
//! once and none is lost, whichever nodes hold the pack, and whatever became of its other deliveries.

use serde_json::json;

use super::bulk::{BACKLOG, ONE_PARTITION, events, ingest_node_alone, post};
use super::{BULK, DISPATCH, PACKS, STREAM, backlog, dropped, expected, ids, node, until};
use crate::support::{Behaviour, Node, Receiver, RedisServer, json_template};

const SCRIPT: &str = concat!(
    include_str!("../../../src/handover/streams/keys.lua"),
    include_str!("../../../src/handover/streams/redeem.lua")
);
const HELD: &str = "{posthaste:0}:packs:held";
const NARROW: (&str, &str) = ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1");
const QUICK: (&str, &str) = ("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "200");
/// A silent receiver does not count as stalled.
const PATIENT: [(&str, &str); 2] =
    [("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"), ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000")];

/// A Redis with this many deliveries of `flood`: the ids up to 63 are entries of the first stream, the others in packs, but for
/// those that arrived nearly alone, which are in the bulk stream. The node has the role `ingest` alone.
async fn with_packs(redis: &RedisServer, receiver: &Receiver, deliveries: usize) -> Node {
    for stream in [STREAM, BULK, PACKS] {
        redis.cli(&["XGROUP", "CREATE", stream, "dispatch", "0", "MKSTREAM"]);
    }
    let ingest = ingest_node_alone(redis, &["flood"], receiver).await;
    post(&ingest, events("flood", 1..64)).await;
    // Each request is a round of its own.
    let rounds: Vec<usize> = (64..deliveries).step_by(64).chain([deliveries]).collect();
    for round in rounds.windows(2) {
        post(&ingest, events("flood", round[0]..round[1])).await;
    }
    let packed = packed(redis);
    assert_eq!(redis.cli(&["XLEN", STREAM]), "64");
    assert_eq!(redis.cli(&["XLEN", BULK]), (deliveries - 64 - packed).to_string());
    assert_eq!(held(redis), [packed.to_string(), packed.to_string()]);
    ingest
}

/// How many deliveries are counted in packs, in all and of `flood`.
fn held(redis: &RedisServer) -> [String; 2] {
    ["", "flood"].map(|name| redis.cli(&["HGET", HELD, name]))
}

/// How many deliveries are in packs.
fn packed(redis: &RedisServer) -> usize {
    packs(redis).iter().map(|pack| pack.events.len()).sum()
}

/// A pack in the stream.
struct Pack {
    id: String,
    /// The ids of its events.
    events: Vec<usize>,
}

impl Pack {
    fn of(&self) -> u32 {
        u32::try_from(self.events.len()).expect("few")
    }

    fn all(&self) -> u32 {
        (1 << self.of()) - 1
    }

    /// Those of its events whose bits are set.
    fn events(&self, bits: u32) -> impl Iterator<Item = usize> {
        self.events.iter().enumerate().filter(move |(part, _)| bits >> part & 1 == 1).map(|(_, id)| *id)
    }
}

/// The packs, the oldest first. How many deliveries one has depends on which arrived at the same moment.
fn packs(redis: &RedisServer) -> Vec<Pack> {
    let all = redis.cli(&["EVAL", PACKED, "1", PACKS]);
    let pack = |line: &str| {
        let (id, events) = line.split_once(' ').expect("an id and its events");
        let events = events.split_whitespace().map(|id| id.parse().expect("a number")).collect();
        Pack { id: id.to_owned(), events }
    };
    all.lines().filter(|line| !line.is_empty()).map(pack).collect()
}

/// Each pack as a line: its id, and the ids in its bodies.
const PACKED: &str = "local packs = {} for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do \
                      local events = '' \
                      for id in string.gmatch(entry[2][4], '{\"id\":\"(%d+)\"}') do events = events .. ' ' .. id end \
                      packs[#packs + 1] = entry[1] .. events end return packs";

/// Lets a consumer read all packs.
fn read_all(redis: &RedisServer, consumer: &str) {
    redis.cli(&["XREADGROUP", "GROUP", "dispatch", consumer, "STREAMS", PACKS, ">"]);
}

/// Redeems deliveries of packs of `flood`: of each its id, how many it was added with, and the bits of those that are asked
/// for, and of those that are to be parked.
fn redeem(redis: &RedisServer, number: u32, asked: &[(&str, u32, u32, u32)]) -> String {
    let mut words = ["EVAL", SCRIPT, "1", STREAM, "dispatch", "{posthaste:0}:answer:test"].map(str::to_owned).to_vec();
    words.extend([number.to_string(), "0".to_owned(), "0".to_owned(), asked.len().to_string(), "0".to_owned()]);
    for (id, of, asked, parked) in asked {
        words.extend([(*id).to_owned(), of.to_string(), "flood".to_owned()]);
        words.extend([asked.to_string(), parked.to_string(), asked.count_ones().to_string()]);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    redis.cli(&words).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Waits until nothing of what was added is left.
async fn until_nothing_is_left(redis: &RedisServer) {
    until("something is left in the streams", async || {
        backlog(redis) == 0 && redis.cli(&["KEYS", "{posthaste:*}:*held"]).is_empty()
    })
    .await;
}

#[actix_rt::test]
async fn what_an_account_adds_beyond_a_few_is_packed() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    let ingest = with_packs(&redis, &receiver, 300).await;
    let packs = packs(&redis);
    assert!(packed(&redis) > 118 && packs.iter().all(|pack| (1..=16).contains(&pack.of())), "{}", packs.len());
    ingest.wait_for_metric(BACKLOG, 300.0).await;
    // Few of another account are not packed.
    ingest.set_up_in("other", "t", &json_template(), json!({"event": "a", "url": receiver.url("/")})).await;
    post(&ingest, events("other", 300..303)).await;
    assert_eq!(redis.cli(&["XLEN", STREAM]), "67");
    let dispatch = node(&redis.url(), &[DISPATCH, ONE_PARTITION]).await;
    receiver.wait_for(303).await;
    assert_eq!(ids(&receiver), expected(0..303));
    until_nothing_is_left(&redis).await;
    ingest.wait_for_metric(BACKLOG, 0.0).await;
    assert_eq!(dropped(&dispatch).await, 0.0);
    assert_eq!(dispatch.metric("posthaste_tickets_total{result=\"won\"}").await, 303.0);
}

#[actix_rt::test]
async fn the_rest_of_a_dead_nodes_pack_is_sent() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    let _ingest = with_packs(&redis, &receiver, 64 + 128).await;
    read_all(&redis, "dead");
    let (packs, packed) = (packs(&redis), packed(&redis));
    // Of the first pack its ends were attempted, of the second all but its last, of the third all, of the others none.
    let (ends, all_but_one) = (1 | 1 << (packs[0].of() - 1), packs[1].all() >> 1);
    let taken = [ends, all_but_one, packs[2].all()];
    let asked: Vec<_> = packs.iter().zip(taken).map(|(pack, bits)| (&*pack.id, pack.of(), bits, 0)).collect();
    let gone: Vec<usize> = packs.iter().zip(taken).flat_map(|(pack, bits)| pack.events(bits)).collect();
    assert_eq!(redeem(&redis, 1, &asked), gone.len().to_string());
    let rest = packed - gone.len();
    assert_eq!(held(&redis), [rest.to_string(), rest.to_string()]);
    let dispatch = node(&redis.url(), &[DISPATCH, ONE_PARTITION, QUICK]).await;
    receiver.wait_for(192 - gone.len()).await;
    assert_eq!(ids(&receiver), expected((0..192).filter(|id| !gone.contains(id))));
    until_nothing_is_left(&redis).await;
    assert_eq!(dispatch.metric("posthaste_claims_total").await, rest as f64);
    assert_eq!(redeem(&redis, 2, &asked), "0 0 0", "they are gone");
    until("the dead consumer is still known", async || {
        !redis.cli(&["XINFO", "CONSUMERS", PACKS, "dispatch"]).contains("dead")
    })
    .await;
}

/// As many packs as are taken over at a time have fewer deliveries than that.
#[actix_rt::test]
async fn small_packs_of_a_dead_node_are_taken_over_together() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    let _ingest = with_packs(&redis, &receiver, 64 + 1_024).await;
    read_all(&redis, "dead");
    let (packs, packed) = (packs(&redis), packed(&redis));
    for (number, pack) in (0..).zip(&packs) {
        redeem(&redis, number, &[(&*pack.id, pack.of(), pack.all() >> 1, 0)]);
    }
    let rest = 64 + 1_024 - packed + packs.len();
    let patient = ("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "4000");
    let dispatch = node(&redis.url(), &[DISPATCH, ONE_PARTITION, patient]).await;
    receiver.wait_for(rest - packs.len()).await;
    let begun = std::time::Instant::now();
    receiver.wait_for(rest).await;
    // Four packs are taken over at a time. A second between each of these and the next would be more than 12.
    assert!(packs.len() > 48 && begun.elapsed() < std::time::Duration::from_secs(12), "{:?}", begun.elapsed());
    until_nothing_is_left(&redis).await;
    assert_eq!(dispatch.metric("posthaste_claims_total").await, packs.len() as f64);
}

#[actix_rt::test]
async fn what_another_node_took_of_a_pack_is_not_attempted() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    let _ingest = with_packs(&redis, &receiver, 64 + 40).await;
    receiver.behave(Behaviour::Silence);
    let settings = [&[DISPATCH, ONE_PARTITION, NARROW], &PATIENT[..]].concat();
    let dispatch = node(&redis.url(), &settings).await;
    receiver.wait_for(1).await;
    dispatch.wait_for_metric("posthaste_queue_depth", 103.0).await;
    let packs = packs(&redis);
    // As a node that took them over while this one was paused: one of the first pack, all of the second.
    let taken = [packs[0].all() / 2 + 1, packs[1].all()];
    let asked: Vec<_> = packs.iter().zip(taken).map(|(pack, bits)| (&*pack.id, pack.of(), bits, 0)).collect();
    let gone: Vec<usize> = packs.iter().zip(taken).flat_map(|(pack, bits)| pack.events(bits)).collect();
    assert_eq!(redeem(&redis, 1, &asked), gone.len().to_string());
    receiver.behave(Behaviour::Respond(200));
    receiver.wait_for(104 - gone.len()).await;
    dispatch.wait_for_metric("posthaste_tickets_total{result=\"lost\"}", gone.len() as f64).await;
    assert_eq!(ids(&receiver), expected((0..104).filter(|id| !gone.contains(id))));
    until_nothing_is_left(&redis).await;
}

#[actix_rt::test]
async fn what_a_node_has_no_room_for_is_parked_apart_from_its_pack() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    let ingest = with_packs(&redis, &receiver, 600).await;
    receiver.behave(Behaviour::Silence);
    let small =
        [NARROW, ("POSTHASTE_DISPATCH__QUEUE_PER_DESTINATION", "8"), ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "100")];
    let dispatch = node(&redis.url(), &[&[DISPATCH, ONE_PARTITION], &small[..]].concat()).await;
    // One is in flight, and one is queued for that connection.
    ingest.wait_for_metric("posthaste_parked_deliveries", 598.0).await;
    ingest.wait_for_metric(BACKLOG, 599.0).await;
    let in_bulk = || -> usize { redis.cli(&["HGET", "{posthaste:0}:bulk:held", "flood"]).parse().expect("a number") };
    let (bulk, packed) = (in_bulk(), redis.cli(&["XLEN", PACKS]));
    assert!(bulk >= 535 && ["0", "1"].contains(&packed.as_str()), "{bulk} {packed}");
    // What is added now is parked as well, so it is not packed.
    post(&ingest, events("flood", 600..700)).await;
    assert_eq!((in_bulk(), redis.cli(&["XLEN", PACKS])), (bulk + 100, packed));
    receiver.behave(Behaviour::Respond(200));
    receiver.wait_for(700).await;
    assert_eq!(ids(&receiver), expected(0..700));
    until_nothing_is_left(&redis).await;
    assert_eq!(dropped(&dispatch).await, 0.0);
}

#[actix_rt::test]
async fn a_stop_leaves_the_rest_of_a_pack_to_other_nodes() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    let _ingest = with_packs(&redis, &receiver, 64 + 40).await;
    receiver.behave(Behaviour::Silence);
    let drain = ("POSTHASTE_DISPATCH__DRAIN_MS", "50");
    let settings = [&[DISPATCH, ONE_PARTITION, NARROW, drain], &PATIENT[..]].concat();
    let first = node(&redis.url(), &settings).await;
    receiver.wait_for(1).await;
    first.wait_for_metric("posthaste_queue_depth", 103.0).await;
    // Another node was faster with the first one of the first pack.
    let pack = packs(&redis).remove(0);
    assert_eq!(redeem(&redis, 1, &[(&pack.id, pack.of(), 1, 0)]), "1");
    assert_eq!(first.stop().await.unsent, 1, "the one whose attempt is under way");
    receiver.behave(Behaviour::Respond(200));
    let second = node(&redis.url(), &[DISPATCH, ONE_PARTITION]).await;
    receiver.wait_for(103).await;
    assert_eq!(ids(&receiver), expected((0..104).filter(|id| *id != pack.events[0])));
    assert_eq!(second.metric("posthaste_claims_total").await, 102.0);
    until_nothing_is_left(&redis).await;
}

#[actix_rt::test]
async fn packs_of_a_full_redis_are_sent() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    let _ingest = with_packs(&redis, &receiver, 300).await;
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    // Of one connection, so that packs are redeemed in parts.
    let _dispatch = node(&redis.url(), &[DISPATCH, ONE_PARTITION, NARROW]).await;
    receiver.wait_for(300).await;
    assert_eq!(ids(&receiver), expected(0..300));
    until("a stream is not empty", async || backlog(&redis) == 0).await;
}

#[test]
fn each_delivery_of_a_pack_is_won_once() {
    let redis = RedisServer::start();
    redis.cli(&["XGROUP", "CREATE", PACKS, "dispatch", "0", "MKSTREAM"]);
    for id in ["1-0", "2-0", "3-0"] {
        redis.cli(&["XADD", PACKS, id, "target", "t", "pack", "p"]);
    }
    redis.cli(&["HSET", HELD, "", "24", "flood", "24"]);
    assert_eq!(redeem(&redis, 1, &[("1-0", 8, 1, 0)]), "0", "no node has read it");
    read_all(&redis, "c");
    assert_eq!(redeem(&redis, 2, &[("1-0", 8, 0b1, 0), ("2-0", 8, 0xff, 0)]), "9");
    assert_eq!(redeem(&redis, 2, &[("1-0", 8, 0b1, 0), ("2-0", 8, 0xff, 0)]), "9", "the same request again");
    assert_eq!(held(&redis), ["15", "15"]);
    assert_eq!(redeem(&redis, 3, &[("1-0", 8, 0b11, 0), ("2-0", 8, 0xff, 0), ("3-0", 8, 0b1000_0000, 0)]), "2 0 128");
    // Another node takes it over in between: what was won stays won.
    redis.cli(&["XCLAIM", PACKS, "dispatch", "d", "0", "1-0", "JUSTID"]);
    redis.cli(&["XCLAIM", PACKS, "dispatch", "e", "0", "1-0"]);
    assert_eq!(redeem(&redis, 4, &[("1-0", 8, 0xff, 0)]), "252");
    assert_eq!((held(&redis), redis.cli(&["XLEN", PACKS])), (["7"; 2].map(String::from), "1".to_owned()));
    assert_eq!(redeem(&redis, 5, &[("3-0", 8, 0x7f, 0)]), "7");
    assert_eq!((redis.cli(&["XLEN", PACKS]), redis.cli(&["EXISTS", HELD])), ("0".to_owned(), "0".to_owned()));
    assert!(redis.cli(&["XPENDING", PACKS, "dispatch"]).starts_with('0'));
}

#[test]
fn a_pack_that_others_removed_is_won_at_most_once() {
    let redis = RedisServer::start();
    assert_eq!(redeem(&redis, 1, &[("1-0", 8, 1, 0)]), "0", "there is no group");
    redis.cli(&["XGROUP", "CREATE", PACKS, "dispatch", "0", "MKSTREAM"]);
    for id in ["1-0", "2-0", "3-0"] {
        redis.cli(&["XADD", PACKS, id, "target", "t", "pack", "p"]);
    }
    read_all(&redis, "c");
    // Deleted while it is pending, and acknowledged while it is in the stream.
    redis.cli(&["XDEL", PACKS, "1-0"]);
    redis.cli(&["XACK", PACKS, "dispatch", "2-0"]);
    assert_eq!(redeem(&redis, 2, &[("2-0", 8, 1, 0)]), "0");
    assert_eq!(redeem(&redis, 3, &[("1-0", 8, 0xff, 0)]), "8");
    assert_eq!(redeem(&redis, 4, &[("1-0", 8, 0xff, 0)]), "0");
    assert_eq!(redeem(&redis, 5, &[("3-0", 8, 0b1, 0)]), "1");
    redis.cli(&["XDEL", PACKS, "3-0"]);
    assert_eq!(redeem(&redis, 6, &[("3-0", 8, 0b1, 0)]), "0");
}

/// What a user without these rights asks for is refused, and won later.
#[test]
fn what_redis_refuses_of_a_pack_is_not_lost() {
    let redis = RedisServer::start();
    redis.cli(&["XGROUP", "CREATE", PACKS, "dispatch", "0", "MKSTREAM"]);
    redis.cli(&["XADD", PACKS, "1-0", "target", "t", "pack", "p"]);
    read_all(&redis, "c");
    let may = |may: &str| redis.cli(&["ACL", "SETUSER", "default", may]);
    assert_eq!(redeem(&redis, 1, &[("1-0", 8, 0b1, 0)]), "1");
    redis.cli(&["XADD", PACKS, "2-0", "target", "t", "pack", "p"]);
    redis.cli(&["XADD", PACKS, "3-0", "target", "t", "pack", "p"]);
    read_all(&redis, "c");
    for (number, right, asked) in [(2, "xdel", 0xfe), (3, "xack", 0xfe), (4, "xclaim", 0b10), (5, "xpending", 0b10)] {
        may(&format!("-{right}"));
        let refused = redeem(&redis, number, &[("1-0", 8, asked, 0)]);
        assert!(refused.contains("permissions") || refused.contains("can't run this command"), "{right}: {refused}");
        may(&format!("+{right}"));
    }
    assert_eq!(redis.cli(&["XLEN", PACKS]), "3");
    assert_eq!(redeem(&redis, 6, &[("1-0", 8, 0xff, 0)]), "254", "the first one was won before");
    // Beside what is won: the response says that this pack is left.
    may("-xclaim");
    assert_eq!(redeem(&redis, 7, &[("2-0", 8, 0xff, 0), ("3-0", 8, 0b10, 0)]), "255 65536");
    may("+xclaim");
    // What can't be read can't be parked.
    may("-xrange");
    assert_eq!(redeem(&redis, 8, &[("3-0", 8, 0b111, 0b100)]), "3");
    may("+xrange");
    assert!(redis.cli(&["XPENDING", PACKS, "dispatch", "-", "+", "9", "returned"]).contains("3-0"));
    assert_eq!(redeem(&redis, 9, &[("3-0", 8, 0xff, 0)]), "252");
    assert_eq!(redis.cli(&["XLEN", PACKS]), "0");
}

/// What can't be read is asked for as if it had one delivery.
#[test]
fn an_unreadable_pack_is_removed_whatever_was_won_of_it() {
    let redis = RedisServer::start();
    redis.cli(&["XGROUP", "CREATE", PACKS, "dispatch", "0", "MKSTREAM"]);
    for id in ["1-0", "2-0", "3-0"] {
        redis.cli(&["XADD", PACKS, id, "target", "t", "pack", "p"]);
    }
    read_all(&redis, "c");
    assert_eq!(redeem(&redis, 1, &[("1-0", 8, 0b100, 0), ("2-0", 8, 0b1, 0)]), "2");
    assert_eq!(redeem(&redis, 2, &[("1-0", 1, 1, 0), ("2-0", 1, 1, 0), ("3-0", 1, 1, 0)]), "1 0 1");
    assert_eq!(redis.cli(&["XLEN", PACKS]), "0");
}

#[actix_rt::test]
async fn what_redis_does_not_park_is_read_again() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    let _ingest = with_packs(&redis, &receiver, 64 + 40).await;
    read_all(&redis, "c");
    let packs = packs(&redis);
    let pack = &packs[0];
    // Another program has the key. What was in it is lost.
    redis.cli(&["DEL", BULK]);
    redis.cli(&["SET", BULK, "x"]);
    // Two are attempted, and one is to be parked.
    assert_eq!(redeem(&redis, 1, &[(&pack.id, pack.of(), 0b111, 0b100)]), "3");
    let pending = redis.cli(&["XPENDING", PACKS, "dispatch", "-", "+", "9", "returned"]);
    assert!(pending.contains(&pack.id), "{pending}");
    redis.cli(&["DEL", BULK]);
    assert_eq!(redeem(&redis, 2, &[(&pack.id, pack.of(), 0b1111, 0b1100)]), "12");
    let parked = redis.cli(&["XRANGE", BULK, "-", "+"]);
    let bodies = pack.events(0b1100).map(|id| format!("{{\"id\":\"{id}\"}}"));
    let firings = pack.events(0b1100).map(|id| format!("[\"flood\",\"a\",\"\",\"{id}\",\"t\"]"));
    for part in bodies.chain(firings).chain(["since".to_owned(), pack.id.split('-').next().expect("a time").to_owned()])
    {
        assert!(parked.contains(&part), "{part}: {parked}");
    }
    assert_eq!(redis.cli(&["XLEN", BULK]), "2");
    let _dispatch = node(&redis.url(), &[DISPATCH, ONE_PARTITION, QUICK]).await;
    let gone: Vec<usize> = pack.events(0b11).collect();
    let rest = packs.iter().flat_map(|pack| &pack.events).filter(|id| !gone.contains(id));
    let rest: Vec<usize> = (0..64).chain(rest.copied()).collect();
    receiver.wait_for(rest.len()).await;
    assert_eq!(ids(&receiver), expected(rest));
    until("a stream is not empty", async || backlog(&redis) == 0).await;
}
