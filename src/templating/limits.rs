//! The bounds that keep any template from hurting the engine. What happens at each: the first
//! three refuse a template when it is saved, the last two drop one rendering.

/// How much a template may be, and how much one rendering of it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateLimits {
    /// The longest body, in bytes, as the customer wrote it.
    pub body_bytes_max: usize,
    /// How deep blocks, and parentheses in one expression, may stand in one another. It is
    /// counted before the parser, which recurses, sees the body.
    pub nesting_max: usize,
    /// How many `each` may stand in one another.
    pub each_depth_max: usize,
    /// The steps of one rendering: one for each part written, condition, helper and element,
    /// and one for every 64 bytes that a helper goes through.
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
            // Bookings, their rentals, their rooms, their beds. Every further one multiplies the work.
            each_depth_max: 4,
            // Some milliseconds; a list of 1,000 elements with 40 values each fits.
            steps_max: 100_000,
            // Common receivers (Slack, Sheets, AWS) take less than this.
            output_bytes_max: 1024 * 1024,
        }
    }
}
