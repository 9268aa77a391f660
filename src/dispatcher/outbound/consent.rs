//! The sender's part of the CloudEvents webhook handshake. Before the first delivery to a destination, the receiver is
//! asked by OPTIONS whether it consents; its allowed rate is respected (HTTP 1.1 Web Hooks for Event Delivery, section
//! 4: abuse protection). The node remembers its response. Pure except for that memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderValue;

use super::response::AllowedOrigin;
use crate::config::HandshakeSettings;
use crate::model::destination::Destination;

/// How long a receiver's consent is valid.
const GRANTED_FOR: Duration = Duration::from_secs(86_400);
/// How long it is not asked again after a refusal: its operator may be about to set it up.
const REFUSED_FOR: Duration = Duration::from_secs(60);
/// How many destinations are remembered. At this number all are forgotten, and asked again.
const REMEMBERED_MAX: usize = 100_000;

/// A receiver's response, and until when it is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// It accepts deliveries, with at least this time between two of them.
    Granted(Option<Duration>),
    /// It refuses deliveries.
    Refused,
}

#[derive(Debug)]
struct RememberedConsent {
    consent: Consent,
    until: Instant,
    /// When the next delivery may be sent.
    next: Instant,
}

/// Which receivers are asked, and their responses; one for the node.
#[derive(Debug)]
pub(super) struct Consents {
    hosts: HandshakeSettings,
    pub(super) origin: HeaderValue,
    remembered: Mutex<HashMap<Destination, RememberedConsent>>,
}

/// What has to happen before the next delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConsentStep {
    /// Ask the receiver.
    Ask,
    /// The receiver consents, and its rate allows it from this time on.
    From(Instant),
    /// The receiver does not consent.
    Refused,
}

impl Consents {
    /// `None` if no receiver is asked.
    pub(super) fn new(hosts: &HandshakeSettings) -> Option<Arc<Self>> {
        let origin = HeaderValue::from_str(&hosts.origin).ok()?;
        let remembered = Mutex::default();
        (!hosts.hosts.is_empty()).then(|| Arc::new(Self { hosts: hosts.clone(), origin, remembered }))
    }

    /// Whether the destination's receiver has to be asked.
    pub(super) fn concern(&self, destination: &Destination) -> bool {
        self.hosts.hosts.iter().any(|pattern| pattern.matches(&destination.host))
    }

    /// What has to happen before the next delivery.
    pub(super) fn next(&self, destination: &Destination, now: Instant) -> ConsentStep {
        match self.locked().get(destination).filter(|known| known.until > now) {
            None => ConsentStep::Ask,
            Some(RememberedConsent { consent: Consent::Refused, .. }) => ConsentStep::Refused,
            Some(RememberedConsent { next, .. }) => ConsentStep::From(*next),
        }
    }

    /// A delivery goes now: the next one has to wait as long as the receiver's rate says.
    pub(super) fn take(&self, destination: &Destination, now: Instant) {
        if let Some(RememberedConsent { consent: Consent::Granted(Some(between)), next, .. }) =
            self.locked().get_mut(destination)
        {
            *next = now + *between;
        }
    }

    /// Remembers what the receiver said to the delivery that goes now.
    pub(super) fn remember(&self, destination: &Destination, consent: Consent, now: Instant) {
        let counts_for = if consent == Consent::Refused { REFUSED_FOR } else { GRANTED_FOR };
        let mut remembered = self.locked();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(destination.clone(), RememberedConsent { consent, until: now + counts_for, next: now });
        drop(remembered);
        self.take(destination, now);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Destination, RememberedConsent>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Interprets the response to a request for consent.
    pub(super) fn decide(&self, status: u16, allowed: &AllowedOrigin) -> Consent {
        let origin = allowed.origin.as_deref().unwrap_or_default();
        let ours = self.hosts.origin.as_str();
        let granted = (200..300).contains(&status) && (origin == "*" || origin.eq_ignore_ascii_case(ours));
        if !granted {
            return Consent::Refused;
        }
        // Requests per minute. A value that is no number, such as `*`, is no bound.
        let rate = allowed.rate.as_deref().and_then(|rate| rate.parse::<u32>().ok());
        match rate {
            Some(0) => Consent::Refused,
            rate => Consent::Granted(rate.map(|rate| Duration::from_secs(60) / rate)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::egress::HostPattern;
    use crate::model::url::TriggerUrl;

    fn consents() -> Arc<Consents> {
        let hosts = vec![HostPattern::new("*.example").expect("a pattern")];
        Consents::new(&HandshakeSettings { hosts, origin: "posthaste.example".into() }).expect("one receiver is asked")
    }

    fn destination(url: &str) -> Destination {
        TriggerUrl::new(url).expect("a URL").destination
    }

    #[test]
    fn what_a_receiver_says_is_understood() {
        let consents = consents();
        let minute = Duration::from_secs(60);
        for (status, origin, rate, expected) in [
            (200, Some("posthaste.example"), None, Consent::Granted(None)),
            (204, Some("PostHaste.Example"), Some("*"), Consent::Granted(None)),
            (200, Some("*"), Some("120"), Consent::Granted(Some(minute / 120))),
            (200, Some("*"), Some("1"), Consent::Granted(Some(minute))),
            (200, Some("*"), Some("0"), Consent::Refused),
            (200, Some("other.example"), None, Consent::Refused),
            (200, None, Some("120"), Consent::Refused),
            (405, Some("*"), None, Consent::Refused),
            (302, Some("*"), None, Consent::Refused),
        ] {
            let allowed = AllowedOrigin { origin: origin.map(str::to_owned), rate: rate.map(str::to_owned) };
            assert_eq!(consents.decide(status, &allowed), expected, "{status} {allowed:?}");
        }
    }

    #[test]
    fn a_response_is_remembered_for_its_time_and_its_rate_is_respected() {
        let (consents, begun) = (consents(), Instant::now());
        let (one, other) = (destination("https://a.example/"), destination("https://b.example/"));
        assert!(consents.concern(&one) && !consents.concern(&destination("https://example.com/")));
        assert_eq!(consents.next(&one, begun), ConsentStep::Ask);
        let second = Duration::from_secs(1);
        consents.remember(&one, Consent::Granted(Some(second)), begun);
        consents.remember(&other, Consent::Refused, begun);
        for number in 1..3 {
            let due = begun + second * number;
            assert_eq!(consents.next(&one, begun), ConsentStep::From(due));
            assert_eq!(consents.next(&one, begun), ConsentStep::From(due), "a look takes nothing");
            consents.take(&one, due);
        }
        consents.take(&one, begun + second * 10);
        assert_eq!(consents.next(&one, begun), ConsentStep::From(begun + second * 11), "no burst is saved up");
        assert_eq!(consents.next(&other, begun), ConsentStep::Refused);
        assert_eq!(consents.next(&other, begun + REFUSED_FOR), ConsentStep::Ask);
        assert_eq!(consents.next(&one, begun + GRANTED_FOR), ConsentStep::Ask);
    }
}
