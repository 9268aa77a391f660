//! The names of accounts, triggers, templates and keys. A name that exists is valid, so no other code checks it again.

use std::borrow::Borrow;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name in bytes. Names are parts of URLs and of the store's keys.
pub const NAME_BYTES_MAX: usize = 128;
/// The form of a name, as a regular expression for the interface's documents.
pub const NAME_PATTERN: &str = "^[A-Za-z0-9_.~:@-]+$";
/// The account of an event that has none.
pub const DEFAULT_ACCOUNT: &str = "default";
/// Replaces an invalid name in a document, so that further mistakes are reported.
pub(super) const UNREADABLE: &str = "unreadable";

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No text at all.
    #[error("it is empty")]
    Empty,
    /// More than [`NAME_BYTES_MAX`] bytes.
    #[error("it has {0} bytes; at most {NAME_BYTES_MAX} are accepted")]
    TooLong(usize),
    /// A character that has a meaning in URLs or keys.
    #[error("it has the character {0:?}; letters, digits and - _ . ~ : @ are accepted")]
    Character(char),
    /// `.` or `..`: clients treat these as path steps and never send them.
    #[error("`.` and `..` are steps in a path, not names; take another name")]
    PathStep,
}

fn validate(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong(text.len()));
    }
    let allowed = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'~' | b':' | b'@');
    // What is before the first other byte is ASCII, so a character begins with it.
    match text.bytes().position(|byte| !allowed(&byte)).map(|at| text[at..].chars().next()) {
        Some(c) => Err(NameError::Character(c.unwrap_or_default())),
        None if matches!(text, "." | "..") => Err(NameError::PathStep),
        None => Ok(()),
    }
}

/// The name that was read last. Names that are read in a row are mostly the same, and such a one is checked, and made, once.
#[derive(Debug)]
pub struct LastName<N>(Option<N>);

impl<N: Borrow<str>> LastName<N> {
    /// None was read yet.
    pub const fn none() -> Self {
        Self(None)
    }

    /// The last name if it is this text, or else a new one.
    pub fn read<E>(&mut self, text: &str, new: impl FnOnce(&str) -> Result<N, E>) -> Result<&N, E> {
        self.0.take_if(|last| (*last).borrow() != text);
        match &mut self.0 {
            Some(same) => Ok(same),
            none => Ok(none.insert(new(text)?)),
        }
    }
}

impl<N: Borrow<str>> Default for LastName<N> {
    fn default() -> Self {
        Self::none()
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Converts a text, if it is a valid name.
            pub fn new(text: &str) -> Result<Self, NameError> {
                validate(text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A customer's name space. It exists while it has records.
    AccountId
);
name!(
    /// A trigger's name within its account.
    TriggerId
);
name!(
    /// A template's name within its account.
    TemplateId
);
name!(
    /// The public name of a key; never the key itself.
    KeyId
);

impl AccountId {
    /// The account of an event that has none.
    pub fn default_account() -> Self {
        Self(DEFAULT_ACCOUNT.into())
    }
}

/// A new id that sorts by time (UUID version 7, RFC 9562).
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The last bits of an event's id, which count the events that come together. They are random in the first id.
const COUNTED: u128 = u32::MAX as u128;
/// The bits before them that count the first ids of one thread in one millisecond. Those before these are the time, and
/// random.
const FIRSTS: u128 = (1 << 62) - 1 - COUNTED;

thread_local! {
    /// The last first id. Before there is one, it is of no millisecond that a clock has.
    static FIRST: Cell<u128> = const { Cell::new(u128::MAX) };
}

/// A new first id, in this millisecond of the Unix time.
fn first_id(millisecond: u64) -> u128 {
    let last = FIRST.get();
    let first = if (last >> 80) as u64 == millisecond && last & FIRSTS != FIRSTS {
        last + COUNTED + 1
    } else {
        let time =
            uuid::Timestamp::from_unix(uuid::NoContext, millisecond / 1_000, (millisecond % 1_000) as u32 * 1_000_000);
        uuid::Uuid::new_v7(time).as_u128()
    };
    FIRST.set(first);
    first
}

/// The ids of events that come together. The first one is new; each other one is its predecessor plus one, which needs
/// no random number.
#[derive(Debug, Default)]
pub struct EventIds(Option<u128>);

/// Room for the text of an id.
pub type IdText = [u8; uuid::fmt::Hyphenated::LENGTH];

impl EventIds {
    /// An id that sorts by time, as [`new_id`], in this millisecond of the Unix time.
    pub fn next_id<'t>(&mut self, millisecond: u64, text: &'t mut IdText) -> &'t str {
        let next = match self.0 {
            None => first_id(millisecond),
            Some(last) => last & !COUNTED | ((last & COUNTED) + 1) & COUNTED,
        };
        self.0 = Some(next);
        uuid::Uuid::from_u128(next).hyphenated().encode_lower(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_events_differ() {
        let mut all: Vec<_> = (0..3)
            .flat_map(|_| {
                std::iter::repeat_with({
                    let mut ids = EventIds::default();
                    move || ids.next_id(1_700_000_000_000, &mut [0; 36]).to_owned()
                })
                .take(1_000)
            })
            .collect();
        assert!(all.iter().all(|id| uuid::Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 7)));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 3_000);
        let mut last = EventIds(Some(u128::MAX));
        assert_eq!(last.next_id(0, &mut [0; 36]), "ffffffff-ffff-ffff-ffff-ffff00000000", "the digits before stay");
    }

    #[test]
    fn first_ids_differ_and_have_their_time() {
        let time = 1_700_000_000_123;
        let ids: Vec<u128> = (0..5_000).map(|n| first_id(time + n / 1_000)).collect();
        assert!(ids.iter().zip(0..).all(|(id, n)| (id >> 80) as u64 == time + n / 1_000));
        assert!(ids.windows(2).all(|two| two[0] >> 32 < two[1] >> 32), "each is after the one before");
        assert!(ids.iter().all(|id| uuid::Uuid::from_u128(*id).get_version_num() == 7));
        // All of one millisecond are used up.
        FIRST.set(ids[0] | FIRSTS);
        let next = first_id(time);
        assert!((next >> 80) as u64 == time && next >> 62 != ids[0] >> 62);
        assert_eq!(uuid::Uuid::from_u128(next).get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn a_clock_that_was_never_set_gives_no_id_twice() {
        let ids: Vec<u128> =
            (0..2).flat_map(|_| std::thread::spawn(|| [first_id(0), first_id(0)]).join().expect("no panic")).collect();
        assert!(ids.iter().all(|id| uuid::Uuid::from_u128(*id).get_version_num() == 7));
        assert_ne!(ids[0], ids[2], "another thread, as another start, has others");
    }

    #[test]
    fn names_that_are_taken_and_refused() {
        for good in ["a", "acme", "Acme-1_x.y~z", "urn:x@y", &"a".repeat(128)] {
            assert!(AccountId::new(good).is_ok(), "{good}");
        }
        assert_eq!(AccountId::new(""), Err(NameError::Empty));
        assert_eq!(AccountId::new(&"a".repeat(129)), Err(NameError::TooLong(129)));
        for (bad, c) in [("a b", ' '), ("a/b", '/'), ("{a}", '{'), ("é", 'é')] {
            assert_eq!(AccountId::new(bad), Err(NameError::Character(c)));
        }
        for step in [".", ".."] {
            assert_eq!(AccountId::new(step), Err(NameError::PathStep));
        }
        assert!(AccountId::new("...").is_ok() && AccountId::new(".a").is_ok());
    }
}
