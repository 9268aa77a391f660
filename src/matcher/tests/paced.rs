//! Paced requests, parts of which a journal keeps while others are sent already.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::*;
use crate::flow::journal::{
    AcceptJournal, JournaledFirings, JournaledRequests, NotKept, PartToJournal, RequestJournal,
};
use crate::flow::probe::EndedFirings;

/// What the next calls result in; further ones succeed. And what was kept.
#[derive(Debug, Default)]
struct Script {
    results: Mutex<VecDeque<Result<(), NotKept>>>,
    kept: Mutex<Vec<String>>,
}

impl Script {
    fn next(&self) -> Result<(), NotKept> {
        self.results.lock().expect("whole").pop_front().unwrap_or(Ok(()))
    }
}

#[derive(Debug)]
struct Scripted(Arc<Script>);

impl AcceptJournal for Scripted {
    fn write_requests(
        &self,
        _: &[PartToJournal<'_>],
        _: &dyn Fn() -> Box<dyn std::any::Any + Send>,
    ) -> JournaledRequests {
        panic!("not all firings are known");
    }

    fn begin_request(&self) -> Box<dyn RequestJournal> {
        Box::new(Self(Arc::clone(&self.0)))
    }
}

impl RequestJournal for Scripted {
    fn add(&mut self, parts: &[PartToJournal<'_>]) -> Result<Vec<JournaledFirings>, NotKept> {
        self.0.next()?;
        let mut kept = self.0.kept.lock().expect("whole");
        kept.extend(parts.iter().map(|part| part.event.identity().id().to_owned()));
        let firings = |part: &PartToJournal<'_>| u32::try_from(part.firings.len()).expect("few");
        let entry = Arc::<EndedFirings>::default();
        Ok(parts.iter().map(|part| JournaledFirings::new(Arc::clone(&entry) as _, 0..firings(part))).collect())
    }

    fn commit(&mut self, _: Box<dyn std::any::Any + Send>) -> Result<(), NotKept> {
        self.0.next()?;
        self.0.kept.lock().expect("whole").push("committed".to_owned());
        Ok(())
    }
}

const EVENTS: usize = 6;

/// A request of which one event is found when it is accepted.
struct PacedRequest {
    _alone: Alone,
    script: Arc<Script>,
    message: FiringsMatched,
    response: oneshot::Receiver<EventsResponse>,
}

impl PacedRequest {
    async fn start(results: impl IntoIterator<Item = Result<(), NotKept>>) -> Self {
        let (alone, _) = Alone::start(vec![template_change("w"), trigger_change("t", json!({"event": "a"}))]);
        let script = Arc::new(Script::default());
        script.results.lock().expect("whole").extend(std::iter::once(Ok(())).chain(results));
        let (renderer, mut passed) = Probe::start_behind_inbox();
        let accepting = RequestAcceptor::new(
            Arc::clone(&alone.metrics),
            Some(Arc::new(Scripted(Arc::clone(&script))) as _),
            renderer,
        );
        let (tell, response) = oneshot::channel();
        let receipt = Receipt { accepted: EVENTS, rejected: Vec::new(), rejected_more: Default::default() };
        let admission = Arc::new(alone.gate.admit_default(EVENTS, Ok(receipt), tell).expect("room"));
        let context = CursorContext::new(Arc::clone(&alone.live), Arc::clone(&alone.metrics));
        let events = (0..EVENTS).map(|number| event("a", &number.to_string(), &json!({}))).collect();
        let bounds = NodeBounds { events: 16, deliveries: 1, bytes: 1 << 20, events_per_s: None };
        let mut cursor = Cursor::new(&context, &Gate::new(bounds, 1).account(&account()), events);
        while cursor.measure() == MeasureStep::More {}
        assert!(cursor.pace(), "the account has no other work");
        let cursors = smallvec![Box::new(cursor)];
        accepting.accept(MeasuredRequest { cursors, events: EVENTS, accepted_at: Instant::now(), admission });
        let message = soon(passed.recv()).await.expect("firings");
        Self { _alone: alone, script, message, response }
    }

    /// Takes all firings that there are before the journal is tried again. Returns their events, and whether there are more.
    fn fired(&mut self) -> (Vec<String>, bool) {
        let mut fired = Vec::new();
        loop {
            match self.message.firings.step() {
                FiringStep::Fired(firing) => {
                    assert!(firing.journaled.is_some());
                    fired.push(firing.event.identity().id().to_owned());
                }
                FiringStep::Worked => {}
                FiringStep::Later(time) => {
                    assert!(matches!(self.message.firings.step(), FiringStep::Blocked), "it waits");
                    std::thread::sleep(time);
                    return (fired, true);
                }
                FiringStep::Blocked => panic!("none is held"),
                FiringStep::Done => return (fired, false),
            }
        }
    }

    fn kept(&self) -> Vec<String> {
        self.script.kept.lock().expect("whole").clone()
    }
}

fn full() -> Result<(), NotKept> {
    Err(NotKept::Now(Refusal::Full(ReachedBound::Journal)))
}

fn ids(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

#[actix_rt::test]
async fn what_the_journal_has_no_room_for_waits_and_is_sent_once() {
    let found = 2;
    // Of each further event, and of the end.
    let results = [full(), full(), Ok(()), Ok(()), full(), Ok(()), Ok(()), full()];
    let mut request = PacedRequest::start(results).await;
    assert_eq!(request.fired(), (ids(0..found), true));
    assert_eq!(request.fired(), (vec![], true));
    assert_eq!(request.fired(), (ids(found..4), true));
    assert_eq!(request.fired(), (ids(4..EVENTS), true), "the end can't be written");
    assert!(request.response.try_recv().is_err() && !request.kept().contains(&"committed".to_owned()));
    assert_eq!(request.fired(), (vec![], false));
    assert_eq!(request.kept(), [ids(0..EVENTS), vec!["committed".to_owned()]].concat());
    drop(request.message);
    assert_eq!(soon(request.response).await.expect("a response").expect("a receipt").accepted, EVENTS);
}

#[actix_rt::test]
async fn a_request_that_the_journal_loses_is_refused_and_nothing_more_of_it_is_sent() {
    let results = [Ok(()), full(), Err(NotKept::Ever(Refusal::Unavailable))];
    let mut request = PacedRequest::start(results).await;
    let (fired, more) = request.fired();
    assert!(more && fired.len() < EVENTS);
    assert_eq!(request.fired(), (vec![], false));
    assert!(!request.kept().contains(&"committed".to_owned()));
    drop(request.message);
    assert_eq!(soon(request.response).await.expect("a response"), Err(Refusal::Unavailable));
}

#[actix_rt::test]
async fn a_stop_in_the_middle_refuses_the_request() {
    let mut request = PacedRequest::start([Ok(()), full()]).await;
    assert!(request.fired().1);
    drop(request.message);
    assert_eq!(soon(request.response).await.expect("a response"), Err(Refusal::Stopping));
}
