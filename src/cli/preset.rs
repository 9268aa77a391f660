//! `posthaste preset`: ready-made templates for known receivers, to copy and change.

use std::process::ExitCode;

use super::PresetArguments;
use super::print::{ASIDE, HEADING, complain, say, say_exactly};
use crate::dictionary::{DictionaryError, Presets};

/// Lists the presets, or prints one: its body, or with `--json` all of it.
pub(super) fn run(arguments: &PresetArguments) -> ExitCode {
    let config = match arguments.settings.load() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let loaded = config.dictionary.load().and_then(|dictionary| config.load_presets(&dictionary));
    let presets = match loaded {
        Ok(presets) => presets,
        Err(errors) => return refuse(&errors),
    };
    let Some(name) = &arguments.name else {
        list(&presets);
        return ExitCode::SUCCESS;
    };
    let Some(preset) = presets.find(name) else {
        complain(&format!("there is no preset {name:?}; `posthaste preset` lists them"));
        return ExitCode::FAILURE;
    };
    let text = if arguments.json {
        serde_json::to_string_pretty(preset).unwrap_or_default()
    } else {
        preset.body().to_owned()
    };
    say_exactly(&text);
    ExitCode::SUCCESS
}

fn refuse(errors: &[DictionaryError]) -> ExitCode {
    for error in errors {
        complain(&error.to_string());
    }
    ExitCode::FAILURE
}

fn list(presets: &Presets) {
    let width = presets.iter().map(|preset| preset.name.len()).max().unwrap_or(0);
    for preset in presets.iter() {
        say(&format!("{HEADING}{:width$}{HEADING:#}  {ASIDE}{}{ASIDE:#}", preset.name, preset.title()));
    }
}
