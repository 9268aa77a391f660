//! What a preview says of values that helpers could not use.

use super::helpers;
use super::value::Datum;
use crate::json::Json;
use crate::templating::program::HelperCall;

/// The most complaints of one preview.
const COMPLAINTS_MAX: usize = 100;
/// The most characters of a value that a complaint shows.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// A helper that could not use a value.
#[derive(Debug)]
pub(crate) struct Complaint {
    /// Where the call begins: line and column.
    pub(crate) at: (u32, u32),
    pub(crate) message: String,
}

/// Adds that the helper of a call could not use a value. A missing or empty value is not a mistake of the template.
pub(crate) fn add(complaints: &mut Vec<Complaint>, call: &HelperCall, value: &Datum<'_>, expected: &str) {
    if value.is_blank() || complaints.len() >= COMPLAINTS_MAX {
        return;
    }
    let message = format!("{}: {} is not {expected}.", helpers::get(call.helper).name, shown(value));
    if !complaints.iter().any(|known| known.at == call.at && known.message == message) {
        complaints.push(Complaint { at: call.at, message });
    }
}

/// A value with its kind, as a message shows it.
fn shown(value: &Datum<'_>) -> String {
    let cut = |text: &str| match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    match (value, value.as_text()) {
        (_, Some(text)) => format!("{:?}", cut(text)),
        (Datum::Data(Json::Array(_)) | Datum::List(_), _) => "a list".to_owned(),
        (Datum::Data(Json::Object(_)), _) => "an object".to_owned(),
        (Datum::Data(Json::Bool(_)) | Datum::Truth(_), _) => {
            format!("the boolean {}", value.text(0).unwrap_or_default())
        }
        (Datum::Json(_) | Datum::JsonText(_) | Datum::JsonList(_), _) => "JSON text".to_owned(),
        _ => format!("the number {}", cut(&value.text(0).unwrap_or_default())),
    }
}
