//! `posthaste import`: writes templates and triggers from a file that export wrote: all of them, or none if the file
//! has a mistake. It never deletes anything.

mod checks;
mod document;
mod mistake;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::ExitCode;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::ProgressBar;

use super::error::CommandError;
use super::print::{complain, counted, progress_bar, say};
use super::{ImportArguments, transfer};
use crate::config::Config;
use crate::model::field::FieldError;
use crate::model::id::{AccountId, TemplateId};
use crate::model::template::Template;
use crate::store::{Precondition, Record, Store, StoreError};
use checks::ImportFindings;
use document::{ImportEntry, ImportFile};
use mistake::Mistake;

/// A larger file is not an export: a hundred thousand triggers are 50 MB.
const FILE_BYTES_MAX: u64 = 2 << 30;
/// Concurrent writes: as many as the embedded store commits together.
const WRITES_MAX: usize = 256;

/// How many records were written, and how many of them are new.
#[derive(Debug, Default, Clone, Copy)]
struct ImportTotals {
    written: usize,
    created: usize,
}

/// Reads the file into the store.
pub(super) fn run(arguments: &ImportArguments) -> ExitCode {
    let config = match arguments.settings.begin() {
        Ok(config) => config,
        Err(code) => return code,
    };
    match actix_rt::System::new().block_on(import(arguments, &config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn import(arguments: &ImportArguments, config: &Config) -> Result<(), CommandError> {
    let name =
        if arguments.file == Path::new("-") { "standard input".into() } else { arguments.file.display().to_string() };
    let text = read(&arguments.file).map_err(|source| CommandError::File { name: name.clone(), source })?;
    let dictionary = config.dictionary.load().map_err(CommandError::Dictionary)?;
    let (document, mistakes) = document::read(&text, arguments.account.as_ref(), &config.store.quotas)
        .map_err(|source| CommandError::Export { name: name.clone(), source })?;
    let mut findings = ImportFindings { mistakes, warnings: Vec::new() };
    findings.check(&document, &dictionary, config);
    let store = transfer::open(config).await?;
    find_missing(&document, &store, &mut findings.mistakes).await?;
    findings.report(&name)?;
    write(&store, document).await
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text))
    };
    let length = read.map_err(|error| io::Error::new(error.kind(), format!("can't be read: {error}")))?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// A trigger's template must be in the file or in the store.
async fn find_missing(document: &ImportFile, store: &Store, mistakes: &mut Vec<Mistake>) -> Result<(), StoreError> {
    let mut known: HashSet<(&AccountId, &TemplateId)> = document.named_templates().collect();
    for entry in &document.triggers {
        let template = &entry.value.template;
        if known.contains(&(&entry.account, template)) {
            continue;
        }
        if store.get::<Template>(Some(&entry.account), template.as_str()).await?.is_some() {
            known.insert((&entry.account, template));
        } else {
            let detail = format!("there is no template `{template}`, neither in the file nor in the store");
            mistakes.extend(entry.mistake(FieldError::new("/template", "unknown_template", detail)));
        }
    }
    Ok(())
}

async fn write(store: &Store, document: ImportFile) -> Result<(), CommandError> {
    let total = document.templates.len() + document.triggers.len();
    let accounts = document.accounts;
    let bar = progress_bar(total);
    let templates = put_all(store, document.templates, &bar).await?;
    // Each trigger's template is stored now.
    let triggers = put_all(store, document.triggers, &bar).await?;
    bar.finish_and_clear();
    let summary = |tally: ImportTotals, what: &str| {
        let replaced = tally.written - tally.created;
        format!("{} ({} created, {replaced} replaced)", counted(tally.written, what), tally.created)
    };
    let (templates, triggers) = (summary(templates, "template"), summary(triggers, "trigger"));
    say(&format!("imported {templates} and {triggers} into {}", counted(accounts, "account")));
    Ok(())
}

/// Writes many records concurrently, since the store commits waiting writes together.
async fn put_all<T: Record>(
    store: &Store,
    entries: Vec<ImportEntry<T>>,
    bar: &ProgressBar,
) -> Result<ImportTotals, CommandError> {
    let puts = stream::iter(entries).map(|entry| async move {
        let written = store.put(Some(&entry.account), &entry.value, Precondition::None).await;
        written.map_err(|source| CommandError::NotImported {
            kind: T::KIND,
            account: entry.account.clone(),
            id: entry.value.id().to_owned(),
            source,
        })
    });
    let tally = puts.buffer_unordered(WRITES_MAX).try_fold(ImportTotals::default(), |tally, written| {
        bar.inc(1);
        let created = tally.created + usize::from(written.created);
        std::future::ready(Ok(ImportTotals { written: tally.written + 1, created }))
    });
    tally.await
}
