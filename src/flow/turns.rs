//! How a stage shares its thread: it works for a slice of time, yields to other tasks of the thread, and continues.
//! Within a slice the members that have jobs take turns; see [`super::fairness::Schedule`]. A panic costs only the unit
//! of work in which it happens.
//!
//! A job that arrives while there is no other is done at once, but such jobs get at most half of the thread's time:
//! many small jobs in a row would delay other tasks as much as a large one.

use std::cell::{Cell, RefCell};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use super::fairness::{JobProgress, Schedule, Slice};
use super::gate::Gate;

/// With three such stages on a thread, a request waits at most for a slice and a unit of work of each, at each of the steps
/// that it takes.
pub const SLICE: Slice = Slice { length: Duration::from_micros(250), turn: Duration::from_micros(100) };
/// How long a job that is done at once may take.
const AT_ONCE: Duration = Duration::from_millis(1);

/// What a stage does with its jobs.
pub trait Worker: 'static {
    /// Identifies whose jobs take turns.
    type Member: Ord + Hash + Clone + 'static;
    /// A piece of work that is done in units.
    type Job: 'static;

    /// Whose job it is.
    fn member(job: &Self::Job) -> Self::Member;

    /// Does one bounded unit of a job.
    fn step(&self, job: &mut Self::Job) -> JobProgress;

    /// A unit of the job has panicked.
    fn panicked(&self, job: &mut Self::Job) -> JobProgress;

    /// The slice is over, or all jobs of an inbox were added: what was done is passed on together.
    fn pass_on(&self) {}

    /// Whether the next stage has room.
    fn is_ready(&self) -> bool {
        true
    }

    /// Waits until the next stage has room.
    fn ready(&self) -> impl Future<Output = ()> {
        std::future::ready(())
    }
}

/// The jobs of one stage on one thread.
#[derive(Debug)]
pub struct Turns<W: Worker> {
    worker: W,
    gate: Arc<Gate>,
    schedule: RefCell<Schedule<W::Member, W::Job>>,
    /// Whether the task that does the work exists.
    working: Cell<bool>,
    resumption: Rc<Resumption>,
    /// Times of slices are relative to this.
    epoch: Instant,
    at_once: ImmediateBudget,
}

/// Says that a blocked job can continue.
#[derive(Debug, Default)]
pub struct Resumption {
    due: Cell<bool>,
    changed: tokio::sync::Notify,
}

impl Resumption {
    /// Blocked jobs are tried again.
    pub fn resume(&self) {
        self.due.set(true);
        self.changed.notify_one();
    }
}

/// How much time jobs used that were done at once. They may use half of the time that passes; what they do not use is
/// not saved up.
#[derive(Debug)]
pub struct ImmediateBudget {
    /// When twice the time that was used will have passed.
    even_at: Cell<Instant>,
}

impl ImmediateBudget {
    /// Nothing was used before `now`.
    pub fn new(now: Instant) -> Self {
        Self { even_at: Cell::new(now) }
    }

    /// Whether a new job may begin.
    pub fn may_begin(&self, now: Instant) -> bool {
        self.even_at.set(self.even_at.get().max(now));
        self.even_at.get() < now + 2 * AT_ONCE
    }

    /// A job has used this much.
    pub fn used(&self, time: Duration) {
        self.even_at.set(self.even_at.get() + 2 * time);
    }
}

impl<W: Worker> Turns<W> {
    /// Starts without jobs. Blocked ones continue when the gate has room.
    pub fn new(worker: W, gate: Arc<Gate>) -> Rc<Self> {
        Self::resumed_by(Rc::default(), worker, gate)
    }

    /// The same; blocked jobs continue by `resumption` as well.
    pub fn resumed_by(resumption: Rc<Resumption>, worker: W, gate: Arc<Gate>) -> Rc<Self> {
        Rc::new(Self {
            worker,
            gate,
            schedule: RefCell::new(Schedule::default()),
            working: Cell::new(false),
            resumption,
            epoch: Instant::now(),
            at_once: ImmediateBudget::new(Instant::now()),
        })
    }

    /// Adds the jobs that `each` hands out. While there is no other job, each begins at once.
    pub fn push_all(self: &Rc<Self>, each: impl FnOnce(&mut dyn FnMut(W::Job))) {
        let mut now = Instant::now();
        each(&mut |job| now = self.push(now, job));
        self.worker.pass_on();
    }

    /// Adds a job. Returns the time after what was done of it, so that the clock is read once for each.
    fn push(self: &Rc<Self>, now: Instant, mut job: W::Job) -> Instant {
        if self.working.get() {
            self.schedule.borrow_mut().push(W::member(&job), job);
            self.resumption.changed.notify_one();
            return now;
        }
        let mut after = now;
        if self.worker.is_ready() && self.at_once.may_begin(now) {
            let (progress, ended) = self.work_at_once(now, &mut job);
            if progress == JobProgress::Done {
                return ended;
            }
            after = ended;
        }
        self.schedule.borrow_mut().push(W::member(&job), job);
        self.working.set(true);
        let own = Rc::clone(self);
        actix_rt::spawn(async move {
            // A panic beside a unit of work ends the slice, not the stage.
            while AssertUnwindSafe(own.work()).catch_unwind().await.is_err() {}
        });
        after
    }

    /// Works on the only job there is, for a millisecond at most. Returns when it ended as well.
    fn work_at_once(&self, begun: Instant, job: &mut W::Job) -> (JobProgress, Instant) {
        let (progress, ended) = loop {
            let progress = self.step(job);
            let now = Instant::now();
            if progress != JobProgress::More || now.saturating_duration_since(begun) >= AT_ONCE {
                break (progress, now);
            }
        };
        self.at_once.used(ended.saturating_duration_since(begun));
        (progress, ended)
    }

    async fn work(&self) {
        while !self.schedule.borrow().is_empty() {
            tokio::task::yield_now().await;
            self.worker.ready().await;
            self.slice();
            if !self.schedule.borrow().is_ready() && self.schedule.borrow().is_blocked() {
                self.blocked().await;
            }
        }
        // Of a slice that ended in a panic.
        self.worker.pass_on();
        self.working.set(false);
    }

    /// Waits until a blocked job has continued or may continue, or another job arrives.
    async fn blocked(&self) {
        let tried = self.gate.freed(|| {
            self.schedule.borrow_mut().unblock();
            self.slice();
            self.schedule.borrow().is_ready() || !self.schedule.borrow().is_blocked()
        });
        tokio::select! {
            () = tried => {}
            () = self.resumption.changed.notified() => {}
        }
    }

    fn slice(&self) {
        let mut schedule = self.schedule.borrow_mut();
        if self.resumption.due.take() {
            schedule.unblock();
        }
        schedule.work(SLICE, || self.epoch.elapsed(), |job| self.step(job));
        drop(schedule);
        self.worker.pass_on();
    }

    fn step(&self, job: &mut W::Job) -> JobProgress {
        let step = catch_unwind(AssertUnwindSafe(|| self.worker.step(job)));
        step.unwrap_or_else(|_| self.worker.panicked(job))
    }
}
