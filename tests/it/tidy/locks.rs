//! The fuzzer is a package of its own with a lock file of its own, which nothing else builds.

use super::Source;

/// Dependencies of the program that the fuzzer's lock file lacks: `scripts/fuzz` would build nothing, as it is locked.
pub(super) fn unlocked(manifest: &Source, lock: &Source) -> Vec<String> {
    let sections = manifest.text.split("\n[");
    let own = sections.filter_map(|section| section.strip_prefix("dependencies]\n"));
    // The fuzzer is built without optional parts.
    let lines = own.flat_map(str::lines).filter(|line| !line.contains("optional = true"));
    let names = lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
    let package = lock.text.split("[[package]]").find(|package| package.contains("name = \"posthaste\"\n"));
    let locked = |name: &str| {
        let mut lines = package.into_iter().flat_map(str::lines);
        lines.any(|line| line.trim_matches([' ', '"', ',']).split(' ').next() == Some(name))
    };
    let missing = names.filter(|name| !name.starts_with('#') && !locked(name));
    missing.map(|name| format!("{}: {name} is not locked; run cargo metadata there", lock.path)).collect()
}
