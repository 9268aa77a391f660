//! Checks the expressions in the URL and the headers of a trigger when it is saved.

use crate::http::state::AppState;
use crate::json::Document;
use crate::model::field::FieldError;
use crate::model::trigger::{Trigger, header_pointer};
use crate::templating::{self, CompileContext, Data, Diagnostic, Expressions, RequestFinding, UnsendableReason};

/// Returns the warnings, each with its location, or all errors. The members of `data` are known from the dictionary.
pub(super) fn check(
    trigger: &Trigger,
    data: Option<&Document>,
    state: &AppState,
) -> Result<Vec<Diagnostic>, Vec<FieldError>> {
    let (_, found) = compile(trigger, data, state);
    let (errors, warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(templating::is_error);
    if errors.is_empty() {
        Ok(warnings.into_iter().map(warning).collect())
    } else {
        Err(errors.iter().map(RequestFinding::mistake).collect())
    }
}

/// What the trigger sends for this data: the URL and the values of the headers.
pub(super) fn preview(
    trigger: &Trigger,
    data: &Data,
    state: &AppState,
) -> Result<(String, Vec<(String, String)>), FieldError> {
    let shared = trigger.target();
    let Some(expressions) = compile(trigger, None, state).0 else {
        return Ok((shared.sent_url(), trigger.headers.clone()));
    };
    let target = expressions.target(&shared, data).map_err(|reason| {
        let name = |place: usize| trigger.headers.get(place).map_or("", |(name, _)| name);
        let (pointer, code) = match reason {
            UnsendableReason::Header(place) => (header_pointer(name(place)), "header_refused"),
            UnsendableReason::HeadersTooLong => ("/headers".to_owned(), "header_refused"),
            UnsendableReason::Url | UnsendableReason::UrlTooLong | UnsendableReason::Rendering(_) => {
                ("/url".to_owned(), "url_refused")
            }
        };
        FieldError::new(pointer, code, format!("nothing would be sent for this data: {reason}"))
    })?;
    let values = target.headers.iter().map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let names = trigger.headers.iter().map(|(name, _)| name.clone());
    Ok((target.sent_url(), names.zip(values).collect()))
}

fn compile(trigger: &Trigger, data: Option<&Document>, state: &AppState) -> (Option<Expressions>, Vec<RequestFinding>) {
    let data = data.map(Document::root);
    let setting = CompileContext { event: Some(&trigger.event), data, ..CompileContext::of(state.dictionary.as_ref()) };
    Expressions::compile(&trigger.url, &trigger.headers, &setting, &state.config.templates)
}

fn warning(RequestFinding { header, diagnostic }: RequestFinding) -> Diagnostic {
    let place = header.map_or_else(|| "url".to_owned(), |name| format!("headers.{name}"));
    Diagnostic { message: format!("In `{place}`: {}", diagnostic.message), ..diagnostic }
}
