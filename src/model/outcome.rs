//! How a delivery ends: the outcome of an attempt, or the reason why there was none.

use std::time::Duration;

/// Why a delivery or a firing came to an end without an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// The destination's queue holds as many as it may.
    QueueFull,
    /// The destination's queue holds as many bytes as it may.
    QueueBytesFull,
    /// There are as many destinations as there may be.
    DestinationsFull,
    /// The body would have been longer than a body may be.
    RenderTooLarge,
    /// The rendering took more steps than it may.
    RenderTooManySteps,
    /// The body would not have been well-formed.
    RenderMalformed,
    /// The rendering failed otherwise.
    RenderFailed,
    /// The filter took more steps than it may.
    FilterTooCostly,
    /// The trigger's template can't be used.
    TemplateUnusable,
    /// The trigger's URL breaks a rule that came after it was saved, or the settings of the operator.
    UrlRefused,
    /// A header of the trigger breaks a rule that came after it was saved.
    HeaderRefused,
    /// Redis did not take the delivery; its producer was told.
    NotHandedOver,
    /// An entry of a stream that is no delivery.
    EntryUnreadable,
    /// A fault of ours.
    Panic,
    /// The stop's time was over.
    Stopped,
}

impl Dropped {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 15] = [
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
        Self::Panic,
        Self::Stopped,
    ];

    /// The reason with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// The reason's word in metrics and answers; stable.
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
            Self::Panic => "panic",
            Self::Stopped => "stopped",
        }
    }
}

/// How an attempt ended. The first is a delivery; of the rest the operator sees the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered 2xx.
    Delivered,
    /// It answered 3xx; a redirect is not followed.
    Redirect,
    /// It answered 4xx.
    ClientError,
    /// It answered 5xx.
    ServerError,
    /// It answered what is no final status.
    BadAnswer,
    /// The deadline passed.
    Timeout,
    /// The host's name has no address.
    Resolve,
    /// None of its addresses may be dialled.
    AddressRefused,
    /// No connection could be made.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The connection broke before there was an answer.
    ConnectionLost,
    /// A fault of ours.
    Panic,
}

impl Outcome {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Delivered,
        Self::Redirect,
        Self::ClientError,
        Self::ServerError,
        Self::BadAnswer,
        Self::Timeout,
        Self::Resolve,
        Self::AddressRefused,
        Self::Connect,
        Self::Tls,
        Self::ConnectionLost,
        Self::Panic,
    ];

    /// The outcome with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }

    /// The outcome's word in metrics and answers; stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Redirect => "redirect",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::BadAnswer => "bad_answer",
            Self::Timeout => "timeout",
            Self::Resolve => "resolve",
            Self::AddressRefused => "address_refused",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::ConnectionLost => "connection_lost",
            Self::Panic => "panic",
        }
    }
}

/// How a firing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// An attempt was made.
    Attempted {
        /// How it ended.
        outcome: Outcome,
        /// The status the receiver answered.
        status: Option<u16>,
        /// From its begin to its end.
        duration: Duration,
    },
    /// None was made.
    Dropped(Dropped),
}

impl Report {
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
