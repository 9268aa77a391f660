//! The operations of a pattern. If they are few they are stored in the pattern itself: with a million patterns, memory
//! behind a pointer is in no cache.

use std::ops::Deref;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::program::Op;

/// Enough for a pattern on two members of two members, one with a range and one with two values.
const FEW: usize = 10;

/// In pre-order.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "most patterns have few, and those are in the pattern for a reason")]
pub(super) enum Operations {
    Few(ArrayVec<Op, FEW>),
    Many(Arc<[Op]>),
}

impl Operations {
    /// How many bytes the operations have outside the pattern.
    pub(super) fn bytes_beside(&self) -> usize {
        match self {
            Self::Few(_) => 0,
            Self::Many(many) => size_of_val(&**many),
        }
    }
}

impl From<Vec<Op>> for Operations {
    fn from(operations: Vec<Op>) -> Self {
        ArrayVec::try_from(&operations[..]).map_or_else(|_| Self::Many(operations.into()), Self::Few)
    }
}

impl Deref for Operations {
    type Target = [Op];

    #[inline]
    fn deref(&self) -> &[Op] {
        match self {
            Self::Few(few) => few,
            Self::Many(many) => many,
        }
    }
}
