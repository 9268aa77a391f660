//! Reads a path in an expression: `guest.name`, `../x`, `@root.a.[b c]`, `@index`. The blocks around it determine what
//! it names, see [`super::parse`].

/// A path's parts.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct PathParts {
    /// `@root…`
    pub(crate) root: bool,
    /// `@…`: provided by a loop.
    pub(crate) local: bool,
    /// `this.…` or `./…`: a member of the data, even if a helper has the name.
    pub(crate) explicit: bool,
    /// How many `../`.
    pub(crate) ups: usize,
    pub(crate) steps: Vec<String>,
}

/// Reads a path that the parser recognized as one.
pub(crate) fn read(text: &str) -> PathParts {
    let mut written = PathParts::default();
    let mut rest = text;
    for prefix in ["this.", "this/", "./"] {
        if let Some(after) = rest.strip_prefix(prefix) {
            written.explicit = true;
            rest = after;
            break;
        }
    }
    let root = rest.strip_prefix("@root");
    if let Some(after) = root.filter(|after| after.is_empty() || after.starts_with(['.', '/'])) {
        written.root = true;
        rest = after.get(1..).unwrap_or("");
    }
    if let Some(after) = rest.strip_prefix('@') {
        written.local = true;
        rest = after;
    }
    while let Some(after) = rest.strip_prefix("..") {
        written.ups += 1;
        rest = after.get(1..).unwrap_or("");
    }
    while !rest.is_empty() {
        rest = step(rest, &mut written.steps);
    }
    if text == "this" {
        written.explicit = true;
    }
    written
}

/// Takes one name, and returns what follows its separator.
fn step<'t>(text: &'t str, steps: &mut Vec<String>) -> &'t str {
    let (name, rest) = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']').unwrap_or((inner, "")),
        None => {
            let end = text.find(['.', '/']).unwrap_or(text.len());
            text.split_at(end)
        }
    };
    // `a.this` is `a`; a member called "this" is reached by `[this]`.
    if name != "this" || text.starts_with('[') {
        steps.push(name.to_owned());
    }
    rest.strip_prefix(['.', '/']).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_path() {
        let steps = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let plain = |names| PathParts { steps: steps(names), ..PathParts::default() };
        for (text, expected) in [
            ("a", plain(&["a"])),
            ("a.b/c", plain(&["a", "b", "c"])),
            ("a.[b.c d].0", plain(&["a", "b.c d", "0"])),
            ("a.this", plain(&["a"])),
            ("[this]", plain(&["this"])),
            ("thistle", plain(&["thistle"])),
            ("this", PathParts { explicit: true, ..plain(&[]) }),
            ("this.a", PathParts { explicit: true, ..plain(&["a"]) }),
            ("./a", PathParts { explicit: true, ..plain(&["a"]) }),
            ("../a", PathParts { ups: 1, ..plain(&["a"]) }),
            ("../../a.b", PathParts { ups: 2, ..plain(&["a", "b"]) }),
            ("../this", PathParts { ups: 1, ..plain(&[]) }),
            ("@root", PathParts { root: true, ..plain(&[]) }),
            ("@root.a", PathParts { root: true, ..plain(&["a"]) }),
            ("@rooted", PathParts { local: true, ..plain(&["rooted"]) }),
            ("@index", PathParts { local: true, ..plain(&["index"]) }),
            ("@../first", PathParts { local: true, ups: 1, ..plain(&["first"]) }),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
