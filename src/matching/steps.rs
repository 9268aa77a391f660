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
pub struct Steps(usize);

impl Steps {
    /// A budget of this many steps.
    pub fn new(steps: usize) -> Self {
        Self(steps)
    }

    /// How many are left.
    pub fn left(self) -> usize {
        self.0
    }

    /// Takes this many.
    pub(super) fn take(&mut self, steps: usize) -> Result<(), TooCostly> {
        match self.0.checked_sub(steps) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => {
                self.0 = 0;
                Err(TooCostly)
            }
        }
    }
}
