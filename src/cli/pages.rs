//! Generated from the definition of the command line: completions for shells, and manual pages.

use std::path::Path;
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::print::{complain, say_exactly};

/// Prints the completion script.
pub(super) fn completions(shell: Shell, mut command: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "posthaste", &mut script);
    say_exactly(String::from_utf8_lossy(&script).trim_end_matches('\n'));
    ExitCode::SUCCESS
}

/// Writes a page for the program and one for each command.
pub(super) fn manual(folder: &Path, command: Command) -> ExitCode {
    match clap_mangen::generate_to(command, folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{}: {error}", folder.display()));
            ExitCode::FAILURE
        }
    }
}
