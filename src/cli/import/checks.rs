//! Checks the records of an export with the rules of the HTTP interface. A record that breaks only the node's settings
//! is a warning: such a record stays if it is saved already, and a backup must be restorable on a node whose settings
//! became stricter.

use super::document::{ImportEntry, ImportFile};
use super::mistake::Mistake;
use crate::cli::error::CommandError;
use crate::cli::print::{WARNING, report, visible_line};
use crate::config::Config;
use crate::model::field::FieldError;
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use crate::templating::{self, CompileContext, Expressions, RequestFinding, Severity, TagLookup};

/// What was found in the file.
#[derive(Debug, Default)]
pub(super) struct ImportFindings {
    /// Nothing is written where there are any.
    pub(super) mistakes: Vec<Mistake>,
    /// Records that are written but do not work on this node.
    pub(super) warnings: Vec<Mistake>,
}

impl ImportFindings {
    pub(super) fn check(&mut self, document: &ImportFile, dictionary: &dyn TagLookup, config: &Config) {
        for entry in &document.templates {
            self.check_template(entry, dictionary, config);
        }
        for entry in &document.triggers {
            self.check_trigger(entry, dictionary, config);
        }
    }

    fn check_template(&mut self, entry: &ImportEntry<Template>, dictionary: &dyn TagLookup, config: &Config) {
        let template = &entry.value;
        let checked = templating::compile(template.format, &template.body, dictionary, None, &config.templates);
        let found = checked.diagnostics.into_iter().filter(|found| found.severity == Severity::Error);
        self.mistakes.extend(found.filter_map(|found| {
            let detail = format!("line {}, column {}: {}", found.line, found.column, found.message);
            entry.mistake(FieldError::new("/body", found.code, detail))
        }));
        self.warnings.extend(template.broken_rules().into_iter().filter_map(|error| entry.mistake(error)));
    }

    fn check_trigger(&mut self, entry: &ImportEntry<Trigger>, dictionary: &dyn TagLookup, config: &Config) {
        let trigger = &entry.value;
        let setting = CompileContext { event: Some(&trigger.event), ..CompileContext::of(dictionary) };
        let (_, found) = Expressions::compile(&trigger.url, &trigger.headers, &setting, &config.templates);
        let errors = found.iter().filter(|found| templating::is_error(found)).map(RequestFinding::mistake);
        self.mistakes.extend(errors.filter_map(|error| entry.mistake(error)));
        let rules = trigger.broken_rules(&config.dispatch.egress).into_iter().map(|rule| rule.error);
        let complaint = trigger.pattern.as_ref().and_then(|pattern| pattern.complaint());
        let complaint = complaint.map(|e| FieldError::new(format!("/where{}", e.pointer), e.code, e.detail.as_str()));
        self.warnings.extend(rules.chain(complaint).filter_map(|error| entry.mistake(error)));
    }

    /// Prints all of it, in the order of the file. Mistakes are an error.
    pub(super) fn report(mut self, name: &str) -> Result<(), CommandError> {
        self.mistakes.sort_by_key(|mistake| mistake.order);
        self.warnings.sort_by_key(|warning| warning.order);
        for mistake in &self.mistakes {
            report(&visible_line(&format!("{name}: {mistake}")));
        }
        for warning in &self.warnings {
            let message = visible_line(&format!("{warning}"));
            report(&format!(
                "{}: {WARNING}warning{WARNING:#}: {message}; the HTTP interface refuses to save this",
                visible_line(name)
            ));
        }
        match self.mistakes.len() {
            0 => Ok(()),
            mistakes => Err(CommandError::Mistakes(mistakes)),
        }
    }
}
