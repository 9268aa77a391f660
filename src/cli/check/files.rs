//! Finds template files and their formats. Never follows a link to a folder, and never reads more of a file than a
//! template may have.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::model::template::Format;

/// A file that should hold a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TemplateFile {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The format that its name says.
    pub(super) format: Format,
}

/// A file that can't be used as a template, and why.
pub(super) type UnusableFile = (PathBuf, FileError);

/// Why a file can't be used as a template.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("the folder has no file that ends in .json, .xml, .form or .txt")]
    NoTemplates,
    #[error("its ending names no format; use .json, .xml, .form or .txt")]
    NoFormat,
    #[error("can't be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("has more than {0} bytes, which is the most (templates.body_bytes_max)")]
    TooLong(usize),
    #[error("is not UTF-8 in line {0}; save it as UTF-8")]
    NotUtf8(usize),
}

/// The given files, and from folders those with the ending of a format, in the order of their names.
pub(super) fn find(given: &[PathBuf]) -> Vec<Result<TemplateFile, UnusableFile>> {
    let mut found = Vec::new();
    for path in given {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let before = found.len();
                walk(path, &mut found);
                if found.len() == before {
                    found.push(Err((path.clone(), FileError::NoTemplates)));
                }
            }
            Ok(_) => {
                let file = format_of(path).map(|format| TemplateFile { path: path.clone(), format });
                found.push(file.ok_or_else(|| (path.clone(), FileError::NoFormat)));
            }
            Err(error) => found.push(Err((path.clone(), error.into()))),
        }
    }
    found
}

fn walk(folder: &Path, found: &mut Vec<Result<TemplateFile, UnusableFile>>) {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return found.push(Err((folder.to_owned(), error.into()))),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // Editors and version control use names that begin with a dot.
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // The entry's own type: following a link to a folder above would never end.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, found);
        } else if let Some(format) = format_of(&path).filter(|_| path.is_file()) {
            found.push(Ok(TemplateFile { path, format }));
        }
    }
}

/// The format that a file's name says: `welcome.json`, `booking.xml.hbs`.
fn format_of(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_string_lossy();
    let name = name.strip_suffix(".hbs").unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "json" => Some(Format::Json),
        "xml" => Some(Format::Xml),
        "form" => Some(Format::Form),
        "txt" => Some(Format::Text),
        _ => None,
    }
}

impl TemplateFile {
    /// The template's body.
    pub(super) fn read(&self, bytes_max: usize) -> Result<String, FileError> {
        let mut bytes = Vec::new();
        let file = File::open(&self.path)?;
        // One byte more than allowed shows that a file is too long, whatever its length.
        file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max {
            return Err(FileError::TooLong(bytes_max));
        }
        String::from_utf8(bytes).map_err(|error| {
            let line = memchr::memchr_iter(b'\n', &error.as_bytes()[..error.utf8_error().valid_up_to()]).count() + 1;
            FileError::NotUtf8(line)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_format() {
        for (name, format) in [
            ("a.json", Some(Format::Json)),
            ("d.d/a.b.xml", Some(Format::Xml)),
            ("a.form.hbs", Some(Format::Form)),
            ("a.txt", Some(Format::Text)),
            ("a.hbs", None),
            ("json", None),
            ("a.JSON.bak", None),
        ] {
            assert_eq!(format_of(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn files_and_folders_are_found() {
        let home = tempfile::tempdir().expect("a folder");
        let at = |name: &str| home.path().join(name);
        fs::create_dir_all(at("t/deep")).expect("folders");
        fs::create_dir_all(at("bare")).expect("a folder");
        for name in ["t/b.xml", "t/a.json", "t/deep/c.txt", "t/readme.md", "t/.a.json", "x.md"] {
            fs::write(at(name), "x\n\u{e9}").expect("a file");
        }
        std::os::unix::fs::symlink(at("t"), at("t/deep/around")).expect("a link");
        let found = find(&[at("t"), at("x.md"), at("bare"), at("none.json")]);
        let found: Vec<_> = found.into_iter().map(|f| f.map(|f| f.path).map_err(|m| m.0)).collect();
        let (t, f) = (|name| Ok(at(name)), |name| Err(at(name)));
        assert_eq!(found, [t("t/a.json"), t("t/b.xml"), t("t/deep/c.txt"), f("x.md"), f("bare"), f("none.json")]);
    }

    #[test]
    fn what_is_read_is_bounded_and_text() {
        let home = tempfile::tempdir().expect("a folder");
        let file = TemplateFile { path: home.path().join("a.txt"), format: Format::Text };
        fs::write(&file.path, "abc").expect("a file");
        assert_eq!(file.read(3).expect("text"), "abc");
        assert!(matches!(file.read(2), Err(FileError::TooLong(2))));
        fs::write(&file.path, b"a\nb\n\xff").expect("a file");
        assert!(matches!(file.read(9), Err(FileError::NotUtf8(3))));
    }
}
