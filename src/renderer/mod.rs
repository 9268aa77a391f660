//! The third stage: writes the body of each firing and hands it to the thread of its destination.
//! It never waits for a destination, and never works for long at a stretch: the thread it runs on
//! takes requests in as well.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Context, Handler, Recipient};
use http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::flow::gate::Gate;
use crate::flow::in_flight::{Admission, InFlight, Permit, drop_unsent};
use crate::flow::messages::{DeliveriesRendered, EventData, Firing, FiringsMatched};
use crate::flow::pressure::Pressure;
use crate::model::delivery::Delivery;
use crate::model::id::TriggerId;
use crate::model::outcome::Dropped;
use crate::telemetry::metrics::Metrics;
use crate::templating::Unrendered;

/// How many firings are rendered before others on the thread have their turn: about a tenth of a
/// millisecond's work.
const SLICE: usize = 32;

/// Renders firings; one for each thread that serves HTTP.
#[derive(Debug)]
pub struct Renderer {
    lane: Rc<Lane>,
    mailbox_capacity: usize,
}

#[derive(Debug)]
struct Lane {
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    dispatchers: Vec<Recipient<DeliveriesRendered>>,
    /// Of what was handed over and is not passed on; nothing is rendered while it is high.
    pressure: Rc<Pressure>,
    /// What one message left over when its slice was done. Bounded as the mailbox is.
    waiting: RefCell<VecDeque<Work>>,
    working: Cell<bool>,
}

/// A message's firings, of which some may be done.
#[derive(Debug)]
struct Work {
    firings: std::vec::IntoIter<Firing>,
    accepted_at: Instant,
    admission: Option<Admission>,
}

impl Renderer {
    /// A Renderer that hands deliveries to `dispatchers`, one for each dispatch thread, and waits while
    /// `pressure`, which they may count up, is high. Its mailbox holds what the Matcher's does.
    pub fn new(
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
        dispatchers: Vec<Recipient<DeliveriesRendered>>,
        pressure: Rc<Pressure>,
        mailbox_capacity: usize,
    ) -> Self {
        let (waiting, working) = (RefCell::default(), Cell::new(false));
        Self { lane: Rc::new(Lane { gate, metrics, dispatchers, pressure, waiting, working }), mailbox_capacity }
    }
}

impl Actor for Renderer {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(self.mailbox_capacity);
    }
}

impl Handler<FiringsMatched> for Renderer {
    type Result = ();

    fn handle(&mut self, message: FiringsMatched, _: &mut Self::Context) {
        let mut work = Work {
            firings: message.firings.into_iter(),
            accepted_at: message.accepted_at,
            admission: message.admission,
        };
        // Behind others it waits its turn, so that deliveries keep their events' order.
        if !self.lane.working.get() && !self.lane.pressure.is_high() && self.lane.render_slice(&mut work) {
            return;
        }
        self.lane.waiting.borrow_mut().push_back(work);
        if !self.lane.working.replace(true) {
            actix_rt::spawn(Rc::clone(&self.lane).work());
        }
    }
}

impl Lane {
    /// Renders what waits, a slice at a time.
    async fn work(self: Rc<Self>) {
        loop {
            tokio::task::yield_now().await;
            self.pressure.eased().await;
            let Some(mut work) = self.waiting.borrow_mut().pop_front() else {
                break;
            };
            if !self.render_slice(&mut work) {
                self.waiting.borrow_mut().push_front(work);
            }
        }
        self.working.set(false);
    }

    /// Renders up to a slice of the firings and hands the deliveries over. True when all are done.
    fn render_slice(&self, work: &mut Work) -> bool {
        let mut threads: Vec<Vec<InFlight>> = self.dispatchers.iter().map(|_| Vec::new()).collect();
        for firing in work.firings.by_ref().take(SLICE) {
            if let Some(queued) = self.render(firing, work.accepted_at, work.admission.as_ref()) {
                let thread = queued.delivery.target.destination.share(threads.len());
                threads[thread].push(queued);
            }
        }
        for (dispatcher, deliveries) in self.dispatchers.iter().zip(threads) {
            self.hand_over(dispatcher, deliveries);
        }
        work.firings.len() == 0
    }

    fn hand_over(&self, dispatcher: &Recipient<DeliveriesRendered>, deliveries: Vec<InFlight>) {
        if deliveries.is_empty() {
            return;
        }
        self.metrics.deliveries.rendered.inc_by(deliveries.len() as u64);
        if let Err(error) = dispatcher.try_send(DeliveriesRendered(deliveries)) {
            for queued in error.into_inner().0 {
                drop_unsent(&self.metrics, Dropped::Stopped, queued.report);
            }
        }
    }

    fn render(&self, firing: Firing, accepted_at: Instant, admission: Option<&Admission>) -> Option<InFlight> {
        let Firing { event, trigger, target, template, report } = firing;
        let target = match target {
            Ok(target) => target,
            Err(reason) => {
                drop_unsent(&self.metrics, reason, report);
                return None;
            }
        };
        let Some(template) = template else {
            drop_unsent(&self.metrics, Dropped::TemplateUnusable, report);
            return None;
        };
        // A fault over one template must not take the others, nor the thread's Renderer, with it.
        let rendered = catch_unwind(AssertUnwindSafe(|| template.compiled.render(&event.data)));
        let reason = match rendered {
            Ok(Ok(body)) => {
                return Some(InFlight {
                    delivery: Delivery {
                        webhook_id: webhook_id(&event, &trigger),
                        target,
                        content_type: template.content_type.clone(),
                        body,
                    },
                    accepted_at,
                    permit: admission.cloned().map(Permit::Request),
                    claim: None,
                    outstanding: self.gate.delivery(),
                    report,
                });
            }
            Ok(Err(Unrendered::TooLarge)) => Dropped::RenderTooLarge,
            Ok(Err(Unrendered::TooManySteps)) => Dropped::RenderTooManySteps,
            Ok(Err(Unrendered::Malformed)) => Dropped::RenderMalformed,
            Ok(Err(Unrendered::Failed)) => Dropped::RenderFailed,
            Err(_) => Dropped::Panic,
        };
        drop_unsent(&self.metrics, reason, report);
        None
    }
}

/// The same for the same event and trigger, on every node and after every restart, and of no use
/// to guess what it was made of.
fn webhook_id(event: &EventData, trigger: &TriggerId) -> HeaderValue {
    let mut hash = Sha256::new();
    for part in [event.account.as_str(), &event.source, &event.id, trigger.as_str()] {
        // With its length, so that no two lists of parts make the same bytes.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut text = [0; 36];
    text[..4].copy_from_slice(b"msg_");
    for (permit, byte) in text[4..].chunks_exact_mut(2).zip(digest.iter()) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        permit[0] = HEX[usize::from(byte >> 4)];
        permit[1] = HEX[usize::from(byte & 15)];
    }
    HeaderValue::from_bytes(&text).expect("hexadecimal digits are visible ASCII")
}

#[cfg(test)]
mod tests;
