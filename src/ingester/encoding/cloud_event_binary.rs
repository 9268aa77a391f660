//! CloudEvents 1.0 in binary content mode (HTTP protocol binding, section 3.1): the attributes are headers that begin
//! with `ce-`, and `datacontenttype` is `content-type`; the body is the event's data.

use bytes::Bytes;
use percent_encoding::percent_decode;

use super::Encoding;
use super::cloud_event::{attributes, is_own};
use crate::flow::refusal::Refusal;
use crate::ingester::batch::{BatchReader, refusal};
use crate::ingester::members::data;
use crate::ingester::rejection::Rejection;
use crate::json::{Document, Json};
use crate::model::event::Event;

pub(super) static CLOUD_EVENT_BINARY: Encoding = Encoding {
    media_types: &[],
    reads_headers: true,
    schema: || None,
    read: |batch, source| {
        let body = if source.body.is_empty() {
            Document::empty_object()
        } else {
            Document::read_bytes(source.body).map_err(refusal)?
        };
        let headers = source.headers.iter().map(|(name, value)| Ok((name.clone(), header_text(name, value)?)));
        let headers = headers.collect::<Result<Vec<_>, Refusal>>()?;
        batch.add(|batch, body| event(batch, &headers, body), body);
        Ok(())
    },
};

fn event(batch: &mut BatchReader<'_>, headers: &[(String, String)], body: Document) -> Result<Event, Rejection> {
    let find = |name: &str| headers.iter().find(|(own, _)| own == name);
    let mut event = attributes(batch, |name| find(name).map(|(_, value)| Json::String(value)))?;
    for (name, value) in headers.iter().filter(|(name, _)| is_own(name)) {
        event.attributes.add(name, value.as_str().into())?;
    }
    data(body.root())?;
    Ok(Event { data: body, ..event })
}

/// The text of a header (HTTP protocol binding, section 3.1.3.2): a value in double quotes is unquoted and its
/// backslash escapes are removed, then percent-encoded bytes are decoded.
fn header_text(name: &str, value: &Bytes) -> Result<String, Refusal> {
    let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let unquoted = inner.map(|inner| {
        let mut bytes = inner.iter();
        let mut text = Vec::with_capacity(inner.len());
        while let Some(&byte) = bytes.next() {
            text.push(if byte == b'\\' { *bytes.next().unwrap_or(&byte) } else { byte });
        }
        text
    });
    let decoded: Vec<u8> = percent_decode(unquoted.as_deref().unwrap_or(value)).collect();
    String::from_utf8(decoded).map_err(|_| Refusal::Malformed(format!("the header ce-{name} is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::refusal::Refusal;
    use crate::ingester::batch::EventBatch;
    use crate::ingester::encoding::RequestContent;

    fn read_event(headers: &[(&str, &str)], body: &'static [u8]) -> Result<EventBatch, Refusal> {
        let headers =
            headers.iter().map(|(name, value)| ((*name).to_owned(), Bytes::copy_from_slice(value.as_bytes())));
        let source = RequestContent { body: Bytes::from_static(body), headers: headers.collect() };
        CLOUD_EVENT_BINARY.read(source, None)
    }

    const MINIMAL: [(&str, &str); 4] = [("specversion", "1.0"), ("type", "a"), ("source", "s"), ("id", "1")];

    #[test]
    fn header_values_are_unquoted_and_decoded() {
        for (given, expected) in [
            ("a%20b", "a b"),
            ("%E2%82%AC", "€"),
            ("100%", "100%"),
            ("%zz", "%zz"),
            ("", ""),
            ("\"guest.created\"", "guest.created"),
            (r#""a \"b\" \\ c""#, r#"a "b" \ c"#),
            ("\"%22\"", "\""),
            ("\"", "\""),
            ("\"a", "\"a"),
        ] {
            assert_eq!(header_text("x", &Bytes::copy_from_slice(given.as_bytes())).as_deref(), Ok(expected), "{given}");
        }
        assert!(header_text("x", &Bytes::from_static(b"%ff")).is_err());
    }

    #[test]
    fn attributes_come_from_headers_and_data_may_be_absent() {
        let headers = [MINIMAL.as_slice(), &[("account", "x")]].concat();
        let event = read_event(&headers, b"{\"a\":1}").expect("an event").events.remove(0);
        assert_eq!(event.identity.account(), "x");
        let event = read_event(&MINIMAL, b"").expect("an event").events.remove(0);
        assert_eq!(event.data, Document::empty_object());
        assert!(matches!(read_event(&MINIMAL, b"x"), Err(Refusal::Malformed(_))));
        let Err(Refusal::NoGoodEvent(rejected)) = read_event(&MINIMAL[1..], b"") else { panic!("no version") };
        assert_eq!(rejected.listed[0].code, "missing_member");
    }
}
