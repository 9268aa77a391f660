//! Requests that a journal keeps, of which there is none here: each test says what becomes of them.

use std::any::Any;
use std::sync::Mutex;

use super::*;
use crate::flow::journal::{AcceptJournal, JournaledFirings, JournaledRequests, PartToJournal, RequestJournal};
use crate::flow::probe::EndedFirings;

type Response = Box<dyn Fn(&[PartToJournal<'_>]) -> JournaledRequests + Send + Sync>;

/// Says what the test wants, and remembers what it was asked.
struct Asked {
    response: Response,
    /// The ids of the events, by request, of each write.
    writes: Mutex<Vec<Vec<Vec<String>>>>,
    /// What holds the responses.
    held: Mutex<Vec<Box<dyn Any + Send>>>,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asked")
    }
}

impl AcceptJournal for Asked {
    fn write_requests(
        &self,
        parts: &[PartToJournal<'_>],
        admissions: &dyn Fn() -> Box<dyn Any + Send>,
    ) -> JournaledRequests {
        let requests = parts.split_inclusive(|part| part.is_last);
        let ids = requests.map(|parts| parts.iter().map(|part| part.event.identity().id().to_owned()).collect());
        self.writes.lock().expect("whole").push(ids.collect());
        self.held.lock().expect("whole").push(admissions());
        (self.response)(parts)
    }

    fn begin_request(&self) -> Box<dyn RequestJournal> {
        panic!("all firings are known");
    }
}

fn all_kept(parts: &[PartToJournal<'_>]) -> JournaledRequests {
    let part = |part: &PartToJournal<'_>| {
        JournaledFirings::new(Arc::<EndedFirings>::default(), 0..u32::try_from(part.firings.len()).expect("few"))
    };
    let results = parts.iter().filter(|part| part.is_last).map(|_| Ok(())).collect();
    JournaledRequests { results, firings: parts.iter().map(part).collect() }
}

/// The last part of the stage alone.
struct Last {
    alone: Alone,
    asked: Arc<Asked>,
    accepting: RequestAcceptor,
    context: Rc<CursorContext>,
}

impl Last {
    fn start(response: Response) -> (Self, mpsc::UnboundedReceiver<FiringsMatched>) {
        let changes = vec![
            template_change("w"),
            trigger_change("one", json!({"event": "a"})),
            trigger_change("two", json!({"event": "a"})),
        ];
        let (alone, passed) = Alone::start(changes);
        let asked = Arc::new(Asked { response, writes: Mutex::default(), held: Mutex::default() });
        let journal: Option<Arc<dyn AcceptJournal>> = Some(Arc::clone(&asked) as _);
        drop(passed);
        let (renderer, passed) = Probe::start_behind_inbox();
        let metrics = Arc::clone(&alone.metrics);
        let accepting = RequestAcceptor::new(Arc::clone(&metrics), journal, renderer);
        let context = CursorContext::new(Arc::clone(&alone.live), metrics);
        (Self { alone, asked, accepting, context }, passed)
    }

    /// Accepts a request with this many events, and returns the receiver of its response.
    fn accept(&self, name: &str, events: usize) -> oneshot::Receiver<EventsResponse> {
        let (tell, response) = oneshot::channel();
        let receipt = Receipt { accepted: events, rejected: Vec::new(), rejected_more: Default::default() };
        let admission = Arc::new(self.alone.gate.admit_default(1, Ok(receipt), tell).expect("room"));
        let all = (0..events).map(|number| event("a", &format!("{name}{number}"), &json!({})));
        let mut cursor = Cursor::new(&self.context, &self.alone.gate.account(&account()), all.collect());
        while cursor.measure() == MeasureStep::More {}
        cursor.accept();
        self.accepting.accept(MeasuredRequest {
            cursors: smallvec![Box::new(cursor)],
            events,
            accepted_at: Instant::now(),
            admission,
        });
        response
    }

    fn writes(&self) -> Vec<Vec<Vec<String>>> {
        self.asked.writes.lock().expect("whole").clone()
    }
}

#[actix_rt::test]
async fn requests_of_one_moment_are_written_together_and_responded_when_that_is_safe() {
    let (last, mut passed) = Last::start(Box::new(all_kept));
    let mut responses = [last.accept("x", 1), last.accept("y", 2), last.accept("z", 1)];
    assert!(last.writes().is_empty() && passed.try_recv().is_err(), "others may come");
    last.accepting.write();
    for (request, firings_each) in [2, 4, 2].into_iter().enumerate() {
        let fired = firings(&mut soon(passed.recv()).await.expect("firings"));
        assert_eq!(fired.iter().filter(|firing| firing.journaled.is_some()).count(), firings_each, "{request}");
    }
    assert_eq!(last.writes(), [[vec!["x0"], vec!["y0", "y1"], vec!["z0"]]]);
    assert!(responses.iter_mut().all(|response| response.try_recv().is_err()), "the journal holds the responses");
    last.asked.held.lock().expect("whole").clear();
    for response in responses {
        soon(response).await.expect("a response").expect("it was accepted");
    }
    assert_eq!(last.alone.metrics.events.accepted.get(), 4);
}

#[actix_rt::test]
async fn a_refused_request_costs_none_that_is_written_with_it() {
    let refuse = |parts: &[PartToJournal<'_>]| {
        let mut kept = all_kept(parts);
        kept.results[1] = Err(Refusal::Full(ReachedBound::Journal));
        kept.firings.remove(1);
        kept
    };
    let (last, mut passed) = Last::start(Box::new(refuse));
    let responses = [last.accept("x", 1), last.accept("y", 1), last.accept("z", 1)];
    last.accepting.write();
    for name in ["x0", "z0"] {
        let fired = firings(&mut soon(passed.recv()).await.expect("firings"));
        assert_eq!(fired[0].event.identity().id(), name);
    }
    last.asked.held.lock().expect("whole").clear();
    let [x, y, z] = responses;
    soon(x).await.expect("a response").expect("it was accepted");
    soon(z).await.expect("a response").expect("it was accepted");
    assert_eq!(soon(y).await.expect("a response"), Err(Refusal::Full(ReachedBound::Journal)));
    assert!(passed.try_recv().is_err());
    assert_eq!(last.alone.metrics.events.accepted.get(), 2);
}

#[actix_rt::test]
async fn many_events_are_written_without_waiting_for_more() {
    let (last, mut passed) = Last::start(Box::new(all_kept));
    let _responses = [last.accept("x", 200), last.accept("y", 56), last.accept("z", 1)];
    let counts = |write: &Vec<Vec<String>>| write.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(last.writes().iter().map(counts).collect::<Vec<_>>(), [[200, 56]]);
    last.accepting.write();
    for _ in 0..3 {
        soon(passed.recv()).await.expect("firings");
    }
    assert_eq!(last.writes().iter().map(counts).collect::<Vec<_>>(), [vec![200, 56], vec![1]]);
}

#[actix_rt::test]
async fn after_a_panic_of_the_write_no_request_is_accepted() {
    let (last, mut passed) = Last::start(Box::new(|_| panic!("a panic of the test")));
    let responses = [last.accept("x", 1), last.accept("y", 1)];
    last.accepting.write();
    last.asked.held.lock().expect("whole").clear();
    for response in responses {
        assert_eq!(soon(response).await.expect("a response"), Err(Refusal::Panic));
    }
    assert!(passed.try_recv().is_err());
    assert_eq!(last.alone.metrics.deliveries.dropped.get(DropReason::Panic), 2);
}

#[test]
fn the_handles_of_a_part_end_each_firing_once() {
    let entry = Arc::new(EndedFirings::default());
    let mut part = JournaledFirings::new(Arc::clone(&entry) as _, 2..6);
    let (first, second) = (part.next().expect("four"), part.next().expect("four"));
    drop(second);
    assert_eq!(*entry.0.lock().expect("whole"), [3]);
    drop(part);
    assert_eq!(*entry.0.lock().expect("whole"), [3, 4, 5]);
    drop(first);
    assert_eq!(*entry.0.lock().expect("whole"), [3, 4, 5, 2]);
    assert_eq!(Arc::strong_count(&entry), 1);
}
