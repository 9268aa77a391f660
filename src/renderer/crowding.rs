//! When the responses to small requests need not wait until their attempts begin.

/// Whether some deliveries waited at most requests of late. A moment with many requests is none: there the
/// delivery goes first, and the response after it.
#[derive(Debug, Default)]
pub(super) struct Crowding(u16);

impl Crowding {
    /// The number of requests that it looks back on, about.
    const MOST: u16 = 512;

    /// Notes whether some wait at a request. Whether the response to this request is sent early.
    pub(super) fn note(&mut self, others_wait: bool) -> bool {
        self.0 = if others_wait { (self.0 + 1).min(Self::MOST) } else { self.0.saturating_sub(1) };
        others_wait && self.0 > Self::MOST / 2
    }
}
