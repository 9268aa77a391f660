//! Which files of a folder are read, and which folders and files are refused.

use std::fs;

use super::*;

const EVENT: &str = "[[event]]\ntype = \"a\"\ndescription = \"A.\"\nentities = []\n";

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).expect("a file");
    }
    dir
}

/// The messages, without the folder's own path.
fn messages(dir: &Path) -> Vec<String> {
    let errors = Dictionary::load(dir).expect_err("refused");
    let prefix = format!("{}/", dir.display());
    let messages = errors.iter().map(ToString::to_string);
    messages.map(|m| m.replace(&prefix, "")).collect()
}

#[test]
fn only_toml_files_of_the_folder_itself_are_read() {
    let dir = folder(&[("a.toml", EVENT.as_bytes()), ("b.txt", b"nonsense"), (".#a.toml", b"nonsense")]);
    fs::create_dir(dir.path().join("below")).expect("a folder");
    fs::write(dir.path().join("below/c.toml"), "nonsense").expect("a file");
    let dictionary = Dictionary::load(dir.path()).expect("a dictionary");
    assert_eq!(dictionary.events().count(), 1);
}

#[test]
fn a_missing_or_empty_folder_is_refused() {
    let dir = folder(&[("readme.md", b"hello")]);
    assert!(messages(dir.path())[0].contains("the folder has no file *.toml; copy the shipped"));
    let missing = dir.path().join("missing");
    assert!(messages(&missing)[0].contains("the folder can't be read"));
}

#[test]
fn every_file_that_cannot_be_read_is_named() {
    let large = vec![b'#'; FILE_BYTES_MAX + 1];
    let dir = folder(&[
        ("large.toml", &large),
        ("latin.toml", b"# one\n# caf\xe9\n"),
        ("z.toml", b"[[event]]\ntype = 1\ndescription = \"A.\"\nentities = [\"LOST\"]\n"),
    ]);
    fs::create_dir(dir.path().join("folder.toml")).expect("a folder");
    // LOST may be in one of the files that could not be read, so it is not reported.
    assert_eq!(
        messages(dir.path()),
        [
            "folder.toml: this is not a file; give its name another ending than .toml",
            "large.toml: the file has more than 1048576 bytes; split it",
            "latin.toml:2: the file is not UTF-8; save it as UTF-8",
            "z.toml:2: `type` must be a text in quotes, not a number; write one such as \"guest.created\"",
        ]
    );
    let largest = vec![b'#'; FILE_BYTES_MAX - EVENT.len() - 1];
    let largest = [EVENT.as_bytes(), &largest, b"\n"].concat();
    let dir = folder(&[("largest.toml", &largest)]);
    Dictionary::load(dir.path()).expect("a valid folder");
}

#[cfg(unix)]
#[test]
fn a_dangling_link_is_named_and_a_good_one_followed() {
    let dir = folder(&[("target", EVENT.as_bytes())]);
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(dir.path().join(to), dir.path().join(name)).expect("a link");
    };
    link("target", "good.toml");
    Dictionary::load(dir.path()).expect("a valid folder");
    link("nowhere", "bad.toml");
    assert!(messages(dir.path())[0].starts_with("bad.toml: the file can't be read"));
}

#[test]
fn too_many_files_event_types_and_attributes_are_refused() {
    let names: Vec<String> = (0..=FILES_MAX).map(|n| format!("{n:03}.toml")).collect();
    let empty: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b""[..])).collect();
    let dir = folder(&empty);
    assert!(messages(dir.path())[0].contains("more than 256 files"));

    let mut events = String::new();
    for n in 0..=EVENTS_MAX {
        events += &EVENT.replace("\"a\"", &format!("\"e{n}\""));
    }
    let mut attributes = "[[entity]]\nname = \"E\"\ndescription = \"E.\"\n".to_owned();
    for n in 0..=ATTRIBUTES_MAX {
        attributes += &format!(
            "[[entity.attribute]]\ntag = \"T{n}\"\npath = \"p{n}\"\ntype = \"boolean\"\ndescription = \"D\"\nexample = true\n"
        );
    }
    let errors = read(&[("a.toml", &events), ("b.toml", &attributes)]).expect_err("refused");
    let what: Vec<&str> = errors.iter().map(|error| error.what.as_str()).collect();
    assert_eq!(what, ["the dictionary has more than 4096 event types", "the dictionary has more than 8192 attributes"]);
}
