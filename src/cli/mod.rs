//! The command line: arguments and help texts. Each command has a file of its own and prints through `print`.
//! Exit codes: 0 success, 1 failure, 2 usage error.

mod check;
mod demo;
mod error;
mod export;
mod import;
mod notify;
mod pages;
mod preset;
mod print;
mod receive;
mod serve;
mod signals;
mod transfer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::config::{Config, listen_address};
use crate::model::id::AccountId;
use crate::telemetry::log;
use print::{complain, conclude, say};

/// Accepts events over HTTP, renders each customer's templates with them, and sends each result as one HTTP POST.
#[derive(Debug, Parser)]
#[command(name = "posthaste", version, arg_required_else_help = true, after_help = FIRST_STEPS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const FIRST_STEPS: &str = "\
A first look, in a few seconds:     posthaste demo
A node and a receiver:              posthaste serve
                                    posthaste receive

Exit codes: 0 success, 1 failure, 2 usage error.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node until SIGTERM, SIGINT or SIGHUP.
    ///
    /// Graceful shutdown: the node accepts no more events, sends what was accepted for up to
    /// `dispatch.drain_ms`, and exits with 0. A second signal ends it at once. The last line of the log
    /// counts what was not sent.
    #[command(after_long_help = SERVE_EXAMPLES)]
    Serve(SettingsArguments),
    /// Show Posthaste at work: a day of a holiday rental, each event and each POST that it causes.
    ///
    /// Starts a node with a store in memory, a receiver, and three triggers (a JSON, an XML and a form
    /// body), posts the events of the day, and prints each one, each POST as it arrived, and the time
    /// between. Nothing leaves this machine, nothing is written to disk, and no other settings are read.
    #[command(after_long_help = DEMO_EXAMPLES)]
    Demo(DemoArguments),
    /// Print each POST that arrives: a receiver for a trigger's URL.
    ///
    /// Other methods get 405 and are not printed. At most 1 MiB of a body is kept. Bytes that are not UTF-8
    /// are shown as \xNN, and control characters as \u{NN}; with `--json` nothing is changed. SIGTERM, SIGINT and SIGHUP end it with 0.
    #[command(after_long_help = RECEIVE_EXAMPLES)]
    Receive(ReceiveArguments),
    /// Report every mistake in the settings, the dictionary and template files.
    ///
    /// The extension of a file determines its format (.json, .xml, .form or .txt; .hbs may follow). In a
    /// folder, all files with these extensions are checked, also in its subfolders. Each finding is a line
    /// `FILE:LINE:COLUMN: SEVERITY: MESSAGE [CODE]`. Warnings alone are not a failure. No store is opened
    /// and no connection is made.
    #[command(after_long_help = CHECK_EXAMPLES)]
    Check(CheckArguments),
    /// List working templates for known receivers, or print one to copy.
    ///
    /// With a name, its body is written to standard output, ready for a file that `posthaste check` reads; with
    /// `--json`, all of it: the events that it is for, the shape of the URL, headers and the body.
    #[command(after_long_help = PRESET_EXAMPLES)]
    Preset(PresetArguments),
    /// Write an account's triggers and templates, with their secrets, to one file.
    ///
    /// `posthaste import` reads the file. It holds the secrets that sign deliveries, so only its owner may
    /// read it. Keys are not in it: they belong to one installation. Only one process can open an embedded
    /// store: stop the node first.
    #[command(after_long_help = EXPORT_EXAMPLES)]
    Export(ExportArguments),
    /// Read triggers and templates from a file that `posthaste export` wrote.
    ///
    /// The whole file is checked first. If it has a mistake, nothing is written, and all mistakes are
    /// reported, each with its account, its id and its position in the file. Then each template and trigger
    /// is created, or replaces the one with its id as a whole: a trigger without a secret has none after
    /// that. What is not in the file stays as it is. Only one process can open an embedded store: stop the
    /// node first.
    #[command(after_long_help = IMPORT_EXAMPLES)]
    Import(ImportArguments),
    /// Print a completion script for a shell.
    #[command(after_long_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder; for packages.
    #[command(hide = true)]
    Manual {
        /// The folder, which must exist.
        folder: PathBuf,
    },
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  posthaste completions bash > /etc/bash_completion.d/posthaste
  posthaste completions zsh > \"${fpath[1]}/_posthaste\"
  posthaste completions fish > ~/.config/fish/completions/posthaste.fish";

const SERVE_EXAMPLES: &str = "\
Examples:
  posthaste serve
  posthaste serve --config /etc/posthaste.toml
  POSTHASTE_SERVER__LISTEN=127.0.0.1:0 POSTHASTE_STORE__URL=memory: posthaste serve";

const DEMO_EXAMPLES: &str = "\
Examples:
  posthaste demo           ends by itself after a few seconds
  posthaste demo --keep    stays up, and prints curl commands to try; Ctrl-C ends it";

const RECEIVE_EXAMPLES: &str = "\
Examples:
  posthaste receive                                       all that arrives at http://127.0.0.1:9000
  posthaste receive --listen 127.0.0.1:0                  on a free port, which is printed
  posthaste receive --json | jq .body                     only what was sent
  posthaste receive --status 503 --delay-ms 2000          a failing receiver
  posthaste receive --quiet                               only the number of POSTs, at the end

A node connects to no address of this machine unless that is allowed:
  POSTHASTE_DISPATCH__ALLOW_NETWORKS='[\"127.0.0.0/8\"]' posthaste serve

A JSON line: {\"time\",\"method\",\"path\",\"headers\":{},\"body\"}, or \"body_base64\" where the body is not
UTF-8; \"bytes_left_out\" is the number of bytes of a long body that were not kept.";

const CHECK_EXAMPLES: &str = "\
Examples:
  posthaste check                                         the settings and the dictionary
  posthaste check --config /etc/posthaste.toml
  posthaste check templates/ welcome.json booking.xml.hbs";

const PRESET_EXAMPLES: &str = "\
Examples:
  posthaste preset                                        all of them
  posthaste preset slack > slack.json                     a template to change
  posthaste preset --json soap                            with its URL and headers";

const EXPORT_EXAMPLES: &str = "\
Examples:
  posthaste export --account acme --output acme.json
  posthaste export --all-accounts > everything.json       it holds secrets
  posthaste export --account acme | ssh elsewhere posthaste import -";

const IMPORT_EXAMPLES: &str = "\
Examples:
  posthaste import acme.json                              every account under its own name
  posthaste import --account acme-test acme.json          under another name
  posthaste import - < everything.json";

/// Where settings come from. Each one and its default: config/posthaste.toml.
#[derive(Debug, Args)]
struct SettingsArguments {
    /// A file of settings that differ from the defaults. The environment (`POSTHASTE_<SECTION>__<KEY>`)
    /// overrides it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl SettingsArguments {
    /// Reads the settings; every mistake goes to standard error.
    fn load(&self) -> Result<Config, ExitCode> {
        Config::load(self.config.as_deref()).map_err(|errors| {
            for error in errors {
                complain(&error.to_string());
            }
            ExitCode::FAILURE
        })
    }

    /// Loads the settings and starts the log. Warns of environment variables that resemble a setting, and of settings without effect.
    fn begin(&self) -> Result<Config, ExitCode> {
        let config = self.load()?;
        log::start(&config.log);
        for unused in &config.unused {
            tracing::warn!("{unused}");
        }
        Ok(config)
    }
}

#[derive(Debug, Args)]
struct DemoArguments {
    /// Stay up after the tour, and print curl commands to try.
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Args)]
struct ReceiveArguments {
    /// The address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000", value_parser = listen_address)]
    listen: SocketAddr,
    /// The status of every response.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// Milliseconds to wait before each response.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    delay_ms: u64,
    /// Print only the number of POSTs, at the end.
    #[arg(long)]
    quiet: bool,
    /// One JSON object a line, and nothing else on standard output; the address goes to standard error.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CheckArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Template files, and folders of them.
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct PresetArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Print all of the preset as JSON.
    #[arg(long, requires = "name")]
    json: bool,
    /// The preset to print.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Args)]
struct ExportArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// The account to export.
    #[arg(long, value_name = "ACCOUNT", default_value = "default", value_parser = AccountId::new)]
    account: AccountId,
    /// Export every account.
    #[arg(long, conflicts_with = "account")]
    all_accounts: bool,
    /// The file to write; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

#[derive(Debug, Args)]
struct ImportArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// The account to write to. A file with one account is written under this name; of a file with several, the
    /// account of this name is written. Without it, every account is written under its own name.
    #[arg(long, value_name = "ACCOUNT", value_parser = AccountId::new)]
    account: Option<AccountId>,
    /// The file to read; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command that this process was called with.
pub fn run() -> ExitCode {
    let command = match Arguments::try_parse() {
        Ok(arguments) => arguments.command,
        Err(error) if error.use_stderr() => error.exit(),
        Err(help) => {
            say(help.render().ansi().to_string().trim_end_matches('\n'));
            return conclude(ExitCode::SUCCESS);
        }
    };
    let code = match command {
        // Its purpose is not its output: the end of a node that could not print its address is no failure.
        Command::Serve(settings) => return settings.begin().map_or_else(|code| code, serve::run),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Receive(arguments) => receive::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Preset(arguments) => preset::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Completions { shell } => pages::completions(shell, Arguments::command()),
        Command::Manual { folder } => pages::manual(&folder, Arguments::command()),
    };
    conclude(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn arguments_are_accepted_or_refused() {
        for good in [
            "receive",
            "receive --listen localhost:9000",
            "receive --listen [::1]:0 --status 599 --delay-ms 1 --quiet --json",
            "demo --keep",
            "check",
            "check a b --config c",
            "export --account acme --output x",
            "export --all-accounts",
            "import -",
            "import --account acme x",
        ] {
            let arguments = ["posthaste"].into_iter().chain(good.split(' '));
            assert!(Arguments::try_parse_from(arguments).is_ok(), "{good}");
        }
        for bad in [
            "receive --listen 9000",
            "receive --listen localhost",
            "receive --status 100",
            "receive --status 600",
            "receive --delay-ms -1",
            "export --account a/b",
            "export --account a --all-accounts",
            "import",
            "import a b",
            "sing",
        ] {
            let arguments = ["posthaste"].into_iter().chain(bad.split(' '));
            let error = Arguments::try_parse_from(arguments).expect_err(bad);
            assert_eq!(error.exit_code(), 2, "{bad}");
        }
    }
}
