//! Which file names which.

use std::collections::{BTreeMap, BTreeSet};

use super::Source;

/// The layers of the source, lowest first. A newcomer can read a layer without those above it, and a change above
/// can't break what is below.
const LAYERS: [&[&str]; 16] = [
    &["json"],
    &["matching"],
    &["model"],
    &["templating"],
    &["dictionary"],
    &["redis"],
    &["config"],
    &["telemetry"],
    &["flow"],
    &["store"],
    &["live"],
    // The stages of the pipeline know the messages in `flow`, and never one another: each can be tested alone.
    &["ingester", "matcher", "renderer", "handover", "dispatcher"],
    &["http"],
    &["node"],
    &["cli"],
    &["main", "lib"],
];

/// Who may name an outside crate. An outside system has one home, so that a new version changes few files.
const HOMES: [(&str, &[&str]); 19] = [
    ("handlebars", &["templating/compile/parse"]),
    ("redb", &["store/embedded"]),
    ("::redis", &["redis"]),
    ("awc", &["dispatcher/outbound/outlet.rs", "cli/demo/calls.rs"]),
    ("actix_tls", &["dispatcher/outbound"]),
    ("hickory_resolver", &["dispatcher/outbound/resolve.rs"]),
    ("rustls", &["dispatcher/outbound", "redis/authorities.rs"]),
    ("actix_web", &["http", "node.rs", "cli/receive"]),
    ("prometheus", &["telemetry/metrics"]),
    ("arc_swap", &["live/mod.rs"]),
    ("rpds", &["live/index.rs"]),
    ("clap", &["cli"]),
    (
        "rustix",
        &[
            "cli/serve.rs",
            "flow/background.rs",
            "flow/descriptors.rs",
            "live/huge_pages.rs",
            "http/inbound",
            "handover/journal/disk.rs",
            "dispatcher/outbound/socket.rs",
            "dispatcher/outbound/tests",
        ],
    ),
    ("actix_http", &["http/inbound"]),
    ("httparse", &["http/inbound/direct", "dispatcher/outbound/response/tests.rs"]),
    ("tracing_subscriber", &["telemetry/log.rs"]),
    ("bytestring", &["json"]),
    ("strsim", &["json/nearest.rs"]),
    ("prefetch_index", &["matching/index/fetch.rs"]),
];

/// Imports point from a layer to itself or to one below it.
pub(super) fn upward(sources: &[Source]) -> Vec<String> {
    let layer = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let mut violations = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let Some(own) = source.module().map(top) else { continue };
        let Some(own_layer) = layer(own) else {
            violations.push(format!("{} is in no layer; add it to LAYERS", source.path));
            continue;
        };
        for path in paths(&source.code()).into_iter().filter(|path| path[0] == "crate") {
            let Some(other) = path.get(1).map(String::as_str) else { continue };
            let points_down = layer(other).is_none_or(|layer| layer < own_layer) || other == own;
            if !points_down && own_layer + 1 < LAYERS.len() {
                violations.push(format!("{} imports {}, which is not below it", source.path, path.join("::")));
            }
        }
    }
    violations
}

/// No two files import each other, directly or through others: such files can only be read together. A module's
/// `mod.rs` is the face of the files in its folder, so what these and it import of each other is no circle.
pub(super) fn circles(sources: &[Source]) -> Vec<String> {
    let files: BTreeSet<&str> = sources.iter().filter_map(Source::module).collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources {
        let Some(own) = source.module() else { continue };
        let targets = paths(&source.code()).into_iter().filter_map(|path| file_of(own, &path, &files));
        edges.entry(own).or_default().extend(targets.filter(|other| *other != own && !is_face(own, other)));
    }
    let reachable = |from: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut next: Vec<&str> = edges.get(from).into_iter().flatten().copied().collect();
        while let Some(file) = next.pop() {
            if seen.insert(file) {
                next.extend(edges.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = edges.keys().map(|file| (*file, reachable(file))).collect();
    let circle = |file: &&str| reached[file].contains(*file);
    let mut named = BTreeSet::new();
    for file in edges.keys().filter(|file| circle(file)) {
        let members = reached[file].iter().filter(|other| reached.get(*other).is_some_and(|own| own.contains(file)));
        named.insert(members.copied().collect::<Vec<_>>().join(", "));
    }
    named.into_iter().map(|members| format!("these files import each other: {members}")).collect()
}

/// Outside crates are named at home only.
pub(super) fn strays(sources: &[Source]) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources {
        let Some(own) = source.module() else { continue };
        for (outside, homes) in HOMES {
            let at_home = homes.iter().any(|home| own.starts_with(home));
            if !at_home && names(&source.code(), &format!("{outside}::")) {
                violations.push(format!("{} names {outside}; its home is {homes:?}", source.path));
            }
        }
    }
    violations
}

/// A home that does not name its crate any more would let it come back unseen.
pub(super) fn empty_homes(sources: &[Source]) -> Vec<String> {
    let homes = HOMES.iter().flat_map(|(outside, homes)| homes.iter().map(move |home| (outside, home)));
    let empty = homes.filter(|(outside, home)| {
        let mut at_home = sources.iter().filter(|source| source.module().is_some_and(|own| own.starts_with(**home)));
        !at_home.any(|source| names(&source.text, &format!("{outside}::")))
    });
    empty.map(|(outside, home)| format!("{home} does not name {outside}; it is not its home")).collect()
}

/// Whether code names a path.
pub(super) fn names(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// The module at the top that a file belongs to.
fn top(module: &str) -> &str {
    module.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// Whether one of the two is the `mod.rs`, or the file, of a module that holds the other.
fn is_face(a: &str, b: &str) -> bool {
    let folder = |file: &str| {
        let name =
            file.strip_suffix("mod.rs").map_or_else(|| format!("{}/", file.trim_end_matches(".rs")), str::to_owned);
        if name.is_empty() { "/".to_owned() } else { name }
    };
    a.starts_with(&folder(b)) || b.starts_with(&folder(a))
}

/// The file that a path leads to, from the file in which it stands.
fn file_of<'f>(own: &str, path: &[String], files: &BTreeSet<&'f str>) -> Option<&'f str> {
    let mut module: Vec<&str> = own.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
    let mut rest = path;
    while let [first, more @ ..] = rest {
        match first.as_str() {
            "crate" => module.clear(),
            "self" => {}
            "super" => drop(module.pop()),
            _ => break,
        }
        rest = more;
    }
    module.extend(rest.iter().map(String::as_str));
    while !module.is_empty() {
        let name = module.join("/");
        let found =
            [format!("{name}.rs"), format!("{name}/mod.rs")].iter().find_map(|name| files.get(name.as_str()).copied());
        if found.is_some() {
            return found;
        }
        module.pop();
    }
    None
}

/// All paths in the code that begin with `crate`, `super` or `self`, with what stands in braces as paths of their own.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    for root in ["crate", "super", "self"] {
        for (at, _) in code.match_indices(&format!("{root}::")) {
            let begins = !code[..at].chars().next_back().is_some_and(|c| word(c) || c == ':' || c == '$');
            if begins {
                tree(&code[at..], Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Reads a path, or a use tree, at the begin of the code, and gives what follows it.
fn tree<'c>(code: &'c str, mut path: Vec<String>, found: &mut Vec<Vec<String>>) -> &'c str {
    let mut rest = code;
    loop {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if end > 0 {
            path.push(rest[..end].to_owned());
        }
        rest = &rest[end..];
        let Some(after) = rest.strip_prefix("::") else { break };
        rest = after;
        if let Some(mut inner) = rest.strip_prefix('{') {
            while let Some((at, c)) = inner.char_indices().find(|(_, c)| !c.is_whitespace() && *c != ',') {
                if c == '}' || !(c.is_alphanumeric() || c == '_') {
                    return &inner[at + 1..];
                }
                inner = tree(&inner[at..], path.clone(), found);
                // Another name for it says nothing of where it is.
                if let Some(renamed) = inner.strip_prefix(" as ") {
                    inner = renamed.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
                }
            }
            return inner;
        }
    }
    found.push(path);
    rest
}
