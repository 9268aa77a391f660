//! Customers' templates: compiled and checked when they are saved, rendered when an event fires them. `compile/` turns a
//! body into a program and proves that its output is well-formed for all data; `render/` executes the program. This
//! module does no I/O, reads no clock, and does not know HTTP, actors or stores.

mod compile;
mod limits;
mod program;
mod render;
#[cfg(test)]
mod tests;

pub use self::compile::diagnostic::{Diagnostic, Severity};
pub use self::compile::known::EVENT_PATHS;
pub use self::compile::request::{Expressions, RequestFinding, UnsendableReason, is_error};
pub use self::compile::tag_lookup::TagLookup;
pub use self::compile::{CheckedTemplate, CompileContext, CompiledTemplate, compile, compile_in};
pub use self::limits::TemplateLimits;
pub use self::render::data::{Data, EventDetails};
pub use self::render::helpers::view::{HelperView, helpers};
pub use self::render::stop::RenderFailure;
