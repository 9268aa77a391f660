//! Decides who may do what. A key is sent as `Authorization: Bearer …`; only its hash is stored. Without an operator's
//! key in the settings the node listens on loopback only, and a request without a key has the operator's rights if
//! [`super::keyless`] accepts it.

use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use subtle::ConstantTimeEq as _;

use super::keyless;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::model::id::AccountId;
use crate::model::key::{KeyHash, KeyScope};

/// What a request wants to do.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) enum RequiredAccess<'a> {
    /// Post events.
    PostEvents,
    /// Read or change an account's records.
    Account(&'a AccountId),
    /// Read what every customer may read.
    Read,
    /// Manage keys.
    Operate,
}

/// Who sends a request, as far as its head alone says it.
pub(in crate::http) enum Credentials {
    /// The operator, with the key of the settings or without one.
    Operator,
    /// A key, which may exist or not.
    Key(KeyHash),
}

/// Admits the request and returns its scope, or returns why not.
pub(in crate::http) fn authorize(
    head: &RequestHead,
    state: &AppState,
    want: RequiredAccess<'_>,
) -> Result<KeyScope, Problem> {
    Credentials::of(head, state)?.authorize(state, want)
}

impl Credentials {
    /// Admits a request and returns its scope as it is now, or returns why not.
    pub(in crate::http) fn authorize(&self, state: &AppState, want: RequiredAccess<'_>) -> Result<KeyScope, Problem> {
        let scope = match self {
            Self::Operator => KeyScope::Operator,
            Self::Key(hash) => {
                let index = state.live.index();
                let key = index.key(hash).map(|key| key.scope.clone());
                key.ok_or_else(|| unauthorized("key_unknown", "there is no such key; it may have been deleted"))?
            }
        };
        admit(scope, want)
    }

    /// Those of a request. The settings do not change, so the same head has the same ones.
    pub(in crate::http) fn of(head: &RequestHead, state: &AppState) -> Result<Self, Problem> {
        let operator_key = state.config.auth.operator_key.as_deref();
        let Some(header) = head.headers.get(AUTHORIZATION) else {
            return match operator_key {
                None => keyless::check(&head.headers, &state.config.server.hosts).map(|()| Self::Operator),
                Some(_) => Err(unauthorized("key_missing", "send a key: Authorization: Bearer …")),
            };
        };
        let Some(key) = bearer(header) else {
            return Err(unauthorized("key_malformed", "a key is sent as: Authorization: Bearer …"));
        };
        // A comparison in constant time does not reveal the key.
        if operator_key.is_some_and(|own| own.as_bytes().ct_eq(key.as_bytes()).into()) {
            return Ok(Self::Operator);
        }
        Ok(Self::Key(KeyHash::of(key)))
    }
}

fn admit(scope: KeyScope, want: RequiredAccess<'_>) -> Result<KeyScope, Problem> {
    let may = match (&scope, want) {
        (KeyScope::Operator, _)
        | (_, RequiredAccess::Read)
        | (KeyScope::Producer { .. }, RequiredAccess::PostEvents) => true,
        (KeyScope::Account(own), RequiredAccess::Account(wanted)) => own == wanted,
        _ => false,
    };
    if may {
        return Ok(scope);
    }
    let detail = match (&scope, want) {
        (KeyScope::Account(own), RequiredAccess::Account(_)) => format!("the key is for the account `{own}` only"),
        _ => format!("a key with the scope `{}` may not do this", scope.as_str()),
    };
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
}

/// The key in a header, however its scheme and the blanks around it are written.
pub(in crate::http) fn bearer(header: &HeaderValue) -> Option<&str> {
    let (scheme, key) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn unauthorized(code: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}
