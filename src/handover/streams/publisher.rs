//! The stage after the Renderer if deliveries go through Redis: adds them to their streams, and releases them, and so
//! their producers' responses, once Redis has them. It never sends a POST and never adds a delivery twice.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{Actor, Context, Handler};
use futures_util::future::join_all;

use super::entry::Writer;
use super::{Backlog, Streams, reply, stream_key};
use crate::flow::in_flight::{InFlight, Permit};
use crate::flow::messages::DeliveriesRendered;
use crate::flow::pressure::Pressure;
use crate::flow::refusal::Refusal;
use crate::model::outcome::Dropped;
use crate::redis::{Code, FromRedisValue as _, RedisResult};
use crate::telemetry::metrics::Metrics;

/// The most deliveries added to a stream in one script: Redis runs nothing else meanwhile.
const GROUP_MAX: usize = 256;
/// A group ends with the body that reaches this size.
const GROUP_BYTES_MAX: usize = 1 << 20;

/// Adds entries of ARGV 3 words each, and returns the length of the stream. The number of a Publisher's last group
/// (ARGV 2) is kept for a minute under its own key (ARGV 1), so that a group whose response was lost can be sent
/// again and is added once.
const ADD: &str = r"
if tonumber(redis.call('GET', ARGV[1]) or 0) < tonumber(ARGV[2]) then
  redis.call('SET', ARGV[1], ARGV[2], 'PX', 60000)
  local words = tonumber(ARGV[3])
  for at = 4, #ARGV, words do
    redis.call('XADD', KEYS[1], '*', unpack(ARGV, at, at + words - 1))
  end
end
return redis.call('XLEN', KEYS[1])";

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
    /// Deliveries that arrived while others were being added. Each holds a permit of its event.
    waiting: RefCell<Vec<InFlight>>,
    working: Cell<bool>,
    /// The number of breaks when the connection was made.
    breaks: Cell<u64>,
    /// Its name, used in the key of its last group, and the number of that group.
    name: String,
    group: Cell<u64>,
    add: Code,
    writer: RefCell<Writer>,
    /// Whether it was logged that Redis accepts no deliveries; logged once until Redis does.
    refused: Cell<bool>,
}

impl Publisher {
    /// A Publisher with its own connection. It counts in `pressure` the bytes that Redis has not accepted yet. Its
    /// mailbox has the Renderer's capacity.
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
            waiting: RefCell::default(),
            working: Cell::new(false),
            breaks: Cell::new(0),
            name: crate::model::id::new_id(),
            group: Cell::new(0),
            add: Code::new(ADD),
            writer: RefCell::default(),
            refused: Cell::new(false),
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
        self.batcher.waiting.borrow_mut().extend(message.0);
        if !self.batcher.working.replace(true) {
            actix_rt::spawn(Rc::clone(&self.batcher).work());
        }
    }
}

impl Batcher {
    /// Adds the waiting deliveries: all that arrived during one round trip together.
    async fn work(self: Rc<Self>) {
        loop {
            let waiting = self.waiting.take();
            if waiting.is_empty() {
                break;
            }
            // On a broken connection the write would fail and its producer would get an error.
            let breaks = self.streams.breaks.load(Ordering::Relaxed);
            if self.breaks.replace(breaks) != breaks {
                self.streams.link.renew().await;
            }
            // Separate groups for deliveries whose outcome is awaited: those entries have one more field.
            let mut groups: BTreeMap<(usize, bool), Vec<InFlight>> = BTreeMap::new();
            for queued in waiting {
                if !self.backlog.has_room_for(&queued.delivery.target.destination) {
                    self.drop_delivery(queued);
                    continue;
                }
                let partition = self.streams.partition_of(&queued.delivery.target.destination);
                groups.entry((partition, queued.report.is_some())).or_default().push(queued);
            }
            join_all(groups.into_iter().map(|((partition, _), deliveries)| self.add_all(partition, deliveries))).await;
        }
        self.working.set(false);
    }

    /// Drops a delivery for a destination that has reached its share of parked ones, so that others have room.
    fn drop_delivery(&self, queued: InFlight) {
        self.pressure.sub(queued.delivery.body.len());
        queued.drop_unsent(&self.metrics, Dropped::QueueFull);
    }

    async fn add_all(&self, partition: usize, mut deliveries: Vec<InFlight>) {
        while !deliveries.is_empty() {
            let (mut number, mut bytes) = (0, 0);
            while number < deliveries.len().min(GROUP_MAX) && bytes < GROUP_BYTES_MAX {
                bytes += deliveries[number].delivery.body.len();
                number += 1;
            }
            let rest = deliveries.split_off(number);
            self.add(partition, std::mem::replace(&mut deliveries, rest)).await;
            self.pressure.sub(bytes);
        }
    }

    /// Adds some deliveries with the same number of fields each, all or none. If Redis does not respond, it is unknown
    /// whether they were added: the producer gets an error, as they may be lost.
    async fn add(&self, partition: usize, deliveries: Vec<InFlight>) {
        let replies: Vec<Option<String>> =
            deliveries.iter().map(|queued| queued.report.as_ref().map(|_| reply::key(partition))).collect();
        match self.write(partition, &deliveries, &replies).await {
            Ok(length) => {
                self.backlog.set(partition, length);
                if self.refused.take() {
                    tracing::info!("Redis accepts deliveries again");
                }
                for (queued, reply) in deliveries.into_iter().zip(replies) {
                    if let (Some(report), Some(reply)) = (queued.report, reply) {
                        actix_rt::spawn(reply::wait(self.streams.clone(), reply, report));
                    }
                }
            }
            Err(error) => {
                if !self.refused.replace(true) {
                    tracing::warn!(%error, "Redis does not accept deliveries; their producers get 503");
                }
                deliveries.into_iter().for_each(|queued| self.refuse(queued));
            }
        }
    }

    /// Returns the length of the stream. One script adds all of them or, if a server refuses, none, so a refused group
    /// can be sent again.
    async fn write(&self, partition: usize, deliveries: &[InFlight], replies: &[Option<String>]) -> RedisResult<usize> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for (queued, reply) in deliveries.iter().zip(replies) {
            self.writer.borrow_mut().write(&queued.account.id, &queued.delivery, reply.as_deref(), |name, value| {
                for word in [name.as_bytes(), value] {
                    bytes.extend_from_slice(word);
                    ends.push(bytes.len());
                }
            });
        }
        self.group.set(self.group.get() + 1);
        // Two groups of one stream may be in flight: those with replies and those without.
        let kind = if replies[0].is_some() { "replies" } else { "plain" };
        let key = format!("{{posthaste:{partition}}}:added:{}:{kind}", self.name);
        let head = [key, self.group.get().to_string(), (ends.len() / deliveries.len()).to_string()];
        let mut begin = 0;
        let written = ends.iter().map(|end| &bytes[std::mem::replace(&mut begin, *end)..*end]);
        let words: Vec<&[u8]> = head.iter().map(String::as_bytes).chain(written).collect();
        let length = self.streams.link.code_twice(&self.add, &stream_key(partition), &words).await?;
        Ok(usize::from_redis_value(length)?)
    }

    fn refuse(&self, queued: InFlight) {
        if let Some(Permit::Request(admission, _)) = &queued.permit {
            admission.replace_response(Err(Refusal::Unavailable));
        }
        queued.drop_unsent(&self.metrics, Dropped::NotHandedOver);
    }
}
