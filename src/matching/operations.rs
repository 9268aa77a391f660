//! The operations of a pattern, in the pattern itself if they are few: with a million patterns, what a search follows a
//! pointer to comes from no cache.

use std::ops::Deref;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::program::Op;

/// Two members of two members, one of them with a range and the other with two values, are no more.
const FEW: usize = 10;

/// In pre-order.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "most patterns have few, and those are in the pattern for a reason")]
pub(super) enum Operations {
    Few(ArrayVec<Op, FEW>),
    Many(Arc<[Op]>),
}

impl Operations {
    /// The bytes of those that are not in the pattern.
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
