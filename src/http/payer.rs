//! Decides whose share of the node a request uses before it is read: the share of its key or, without one,
//! of its peer address.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use actix_web::dev::RequestHead;
use actix_web::http::header::AUTHORIZATION;

use super::auth::bearer;
use crate::flow::payer::{Payer, peer_of};

/// Keys are hashed with a random seed, so that no client can choose the hash.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The holder for a request with this head.
pub(super) fn payer(head: &RequestHead) -> Payer {
    match head.headers.get(AUTHORIZATION).and_then(bearer) {
        Some(key) => Payer::Key(KEYS.hash_one(key)),
        None => Payer::Peer(head.peer_addr.map(|peer| peer_of(peer.ip()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_request_without_a_key_counts_for_its_network() {
        let request = |key: Option<&str>, peer: &str| {
            let request = TestRequest::default().peer_addr(format!("{peer}:1").parse().expect("an address"));
            let request = key.into_iter().fold(request, |request, key| request.insert_header(("authorization", key)));
            payer(request.to_http_request().head())
        };
        assert_eq!(request(Some("Bearer a"), "10.0.0.1"), request(Some("Bearer a"), "10.0.0.2"));
        assert_ne!(request(Some("Bearer a"), "10.0.0.1"), request(Some("Bearer b"), "10.0.0.1"));
        for other in ["bearer a", "BEARER a", "Bearer  a", "Bearer a "] {
            assert_eq!(request(Some("Bearer a"), "10.0.0.1"), request(Some(other), "10.0.0.1"), "{other:?}");
        }
        assert_eq!(request(Some("Basic a"), "10.0.0.1"), request(None, "10.0.0.1"), "no key");
        assert_ne!(request(None, "10.0.0.1"), request(None, "10.0.0.2"));
        assert_eq!(request(None, "[2001:db8::1]"), request(None, "[2001:db8::2:3]"));
        assert_eq!(request(None, "[::ffff:10.0.0.1]"), request(None, "10.0.0.1"));
    }
}
