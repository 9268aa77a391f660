//! The third stage: renders the body of each firing and hands it to the thread of its destination. Accounts take turns,
//! and nothing is rendered for an account at its bound. It never waits for a destination, and yields often: its thread
//! also reads requests. What takes long is rendered in the background, while the account's other firings wait.

mod content;
mod crowding;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::dev::SendError;
use actix::{Actor, Context, Handler, Recipient};
use tokio::sync::oneshot;

use crate::flow::account::{BytesAhead, Charge, TurnKey};
use crate::flow::background::{Background, JobPanicked};
use crate::flow::drill;
use crate::flow::fairness::JobProgress;
use crate::flow::gate::Gate;
use crate::flow::in_flight::{InFlight, InFlightParts, drop_unsent};
use crate::flow::inbox::{Inbox, InboxFilled, InboxSender};
use crate::flow::journal::JournaledFiring;
use crate::flow::messages::{DeliveriesRendered, Firing, FiringStep, Firings, FiringsMatched, SMALL_REQUEST};
use crate::flow::permit::{Admission, Permit};
use crate::flow::pressure::Pressure;
use crate::flow::turns::{Resumption, Turns, Worker};
use crate::model::delivery::{Delivery, WebhookId};
use crate::model::firing::{FiringId, hash_of_names};
use crate::model::outcome::{DropReason, FiringReport};
use crate::telemetry::metrics::{Metrics, OwnNumbers, Total};

use self::content::{FiringContent, RenderedContent};
use self::crowding::Crowding;

/// Deliveries that are handed over together at most.
const TOGETHER_MAX: usize = 64;

/// Where deliveries go.
#[derive(Debug)]
pub enum NextStage {
    /// The Dispatchers of this node, one for each dispatch thread. A response need not wait for them.
    Dispatchers(Vec<Recipient<DeliveriesRendered>>),
    /// The Publisher. It holds each response until Redis has the deliveries of the request.
    Publisher(Recipient<DeliveriesRendered>),
}

/// Renders firings; one for each thread that serves HTTP.
#[derive(Debug)]
pub struct Renderer {
    rendering: Rc<Turns<RendererWorker>>,
    /// `None` where each delivery has to hold the response to its request.
    crowding: Option<Crowding>,
    inbox: Inbox<FiringsMatched>,
}

#[derive(Debug)]
struct RendererWorker {
    metrics: Arc<Metrics>,
    /// Bytes that were handed over and not passed on yet. Nothing is rendered while they are too many.
    pressure: Rc<Pressure>,
    rendered: RenderedDeliveries,
    background: Background<TurnKey>,
    /// A rendering in the background has ended.
    resumption: Rc<Resumption>,
}

/// Deliveries that are rendered and not handed over yet.
#[derive(Debug)]
struct RenderedDeliveries {
    metrics: Arc<Metrics>,
    /// How many this thread has handed over.
    number: OwnNumbers<Total>,
    dispatchers: Vec<Recipient<DeliveriesRendered>>,
    /// Those for each dispatch thread.
    deliveries: RefCell<Vec<Vec<InFlight>>>,
}

/// The firings of one account; some may be done already.
#[derive(Debug)]
struct RenderJob {
    firings: Box<dyn Firings>,
    accepted_at: Instant,
    admission: Option<Admission>,
    ahead: BytesAhead,
    /// Whether its deliveries need not hold the response until their attempts begin.
    responds_early: bool,
    /// The firing that is being rendered.
    firing: Option<FiringId>,
    /// Where the end of that firing is reported.
    report: Option<oneshot::Sender<FiringReport>>,
    /// That firing, if it is being rendered in the background. Few are, and jobs are moved.
    in_background: Option<Box<BackgroundFiring>>,
}

/// A firing that is rendered in the background.
#[derive(Debug)]
struct BackgroundFiring {
    unrendered: UnrenderedDelivery,
    /// `None` until the rendering has ended.
    result: Rc<RefCell<Option<RenderResult>>>,
}

type RenderResult = Result<Result<RenderedContent, DropReason>, JobPanicked>;

/// A delivery without its content.
#[derive(Debug)]
struct UnrenderedDelivery {
    content: FiringContent,
    charge: Option<Charge>,
    journaled: Option<JournaledFiring>,
}

impl Renderer {
    /// Starts one on this thread that hands deliveries to `next`. It waits while `pressure` is high; the next stage counts
    /// there what it has not passed on. What takes long is rendered in the `background`. Each message in its inbox carries
    /// admitted events, or a test that a connection waits for.
    pub fn start(
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
        next: NextStage,
        pressure: Rc<Pressure>,
        background: Background<TurnKey>,
    ) -> InboxSender<FiringsMatched> {
        let (dispatchers, crowding) = match next {
            NextStage::Dispatchers(dispatchers) => (dispatchers, Some(Crowding::default())),
            NextStage::Publisher(publisher) => (vec![publisher], None),
        };
        let deliveries = RefCell::new(dispatchers.iter().map(|_| Vec::new()).collect());
        let rendered = RenderedDeliveries {
            number: metrics.deliveries.rendered.own(),
            metrics: Arc::clone(&metrics),
            dispatchers,
            deliveries,
        };
        let resumption = Rc::<Resumption>::default();
        let rendering = RendererWorker { metrics, pressure, rendered, background, resumption: Rc::clone(&resumption) };
        let (rendering, inbox) = (Turns::resumed_by(resumption, rendering, gate), Inbox::default());
        inbox.start(Self { rendering, crowding, inbox: inbox.clone() })
    }

    fn job(&mut self, FiringsMatched { firings, accepted_at, admission }: FiringsMatched) -> RenderJob {
        let is_small =
            firings.are_few() && admission.as_ref().is_some_and(|admission| admission.events <= SMALL_REQUEST);
        let responds_early =
            self.crowding.as_mut().is_some_and(|crowding| crowding.note(firings.account().some_wait())) && is_small;
        let (firing, report, in_background, ahead) = (None, None, None, BytesAhead::default());
        RenderJob { firings, accepted_at, admission, ahead, responds_early, firing, report, in_background }
    }
}

impl Actor for Renderer {
    type Context = Context<Self>;
}

impl Handler<InboxFilled> for Renderer {
    type Result = ();

    fn handle(&mut self, InboxFilled: InboxFilled, _: &mut Self::Context) {
        let (inbox, rendering) = (self.inbox.clone(), Rc::clone(&self.rendering));
        rendering.push_all(|push| inbox.drain(|message| push(self.job(message))));
    }
}

impl Worker for RendererWorker {
    type Member = TurnKey;
    type Job = RenderJob;

    fn member(job: &RenderJob) -> TurnKey {
        job.turn_key().clone()
    }

    fn step(&self, work: &mut RenderJob) -> JobProgress {
        if let Some(firing) = work.in_background.take() {
            let Some(ended) = firing.result.take() else {
                work.in_background = Some(firing);
                return JobProgress::Blocked;
            };
            self.finish(work, firing.unrendered, ended.unwrap_or(Err(DropReason::Panic)));
            return JobProgress::More;
        }
        // A test is rendered whatever its account holds: there is at most one for each connection.
        if work.admission.is_some() && !work.firings.account().may_render() {
            work.ahead.give_back();
            return JobProgress::Blocked;
        }
        match work.firings.step() {
            FiringStep::Fired(firing) => self.render(work, firing),
            FiringStep::Done => return JobProgress::Done,
            FiringStep::Worked => {}
            // What it waits for may be held by requests behind it.
            FiringStep::Blocked => return JobProgress::Aside,
            FiringStep::Later(time) => {
                let resumption = Rc::clone(&self.resumption);
                actix_rt::spawn(async move {
                    tokio::time::sleep(time).await;
                    resumption.resume();
                });
                return JobProgress::Aside;
            }
        }
        if work.in_background.is_some() {
            JobProgress::Blocked
        } else if work.firings.is_done() {
            JobProgress::Done
        } else {
            JobProgress::More
        }
    }

    fn panicked(&self, work: &mut RenderJob) -> JobProgress {
        drop_unsent(&self.metrics, DropReason::Panic, work.firing.as_ref(), None, work.report.take());
        JobProgress::More
    }

    fn pass_on(&self) {
        self.rendered.hand_over_all();
    }

    fn is_ready(&self) -> bool {
        !self.pressure.is_high()
    }

    async fn ready(&self) {
        self.pressure.eased().await;
    }
}

impl RenderedDeliveries {
    /// Adds a delivery. What is rendered for several requests at about the same moment is handed over together, since each
    /// message may wake a dispatch thread.
    fn add(&self, delivery: InFlight) {
        let mut threads = self.deliveries.borrow_mut();
        let thread = delivery.delivery.target.destination.share(threads.len());
        threads[thread].push(delivery);
        let is_full = threads[thread].len() >= TOGETHER_MAX;
        drop(threads);
        if is_full {
            self.hand_over_all();
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
        self.number.inc_by(deliveries.len());
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

impl RenderJob {
    /// What a delivery of this job, which is not a test, counts against.
    fn permit(&self, charge: Charge) -> Permit {
        match &self.admission {
            Some(admission) if !self.responds_early => Permit::Request(Arc::clone(admission), charge),
            _ => Permit::Account(charge),
        }
    }

    /// Who takes a turn with this job. A test does not wait behind its account's events.
    fn turn_key(&self) -> &TurnKey {
        self.firings.account().turn_key(self.admission.is_none())
    }
}

impl RendererWorker {
    fn render(&self, work: &mut RenderJob, firing: Firing) {
        let Firing { event, trigger, target, template, charge, journaled, report } = firing;
        let id = FiringId { event: event.identity().clone(), trigger };
        let target = match target {
            Ok(target) => target,
            Err(reason) => return drop_unsent(&self.metrics, reason, Some(&id), None, report),
        };
        let Some(template) = template else {
            let destination = Some(&target.target.destination);
            return drop_unsent(&self.metrics, DropReason::TemplateUnusable, Some(&id), destination, report);
        };
        (work.firing, work.report) = (Some(id), report);
        drill::point(drill::Stage::Renderer);
        let content = FiringContent { event, target, template };
        let done = content.render_at_once();
        let unrendered = UnrenderedDelivery { content, charge, journaled };
        match done {
            Some(done) => self.finish(work, unrendered, done),
            None => work.in_background = Some(self.begin_in_background(work.turn_key().clone(), unrendered)),
        }
    }

    fn begin_in_background(&self, member: TurnKey, unrendered: UnrenderedDelivery) -> Box<BackgroundFiring> {
        let content = unrendered.content.clone();
        let rendering = self.background.run(member, move || content.render());
        let result = Rc::new(RefCell::new(None));
        let (own, resumption) = (Rc::clone(&result), Rc::clone(&self.resumption));
        actix_rt::spawn(async move {
            let ended = rendering.await;
            own.replace(Some(ended));
            resumption.resume();
        });
        Box::new(BackgroundFiring { unrendered, result })
    }

    /// Passes on a delivery whose content was rendered, or drops it.
    fn finish(
        &self,
        work: &mut RenderJob,
        unrendered: UnrenderedDelivery,
        rendered: Result<RenderedContent, DropReason>,
    ) {
        let UnrenderedDelivery { content, charge, journaled } = unrendered;
        let FiringContent { event, target, template } = content;
        let (firing, report) = (work.firing.take(), work.report.take());
        let RenderedContent { body, target } = match rendered {
            Ok(rendered) => rendered,
            Err(reason) => {
                let destination = Some(&target.target.destination);
                return drop_unsent(&self.metrics, reason, firing.as_ref(), destination, report);
            }
        };
        let Some(firing) = firing else { return };
        self.rendered.add(InFlight::new(InFlightParts {
            account: work.ahead.deliver(work.firings.account(), body.len()),
            is_test: work.admission.is_none(),
            delivery: Delivery {
                webhook_id: webhook_id(&firing),
                firing: Some(firing),
                target,
                content_type: template.content_type.clone(),
                body,
                hops: event.hops.saturating_add(1),
            },
            accepted_at: work.accepted_at,
            permit: charge.map(|charge| work.permit(charge)),
            claim: None,
            journaled,
            report,
        }));
    }
}

fn webhook_id(FiringId { event, trigger }: &FiringId) -> WebhookId {
    WebhookId::of(hash_of_names([event.account(), event.source(), event.id(), trigger.as_str()]))
}

#[cfg(test)]
mod tests;
