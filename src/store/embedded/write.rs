//! Changes the tables of an embedded store: a group of writes in one transaction, each checked separately. It notifies
//! nobody.

use redb::{Database, Durability, ReadableTable, Table, WriteTransaction};

use super::{
    FORMAT, FORMAT_KNOWN, META, RECORDS, REFERENCES, RecordKey, RecordValue, ReferenceKey, VERSION, key, number,
    unavailable,
};
use crate::model::id::TriggerId;
use crate::store::backend::Write;
use crate::store::usage::Usage;
use crate::store::{Kind, PutResult, Revision, StoreError};

/// The number of triggers that an error names when they prevent a template's deletion.
const TRIGGERS_NAMED_MAX: usize = 5;

/// Initializes an empty database as a store, with its mark and all tables.
pub(super) fn mark(database: Database) -> Result<Database, StoreError> {
    let write = |database: &Database| -> Result<(), redb::Error> {
        let transaction = begin_write(database)?;
        transaction.open_table(META)?.insert(FORMAT, FORMAT_KNOWN)?;
        transaction.open_table(RECORDS)?;
        transaction.open_table(REFERENCES)?;
        Ok(transaction.commit()?)
    };
    write(&database).map_err(unavailable)?;
    Ok(database)
}

/// Commits a transaction that changes nothing, to determine whether commits work.
pub(super) fn touch(database: &Database) -> Result<(), StoreError> {
    let write = || -> Result<(), redb::Error> {
        let transaction = begin_write(database)?;
        {
            let mut meta = transaction.open_table(META)?;
            let version = meta.get(VERSION)?.map_or(0, |count| count.value());
            meta.insert(VERSION, version)?;
        }
        Ok(transaction.commit()?)
    };
    write().map_err(unavailable)
}

/// Executes a group of writes in one transaction.
pub(super) fn commit(
    database: &Database,
    usage: &mut Usage,
    writes: &[Write],
) -> Result<Vec<Result<PutResult, StoreError>>, StoreError> {
    let transaction = begin_write(database).map_err(unavailable)?;
    let responses = apply_all(&transaction, usage, writes).map_err(unavailable)?;
    // If all were refused, no sync is needed.
    if responses.iter().any(Result::is_ok) {
        transaction.commit().map_err(unavailable)?;
    } else {
        transaction.abort().map_err(unavailable)?;
    }
    Ok(responses)
}

fn begin_write(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    // With a one-phase commit, a damaged last commit looks like one that a crash cut off, and is rolled back
    // silently. With two phases, a confirmed commit is there or the file is damaged.
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

type Records<'t> = Table<'t, RecordKey, RecordValue>;
type References<'t> = Table<'t, ReferenceKey, ()>;

fn apply_all(
    transaction: &WriteTransaction,
    usage: &mut Usage,
    writes: &[Write],
) -> Result<Vec<Result<PutResult, StoreError>>, redb::Error> {
    let mut meta = transaction.open_table(META)?;
    let mut records = transaction.open_table(RECORDS)?;
    let mut references = transaction.open_table(REFERENCES)?;
    let mut version = meta.get(VERSION)?.map_or(0, |count| count.value());
    let mut responses = Vec::with_capacity(writes.len());
    for write in writes {
        let next = Revision(version + 1);
        let response = apply(&mut records, &mut references, usage, write, next)?;
        version += u64::from(response.is_ok());
        responses.push(response);
    }
    meta.insert(VERSION, version)?;
    Ok(responses)
}

/// Checks one write and executes it. A refused write changes nothing.
fn apply(
    records: &mut Records<'_>,
    references: &mut References<'_>,
    usage: &mut Usage,
    write: &Write,
    next: Revision,
) -> Result<Result<PutResult, StoreError>, redb::Error> {
    let location = &write.location;
    let (_, account, id) = key(location);
    let current = records.get(key(location))?.map(|found| {
        let (revision, template, json) = found.value();
        (Revision(revision), template.to_owned(), json.len())
    });
    let revision = current.as_ref().map(|(revision, ..)| *revision);
    if let Err(refused) = write.precondition.check(revision) {
        return Ok(Err(refused));
    }
    let template = match &write.content {
        None if current.is_none() => return Ok(Err(StoreError::NotFound)),
        None if location.kind == Kind::Template => {
            let triggers = triggers_of(references, account, id)?;
            if !triggers.is_empty() {
                return Ok(Err(StoreError::TemplateInUse { triggers }));
            }
            ""
        }
        None => "",
        Some(content) => match &content.template {
            None => "",
            Some(template) => {
                let location = (number(Kind::Template), account, template.as_str());
                if records.get(location)?.is_none() {
                    return Ok(Err(StoreError::TemplateMissing(template.clone())));
                }
                template.as_str()
            }
        },
    };
    let (old, new) = (current.as_ref().map(|(_, _, bytes)| *bytes), write.content.as_ref().map(|new| new.json.len()));
    if let Err(refused) = usage.write(location, old, new) {
        return Ok(Err(refused));
    }
    let before = current.as_ref().map_or("", |(_, template, _)| template);
    if before != template {
        if !before.is_empty() {
            references.remove((account, before, id))?;
        }
        if !template.is_empty() {
            references.insert((account, template, id), ())?;
        }
    }
    match &write.content {
        Some(content) => {
            records.insert(key(location), (next.0, template, content.json.as_slice()))?;
        }
        None => {
            records.remove(key(location))?;
        }
    }
    Ok(Ok(PutResult { revision: next, created: revision.is_none() }))
}

/// The first triggers that name a template.
fn triggers_of(references: &References<'_>, account: &str, template: &str) -> Result<Vec<TriggerId>, redb::Error> {
    let mut triggers = Vec::new();
    for entry in references.range((account, template, "")..)? {
        let (location, ()) = entry.map(|(location, _)| (location, ()))?;
        let (its_account, its_template, trigger) = location.value();
        if (its_account, its_template) != (account, template) || triggers.len() == TRIGGERS_NAMED_MAX {
            break;
        }
        triggers.extend(TriggerId::new(trigger));
    }
    Ok(triggers)
}
