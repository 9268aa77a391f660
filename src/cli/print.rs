//! How commands print: the stream, the colours, and how text from outside is shown. Output that was lost is an error of
//! the command, except where its reader has enough and closed it.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The subject of a line.
pub(super) const HEADING: Style = Style::new().bold();
/// Additional information.
pub(super) const ASIDE: Style = Style::new().dimmed();
/// An event.
pub(super) const EVENT: Style = AnsiColor::Cyan.on_default().bold();
/// A POST.
pub(super) const POST: Style = AnsiColor::Green.on_default().bold();
/// An error.
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// A warning.
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Shown only at a terminal; the terminal library decides on colours.
pub(super) fn progress_bar(total: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len}, {eta} left");
    let bar = ProgressBar::with_draw_target(
        Some(total as u64),
        if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    bar.with_style(style.expect("the template is a constant that the tests draw"))
}

/// Reports an error.
pub(super) fn complain(what: &str) {
    report(&format!("posthaste: {what}"));
}

/// Writes a line to standard error, with colours where they are wanted.
pub(super) fn report(line: &str) {
    // If standard error is closed, there is nowhere to report that.
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// The first error of standard output.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Writes a line to standard output. If it is lost, [`conclude`] reports that.
pub(super) fn say(what: &str) {
    let mut out = anstream::stdout().lock();
    note(writeln!(out, "{what}").and_then(|()| out.flush()));
}

/// The same byte for byte, for programs.
pub(super) fn say_exactly(line: &str) {
    let mut out = io::stdout().lock();
    // In one write, so that a reader never gets half a line.
    note(out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()));
}

fn note(written: io::Result<()>) {
    if let Err(error) = written {
        // Later errors follow from the first.
        let _ = LOST.set(error);
    }
}

/// Whether nothing more can be written to standard output.
pub(super) fn is_output_closed() -> bool {
    LOST.get().is_some()
}

/// The exit code of a command whose own is given: a failure, which is reported, if output was lost.
pub(super) fn conclude(code: ExitCode) -> ExitCode {
    match LOST.get() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => code,
    }
}

/// Shows bytes from outside safely in a terminal: bytes that are not UTF-8 as `\xNN`, characters that move the
/// cursor, change colours or turn the direction of text as `\u{NN}`.
pub(super) fn visible(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid().chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\n' | '\t' => shown.push(c),
                // Part of a line break, which is harmless.
                '\r' if rest.peek() == Some(&'\n') => {}
                c if disturbs(c) => shown.extend(c.escape_unicode()),
                c => shown.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// The same on one line.
pub(super) fn visible_line(text: &str) -> String {
    visible(text.as_bytes()).replace('\n', "\\n")
}

fn disturbs(c: char) -> bool {
    // Marks that turn the direction of text can make one body look like another.
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// `1 template`, `2 templates`.
pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The text with each line indented.
pub(super) fn indented(text: &str, by: usize) -> String {
    let lines = text.lines().map(|line| if line.is_empty() { String::new() } else { format!("{:by$}{line}", "") });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_can_be_drawn() {
        progress_bar(1).inc(1);
    }

    #[test]
    fn text_from_outside_is_shown_safely() {
        for (bytes, shown) in [
            (&b"plain {\"a\": 1}\n\ttwo"[..], "plain {\"a\": 1}\n\ttwo"),
            ("Zoë 😀 €".as_bytes(), "Zoë 😀 €"),
            (b"a\r\nb\rc", "a\nb\\u{d}c"),
            (b"\x1b[2Jgone\x07", "\\u{1b}[2Jgone\\u{7}"),
            ("\u{9b}1m \u{202e}x".as_bytes(), "\\u{9b}1m \\u{202e}x"),
            (b"\xff\xfeab\xc3", "\\xff\\xfeab\\xc3"),
            (b"", ""),
        ] {
            assert_eq!(visible(bytes), shown);
        }
        assert_eq!(visible_line("a\nb"), "a\\nb");
    }

    #[test]
    fn lines_are_indented() {
        assert_eq!(indented("a\n\n b\n", 2), "  a\n\n   b");
        assert_eq!(counted(1, "template"), "1 template");
        assert_eq!(counted(0, "template"), "0 templates");
    }
}
