//! Reads requests' bodies, within bounds of size and time.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use actix_web::dev::RequestHead;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use actix_web::web;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use serde_json::Value;

use super::body_buffer::BodyBuffer;
use super::caller::{Caller, payer};
use super::gzip::{self, GzipError};
use crate::flow::fairness::{Share, TakenUnits};
use crate::flow::refusal::{ReachedBound, Refusal};
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::json::{self, Document};
use crate::model::duration_text::DurationText;
use crate::model::media_type::MediaType;

/// The longest body other than events. It fits a template of the greatest size, written as JSON with every byte
/// escaped, and a trigger of the greatest size.
pub(in crate::http) const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// The most characters of a header that a message repeats.
const CODINGS_SHOWN: usize = 80;

/// How much memory a member of an object takes in addition to its name and its value.
const MEMBER_BYTES: usize = 48;

/// The bytes of a body as they arrive, from the router or before it.
pub(in crate::http) trait BodyStream: Stream<Item = Result<Bytes, PayloadError>> + Unpin {}

impl<T: Stream<Item = Result<Bytes, PayloadError>> + Unpin> BodyStream for T {}

/// A body that was read. Until it is dropped it counts against the bound on all bodies together.
pub(in crate::http) struct RequestBody {
    pub(in crate::http) bytes: Bytes,
    pub(in crate::http) taken: TakenUnits,
}

/// Charges bytes of a body that have arrived.
fn charge(taken: &mut TakenUnits, bytes: usize) -> Result<(), Problem> {
    if taken.grow(bytes) { Ok(()) } else { Err(Refusal::Full(ReachedBound::Bodies).into()) }
}

/// Reads a body of at most `max` bytes. A body that announces more is not read at all, and one that arrives too slowly
/// is refused after a time.
pub(in crate::http) async fn read(
    head: &RequestHead,
    payload: &mut impl BodyStream,
    state: &AppState,
    max: usize,
) -> Result<RequestBody, Problem> {
    if coding(head)?.is_some() {
        return Err(unsupported_coding(head, "send it as it is"));
    }
    read_as_it_comes(&state.bodies.share(&payer(head)), length(head), payload, state, max).await
}

/// Reads a body that may be compressed with gzip. Its decompressed size is bounded and counted, not its length.
pub(in crate::http) async fn read_decompressed(
    (head, length): (&RequestHead, Option<u64>),
    payload: &mut impl BodyStream,
    state: &web::Data<AppState>,
    max: usize,
) -> Result<RequestBody, Problem> {
    let is_gzip = match coding(head)? {
        None => false,
        Some(coding) if ["gzip", "x-gzip"].iter().any(|own| coding.eq_ignore_ascii_case(own)) => true,
        Some(_) => return Err(unsupported_coding(head, "send it as it is, or compressed with gzip")),
    };
    let body = read_as_it_comes(&state.bodies.share(&payer(head)), length, payload, state, max).await?;
    if !is_gzip {
        return Ok(body);
    }
    let mut taken = body.taken.share().take_some(0);
    // A small body may hold a large one.
    let caller = Caller::of(head, state);
    let decompressed = caller.run(move |_| {
        let plain = gzip::decompress(&body.bytes, max, |bytes| taken.grow(bytes));
        (plain, taken)
    });
    let (plain, taken) = decompressed.await?;
    let bytes = plain.map_err(|unreadable| match unreadable {
        GzipError::TooLarge => too_large(max),
        GzipError::NoRoom => Refusal::Full(ReachedBound::Bodies).into(),
        GzipError::TooManyMembers => {
            let most = gzip::MEMBERS_MAX;
            let detail = format!("the compressed body has more than {most} gzip members; compress it as one");
            Problem::new(StatusCode::BAD_REQUEST, "bad_gzip", detail)
        }
        GzipError::NotGzip => {
            let detail = "the body is not gzip, or not all of it, and its `content-encoding` says that it is";
            Problem::new(StatusCode::BAD_REQUEST, "bad_gzip", detail)
        }
    })?;
    Ok(RequestBody { bytes, taken })
}

/// Whether a body with this head is sent as it is.
pub(in crate::http) fn is_plain(head: &RequestHead) -> bool {
    matches!(coding(head), Ok(None))
}

/// The length that the head says.
pub(in crate::http) fn length(head: &RequestHead) -> Option<u64> {
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The coding of the body (RFC 9110, section 8.4); `None` if it has none.
fn coding(head: &RequestHead) -> Result<Option<&str>, Problem> {
    let mut codings = head.headers.get_all(CONTENT_ENCODING);
    let Some(coding) = codings.next() else { return Ok(None) };
    // A body with several codings was encoded several times, which is not supported.
    let only = coding.to_str().ok().filter(|_| codings.next().is_none()).map(str::trim);
    let only = only.ok_or_else(|| unsupported_coding(head, "send it as it is"))?;
    Ok(Some(only).filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity")))
}

fn unsupported_coding(head: &RequestHead, instead: &str) -> Problem {
    let codings: Vec<_> = head.headers.get_all(CONTENT_ENCODING).map(HeaderValue::as_bytes).collect();
    let codings: String = String::from_utf8_lossy(&codings.join(&b", "[..])).chars().take(CODINGS_SHOWN).collect();
    let detail = format!("the body's coding {codings:?} is not supported; {instead}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_coding", detail)
}

/// Reads a body that is sent as it is, for the sender that has this share of all bodies.
pub(in crate::http) async fn read_as_it_comes(
    share: &Share,
    length: Option<u64>,
    payload: &mut impl BodyStream,
    state: &AppState,
    max: usize,
) -> Result<RequestBody, Problem> {
    if length.is_some_and(|length| length > max as u64) {
        return Err(too_large(max));
    }
    let within = state.config.server.body_timeout;
    let mut taken = share.take_some(0);
    match in_time(within, read_whole(length, payload, &mut taken, max)).await {
        Some(read) => Ok(RequestBody { bytes: read?, taken }),
        None => {
            let detail = format!("the body did not arrive within {}; no part of it was accepted", DurationText(within));
            let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail);
            Err(problem.with_header(CONNECTION, HeaderValue::from_static("close")))
        }
    }
}

/// The same for a body that is here.
pub(in crate::http) fn take_whole(share: &Share, bytes: Bytes, max: usize) -> Result<RequestBody, Problem> {
    if bytes.len() > max {
        return Err(too_large(max));
    }
    match share.take(bytes.len()) {
        Some(taken) => Ok(RequestBody { bytes, taken }),
        None => Err(Refusal::Full(ReachedBound::Bodies).into()),
    }
}

/// Most bodies arrive with their heads and are complete at the first or second poll, which is cheaper than a timer.
async fn in_time<T>(within: Duration, reading: impl Future<Output = T>) -> Option<T> {
    let mut reading = pin!(reading);
    for _ in 0..2 {
        match poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await {
            Poll::Ready(read) => return Some(read),
            Poll::Pending => tokio::task::yield_now().await,
        }
    }
    tokio::time::timeout(within, reading).await.ok()
}

async fn read_whole(
    length: Option<u64>,
    payload: &mut impl BodyStream,
    taken: &mut TakenUnits,
    max: usize,
) -> Result<Bytes, Problem> {
    let broken = |_: PayloadError| {
        let detail = "the body is incomplete: the connection ended before it, or one of its chunks is malformed";
        Problem::new(StatusCode::BAD_REQUEST, "body_incomplete", detail).closing()
    };
    let Some(first) = payload.next().await.transpose().map_err(broken)? else {
        return Ok(Bytes::new());
    };
    // Most bodies come in one piece and need no copy.
    if first.len() > max {
        return Err(too_large(max));
    }
    charge(taken, first.len())?;
    let Some(second) = payload.next().await.transpose().map_err(broken)? else {
        return Ok(first);
    };
    // One allocation if the length is known. Else the buffer grows by doubling, and its capacity is charged.
    let mut body = buffer(length.map_or(first.len(), |length| length as usize))?;
    body.append(&first);
    drop(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        let bytes = body.as_slice().len() + chunk.len();
        if bytes > max {
            return Err(too_large(max));
        }
        if bytes > body.capacity() {
            let capacity = bytes.max((2 * body.capacity()).min(max));
            body = grown(body.as_slice(), capacity, taken)?;
        }
        charge(taken, bytes.saturating_sub(taken.units()))?;
        body.append(&chunk);
        next = payload.next().await.transpose().map_err(broken)?;
    }
    Ok(body.freeze())
}

fn buffer(capacity: usize) -> Result<BodyBuffer, Problem> {
    BodyBuffer::with_capacity(capacity).map_err(|_| Refusal::Full(ReachedBound::Bodies).into())
}

/// The same bytes in a larger buffer. Both buffers are charged while they are copied, then the larger one.
fn grown(body: &[u8], capacity: usize, taken: &mut TakenUnits) -> Result<BodyBuffer, Problem> {
    charge(taken, capacity)?;
    let mut larger = buffer(capacity)?;
    larger.append(body);
    drop(taken.split(taken.units().saturating_sub(capacity)));
    Ok(larger)
}

/// A JSON document that was read. Until it is dropped, the memory that it takes counts against the bound on all bodies
/// together: it can be many times as large as its text.
pub(in crate::http) struct JsonBody {
    pub(in crate::http) value: Value,
    /// For a caller that needs the original notation.
    pub(in crate::http) text: Bytes,
    _taken: TakenUnits,
}

/// The object that a document has as `data`, read as events are: numbers keep their digits.
pub(in crate::http) fn data(text: &Bytes) -> Option<Document> {
    Document::read_bytes(text.clone()).ok()?.into_member("data").filter(|data| data.object().is_some())
}

/// Reads a JSON document.
pub(in crate::http) async fn read_json(
    head: &RequestHead,
    payload: &mut impl BodyStream,
    state: &web::Data<AppState>,
) -> Result<JsonBody, Problem> {
    let body = read_document(head, payload, state).await?;
    parse(head, state, body).await
}

/// Reads an optional JSON document: an empty body is `None`.
pub(in crate::http) async fn read_optional_json(
    head: &RequestHead,
    payload: &mut impl BodyStream,
    state: &web::Data<AppState>,
) -> Result<Option<JsonBody>, Problem> {
    let body = read_document(head, payload, state).await?;
    if body.bytes.is_empty() { Ok(None) } else { parse(head, state, body).await.map(Some) }
}

async fn read_document(
    head: &RequestHead,
    payload: &mut impl BodyStream,
    state: &AppState,
) -> Result<RequestBody, Problem> {
    let media = media_type(head)?;
    if !matches!(media.as_deref(), None | Some("application/json")) {
        return Err(unsupported("application/json"));
    }
    read(head, payload, state, DOCUMENT_BYTES_MAX).await
}

async fn parse(head: &RequestHead, state: &web::Data<AppState>, body: RequestBody) -> Result<JsonBody, Problem> {
    let RequestBody { bytes: text, mut taken } = body;
    let malformed =
        |error| Problem::new(StatusCode::BAD_REQUEST, "malformed_body", format!("the body is not JSON: {error}"));
    let (caller, own) = (Caller::of(head, state), text.clone());
    let parsed = caller.run_on(text.len(), move |_| {
        json::read_value(&own).map(|value| {
            let bytes = memory(&value);
            (value, bytes)
        })
    });
    let (value, bytes) = parsed.await?.map_err(malformed)?;
    charge(&mut taken, bytes)?;
    Ok(JsonBody { value, text, _taken: taken })
}

/// About how many bytes a value takes.
fn memory(value: &Value) -> usize {
    let inner = match value {
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(memory).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + MEMBER_BYTES + memory(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + inner
}

/// The media type in lower case, without parameters. Text in a character set other than UTF-8 is refused here, so that
/// it is not misread later.
pub(in crate::http) fn media_type(head: &RequestHead) -> Result<Option<Cow<'_, str>>, Problem> {
    let Some(value) = head.headers.get(CONTENT_TYPE) else {
        return Ok(None);
    };
    // The usual ones need no parser.
    if let Some(usual) = ["application/json", "application/x-ndjson"].into_iter().find(|own| *value == **own) {
        return Ok(Some(Cow::Borrowed(usual)));
    }
    // An invalid media type is treated as one that no encoding reads.
    let Some(media) = value.to_str().ok().and_then(MediaType::parse) else {
        return Ok(Some(Cow::Borrowed("")));
    };
    let is_utf8 = |charset: &str| ["utf-8", "utf8", "us-ascii"].iter().any(|own| charset.eq_ignore_ascii_case(own));
    if media.parameter("charset").is_some_and(|charset| !is_utf8(charset)) {
        let detail = "the character set is not supported; send UTF-8";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_charset", detail));
    }
    Ok(Some(media.essence()))
}

pub(in crate::http) fn unsupported(taken: &str) -> Problem {
    let detail = format!("the content type is not supported; send {taken}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
}

pub(in crate::http) fn too_large(max: usize) -> Problem {
    let detail =
        format!("the body is longer than {max} bytes, and no part of it was accepted; events can be sent in parts");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}
