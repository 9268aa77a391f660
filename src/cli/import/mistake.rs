//! A mistake in an export: the record, its position in the file, and what is wrong. Never contains a secret.

use std::fmt;

use crate::model::field::FieldError;

/// The account, the kind, and the index of a record in the file.
pub(super) type FileOrder = (usize, usize, usize);

/// The position of a record in the file.
#[derive(Debug, Clone)]
pub(super) struct FilePosition {
    pub(super) order: FileOrder,
    /// A JSON Pointer (RFC 6901) into the file.
    pub(super) pointer: String,
}

/// One mistake.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Sorts mistakes by position.
    pub(super) order: FileOrder,
    /// `acme/template/welcome`; empty if it belongs to no record.
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

impl FilePosition {
    /// A mistake at a pointer below this one.
    pub(super) fn mistake(&self, owner: String, error: FieldError) -> Mistake {
        let pointer = format!("{}{}", self.pointer, error.pointer);
        Mistake { order: self.order, owner, error: FieldError { pointer, ..error } }
    }
}
