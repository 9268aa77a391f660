//! The documents agree with the program: generated parts are up to date, and the commands in them work.
//! `POSTHASTE_WRITE_DOCUMENTS=1 cargo test documents` writes the generated parts.

mod calls;
mod commands;
mod metrics;
mod outcomes;
mod problems;
mod producing;
mod proxy;
mod receiving;
mod settings;
mod tags;

use std::path::Path;

/// Compares the part of a document between `<!-- generated: NAME -->` and `<!-- end -->` with what is generated.
fn agrees(document: &str, name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(&path).expect(document);
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{document} has no {begin}"));
    let (written, after) = rest.split_once("<!-- end -->").expect("an end");
    if std::env::var_os("POSTHASTE_WRITE_DOCUMENTS").is_some() {
        std::fs::write(&path, format!("{before}{begin}{generated}<!-- end -->{after}")).expect("written");
        return;
    }
    assert!(
        written == generated,
        "{document} differs from what the code says; write it with POSTHASTE_WRITE_DOCUMENTS=1 cargo test documents:\n{generated}"
    );
}

/// A document by its path.
fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// Escapes a text for a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Whether a page has a heading with this address, as GitHub makes them.
fn has_heading(page: &Path, place: &str) -> bool {
    let text = std::fs::read_to_string(page).unwrap_or_default();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let mut addresses = headings.map(|heading| {
        let kept = heading.to_lowercase();
        kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-")
    });
    addresses.any(|address| address == place)
}

#[test]
fn every_link_has_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("docs"), root.join("docs/operating")];
    pages = pages
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("a folder"))
        .map(|e| e.expect("an entry").path())
        .collect();
    pages.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name)));
    let mut dead = Vec::new();
    for page in pages.iter().filter(|page| page.extension().is_some_and(|end| end == "md")) {
        let text = std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        for (_, rest) in text.match_indices("](").map(|(at, found)| (at, &text[at + found.len()..])) {
            let link = rest.split(')').next().unwrap_or_default();
            let (path, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().expect("a folder").join(path) };
            let elsewhere = link.contains("://") || link.starts_with("mailto:");
            if !elsewhere && !(target.exists() && (place.is_empty() || has_heading(&target, place))) {
                dead.push(format!("{}: {link}", page.strip_prefix(root).expect("below").display()));
            }
        }
    }
    assert!(dead.is_empty(), "links that lead nowhere:\n{}", dead.join("\n"));
}
