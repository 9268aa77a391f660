//! The events of one account in one request on their way to firings. A cursor stands at one candidate of one event and
//! can be resumed there: each step is a bounded piece of work. First it is measured how many deliveries there are to
//! be, which charges them to the account, then they are handed out one by one. Where there are more than the account
//! may hold, the rest is matched only as it has room.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use crate::flow::account::{Account, Measured, Reserved};
use crate::flow::drill;
use crate::flow::messages::{EventData, Firing, Firings, LiveTemplate, Step};
use crate::live::{Live, LiveTrigger};
use crate::model::event::{Event, EventType};
use crate::model::outcome::Dropped;
use crate::telemetry::metrics::Metrics;

/// Candidates that are looked at in one step.
const CANDIDATES_AT_ONCE: usize = 32;

/// What all cursors of a thread need.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) live: Arc<Live>,
    pub(super) metrics: Arc<Metrics>,
}

/// Events of one account, not all of them matched.
#[derive(Debug)]
pub(super) struct Cursor {
    context: Arc<Context>,
    account: Arc<Account>,
    charged: Charged,
    events: std::vec::IntoIter<Event>,
    /// Of the event type that was looked up last: most events of a request have it in common.
    listeners: Option<(EventType, Arc<[Listener]>)>,
    matching: Option<Matching>,
    fired: VecDeque<Fired>,
}

#[derive(Debug)]
enum Charged {
    Measured(Measured),
    Reserved(Reserved),
    /// Between the two.
    Nothing,
}

/// A trigger that listens to an event type.
#[derive(Debug)]
struct Listener {
    trigger: Arc<LiveTrigger>,
    /// Looked up when it first fires.
    template: OnceLock<Option<Arc<LiveTemplate>>>,
}

/// An event whose candidates are being looked at.
#[derive(Debug)]
struct Matching {
    event: Event,
    listeners: Arc<[Listener]>,
    next: usize,
    fired: Vec<u32>,
}

/// An event that was matched, and which of its listeners it fires.
#[derive(Debug)]
struct Fired {
    event: Arc<EventData>,
    listeners: Arc<[Listener]>,
    fired: std::vec::IntoIter<u32>,
}

/// How far a cursor is with its measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// There are more candidates.
    More,
    /// The account may not hold as many deliveries.
    Over,
    /// All of them are charged.
    Done,
}

impl Cursor {
    pub(super) fn new(context: &Arc<Context>, account: Arc<Account>, events: Vec<Event>) -> Self {
        Self {
            context: Arc::clone(context),
            charged: Charged::Measured(account.measure()),
            account,
            events: events.into_iter(),
            listeners: None,
            matching: None,
            fired: VecDeque::new(),
        }
    }

    pub(super) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Whether it fires nothing. Of use once it is measured.
    pub(super) fn is_empty(&self) -> bool {
        self.fired.is_empty() && self.matching.is_none() && self.events.len() == 0
    }

    /// Looks at some candidates, and charges what they fire.
    pub(super) fn measure(&mut self) -> Measure {
        let before = self.fired.len();
        if !self.advance() {
            return Measure::Done;
        }
        let Charged::Measured(measured) = &mut self.charged else { return Measure::Done };
        match self.fired.back().filter(|_| self.fired.len() > before) {
            Some(fired) if !measured.add(fired.fired.len()) => Measure::Over,
            _ => Measure::More,
        }
    }

    /// All of it may be worked off.
    pub(super) fn accept(&mut self) {
        if let Charged::Measured(measured) = std::mem::replace(&mut self.charged, Charged::Nothing) {
            self.charged = Charged::Reserved(measured.accept());
        }
    }

    /// It is over its account's bound. False: and may not be worked off as the account has room.
    pub(super) fn pace(&mut self) -> bool {
        if let Charged::Measured(measured) = std::mem::replace(&mut self.charged, Charged::Nothing) {
            self.charged = measured.pace().map_or(Charged::Nothing, Charged::Reserved);
        }
        matches!(self.charged, Charged::Reserved(_))
    }

    /// Looks at some candidates of one event. False: there are no more events.
    fn advance(&mut self) -> bool {
        let Some(matching) = self.matching.take().or_else(|| self.begin()) else { return false };
        // A panic over one event costs that event only.
        match catch_unwind(AssertUnwindSafe(|| matching.some())) {
            Ok(matching) if matching.next < matching.listeners.len() => self.matching = Some(matching),
            Ok(matching) if !matching.fired.is_empty() => self.fired.push_back(matching.finish()),
            Ok(_) => {}
            Err(_) => self.context.metrics.deliveries.dropped.inc(Dropped::Panic),
        }
        true
    }

    fn begin(&mut self) -> Option<Matching> {
        let event = self.events.next()?;
        let listeners = self.listeners_of(&event.event_type);
        Some(Matching { event, listeners, next: 0, fired: Vec::new() })
    }

    fn listeners_of(&mut self, event_type: &EventType) -> Arc<[Listener]> {
        if let Some((_, listeners)) = self.listeners.as_ref().filter(|(own, _)| own == event_type) {
            return Arc::clone(listeners);
        }
        let mut found = Vec::new();
        self.context.live.index().candidates(&self.account.id, event_type, |trigger| {
            found.push(Listener { trigger: Arc::clone(trigger), template: OnceLock::new() });
        });
        let listeners: Arc<[Listener]> = found.into();
        self.listeners = Some((event_type.clone(), Arc::clone(&listeners)));
        listeners
    }
}

impl Matching {
    /// The same after some more candidates.
    fn some(mut self) -> Self {
        drill::point(drill::Stage::Matcher);
        let Some(data) = self.event.data.object() else {
            self.next = self.listeners.len();
            return self;
        };
        let end = self.listeners.len().min(self.next + CANDIDATES_AT_ONCE);
        for (number, listener) in self.listeners[..end].iter().enumerate().skip(self.next) {
            if listener.trigger.pattern.as_ref().is_none_or(|pattern| pattern.matches(data)) {
                self.fired.push(u32::try_from(number).expect("an account has fewer triggers"));
            }
        }
        self.next = end;
        self
    }

    fn finish(self) -> Fired {
        Fired { event: Arc::new(EventData::of(self.event)), listeners: self.listeners, fired: self.fired.into_iter() }
    }
}

impl Firings for Cursor {
    fn step(&mut self) -> Step {
        let Some(fired) = self.fired.front_mut() else {
            return if self.advance() { Step::Worked } else { Step::Done };
        };
        let Charged::Reserved(reserved) = &mut self.charged else { return Step::Done };
        let Some(number) = fired.fired.as_slice().first() else {
            self.fired.pop_front();
            return Step::Worked;
        };
        let Some(charge) = reserved.take_one() else { return Step::Blocked };
        let Listener { trigger, template } = &fired.listeners[*number as usize];
        let event = Arc::clone(&fired.event);
        let lookup = || self.context.live.index().template(&self.account.id, &trigger.template);
        let firing = Firing {
            trigger: trigger.id.clone(),
            target: trigger.target.clone(),
            template: template.get_or_init(lookup).clone(),
            event,
            charge: Some(charge),
            report: None,
        };
        fired.fired.next();
        self.context.metrics.events.firings_matched.inc();
        Step::Fired(firing)
    }
}
