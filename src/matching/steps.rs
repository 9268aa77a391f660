//! The budget of matching: steps, which every test, element and look-up is charged to.

/// The budget was used up before it was decided whether the pattern matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the filter needs more steps than it may take")]
pub struct TooCostly;

/// How many bytes of a text are searched, or of a number are parsed, in the time of one step.
pub(super) const BYTES_PER_STEP: usize = 64;
/// How many bytes of a text are folded in the time of one step.
pub(super) const FOLDED_BYTES_PER_STEP: usize = 8;

/// The remaining steps. One is about the work of comparing two short texts, a few nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct Steps {
    left: usize,
    /// The slice ends when this many steps are left, or fewer; 0: it never ends.
    pause_at: usize,
}

impl Steps {
    /// A budget of this many steps.
    pub fn new(steps: usize) -> Self {
        Self { left: steps, pause_at: 0 }
    }

    /// Begins a slice of this many. Other work can be done between two slices.
    pub(super) fn begin_slice(&mut self, steps: usize) {
        self.pause_at = self.left.saturating_sub(steps);
    }

    /// Whether the steps of the slice are used up.
    pub(super) fn slice_is_over(self) -> bool {
        self.left <= self.pause_at && self.pause_at > 0
    }

    /// How many are left.
    pub fn left(self) -> usize {
        self.left
    }

    /// Takes this many.
    pub(super) fn take(&mut self, steps: usize) -> Result<(), TooCostly> {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(TooCostly)
            }
        }
    }
}
