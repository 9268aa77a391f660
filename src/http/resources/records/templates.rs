//! Templates as records of the interface.

use serde_json::Value;

use super::finding::Finding;
use super::template_check::{self, CheckOptions};
use super::{CallIds, CheckedRecord, Resource, is_wrong, new_mistakes};
use crate::flow::late::Late;
use crate::flow::messages::LiveTemplate;
use crate::http::openapi::operation::Shape;
use crate::http::openapi::shapes::{TemplateDocument, TemplateList};
use crate::http::problem::Problem;
use crate::http::request::caller::Caller;
use crate::model::field::FieldError;
use crate::model::id::AccountId;
use crate::model::template::Template;

impl Resource for Template {
    const NAME: &'static str = "template";
    const INVALID: &'static str = "invalid_template";
    const COLLECTION: &'static str = "/v1/accounts/{account}/templates";
    const MEMBER: &'static str = "/v1/accounts/{account}/templates/{id}";
    const IDS: CallIds = CallIds {
        list: "list_templates",
        create: "create_template",
        read: "read_template",
        replace: "replace_template",
        delete: "delete_template",
    };
    const TAG: &'static str = "templates";
    const KEPT: &'static str = "It is in use by a trigger";

    fn shapes() -> (Shape, Shape) {
        (Shape::of::<TemplateDocument>(), Shape::of::<TemplateList>())
    }

    fn view(&self) -> Value {
        self.to_json()
    }

    async fn check(&self, _: &AccountId, found: &[FieldError], caller: &Caller) -> Result<CheckedRecord, Problem> {
        let errors = new_mistakes(self.broken_rules(), found);
        if is_wrong(found, "/format") || is_wrong(found, "/body") {
            return Ok(CheckedRecord { errors, ..CheckedRecord::default() });
        }
        let options = CheckOptions { content_type: self.content_type.clone(), ..CheckOptions::default() };
        let checked = template_check::compile(self.format, self.body.clone(), options, caller).await?;
        let Some(compiled) = checked.compiled else {
            return Ok(CheckedRecord { errors, unusable: Some(checked.diagnostics), ..CheckedRecord::default() });
        };
        let warnings = checked.diagnostics.into_iter().map(Finding::Template).collect();
        Ok(CheckedRecord { errors, unusable: None, warnings, live: LiveTemplate::new(self, Late::ready(compiled)) })
    }
}
