//! `[auth]`: the operator's key. All other keys are kept in the store.

use super::reader::SettingsReader;

/// `[auth]`.
#[derive(Debug, Clone)]
pub struct Auth {
    /// The operator's key, where one is set.
    pub operator_key: Option<String>,
}

impl Auth {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        let key = reader.text("auth.operator_key");
        if (1..16).contains(&key.len()) {
            reader.refuse("auth.operator_key", "a key has 16 characters or more");
        }
        Self { operator_key: Some(key).filter(|key| !key.is_empty()) }
    }
}
