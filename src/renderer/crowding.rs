//! Decides whether the response to a small request may be sent before its attempts begin.

/// Remembers at how many of the last requests some deliveries were waiting. Responses are sent early only if that was
/// so at most of them. In a short burst the delivery goes first, and the response after it.
#[derive(Debug, Default)]
pub(super) struct Crowding(u16);

impl Crowding {
    /// About how many requests are remembered.
    const MOST: u16 = 512;

    /// Notes whether deliveries were waiting when a request came. Returns whether the response to it may be sent early.
    pub(super) fn note(&mut self, others_wait: bool) -> bool {
        self.0 = if others_wait { (self.0 + 1).min(Self::MOST) } else { self.0.saturating_sub(1) };
        others_wait && self.0 > Self::MOST / 2
    }
}
