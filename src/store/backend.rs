//! The interface of backends, in bytes: a backend knows locations, revisions and references, but not what a record
//! means. The conformance suite in `tests/it/store.rs` checks the rest.

use futures_util::future::BoxFuture;

use super::{Change, Kind, Precondition, PutResult, Record, Revision, StoreError, StoreState};
use crate::model::id::{AccountId, TemplateId};

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// The kind of record.
    pub kind: Kind,
    /// The account; `None` for keys only.
    pub account: Option<AccountId>,
    /// Its id. In a list: the id to start after, which may be empty.
    pub id: String,
}

impl Location {
    /// A record's location, if its kind belongs to this account or to none.
    pub(super) fn of<T: Record>(account: Option<&AccountId>, id: &str) -> Result<Self, StoreError> {
        if account.is_none() != (T::KIND == Kind::Key) {
            return Err(StoreError::Misplaced(T::KIND));
        }
        Ok(Self { kind: T::KIND, account: account.cloned(), id: id.to_owned() })
    }
}

/// A record as a backend keeps it.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its version.
    pub revision: Revision,
    /// The JSON it was written as.
    pub json: Vec<u8>,
}

/// The bounds of a list.
#[derive(Debug, Clone, Copy)]
pub struct ListBounds {
    /// Records.
    pub records: usize,
    /// Bytes of their JSON. The record that reaches this number is the last.
    pub bytes: usize,
}

/// What a put writes.
#[derive(Debug, Clone)]
pub struct PutContent {
    /// The record's JSON.
    pub json: Vec<u8>,
    /// The template that it refers to, which must exist while the record does.
    pub template: Option<TemplateId>,
}

/// One write: checked, executed and passed on as a whole, or not at all.
#[derive(Debug)]
pub struct Write {
    /// What it writes.
    pub location: Location,
    /// The new content; `None` deletes.
    pub content: Option<PutContent>,
    /// The precondition; checked first.
    pub precondition: Precondition,
    /// What the sink receives after the write.
    pub change: Change,
}

/// A kind of store. Every future is cheap to poll: blocking work runs on another thread.
pub trait Backend: Send + Sync {
    /// Reads one record.
    fn get(&self, location: Location) -> BoxFuture<'_, Result<Option<Row>, StoreError>>;

    /// Reads records of the same kind and account, ordered by the bytes of their ids, starting after `after.id`: up to
    /// `most.records`, and no more once they have `most.bytes`; of triggers, only those that refer to `using`, if it is
    /// there. Returns whether there are more.
    fn list(
        &self,
        after: Location,
        using: Option<TemplateId>,
        most: ListBounds,
    ) -> BoxFuture<'_, Result<(Vec<Row>, bool), StoreError>>;

    /// Executes one write. Checks in this order: the precondition, `NotFound` (delete), `TemplateMissing` (put),
    /// `TemplateInUse` (delete). When this returns, the sink has the change.
    fn write(&self, write: Write) -> BoxFuture<'_, Result<PutResult, StoreError>>;

    /// The accounts that have records, in order.
    fn accounts(&self) -> BoxFuture<'_, Result<Vec<AccountId>, StoreError>>;

    /// Its state, as far as it is known without a request.
    fn state(&self) -> StoreState;
}
