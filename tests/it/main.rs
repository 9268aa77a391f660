//! The integration tests: one program, so that they are linked once.

mod activity;
mod cli;
mod cloud_events;
mod deliveries;
mod documents;
mod expressions;
mod filters;
mod interface;
mod isolation;
mod journal;
mod nodes;
mod outbound;
mod panics;
mod stopping;
mod store;
mod streams;
mod support;
mod template_warnings;
mod templating;
mod tidy;
