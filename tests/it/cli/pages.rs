//! What is generated from the definition of the command line.

use super::{home, run};

#[test]
fn completions_name_every_command() {
    let home = home();
    for shell in ["bash", "zsh", "fish"] {
        let (code, text, errors) = run(&home, &["completions", shell], &[]);
        assert_eq!((code, errors.as_str()), (0, ""), "{shell}");
        for word in ["serve", "demo", "receive", "check", "import", "export", "completions", "config"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(run(&home, &["completions", "tcsh"], &[]).0, 2);
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let home = home();
    assert_eq!(run(&home, &["manual", "."], &[]), (0, String::new(), String::new()));
    let page = |name: &str| std::fs::read_to_string(home.path().join(name)).expect(name);
    assert!(page("posthaste.1").contains("posthaste\\-serve(1)"), "{}", page("posthaste.1"));
    assert!(page("posthaste-export.1").contains("\\-\\-all\\-accounts"));
    assert_eq!(run(&home, &["manual", "nowhere"], &[]).0, 1);
}
