//! Turns the events of one account in one request into firings. A cursor is at one candidate of one event and can
//! be resumed there, so that each step is a bounded piece of work. First it counts the deliveries and charges them to
//! the account; then it hands out the firings one by one. If there are more than the account may hold, the rest is
//! matched only as the account has room.

use std::cell::{OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::fired_event::{FiredEvent, FiredEvents, FoundTriggers};
use super::unfinished::UnfinishedRequest;
use crate::flow::account::{AccountShares, RequestDeliveries};
use crate::flow::drill;
use crate::flow::event_data::EventData;
use crate::flow::in_flight::drop_unsent;
use crate::flow::journal::{JournaledFirings, NotKept};
use crate::flow::messages::{Firing, FiringStep, Firings, LiveTemplate, SMALL_REQUEST};
use crate::flow::refusal::Refusal;
use crate::live::{Live, LiveTrigger};
use crate::matching::index::{Search, SearchEnd};
use crate::model::event::{Event, EventIdentity};
use crate::model::firing::FiringId;
use crate::model::id::TemplateId;
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::{Metrics, OwnNumbers, Total};

/// Triggers that are found in one step.
const FOUND_AT_ONCE: usize = 32;
/// Matching steps after which a step of the cursor ends: some ten microseconds. The filter of the last trigger may take its
/// own steps beyond that, `matching.steps_per_trigger_max`.
const STEPS_AT_ONCE: usize = 4_096;
/// What the journal could not keep is tried again after this time.
const KEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What all cursors of a thread need.
#[derive(Debug)]
pub(super) struct CursorContext {
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    /// How many firings this thread has found.
    matched: OwnNumbers<Total>,
    /// The search that was made last: most requests are of the account, and have events of the type, of the one before.
    last: RefCell<Option<Box<TypeSearch>>>,
}

impl CursorContext {
    pub(super) fn new(live: Arc<Live>, metrics: Arc<Metrics>) -> Rc<Self> {
        Rc::new(Self { live, matched: metrics.events.firings_matched.own(), metrics, last: RefCell::default() })
    }

    /// Keeps no search beyond the thread's turn: it holds a part of the index, which may be as large as all of it and be
    /// replaced before the next event.
    pub(super) fn forget_search(&self) {
        self.last.take();
    }
}

/// A search among the listeners of an account to events of one type, which begins again for each event.
#[derive(Debug)]
struct TypeSearch {
    /// The version of what it is made among.
    version: u64,
    /// An event that it was made for.
    like: EventIdentity,
    search: Search<LiveTrigger>,
    /// The template of the first trigger that was found.
    template: Option<Arc<LiveTemplate>>,
}

impl TypeSearch {
    fn is_among(&self, version: u64, event: &EventIdentity) -> bool {
        self.version == version && self.is_of_type(event) && self.like.account() == event.account()
    }

    fn is_of_type(&self, event: &EventIdentity) -> bool {
        self.like.event_type() == event.event_type()
    }
}

/// One for each account of a request. Each is passed on as it is.
pub(super) type Cursors = SmallVec<[Box<Cursor>; 1]>;

/// Events of one account, some of them not matched yet.
#[derive(Debug)]
pub(super) struct Cursor {
    context: Rc<CursorContext>,
    deliveries: RequestDeliveries,
    /// The first one is being matched, or is next.
    events: std::vec::IntoIter<Event>,
    /// What the first event fires, as far as its candidates were checked; `None`: none was.
    found: Option<SmallVec<FoundTriggers>>,
    /// Until there are no more events.
    search: Option<Box<TypeSearch>>,
    /// The template that was looked up last.
    template: Option<Arc<LiveTemplate>>,
    fired: FiredEvents,
    /// Set if more firings may be found after acceptance, which the journal must keep.
    unfinished: Option<UnfinishedRequest>,
    /// An event that the journal could not keep yet.
    unkept: Option<Box<FiredEvent>>,
    /// The journal is not tried again before.
    kept_again_at: Option<Instant>,
}

/// The result of a step that checks candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SearchStep {
    Worked,
    /// The journal can't keep more now.
    Unkept,
    /// There are no more events.
    Done,
}

/// The result of one step of measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MeasureStep {
    /// There are more candidates.
    More,
    /// The account may not hold that many deliveries.
    Over,
    /// All deliveries are charged.
    Done,
}

impl Cursor {
    pub(super) fn new(context: &Rc<CursorContext>, account: &Arc<AccountShares>, events: Vec<Event>) -> Self {
        Self {
            context: Rc::clone(context),
            deliveries: account.measure(),
            events: events.into_iter(),
            found: None,
            search: None,
            template: None,
            fired: FiredEvents::default(),
            unfinished: None,
            unkept: None,
            kept_again_at: None,
        }
    }

    /// Whether the events fire nothing. Only meaningful once it is measured.
    pub(super) fn is_empty(&self) -> bool {
        self.fired.is_empty() && self.events.len() == 0
    }

    /// Checks some candidates and charges what they fire.
    pub(super) fn measure(&mut self) -> MeasureStep {
        let before = self.fired.len();
        // Nothing is kept before the request is accepted.
        if self.advance() != SearchStep::Worked {
            return MeasureStep::Done;
        }
        if self.events.len() == 0 {
            self.pass_search_on();
        }
        match self.fired.last().filter(|_| self.fired.len() > before) {
            Some(fired) if !self.deliveries.add(fired.triggers.len()) => MeasureStep::Over,
            _ if self.events.len() == 0 => MeasureStep::Done,
            _ => MeasureStep::More,
        }
    }

    /// All deliveries may be made.
    pub(super) fn accept(&mut self) {
        self.deliveries.accept();
    }

    /// The account's bound is exceeded. True: the deliveries may be made as the account has room.
    pub(super) fn pace(&mut self) -> bool {
        self.deliveries.pace()
    }

    /// Checks some candidates of one event.
    fn advance(&mut self) -> SearchStep {
        if let Some(fired) = self.unkept.take() {
            self.push(*fired);
        } else if self.events.len() == 0 {
            return self.finish();
        } else {
            self.search_first();
        }
        if self.unkept.is_some() { SearchStep::Unkept } else { SearchStep::Worked }
    }

    fn search_first(&mut self) {
        // A panic over one event costs that event only.
        match catch_unwind(AssertUnwindSafe(|| self.search_some())) {
            Ok(SearchEnd::Paused) => {}
            Ok(ended) => self.end_search(ended),
            Err(_) => {
                self.context.metrics.deliveries.dropped.inc(DropReason::Panic);
                (self.search, self.found) = (None, None);
                self.events.next();
            }
        }
    }

    /// There are no more events.
    fn finish(&mut self) -> SearchStep {
        match self.unfinished.as_ref().map(UnfinishedRequest::finish) {
            Some(Err(NotKept::Now(_))) => return SearchStep::Unkept,
            Some(Err(NotKept::Ever(refusal))) => self.lose(&refusal),
            Some(Ok(())) | None => {}
        }
        self.unfinished = None;
        SearchStep::Done
    }

    /// Checks some candidates of the first event.
    fn search_some(&mut self) -> SearchEnd {
        drill::point(drill::Stage::Matcher);
        let Some(event) = self.events.as_slice().first() else { return SearchEnd::Complete };
        let Some(data) = event.data.object() else { return SearchEnd::Complete };
        let CursorContext { live, last, .. } = &*self.context;
        let (index, id, like) = (OnceCell::new(), &self.deliveries.account().id, &event.identity);
        let account = || index.get_or_init(|| live.index()).account(id);
        let found = self.found.get_or_insert_with(|| {
            if let Some(own) = self.search.as_mut().filter(|own| own.is_of_type(like)) {
                own.search.restart(live.matching());
                return SmallVec::new();
            }
            // Read before the index, which may then be newer, but not older.
            let version = live.version();
            let last = last.take().filter(|last| last.is_among(version, like));
            self.search = last.or_else(|| {
                let buckets = account().into_iter().flat_map(|account| account.listeners(like.event_type()));
                let search = Search::new(buckets, live.matching());
                Some(Box::new(TypeSearch { version, like: like.clone(), search, template: None }))
            });
            SmallVec::new()
        });
        let Some(own) = &mut self.search else { return SearchEnd::Complete };
        let end = found.len() + FOUND_AT_ONCE;
        let ended = own.search.run(data, STEPS_AT_ONCE, |trigger| {
            found.push(Arc::clone(trigger));
            found.len() < end
        });
        if let (None, Some(first)) = (&own.template, found.first()) {
            // Most requests need no other template.
            own.template = account().and_then(|account| account.template(&first.template));
        }
        ended
    }

    /// There are no more events. The firings keep the template, and the next cursor may have the search.
    fn pass_search_on(&mut self) {
        if let Some(mut own) = self.search.take() {
            own.search.restart(self.context.live.matching());
            self.template.clone_from(&own.template);
            self.context.last.replace(Some(own));
        }
    }

    /// All candidates of the first event were checked, or its steps were used up: nothing is known then of the triggers
    /// that were not looked at.
    fn end_search(&mut self, ended: SearchEnd) {
        if ended == SearchEnd::TooCostly {
            self.context.metrics.deliveries.dropped.inc(DropReason::FilterTooCostly);
        }
        // An event is large: one at a time, it is moved once.
        let Some(found) = self.found.take() else { return drop(self.events.next()) };
        let Some(event) = self.events.next() else { return };
        let too_costly = self.search.as_ref().map_or(&[][..], |own| own.search.too_costly());
        if found.is_empty() && too_costly.is_empty() {
            return;
        }
        let fired = FiredEvent { event: Arc::new(EventData::of(event)), triggers: found.into_iter(), journaled: None };
        for trigger in too_costly {
            drop_too_costly(&self.context.metrics, &fired, trigger);
        }
        if fired.triggers.len() > 0 {
            self.push(fired);
        }
    }

    /// An event is matched. If its request is accepted already, the event is kept before its firings are handed on.
    fn push(&mut self, mut fired: FiredEvent) {
        match self.unfinished.as_ref().map(|unfinished| unfinished.add(&fired)) {
            Some(Ok(journaled)) => fired.journaled = journaled,
            Some(Err(NotKept::Now(_))) => return self.unkept = Some(Box::new(fired)),
            Some(Err(NotKept::Ever(refusal))) => return self.lose(&refusal),
            None => {}
        }
        self.fired.push(fired);
    }

    /// The rest of the request is dropped: its producer gets the response that it was not accepted.
    fn lose(&mut self, refusal: &Refusal) {
        if self.unfinished.take().is_some_and(|unfinished| unfinished.lose(refusal)) {
            refusal.count(&self.context.metrics);
        }
        self.events = Vec::new().into_iter();
        self.fired = FiredEvents::default();
    }

    /// Whether it may find more.
    pub(super) fn is_unfinished(&self) -> bool {
        self.events.len() > 0
    }

    /// The matched events that fire something.
    pub(super) fn fired(&self) -> impl Iterator<Item = &FiredEvent> {
        self.fired.iter()
    }

    /// The firings found so far are in the journal: each gets its handle.
    pub(super) fn set_journaled(
        &mut self,
        journaled: &mut impl Iterator<Item = JournaledFirings>,
        unfinished: Option<&UnfinishedRequest>,
    ) {
        for fired in self.fired.iter_mut() {
            fired.journaled = journaled.next();
        }
        self.unfinished = unfinished.filter(|_| self.is_unfinished()).cloned();
    }

    fn template(&mut self, id: &TemplateId) -> Option<Arc<LiveTemplate>> {
        if self.template.as_ref().is_none_or(|last| last.id != *id) {
            self.template = self.context.live.index().template(&self.deliveries.account().id, id);
        }
        // The last firing takes it along.
        if self.is_done() { self.template.take() } else { self.template.clone() }
    }

    /// Looks for more firings, unless the journal could not keep some a moment ago: each delivery of the account that begins
    /// wakes its jobs.
    fn find_more(&mut self) -> FiringStep {
        if self.kept_again_at.is_some_and(|at| Instant::now() < at) {
            return FiringStep::Blocked;
        }
        match self.advance() {
            SearchStep::Worked => FiringStep::Worked,
            SearchStep::Done => FiringStep::Done,
            SearchStep::Unkept => {
                self.kept_again_at = Some(Instant::now() + KEPT_AGAIN_AFTER);
                FiringStep::Later(KEPT_AGAIN_AFTER)
            }
        }
    }
}

/// Counts a trigger that the event might have fired, and reports it to subscribers of the activity.
fn drop_too_costly(metrics: &Metrics, fired: &FiredEvent, trigger: &LiveTrigger) {
    let firing = FiringId { event: fired.event.identity().clone(), trigger: trigger.id.clone() };
    let destination = trigger.target.as_ref().ok().map(|target| &target.target.destination);
    drop_unsent(metrics, DropReason::FilterTooCostly, Some(&firing), destination, None);
}

impl Firings for Cursor {
    fn account(&self) -> &Arc<AccountShares> {
        self.deliveries.account()
    }

    fn is_done(&self) -> bool {
        self.is_empty() && self.unfinished.is_none()
    }

    fn are_few(&self) -> bool {
        !self.is_unfinished()
            && self.fired.len() <= SMALL_REQUEST
            && self.fired.iter().map(|fired| fired.triggers.len()).sum::<usize>() <= SMALL_REQUEST
    }

    fn step(&mut self) -> FiringStep {
        let Some(fired) = self.fired.first_mut() else { return self.find_more() };
        let Some(charge) = self.deliveries.take_one() else { return FiringStep::Blocked };
        let Some(trigger) = fired.triggers.next() else {
            self.fired.take_first();
            return FiringStep::Worked;
        };
        let journaled = fired.journaled.as_mut().and_then(Iterator::next);
        // The last firing of an event takes it along.
        let event = match fired.triggers.len() {
            0 => self.fired.take_first().map(|fired| fired.event),
            _ => Some(Arc::clone(&fired.event)),
        };
        let Some(event) = event else { return FiringStep::Worked };
        self.context.matched.inc_by(1);
        FiringStep::Fired(Firing {
            event,
            trigger: trigger.id.clone(),
            target: trigger.target.clone(),
            template: self.template(&trigger.template),
            charge: Some(charge),
            journaled,
            report: None,
        })
    }
}
