//! Compiles the web console's files in where `scripts/console` has built them. Without them the build goes on, and the
//! node serves a page that says how to build them.

use std::path::Path;
use std::{env, fs};

const BUILT: &str = "src/http/console/built";

fn main() {
    println!("cargo::rerun-if-changed={BUILT}");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join(BUILT);
    let mut names: Vec<String> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".gz").map(str::to_owned))
        .collect();
    names.sort();
    let files = names.iter().map(|name| {
        let path = folder.join(format!("{name}.gz"));
        format!("    ({name:?}, include_bytes!({path:?})),\n")
    });
    let table = format!("&[\n{}]\n", files.collect::<String>());
    fs::write(Path::new(&out).join("console_files.rs"), table).expect("the build's own folder can be written to");
}
