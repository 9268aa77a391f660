//! `[presets]`: an operator's own presets.

use std::path::PathBuf;

use super::reader::Reader;

/// The folder of the operator's presets, if there is one.
pub(super) fn read(reader: &Reader) -> Option<PathBuf> {
    let dir = reader.text("presets.dir");
    (!dir.is_empty()).then(|| dir.into())
}
