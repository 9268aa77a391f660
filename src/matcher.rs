//! The second stage: finds the triggers that an event fires. It reads the live index and never
//! waits for a change to it; it never looks at templates' bodies.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::{Actor, Context, Handler, Recipient};

use crate::event::Event;
use crate::live::{Index, Live};
use crate::messages::{EventData, EventsAccepted, Firing, FiringsMatched};
use crate::metrics::{Dropped, Metrics};
use crate::templating::Data;

/// Finds firings; one for each thread that serves HTTP.
#[derive(Debug)]
pub struct Matcher {
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    renderer: Recipient<FiringsMatched>,
    mailbox_capacity: usize,
}

impl Matcher {
    /// A Matcher that passes firings on to `renderer`. Each message it gets carries an admitted
    /// event at least, so a mailbox for as many as may be in flight is never full.
    pub fn new(
        live: Arc<Live>,
        metrics: Arc<Metrics>,
        renderer: Recipient<FiringsMatched>,
        mailbox_capacity: usize,
    ) -> Self {
        Self { live, metrics, renderer, mailbox_capacity }
    }
}

impl Actor for Matcher {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(self.mailbox_capacity);
    }
}

impl Handler<EventsAccepted> for Matcher {
    type Result = ();

    fn handle(&mut self, message: EventsAccepted, _: &mut Self::Context) {
        let index = self.live.index();
        let mut firings = Vec::new();
        for event in message.events {
            let before = firings.len();
            // A fault over one event must not take the others, nor the thread's Matcher, with it.
            let matched = catch_unwind(AssertUnwindSafe(|| fire(&index, event, &mut firings)));
            if matched.is_err() {
                firings.truncate(before);
                self.metrics.dropped(Dropped::Panic, 1);
            }
        }
        if firings.is_empty() {
            return;
        }
        let matched = firings.len();
        self.metrics.firings_matched.inc_by(matched as u64);
        let sent = self.renderer.try_send(FiringsMatched {
            firings,
            accepted_at: message.accepted_at,
            admission: Some(message.admission),
        });
        if sent.is_err() {
            self.metrics.dropped(Dropped::Stopped, matched);
        }
    }
}

fn fire(index: &Index, event: Event, firings: &mut Vec<Firing>) {
    let mut fired = Vec::new();
    let Some(data) = event.data.object() else { return };
    index.candidates(&event.account, &event.event_type, |trigger| {
        if trigger.pattern.as_ref().is_none_or(|pattern| pattern.matches(data)) {
            fired.push(Arc::clone(trigger));
        }
    });
    if fired.is_empty() {
        return;
    }
    let account = event.account.clone();
    let shared = Arc::new(EventData::of(event));
    firings.extend(fired.into_iter().map(|trigger| Firing {
        event: Arc::clone(&shared),
        trigger: trigger.id.clone(),
        target: Arc::clone(&trigger.target),
        template: index.template(&account, &trigger.template),
        report: None,
    }));
}

impl EventData {
    /// The event in the form that templates read; made once, however many triggers it fires.
    pub fn of(event: Event) -> Self {
        Self {
            account: event.account.clone(),
            source: Arc::clone(&event.source),
            id: Arc::clone(&event.id),
            data: Data::of(event),
        }
    }
}

#[cfg(test)]
mod tests;
