//! Renders a program with an event's data: values, how each place writes them, and the helpers. It
//! does no I/O and reads no clock.

mod args;
pub(crate) mod complaint;
pub(crate) mod data;
mod decimal;
pub(crate) mod escape;
mod figures;
pub(crate) mod helpers;
mod locale;
mod moment;
pub(crate) mod run;
pub(crate) mod stop;
pub(crate) mod value;
mod write;
