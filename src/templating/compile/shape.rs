//! What a template produces.

use crate::model::template::Format;

/// What a template produces: a body, or a part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TemplateShape {
    /// A body of this format.
    Body(Format),
    /// The path and the query of a URL.
    Url,
    /// The value of a header.
    Header,
}

impl TemplateShape {
    /// Whether values are escaped, so that writing one unescaped would be unsafe.
    pub(crate) fn escapes(self) -> bool {
        !matches!(self, Self::Body(Format::Text) | Self::Header)
    }
}
