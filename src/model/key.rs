//! API keys as the store keeps them: a name, a scope and a hash. The text of a key exists once, when it is created, and
//! is never stored, logged or shown again.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::model::field::{FieldError, Fields};
use crate::model::id::{AccountId, KeyId, new_id};
use crate::model::trigger::display_name;

/// The prefix of every key, so that people and scanners for leaked secrets recognize one.
pub const KEY_PREFIX: &str = "phk_";
/// The random bytes of a key: as many as its hash has.
const KEY_RANDOM_BYTES: usize = 32;

/// What a key may do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// Everything.
    Operator,
    /// Posts events.
    Producer {
        /// The account whose events it may post; `None`: any.
        account: Option<AccountId>,
    },
    /// Reads and changes the triggers and templates of this account.
    Account(AccountId),
}

impl KeyScope {
    /// The words of all scopes.
    pub const WORDS: [&'static str; 3] = ["operator", "producer", "account"];

    /// The scope's word in interfaces.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Producer { .. } => "producer",
            Self::Account(_) => "account",
        }
    }

    /// The account that the scope is limited to.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Operator => None,
            Self::Producer { account } => account.as_ref(),
            Self::Account(account) => Some(account),
        }
    }

    /// Takes the members `scope` and `account`; `None` only if a mistake was recorded.
    pub fn read(fields: &mut Fields) -> Option<Self> {
        let word = fields.required_text("scope");
        let account = fields.text("account");
        let named = account.is_some();
        let account = fields.parse("account", "bad_name", account, AccountId::new);
        let (code, detail) = match (word?.as_str(), account) {
            ("operator", None) if !named => return Some(Self::Operator),
            ("producer", account) => return Some(Self::Producer { account }),
            ("account", Some(account)) => return Some(Self::Account(account)),
            ("operator", _) => ("not_allowed", "an operator's key is not limited to an account"),
            // A bad name was recorded above, and is not also missing.
            ("account", None) if named => return None,
            ("account", None) => ("missing", "`account` is required with the scope `account`"),
            _ => {
                let detail = "`scope` must be `operator`, `producer` or `account`";
                fields.refuse("/scope", "bad_scope", detail);
                return None;
            }
        };
        fields.refuse("/account", code, detail);
        None
    }
}

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key's public name.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scope: KeyScope,
    /// Identifies the key's text.
    pub hash: KeyHash,
    /// When it was made (RFC 3339).
    pub created: String,
}

impl Key {
    /// Creates a key and returns its text, for the only time. Fails only if the system has no randomness.
    pub fn make(name: String, scope: KeyScope, now: jiff::Timestamp) -> Result<(Self, KeyText), getrandom::Error> {
        let mut random = [0_u8; KEY_RANDOM_BYTES];
        getrandom::fill(&mut random)?;
        let text = format!("{KEY_PREFIX}{}", BASE64_URL.encode(random));
        let key = Self {
            id: KeyId::new(&new_id()).expect("a UUID is a name"),
            name,
            scope,
            hash: KeyHash::of(&text),
            created: now.to_string(),
        };
        Ok((key, KeyText(text)))
    }

    /// Reads a key as the store writes it.
    pub fn from_json(document: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::new(document, "a key")?;
        let id = fields.required_text("id");
        let id = fields.parse("id", "bad_name", id, KeyId::new);
        let name = display_name(&mut fields);
        let scope = KeyScope::read(&mut fields);
        let hash = fields.required_text("hash");
        let hash = fields.parse("hash", "bad_hash", hash, KeyHash::from_hex);
        let created = fields.required_text("created");
        let created = fields
            .parse("created", "bad_time", created, |text| text.parse::<jiff::Timestamp>().map(|_| text.to_owned()));
        let key = match (id, scope, hash, created) {
            (Some(id), Some(scope), Some(hash), Some(created)) => Some(Self { id, name, scope, hash, created }),
            _ => None,
        };
        fields.finish(key)
    }

    /// The key as the HTTP interface shows it: without the hash.
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        members.insert("id".into(), self.id.as_str().into());
        members.insert("name".into(), self.name.as_str().into());
        members.insert("scope".into(), self.scope.as_str().into());
        if let Some(account) = self.scope.account() {
            members.insert("account".into(), account.as_str().into());
        }
        members.insert("created".into(), self.created.as_str().into());
        Value::Object(members)
    }

    /// The key as the store keeps it: with the hash.
    pub fn to_stored_json(&self) -> Value {
        let mut document = self.to_json();
        if let Some(members) = document.as_object_mut() {
            members.insert("hash".into(), self.hash.to_hex().into());
        }
        document
    }
}

/// The text of a new key, to be shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(String);

impl KeyText {
    /// Returns the text, for the only response that shows it.
    pub fn into_shown(self) -> String {
        self.0
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(…)")
    }
}

/// Why a text is not the hash of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hexadecimal digits")]
struct NotAHash;

/// The SHA-256 of a key's text. A key has 256 random bits, so a slow hash would add nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key that a caller presented.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    fn from_hex(text: &str) -> Result<Self, NotAHash> {
        let mut bytes = [0_u8; 32];
        if text.len() != 2 * bytes.len() {
            return Err(NotAHash);
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NotAHash),
        };
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }

    fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stored(scope: &str, account: Option<&str>) -> Value {
        json!({"id": "k", "name": "n", "scope": scope, "account": account,
               "created": "2026-11-02T10:00:00Z", "hash": "0f".repeat(32)})
    }

    fn codes(document: Value) -> Vec<(String, &'static str)> {
        let errors = Key::from_json(document).expect_err("refused");
        errors.into_iter().map(|e| (e.pointer, e.code)).collect()
    }

    #[test]
    fn each_scope_takes_the_account_that_belongs_to_it() {
        for (scope, account, refusal) in [
            ("operator", None, None),
            ("operator", Some("acme"), Some(("/account", "not_allowed"))),
            ("operator", Some("a b"), Some(("/account", "bad_name"))),
            ("producer", None, None),
            ("producer", Some("acme"), None),
            ("account", Some("acme"), None),
            ("account", None, Some(("/account", "missing"))),
            ("account", Some("a b"), Some(("/account", "bad_name"))),
            ("root", None, Some(("/scope", "bad_scope"))),
        ] {
            let document = stored(scope, account);
            match refusal {
                None => {
                    let key = Key::from_json(document).expect(scope);
                    assert_eq!(key.scope.as_str(), scope);
                    assert_eq!(key.scope.account().map(AccountId::as_str), account);
                    assert_eq!(Key::from_json(key.to_stored_json()), Ok(key));
                }
                Some((pointer, code)) => {
                    let found = codes(document);
                    assert_eq!(found[0], (pointer.to_owned(), code), "{scope} {account:?}");
                }
            }
        }
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let found = codes(json!({"id": "", "scope": 1, "hash": "00", "created": "now", "x": 1}));
        let expected = [
            ("/id", "bad_name"),
            ("/scope", "wrong_type"),
            ("/hash", "bad_hash"),
            ("/created", "bad_time"),
            ("/x", "unknown_member"),
        ];
        assert_eq!(found, expected.map(|(p, c)| (p.to_owned(), c)));
    }

    #[test]
    fn a_key_is_recognised_by_its_text_and_never_shown() {
        let now = "2026-11-02T10:00:00Z".parse().expect("a time");
        let (key, text) = Key::make("till".into(), KeyScope::Operator, now).expect("randomness");
        let debug = format!("{key:?} {text:?}");
        let shown = text.into_shown();
        assert_eq!(shown.len(), KEY_PREFIX.len() + 43);
        assert_eq!(key.hash, KeyHash::of(&shown));
        assert_ne!(key.hash, KeyHash::of(&shown[..shown.len() - 1]));
        assert!(!debug.contains(&shown) && !debug.contains(&key.hash.to_hex()));
        assert!(key.to_json().get("hash").is_none());
        assert_eq!(Key::from_json(key.to_stored_json()), Ok(key));
    }
}
