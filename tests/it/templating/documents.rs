//! The examples of `docs/templates.md`.
