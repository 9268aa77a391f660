//! `posthaste check`: reports every mistake in the settings, the dictionary, the presets and template files at once. A
//! mistake in one of them hides none in the others, except that the templates of presets are checked with the dictionary.
//! It never opens the store, makes no connection and changes no file.

mod files;

use std::path::Path;
use std::process::ExitCode;

use super::print::{ERROR, WARNING, complain, counted, report, say, visible_line};
use super::{CheckArguments, SettingsArguments};
use crate::config::Config;
use crate::dictionary::DictionaryError;
use crate::dispatcher::{Outbound, OwnAddresses};
use crate::model::event::EventPattern;
use crate::templating::{self, Diagnostic, Severity, TagLookup, TemplateLimits};
use files::TemplateFile;

/// Checks everything.
pub(super) fn run(arguments: &CheckArguments) -> ExitCode {
    let mut findings = CheckFindings::default();
    let config = check_settings(&arguments.settings, &mut findings);
    let dictionary = check_files(&config, &mut findings);
    let mut templates = 0;
    for file in files::find(&arguments.files) {
        match file {
            Ok(file) => {
                templates += 1;
                check_template(&file, dictionary.as_ref(), &config.templates, &mut findings);
            }
            Err((path, mistake)) => findings.error(&format!("{}: ", shown(&path)), &mistake.to_string()),
        }
    }
    findings.conclude(templates)
}

fn check_settings(settings: &SettingsArguments, findings: &mut CheckFindings) -> Config {
    let (config, errors) = Config::examine(settings.config.as_deref());
    for error in errors {
        findings.error("settings: ", &error.to_string());
    }
    for unused in &config.unused {
        findings.warning("settings: ", &visible_line(&unused.to_string()));
    }
    // Reads the files of certificates.
    for error in Outbound::new(&config.dispatch, OwnAddresses::default()).err().into_iter().flatten() {
        findings.error("settings: ", &visible_line(&config.mistake(error.setting(), error.to_string()).to_string()));
    }
    config
}

/// Checks the files of the dictionary and the presets. The templates of presets are held against the dictionary, so they
/// are left out where that has mistakes.
fn check_files(config: &Config, findings: &mut CheckFindings) -> Box<dyn TagLookup> {
    let mut refuse = |errors: Vec<DictionaryError>| {
        for DictionaryError { file, line, what, instead } in errors {
            let line = line.map_or_else(String::new, |line| format!("{line}:"));
            findings.error(&format!("{}:{line} ", visible_line(&file)), &visible_line(&format!("{what}; {instead}")));
        }
    };
    match config.dictionary.load() {
        Ok(dictionary) => {
            config.load_presets(&dictionary).map_or_else(refuse, |_| ());
            Box::new(dictionary)
        }
        Err(errors) => {
            refuse(errors);
            refuse(config.presets_mistakes());
            Box::new(AnyTag)
        }
    }
}

fn check_template(
    file: &TemplateFile,
    dictionary: &dyn TagLookup,
    limits: &TemplateLimits,
    findings: &mut CheckFindings,
) {
    let path = shown(&file.path);
    let body = match file.read(limits.body_bytes_max) {
        Ok(body) => body,
        Err(mistake) => return findings.error(&format!("{path}: "), &mistake.to_string()),
    };
    for Diagnostic { severity, code, line, column, message, suggestion } in
        templating::compile(file.format, &body, dictionary, None, limits).diagnostics
    {
        let place = format!("{path}:{line}:{column}: ");
        // Many messages contain it.
        let hint = suggestion.filter(|name| !message.contains(name.as_str()));
        let hint = hint.map_or_else(String::new, |name| format!("; did you mean {name}?"));
        let message = visible_line(&format!("{message} [{code}]{hint}"));
        match severity {
            Severity::Error => findings.error(&place, &message),
            Severity::Warning => findings.warning(&place, &message),
        }
    }
}

fn shown(path: &Path) -> String {
    visible_line(&path.display().to_string())
}

/// Replaces a dictionary with mistakes, so that not every tag is reported as well.
struct AnyTag;

impl TagLookup for AnyTag {
    fn tag_path(&self, _: &str, _: &str) -> Option<&str> {
        Some("unknown")
    }
    fn tags(&self) -> Vec<String> {
        Vec::new()
    }
    fn paths(&self, _: Option<&EventPattern>) -> Option<Vec<String>> {
        None
    }
}

/// Prints each finding at once, and counts it.
#[derive(Default)]
struct CheckFindings {
    errors: usize,
    warnings: usize,
}

impl CheckFindings {
    fn error(&mut self, place: &str, message: &str) {
        self.errors += 1;
        report(&format!("{place}{ERROR}error{ERROR:#}: {message}"));
    }

    fn warning(&mut self, place: &str, message: &str) {
        self.warnings += 1;
        report(&format!("{place}{WARNING}warning{WARNING:#}: {message}"));
    }

    fn conclude(self, templates: usize) -> ExitCode {
        let warnings = match self.warnings {
            0 => String::new(),
            warnings => format!(", with {}", counted(warnings, "warning")),
        };
        if self.errors > 0 {
            complain(&format!("{}{warnings}", counted(self.errors, "mistake")));
            return ExitCode::FAILURE;
        }
        let templates = match templates {
            0 => String::new(),
            templates => format!(" and {}", counted(templates, "template")),
        };
        say(&format!("ok: the settings, the dictionary{templates}{warnings}"));
        ExitCode::SUCCESS
    }
}
