//! How a delivery ends: the outcome of an attempt, or the reason why there was none.

use std::time::Duration;

/// Why a delivery or a firing came to an end without an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// The destination's queue is full.
    QueueFull,
    /// The destination's queue has reached its bound of bytes.
    QueueBytesFull,
    /// The node has as many destinations as `dispatch.destinations_max` allows.
    DestinationsFull,
    /// The rendered body would be longer than a body may be.
    RenderTooLarge,
    /// The rendering took more steps than it may.
    RenderTooManySteps,
    /// The rendered body would not be well-formed.
    RenderMalformed,
    /// The rendering failed for another reason.
    RenderFailed,
    /// The filter would need more steps than it may take.
    FilterTooCostly,
    /// The trigger's template is unusable.
    TemplateUnusable,
    /// The URL with the event's values is refused, breaks a rule that is newer than the trigger, or breaks the settings.
    UrlRefused,
    /// A header with the event's values is refused, or breaks a rule that is newer than the trigger.
    HeaderRefused,
    /// Redis did not accept the delivery; its producer got an error.
    NotHandedOver,
    /// An entry of a stream is not a valid delivery.
    EntryUnreadable,
    /// The delivery waited longer than `journal.age_max_s`; only where there is a journal.
    Expired,
    /// After a restart, the trigger was deleted or disabled, or had another destination.
    TriggerChanged,
    /// The machine was restarted, and the journal can't tell whether the delivery was sent.
    JournalLost,
    /// The part of the journal with the delivery is damaged.
    JournalDamaged,
    /// A panic; the log has its message.
    Panic,
    /// The node stopped, and `dispatch.drain_ms` was over.
    Stopped,
}

impl DropReason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 19] = [
        Self::QueueFull,
        Self::QueueBytesFull,
        Self::DestinationsFull,
        Self::RenderTooLarge,
        Self::RenderTooManySteps,
        Self::RenderMalformed,
        Self::RenderFailed,
        Self::FilterTooCostly,
        Self::TemplateUnusable,
        Self::UrlRefused,
        Self::HeaderRefused,
        Self::NotHandedOver,
        Self::EntryUnreadable,
        Self::Expired,
        Self::TriggerChanged,
        Self::JournalLost,
        Self::JournalDamaged,
        Self::Panic,
        Self::Stopped,
    ];

    /// The reason with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// The reason's word in metrics and responses. Stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::QueueBytesFull => "queue_bytes_full",
            Self::DestinationsFull => "destinations_full",
            Self::RenderTooLarge => "render_too_large",
            Self::RenderTooManySteps => "render_too_many_steps",
            Self::RenderMalformed => "render_malformed",
            Self::RenderFailed => "render_failed",
            Self::FilterTooCostly => "filter_too_costly",
            Self::TemplateUnusable => "template_unusable",
            Self::UrlRefused => "url_refused",
            Self::HeaderRefused => "header_refused",
            Self::NotHandedOver => "not_handed_over",
            Self::EntryUnreadable => "entry_unreadable",
            Self::Expired => "expired",
            Self::TriggerChanged => "trigger_changed",
            Self::JournalLost => "journal_lost",
            Self::JournalDamaged => "journal_damaged",
            Self::Panic => "panic",
            Self::Stopped => "stopped",
        }
    }
}

/// How an attempt ended. The first is a delivery; of the rest the operator sees the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver responded with 2xx.
    Delivered,
    /// The receiver responded with 3xx; redirects are not followed.
    Redirect,
    /// The receiver responded with 4xx.
    ClientError,
    /// The receiver responded with 5xx.
    ServerError,
    /// The response is not a final HTTP/1 response.
    BadAnswer,
    /// The host's name has no address.
    Resolve,
    /// None of the host's addresses may be dialled, or the port may not.
    AddressRefused,
    /// No connection could be made.
    Connect,
    /// The TLS handshake failed, or the receiver refused the node's certificate.
    Tls,
    /// The deadline passed while the name was resolved.
    TimeoutResolve,
    /// The deadline passed while a connection was made.
    TimeoutConnect,
    /// The deadline passed in the TLS handshake.
    TimeoutTls,
    /// The deadline passed while the request was written.
    TimeoutSend,
    /// The deadline passed before the response arrived.
    TimeoutResponse,
    /// A new connection was closed before a byte of the request was written.
    ConnectionLostBeforeSend,
    /// The connection broke after a byte of the request was written and before a response.
    ConnectionLostAfterSend,
    /// The receiver does not consent to deliveries (CloudEvents handshake).
    HandshakeRefused,
    /// A panic; the log has its message.
    Panic,
}

impl Outcome {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::Delivered,
        Self::Redirect,
        Self::ClientError,
        Self::ServerError,
        Self::BadAnswer,
        Self::Resolve,
        Self::AddressRefused,
        Self::Connect,
        Self::Tls,
        Self::TimeoutResolve,
        Self::TimeoutConnect,
        Self::TimeoutTls,
        Self::TimeoutSend,
        Self::TimeoutResponse,
        Self::ConnectionLostBeforeSend,
        Self::ConnectionLostAfterSend,
        Self::HandshakeRefused,
        Self::Panic,
    ];

    /// The outcome with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }

    /// The outcome's word in metrics and responses; stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Redirect => "redirect",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::BadAnswer => "bad_answer",
            Self::Resolve => "resolve",
            Self::AddressRefused => "address_refused",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::TimeoutResolve => "timeout_resolve",
            Self::TimeoutConnect => "timeout_connect",
            Self::TimeoutTls => "timeout_tls",
            Self::TimeoutSend => "timeout_send",
            Self::TimeoutResponse => "timeout_response",
            Self::ConnectionLostBeforeSend => "connection_lost_before_send",
            Self::ConnectionLostAfterSend => "connection_lost_after_send",
            Self::HandshakeRefused => "handshake_refused",
            Self::Panic => "panic",
        }
    }
}

/// How a firing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FiringReport {
    /// An attempt was made.
    Attempted {
        /// How it ended.
        outcome: Outcome,
        /// The status of the receiver's response.
        status: Option<u16>,
        /// From its start to its end.
        duration: Duration,
    },
    /// No attempt was made.
    Dropped(DropReason),
}

impl FiringReport {
    /// The word of the outcome or of the reason; stable.
    pub fn word(self) -> &'static str {
        match self {
            Self::Attempted { outcome, .. } => outcome.as_str(),
            Self::Dropped(reason) => reason.as_str(),
        }
    }

    /// The receiver accepted the delivery.
    pub fn is_delivered(self) -> bool {
        matches!(self, Self::Attempted { outcome: Outcome::Delivered, .. })
    }
}
