//! `each`, with a bound: lists within lists multiply, and one with an empty body would burn time
//! and write nothing that a bound on the output could see.

use std::cell::Cell;

use handlebars::{
    BlockContext, Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError,
    RenderErrorReason, Renderable as _,
};
use serde_json::Value;

thread_local! {
    /// What the rendering under way on this thread may still do. A rendering never waits, so there
    /// is one at a time.
    static STEPS: Cell<usize> = const { Cell::new(0) };
    static SPENT: Cell<bool> = const { Cell::new(false) };
}

/// Begins a rendering that may take so many steps.
pub(super) fn allow_steps(steps: usize) {
    STEPS.set(steps);
    SPENT.set(false);
}

/// Whether the rendering wanted more steps than it had.
pub(super) fn steps_spent() -> bool {
    SPENT.get()
}

/// One time round a list.
fn step() -> Result<(), RenderError> {
    match STEPS.get().checked_sub(1) {
        Some(left) => {
            STEPS.set(left);
            Ok(())
        }
        None => {
            SPENT.set(true);
            Err(RenderErrorReason::Other("too many steps".into()).into())
        }
    }
}

/// The helper.
#[derive(Debug, Clone, Copy)]
pub(super) struct Each;

impl HelperDef for Each {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let Some(template) = helper.template() else {
            return Ok(());
        };
        let parameter = helper.param(0);
        let value = parameter.map(handlebars::PathAndJson::value);
        let path = parameter.and_then(|parameter| parameter.context_path()).cloned();
        let items: Vec<(String, &Value, bool)> = match value {
            Some(Value::Array(items)) => {
                items.iter().enumerate().map(|(index, item)| (index.to_string(), item, true)).collect()
            }
            Some(Value::Object(members)) => members.iter().map(|(key, item)| (key.clone(), item, false)).collect(),
            _ => Vec::new(),
        };
        if items.is_empty() {
            return helper.inverse().map_or(Ok(()), |inverse| inverse.render(registry, context, render, out));
        }
        let last = items.len() - 1;
        for (index, (name, item, numbered)) in items.into_iter().enumerate() {
            step()?;
            let mut block = BlockContext::new();
            block.set_local_var("first", Value::Bool(index == 0));
            block.set_local_var("last", Value::Bool(index == last));
            block.set_local_var("index", Value::from(index));
            block.set_local_var("key", if numbered { Value::from(index) } else { Value::from(name.as_str()) });
            match &path {
                Some(path) => {
                    let base = block.base_path_mut();
                    base.extend_from_slice(path);
                    base.push(name);
                }
                None => block.set_base_value(item.clone()),
            }
            render.push_block(block);
            let rendered = template.render(registry, context, render, out);
            render.pop_block();
            rendered?;
        }
        Ok(())
    }
}
