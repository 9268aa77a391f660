//! Reads the files of a dictionary's folder, within bounds. Does not interpret their contents, and never reads
//! subfolders.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::DictionaryError;

/// The most files of one dictionary.
pub const FILES_MAX: usize = 256;
/// The largest file, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// A file's name, as messages show it, and its text.
pub(super) type FileText = (String, String);

/// The text of every `*.toml` file in the folder that a setting names, sorted by name, and a mistake for each file that
/// can't be read.
pub(super) fn read_folder(dir: &Path, setting: &str) -> (Vec<FileText>, Vec<DictionaryError>) {
    let paths = match list(dir) {
        Ok(paths) => paths,
        Err(error) => {
            let instead = format!("set `{setting}` to a folder that can be read");
            let error = mistake(dir, format!("the folder can't be read: {error}"), &instead);
            return (Vec::new(), vec![error]);
        }
    };
    if paths.is_empty() {
        let instead = format!("copy the shipped files into it, or set `{setting}` to another folder");
        let error = mistake(dir, "the folder has no file *.toml".to_owned(), &instead);
        return (Vec::new(), vec![error]);
    }
    if paths.len() > FILES_MAX {
        let what = format!("the folder has more than {FILES_MAX} files *.toml");
        return (Vec::new(), vec![mistake(dir, what, "join some of them")]);
    }
    let mut texts = Vec::with_capacity(paths.len());
    let mut errors = Vec::new();
    for path in paths {
        match read(&path) {
            Ok(text) => texts.push((path.display().to_string(), text)),
            Err(error) => errors.push(error),
        }
    }
    (texts, errors)
}

/// The folder's `*.toml` files, sorted by name; one more than the bound if there are more.
fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        // Editors keep locks and drafts beside a file, with names that begin with a dot.
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if hidden || path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        paths.push(path);
        if paths.len() > FILES_MAX {
            break;
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String, DictionaryError> {
    let unreadable = |error: io::Error| {
        let what = format!("the file can't be read: {error}");
        mistake(path, what, "make it readable for the user of this process, or remove it")
    };
    // Checked before opening: opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        let what = "this is not a file".to_owned();
        return Err(mistake(path, what, "give its name another ending than .toml"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| {
            // Reading one byte past the bound detects a file that is too large, even if it grows.
            file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)
        })
        .map_err(unreadable)?;
    if bytes.len() > FILE_BYTES_MAX {
        let what = format!("the file has more than {FILE_BYTES_MAX} bytes");
        return Err(mistake(path, what, "split it"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = memchr::memchr_iter(b'\n', good).count() + 1;
        let what = "the file is not UTF-8".to_owned();
        DictionaryError { line: Some(line), ..mistake(path, what, "save it as UTF-8") }
    })
}

fn mistake(path: &Path, what: String, instead: &str) -> DictionaryError {
    DictionaryError { file: path.display().to_string(), line: None, what, instead: instead.to_owned() }
}
