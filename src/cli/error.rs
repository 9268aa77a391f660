//! Why a command failed, in sentences for the person who called it. Never a secret and never a record's content.

use std::io;

use serde_json::Value;

use super::print::counted;
use crate::dictionary::DictionaryError;
use crate::json::Malformed;
use crate::model::duration_text::DurationText;
use crate::model::id::AccountId;
use crate::node::StartError;
use crate::store::{Kind, OpenError, StoreError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// A store that ends with its process can't be exported from or imported into.
    #[error(
        "store.url is memory:, which holds nothing beyond one process; name the store of your node with --config FILE \
         or POSTHASTE_STORE__URL"
    )]
    MemoryStore,
    /// Opening the file would create a new store, which would look like an empty one.
    #[error("there is no store at {0}; name that of your node with --config FILE")]
    NoStore(String),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the dictionary has mistakes:{}", .0.iter().map(|e| format!("\n  {e}")).collect::<String>())]
    Dictionary(Vec<DictionaryError>),
    /// A file, or standard input or output.
    #[error("{name}: {source}")]
    File { name: String, source: io::Error },
    #[error("{name}: {source}")]
    Export { name: String, source: NotAnExport },
    #[error("{} in the file; nothing was imported", counted(*.0, "mistake"))]
    Mistakes(usize),
    #[error("{} {account}/{id}: {source}; the import is not complete, and can be run again", .kind.as_str())]
    NotImported { kind: Kind, account: AccountId, id: String, source: StoreError },
    #[error("{} of the store can't be read, as the log above says, and can't be in the file", counted(*.0, "record"))]
    Unreadable(usize),
    #[error("signals can't be received: {0}")]
    Signals(io::Error),
    #[error("the receiver did not start: {0}")]
    Receiver(io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    /// The tour failed.
    #[error("{what}{counted}")]
    Tour {
        what: TourError,
        /// What the node counted of POSTs that were not sent or failed.
        counted: String,
    },
}

/// Why a file is not an export that this version can read.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAnExport {
    #[error("this is not JSON: {0}")]
    NotJson(#[from] Malformed),
    #[error("the export has the format {found}, and this version of Posthaste reads {known}")]
    OtherFormat { found: Value, known: u64 },
    #[error("this is not an export of Posthaste: it has no `{0}`")]
    NoMark(&'static str),
    #[error("the file holds several accounts, and {0} is not one of them")]
    NoSuchAccount(AccountId),
}

/// What went wrong in the demo's tour.
#[derive(Debug, thiserror::Error)]
pub(super) enum TourError {
    #[error("the node did not respond to {call}: {detail}")]
    NoResponse { call: String, detail: String },
    #[error("the node responded to {call} with {status}: {body}")]
    Refused { call: String, status: u16, body: String },
    #[error("the POST of the trigger {trigger} did not arrive within {within}")]
    Missing { trigger: &'static str, within: DurationText },
    #[error("no port is free: {0}")]
    NoPort(io::Error),
    #[error("a POST arrived that no trigger should have sent: {0}")]
    Unexpected(String),
}
