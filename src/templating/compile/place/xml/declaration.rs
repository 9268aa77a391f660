//! The declaration that may precede an XML document: `<?xml version="1.0"
//! encoding="UTF-8"?>`.

use crate::templating::compile::place::PlacementError;

/// Reads the declaration at the beginning of a text, and returns its length.
pub(super) fn read(text: &str) -> Result<usize, PlacementError> {
    let inside = text.strip_prefix("<?xml").unwrap_or(text);
    let Some((inside, _)) = inside.split_once("?>") else {
        return Err(declaration_error(
            "The XML declaration can't contain an expression. Write <?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        ));
    };
    let length = "<?xml".len() + inside.len() + "?>".len();
    let (version, rest) = attribute(inside, "version")?;
    if version != Some("1.0") {
        return Err(declaration_error("The XML declaration must begin with version=\"1.0\"."));
    }
    let (encoding, rest) = attribute(rest, "encoding")?;
    if !encoding.unwrap_or("utf-8").eq_ignore_ascii_case("utf-8") {
        return Err(declaration_error("Bodies are sent in UTF-8: write encoding=\"UTF-8\"."));
    }
    let (standalone, rest) = attribute(rest, "standalone")?;
    if !matches!(standalone, None | Some("yes" | "no")) || !rest.trim_matches(BLANKS).is_empty() {
        return Err(declaration_error(
            "The XML declaration can contain only version, encoding and standalone=\"yes\" or \"no\", in this order.",
        ));
    }
    Ok(length)
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// The value of the next attribute, if it is there, and the text after it.
fn attribute<'t>(text: &'t str, name: &str) -> Result<(Option<&'t str>, &'t str), PlacementError> {
    let trimmed = text.trim_start_matches(BLANKS);
    let Some(rest) = trimmed.strip_prefix(name) else {
        return Ok((None, text));
    };
    let value = rest.trim_start_matches(BLANKS).strip_prefix('=').map(|rest| rest.trim_start_matches(BLANKS)).and_then(
        |rest| {
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            rest[1..].split_once(quote)
        },
    );
    match value {
        Some((value, rest)) if trimmed.len() < text.len() => Ok((Some(value), rest)),
        _ => Err(declaration_error(
            "The XML declaration can't be read. Write <?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        )),
    }
}

fn declaration_error(message: &'static str) -> PlacementError {
    PlacementError::here("xml_declaration", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_that_of_xml_1_0_in_utf_8() {
        for good in [
            "<?xml version=\"1.0\"?>",
            "<?xml version='1.0' encoding='utf-8' ?>",
            "<?xml\n version = \"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>",
        ] {
            assert_eq!(read(good).ok(), Some(good.len()), "{good}");
        }
        for bad in [
            "<?xml?>",
            "<?xml version=\"1.1\"?>",
            "<?xmlversion=\"1.0\"?>",
            "<?xml version=\"1.0\"encoding=\"UTF-8\"?>",
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
            "<?xml encoding=\"UTF-8\" version=\"1.0\"?>",
            "<?xml version=\"1.0\" standalone=\"maybe\"?>",
            "<?xml version=\"1.0\" more=\"1\"?>",
            "<?xml version=\"1.0\" ",
            "<?xml version=1.0?>",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
