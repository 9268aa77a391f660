//! The field `target` of an entry: what the deliveries of a trigger share, as JSON. It may come from any program:
//! `docs/redis.md` says which members it may leave out.

use std::num::NonZeroU32;
use std::sync::Arc;

use http::HeaderValue;
use serde::{Deserialize, Serialize};

use crate::model::id::{AccountId, TriggerId};
use crate::model::rfc_3339;
use crate::model::secret::Secret;
use crate::model::target::Target;

/// What the deliveries of a trigger share, as JSON in one field: each additional field costs Redis and both nodes more
/// than its bytes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct TargetText {
    /// Their account. Entries without it are of the default account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    url: String,
    content_type: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
    /// The only secret, if it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<SecretText>,
    /// The trigger's rate, and the trigger's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<(TriggerId, NonZeroU32)>,
}

#[derive(Serialize, Deserialize)]
struct SecretText {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl SecretText {
    fn of(secret: &Secret) -> Self {
        Self { key: secret.to_text(), until: secret.until.map(|until| until.to_string()) }
    }

    fn read(self) -> Option<Secret> {
        let until = match self.until {
            Some(until) => Some(rfc_3339::read(&until)?),
            None => None,
        };
        Some(Secret::new(&self.key).ok()?.with_end(until))
    }
}

/// A target with the content type of its deliveries, and its account.
#[derive(Debug, Clone)]
pub(super) struct KnownTarget {
    pub(super) account: AccountId,
    pub(super) target: Arc<Target>,
    pub(super) content_type: HeaderValue,
}

/// Writes the field.
pub(super) fn target_text(account: &AccountId, target: &Target, content_type: &HeaderValue) -> Vec<u8> {
    // All of them were checked to be text when the trigger and the template were saved.
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = target.headers.iter();
    let short = match &*target.secrets {
        [only] if only.until.is_none() => Some(only),
        _ => None,
    };
    let written = TargetText {
        account: Some(account.as_str().to_owned()),
        url: target.url.to_string(),
        content_type: text(content_type),
        headers: headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        secret: short.map(Secret::to_text),
        rate: target.rate.clone(),
        secrets: if short.is_some() { Vec::new() } else { target.secrets.iter().map(SecretText::of).collect() },
    };
    serde_json::to_vec(&written).expect("strings and lists of them are JSON")
}

/// Why an entry is not a delivery. The message contains no data of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotADelivery {
    #[error("`target` is missing")]
    NoTarget,
    #[error("`target` is not a JSON object with `url` and `content-type`")]
    TargetJson,
    #[error("`url` or `headers` in `target` are not valid in a trigger")]
    Target,
    #[error("`secret` or `secrets` in `target` is not valid")]
    Secret,
    #[error("`account` in `target` is not the name of an account")]
    Account,
    #[error("`content-type` in `target` is not valid as a header")]
    ContentType,
    #[error("`webhook-id` is missing or not valid as a header")]
    WebhookId,
    #[error("`hops` is not a small whole number")]
    Hops,
    #[error("`body` is missing")]
    NoBody,
    #[error("`pack` is missing or not valid")]
    Pack,
}

/// Reads the field. The message of an error contains no data of the field.
pub(super) fn read_target(text: &[u8]) -> Result<KnownTarget, NotADelivery> {
    let text: TargetText = serde_json::from_slice(text).map_err(|_| NotADelivery::TargetJson)?;
    let short = text.secret.map(|key| SecretText { key, until: None });
    let secrets = short.into_iter().chain(text.secrets).map(SecretText::read).collect::<Option<Vec<_>>>();
    let secrets = secrets.ok_or(NotADelivery::Secret)?;
    let target = Target::read(&text.url, &text.headers, secrets);
    let mut target = target.map_err(|_| NotADelivery::Target)?;
    target.rate = text.rate;
    let content_type = HeaderValue::from_str(&text.content_type);
    let account = text.account.map(|name| AccountId::new(&name)).transpose();
    Ok(KnownTarget {
        account: account.map_err(|_| NotADelivery::Account)?.unwrap_or_else(AccountId::default_account),
        target: Arc::new(target),
        content_type: content_type.map_err(|_| NotADelivery::ContentType)?,
    })
}
