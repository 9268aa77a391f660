//! The helpers as people choose from them.

use serde::Serialize;
use utoipa::ToSchema;

use super::GROUPS;

/// A helper that a template may call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HelperView {
    /// Its name.
    #[schema(example = "date")]
    pub name: &'static str,
    /// What it works on.
    #[schema(example = "Dates")]
    pub group: &'static str,
    /// What it gives.
    #[schema(example = "A date or time: in a pattern, a time zone and a language")]
    pub description: &'static str,
    /// A call of it. One that opens a block does not close it.
    #[schema(example = r#"{{date inquiry.arrive "%d %B %Y" tz="Europe/Rome" locale="de"}}"#)]
    pub example: &'static str,
    /// The names of its options.
    #[schema(example = json!(["from", "locale", "tz", "unit"]))]
    pub options: &'static [&'static str],
}

/// All helpers, those of a group together.
pub fn helpers() -> Vec<HelperView> {
    let of_group = |&(group, helpers): &(&'static str, &'static [super::Helper])| {
        helpers.iter().map(move |helper| HelperView {
            name: helper.name,
            group,
            description: helper.description,
            example: helper.example,
            options: helper.options,
        })
    };
    GROUPS.iter().flat_map(of_group).collect()
}
