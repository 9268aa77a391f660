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
    pub(super) fn read(reader: &SettingsReader) -> Self {
        let dir = reader.text("catalogue.dir");
        let defaults = layers::Layers::defaults().table;
        let default = defaults["catalogue"]["dir"].as_str();
        if default == Some(&dir) { Self::Shipped(dir.into()) } else { Self::Folder(dir.into()) }
    }

    /// Loads the dictionary.
    pub fn load(&self) -> Result<Dictionary, Vec<DictionaryError>> {
        match self {
            Self::Shipped(folder) if !folder.exists() => Ok(Dictionary::shipped()),
            Self::Shipped(folder) | Self::Folder(folder) => Dictionary::load(folder),
        }
    }
}
