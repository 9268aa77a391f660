//! `posthaste export`: writes an account's templates and triggers, with their secrets, to one file. It changes
//! nothing in the store, and an incomplete file never replaces an existing one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::ExportArguments;
use super::error::CommandError;
use super::print::{complain, counted, report, say};
use super::transfer::{self, MARK, VERSION};
use crate::config::Config;
use crate::model::id::AccountId;
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use crate::store::{Record, Store};

/// Records read at a time.
const PAGE: usize = 1_000;

/// How much was written.
#[derive(Debug, Default)]
struct ExportTotals {
    accounts: usize,
    templates: usize,
    triggers: usize,
}

/// Writes the file.
pub(super) fn run(arguments: &ExportArguments) -> ExitCode {
    let config = match arguments.settings.begin() {
        Ok(config) => config,
        Err(code) => return code,
    };
    match actix_rt::System::new().block_on(export(arguments, &config)) {
        Ok(code) => code,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn export(arguments: &ExportArguments, config: &Config) -> Result<ExitCode, CommandError> {
    // Opening the file would create a new store, which would look like an empty one.
    if let Some(path) = config.store.local_file().filter(|path| !path.exists()) {
        return Err(CommandError::NoStore(path.display().to_string()));
    }
    let store = transfer::open(config).await?;
    let stored = store.accounts().await?;
    let accounts = if arguments.all_accounts { stored.clone() } else { vec![arguments.account.clone()] };
    let written = if arguments.output == Path::new("-") {
        let written = write(&store, &accounts, BufWriter::new(io::stdout().lock())).await;
        written.map_err(|source| CommandError::File { name: "standard output".to_owned(), source })?
    } else {
        let written = to_file(&store, &accounts, &arguments.output).await;
        written.map_err(|source| CommandError::File { name: arguments.output.display().to_string(), source })?
    };
    conclude(arguments, &stored, &written, store.unreadable())
}

fn conclude(
    arguments: &ExportArguments,
    stored: &[AccountId],
    written: &ExportTotals,
    unreadable: usize,
) -> Result<ExitCode, CommandError> {
    let ExportTotals { accounts, templates, triggers } = written;
    let (templates, triggers) = (counted(*templates, "template"), counted(*triggers, "trigger"));
    let summary = format!("exported {templates} and {triggers} of {}", counted(*accounts, "account"));
    if arguments.output == Path::new("-") {
        report(&summary);
    } else {
        say(&format!("{summary} to {}; it holds secrets", arguments.output.display()));
    }
    if !arguments.all_accounts && !stored.contains(&arguments.account) {
        let names: Vec<&str> = stored.iter().take(10).map(AccountId::as_str).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        complain(&format!("the account {} has no records; accounts with records: {names}", arguments.account));
    }
    if unreadable > 0 {
        return Err(CommandError::Unreadable(unreadable));
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes to a temporary file and renames it at the end.
async fn to_file(store: &Store, accounts: &[AccountId], path: &Path) -> io::Result<ExportTotals> {
    // A pipe or a device is written to, not replaced.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return write(store, accounts, BufWriter::new(OpenOptions::new().write(true).open(path)?)).await;
    }
    let draft = draft_path(path)?;
    let written = async {
        let mut file = BufWriter::new(create(&draft)?);
        let written = write(store, accounts, &mut file).await?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&draft, path)?;
        Ok(written)
    };
    let written = written.await;
    if written.is_err() {
        // It may not exist; the first error is the one to report.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn draft_path(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("this is no name for a file"))?;
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(draft))
}

/// Only the owner may read a file that holds secrets.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Writes one record a line, so that two exports can be compared. Holds at most a page in memory.
async fn write(store: &Store, accounts: &[AccountId], mut out: impl Write) -> io::Result<ExportTotals> {
    let mut written = ExportTotals::default();
    write!(out, "{{\"{MARK}\":{VERSION},\"accounts\":[")?;
    for account in accounts {
        let comma = if written.accounts > 0 { "," } else { "" };
        // An account's name holds no character that JSON escapes.
        write!(out, "{comma}\n{{\"account\":\"{account}\",\"templates\":[")?;
        written.templates += write_records::<Template>(store, account, &mut out).await?;
        write!(out, "],\"triggers\":[")?;
        written.triggers += write_records::<Trigger>(store, account, &mut out).await?;
        write!(out, "]}}")?;
        written.accounts += 1;
    }
    writeln!(out, "\n]}}")?;
    out.flush()?;
    Ok(written)
}

async fn write_records<T: Record>(store: &Store, account: &AccountId, out: &mut impl Write) -> io::Result<usize> {
    let (mut after, mut records) = (None, 0);
    loop {
        let page = store.list::<T>(Some(account), after.as_deref(), PAGE).await.map_err(io::Error::other)?;
        for stored in page.items {
            let comma = if records > 0 { "," } else { "" };
            write!(out, "{comma}\n{}", stored.value.to_stored_json())?;
            records += 1;
        }
        after = page.next;
        if after.is_none() {
            return Ok(records);
        }
    }
}
