//! `[presets]`: an operator's own presets.

use std::path::PathBuf;

use super::reader::SettingsReader;

/// The folder of the operator's presets, if there is one.
pub(super) fn read(reader: &SettingsReader) -> Option<PathBuf> {
    let dir = reader.text("presets.dir");
    (!dir.is_empty()).then(|| dir.into())
}
