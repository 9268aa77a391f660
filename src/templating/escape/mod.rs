//! Text made safe for each format. Whatever the text is, it can't end the place that it is
//! written for; the tests of each file say so for every character.

pub(super) mod form;
pub(super) mod json;
pub(super) mod xml;
