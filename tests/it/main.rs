//! The integration tests: one program, so that they are linked once.

mod cli;
mod deliveries;
mod interface;
mod layering;
mod stopping;
mod store;
mod support;
mod template_warnings;
mod templating;
