//! The records that a store keeps: what triggers, templates and keys share.

use serde_json::Value;

use super::feed::LoadedRecord;
use super::{Change, Kind};
use crate::model::field::FieldError;
use crate::model::id::{AccountId, KeyId, TemplateId, TriggerId};
use crate::model::key::Key;
use crate::model::template::Template;
use crate::model::trigger::{self, Trigger};

/// Something that a store keeps. One that exists is valid.
pub trait Record: Sized + Send + Sync + Clone + 'static {
    /// What it is.
    const KIND: Kind;
    /// The type of its name.
    type Id;

    /// Its name.
    fn id(&self) -> &str;
    /// Reads what [`Record::to_stored_json`] wrote.
    fn from_json(document: Value) -> Result<Self, Vec<FieldError>>;
    /// Names that occur twice in an object of the original document, if that is a mistake.
    fn repeated(_text: &[u8]) -> Vec<FieldError> {
        Vec::new()
    }
    /// All of it, secrets too.
    fn to_stored_json(&self) -> Value;
    /// The template that must be there as long as it is.
    fn template(&self) -> Option<&TemplateId> {
        None
    }
    /// The change that saves it; `None` where its id is not a valid name or the account is missing.
    fn saved(self, account: Option<AccountId>) -> Option<LoadedRecord>;
    /// The change that deletes it; `None` as above.
    fn deleted(account: Option<AccountId>, id: &str) -> Option<Change>;
}

/// A record of an account, which people write.
pub trait AccountRecord: Record {
    /// Reads a document, and finds every mistake in it. Harmless values replace what is wrong; `None` if the document is
    /// not an object.
    fn examine(document: Value) -> (Option<Self>, Vec<FieldError>);
}

impl AccountRecord for Template {
    fn examine(document: Value) -> (Option<Self>, Vec<FieldError>) {
        Self::examine(document)
    }
}

impl AccountRecord for Trigger {
    fn examine(document: Value) -> (Option<Self>, Vec<FieldError>) {
        Self::examine(document)
    }
}

impl Record for Template {
    const KIND: Kind = Kind::Template;
    type Id = TemplateId;

    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn from_json(document: Value) -> Result<Self, Vec<FieldError>> {
        Self::from_json(document)
    }
    fn to_stored_json(&self) -> Value {
        self.to_json()
    }
    fn saved(self, account: Option<AccountId>) -> Option<LoadedRecord> {
        Some(LoadedRecord::Template(account?, self))
    }
    fn deleted(account: Option<AccountId>, id: &str) -> Option<Change> {
        Some(Change::Template(account?, TemplateId::new(id).ok()?, None))
    }
}

impl Record for Trigger {
    const KIND: Kind = Kind::Trigger;
    type Id = TriggerId;

    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn from_json(document: Value) -> Result<Self, Vec<FieldError>> {
        Self::from_json(document)
    }
    fn to_stored_json(&self) -> Value {
        self.to_stored_json()
    }
    fn repeated(text: &[u8]) -> Vec<FieldError> {
        trigger::repeated(text)
    }
    fn template(&self) -> Option<&TemplateId> {
        Some(&self.template)
    }
    fn saved(self, account: Option<AccountId>) -> Option<LoadedRecord> {
        Some(LoadedRecord::Trigger(account?, self))
    }
    fn deleted(account: Option<AccountId>, id: &str) -> Option<Change> {
        Some(Change::Trigger(account?, TriggerId::new(id).ok()?, None))
    }
}

impl Record for Key {
    const KIND: Kind = Kind::Key;
    type Id = KeyId;

    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn from_json(document: Value) -> Result<Self, Vec<FieldError>> {
        Self::from_json(document)
    }
    fn to_stored_json(&self) -> Value {
        self.to_stored_json()
    }
    fn saved(self, _: Option<AccountId>) -> Option<LoadedRecord> {
        Some(LoadedRecord::Ready(Change::Key(self.id.clone(), Some(self))))
    }
    fn deleted(_: Option<AccountId>, id: &str) -> Option<Change> {
        Some(Change::Key(KeyId::new(id).ok()?, None))
    }
}
