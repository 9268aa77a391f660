//! The expressions in the URL and the headers of a trigger, as they are judged when it is saved.

use super::state::AppState;
use crate::model::field::FieldError;
use crate::model::trigger::{Trigger, header_pointer};
use crate::templating::{self, Diagnostic, Expressions, RequestFinding, Setting};

/// Says what is odd, with the place that is meant; or all that is wrong.
pub(super) fn judge(trigger: &Trigger, state: &AppState) -> Result<Vec<Diagnostic>, Vec<FieldError>> {
    let setting = Setting { event: Some(&trigger.event), ..Setting::of(state.dictionary.as_ref()) };
    let (_, found) = Expressions::compile(&trigger.url, &trigger.headers, &setting, &state.config.templates);
    let (errors, warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(templating::is_error);
    if errors.is_empty() {
        Ok(warnings.into_iter().map(warning).collect())
    } else {
        Err(errors.into_iter().map(error).collect())
    }
}

fn warning(RequestFinding { header, diagnostic }: RequestFinding) -> Diagnostic {
    let place = header.map_or_else(|| "url".to_owned(), |name| format!("headers.{name}"));
    Diagnostic { message: format!("In `{place}`: {}", diagnostic.message), ..diagnostic }
}

fn error(RequestFinding { header, diagnostic }: RequestFinding) -> FieldError {
    let detail = templating::sentence(&diagnostic);
    match header {
        None => FieldError::new("/url", "bad_url", format!("`url`: {detail}")),
        Some(name) => FieldError::new(header_pointer(&name), "bad_header", format!("`{name}`: {detail}")),
    }
}
