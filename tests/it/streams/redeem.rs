//! The script that redeems claims, run by itself: which entries of a request are won, whatever other programs did to the
//! streams meanwhile. An entry is won once, and one that is won is gone.

use super::{BULK, STREAM};
use crate::support::RedisServer;

const SCRIPT: &str = concat!(
    include_str!("../../../src/handover/streams/keys.lua"),
    include_str!("../../../src/handover/streams/redeem.lua")
);
const HELD: [&str; 2] = ["{posthaste:0}:held", "{posthaste:0}:bulk:held"];

/// A Redis with the entries `1-0` to `8-0` in both streams, all of them pending and counted for `acme`.
fn redis() -> RedisServer {
    let redis = RedisServer::start();
    for (stream, held) in [STREAM, BULK].into_iter().zip(HELD) {
        redis.cli(&["XGROUP", "CREATE", stream, "dispatch", "0", "MKSTREAM"]);
        for id in 1..=8 {
            redis.cli(&["XADD", stream, &format!("{id}-0"), "f", "v"]);
        }
        redis.cli(&["XREADGROUP", "GROUP", "dispatch", "c", "STREAMS", stream, ">"]);
        redis.cli(&["HSET", held, "acme", "8"]);
    }
    redis
}

/// Requests these entries of the first and of the bulk stream, all of one account, under a number; the response by line.
fn redeem(redis: &RedisServer, number: u32, [first, bulk]: [&[u32]; 2], account: &str) -> String {
    let mut words = vec!["EVAL".to_owned(), SCRIPT.to_owned(), "1".to_owned(), STREAM.to_owned()];
    words.extend(["dispatch".to_owned(), "{posthaste:0}:answer:a".to_owned(), number.to_string()]);
    words.extend([first.len().to_string(), bulk.len().to_string(), "0".to_owned(), "0".to_owned()]);
    words.extend(first.iter().chain(bulk).map(|id| format!("{id}-0")));
    for (stream, ids) in [("1", first), ("2", bulk)] {
        if !ids.is_empty() {
            words.extend([stream.to_owned(), account.to_owned(), ids.len().to_string()]);
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    redis.cli(&words).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many entries are in a stream, pending, and counted for `acme`.
fn left(redis: &RedisServer, stream: &str) -> [String; 3] {
    let held = if stream == STREAM { HELD[0] } else { HELD[1] };
    let pending = redis.cli(&["XPENDING", stream, "dispatch"]);
    let pending = pending.lines().next().unwrap_or_default().to_owned();
    [redis.cli(&["XLEN", stream]), pending, redis.cli(&["HGET", held, "acme"])]
}

#[test]
fn what_is_pending_is_won_once() {
    let redis = redis();
    assert_eq!(redeem(&redis, 1, [&[1, 2, 3], &[1, 2]], "acme"), "5");
    assert_eq!((left(&redis, STREAM), left(&redis, BULK)), (["5"; 3].map(String::from), ["6"; 3].map(String::from)));
    assert_eq!(redeem(&redis, 2, [&[1, 2, 3], &[]], "acme"), "0 0 0");
    // Half of it is won already.
    assert_eq!(redeem(&redis, 3, [&[2, 4, 3, 5], &[2, 3, 1]], "acme"), "0 1 0 1 0 1 0");
    assert_eq!((left(&redis, STREAM), left(&redis, BULK)), (["3"; 3].map(String::from), ["5"; 3].map(String::from)));
    assert_eq!(redeem(&redis, 4, [&[5, 6], &[8]], "acme"), "0 1 1", "one stream has lost some, the other none");
    assert_eq!(redeem(&redis, 5, [&[7], &[5, 5, 6]], ""), "1 1 0 1", "an entry that is named twice is won once");
    assert_eq!(
        (left(&redis, STREAM), left(&redis, BULK)),
        (["1", "1", "2"].map(String::from), ["2", "2", "4"].map(String::from))
    );
    assert_eq!(redeem(&redis, 6, [&[8], &[4, 7]], "acme"), "3");
    assert_eq!(redis.cli(&["EXISTS", HELD[0]]), "1", "what was redeemed without an account still counts");
    assert_eq!(left(&redis, STREAM)[..2], ["0", "0"]);
}

#[test]
fn a_request_that_comes_again_gets_the_same_response() {
    let redis = redis();
    assert_eq!(redeem(&redis, 7, [&[1, 2], &[]], "acme"), "2");
    assert_eq!(redeem(&redis, 7, [&[1, 2], &[]], "acme"), "2");
    assert_eq!(redeem(&redis, 8, [&[2, 3], &[]], "acme"), "0 1");
    assert_eq!(redeem(&redis, 8, [&[2, 3], &[]], "acme"), "0 1");
    assert_eq!(left(&redis, STREAM), ["5"; 3].map(String::from));
}

#[test]
fn entries_that_others_removed_are_won_once_at_most() {
    let redis = redis();
    // An operator deletes entries that are pending.
    assert_eq!(redis.cli(&["XDEL", STREAM, "1-0", "2-0"]), "2");
    assert_eq!(redeem(&redis, 1, [&[1, 3], &[]], "acme"), "2", "all of them are pending");
    assert_eq!(redeem(&redis, 2, [&[1, 2, 4], &[]], "acme"), "0 0 1", "what is won is not known of all of them");
    assert_eq!(redeem(&redis, 3, [&[2], &[]], "acme"), "0");
    // Or acknowledges one and leaves it in the stream: alone it is lost, with others it is won, and removed.
    assert_eq!(redis.cli(&["XACK", STREAM, "dispatch", "5-0"]), "1");
    assert_eq!(redeem(&redis, 4, [&[5], &[]], "acme"), "0");
    assert_eq!(redeem(&redis, 5, [&[5, 6], &[]], "acme"), "2");
    assert_eq!(redeem(&redis, 6, [&[6, 5], &[]], "acme"), "0 0");
    assert_eq!(left(&redis, STREAM)[..2], ["2", "2"]);
}

#[test]
fn entries_of_a_group_that_was_made_again_are_won_once() {
    let redis = redis();
    redis.cli(&["XGROUP", "DESTROY", STREAM, "dispatch"]);
    assert_eq!(redeem(&redis, 1, [&[1, 2], &[]], "acme"), "0 0", "there is no group");
    redis.cli(&["XGROUP", "CREATE", STREAM, "dispatch", "0"]);
    redis.cli(&["XREADGROUP", "GROUP", "dispatch", "d", "COUNT", "2", "STREAMS", STREAM, ">"]);
    // Two of them are pending again, and the third is not yet. It is in the stream, so no node has won it.
    assert_eq!(redeem(&redis, 2, [&[1, 3], &[]], "acme"), "2");
    let rest = redis.cli(&["XREADGROUP", "GROUP", "dispatch", "d", "STREAMS", STREAM, ">"]);
    assert!(!rest.contains("3-0") && rest.contains("4-0"), "{rest}");
    assert_eq!(redeem(&redis, 3, [&[1, 2, 3], &[]], "acme"), "0 1 0");
}

/// A user who may not delete entries: what is acknowledged must not stay behind, where no node would find it.
#[test]
fn what_redis_refuses_is_not_lost() {
    let redis = redis();
    let may_delete = |may: &str| redis.cli(&["ACL", "SETUSER", "default", may]);
    assert_eq!(redeem(&redis, 1, [&[2], &[]], "acme"), "1", "won by another node");
    may_delete("-xdel");
    for (number, own) in [(2, [&[1, 3][..], &[1][..]]), (3, [&[1, 2, 3], &[]]), (4, [&[], &[1, 2]])] {
        let refused = redeem(&redis, number, own, "acme");
        assert!(refused.contains("can't run this command") || refused.contains("permissions"), "{refused}");
    }
    assert_eq!((left(&redis, STREAM), left(&redis, BULK)), (["7"; 3].map(String::from), ["8"; 3].map(String::from)));
    let returned = redis.cli(&["XPENDING", STREAM, "dispatch", "-", "+", "10", "returned"]);
    assert_eq!(returned.lines().filter(|line| line.ends_with("-0")).collect::<Vec<_>>(), ["1-0", "3-0"]);
    may_delete("+xdel");
    assert_eq!(redeem(&redis, 2, [&[1, 3], &[1]], "acme"), "3");
    assert_eq!(redeem(&redis, 3, [&[1, 2, 3], &[]], "acme"), "0 0 0");
}

#[test]
fn a_bulk_stream_that_another_program_replaced_costs_the_first_one_nothing() {
    let redis = redis();
    redis.cli(&["DEL", BULK]);
    redis.cli(&["SET", BULK, "x"]);
    assert_eq!(redeem(&redis, 1, [&[1, 2], &[1]], "acme"), "1 1 0");
    assert!(redeem(&redis, 2, [&[], &[1, 2]], "acme").contains("WRONGTYPE"));
    assert_eq!(left(&redis, STREAM), ["6"; 3].map(String::from));
}
