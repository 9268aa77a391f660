//! Why no event of a request was accepted. The code, HTTP status, `Retry-After` and counting of each refusal are
//! defined here.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use crate::telemetry::metrics::Metrics;

/// Seconds after which a producer may try again. A full node usually has room sooner.
pub const RETRY_AFTER_S: u64 = 1;

/// An event that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Rejected)]
pub struct RejectedEvent {
    /// Its position in the request, from 0. Blank lines are not counted.
    pub index: usize,
    /// The kind of mistake. Stable.
    pub code: &'static str,
    /// What is wrong and what to write instead.
    pub detail: String,
}

/// How many rejected events a response names. The others are counted by their code.
pub const REJECTED_LISTED_MAX: usize = 100;

/// The events of a request that were rejected.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rejections {
    /// The first of them, each with its position.
    pub listed: Vec<RejectedEvent>,
    /// How many more were rejected, by code.
    pub more: BTreeMap<&'static str, usize>,
}

impl Rejections {
    /// Adds one rejected event. The detail of one that is not listed is not written.
    pub fn push(&mut self, index: usize, code: &'static str, detail: impl fmt::Display) {
        if self.listed.len() < REJECTED_LISTED_MAX {
            self.listed.push(RejectedEvent { index, code, detail: detail.to_string() });
        } else {
            *self.more.entry(code).or_default() += 1;
        }
    }

    /// How many events were rejected.
    pub fn len(&self) -> usize {
        self.listed.len() + self.more.values().sum::<usize>()
    }

    /// Whether no event was rejected.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The rejected event, if there is exactly one.
    fn only(&self) -> Option<&RejectedEvent> {
        self.listed.first().filter(|_| self.len() == 1)
    }

    /// Counts each rejected event by its code.
    pub fn count(&self, metrics: &Metrics) {
        for one in &self.listed {
            metrics.events.rejected.inc_by(one.code, 1);
        }
        for (code, number) in &self.more {
            metrics.events.rejected.inc_by(code, *number);
        }
    }

    /// Whether all rejected events have this code.
    fn are_all(&self, code: &str) -> bool {
        self.listed.iter().all(|one| one.code == code) && self.more.keys().all(|own| *own == code)
    }
}

/// Why no event of a request was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The body does not follow its encoding: where and why.
    Malformed(String),
    /// The body holds no event.
    NoEvents,
    /// Every event has a mistake.
    NoGoodEvent(Rejections),
    /// A bound of the node is reached.
    Full(ReachedBound),
    /// An account has posted more events than it may in a second.
    RateLimited {
        /// How many valid events the request holds.
        events: usize,
        /// After how many seconds the request may be accepted.
        retry_after_s: u64,
    },
    /// Accepted work can't be kept at the moment: Redis is unavailable, full or a replica, or the journal can't be
    /// written. If that happened while the request was being handed over, some of its deliveries may have been added.
    Unavailable,
    /// Another request with the id of an event has no result yet.
    IdInProgress {
        /// How many valid events the request holds.
        events: usize,
        /// After how many seconds the other one has ended.
        retry_after_s: u64,
    },
    /// The node does not have the role `ingest`.
    NotIngest,
    /// The node is stopping.
    Stopping,
    /// The events came through more deliveries in a row than any chain of systems plausibly has.
    Loop,
    /// A panic; the log has its message.
    Panic,
}

/// Which bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReachedBound {
    /// Events in flight. Holds the number of valid events in the request.
    Events(usize),
    /// Deliveries of an account. Holds the number of valid events in the request.
    Deliveries(usize),
    /// Events in flight, checked before the body was read.
    Node,
    /// Deliveries in the streams.
    Backlog,
    /// Bytes of the bodies of all requests together.
    Bodies,
    /// The account's share of the journal.
    Journal,
}

impl Refusal {
    /// Its code in problem documents and metrics. Stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed_body",
            Self::NoEvents => "no_events",
            Self::NoGoodEvent(rejected) => rejected.only().map_or("no_good_event", |only| only.code),
            Self::Full(_) => "engine_full",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable => "store_unavailable",
            Self::IdInProgress { .. } => "id_in_progress",
            Self::NotIngest => "not_an_ingest_node",
            Self::Stopping => "stopping",
            Self::Loop => "loop",
            Self::Panic => "internal_error",
        }
    }

    /// The HTTP status (RFC 9110, section 15).
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::NoGoodEvent(rejected) if rejected.are_all("malformed_json") => 400,
            Self::NoEvents | Self::NoGoodEvent(_) => 422,
            Self::Full(_) | Self::RateLimited { .. } => 429,
            Self::Unavailable | Self::IdInProgress { .. } | Self::NotIngest | Self::Stopping => 503,
            Self::Loop => 508,
            Self::Panic => 500,
        }
    }

    /// After how many seconds the same request may be accepted; `None` if waiting does not help.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_s, .. } | Self::IdInProgress { retry_after_s, .. } => Some(*retry_after_s),
            Self::Full(_) | Self::Unavailable | Self::Stopping => Some(RETRY_AFTER_S),
            _ => None,
        }
    }

    /// Whether the client should open another connection, which may lead to another node.
    pub fn closes_connection(&self) -> bool {
        matches!(self, Self::Stopping)
    }

    /// What is wrong and what to do, for a person.
    pub fn detail(&self) -> String {
        let text = match self {
            Self::Malformed(detail) => detail,
            Self::NoEvents => "the request holds no event",
            Self::NoGoodEvent(rejected) => match rejected.only() {
                Some(only) => &only.detail,
                None => return format!("none of the {} events is valid; `rejected` says why", rejected.len()),
            },
            Self::Full(full) => return full.detail(),
            Self::RateLimited { .. } => {
                "the account has reached its limit of events per second; no event of this request was accepted"
            }
            Self::Unavailable => {
                "the store is unavailable or accepts no writes, so accepted events could not be kept; send the request again later"
            }
            Self::IdInProgress { .. } => {
                "an earlier request with the id of one of these events has no result yet, perhaps since Redis did not respond \
                 to it; no event of this request was accepted, send it again later"
            }
            Self::NotIngest => "this node accepts no events; post them to a node with the role ingest",
            Self::Stopping => {
                "this node is stopping; no event of this request was accepted, send it to another node or later"
            }
            Self::Loop => {
                "these events came through too many deliveries in a row: their triggers lead back to Posthaste; \
                 no event of this request was accepted"
            }
            Self::Panic => "an internal error; no event of this request was accepted",
        };
        text.to_owned()
    }

    /// Counts the valid events of the request or, where those are unknown, the request.
    pub fn count(&self, metrics: &Metrics) {
        match self {
            Self::NoGoodEvent(rejected) => rejected.count(metrics),
            Self::RateLimited { events, .. }
            | Self::IdInProgress { events, .. }
            | Self::Full(ReachedBound::Events(events) | ReachedBound::Deliveries(events)) => {
                metrics.events.rejected.inc_by(self.code(), *events)
            }
            _ => metrics.events.rejected.inc_by(self.code(), 1),
        }
    }
}

impl ReachedBound {
    fn detail(self) -> String {
        let reason = match self {
            Self::Events(events) => format!("this node has no room for {events} more events at the moment"),
            Self::Deliveries(_) => {
                "the request fires more deliveries than its account may have in flight, with those it already has"
                    .to_owned()
            }
            Self::Node => "this node is full".to_owned(),
            Self::Backlog => "the backlog of deliveries is full".to_owned(),
            Self::Journal => "the accepted and unsent events of the account fill its share of the journal".to_owned(),
            Self::Bodies => "the bodies of other requests fill the memory for bodies".to_owned(),
        };
        format!("{reason}; no event of this request was accepted")
    }
}
