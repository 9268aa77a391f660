//! Collects the findings of one check: with positions in the body, without repetitions, and no more than a person would
//! read.

use super::diagnostic::{CODES, Diagnostic, Positions, Severity};
use super::tags::as_written;

/// The most errors, and the most warnings, that are reported: further ones usually have the same causes. Counted
/// separately, so that many warnings hide no error.
const FINDINGS_MAX: usize = 100;

/// The code of a mark of another language.
const MARK: &str = "foreign_syntax";

/// Gathers findings.
#[derive(Debug)]
pub(crate) struct DiagnosticList<'p> {
    positions: Positions<'p>,
    list: Vec<Diagnostic>,
    /// Marks of other languages that were warned of: the line and column of the begin and of the end.
    marks: Vec<[(usize, usize); 2]>,
}

impl<'p> DiagnosticList<'p> {
    pub(crate) fn of(body: &'p str) -> Self {
        Self { positions: Positions::of(body), list: Vec::new(), marks: Vec::new() }
    }

    /// The same findings; from now on offsets refer to another text that has the same lines and columns.
    pub(crate) fn in_text<'q>(self, text: &'q str) -> DiagnosticList<'q> {
        DiagnosticList { positions: Positions::of(text), list: self.list, marks: self.marks }
    }

    pub(crate) fn positions(&self) -> &Positions<'p> {
        &self.positions
    }

    /// The line and column of a byte.
    pub(crate) fn place(&self, at: usize) -> (u32, u32) {
        let (line, column) = self.positions.line_column(at);
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        (small(line), small(column))
    }

    pub(crate) fn error(&mut self, code: &'static str, at: usize, message: impl Into<String>) {
        self.add(Severity::Error, code, at, message.into(), None);
    }

    pub(crate) fn warning(&mut self, code: &'static str, at: usize, message: impl Into<String>) {
        self.add(Severity::Warning, code, at, message.into(), None);
    }

    /// Warns of a mark of another language, which is sent as it stands.
    pub(crate) fn mark(&mut self, at: usize, length: usize, message: String) {
        if !self.is_full(Severity::Warning) {
            self.warning(MARK, at, message);
            self.marks.push([at, at + length].map(|at| self.positions.line_column(at)));
        }
    }

    /// Makes the warning of the mark around this byte an error, because the mark can't even be sent as it stands.
    /// Returns whether there is such a mark.
    pub(crate) fn refuse_mark(&mut self, at: usize) -> bool {
        let at = self.positions.line_column(at);
        let Some([begin, _]) = self.marks.iter().find(|[begin, end]| *begin <= at && at < *end) else { return false };
        let is_it = |found: &&mut Diagnostic| found.code == MARK && (found.line, found.column) == *begin;
        let warning = self.list.iter_mut().find(is_it);
        warning.map(|warning| warning.severity = Severity::Error).is_some()
    }

    pub(crate) fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        at: usize,
        message: String,
        suggestion: Option<String>,
    ) {
        debug_assert!(CODES.contains(&code), "{code} is in no document");
        if self.is_full(severity) {
            return;
        }
        let (line, column) = self.positions.line_column(at);
        let finding = Diagnostic { severity, code, line, column, message: as_written(message), suggestion };
        let known = self.list.iter().any(|known| {
            (known.code, known.line, known.column, &known.message) == (code, line, column, &finding.message)
        });
        if !known {
            self.list.push(finding);
        }
    }

    /// Whether no more findings of this kind are kept, so that they need not be computed.
    pub(crate) fn is_full(&self, severity: Severity) -> bool {
        self.list.iter().filter(|finding| finding.severity == severity).count() >= FINDINGS_MAX
    }

    /// How many findings there are, for [`Self::forget`].
    pub(crate) fn count(&self) -> usize {
        self.list.len()
    }

    /// Forgets all findings after the first `count`.
    pub(crate) fn forget(&mut self, count: usize) {
        self.list.truncate(count);
    }

    pub(crate) fn has(&self, code: &str) -> bool {
        self.list.iter().any(|finding| finding.code == code)
    }

    pub(crate) fn has_error(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All findings in the order of the body.
    pub(crate) fn into_list(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|finding| (finding.line, finding.column, finding.severity));
        self.list
    }
}
