//! `[catalogue]`: where the dictionary's files are.

use std::path::PathBuf;

use super::layers;
use super::reader::SettingsReader;
use crate::dictionary::{Dictionary, DictionaryError};

/// `[catalogue]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DictionarySource {
    /// This folder.
    Folder(PathBuf),
    /// The default folder where it exists, else the compiled-in dictionary.
    Shipped(PathBuf),
}

impl DictionarySource {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        let dir = reader.text("catalogue.dir");
        let defaults = layers::Layers::defaults().table;
        let default = defaults["catalogue"]["dir"].as_str().unwrap_or_default();
        if dir.is_empty() {
            reader.refuse("catalogue.dir", format!("it is empty; name a folder, such as {default}"));
        }
        if dir.is_empty() || dir == default { Self::Shipped(default.into()) } else { Self::Folder(dir.into()) }
    }

    /// Loads the dictionary.
    pub fn load(&self) -> Result<Dictionary, Vec<DictionaryError>> {
        match self {
            Self::Shipped(folder) if !folder.exists() => Ok(Dictionary::shipped()),
            Self::Shipped(folder) | Self::Folder(folder) => Dictionary::load(folder),
        }
    }
}
