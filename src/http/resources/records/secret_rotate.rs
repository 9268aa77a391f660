//! Adds a new signing secret to a trigger. The others expire after a time in which all of them sign, so that the
//! receiver can change to the new one.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::precondition;
use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::problem::Problem;
use crate::http::request::{body, path};
use crate::http::state::AppState;
use crate::json::{kind, whole_number};
use crate::model::field::{FieldError, Fields};
use crate::model::secret::{SECRETS_MAX, Secret};
use crate::model::trigger::Trigger;
use crate::store::{Precondition, StoreError};

/// How long the other secrets stay valid by default, and at most: a day and a week.
const GRACE_S: u64 = 86_400;
pub(in crate::http) const GRACE_S_MAX: u64 = 604_800;
/// How often a rotation is tried if others change the same trigger at the same time.
const WRITES_MAX: u32 = 8;

/// How long the other secrets stay valid.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is only a schema")]
struct RotationDocument {
    /// Seconds; 86400 by default, at most 604800.
    grace_s: Option<u64>,
}

/// The new secret. Its key is shown in this response only.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rotated)]
struct RotatedSecret {
    /// Its name in `secrets` of the trigger.
    #[schema(example = "sec_95d9d81740f8f052")]
    id: String,
    /// `whsec_` and the base64 of its bytes.
    key: String,
}

pub(in crate::http::resources) fn calls() -> Vec<Call> {
    let path = "/v1/accounts/{account}/triggers/{id}/secret/rotate";
    vec![Call::post(path, || web::route().to(rotate), described)]
}

fn described() -> Operation {
    let summary = "Make a new signing secret; the trigger's others expire after `grace_s`";
    Operation::new("rotate_secret", "triggers", summary)
        .parameter("header", "If-Match", "Only if the trigger has this entity tag", json!({"type": "string"}))
        .body(Shape::of::<RotationDocument>())
        .json(200, "The new secret", Shape::of::<RotatedSecret>())
        .problem(404, "The trigger does not exist")
        .problem(409, "Too many secrets are valid, or the stored trigger can't be read")
        .problem(412, "The trigger's entity tag differs")
        .header(&[412], "ETag", "The current entity tag")
        .problem(422, "The document has mistakes")
}

async fn rotate(
    request: HttpRequest,
    mut payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let account = path::account(&request, &state)?;
    let wanted = precondition::of(&request)?;
    let _one = state.expensive.begin(&account)?;
    let document = body::read_optional_json(request.head(), &mut payload, &state).await?;
    let grace = grace(document.map(|document| document.value))
        .map_err(|errors| Problem::invalid("invalid_rotation", "a rotation", errors))?;
    let secret = Secret::make().map_err(|error| {
        tracing::error!(%error, "the system provides no random bytes");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "an internal error; no secret was created")
    })?;
    let id = path::id(&request);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let stored = state.store.get::<Trigger>(Some(&account), &id).await?;
        let stored = stored.ok_or_else(|| Problem::not_found("trigger"))?;
        wanted.check(Some(stored.revision))?;
        let mut trigger = stored.value;
        let now = Timestamp::now();
        end_others(&mut trigger.secrets, now, grace);
        if trigger.secrets.len() >= SECRETS_MAX {
            return Err(too_many());
        }
        trigger.secrets.insert(0, secret.clone());
        // Replaces only the revision that was read, so that no concurrent change is lost.
        let only = Precondition::Is(vec![stored.revision]);
        match state.store.put(Some(&account), &trigger, only).await {
            Err(StoreError::PreconditionFailed { .. }) if attempts < WRITES_MAX => {}
            written => {
                written?;
                break;
            }
        }
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    Ok(response.json(RotatedSecret { id: secret.id(), key: secret.to_text() }))
}

/// Expired secrets are left out.
fn end_others(secrets: &mut Vec<Secret>, now: Timestamp, grace: SignedDuration) {
    // A time past the last representable one means that the secret does not expire.
    let end = now.checked_add(grace).unwrap_or(Timestamp::MAX);
    secrets.iter_mut().for_each(|secret| secret.end_by(end));
    secrets.retain(|secret| secret.until.is_none_or(|until| until > now));
}

fn too_many() -> Problem {
    let detail =
        format!("{SECRETS_MAX} secrets are valid, which is the limit; remove one, or rotate with a shorter `grace_s`");
    Problem::new(StatusCode::CONFLICT, "too_many_secrets", detail)
}

fn grace(document: Option<Value>) -> Result<SignedDuration, Vec<FieldError>> {
    let mut fields = Fields::new(document.unwrap_or_else(|| json!({})), "a rotation")?;
    let seconds = match fields.take("grace_s") {
        None => Some(GRACE_S),
        Some(value) => {
            let seconds = whole_number(&value).filter(|seconds| *seconds <= GRACE_S_MAX);
            if seconds.is_none() {
                let given = if value.is_number() { value.to_string() } else { kind(&value).to_owned() };
                let detail = format!("`grace_s` must be a whole number from 0 to {GRACE_S_MAX}, not {given}");
                fields.refuse("/grace_s", "out_of_range", detail);
            }
            seconds
        }
    };
    let grace = seconds.and_then(|seconds| i64::try_from(seconds).ok()).map(SignedDuration::from_secs);
    fields.finish(grace)
}
