//! The bounds that keep any template from overloading a node. The first three refuse a template when it is saved; the
//! last two drop one rendering.

/// The bounds of a template and of one rendering of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateLimits {
    /// The longest body, in bytes, as the customer wrote it.
    pub body_bytes_max: usize,
    /// How deep blocks, and parentheses in one expression, may be nested. Checked before the recursive parser sees the
    /// body.
    pub nesting_max: usize,
    /// How deep `each` blocks may be nested.
    pub each_depth_max: usize,
    /// The steps of one rendering: one for each part written, condition, helper and element, and one for every 64 bytes
    /// and every 19 digits that a helper reads.
    pub steps_max: usize,
    /// The longest rendered body, in bytes.
    pub output_bytes_max: usize,
}

impl Default for TemplateLimits {
    fn default() -> Self {
        Self {
            // Ten screens of text; the largest bodies seen in the field are under 8 KiB.
            body_bytes_max: 64 * 1024,
            // No readable template has ten; the parser needs about 2 KiB of stack for each.
            nesting_max: 32,
            // Bookings, their rentals, their rooms, their beds. Each further level multiplies the work.
            each_depth_max: 4,
            // Some milliseconds; a list of 1,000 elements with 40 values each fits.
            steps_max: 100_000,
            // Common receivers (Slack, Sheets, AWS) accept less than this.
            output_bytes_max: 1024 * 1024,
        }
    }
}
