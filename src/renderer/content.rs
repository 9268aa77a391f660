//! What a firing sends: its body and, if its URL or headers hold expressions, its own target.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::flow::event_data::EventData;
use crate::flow::messages::{LiveTarget, LiveTemplate};
use crate::model::outcome::DropReason;
use crate::model::target::Target;
use crate::templating::{RenderFailure, UnsendableReason};

/// The steps that are taken on a thread that reads requests: less than a millisecond. What takes more is rendered in the
/// background, from the beginning.
const STEPS_AT_ONCE: usize = 10_000;

/// The parts of a firing that are rendered.
#[derive(Debug, Clone)]
pub(super) struct FiringContent {
    pub(super) event: Arc<EventData>,
    pub(super) target: LiveTarget,
    pub(super) template: Arc<LiveTemplate>,
}

/// A firing's content, ready to send.
#[derive(Debug)]
pub(super) struct RenderedContent {
    pub(super) body: Bytes,
    pub(super) target: Arc<Target>,
}

impl FiringContent {
    /// Renders what does not take long. `None`: it must be rendered in the background.
    pub(super) fn render_at_once(&self) -> Option<Result<RenderedContent, DropReason>> {
        if self.template.takes_long.load(Ordering::Relaxed) || !self.is_compiled() {
            return None;
        }
        let mut steps_left = STEPS_AT_ONCE;
        match self.render_within(&mut steps_left) {
            Err(DropReason::RenderTooManySteps) => None,
            done => Some(done),
        }
    }

    fn is_compiled(&self) -> bool {
        self.template.compiled.is_ready() && self.target.expressions.as_ref().is_none_or(|own| own.is_ready())
    }

    /// Renders it however long that takes, within the bounds of templates, and compiles it before if it is not.
    pub(super) fn render(&self) -> Result<RenderedContent, DropReason> {
        let mut steps_left = usize::MAX;
        let rendered = self.render_within(&mut steps_left);
        let takes_long = usize::MAX - steps_left > STEPS_AT_ONCE;
        if takes_long != self.template.takes_long.load(Ordering::Relaxed) {
            self.template.takes_long.store(takes_long, Ordering::Relaxed);
        }
        rendered
    }

    fn render_within(&self, steps_left: &mut usize) -> Result<RenderedContent, DropReason> {
        let data = &self.event.data;
        let template = self.template.compiled.get()?;
        let body = template.render_within(data, steps_left).map_err(|error| unrendered(&error))?;
        let shared = &self.target.target;
        let target = match &self.target.expressions {
            None => Arc::clone(shared),
            Some(own) => own.get()?.target_within(shared, data, steps_left).map_err(|error| unsendable(&error))?,
        };
        Ok(RenderedContent { body, target })
    }
}

fn unsendable(error: &UnsendableReason) -> DropReason {
    match error {
        UnsendableReason::Url | UnsendableReason::UrlTooLong => DropReason::UrlRefused,
        UnsendableReason::Header(_) | UnsendableReason::HeadersTooLong => DropReason::HeaderRefused,
        UnsendableReason::Rendering(error) => unrendered(error),
    }
}

fn unrendered(error: &RenderFailure) -> DropReason {
    match error {
        RenderFailure::TooLarge => DropReason::RenderTooLarge,
        RenderFailure::TooManySteps => DropReason::RenderTooManySteps,
        RenderFailure::Malformed => DropReason::RenderMalformed,
        RenderFailure::Failed => DropReason::RenderFailed,
    }
}
