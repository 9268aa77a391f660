//! Escapes text for each format. No text can end the place that it is written into; the tests of each file check this
//! for every character.

pub(crate) mod json;
pub(crate) mod percent;
pub(crate) mod xml;
