//! The stage after the Renderer if deliveries go through Redis: adds them to their streams, and releases them, and so
//! their producers' responses, once Redis has them. It never sends a POST and never adds a delivery twice.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix::{Actor, Context, Handler};
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use super::choice::StreamChoice;
use super::counts::PartitionReport;
use super::writer::{EntryWriter, PACK_WORDS, Words, writes_hops};
use super::{Backlog, Streams, renewal, reply, stream_key, stream_number};
use crate::flow::account::{DELIVERY_BYTES, TurnKey};
use crate::flow::drill;
use crate::flow::fairness::DeficitQueue;
use crate::flow::in_flight::{InFlight, StreamKind};
use crate::flow::messages::DeliveriesRendered;
use crate::flow::permit::{Admission, Permit};
use crate::flow::pressure::Pressure;
use crate::flow::refusal::Refusal;
use crate::model::outcome::DropReason;
use crate::redis::{FromRedisValue, LuaScript, Outage, RedisResult};
use crate::telemetry::metrics::Metrics;

/// The most deliveries in one round, and the bytes of their bodies, which the last one may exceed. What one account has
/// waiting delays others for one round at most, and Redis runs nothing else while it adds those of one stream.
const ROUND_MAX: usize = 128;
const ROUND_BYTES_MAX: usize = 1 << 20;
/// As many deliveries of a target are packed, and no fewer: Redis and the nodes do as much for a pack as for some entries.
const PACKED_MIN: usize = 4;
/// What an account may add in its turn.
const QUANTUM_BYTES: usize = 4_096;

/// Adds deliveries; `add.lua` says how.
const ADD: &str = concat!(partition_keys!(), include_str!("add.lua"));

/// Adds deliveries to the streams; one for each thread that serves HTTP.
pub struct Publisher {
    batcher: Rc<Batcher>,
    mailbox_capacity: usize,
}

struct Batcher {
    streams: Streams,
    backlog: Arc<Backlog>,
    metrics: Arc<Metrics>,
    /// Bytes of bodies that are not added yet.
    pressure: Rc<Pressure>,
    /// Deliveries that arrived while others were being added. Each holds a permit of its event. Accounts take turns, and
    /// tests of triggers have turns of their own.
    waiting: RefCell<DeficitQueue<TurnKey, InFlight>>,
    working: Cell<bool>,
    /// The number of breaks when the connection was made.
    breaks: Cell<u64>,
    /// Its name, used in the key of its last group, and the number of that group.
    name: String,
    group: Cell<u64>,
    /// When the lives of these keys were renewed.
    renewed_at: RefCell<BTreeMap<GroupKind, Cell<Option<Instant>>>>,
    add: LuaScript,
    writer: RefCell<EntryWriter>,
    /// What was logged of Redis accepting no deliveries. A Redis that is nearly full accepts some of them.
    outage: RefCell<Outage>,
}

impl Publisher {
    /// A Publisher with its own connection. It counts in `pressure` the bytes that Redis has not accepted yet. Each message
    /// in its mailbox carries at least one delivery in flight, so it holds as many messages as deliveries may be.
    pub fn new(
        streams: &Streams,
        backlog: Arc<Backlog>,
        metrics: Arc<Metrics>,
        pressure: Rc<Pressure>,
        mailbox_capacity: usize,
    ) -> Self {
        let streams = Streams { link: streams.link.apart(), ..streams.clone() };
        let batcher = Batcher {
            streams,
            backlog,
            metrics,
            pressure,
            waiting: RefCell::new(DeficitQueue::new(QUANTUM_BYTES)),
            working: Cell::new(false),
            breaks: Cell::new(0),
            name: crate::model::id::new_id(),
            group: Cell::new(0),
            renewed_at: RefCell::default(),
            add: LuaScript::new(ADD),
            writer: RefCell::default(),
            outage: RefCell::default(),
        };
        Self { batcher: Rc::new(batcher), mailbox_capacity }
    }
}

impl Actor for Publisher {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(self.mailbox_capacity);
    }
}

impl Handler<DeliveriesRendered> for Publisher {
    type Result = ();

    fn handle(&mut self, message: DeliveriesRendered, _: &mut Self::Context) {
        self.batcher.pressure.add(message.0.iter().map(|queued| queued.delivery.body.len()).sum());
        let mut waiting = self.batcher.waiting.borrow_mut();
        for queued in message.0 {
            let cost = DELIVERY_BYTES + queued.delivery.body.len();
            waiting.push(&queued.turn_key().clone(), cost, queued);
        }
        if !self.batcher.working.replace(true) {
            let batcher = Rc::clone(&self.batcher);
            actix_rt::spawn(async move {
                // What a panic costs is counted where it happens; the rest is still added.
                while AssertUnwindSafe(batcher.work()).catch_unwind().await.is_err() {}
            });
        }
    }
}

/// Deliveries that are added to one stream together. All have the same fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct GroupKind {
    partition: usize,
    stream: StreamKind,
    /// A request waits for the outcome.
    replies: bool,
    /// The number of hops is written.
    hops: bool,
}

impl Batcher {
    /// Adds the waiting deliveries in rounds: all that arrived during one round trip together, as far as a round's
    /// bounds allow.
    async fn work(&self) {
        loop {
            let round = self.round();
            if round.is_empty() {
                break;
            }
            // On a broken connection the write would fail and its producer would get an error.
            let breaks = self.streams.breaks.load(Ordering::Relaxed);
            if self.breaks.replace(breaks) != breaks {
                self.streams.link.renew().await;
            }
            let mut choice = self.backlog.choice();
            let mut groups: BTreeMap<GroupKind, Vec<InFlight>> = BTreeMap::new();
            for queued in round {
                if !self.backlog.has_room_for(&queued) {
                    self.drop_delivery(queued);
                    continue;
                }
                groups.entry(self.kind(&queued, &mut choice)).or_default().push(queued);
            }
            split_packs(&mut groups);
            join_all(groups.into_iter().map(|(kind, deliveries)| self.add_group(kind, deliveries))).await;
        }
        self.working.set(false);
    }

    /// The deliveries whose turn it is.
    fn round(&self) -> Vec<InFlight> {
        let (mut round, mut bytes) = (Vec::new(), 0);
        let mut waiting = self.waiting.borrow_mut();
        while round.len() < ROUND_MAX
            && bytes < ROUND_BYTES_MAX
            && let Some(queued) = waiting.pop()
        {
            bytes += queued.delivery.body.len();
            round.push(queued);
        }
        round
    }

    /// Which others of its round a delivery is added with.
    fn kind(&self, queued: &InFlight, choice: &mut StreamChoice<'_>) -> GroupKind {
        let partition = self.streams.partition_of(&queued.delivery.target.destination);
        // Someone waits for the test of a trigger, and it does not count for its account.
        let counts = queued.delivery.firing.is_some();
        let stream = if !counts || choice.is_one_of_few(partition, &queued.account.id) {
            StreamKind::First
        } else if self.streams.reads(partition, StreamKind::Packs) && !self.backlog.is_parked(queued) {
            return GroupKind { partition, stream: StreamKind::Packs, replies: false, hops: false };
        } else if self.streams.reads(partition, StreamKind::Bulk) {
            StreamKind::Bulk
        } else {
            StreamKind::First
        };
        GroupKind { partition, stream, replies: queued.report.is_some(), hops: writes_hops(&queued.delivery) }
    }

    /// Drops a delivery whose account has reached its share of those parked for its destination, so that others have room.
    fn drop_delivery(&self, queued: InFlight) {
        self.pressure.sub(queued.delivery.body.len());
        queued.drop_unsent(&self.metrics, DropReason::QueueFull);
    }

    /// Adds the deliveries of a round to one stream.
    async fn add_group(&self, kind: GroupKind, group: Vec<InFlight>) {
        let admissions: Vec<Admission> = group.iter().filter_map(admission).cloned().collect();
        let (number, bytes) = (group.len(), group.iter().map(|queued| queued.delivery.body.len()).sum());
        if AssertUnwindSafe(self.add(kind, group)).catch_unwind().await.is_err() {
            admissions.iter().for_each(|admission| admission.replace_response(Err(Refusal::Panic)));
            self.metrics.deliveries.dropped.inc_by(DropReason::Panic, number);
        }
        self.pressure.sub(bytes);
    }

    /// Adds some deliveries with the same fields, all or none. If Redis does not respond, it is unknown whether they
    /// were added: the producer gets an error, as they may be lost.
    async fn add(&self, kind: GroupKind, deliveries: Vec<InFlight>) {
        let (mut group, refused) = self.encode(kind, deliveries);
        refused.into_iter().for_each(|queued| self.refuse(queued, Refusal::Panic, DropReason::Panic));
        if group.deliveries.is_empty() {
            return;
        }
        let sent = self.backlog.sent();
        match self.write(kind, &group).await {
            Ok(report) => {
                // First, since what follows releases the charges of these deliveries.
                self.backlog.set(sent, kind.partition, report);
                let mut outage = self.outage.borrow_mut();
                if outage.is_open() && outage.end_after_quiet(Instant::now()) {
                    tracing::info!("Redis accepts deliveries again");
                }
                let mut paused: BTreeMap<Duration, Vec<Option<Permit>>> = BTreeMap::new();
                for (mut queued, reply) in group.deliveries.drain(..) {
                    let pause = self.backlog.pause(&queued.account);
                    if let (Some(report), Some(reply)) = (queued.report.take(), reply) {
                        actix_rt::spawn(reply::wait(self.streams.clone(), reply, report));
                    } else if !pause.is_zero() {
                        paused.entry(pause).or_default().push(queued.permit.take());
                    }
                }
                // The events' permits are released later, and so their producers get their responses later.
                for (pause, permits) in paused {
                    actix_rt::spawn(async move {
                        tokio::time::sleep(pause).await;
                        drop(permits);
                    });
                }
            }
            Err(error) => {
                if self.outage.borrow_mut().note(&error.to_string(), Instant::now()) {
                    tracing::warn!(%error, "Redis does not accept deliveries; their producers get 503");
                }
                for (queued, _) in group.deliveries.drain(..) {
                    self.refuse(queued, Refusal::Unavailable, DropReason::NotHandedOver);
                }
            }
        }
    }

    /// Writes the entries. A panic over one delivery costs that one, which is returned apart.
    fn encode(&self, kind: GroupKind, deliveries: Vec<InFlight>) -> (EncodedDeliveries, Vec<InFlight>) {
        let (mut group, mut refused) = (EncodedDeliveries::default(), Vec::new());
        let mut open = None;
        for queued in deliveries {
            let reply = queued.report.as_ref().map(|_| reply::key(kind.partition));
            let words = &mut group.words;
            let before = (words.bytes.len(), words.ends.len());
            let written = catch_unwind(AssertUnwindSafe(|| {
                drill::point(drill::Stage::Publisher);
                let (account, mut writer) = (&queued.account.id, self.writer.borrow_mut());
                if kind.stream == StreamKind::Packs {
                    writer.pack(words, &mut open, account, &queued.delivery);
                } else {
                    writer.write(words, account, &queued.delivery, reply.as_deref());
                }
            }));
            if written.is_ok() {
                group.deliveries.push((queued, reply));
            } else {
                words.bytes.truncate(before.0);
                words.ends.truncate(before.1);
                open = None;
                refused.push(queued);
            }
        }
        (group, refused)
    }

    /// Reports on the partition and these accounts. One script adds all of them or, if a server refuses, none, so a refused
    /// group can be sent again.
    async fn write(&self, kind: GroupKind, group: &EncodedDeliveries) -> RedisResult<PartitionReport> {
        self.group.set(self.group.get() + 1);
        let GroupKind { partition, stream, replies, hops } = kind;
        // At most one group of each kind is in flight.
        let (replies, hops) = (if replies { ":replies" } else { ":plain" }, if hops { ":hops" } else { "" });
        let number = stream_number(stream);
        let key = format!("{{posthaste:{partition}}}:added:{}{replies}{hops}:{number}", self.name);
        let words_each = match stream {
            StreamKind::Packs => PACK_WORDS,
            StreamKind::First | StreamKind::Bulk => group.words.ends.len() / group.deliveries.len(),
        };
        let mut accounts: BTreeMap<&str, usize> = BTreeMap::new();
        for (queued, _) in group.deliveries.iter().filter(|(queued, _)| queued.delivery.firing.is_some()) {
            *accounts.entry(queued.account.id.as_str()).or_default() += 1;
        }
        if stream == StreamKind::Packs {
            accounts.insert("", group.deliveries.len());
        }
        let numbers = [words_each, accounts.len()].map(|number| number.to_string());
        let mut head = vec![key, self.group.get().to_string(), number.to_owned()];
        head.extend(numbers);
        head.push(renewal(self.renewed_at.borrow_mut().entry(kind).or_default()).to_owned());
        for (account, entries) in accounts {
            head.extend([account.to_owned(), entries.to_string()]);
        }
        let words: Vec<&[u8]> = head.iter().map(String::as_bytes).chain(group.words.iter()).collect();
        let results =
            self.streams.link.code_twice(&self.add, &stream_key(partition, StreamKind::First), &words).await?;
        let (length, held, made_at_us) = FromRedisValue::from_redis_value(results)?;
        Ok(PartitionReport { length, held, made_at_us })
    }

    fn refuse(&self, queued: InFlight, refusal: Refusal, reason: DropReason) {
        if let Some(admission) = admission(&queued) {
            admission.replace_response(Err(refusal));
        }
        queued.drop_unsent(&self.metrics, reason);
    }
}

/// Leaves in packs what has company in this round, in the order of targets, and moves the rest to the bulk stream: one event
/// may have fired many triggers.
fn split_packs(groups: &mut BTreeMap<GroupKind, Vec<InFlight>>) {
    let kinds: Vec<GroupKind> = groups.keys().filter(|kind| kind.stream == StreamKind::Packs).copied().collect();
    for kind in kinds {
        let mut deliveries = groups.remove(&kind).unwrap_or_default();
        let target = |queued: &InFlight| Arc::as_ptr(&queued.delivery.target) as usize;
        deliveries.sort_by_key(target);
        let runs: Vec<usize> = deliveries.chunk_by(|a, b| target(a) == target(b)).map(<[_]>::len).collect();
        let mut rest = deliveries.into_iter();
        for run in runs {
            for queued in rest.by_ref().take(run) {
                let alone = GroupKind { stream: StreamKind::Bulk, hops: writes_hops(&queued.delivery), ..kind };
                groups.entry(if run < PACKED_MIN { alone } else { kind }).or_default().push(queued);
            }
        }
    }
}

/// Deliveries as arguments of a script, each with the key of its reply if a request waits for the outcome.
#[derive(Debug, Default)]
struct EncodedDeliveries {
    deliveries: Vec<(InFlight, Option<String>)>,
    words: Words,
}

fn admission(queued: &InFlight) -> Option<&Admission> {
    match &queued.permit {
        Some(Permit::Request(admission, _)) => Some(admission),
        _ => None,
    }
}
