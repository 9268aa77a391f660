//! What the manifest and the fuzzer's lock file say of dependencies.

use super::Source;

/// Dependencies of the program that the fuzzer's lock file lacks: `scripts/fuzz` would build nothing, as it is locked.
/// The fuzzer is a package of its own, which nothing else builds.
pub(super) fn unlocked(manifest: &Source, lock: &Source) -> Vec<String> {
    // The fuzzer is built without optional parts.
    let names = dependencies(manifest, "dependencies").filter(|(_, rest)| !rest.contains("optional = true"));
    let package = lock.text.split("[[package]]").find(|package| package.contains("name = \"posthaste\"\n"));
    let locked = |name: &str| {
        let mut lines = package.into_iter().flat_map(str::lines);
        lines.any(|line| line.trim_matches([' ', '"', ',']).split(' ').next() == Some(name))
    };
    let missing = names.filter(|(name, _)| !locked(name));
    missing.map(|(name, _)| format!("{}: {name} is not locked; run cargo metadata there", lock.path)).collect()
}

/// Dependencies of a section that no code names. Each one takes time to build, and is code that must be trusted.
pub(super) fn unused(manifest: &Source, section: &str, codes: &[String]) -> Vec<String> {
    let names = |name: &str| {
        let path = match name {
            "md-5" => "md5".to_owned(),
            name => name.replace('-', "_"),
        };
        let (within, renamed) = (format!("{path}::"), format!("use {path} as "));
        codes.iter().any(|code| super::imports::names(code, &within) || code.contains(&renamed))
    };
    let unused = dependencies(manifest, section).filter(|(name, _)| !names(name));
    unused.map(|(name, _)| format!("{}: no code names {name}", manifest.path)).collect()
}

/// The names of a section's dependencies, each with what follows its name.
fn dependencies<'m>(manifest: &'m Source, section: &str) -> impl Iterator<Item = (&'m str, &'m str)> {
    let begin = format!("{section}]\n");
    let own = manifest.text.split("\n[").filter_map(move |text| text.strip_prefix(&begin));
    own.flat_map(str::lines).filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "))
}
