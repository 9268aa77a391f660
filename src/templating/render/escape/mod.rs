//! Text made safe for each format. Whatever the text is, it can't end the place that it is
//! written for; the tests of each file say so for every character.

pub(crate) mod json;
pub(crate) mod percent;
pub(crate) mod xml;
