//! The pipeline without sockets: what a delivery costs from its request's body until its attempt may begin. The stages
//! are those of a node, on one thread, with a journal. Requests arrive as bodies, and a stage that only has attempts
//! recorded stands for the Dispatchers. `scripts/bench pipeline` counts its instructions, which no other program on the
//! machine changes.
//!
//! Arguments: a template as JSON, the file of a request's body, its media type, how many deliveries to make, and
//! `keep` to leave them all waiting. Prints one line of JSON: `deliveries`, `processor_ns` (of the process, without its
//! start), and `resident_bytes` (how much more is resident than before).

#![expect(clippy::print_stdout, reason = "the result is read from the standard output")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context, Handler};
use bytes::Bytes;
use futures_util::future::join_all;
use posthaste::config::Config;
use posthaste::dictionary::Dictionary;
use posthaste::flow::account::{ACCOUNT_WEIGHT, NodeBounds};
use posthaste::flow::background::Background;
use posthaste::flow::fairness::Pool;
use posthaste::flow::gate::Gate;
use posthaste::flow::in_flight::InFlight;
use posthaste::flow::inbox::InboxSender;
use posthaste::flow::journal::{AttemptJournal, AttemptStart};
use posthaste::flow::last_account::LastAccount;
use posthaste::flow::messages::DeliveriesRendered;
use posthaste::flow::payer::Payer;
use posthaste::flow::pressure::Pressure;
use posthaste::handover::journal::Journal;
use posthaste::ingester::encoding::{Encoding, RequestContent};
use posthaste::ingester::{EventsReceived, IngestContext, Ingester, UnreadEvents};
use posthaste::live::Live;
use posthaste::matcher::Matcher;
use posthaste::model::id::AccountId;
use posthaste::model::template::Template;
use posthaste::model::trigger::Trigger;
use posthaste::renderer::{NextStage, Renderer};
use posthaste::store::{Change, ChangeSink as _, SavedTemplate, SavedTrigger};
use posthaste::telemetry::metrics::Metrics;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// That of a node.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests that wait for their responses at the same time, as in `scripts/bench node`.
const REQUESTS_AT_ONCE: usize = 64;
/// Deliveries before anything is counted: they grow queues and buffers to their size.
const FIRST: usize = 1_000;
/// Messages that a stage's mailbox holds, and bytes rendered ahead: more than can be in flight here.
const MESSAGES: usize = 100_000;
const BYTES: usize = 1 << 30;

/// Stands for the Dispatchers: has the begin of each attempt recorded, and ends it.
struct Receiver {
    journal: Rc<dyn AttemptJournal>,
    results: Rc<Results>,
}

#[derive(Default)]
struct Results {
    deliveries: Cell<usize>,
    /// Whether deliveries are kept.
    keeps: Cell<bool>,
    kept: RefCell<Vec<InFlight>>,
}

impl Actor for Receiver {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MESSAGES);
    }
}

impl Handler<DeliveriesRendered> for Receiver {
    type Result = ();

    fn handle(&mut self, DeliveriesRendered(mut deliveries): DeliveriesRendered, _: &mut Self::Context) {
        self.results.deliveries.set(self.results.deliveries.get() + deliveries.len());
        if self.results.keeps.get() {
            // As in the queue of a destination that is stalled.
            deliveries.iter_mut().for_each(|queued| queued.permit = None);
            self.results.kept.borrow_mut().extend(deliveries);
        } else {
            actix_rt::spawn(begin(Rc::clone(&self.journal), deliveries));
        }
    }
}

async fn begin(journal: Rc<dyn AttemptJournal>, deliveries: Vec<InFlight>) {
    let (mut begun, waker) = (Vec::with_capacity(deliveries.len()), Rc::default());
    for mut queued in deliveries {
        let group = queued.journaled.take().and_then(|journaled| journal.begin(journaled));
        begun.push((group.expect("a journal"), queued));
    }
    for (group, mut queued) in begun {
        let start = group.after(AttemptStart::Soon, &waker).await;
        assert_eq!(start, AttemptStart::Now, "the disk has room");
        group.release_last(queued.permit.take());
    }
}

/// A request that is sent again and again.
struct Load {
    body: Vec<u8>,
    encoding: &'static Encoding,
    events: usize,
}

/// The stages, and what the first one needs for each request.
struct Stages {
    ingester: InboxSender<EventsReceived>,
    bodies: Pool<Payer>,
    results: Rc<Results>,
    journal: Journal,
}

fn live(config: &Config, metrics: &Arc<Metrics>, account: &AccountId, template: Value, event: &str) -> Arc<Live> {
    let (dictionary, metrics) = (Arc::new(Dictionary::shipped()), Arc::clone(metrics));
    let (templates, matching, egress) =
        (config.templates.clone(), config.matching.clone(), config.dispatch.egress.clone());
    let live = Live::new(dictionary, templates, matching, egress, metrics);
    let template = Template::from_json(template).expect("a template");
    let compiled = live.compile(account, &template);
    assert!(compiled.is_some(), "the template compiles");
    let url = "https://hooks.example.com/hook";
    let trigger = json!({"id": "t", "event": event, "template": template.id.as_str(), "url": url});
    let trigger = Trigger::from_json(trigger).expect("a trigger");
    let target = live.target(account, &trigger);
    let id = template.id.clone();
    live.apply(vec![
        Change::Template(account.clone(), id, Some(SavedTemplate { template, live: compiled })),
        Change::Trigger(account.clone(), trigger.id.clone(), Some(SavedTrigger { trigger, target })),
    ]);
    Arc::new(live)
}

/// Starts the stages, the last one first.
async fn start(config: &Config, live: impl FnOnce(&Arc<Metrics>) -> Arc<Live>) -> Stages {
    let metrics = Arc::new(Metrics::new());
    let bounds = NodeBounds {
        events: config.ingest.events_in_flight_max,
        deliveries: config.ingest.deliveries_in_flight_max,
        bytes: BYTES,
        events_per_s: None,
    };
    let gate = Gate::new(bounds, config.cluster.take_max);
    let (journal, _recovered) = Journal::open(config, &gate, &metrics).await.expect("a journal").expect("a file");
    let attempts = journal.for_sending();
    let results = Rc::<Results>::default();
    let receiver = Receiver { journal: attempts.attempt_journal(), results: Rc::clone(&results) }.start();
    let pressure = Rc::new(Pressure::new(BYTES));
    let next = NextStage::Dispatchers(vec![receiver.recipient()]);
    let own = || (Arc::clone(&gate), Arc::clone(&metrics));
    let (own_gate, own_metrics) = own();
    let renderer = Renderer::start(own_gate, own_metrics, next, pressure, Background::new(1));
    let (own_gate, own_metrics) = own();
    let accepting = Some(attempts.accept_journal());
    let matcher = Matcher::start(live(&metrics), own_gate, own_metrics, accepting, renderer);
    let (gate, metrics) = own();
    let (background, last_account) = (Background::new(1), LastAccount::default());
    let ingesting = IngestContext { gate, last_account, metrics, window: None, background, matcher };
    let ingester = Ingester::start(ingesting);
    Stages { ingester, bodies: Pool::new(BYTES, ACCOUNT_WEIGHT), results, journal }
}

impl Stages {
    /// Has at least this many deliveries made, by requests that wait for their responses as clients do.
    async fn deliver(&self, load: &Load, deliveries: usize) {
        let left = Cell::new(deliveries.div_ceil(load.events));
        join_all((0..REQUESTS_AT_ONCE).map(|_| async {
            while let Some(less) = left.get().checked_sub(1) {
                left.set(less);
                self.request(load).await;
            }
        }))
        .await;
    }

    async fn request(&self, load: &Load) {
        let (reply, response) = oneshot::channel();
        let payer = Payer::Peer(None);
        let body = self.bodies.share(&payer).take(load.body.len()).expect("room");
        let source = RequestContent { body: Bytes::copy_from_slice(&load.body), headers: Vec::new() };
        let unread = UnreadEvents { source, encoding: load.encoding, only_account: None, hops: 0 };
        assert!(self.ingester.send(EventsReceived { unread, payer, body, reply }).is_ok(), "it lives");
        let receipt = response.await.expect("a response").expect("accepted");
        assert_eq!((receipt.accepted, receipt.rejected.len()), (load.events, 0));
    }
}

/// Nanoseconds of all threads. (From the system's files, as valgrind does not bear rustix' clock.)
fn processor_ns() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let each = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
    each.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok()).sum()
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4_096
}

async fn run(template: &str, body: Vec<u8>, media_type: &str, deliveries: usize, keeps: bool) {
    let first: Value = serde_json::Deserializer::from_slice(&body).into_iter().next().expect("an event").expect("JSON");
    let text = |name: &str| first[name].as_str().expect("an event's type and account").to_owned();
    let (account, event) = (AccountId::new(&text("account")).expect("an account"), text("type"));
    let mut template: Value = serde_json::from_str(template).expect("a template");
    template["id"] = json!("w");
    let encoding = Encoding::select(Some(media_type), false).expect("a media type of events");
    let events = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    let load = Load { body, encoding, events };
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("file:{}/store.redb", folder.path().display());
    let settings = [("POSTHASTE_STORE__URL".to_owned(), url)];
    let config = Config::from_layers(None, settings).expect("settings");
    let stages = start(&config, |metrics| live(&config, metrics, &account, template, &event)).await;

    stages.deliver(&load, FIRST).await;
    let results = &stages.results;
    results.deliveries.set(0);
    results.keeps.set(keeps);
    let (time, memory) = (processor_ns(), resident_bytes());
    stages.deliver(&load, deliveries).await;
    let (time, memory) = (processor_ns() - time, resident_bytes().saturating_sub(memory));
    let made = results.deliveries.get();
    assert_eq!(made, deliveries.div_ceil(load.events) * load.events, "one delivery for each event");
    println!("{}", json!({"deliveries": made, "processor_ns": time, "resident_bytes": memory}));
    results.kept.take();
    let Stages { ingester, journal, .. } = stages;
    drop(ingester);
    journal.for_sending().close();
    actix_rt::task::spawn_blocking(move || journal.stop()).await.expect("the journal ends");
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [template, body, media_type, deliveries, keeps @ ..] = words.as_slice() else {
        // `cargo bench` runs every bench; without a load there is nothing to measure.
        return;
    };
    let body = std::fs::read(body).expect("the file of a body");
    let deliveries = deliveries.parse().expect("a number");
    let keeps = keeps.first().is_some_and(|word| word == "keep");
    actix_rt::System::new().block_on(run(template, body, media_type, deliveries, keeps));
}
