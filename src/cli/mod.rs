//! The command line: what its words mean, and one file for each command. Exit codes: 0 done, 1 the
//! work failed, 2 the call's words are off.

mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Config;

/// Events in over HTTP; each customer's own template rendered; one HTTP POST out.
#[derive(Debug, Parser)]
#[command(name = "posthaste", version, arg_required_else_help = true)]
struct Call {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the engine until SIGTERM or SIGINT.
    ///
    /// A stop takes no more events, goes on sending what was accepted for as long as
    /// `dispatch.drain_ms` says, and exits with 0.
    Serve(Settings),
}

/// Where settings come from. Each one and its default: config/posthaste.toml.
#[derive(Debug, Args)]
struct Settings {
    /// A file of settings; it need name only what differs from the defaults. The environment
    /// (`POSTHASTE_<SECTION>__<KEY>`) goes over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Settings {
    /// Reads the settings; every mistake goes to standard error.
    fn load(&self) -> Result<Config, ExitCode> {
        Config::load(self.config.as_deref()).map_err(|errors| {
            for error in errors {
                complain(&error.to_string());
            }
            ExitCode::FAILURE
        })
    }
}

/// Runs the command that this process was called with.
pub fn run() -> ExitCode {
    match Call::parse().command {
        Command::Serve(settings) => settings.load().map_or_else(|code| code, serve::run),
    }
}

/// Tells a person what went wrong.
fn complain(what: &str) {
    anstream::eprintln!("posthaste: {what}");
}

/// Tells a person or a script what they asked for.
fn say(what: &str) {
    anstream::println!("{what}");
}
