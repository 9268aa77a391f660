//! What the engine asks of a dictionary: which path a tag stands for, and which paths an event
//! carries. Where the dictionary comes from is not known here.

use crate::model::event::EventPattern;

/// The dictionary as templates see it.
pub trait TagLookup: Send + Sync {
    /// The dotted path for which `*|ENTITY:ATTRIBUTE|*` stands, whatever the case of its letters.
    fn tag_path(&self, entity: &str, attribute: &str) -> Option<&str>;

    /// The tag that is meant by another word for its attribute, as `INQUIRY:COST` by `INQUIRY:PRICE`.
    fn tag_meant(&self, _entity: &str, _attribute: &str) -> Option<String> {
        None
    }

    /// All tags, as `GUEST:NAME`.
    fn tags(&self) -> Vec<String>;

    /// The dotted paths that events matching the pattern carry (without a pattern: that any event
    /// carries). `None` where the pattern names only events that the dictionary doesn't know: then
    /// nothing can be said about paths.
    fn paths(&self, event: Option<&EventPattern>) -> Option<Vec<String>>;
}
