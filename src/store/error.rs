//! What can go wrong with a store, in sentences for the person who must act. Never holds a record's content, nor the
//! part of a URL that may hold a password.

use std::path::PathBuf;

use super::{Kind, Revision};
use crate::config::StoreUrlError;
use crate::model::duration_text::DurationText;
use crate::model::id::{TemplateId, TriggerId};
use crate::model::quotas::Quota;
#[cfg(feature = "redis")]
use crate::redis::{AddressError, PermanentError};

/// Why a call was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The record does not exist.
    #[error("there is no such record")]
    NotFound,
    /// The precondition is not met.
    #[error("{}", if .current.is_some() { "the record has another revision than the request requires" } else { "there is no such record, and the request requires one" })]
    PreconditionFailed {
        /// The current revision; `None`: the record does not exist.
        current: Option<Revision>,
    },
    /// A trigger names a template that its account does not have.
    #[error("there is no template `{0}` in this account")]
    TemplateMissing(TemplateId),
    /// A template is in use.
    #[error("the template is in use by triggers, for example `{}`", .triggers.first().map_or("", TriggerId::as_str))]
    TemplateInUse {
        /// Some of them.
        triggers: Vec<TriggerId>,
    },
    /// The stored record is not valid; writing or deleting it repairs that.
    #[error("the stored {} `{id}` can't be read; write it again or delete it", .kind.as_str())]
    Unreadable {
        /// The kind of record.
        kind: Kind,
        /// Its id.
        id: String,
    },
    /// Keys belong to no account, all other records to one.
    #[error("a {} {}", .0.as_str(), if *.0 == Kind::Key { "is stored outside accounts" } else { "is stored in an account" })]
    Misplaced(Kind),
    /// The account has reached a quota.
    #[error("the account has reached its quota of {most} {}; delete some, or ask the operator for more", .quota.as_str())]
    OverQuota {
        /// Which quota.
        quota: Quota,
        /// Its limit.
        most: usize,
    },
    /// The disk of an embedded store is full or failed. Nothing was changed; the store tries again by itself.
    #[error(
        "the store accepts no writes at the moment, because its disk is full or failed; nothing was changed, try again later"
    )]
    ReadOnly,
    /// The store refused a write and changed nothing: Redis is full, a replica, or refuses the user.
    #[error("the store accepts no writes at the moment ({0}); nothing was changed, try again later")]
    Refused(String),
    /// Another program replaced a key of the store, so that the records in it can't be used. Nothing was changed.
    #[error(
        "{what} can't be read or changed, because another program replaced what the store keeps there; nothing was \
         changed. The log of the node has the error of Redis"
    )]
    Replaced {
        /// The records, for a person.
        what: &'static str,
        /// The error of Redis, for the log.
        words: String,
    },
    /// The store can't be reached. It is unknown whether a write was executed. An embedded store whose disk failed or
    /// is full returns this until it is opened again.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store can't be reached, and the call would have changed nothing.
    #[error("the store is unavailable: {0}")]
    NotRead(String),
}

impl StoreError {
    /// The error as that of a call that changes nothing.
    pub(super) fn of_read(self) -> Self {
        match self {
            Self::Unavailable(words) => Self::NotRead(words),
            other => other,
        }
    }
}

/// Why a store could not be opened. An existing file or store was not changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A URL that names no store.
    #[error("store.url: {0}")]
    Url(#[from] StoreUrlError),
    /// A URL that can't name Redis, or certificate authorities that can't be used.
    #[cfg(feature = "redis")]
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Redis did not respond in time.
    #[error("Redis at {place} could not be reached within {waited} ({detail}); start it, or correct store.url")]
    Unreachable {
        /// Its address.
        place: String,
        /// How long the node tried.
        waited: DurationText,
        /// The last error.
        detail: String,
    },
    /// The settings name something else than there is.
    #[cfg(feature = "redis")]
    #[error("Redis at {place} can't be used: {cause}")]
    Misdirected {
        /// Its address.
        place: String,
        /// Why, and what to correct.
        cause: PermanentError,
    },
    /// Redis responds and refuses this node.
    #[error(
        "Redis at {place} refuses this node ({detail}); correct the user and password in store.url, and give the \
         user what docs/redis.md lists"
    )]
    Refused {
        /// Its address.
        place: String,
        /// Its error.
        detail: String,
    },
    /// Another program uses a key that every start reads.
    #[error(
        "Redis at {place} holds something else under a key of the store ({detail}): {{posthaste}}:meta must be a hash, \
         {{posthaste}}:accounts a sorted set, and {{posthaste}}:log a stream. Remove what another program put there, or \
         name another database in store.url"
    )]
    Occupied {
        /// Its address.
        place: String,
        /// Its error.
        detail: String,
    },
    /// What Redis keeps was written by another version.
    #[error(
        "the store in Redis at {place} has the format {found}, and this version reads {known}; it was not \
         changed. Use the version of Posthaste that wrote it"
    )]
    OtherSharedFormat {
        /// Its address.
        place: String,
        /// Its format.
        found: String,
        /// The supported format.
        known: &'static str,
    },
    /// The path does not name a regular file.
    #[error("{} is a folder or a device, not a file; name a file in it", .0.display())]
    NotAFile(PathBuf),
    /// The file has no bytes.
    #[error("{} is empty: a store was never written there, or has lost its content. Restore it from a backup, or remove the file to begin with a new store", .0.display())]
    Empty(PathBuf),
    /// A file of another program.
    #[error("{} is not a store of Posthaste; it was not changed. Name another file", .0.display())]
    Foreign(PathBuf),
    /// A store whose content has changed since it was written.
    #[error("{} is a damaged store ({detail}); it was not changed. Restore it from a backup, or move it away to begin with a new store", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A store of another version.
    #[error("{} has the store format {found}, and this version reads {known}; it was not changed. Use the version of Posthaste that wrote it", .path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// The format it has.
        found: u64,
        /// The format that is read.
        known: u64,
    },
    /// Another process has it open.
    #[error("{} is open in another process; stop that one first, or name another file", .0.display())]
    Locked(PathBuf),
    /// The system refused.
    #[error("{} can't be opened for reading and writing: {source}", .path.display())]
    System {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store failed while it was being read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
