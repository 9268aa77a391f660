//! Triggers as records of the interface: the members of their documents that need special care.

use serde_json::{Map, Value};

use super::expressions;
use super::finding::Finding;
use super::template_check::{self, CheckOptions};
use super::{CallIds, CheckedRecord, Resource, is_wrong, new_mistakes};
use crate::http::openapi::operation::Shape;
use crate::http::openapi::shapes::{TriggerDocument, TriggerList};
use crate::http::problem::{Problem, unknown_template};
use crate::http::request::caller::Caller;
use crate::http::state::AppState;
use crate::model::field::FieldError;
use crate::model::id::AccountId;
use crate::model::template::Template;
use crate::model::trigger::{self, Trigger};
use crate::store::StoredRecord;

impl Resource for Trigger {
    const NAME: &'static str = "trigger";
    const INVALID: &'static str = "invalid_trigger";
    const COLLECTION: &'static str = "/v1/accounts/{account}/triggers";
    const MEMBER: &'static str = "/v1/accounts/{account}/triggers/{id}";
    const IDS: CallIds = CallIds {
        list: "list_triggers",
        create: "create_trigger",
        read: "read_trigger",
        replace: "replace_trigger",
        delete: "delete_trigger",
    };
    const TAG: &'static str = "triggers";
    const KEPT: &'static str = "The stored trigger can't be read";
    const USES_TEMPLATES: bool = true;

    fn shapes() -> (Shape, Shape) {
        (Shape::of::<TriggerDocument>(), Shape::of::<TriggerList>())
    }

    fn view(&self) -> Value {
        self.to_json()
    }

    fn complete(document: &mut Map<String, Value>, old: &Self) -> (bool, Vec<FieldError>) {
        trigger::complete(document, old)
    }

    fn over_quota(document: &Map<String, Value>, state: &AppState) -> Vec<FieldError> {
        state.config.store.quotas.check_document(document)
    }

    /// Warns if the trigger can never fire, or if the template names paths that its events don't have. The store checks
    /// that the template exists, in the same transaction as the write; here it is checked beside other mistakes.
    async fn check(
        &self,
        account: &AccountId,
        found: &[FieldError],
        caller: &Caller,
    ) -> Result<CheckedRecord, Problem> {
        let state = caller.state();
        let own = self.clone();
        let checked = caller.run(move |state| {
            let mut errors = broken_rules(&own, state);
            let warnings = state.dictionary.trigger_warnings(&own).into_iter().map(Finding::Trigger);
            let odd = expressions::check(&own, None, state).unwrap_or_else(|wrong| {
                errors.extend(wrong);
                Vec::new()
            });
            (errors, warnings.chain(odd.into_iter().map(Finding::Template)).collect::<Vec<_>>())
        });
        let (mut errors, mut warnings) = checked.await?;
        if !is_wrong(found, "/event") {
            errors.extend(unselective(self, account, state));
        }
        let mut errors = new_mistakes(errors, found);
        let is_saved = errors.is_empty() && found.is_empty();
        let template = state.store.get::<Template>(Some(account), self.template.as_str()).await;
        match template {
            Ok(Some(StoredRecord { value, .. })) if is_saved => {
                let content_type = value.content_type.clone();
                let options = CheckOptions { event: Some(self.event.clone()), content_type, ..CheckOptions::default() };
                let checked = template_check::compile(value.format, value.body, options, caller).await?;
                warnings.extend(checked.diagnostics.into_iter().map(Finding::Template));
            }
            Ok(None) if !is_saved && !is_wrong(found, "/template") => errors.push(unknown_template(&self.template)),
            Err(error) if is_saved => return Err(error.into()),
            _ => {}
        }
        Ok(CheckedRecord { errors, warnings, ..CheckedRecord::default() })
    }
}

/// The rules of this node that a trigger breaks.
pub(super) fn broken_rules(trigger: &Trigger, state: &AppState) -> Vec<FieldError> {
    let broken = trigger.broken_rules(&state.config.dispatch.egress).into_iter().map(|rule| rule.error);
    let complaint = trigger.pattern.as_ref().and_then(|pattern| pattern.complaint());
    let complaint = complaint.map(|e| FieldError::new(format!("/where{}", e.pointer), e.code, e.detail.as_str()));
    broken.chain(complaint).collect()
}

/// Every event of the account evaluates a filter that no lookup can exclude, so their number is bounded.
pub(super) fn unselective(trigger: &Trigger, account: &AccountId, state: &AppState) -> Option<FieldError> {
    let counts = |enabled: bool, is_selective: Option<bool>| enabled && is_selective == Some(false);
    if !counts(trigger.enabled, trigger.pattern.as_ref().map(|pattern| pattern.is_selective())) {
        return None;
    }
    let max = state.config.matching.unselective_filters_max;
    let index = state.live.index();
    let others = index.account(account).map_or(0, |live| live.unselective(&trigger.event));
    let own = index.trigger(account, &trigger.id).is_some_and(|old| {
        let is_selective = old.pattern.as_ref().map(|pattern| pattern.is_selective());
        old.event == trigger.event && counts(old.enabled, is_selective)
    });
    (others - usize::from(own) >= max).then(|| {
        let detail = format!(
            "this filter requires no value that an index can look up, and {max} such triggers listen to \
             `{}` already; name a value, a beginning, an end or a range of some field",
            trigger.event
        );
        FieldError::new("/where", "filter_not_selective", detail)
    })
}
