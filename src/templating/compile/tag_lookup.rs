//! The interface of a dictionary for templates: the path of a tag, and the paths that an event carries.

use crate::model::event::EventPattern;

/// The dictionary as templates see it.
pub trait TagLookup: Send + Sync {
    /// The dotted path of the tag `*|ENTITY:ATTRIBUTE|*`, ignoring case.
    fn tag_path(&self, entity: &str, attribute: &str) -> Option<&str>;

    /// The tag that is meant by another word for its attribute, such as `INQUIRY:COST` by `INQUIRY:PRICE`.
    fn tag_meant(&self, _entity: &str, _attribute: &str) -> Option<String> {
        None
    }

    /// All tags, as `GUEST:NAME`.
    fn tags(&self) -> Vec<String>;

    /// The dotted paths that events of the pattern carry (without a pattern: that any event carries). `None` if the
    /// pattern covers only unknown events: nothing is known of their paths.
    fn paths(&self, event: Option<&EventPattern>) -> Option<Vec<String>>;
}
