//! `posthaste export`: writes an account's templates and triggers, with their secrets, to one file. It changes
//! nothing in the store, and an incomplete file never replaces an existing one.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use super::ExportArguments;
use super::error::CommandError;
use super::print::{complain, counted, report, say};
use super::transfer::{self, MARK, VERSION};
use crate::config::Config;
use crate::model::id::{AccountId, TemplateId};
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use crate::store::{Page, Record, Store, StoreError};

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

/// Writes one record a line, so that two exports can be compared. Holds at most the triggers of an account in memory.
async fn write(store: &Store, accounts: &[AccountId], mut out: impl Write) -> io::Result<ExportTotals> {
    let mut written = ExportTotals::default();
    write!(out, "{{\"{MARK}\":{VERSION},\"accounts\":[")?;
    for account in accounts {
        let comma = if written.accounts > 0 { "," } else { "" };
        // An account's name holds no character that JSON escapes.
        write!(out, "{comma}\n{{\"account\":\"{account}\",\"templates\":[")?;
        let mut export = AccountExport { store, account, known: HashSet::new(), out: &mut out };
        export.templates().await?;
        let triggers = export.triggers().await?;
        written.templates += export.known.len();
        write!(out, "],\"triggers\":[")?;
        for (number, trigger) in triggers.iter().enumerate() {
            write_record(&mut out, number == 0, trigger)?;
        }
        write!(out, "]}}")?;
        written.triggers += triggers.len();
        written.accounts += 1;
    }
    writeln!(out, "\n]}}")?;
    out.flush()?;
    Ok(written)
}

fn write_record(out: &mut impl Write, is_first: bool, record: &Value) -> io::Result<()> {
    let comma = if is_first { "" } else { "," };
    write!(out, "{comma}\n{record}")
}

/// The records of an account. In Redis others may change them meanwhile; what is written can be imported in any case.
struct AccountExport<'a, W> {
    store: &'a Store,
    account: &'a AccountId,
    /// The templates that are written.
    known: HashSet<TemplateId>,
    out: W,
}

impl<W: Write> AccountExport<'_, W> {
    async fn templates(&mut self) -> io::Result<()> {
        let mut after = None;
        loop {
            let page = self.page::<Template>(after).await?;
            page.items.iter().try_for_each(|stored| self.template(&stored.value))?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    fn template(&mut self, template: &Template) -> io::Result<()> {
        write_record(&mut self.out, self.known.is_empty(), &template.to_stored_json())?;
        self.known.insert(template.id.clone());
        Ok(())
    }

    /// Reads the triggers, and writes the templates of those that were saved since the templates were read.
    async fn triggers(&mut self) -> io::Result<Vec<Value>> {
        let (mut after, mut triggers) = (None, Vec::new());
        loop {
            let page = self.page::<Trigger>(after).await?;
            for stored in page.items {
                triggers.extend(self.with_template(stored.value).await?.map(|trigger| trigger.to_stored_json()));
            }
            after = page.next;
            if after.is_none() {
                return Ok(triggers);
            }
        }
    }

    /// The trigger as it is when its template is written; `None` if it was deleted.
    async fn with_template(&mut self, mut trigger: Trigger) -> io::Result<Option<Trigger>> {
        while !self.known.contains(&trigger.template) {
            match self.get::<Template>(trigger.template.as_str()).await? {
                Some(template) => self.template(&template)?,
                // A template without triggers can be deleted, so the trigger has another one by now.
                None => match self.get::<Trigger>(trigger.id.as_str()).await? {
                    Some(now) if now.template != trigger.template => trigger = now,
                    // Its template can't be read.
                    Some(_) => break,
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(trigger))
    }

    async fn page<T: Record>(&self, after: Option<String>) -> io::Result<Page<T>> {
        self.store.list::<T>(Some(self.account), after.as_deref(), PAGE).await.map_err(io::Error::other)
    }

    async fn get<T: Record>(&self, id: &str) -> io::Result<Option<T>> {
        match self.store.get::<T>(Some(self.account), id).await {
            Ok(found) => Ok(found.map(|stored| stored.value)),
            Err(StoreError::Unreadable { .. }) => Ok(None),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Precondition;

    fn template(id: &str) -> Template {
        Template::from_json(json!({"id": id, "format": "text", "body": ""})).expect("a template")
    }

    fn trigger(id: &str, template: &str) -> Trigger {
        let document = json!({"id": id, "event": "*", "template": template, "url": "https://example.com/"});
        Trigger::from_json(document).expect("a trigger")
    }

    /// A file. Others change the store at the moment when these parts are written to it.
    struct Meddled<'a> {
        store: &'a Store,
        account: AccountId,
        text: Vec<u8>,
        at: Vec<&'static str>,
    }

    impl Meddled<'_> {
        async fn meddle(&self, at: &str) {
            let put = async |id: &str, own: &str| {
                let (own, account) = (template(own), Some(&self.account));
                self.store.put(account, &own, Precondition::None).await.expect("room");
                let trigger = trigger(id, own.id.as_str());
                self.store.put(account, &trigger, Precondition::None).await.expect("room");
            };
            if at == "\"first\"" {
                put("1", "a").await;
                put("2", "b").await;
                put("3", "c").await;
            } else {
                put("2", "d").await;
                let account = Some(&self.account);
                self.store.delete::<Template>(account, "b", Precondition::None).await.expect("it is not in use");
                self.store.delete::<Trigger>(account, "3", Precondition::None).await.expect("it is there");
                self.store.delete::<Template>(account, "c", Precondition::None).await.expect("it is not in use");
            }
        }
    }

    impl Write for Meddled<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.text.extend_from_slice(bytes);
            let text = String::from_utf8_lossy(&self.text);
            let Some(at) = self.at.pop_if(|at| text.contains(*at)) else { return Ok(bytes.len()) };
            drop(text);
            std::thread::scope(|scope| {
                let work = || actix_rt::System::new().block_on(self.meddle(at));
                scope.spawn(work).join().expect("no panic");
            });
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[actix_rt::test]
    async fn an_export_of_a_store_that_others_change_can_be_imported() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("file:{}", folder.path().join("x.redb").display());
        let config = Config::from_layers(None, [("POSTHASTE_STORE__URL".to_owned(), url)]).expect("settings");
        let store = transfer::open(&config).await.expect("a store");
        let account = AccountId::new("acme").expect("a name");
        store.put(Some(&account), &template("first"), Precondition::None).await.expect("room");
        let at = vec!["\"a\"", "\"first\""];
        let mut out = Meddled { store: &store, account: account.clone(), text: Vec::new(), at };
        let written = write(&store, std::slice::from_ref(&account), &mut out).await.expect("written");
        assert_eq!((written.templates, written.triggers), (3, 2));
        let file: Value = serde_json::from_slice(&out.text).expect("JSON");
        let names = |list: &str, member: &str| -> Vec<String> {
            let list = file["accounts"][0][list].as_array().expect("a list").iter();
            list.map(|record| record[member].as_str().expect("a text").to_owned()).collect()
        };
        assert_eq!(names("templates", "id"), ["first", "a", "d"]);
        assert_eq!(
            (names("triggers", "id"), names("triggers", "template")),
            (vec!["1".into(), "2".into()], vec!["a".into(), "d".into()])
        );
    }
}
