//! How a stage shares its thread: it works for a slice of time, yields to other tasks of the thread, and continues.
//! Within a slice the members that have jobs take turns; see [`super::fairness::Schedule`]. A panic costs only the unit
//! of work in which it happens.

use std::cell::{Cell, RefCell};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fairness::{Progress, Schedule, Slice};
use super::gate::Gate;

/// With two such stages on a thread, a request waits at most two slices and two units of work.
const SLICE: Slice = Slice { length: Duration::from_millis(1), turn: Duration::from_micros(100) };

/// What a stage does with its jobs.
pub trait Worker: 'static {
    /// Identifies whose jobs take turns.
    type Member: Ord + Hash + Clone + 'static;
    /// A piece of work that is done in units.
    type Job: 'static;

    /// Does one bounded unit of a job.
    fn step(&self, job: &mut Self::Job) -> Progress;

    /// A unit of the job has panicked.
    fn panicked(&self, job: &mut Self::Job) -> Progress;

    /// The slice is over.
    fn finish_slice(&self) {}

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
    pushed: tokio::sync::Notify,
    /// Times of slices are relative to this.
    epoch: Instant,
}

impl<W: Worker> Turns<W> {
    /// Starts without jobs.
    pub fn new(worker: W, gate: Arc<Gate>) -> Rc<Self> {
        Rc::new(Self {
            worker,
            gate,
            schedule: RefCell::new(Schedule::default()),
            working: Cell::new(false),
            pushed: tokio::sync::Notify::new(),
            epoch: Instant::now(),
        })
    }

    /// Adds a job. If there is no other job, it begins at once.
    pub fn push(self: &Rc<Self>, member: W::Member, job: W::Job) {
        let is_alone = !self.working.get() && self.schedule.borrow().is_empty() && self.worker.is_ready();
        let Some(job) = (if is_alone { self.try_alone(job) } else { Some(job) }) else { return };
        self.schedule.borrow_mut().push(member, job);
        if self.working.get() {
            return self.pushed.notify_one();
        }
        if self.worker.is_ready() {
            self.slice();
        }
        if !self.schedule.borrow().is_empty() {
            self.working.set(true);
            actix_rt::spawn(Rc::clone(self).work());
        }
    }

    /// Works at a lone job for one turn. Nobody else waits for this turn, so it is charged to no member. Returns the job
    /// if it is not done: most are, and need no place in the schedule.
    fn try_alone(&self, mut job: W::Job) -> Option<W::Job> {
        let begun = Instant::now();
        let progress = loop {
            let progress = self.step(&mut job);
            if progress != Progress::More || begun.elapsed() >= SLICE.turn {
                break progress;
            }
        };
        self.worker.finish_slice();
        (progress != Progress::Done).then_some(job)
    }

    fn step(&self, job: &mut W::Job) -> Progress {
        let step = catch_unwind(AssertUnwindSafe(|| self.worker.step(job)));
        step.unwrap_or_else(|_| self.worker.panicked(job))
    }

    async fn work(self: Rc<Self>) {
        while !self.schedule.borrow().is_empty() {
            tokio::task::yield_now().await;
            self.worker.ready().await;
            self.slice();
            if !self.schedule.borrow().is_ready() && self.schedule.borrow().is_blocked() {
                self.blocked().await;
            }
        }
        self.working.set(false);
    }

    /// Waits until a blocked job has continued or another job arrives.
    async fn blocked(&self) {
        let tried = self.gate.freed(|| {
            self.schedule.borrow_mut().unblock();
            self.slice();
            self.schedule.borrow().is_ready() || !self.schedule.borrow().is_blocked()
        });
        tokio::select! {
            () = tried => {}
            () = self.pushed.notified() => {}
        }
    }

    fn slice(&self) {
        let mut schedule = self.schedule.borrow_mut();
        schedule.work(SLICE, || self.epoch.elapsed(), |job| self.step(job));
        drop(schedule);
        self.worker.finish_slice();
    }
}
