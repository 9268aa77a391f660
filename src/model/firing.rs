//! The identity of a firing: its event and its trigger. It has names only and none of the event's data, so it can be
//! stored, counted and shown where the data must not be.

use sha2::{Digest as _, Sha256};

use super::event::EventIdentity;
use super::id::TriggerId;

/// The identity of a firing. Clones share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiringId {
    /// The event, shared by all that it fires.
    pub event: EventIdentity,
    /// The trigger, of the event's account.
    pub trigger: TriggerId,
}

/// A hash of names: the same on every node and after every restart. It does not reveal what it is made of.
pub fn hash_of_names<'n>(names: impl IntoIterator<Item = &'n str>) -> [u8; 16] {
    let mut sha256 = Sha256::new();
    for name in names {
        // With the length of each name, so that different lists of names never hash the same bytes.
        sha256.update((name.len() as u64).to_le_bytes());
        sha256.update(name.as_bytes());
    }
    let digest: [u8; 32] = sha256.finalize().into();
    let (first, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    *first
}
