//! Paths that are as long as a body may be.

use super::Format::Text;
use super::*;

/// Each name of such a path, and of what is below it, was looked at for each expression: that took minutes.
#[test]
fn a_long_path_costs_no_more_than_other_text() {
    for (name, times) in [(".length", 7_000), (".a", 25_000), (".length", 120)] {
        let path = format!("a{}", name.repeat(times));
        let below = format!("{{{{#with {path}}}}}{}{{{{/with}}}}", "{{length}}".repeat(990));
        for body in [format!("{{{{{path}}}}}"), below] {
            let checked = check(Text, &body);
            assert!(checked.compiled.is_some(), "{:?}", checked.diagnostics.first());
            let warns = checked.diagnostics.iter().any(|found| found.message.contains("it is always empty"));
            assert_eq!(warns, times > 127, "{:?}", checked.diagnostics.first());
        }
    }
}
