//! Work that would delay a thread of the server runs here, on a few threads of its own. Members take turns by start-time
//! fair queueing, and each has at most one thread at a time, so that other members wait less. These threads have a lower
//! priority than the others of the node, so that those run at once when they have something to do.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::fairness::StartTimes;

/// Input up to this size is worked on where it is: it takes a millisecond at most.
pub const AT_ONCE_BYTES: usize = 16 << 10;
/// How long a thread without work is kept.
const IDLE_FOR: Duration = Duration::from_secs(10);
/// How much lower the priority of these threads is. While the processors are busy, such a thread still gets a third of the
/// time of another, so that no request waits for ever.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// The work ended in a panic, which the log has; or its thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a panic ended the work")]
pub struct JobPanicked;

type BackgroundJob = Box<dyn FnOnce() + Send>;

/// Threads for the work of members `K`. A request waits for each job, so there are at most as many jobs as requests.
pub struct Background<K>(Arc<BackgroundShared<K>>);

struct BackgroundShared<K> {
    threads_max: usize,
    state: Mutex<BackgroundState<K>>,
    /// There is work for an idle thread.
    work: Condvar,
}

struct BackgroundState<K> {
    turns: StartTimes<K>,
    /// What waits of each member that waits or has its turn.
    jobs: HashMap<K, VecDeque<BackgroundJob>>,
    threads: usize,
    /// Threads that wait for work, and how many of them were told of some.
    idle: usize,
    woken: usize,
}

/// Which thread does a job that arrived.
#[derive(Debug, PartialEq, Eq)]
enum Assignment {
    /// One that works already.
    Working,
    /// One that waits for work.
    Idle,
    /// A new one.
    New,
}

impl<K: Ord + Hash + Clone + Send + 'static> Background<K> {
    /// At most this many threads, which are started as there is work.
    pub fn new(threads_max: usize) -> Self {
        let turns = StartTimes::default();
        let state = BackgroundState { turns, jobs: HashMap::new(), threads: 0, idle: 0, woken: 0 };
        let (state, work) = (Mutex::new(state), Condvar::new());
        Self(Arc::new(BackgroundShared { threads_max: threads_max.max(1), state, work }))
    }

    /// Does a member's work when it has its turn. The returned future has the result; if it is dropped before, the work
    /// is not begun.
    pub fn run<T: Send + 'static, W: FnOnce() -> T + Send + 'static>(
        &self,
        member: K,
        work: W,
    ) -> impl Future<Output = Result<T, JobPanicked>> + use<K, T, W> {
        let (done, result) = oneshot::channel();
        let job = move || {
            if !done.is_closed() {
                let _ = done.send(work());
            }
        };
        let assignment = self.0.state().push(member, Box::new(job), self.0.threads_max);
        match assignment {
            Assignment::Working => {}
            Assignment::Idle => self.0.work.notify_one(),
            Assignment::New => self.start_thread(),
        }
        async move { result.await.map_err(|_| JobPanicked) }
    }

    fn start_thread(&self) {
        let inner = Arc::clone(&self.0);
        let work = move || {
            lower_priority();
            inner.work();
        };
        if let Err(error) = thread::Builder::new().name("background".to_owned()).spawn(work) {
            tracing::warn!(%error, "no thread can be started for large requests; this one does the work");
            self.0.work_off(self.0.state()).threads -= 1;
        }
    }
}

impl<K: Ord + Hash + Clone> BackgroundShared<K> {
    fn state(&self) -> MutexGuard<'_, BackgroundState<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until nothing has come for [`IDLE_FOR`].
    fn work(&self) {
        let mut state = self.state();
        loop {
            state = self.work_off(state);
            state.idle += 1;
            let waiting = self.work.wait_timeout_while(state, IDLE_FOR, |state| state.woken == 0);
            state = waiting.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
            match state.woken.checked_sub(1) {
                Some(woken) => state.woken = woken,
                None => break,
            }
        }
        state.threads -= 1;
    }

    /// Works until nothing waits.
    fn work_off<'a>(&'a self, mut state: MutexGuard<'a, BackgroundState<K>>) -> MutexGuard<'a, BackgroundState<K>> {
        while let Some(turn) = state.turns.begin() {
            let job = state.jobs.get_mut(&turn.member).and_then(VecDeque::pop_front);
            drop(state);
            let begun = Instant::now();
            // The log has the panic's message; the waiting caller gets an error.
            let _ = catch_unwind(AssertUnwindSafe(|| job.map(|job| job())));
            let cost = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            // A thread that wakes up does not displace this one before the system's time slice is over.
            thread::yield_now();
            state = self.state();
            let again = state.jobs.get(&turn.member).is_some_and(|jobs| !jobs.is_empty());
            if !again {
                state.jobs.remove(&turn.member);
            }
            state.turns.end(turn, cost, again);
        }
        state
    }
}

/// Where the system has no priority for a single thread, it stays as it is.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "the priority of a thread cannot be lowered");
    }
}

impl<K: Ord + Hash + Clone> BackgroundState<K> {
    fn push(&mut self, member: K, job: BackgroundJob, threads_max: usize) -> Assignment {
        match self.jobs.get_mut(&member) {
            Some(jobs) => jobs.push_back(job),
            None => {
                self.jobs.insert(member.clone(), VecDeque::from([job]));
                self.turns.enter(member);
            }
        }
        if !self.turns.is_ready() {
            return Assignment::Working;
        }
        if self.idle > self.woken {
            self.woken += 1;
            return Assignment::Idle;
        }
        if self.threads >= threads_max {
            return Assignment::Working;
        }
        self.threads += 1;
        Assignment::New
    }
}

impl<K> Clone for Background<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> fmt::Debug for Background<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background").field("threads_max", &self.0.threads_max).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::future::join_all;

    use super::*;
    use crate::flow::probe::soon;

    #[actix_rt::test]
    async fn a_member_has_one_thread_and_another_finds_one_at_once() {
        let background = Background::new(2);
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let flood = join_all((0..20).map(|_| {
            let held = Arc::clone(&held);
            background.run("flood", move || held.lock().expect("no panic").recv().is_ok())
        }));
        for number in 0..100 {
            assert_eq!(soon(background.run("other", move || number)).await, Ok(number), "it waits for the flood");
        }
        (0..20).for_each(|_| release.send(()).expect("a job waits"));
        assert!(soon(flood).await.iter().all(|done| *done == Ok(true)));
        // A caller has its result a moment before the thread is done with the job.
        let emptied = async {
            while !background.0.state().jobs.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        soon(emptied).await;
    }

    #[actix_rt::test]
    async fn on_one_thread_members_take_turns() {
        let background = Background::new(1);
        let order = Arc::new(Mutex::new(Vec::new()));
        let (release, held) = mpsc::channel::<()>();
        let first = background.run("flood", move || held.recv().is_ok());
        let names = ["flood"; 10].into_iter().chain(["other"]);
        let others = join_all(names.map(|name| {
            let order = Arc::clone(&order);
            background.run(name, move || order.lock().expect("no panic").push(name))
        }));
        release.send(()).expect("a job waits");
        soon(futures_util::future::join(first, others)).await.0.expect("no panic");
        let order = order.lock().expect("no panic");
        assert_eq!((order[0], order.len()), ("other", 11), "{order:?}");
    }

    #[actix_rt::test]
    async fn a_panic_costs_its_own_work_and_what_no_caller_waits_for_is_not_begun() {
        let background = Background::new(1);
        let failed = soon(background.run("a", || -> u8 { panic!("a drill") })).await;
        assert_eq!(failed, Err(JobPanicked));
        assert_eq!(soon(background.run("a", || 7)).await, Ok(7));
        let (begun, seen) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let first = background.run("a", move || held.recv().is_ok());
        drop(background.run("a", move || begun.send(())));
        release.send(()).expect("a job waits");
        assert_eq!(soon(first).await, Ok(true));
        assert_eq!(soon(background.run("a", || 8)).await, Ok(8));
        assert!(seen.try_recv().is_err(), "it was begun");
    }
}
