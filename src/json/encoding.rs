//! JSON text is UTF-8 (RFC 8259, section 8.1). A byte order mark before it is skipped, since some clients send one;
//! other encodings are named in the error.

use bytes::{Buf as _, Bytes};
use bytestring::ByteString;

use super::malformed::{Malformed, SyntaxError};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Where the text begins: after its byte order mark. Bytes in UTF-16 or UTF-32 are refused; those in other encodings
/// are found later as invalid UTF-8.
pub(super) fn begin(bytes: &[u8]) -> Result<usize, Malformed> {
    if is_wide(bytes) {
        return Err(Malformed::at(bytes, 0, SyntaxError::Wide));
    }
    Ok(if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 })
}

/// The text of these bytes.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    let bytes = &bytes[begin(bytes)?..];
    std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))
}

/// The same without a copy.
pub(super) fn owned_text(mut bytes: Bytes) -> Result<ByteString, Malformed> {
    bytes.advance(begin(&bytes)?);
    owned(bytes)
}

/// The text of bytes behind a byte order mark, or of bytes that have none.
pub(super) fn owned(bytes: Bytes) -> Result<ByteString, Malformed> {
    match bytes.try_into_mut() {
        Ok(own) => {
            let text = String::from_utf8(own.into());
            text.map(ByteString::from).map_err(|error| not_utf8(error.as_bytes(), error.utf8_error().valid_up_to()))
        }
        Err(shared) => {
            let text = ByteString::try_from(shared.clone());
            text.map_err(|error| not_utf8(&shared, error.valid_up_to()))
        }
    }
}

/// A text is not UTF-8 from this byte on.
pub(super) fn not_utf8(text: &[u8], at: usize) -> Malformed {
    Malformed::at(text, at, SyntaxError::NotUtf8)
}

/// Whether these bytes are JSON in UTF-16 or UTF-32: they have its byte order mark, or begin with an ASCII character,
/// like every JSON text, with zeros beside it.
pub fn is_wide(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 0, 0xfe, 0xff, ..] => true,
        [0, 0, 0, last, ..] => *last != 0,
        [first, second, ..] => (*first == 0) != (*second == 0),
        _ => false,
    }
}
