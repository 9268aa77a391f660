//! `posthaste demo`: the tour as a new user sees it.

use super::{Running, command, home, run};

#[test]
fn the_tour_shows_three_formats_and_ends() {
    let home = home();
    // The demo ignores the machine's own settings, even invalid ones.
    let (code, stdout, stderr) = run(&home, &["demo"], &[("POSTHASTE_SERVER__WORKERS", "many")]);
    assert_eq!(code, 0, "{stderr}\n{stdout}");
    for part in [
        "content-type: application/json",
        "content-type: application/xml",
        "content-type: application/x-www-form-urlencoded",
        "webhook-signature: v1,",
        "\"guest\": \"Zoë O'Brien & Söhne\"",
        "O&#39;Brien &amp; Söhne",
        "payer=Zo%C3%AB",
        "{{parking}}?\"",
        "after the event",
        "That was 6 events and 8 POSTs",
    ] {
        // Notations of an apostrophe differ but mean the same.
        let same = part.replace("&#39;", "&apos;");
        let plain = part.replace("&#39;", "'");
        assert!([part, &same, &plain].iter().any(|p| stdout.contains(*p)), "{part} is not in\n{stdout}");
    }
    assert_eq!(stdout.matches("POST /housekeeping  ").count(), 1, "the filter lets one booking through");
    assert_eq!(std::fs::read_dir(home.path()).expect("a folder").count(), 0, "something was left behind");
    // The last lines name a program that the shell finds.
    let help = stdout.lines().find_map(|line| line.trim_start().split_once(" --help")).expect("a way on").0.to_owned();
    let helped = std::process::Command::new("sh").args(["-c", &format!("{help} --help")]).output().expect("a shell");
    assert!(helped.status.success() && String::from_utf8_lossy(&helped.stdout).contains("Usage:"), "{helped:?}");
}

#[test]
fn with_keep_it_prints_the_next_steps_and_ends_at_a_signal() {
    let home = home();
    let running = Running::start(command(&home, &["demo", "--keep"]));
    let console = running.wait_for_line("http://127.0.0.1");
    assert!(console.contains("/console#account=casa-lavanda"), "{console}");
    let address = running.wait_for_line("curl -sS http://");
    assert!(address.starts_with("127.0.0.1:") && address.contains("/v1/events"), "{address}");
    running.wait_for_line("Ctrl-C ends it.");
    running.signal("INT");
    assert_eq!(running.end().0, Some(0));
}
