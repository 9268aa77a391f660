//! The second stage: finds the triggers that an event fires. It reads the live index and never
//! waits for a change to it; it never looks at templates' bodies.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::{Actor, Context, Handler, Recipient};

use crate::flow::messages::{EventData, EventsAccepted, Firing, FiringsMatched};
use crate::live::{Index, Live, LiveTrigger};
use crate::matching::index::{Ended, Search};
use crate::matching::{Limits, Subject};
use crate::model::event::Event;
use crate::model::outcome::Dropped;
use crate::telemetry::metrics::Metrics;
use crate::templating::{About, Data};

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
        let mut firings = Vec::with_capacity(message.events.len());
        for event in message.events {
            let before = firings.len();
            // A fault over one event must not take the others, nor the thread's Matcher, with it.
            let matched = catch_unwind(AssertUnwindSafe(|| {
                fire(&index, self.live.matching(), &self.metrics, event, &mut firings)
            }));
            if matched.is_err() {
                firings.truncate(before);
                self.metrics.deliveries.dropped.inc(Dropped::Panic);
            }
        }
        if firings.is_empty() {
            return;
        }
        let matched = firings.len();
        self.metrics.events.firings_matched.inc_by(matched as u64);
        let sent = self.renderer.try_send(FiringsMatched {
            firings,
            accepted_at: message.accepted_at,
            admission: Some(message.admission),
        });
        if sent.is_err() {
            self.metrics.deliveries.dropped.inc_by(Dropped::Stopped, matched);
        }
    }
}

/// What one event fires.
fn fire(index: &Index, limits: &Limits, metrics: &Metrics, event: Event, firings: &mut Vec<Firing>) {
    let (Some(account), Some(data)) = (index.account(&event.account), event.data.object()) else { return };
    let mut fired: Vec<&Arc<LiveTrigger>> = Vec::new();
    let mut subject = Subject::new(data);
    let mut search = Search::new(account.listeners(&event.event_type), &mut subject, limits);
    let ended = search.run(&mut subject, |trigger| {
        fired.push(trigger);
        true
    });
    let undecided = search.too_costly() + usize::from(ended == Ended::TooCostly);
    metrics.deliveries.dropped.inc_by(Dropped::FilterTooCostly, undecided);
    if fired.is_empty() {
        return;
    }
    let shared = Arc::new(EventData::of(event));
    firings.extend(fired.into_iter().map(|trigger| Firing {
        event: Arc::clone(&shared),
        trigger: trigger.id.clone(),
        target: trigger.target.clone(),
        template: account.template(&trigger.template),
        report: None,
    }));
}

impl EventData {
    /// The event in the form that templates read; made once, however many triggers it fires.
    pub fn of(event: Event) -> Self {
        let Event { account, event_type, id, source, time, data, .. } = event;
        let about = About { event_type: event_type.as_str(), id: &id, time: &time, account: account.as_str() };
        let data = Data::with(data, about);
        Self { account, source, id, data }
    }
}

#[cfg(test)]
mod tests;
