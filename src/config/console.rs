//! `[console]`: the web console.

use std::path::PathBuf;

use super::reader::SettingsReader;

/// `[console]`.
#[derive(Debug, Clone)]
pub struct Console {
    /// Origins that may frame it, as a browser writes them.
    pub frame_ancestors: Vec<String>,
    /// A folder whose files are served in place of those compiled in.
    pub dir: Option<PathBuf>,
}

impl Console {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        let texts = reader.texts("console.frame_ancestors");
        let mut frame_ancestors = Vec::with_capacity(texts.len());
        for text in texts {
            match origin(&text) {
                Some(origin) => frame_ancestors.push(origin),
                None => reader.refuse(
                    "console.frame_ancestors",
                    format!("{text:?} is not an origin; write it like https://app.example.com"),
                ),
            }
        }
        Self { frame_ancestors, dir: reader.path("console.dir") }
    }
}

/// An origin: scheme, host and port and nothing more. It is written into a header, so only what the URL parser wrote
/// is kept.
fn origin(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let is_origin = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    is_origin.then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (text, expected) in [
            ("https://app.example.com", Some("https://app.example.com")),
            ("https://APP.example.com:443/", Some("https://app.example.com")),
            ("http://[::1]:3000", Some("http://[::1]:3000")),
            ("https://app.example.com/a", None),
            ("https://app.example.com?a", None),
            ("https://u@app.example.com", None),
            ("https://a.example; script-src *", None),
            ("ftp://a.example", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(origin(text).as_deref(), expected, "{text}");
        }
    }
}
