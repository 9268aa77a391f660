//! How a delivery ends: the outcome of an attempt, or the reason why there was none.

use std::time::Duration;

use super::words::words;

words! {
    /// Why a delivery or a firing came to an end without an attempt.
    pub enum DropReason {
        /// The destination's queue is full.
        QueueFull = "queue_full",
        /// The destination's queue has reached its bound of bytes.
        QueueBytesFull = "queue_bytes_full",
        /// The node has as many destinations as `dispatch.destinations_max` allows.
        DestinationsFull = "destinations_full",
        /// The rendered body would be longer than a body may be.
        RenderTooLarge = "render_too_large",
        /// The rendering took more steps than it may.
        RenderTooManySteps = "render_too_many_steps",
        /// The rendered body would not be well-formed.
        RenderMalformed = "render_malformed",
        /// The rendering failed for another reason.
        RenderFailed = "render_failed",
        /// The filter would need more steps than it may take.
        FilterTooCostly = "filter_too_costly",
        /// The trigger's template is unusable.
        TemplateUnusable = "template_unusable",
        /// The URL with the event's values is refused, breaks a rule that is newer than the trigger, or breaks the settings.
        UrlRefused = "url_refused",
        /// A header with the event's values is refused, or breaks a rule that is newer than the trigger.
        HeaderRefused = "header_refused",
        /// Redis did not accept the delivery; its producer got an error.
        NotHandedOver = "not_handed_over",
        /// An entry of a stream is not a valid delivery.
        EntryUnreadable = "entry_unreadable",
        /// The delivery waited longer than `journal.age_max_s`; only where there is a journal.
        Expired = "expired",
        /// After a restart, the trigger was deleted or disabled, or had another destination.
        TriggerChanged = "trigger_changed",
        /// The machine was restarted, and the journal can't tell whether the delivery was sent.
        JournalLost = "journal_lost",
        /// The part of the journal with the delivery is damaged.
        JournalDamaged = "journal_damaged",
        /// A panic; the log has its message.
        Panic = "panic",
        /// The node stopped, and `dispatch.drain_ms` was over.
        Stopped = "stopped",
    }
}

words! {
    /// How an attempt ended. Only with the first was the delivery accepted.
    pub enum Outcome {
        /// The receiver responded with 2xx.
        Delivered = "delivered",
        /// The receiver responded with 3xx; redirects are not followed.
        Redirect = "redirect",
        /// The receiver responded with 4xx.
        ClientError = "client_error",
        /// The receiver responded with 5xx.
        ServerError = "server_error",
        /// The response is not a final HTTP/1 response.
        BadAnswer = "bad_answer",
        /// The host's name has no address.
        Resolve = "resolve",
        /// None of the host's addresses may be dialled, or the port may not.
        AddressRefused = "address_refused",
        /// No connection could be made.
        Connect = "connect",
        /// The TLS handshake failed, or the receiver refused the node's certificate.
        Tls = "tls",
        /// The deadline passed while the name was resolved.
        TimeoutResolve = "timeout_resolve",
        /// The deadline passed while a connection was made.
        TimeoutConnect = "timeout_connect",
        /// The deadline passed in the TLS handshake.
        TimeoutTls = "timeout_tls",
        /// The deadline passed while the request was written.
        TimeoutSend = "timeout_send",
        /// The deadline passed before the response arrived.
        TimeoutResponse = "timeout_response",
        /// A new connection was closed before a byte of the request was written.
        ConnectionLostBeforeSend = "connection_lost_before_send",
        /// The connection broke after a byte of the request was written and before a response.
        ConnectionLostAfterSend = "connection_lost_after_send",
        /// The receiver does not consent to deliveries (CloudEvents handshake).
        HandshakeRefused = "handshake_refused",
        /// A panic; the log has its message.
        Panic = "panic",
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
