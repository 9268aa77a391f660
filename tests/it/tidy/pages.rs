//! What documents and comments may name, and the form of their tables.

use super::Source;

/// The folders of the project that texts name.
const FOLDERS: [&str; 6] = ["src/", "docs/", "tests/", "config/", "scripts/", "benches/"];

/// A file or folder that a document or a comment names exists: a reader follows such names. `exists` says whether a path
/// from the root of the project does.
pub(super) fn dead_paths(sources: &[Source], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            for path in FOLDERS.iter().flat_map(|folder| paths(line, folder)) {
                // `NAME` is to be replaced.
                if !path.contains("NAME") && !exists(path) {
                    violations.push(format!("{}:{}: there is no {path}", source.path, number + 1));
                }
            }
        }
    }
    violations
}

/// The paths in a line that begin with a folder.
fn paths<'l>(line: &'l str, folder: &str) -> impl Iterator<Item = &'l str> {
    let of_path = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    line.match_indices(folder).filter_map(move |(at, _)| {
        let begins = !line[..at].ends_with(|c: char| of_path(c) || c == '$' || c == '}');
        let end = line[at..].find(|c: char| !of_path(c)).map_or(line.len(), |length| at + length);
        // A pattern or a variable part follows.
        let is_whole = !line[end..].starts_with(['*', '<', '$', '{', '…']);
        (begins && is_whole).then(|| line[at..end].trim_end_matches(['.', '-']))
    })
}

/// Each row of a table has as many cells as the first: what is beyond is not shown.
pub(super) fn uneven_rows(sources: &[Source]) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources {
        let (mut columns, mut in_code) = (None, false);
        for (number, line) in source.text.lines().enumerate() {
            in_code ^= line.trim_start().starts_with("```");
            let is_row = line.trim_start().starts_with('|') && !in_code;
            let cells = line.replace("\\|", "").matches('|').count();
            match columns.filter(|_| is_row) {
                Some(columns) if columns != cells => {
                    violations.push(format!("{}:{}: a row with another number of cells", source.path, number + 1));
                }
                Some(_) => {}
                None => columns = is_row.then_some(cells),
            }
        }
    }
    violations
}
