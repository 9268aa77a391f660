//! What all deliveries of one trigger share. It is computed when the trigger is loaded, and not for each delivery.

use std::num::NonZeroU32;

use http::{HeaderName, HeaderValue, Uri};

use super::destination::Destination;
use super::headers::{HeaderError, header, is_own, sent};
use super::id::TriggerId;
use super::secret::Secret;
use super::url::{TriggerUrl, UrlError};

/// Where a trigger sends, and the parts that are the same in each delivery.
#[derive(Debug, Clone)]
pub struct Target {
    /// The destination, whose queue and connections it uses.
    pub destination: Destination,
    /// The URL as its author wrote it.
    pub url: Box<str>,
    /// The URL for the HTTP client; see [`TriggerUrl::uri`].
    pub uri: Uri,
    /// The value of the `host` header.
    pub host: HeaderValue,
    /// The trigger's own headers.
    pub headers: Box<[(HeaderName, HeaderValue)]>,
    /// Each signs the delivery until it ends.
    pub secrets: Box<[Secret]>,
    /// How many of the trigger's deliveries may begin per second, and the trigger.
    pub rate: Option<(TriggerId, NonZeroU32)>,
}

/// Why a text is not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// One of the headers.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// A header of a trigger, or of a delivery, that may contain values of an event.
fn carried(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let (parsed, _) = header(name, "")?;
    let value = sent(value).ok_or_else(|| HeaderError::Value(name.to_owned()))?;
    Ok((parsed, value))
}

impl Target {
    /// The URL that a delivery is sent to, as the request has it.
    pub fn sent_url(&self) -> String {
        let text = self.uri.to_string();
        let behind_scheme = text.strip_prefix("http").unwrap_or(&text);
        format!("{}{behind_scheme}", if self.destination.secure { "https" } else { "http" })
    }

    /// Reads a target from any source: headers that are reserved for Posthaste are refused.
    pub fn read(url: &str, headers: &[(String, String)], secrets: Vec<Secret>) -> Result<Self, TargetError> {
        if let Some((name, _)) = headers.iter().find(|(name, _)| is_own(&name.to_ascii_lowercase())) {
            return Err(HeaderError::Reserved(name.clone()).into());
        }
        Self::of(TriggerUrl::new(url)?, headers, secrets)
    }

    /// The target of a trigger whose rules are checked elsewhere.
    pub fn of(url: TriggerUrl, headers: &[(String, String)], secrets: Vec<Secret>) -> Result<Self, TargetError> {
        Ok(Self {
            url: url.as_written().into(),
            destination: url.destination,
            uri: url.uri,
            host: url.host,
            headers: headers.iter().map(|(name, value)| carried(name, value)).collect::<Result<_, _>>()?,
            secrets: secrets.into(),
            rate: None,
        })
    }
}
