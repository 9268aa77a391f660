//! The second stage: finds the triggers that an event fires. It reads the live index and never
//! waits for a change to it; it never looks at templates' bodies.

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::{Actor, Context, Handler, Recipient};

use crate::flow::messages::{EventData, EventsAccepted, Firing, FiringsMatched, LiveTemplate};
use crate::live::{Index, Live, LiveTrigger};
use crate::matching::{Limits, Steps, Subject, TooCostly};
use crate::model::event::{Event, EventType};
use crate::model::id::AccountId;
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
        let mut listeners = Listeners::default();
        for event in message.events {
            let before = firings.len();
            // A fault over one event must not take the others, nor the thread's Matcher, with it.
            let matched = catch_unwind(AssertUnwindSafe(|| {
                fire(&index, self.live.matching(), &self.metrics, &mut listeners, event, &mut firings)
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

/// Who listens to events of one account and type. The events of a request mostly have both in
/// common, and are then looked up once.
#[derive(Default)]
struct Listeners {
    to: Option<(AccountId, EventType)>,
    found: Vec<Listener>,
}

struct Listener {
    trigger: Arc<LiveTrigger>,
    /// Looked up when it is first fired.
    template: OnceCell<Option<Arc<LiveTemplate>>>,
}

impl Listeners {
    fn of(&mut self, index: &Index, event: &Event) -> &[Listener] {
        let same = |(account, event_type): &(_, _)| *account == event.account && *event_type == event.event_type;
        if !self.to.as_ref().is_some_and(same) {
            // Said last what it is of, so that a fault in between leaves nothing half.
            self.to = None;
            self.found.clear();
            index.candidates(&event.account, &event.event_type, |trigger| {
                self.found.push(Listener { trigger: Arc::clone(trigger), template: OnceCell::new() });
            });
            self.to = Some((event.account.clone(), event.event_type.clone()));
        }
        &self.found
    }
}

fn fire(
    index: &Index,
    limits: &Limits,
    metrics: &Metrics,
    listeners: &mut Listeners,
    event: Event,
    firings: &mut Vec<Firing>,
) {
    let listeners = listeners.of(index, &event);
    let Some(data) = event.data.object() else { return };
    let mut subject = Subject::new(data);
    let mut event_steps = limits.steps_per_event_max;
    let mut fired: Vec<&Listener> = Vec::new();
    for listener in listeners {
        let Some(pattern) = &listener.trigger.pattern else {
            fired.push(listener);
            continue;
        };
        let given = limits.steps_per_trigger_max.min(event_steps);
        let mut steps = Steps::new(given);
        match pattern.matches(&mut subject, &mut steps) {
            Ok(true) => fired.push(listener),
            Ok(false) => event_steps -= given - steps.left(),
            Err(TooCostly) => {
                event_steps -= given;
                metrics.deliveries.dropped.inc(Dropped::FilterTooCostly);
            }
        }
    }
    if fired.is_empty() {
        return;
    }
    let shared = Arc::new(EventData::of(event));
    firings.extend(fired.into_iter().map(|Listener { trigger, template }| Firing {
        event: Arc::clone(&shared),
        trigger: trigger.id.clone(),
        target: trigger.target.clone(),
        template: template.get_or_init(|| index.template(&shared.account, &trigger.template)).clone(),
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
