//! The third stage: renders the body of each firing and hands it to the thread of its destination. Accounts take turns,
//! and nothing is rendered for an account at its bound. It never waits for a destination, and yields often: its thread
//! also reads requests.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::dev::SendError;
use actix::{Actor, Context, Handler, Recipient};
use http::HeaderValue;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::flow::account::{AccountShares, Charge};
use crate::flow::drill;
use crate::flow::fairness::JobProgress;
use crate::flow::gate::Gate;
use crate::flow::in_flight::{Admission, FiringReport, InFlight, Permit, TurnKey, drop_unsent};
use crate::flow::messages::{DeliveriesRendered, Firing, FiringStep, Firings, FiringsMatched};
use crate::flow::pressure::Pressure;
use crate::flow::turns::{Turns, Worker};
use crate::model::delivery::Delivery;
use crate::model::firing::FiringId;
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;
use crate::templating::{RenderFailure, UnsendableReason};

/// Deliveries that are handed over together at most.
const TOGETHER_MAX: usize = 64;

/// Renders firings; one for each thread that serves HTTP.
#[derive(Debug)]
pub struct Renderer {
    rendering: Rc<Turns<RendererWorker>>,
    mailbox_capacity: usize,
}

#[derive(Debug)]
struct RendererWorker {
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    /// Bytes that were handed over and not passed on yet. Nothing is rendered while they are too many.
    pressure: Rc<Pressure>,
    rendered: Rc<RenderedDeliveries>,
}

/// Deliveries that are rendered and not handed over yet.
#[derive(Debug)]
struct RenderedDeliveries {
    metrics: Arc<Metrics>,
    dispatchers: Vec<Recipient<DeliveriesRendered>>,
    /// Those for each dispatch thread.
    deliveries: RefCell<Vec<Vec<InFlight>>>,
    /// Whether the task that hands them over exists.
    handed_over_soon: Cell<bool>,
}

/// The firings of one account; some may be done already.
#[derive(Debug)]
struct RenderJob {
    account: Arc<AccountShares>,
    firings: Box<dyn Firings>,
    accepted_at: Instant,
    admission: Option<Admission>,
    /// The charge of the next delivery.
    bytes: Option<Charge>,
    /// The firing that is being rendered.
    firing: Option<FiringId>,
    /// Where the end of that firing is reported.
    report: Option<oneshot::Sender<FiringReport>>,
}

impl Renderer {
    /// A Renderer that hands deliveries to `dispatchers`, one for each dispatch thread. It waits while `pressure`,
    /// which they may increase, is high. Its mailbox holds as much as the Matcher's.
    pub fn new(
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
        dispatchers: Vec<Recipient<DeliveriesRendered>>,
        pressure: Rc<Pressure>,
        mailbox_capacity: usize,
    ) -> Self {
        let deliveries = RefCell::new(dispatchers.iter().map(|_| Vec::new()).collect());
        let handed_over_soon = Cell::new(false);
        let rendered = RenderedDeliveries { metrics: Arc::clone(&metrics), dispatchers, deliveries, handed_over_soon };
        let rendering = RendererWorker { gate: Arc::clone(&gate), metrics, pressure, rendered: Rc::new(rendered) };
        Self { rendering: Turns::new(rendering, gate), mailbox_capacity }
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
        let FiringsMatched { account, firings, accepted_at, admission } = message;
        // A test does not wait behind its account's events.
        let member = (admission.is_none(), account.id.clone());
        self.rendering.push(
            member,
            RenderJob { account, firings, accepted_at, admission, bytes: None, firing: None, report: None },
        );
    }
}

impl Worker for RendererWorker {
    type Member = TurnKey;
    type Job = RenderJob;

    fn step(&self, work: &mut RenderJob) -> JobProgress {
        if work.bytes.is_none() {
            // A test is rendered whatever its account holds: there is at most one for each connection.
            let over = || work.admission.is_none().then(|| work.account.charge_bytes_over(0));
            work.bytes = work.account.charge_bytes().or_else(over);
        }
        let Some(bytes) = work.bytes.take() else { return JobProgress::Blocked };
        match work.firings.step() {
            FiringStep::Fired(firing) => self.render(work, firing, bytes),
            FiringStep::Done => return JobProgress::Done,
            FiringStep::Worked => work.bytes = Some(bytes),
            FiringStep::Blocked => {
                work.bytes = Some(bytes);
                return JobProgress::Blocked;
            }
        }
        JobProgress::More
    }

    fn panicked(&self, work: &mut RenderJob) -> JobProgress {
        drop_unsent(&self.metrics, DropReason::Panic, work.firing.as_ref(), None, work.report.take());
        JobProgress::More
    }

    fn finish_slice(&self) {
        self.rendered.hand_over_together();
    }

    fn is_ready(&self) -> bool {
        !self.pressure.is_high()
    }

    async fn ready(&self) {
        self.pressure.eased().await;
    }
}

impl RenderedDeliveries {
    /// Hands over what was rendered: what is rendered for several requests at about the same moment together, since each
    /// message may wake a dispatch thread.
    fn hand_over_together(self: &Rc<Self>) {
        let number: usize = self.deliveries.borrow().iter().map(Vec::len).sum();
        if number >= TOGETHER_MAX {
            self.hand_over_all();
        } else if number > 0 && !self.handed_over_soon.replace(true) {
            let own = Rc::clone(self);
            // Other ready tasks of the thread run first.
            actix_rt::spawn(async move {
                own.handed_over_soon.set(false);
                own.hand_over_all();
            });
        }
    }

    fn hand_over_all(&self) {
        for (dispatcher, deliveries) in self.dispatchers.iter().zip(self.deliveries.borrow_mut().iter_mut()) {
            self.hand_over(dispatcher, std::mem::take(deliveries));
        }
    }

    fn hand_over(&self, dispatcher: &Recipient<DeliveriesRendered>, deliveries: Vec<InFlight>) {
        if deliveries.is_empty() {
            return;
        }
        self.metrics.deliveries.rendered.inc_by(deliveries.len() as u64);
        let (reason, refused) = match dispatcher.try_send(DeliveriesRendered(deliveries)) {
            Ok(()) => return,
            Err(SendError::Full(refused)) => (DropReason::QueueFull, refused),
            Err(SendError::Closed(refused)) => (DropReason::Stopped, refused),
        };
        for queued in refused.0 {
            queued.drop_unsent(&self.metrics, reason);
        }
    }
}

impl RendererWorker {
    fn render(&self, work: &mut RenderJob, firing: Firing, mut bytes: Charge) {
        let id = firing.id();
        let Firing { event, trigger: _, target, template, charge, journaled, report } = firing;
        (work.firing, work.report) = (Some(id.clone()), report);
        let target = match target {
            Ok(target) => target,
            Err(reason) => return drop_unsent(&self.metrics, reason, Some(&id), None, work.report.take()),
        };
        let drop = |work: &mut RenderJob, reason| {
            drop_unsent(&self.metrics, reason, Some(&id), Some(&target.target.destination), work.report.take());
        };
        let Some(template) = template else {
            return drop(work, DropReason::TemplateUnusable);
        };
        drill::point(drill::Stage::Renderer);
        let body = match template.compiled.render(&event.data) {
            Ok(body) => body,
            Err(error) => return drop(work, unrendered(&error)),
        };
        let own = match &target.expressions {
            None => Ok(Arc::clone(&target.target)),
            Some(expressions) => expressions.target(&target.target, &event.data),
        };
        let target = match own {
            Ok(own) => own,
            Err(error) => return drop(work, unsendable(&error)),
        };
        bytes.add_over(body.len());
        let mut threads = self.rendered.deliveries.borrow_mut();
        let thread = target.destination.share(threads.len());
        threads[thread].push(InFlight {
            account: Arc::clone(&work.account),
            is_test: work.admission.is_none(),
            delivery: Delivery {
                webhook_id: webhook_id(&id),
                firing: Some(id),
                target,
                content_type: template.content_type.clone(),
                body,
                hops: event.hops.saturating_add(1),
            },
            accepted_at: work.accepted_at,
            permit: work.admission.clone().zip(charge).map(|(admission, charge)| Permit::Request(admission, charge)),
            claim: None,
            journaled,
            outstanding: self.gate.delivery(Some(bytes)),
            report: work.report.take(),
        });
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

/// The same for the same event and trigger, on every node and after every restart. It does not reveal what it is made
/// of.
fn webhook_id(FiringId { event, trigger }: &FiringId) -> HeaderValue {
    let mut hash = Sha256::new();
    for part in [event.account.as_str(), &event.source, &event.id, trigger.as_str()] {
        // With the length of each part, so that different lists of parts never hash the same bytes.
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
