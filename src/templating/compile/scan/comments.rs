//! Comments, which are copied for the parser.

use super::Scanner;

impl Scanner<'_, '_, '_> {
    /// A comment ends at `--}}` if it began with `--` and such an end is there, else at `}}`.
    pub(super) fn comment(&mut self, at: usize) -> Option<usize> {
        let rest = &self.body[at + 3..];
        let long = rest
            .trim_start_matches([' ', '\t', '\r', '\n'])
            .strip_prefix("--")
            .and_then(|inner| inner.find("--}}").map(|end| (inner, end)))
            .map(|(inner, end)| self.body.len() - inner.len() + end + 4);
        let Some(end) = long.or_else(|| rest.find("}}").map(|end| at + 3 + end + 2)) else {
            return self.refuse("unclosed", at, "The comment is never closed: write }} where it ends.");
        };
        let comment = &self.body[at..end];
        self.text.push_str(comment);
        if comment.ends_with("~}}") {
            let message =
                "A ~ at the end of a comment has no effect: write it in the expression beside the white space.";
            self.findings.warning("foreign_syntax", at, message);
        }
        Some(end)
    }

    /// `{{~! …}}`, which the parser does not read: it becomes a comment of the same length.
    pub(super) fn trimming_comment(&mut self, at: usize) -> Option<usize> {
        let message = "A comment can't take the white space before it away: begin it with {{!, and write the ~ in the \
                       expression beside the white space.";
        self.findings.error("syntax", at, message);
        let Some(end) = self.body[at..].find("}}").map(|end| at + end + 2) else {
            return self.refuse("unclosed", at, "The comment is never closed: write }} where it ends.");
        };
        let inside = self.body[at + 2..end].trim_start_matches('~');
        let tildes = end - at - 2 - inside.len();
        self.text.push_str("{{!");
        self.text.push_str(&"~".repeat(tildes));
        self.text.push_str(&inside[1..]);
        Some(end)
    }
}
