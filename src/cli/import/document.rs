//! Reads an export and reports every mistake with its account, its record and its position in the file. Does not use
//! the store.

use std::collections::HashSet;

use serde_json::Value;

use super::mistake::{FileOrder, FilePosition, Mistake};
use crate::cli::error::NotAnExport;
use crate::cli::transfer::{MARK, VERSION};
use crate::json::{kind, read_value, repeated_members};
use crate::model::field::{FieldError, Fields};
use crate::model::id::{AccountId, TemplateId};
use crate::model::quotas::Quotas;
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use crate::store::{AccountRecord, Kind, Record};

/// The content of the file.
#[derive(Debug, Default)]
pub(super) struct ImportFile {
    /// The number of accounts with records.
    pub(super) accounts: usize,
    /// Templates of all accounts.
    pub(super) templates: Vec<ImportEntry<Template>>,
    /// Triggers of all accounts.
    pub(super) triggers: Vec<ImportEntry<Trigger>>,
    /// Every template of the file, including those with mistakes: a trigger that names one of these has no mistake of
    /// its own.
    named: Vec<(AccountId, TemplateId)>,
}

/// A record of the file. If the file has a mistake, a harmless value replaces it; no record of such a file is
/// written.
#[derive(Debug)]
pub(super) struct ImportEntry<T> {
    /// The account that it is written to.
    pub(super) account: AccountId,
    /// The record.
    pub(super) value: T,
    /// How the file names it.
    name: String,
    position: FilePosition,
    /// The members that have a mistake already.
    refused: Vec<String>,
}

impl<T: Record> ImportEntry<T> {
    /// A mistake in this record, at a pointer into it; none where that member has one already.
    pub(super) fn mistake(&self, error: FieldError) -> Option<Mistake> {
        let has_one = self.refused.iter().any(|member| error.pointer.starts_with(member.as_str()));
        (!has_one).then(|| self.position.mistake(owner::<T>(&self.account, &self.name), error))
    }
}

impl ImportFile {
    /// The templates that triggers of the file may refer to.
    pub(super) fn named_templates(&self) -> impl Iterator<Item = (&AccountId, &TemplateId)> {
        self.named.iter().map(|(account, id)| (account, id))
    }
}

/// Reads the file. With `into`, the records of one account are written to that account.
pub(super) fn read(
    text: &[u8],
    into: Option<&AccountId>,
    quotas: &Quotas,
) -> Result<(ImportFile, Vec<Mistake>), NotAnExport> {
    let document = read_value(text)?;
    match document.get(MARK) {
        Some(version) if version.as_u64() == Some(VERSION) => {}
        Some(version) => return Err(NotAnExport::OtherFormat { found: version.clone(), known: VERSION }),
        None => return Err(NotAnExport::NoMark(MARK)),
    }
    let mut reader = ExportReader { quotas: quotas.clone(), document: ImportFile::default(), mistakes: Vec::new() };
    let twice = "this name is repeated in its object; leave one of them out";
    let repeated = repeated_members(text, &[]).into_iter();
    let repeated = repeated.map(|pointer| FieldError::new(pointer, "repeated_key", twice)).collect();
    reader.refuse((0, 0, 0), "", Some(repeated), "");
    let accounts = reader.read_top(document);
    let accounts = chosen(accounts, into)?;
    for account in accounts {
        reader.read_account(account, into);
    }
    Ok((reader.document, reader.mistakes))
}

/// An account of the file, with its name checked and its records unchecked.
struct ImportAccount {
    index: usize,
    id: AccountId,
    templates: Vec<Value>,
    triggers: Vec<Value>,
}

/// All accounts, or the one that is written to `into`.
fn chosen(mut accounts: Vec<ImportAccount>, into: Option<&AccountId>) -> Result<Vec<ImportAccount>, NotAnExport> {
    let Some(into) = into else {
        return Ok(accounts);
    };
    if accounts.len() > 1 {
        accounts.retain(|account| account.id == *into);
        if accounts.is_empty() {
            return Err(NotAnExport::NoSuchAccount(into.clone()));
        }
    }
    Ok(accounts)
}

struct ExportReader {
    quotas: Quotas,
    document: ImportFile,
    mistakes: Vec<Mistake>,
}

impl ExportReader {
    fn refuse(&mut self, order: FileOrder, owner: &str, errors: Option<Vec<FieldError>>, base: &str) {
        let errors = errors.into_iter().flatten();
        let position = FilePosition { order, pointer: base.to_owned() };
        self.mistakes.extend(errors.map(|error| position.mistake(owner.to_owned(), error)));
    }

    fn read_top(&mut self, document: Value) -> Vec<ImportAccount> {
        let mut list = Vec::new();
        let read = Fields::new(document, "an export").and_then(|mut fields| {
            let _ = fields.take(MARK);
            list = take_list(&mut fields, "accounts");
            fields.finish(Some(()))
        });
        self.refuse((0, 0, 0), "", read.err(), "");
        let list = list.into_iter().enumerate();
        let accounts: Vec<ImportAccount> = list.map(|(index, document)| self.read_head(index, document)).collect();
        let mut seen = HashSet::new();
        for ImportAccount { index, id, .. } in &accounts {
            if !seen.insert(id) {
                let error = FieldError::new("/account", "duplicate", "the account is in the file twice");
                self.refuse((*index, 0, 0), id.as_str(), Some(vec![error]), &format!("/accounts/{index}"));
            }
        }
        accounts
    }

    fn read_head(&mut self, index: usize, document: Value) -> ImportAccount {
        let (mut id, mut templates, mut triggers) = (None, Vec::new(), Vec::new());
        let read = Fields::new(document, "an account").and_then(|mut fields| {
            let name = fields.required_text("account");
            id = fields.parse("account", "bad_name", name, AccountId::new);
            templates = take_list(&mut fields, "templates");
            triggers = take_list(&mut fields, "triggers");
            fields.finish(Some(()))
        });
        self.refuse((index, 0, 0), "", read.err(), &format!("/accounts/{index}"));
        // A mistake in the name hides no other mistake; nothing is ever written under this placeholder.
        let id = id.unwrap_or_else(|| AccountId::new(&format!("unnamed-{index}")).expect("this can be a name"));
        ImportAccount { index, id, templates, triggers }
    }

    fn read_account(&mut self, account: ImportAccount, into: Option<&AccountId>) {
        let ImportAccount { index, id, templates, triggers } = account;
        let id = into.cloned().unwrap_or(id);
        self.document.accounts += 1;
        for document in &templates {
            let name = document.get("id").and_then(Value::as_str).and_then(|name| TemplateId::new(name).ok());
            self.document.named.extend(name.map(|name| (id.clone(), name)));
        }
        self.check_number(index, &id, "templates", templates.len(), self.quotas.templates);
        self.check_number(index, &id, "triggers", triggers.len(), self.quotas.triggers);
        let templates = self.read_records(&id, (index, 0, 0), "templates", templates);
        let triggers = self.read_records(&id, (index, 1, 0), "triggers", triggers);
        self.document.templates.extend(templates);
        self.document.triggers.extend(triggers);
    }

    /// An account with more records than its quota can't be imported.
    fn check_number(&mut self, index: usize, account: &AccountId, member: &str, number: usize, most: usize) {
        if number > most {
            let detail = format!("{number} {member}; an account keeps at most {most} (`quotas.{member}_per_account`)");
            let error = FieldError::new(format!("/{member}"), "quota_exceeded", detail);
            self.refuse((index, 0, 0), account.as_str(), Some(vec![error]), &format!("/accounts/{index}"));
        }
    }

    fn read_records<T: AccountRecord>(
        &mut self,
        account: &AccountId,
        order: FileOrder,
        member: &str,
        documents: Vec<Value>,
    ) -> Vec<ImportEntry<T>> {
        let mut seen = HashSet::new();
        let mut entries = Vec::with_capacity(documents.len());
        for (index, document) in documents.into_iter().enumerate() {
            let position = FilePosition {
                order: (order.0, order.1, index),
                pointer: format!("/accounts/{}/{member}/{index}", order.0),
            };
            let name = document.get("id").and_then(Value::as_str).map(str::to_owned);
            let mut errors = match &document {
                Value::Object(members) if T::KIND == Kind::Trigger => self.quotas.check_document(members),
                _ => Vec::new(),
            };
            let (value, more) = T::examine(document);
            errors.extend(more);
            if name.as_ref().is_some_and(|name| !seen.insert(name.clone())) {
                errors.push(FieldError::new("/id", "duplicate", "the id is in the account twice"));
            }
            let name = name.unwrap_or_else(|| "?".to_owned());
            let refused = errors.iter().map(|error| error.pointer.clone()).collect();
            let owner = owner::<T>(account, &name);
            self.mistakes.extend(errors.into_iter().map(|error| position.mistake(owner.clone(), error)));
            entries.extend(value.map(|value| ImportEntry { account: account.clone(), value, name, position, refused }));
        }
        entries
    }
}

/// A record as a message names it.
fn owner<T: Record>(account: &AccountId, id: &str) -> String {
    format!("{account}/{}/{id}", T::KIND.as_str())
}

/// A list that may be missing.
fn take_list(fields: &mut Fields, name: &'static str) -> Vec<Value> {
    match fields.take(name) {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(other) => {
            fields.refuse(format!("/{name}"), "wrong_type", format!("`{name}` must be a list, not {}", kind(&other)));
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn quotas() -> Quotas {
        crate::config::Config::from_layers(None, []).expect("the defaults").store.quotas
    }

    fn read_value(document: Value, into: Option<&str>) -> Result<(ImportFile, Vec<String>), NotAnExport> {
        let into = into.map(|name| AccountId::new(name).expect("a name"));
        let (document, mistakes) = read(document.to_string().as_bytes(), into.as_ref(), &quotas())?;
        Ok((document, mistakes.iter().map(ToString::to_string).collect()))
    }

    fn account(name: &str) -> Value {
        json!({"account": name, "templates": [{"id": "w", "format": "text", "body": "x"}],
               "triggers": [{"id": "t", "event": "*", "template": "w", "url": "https://example.com/"}]})
    }

    #[test]
    fn accounts_go_where_they_belong() {
        let one = json!({MARK: 1, "accounts": [account("a")]});
        let two = json!({MARK: 1, "accounts": [account("a"), account("b")]});
        for (document, into, names) in [
            (&one, None, &["a"][..]),
            (&one, Some("z"), &["z"]),
            (&two, None, &["a", "b"]),
            (&two, Some("b"), &["b"]),
            (&json!({MARK: 1, "accounts": []}), Some("z"), &[]),
        ] {
            let (document, mistakes) = read_value(document.clone(), into).expect("an export");
            assert_eq!(mistakes, [""; 0]);
            assert_eq!(document.accounts, names.len());
            let owners: Vec<&str> = document.templates.iter().map(|entry| entry.account.as_str()).collect();
            assert_eq!(owners, names);
            let owners: Vec<&str> = document.triggers.iter().map(|entry| entry.account.as_str()).collect();
            assert_eq!(owners, names);
        }
        assert!(read_value(two, Some("z")).expect_err("not one of them").to_string().contains("z is not one"));
    }

    #[test]
    fn other_files_are_refused() {
        for (text, part) in [
            ("{", "not JSON"),
            ("[]", "not an export"),
            ("{\"posthaste_export\":2}", "format 2"),
            ("{}", "not an export"),
        ] {
            let error = read(text.as_bytes(), None, &quotas()).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn every_mistake_is_reported_with_its_position() {
        let mut invalid = account("a");
        invalid["templates"][0]["format"] = "yaml".into();
        invalid["triggers"][0]["url"] = "ftp://x/".into();
        invalid["triggers"].as_array_mut().expect("a list").push(json!(1));
        let mut twice = account("b");
        let again = twice["templates"][0].clone();
        twice["templates"].as_array_mut().expect("a list").push(again);
        let document = json!({MARK: 1, "more": 1,
                              "accounts": [invalid, twice, account("b"), {"account": "c d", "templates": 1}]});
        let (_, mistakes) = read_value(document, None).expect("an export");
        for begin in [
            "/more: ",
            "a/template/w: /accounts/0/templates/0/format: ",
            "a/trigger/t: /accounts/0/triggers/0/url: ",
            "a/trigger/?: /accounts/0/triggers/1: ",
            "b/template/w: /accounts/1/templates/1/id: ",
            "b: /accounts/2/account: ",
            "/accounts/3/account: ",
            "/accounts/3/templates: ",
        ] {
            assert!(mistakes.iter().any(|m| m.starts_with(begin)), "{begin} is not in {mistakes:#?}");
        }
    }

    /// One mistake in every place where one can be.
    #[test]
    fn no_mistake_of_a_record_hides_another() {
        let trigger = json!({"id": "a b", "name": 1, "event": "", "template": "", "url": "x", "enabled": 1, "more": 1,
                             "where": {"a": 1, "b": [], "c": [{"prefix": 1}], "$or": [{"d": []}, 1], "e": ["good"]},
                             "headers": {"x y": "1", "X-A": 1}, "secret": "x", "rate_per_s": 0});
        let document = json!({MARK: 1, "accounts": [{"account": "a", "triggers": [trigger]}]});
        let (document, mistakes) = read_value(document, None).expect("an export");
        let at = "a/trigger/a b: /accounts/0/triggers/0";
        for member in [
            "id",
            "name",
            "event",
            "template",
            "url",
            "enabled",
            "more",
            "where/a",
            "where/b",
            "where/c/0/prefix",
            "where/$or/0/d",
            "where/$or/1",
            "headers/x y",
            "headers/X-A",
            "secret",
            "rate_per_s",
        ] {
            let begin = format!("{at}/{member}: ");
            let found = mistakes.iter().filter(|mistake| mistake.starts_with(&begin));
            assert_eq!(found.count(), 1, "{begin} in {mistakes:#?}");
        }
        assert_eq!(mistakes.len(), 16, "{mistakes:#?}");
        let entry = &document.triggers[0];
        let later = |pointer: &str| entry.mistake(FieldError::new(pointer, "later", "found later"));
        assert_eq!(later("/template"), None, "it has a mistake already");
        assert!(later("/headers").is_some());
    }

    #[test]
    fn a_name_that_stands_twice_is_a_mistake() {
        let text = format!("{{\"{MARK}\":1,\"accounts\":[{{\"account\":\"a\",\"account\":\"b\"}}]}}");
        let (_, mistakes) = read(text.as_bytes(), None, &quotas()).expect("an export");
        assert_eq!(mistakes.len(), 1);
        assert!(mistakes[0].to_string().starts_with("/accounts/0/account: "), "{}", mistakes[0]);
    }
}
