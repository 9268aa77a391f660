//! A mistake in an export: whose it is, where in the file, and what. Never holds a secret.

use std::fmt;

use crate::model::field::FieldError;

/// Which account of the file, which kind, which one of it.
pub(super) type Order = (usize, usize, usize);

/// Where in the file a record is.
#[derive(Debug, Clone)]
pub(super) struct Position {
    pub(super) order: Order,
    /// A JSON Pointer (RFC 6901) into the file.
    pub(super) pointer: String,
}

/// One mistake.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Sorts mistakes by their place.
    pub(super) order: Order,
    /// `acme/template/welcome`; empty where it is nobody's.
    owner: String,
    error: FieldError,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.owner.is_empty() {
            write!(f, "{}: ", self.owner)?;
        }
        if !self.error.pointer.is_empty() {
            write!(f, "{}: ", self.error.pointer)?;
        }
        write!(f, "{} [{}]", self.error.detail, self.error.code)
    }
}

impl Position {
    /// A mistake at a pointer that begins here.
    pub(super) fn mistake(&self, owner: String, error: FieldError) -> Mistake {
        let pointer = format!("{}{}", self.pointer, error.pointer);
        Mistake { order: self.order, owner, error: FieldError { pointer, ..error } }
    }
}
