//! Jobs that share a thread. Each is done in units of bounded work. A slice of time is divided between the members that
//! have jobs by start-time fair queueing; each member's jobs are done in the order of their arrival, but for one that lets
//! the others go first. Time is an argument.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

use foldhash::HashMap;

use super::start_times::StartTimes;

/// The result of one unit of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobProgress {
    /// There is more to do.
    More,
    /// There is more to do, but not before [`Schedule::unblock`].
    Blocked,
    /// The same, and the member's other jobs need not wait: it may wait for what they hold.
    Aside,
    /// The job is done.
    Done,
}

/// The lengths of time that members work.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// All members together, before other tasks of the thread get their turn.
    pub length: Duration,
    /// One member, while another has work.
    pub turn: Duration,
}

/// Jobs `J` of members `K`.
#[derive(Debug)]
pub struct Schedule<K, J> {
    turns: StartTimes<K>,
    jobs: HashMap<K, VecDeque<J>>,
    /// Members whose first job is blocked.
    blocked: Vec<K>,
    /// Those of them whose only job lets others go first.
    aside: Vec<K>,
}

impl<K: Ord, J> Default for Schedule<K, J> {
    fn default() -> Self {
        Self { turns: StartTimes::default(), jobs: HashMap::default(), blocked: Vec::new(), aside: Vec::new() }
    }
}

impl<K: Ord + Hash + Clone, J> Schedule<K, J> {
    /// Whether there is no job.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether a job can be worked on.
    pub fn is_ready(&self) -> bool {
        self.turns.is_ready()
    }

    /// Whether a job is blocked until [`Schedule::unblock`].
    pub fn is_blocked(&self) -> bool {
        !self.blocked.is_empty()
    }

    /// Adds a job behind the others of its member, or before the only one if that lets others go first.
    pub fn push(&mut self, member: K, job: J) {
        match self.jobs.get_mut(&member) {
            Some(jobs) => match self.aside.iter().position(|aside| *aside == member) {
                Some(place) => {
                    jobs.push_front(job);
                    self.aside.swap_remove(place);
                    self.blocked.retain(|blocked| *blocked != member);
                    self.turns.enter(member);
                }
                None => jobs.push_back(job),
            },
            None => {
                self.jobs.insert(member.clone(), VecDeque::from([job]));
                self.turns.enter(member);
            }
        }
    }

    /// Lets blocked jobs try again.
    pub fn unblock(&mut self) {
        self.aside.clear();
        self.blocked.drain(..).for_each(|member| self.turns.enter(member));
    }

    /// Works for one slice, measured by the clock `now`. `work` does one unit of a job.
    pub fn work(
        &mut self,
        slice: Slice,
        mut now: impl FnMut() -> Duration,
        mut work: impl FnMut(&mut J) -> JobProgress,
    ) {
        let begun = now();
        let mut time = begun;
        while time.saturating_sub(begun) < slice.length {
            let Some(turn) = self.turns.begin() else { break };
            let turn_begun = time;
            let jobs = self.jobs.get_mut(&turn.member).expect("a member that has a turn has a job");
            let again = loop {
                let progress = jobs.front_mut().map_or(JobProgress::Done, &mut work);
                time = now();
                match progress {
                    JobProgress::Done => {
                        jobs.pop_front();
                        if jobs.is_empty() {
                            self.jobs.remove(&turn.member);
                            break false;
                        }
                    }
                    JobProgress::Aside if jobs.len() > 1 => jobs.rotate_left(1),
                    JobProgress::Blocked | JobProgress::Aside => {
                        if progress == JobProgress::Aside {
                            self.aside.push(turn.member.clone());
                        }
                        self.blocked.push(turn.member.clone());
                        break false;
                    }
                    JobProgress::More => {}
                }
                if time.saturating_sub(turn_begun) >= slice.turn || time.saturating_sub(begun) >= slice.length {
                    break true;
                }
            };
            let cost = u64::try_from(time.saturating_sub(turn_begun).as_nanos()).unwrap_or(u64::MAX);
            self.turns.end(turn, cost, again);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    const SLICE: Slice = Slice { length: Duration::from_millis(1), turn: Duration::from_micros(100) };

    /// A clock that each unit of work advances.
    #[derive(Default)]
    struct Clock(Cell<Duration>);

    impl Clock {
        fn spend(&self, micros: u64) {
            self.0.set(self.0.get() + Duration::from_micros(micros));
        }
    }

    #[test]
    fn a_slice_ends_by_time_and_members_take_turns() {
        let (mut schedule, clock) = (Schedule::default(), Clock::default());
        let mut done = HashMap::default();
        // One member's jobs have units of 13 ms, the other's of 10 µs.
        schedule.push("slow", ("slow", 100, 13_000));
        schedule.push("quick", ("quick", 1_000, 10));
        for _ in 0..50 {
            let begun = clock.0.get();
            schedule.work(
                SLICE,
                || clock.0.get(),
                |(name, units, micros)| {
                    clock.spend(*micros);
                    *done.entry(*name).or_insert(0_u64) += *micros;
                    *units -= 1;
                    if *units == 0 { JobProgress::Done } else { JobProgress::More }
                },
            );
            let took = clock.0.get() - begun;
            assert!(took < SLICE.length + Duration::from_millis(13), "{took:?}");
        }
        assert_eq!(done["quick"], 10_000, "it waited for the other member: {done:?}");
    }

    #[test]
    fn a_blocked_member_delays_no_other_and_resumes_the_same_job() {
        let (mut schedule, clock) = (Schedule::default(), Clock::default());
        for job in ["a1", "a2", "b1"] {
            schedule.push(&job[..1], job);
        }
        let mut done = Vec::new();
        let open = Cell::new(false);
        let work = |schedule: &mut Schedule<_, _>, done: &mut Vec<_>| {
            schedule.work(
                SLICE,
                || clock.0.get(),
                |job: &mut &str| {
                    if *job == "a1" && !open.get() {
                        return JobProgress::Blocked;
                    }
                    done.push(*job);
                    JobProgress::Done
                },
            );
        };
        work(&mut schedule, &mut done);
        assert_eq!(done, ["b1"]);
        assert!(schedule.is_blocked() && !schedule.is_ready());
        open.set(true);
        schedule.unblock();
        work(&mut schedule, &mut done);
        assert_eq!(done, ["b1", "a1", "a2"]);
        assert!(schedule.is_empty());
    }

    #[test]
    fn a_job_that_waits_for_the_others_of_its_member_lets_them_go_first() {
        let (mut schedule, clock) = (Schedule::default(), Clock::default());
        for job in ["paced", "one", "two"] {
            schedule.push((), job);
        }
        let (mut done, mut tries, open) = (Vec::new(), 0, Cell::new(false));
        let mut work = |schedule: &mut Schedule<_, _>| {
            schedule.work(
                SLICE,
                || clock.0.get(),
                |job: &mut &str| {
                    tries += 1;
                    // It does one part when three others are done, and the rest when that is said.
                    if *job == "paced" && done.len() != 3 && !open.get() {
                        return JobProgress::Aside;
                    }
                    done.push(*job);
                    if *job == "paced" && done.len() < 5 { JobProgress::More } else { JobProgress::Done }
                },
            );
            (done.clone(), tries)
        };
        assert_eq!(work(&mut schedule), (vec!["one", "two"], 4), "it was tried before and after them");
        assert!(schedule.is_blocked() && !schedule.is_ready());
        schedule.push((), "three");
        schedule.push((), "four");
        assert!(schedule.is_ready() && !schedule.is_blocked(), "another job need not wait for it");
        assert_eq!(work(&mut schedule).0, ["one", "two", "three", "paced", "four"]);
        assert!(!schedule.is_ready() && schedule.is_blocked());
        open.set(true);
        schedule.unblock();
        assert_eq!(work(&mut schedule).0.last(), Some(&"paced"));
        assert!(schedule.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Each member's jobs are done in order and completely. While two members have work, the times that they got
        /// differ by at most a turn and a unit of each.
        #[test]
        fn members_have_the_same_time(
            members in proptest::collection::vec(proptest::collection::vec((1_u32..20, 1_u64..300), 1..10), 1..5)
        ) {
            let (mut schedule, clock) = (Schedule::default(), Clock::default());
            for (member, jobs) in members.iter().enumerate() {
                for (number, (units, micros)) in jobs.iter().enumerate() {
                    schedule.push(member, (member, number, *units, *micros));
                }
            }
            let (mut had, mut done) = (vec![0_u64; members.len()], vec![0; members.len()]);
            let bound = 2 * (100 + 300);
            while !schedule.is_empty() {
                schedule.work(SLICE, || clock.0.get(), |(member, number, units, micros)| {
                    clock.spend(*micros);
                    had[*member] += *micros;
                    assert_eq!(*number, done[*member]);
                    *units -= 1;
                    done[*member] += usize::from(*units == 0);
                    let waiting: Vec<_> = (0..had.len()).filter(|own| done[*own] < members[*own].len()).collect();
                    for one in &waiting {
                        for other in &waiting {
                            assert!(had[*one].abs_diff(had[*other]) <= bound, "{had:?}");
                        }
                    }
                    if *units == 0 { JobProgress::Done } else { JobProgress::More }
                });
            }
            prop_assert!(done.iter().zip(&members).all(|(done, jobs)| *done == jobs.len()));
        }
    }
}
