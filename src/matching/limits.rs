//! Bounds of matching; `config/posthaste.toml` has their reasons.

/// The cost limits of matching, and how many filters may be evaluated for every event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterLimits {
    /// Steps that the filter of one trigger may need for one event.
    pub steps_per_trigger_max: usize,
    /// Steps that one event may need for all triggers that it does not fire.
    pub steps_per_event_max: usize,
    /// Enabled triggers of one account and event pattern whose filters no lookup can exclude.
    pub unselective_filters_max: usize,
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self { steps_per_trigger_max: 50_000, steps_per_event_max: 500_000, unselective_filters_max: 1_000 }
    }
}
