//! Reads an export and reports every mistake with its account, its record and its position in the file. Knows no
//! store.

use std::collections::HashSet;

use serde_json::Value;

use super::mistake::{Mistake, Order, Position};
use crate::cli::error::NotAnExport;
use crate::cli::transfer::{MARK, VERSION};
use crate::json::kind;
use crate::model::field::{FieldError, Fields};
use crate::model::id::{AccountId, TemplateId};
use crate::model::quotas::Quotas;
use crate::model::template::Template;
use crate::model::trigger::{self, Trigger};
use crate::store::{Kind, Record};

/// What is in the file.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// How many accounts it has something of.
    pub(super) accounts: usize,
    /// Templates of all accounts.
    pub(super) templates: Vec<Entry<Template>>,
    /// Triggers of all accounts.
    pub(super) triggers: Vec<Entry<Trigger>>,
    /// Every template of the file, also those with mistakes: a trigger that names one has no mistake of its own.
    named: Vec<(AccountId, TemplateId)>,
}

/// A record of the file.
#[derive(Debug)]
pub(super) struct Entry<T> {
    /// Into which account it goes.
    pub(super) account: AccountId,
    /// The record.
    pub(super) value: T,
    position: Position,
}

impl<T: Record> Entry<T> {
    /// A mistake in this record, at a pointer into it.
    pub(super) fn mistake(&self, pointer: &str, code: &'static str, detail: &str) -> Mistake {
        let error = FieldError::new(pointer, code, detail);
        self.position.mistake(owner::<T>(&self.account, self.value.id()), error)
    }
}

impl Document {
    /// The templates that triggers of the file may refer to.
    pub(super) fn named_templates(&self) -> impl Iterator<Item = (&AccountId, &TemplateId)> {
        self.named.iter().map(|(account, id)| (account, id))
    }
}

/// Reads the file. With `into`, what it holds of one account goes there.
pub(super) fn read(
    text: &[u8],
    into: Option<&AccountId>,
    quotas: &Quotas,
) -> Result<(Document, Vec<Mistake>), NotAnExport> {
    let document: Value = serde_json::from_slice(text)?;
    match document.get(MARK) {
        Some(version) if version.as_u64() == Some(VERSION) => {}
        Some(version) => return Err(NotAnExport::OtherFormat { found: version.clone(), known: VERSION }),
        None => return Err(NotAnExport::NoMark(MARK)),
    }
    let mut reader = ExportReader { quotas: quotas.clone(), document: Document::default(), mistakes: Vec::new() };
    // The document does not show it: of a repeated name it holds the last.
    let repeated = trigger::repeated(text, &["accounts", "*", "triggers", "*"]);
    reader.refuse((0, 0, 0), "", Some(repeated), "");
    let accounts = reader.read_top(document);
    let accounts = chosen(accounts, into)?;
    for account in accounts {
        reader.read_account(account, into);
    }
    Ok((reader.document, reader.mistakes))
}

/// An account of the file, its name read and its records not.
struct Account {
    index: usize,
    id: AccountId,
    templates: Vec<Value>,
    triggers: Vec<Value>,
}

/// All of them, or the one that goes into `into`.
fn chosen(mut accounts: Vec<Account>, into: Option<&AccountId>) -> Result<Vec<Account>, NotAnExport> {
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
    document: Document,
    mistakes: Vec<Mistake>,
}

impl ExportReader {
    fn refuse(&mut self, order: Order, owner: &str, errors: Option<Vec<FieldError>>, base: &str) {
        let errors = errors.into_iter().flatten();
        let position = Position { order, pointer: base.to_owned() };
        self.mistakes.extend(errors.map(|error| position.mistake(owner.to_owned(), error)));
    }

    fn read_top(&mut self, document: Value) -> Vec<Account> {
        let mut list = Vec::new();
        let read = Fields::new(document, "an export").and_then(|mut fields| {
            let _ = fields.take(MARK);
            list = take_list(&mut fields, "accounts");
            fields.finish(Some(()))
        });
        self.refuse((0, 0, 0), "", read.err(), "");
        let list = list.into_iter().enumerate();
        let accounts: Vec<Account> = list.map(|(index, document)| self.read_head(index, document)).collect();
        let mut seen = HashSet::new();
        for Account { index, id, .. } in &accounts {
            if !seen.insert(id) {
                let error = FieldError::new("/account", "duplicate", "the account is in the file twice");
                self.refuse((*index, 0, 0), id.as_str(), Some(vec![error]), &format!("/accounts/{index}"));
            }
        }
        accounts
    }

    fn read_head(&mut self, index: usize, document: Value) -> Account {
        let (mut id, mut templates, mut triggers) = (None, Vec::new(), Vec::new());
        let read = Fields::new(document, "an account").and_then(|mut fields| {
            let name = fields.required_text("account");
            id = fields.parse("account", "bad_name", name, AccountId::new);
            templates = take_list(&mut fields, "templates");
            triggers = take_list(&mut fields, "triggers");
            fields.finish(Some(()))
        });
        self.refuse((index, 0, 0), "", read.err(), &format!("/accounts/{index}"));
        // A mistake in the name hides no other; nothing is ever written under this placeholder.
        let id = id.unwrap_or_else(|| AccountId::new(&format!("unnamed-{index}")).expect("this can be a name"));
        Account { index, id, templates, triggers }
    }

    fn read_account(&mut self, account: Account, into: Option<&AccountId>) {
        let Account { index, id, templates, triggers } = account;
        let id = into.cloned().unwrap_or(id);
        self.document.accounts += 1;
        for document in &templates {
            let name = document.get("id").and_then(Value::as_str).and_then(|name| TemplateId::new(name).ok());
            self.document.named.extend(name.map(|name| (id.clone(), name)));
        }
        self.judge_number(index, &id, "templates", templates.len(), self.quotas.templates);
        self.judge_number(index, &id, "triggers", triggers.len(), self.quotas.triggers);
        let templates = self.read_records(&id, (index, 0, 0), "templates", templates);
        let triggers = self.read_records(&id, (index, 1, 0), "triggers", triggers);
        self.document.templates.extend(templates);
        self.document.triggers.extend(triggers);
    }

    /// More records than an account may keep can't all be written.
    fn judge_number(&mut self, index: usize, account: &AccountId, member: &str, number: usize, most: usize) {
        if number > most {
            let detail = format!("{number} {member}; an account keeps at most {most} (`quotas.{member}_per_account`)");
            let error = FieldError::new(format!("/{member}"), "quota_exceeded", detail);
            self.refuse((index, 0, 0), account.as_str(), Some(vec![error]), &format!("/accounts/{index}"));
        }
    }

    fn read_records<T: Record>(
        &mut self,
        account: &AccountId,
        order: Order,
        member: &str,
        documents: Vec<Value>,
    ) -> Vec<Entry<T>> {
        let mut seen = HashSet::new();
        let mut entries = Vec::with_capacity(documents.len());
        for (index, document) in documents.into_iter().enumerate() {
            let position = Position {
                order: (order.0, order.1, index),
                pointer: format!("/accounts/{}/{member}/{index}", order.0),
            };
            let id = document.get("id").and_then(Value::as_str).unwrap_or("?").to_owned();
            let over = match &document {
                Value::Object(members) if T::KIND == Kind::Trigger => self.quotas.judge_document(members),
                _ => Vec::new(),
            };
            let read = if over.is_empty() { T::from_json(document) } else { Err(over) };
            match read {
                Ok(value) => {
                    let entry = Entry { account: account.clone(), value, position };
                    if seen.insert(id) {
                        entries.push(entry);
                    } else {
                        self.mistakes.push(entry.mistake("/id", "duplicate", "the id is in the account twice"));
                    }
                }
                Err(errors) => {
                    let errors = errors.into_iter();
                    self.mistakes.extend(errors.map(|e| position.mistake(owner::<T>(account, &id), e)));
                }
            }
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

    fn read_value(document: Value, into: Option<&str>) -> Result<(Document, Vec<String>), NotAnExport> {
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
    fn what_is_no_export_is_refused() {
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
    fn every_mistake_is_named_with_its_place() {
        let mut faulty = account("a");
        faulty["templates"][0]["format"] = "yaml".into();
        faulty["triggers"][0]["url"] = "ftp://x/".into();
        faulty["triggers"].as_array_mut().expect("a list").push(json!(1));
        let mut twice = account("b");
        let again = twice["templates"][0].clone();
        twice["templates"].as_array_mut().expect("a list").push(again);
        let document = json!({MARK: 1, "more": 1,
                              "accounts": [faulty, twice, account("b"), {"account": "c d", "templates": 1}]});
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
}
