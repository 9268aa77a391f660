//! Takes deliveries out of the streams and passes them to the Dispatchers of its thread: one taker
//! for each stream, over a connection of its own, so that a destination's deliveries come to one
//! thread. It takes no more than the node has places for, and claims what dead nodes held. It never
//! acknowledges an entry: that is the ticket to its attempt.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{ArbiterHandle, Recipient};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot, watch};

use super::desk::Desk;
use super::entry::{Entry, Reader, entries};
use super::{GROUP, Streams, command, reply, stream_key};
use crate::admission::Gate;
use crate::messages::{DeliveriesRendered, Place, Queued, Redemption, Ticket};
use crate::metrics::{Dropped, Metrics};
use crate::redis::{ANSWER_WITHIN, Code, Connection, RedisResult, Value, has_code, within};

/// How Redis begins to say that it is full: it takes nothing in, and still lets everything out.
const FULL: &str = "OOM";
/// How long Redis holds the question for more; also how long a stop may have to wait.
const ASKED_FOR: Duration = Duration::from_millis(250);
/// Between two tries to reach Redis.
const TRIED_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// The fewest and the most entries taken at a time. Many at a time cost Redis less; few are what a
/// stream with no work keeps of the node's places.
const TAKEN_AT_ONCE: std::ops::RangeInclusive<usize> = 8..=64;
/// A delivery takes a place for each so many bytes of its body, begun or whole, so that places are memory
/// too.
const PLACE_BYTES: usize = 65_536;
/// In the time after which a node counts as dead, so many signs of life are given, and so often it
/// is looked for dead ones.
const SIGNS_OF_LIFE: u32 = 4;

/// Gives the caller (ARGV 2) up to ARGV 4 entries of consumers without a sign of life (a key named
/// ARGV 5 and their name), if they have been untouched for ARGV 3 milliseconds. A dead consumer with
/// nothing left is removed. One step, so that none is removed that has just taken something.
const CLAIM: &str = r"
local claimed, left = {}, tonumber(ARGV[4])
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local name, pending = consumer[2], consumer[4]
  if name ~= ARGV[2] and redis.call('EXISTS', ARGV[5] .. name) == 0 then
    if pending == 0 then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], name)
    elseif left > 0 then
      local ids = {}
      for _, entry in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', left, name)) do
        ids[#ids + 1] = entry[1]
      end
      if #ids > 0 then
        left = left - #ids
        for _, entry in ipairs(redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], unpack(ids))) do
          claimed[#claimed + 1] = entry
        end
      end
    end
  end
end
return claimed";

/// The takers of one thread, and what they share.
pub struct Takers {
    streams: Streams,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    dispatchers: Recipient<DeliveriesRendered>,
    /// For each stream, where its tickets are redeemed.
    desks: HashMap<usize, mpsc::UnboundedSender<Redemption>>,
    reader: RefCell<Reader>,
    /// Each taker's name as a consumer: a new one after each break, since what Redis gave to the old
    /// one may never have arrived here.
    consumers: RefCell<Vec<(usize, String)>>,
    taken_at_once: usize,
    claim: Code,
    away: Cell<bool>,
}

impl Takers {
    /// Starts the takers of every stream whose number is `share` modulo `shares`, on the thread
    /// whose Dispatchers are given.
    pub fn start_on(
        thread: &ArbiterHandle,
        streams: &Streams,
        (share, shares): (usize, usize),
        dispatchers: Recipient<DeliveriesRendered>,
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
    ) {
        let streams = Streams { link: streams.link.apart(), ..streams.clone() };
        let stopping = streams.stop.subscribe();
        thread.spawn(async move {
            let own: Vec<usize> = (share..streams.partitions).step_by(shares).collect();
            let take_max = streams.cluster.take_max;
            let share = (take_max / own.len().max(1)).clamp(*TAKEN_AT_ONCE.start(), *TAKEN_AT_ONCE.end());
            let taken_at_once = share.min(take_max);
            let desk = |partition: &usize| (*partition, Desk::open(streams.clone(), *partition, Arc::clone(&metrics)));
            let desks = own.iter().map(desk).collect();
            let takers = Rc::new(Self {
                streams,
                gate,
                metrics,
                dispatchers,
                desks,
                reader: RefCell::default(),
                consumers: RefCell::default(),
                taken_at_once,
                claim: Code::new(CLAIM),
                away: Cell::new(false),
            });
            actix_rt::spawn(Rc::clone(&takers).live());
            for partition in own {
                actix_rt::spawn(Rc::clone(&takers).take_from(partition, stopping.clone()));
            }
        });
    }

    /// Gives signs of life, also while there is nothing to take or no place for it.
    async fn live(self: Rc<Self>) {
        loop {
            let consumers = self.consumers.borrow().clone();
            // All at once: one after the other, the last of many would come too late. Where Redis is away
            // nobody else can claim either; the next sign is soon.
            join_all(consumers.iter().map(|(partition, consumer)| self.sign(*partition, consumer))).await;
            tokio::time::sleep(self.streams.cluster.claim_after / SIGNS_OF_LIFE).await;
        }
    }

    /// A Redis that is full takes no sign, and lets deliveries out: those who take them may then have
    /// to share them with others who claim them.
    async fn sign(&self, partition: usize, consumer: &str) -> RedisResult<()> {
        let key = format!("{}{consumer}", alive_prefix(partition));
        let life = self.streams.cluster.claim_after.as_millis().to_string();
        match self.streams.link.query::<Value>(&command("SET", &[&key, "1", "PX", &life])).await {
            Err(error) if !has_code(&error, FULL) => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes from one stream until the node stops, over one connection after the other.
    async fn take_from(self: Rc<Self>, partition: usize, mut stopping: watch::Receiver<bool>) {
        while !*stopping.borrow() {
            let consumer = crate::id::new_id();
            // After a fault of ours too the stream is taken from, and the old name gives no sign of life.
            let taken = AssertUnwindSafe(self.follow(partition, &consumer, &mut stopping)).catch_unwind().await;
            self.consumers.borrow_mut().retain(|(_, own)| *own != consumer);
            match taken {
                Ok(Ok(())) => continue,
                Ok(Err(error)) if !self.away.replace(true) => {
                    tracing::warn!(%error, "Redis gives no deliveries; tried again until it does");
                }
                Ok(Err(_)) => {}
                Err(_) => tracing::error!(partition, "a fault ended the taking from a stream; it begins anew"),
            }
            tokio::time::sleep(TRIED_AGAIN_AFTER).await;
        }
    }

    async fn follow(&self, partition: usize, consumer: &str, stopping: &mut watch::Receiver<bool>) -> RedisResult<()> {
        self.sign(partition, consumer).await?;
        self.consumers.borrow_mut().push((partition, consumer.to_owned()));
        let mut connection = self.streams.link.blocking().await?;
        make_group(&mut connection, partition).await?;
        if self.away.take() {
            tracing::info!("Redis gives deliveries again");
        }
        let mut looked: Option<Instant> = None;
        // So many that they are likely to have no more bytes than as many places.
        let mut count = self.taken_at_once.min(*TAKEN_AT_ONCE.start());
        while !*stopping.borrow() {
            let more = if looked.is_none_or(|at| at.elapsed() >= self.streams.cluster.claim_after / SIGNS_OF_LIFE) {
                let claimed = self.claim(partition, consumer, count).await?;
                // Where there was as much as could be had, there may be more.
                looked = (claimed.len() < count).then(Instant::now);
                self.metrics.claims.inc_by(claimed.len() as u64);
                claimed
            } else {
                self.ask(&mut connection, partition, consumer, count).await?
            };
            if !more.is_empty() {
                let each = more.iter().map(Entry::size).sum::<usize>() / more.len();
                count = (self.taken_at_once * PLACE_BYTES / each.max(1)).clamp(1, self.taken_at_once);
            }
            self.pass_on(partition, more, stopping).await;
        }
        Ok(())
    }

    async fn ask(
        &self,
        connection: &mut Connection,
        partition: usize,
        consumer: &str,
        count: usize,
    ) -> RedisResult<Vec<Entry>> {
        let (count, wait) = (count.to_string(), ASKED_FOR.as_millis().to_string());
        let key = stream_key(partition);
        let question =
            command("XREADGROUP", &["GROUP", GROUP, consumer, "COUNT", &count, "BLOCK", &wait, "STREAMS", &key, ">"]);
        let answer = within(ASKED_FOR + ANSWER_WITHIN, question.query_async(connection)).await?;
        Ok(of_one_stream(answer))
    }

    async fn claim(&self, partition: usize, consumer: &str, count: usize) -> RedisResult<Vec<Entry>> {
        let (key, alive) = (stream_key(partition), alive_prefix(partition));
        let idle = self.streams.cluster.claim_after.as_millis().to_string();
        let count = count.to_string();
        let words = [GROUP, consumer, &idle, &count, &alive].map(str::as_bytes);
        Ok(entries(self.streams.link.code(&self.claim, &key, &words).await?))
    }

    /// Passes entries to the Dispatchers once there is a place for each. What can't be passed on is
    /// given back by its ticket.
    async fn pass_on(&self, partition: usize, entries: Vec<Entry>, stopping: &mut watch::Receiver<bool>) {
        if entries.is_empty() {
            return;
        }
        let ticketed = entries.into_iter().map(|entry| {
            let ticket = Ticket::new(entry.id, self.desks[&partition].clone(), self.gate.delivery());
            (entry.size() / PLACE_BYTES + 1, entry, ticket)
        });
        let ticketed: Vec<_> = ticketed.collect();
        let needed = ticketed.iter().map(|(places, ..)| places).sum();
        let mut places = tokio::select! {
            places = self.gate.take(needed) => Some(places),
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        let mut deliveries = Vec::with_capacity(ticketed.len());
        let mut unreadable: Option<(usize, &str)> = None;
        for (own, entry, ticket) in ticketed {
            let place = places.as_mut().and_then(|places| places.split(own)).or_else(|| places.take());
            match self.reader.borrow_mut().read(entry) {
                Ok(read) => deliveries.push(Queued {
                    delivery: read.delivery,
                    accepted_at: read.accepted_at,
                    place: place.map(Place::Taken),
                    ticket: Some(ticket),
                    outstanding: self.gate.delivery(),
                    report: read.reply.filter(|key| reply::is_key(partition, key)).map(|key| {
                        let (report, reported) = oneshot::channel();
                        actix_rt::spawn(reply::leave(self.streams.clone(), key, reported));
                        report
                    }),
                }),
                Err(reason) => {
                    unreadable = Some((unreadable.map_or(1, |(entries, _)| entries + 1), reason));
                    ticket.discard(Dropped::EntryUnreadable, place.map(Place::Taken));
                }
            }
        }
        // One line for all of them: there may be as many as a stream holds.
        if let Some((entries, reason)) = unreadable {
            tracing::warn!(partition, entries, reason, "entries of a stream are no deliveries and are removed");
        }
        // Refused only where the Dispatchers have stopped: what comes back is given back.
        drop(self.dispatchers.try_send(DeliveriesRendered(deliveries)));
    }
}

/// Where the consumers of a stream give signs of life.
fn alive_prefix(partition: usize) -> String {
    format!("{{posthaste:{partition}}}:alive:")
}

/// Makes the group where it is not there yet, or not any more. It begins with all there is.
async fn make_group(connection: &mut Connection, partition: usize) -> RedisResult<()> {
    let make = command("XGROUP", &["CREATE", &stream_key(partition), GROUP, "0", "MKSTREAM"]);
    match within(ANSWER_WITHIN, make.query_async::<Value>(connection)).await {
        // A full Redis says nothing about the group; where there is none, the first question will say so.
        Err(error) if !has_code(&error, "BUSYGROUP") && !has_code(&error, FULL) => Err(error),
        _ => Ok(()),
    }
}

/// The entries of an answer that tells of one stream, in either version of Redis' protocol.
fn of_one_stream(answer: Value) -> Vec<Entry> {
    let of_pair = |parts: Vec<Value>| parts.into_iter().nth(1).map(entries).unwrap_or_default();
    match answer {
        Value::Array(streams) => match streams.into_iter().next() {
            Some(Value::Array(parts)) => of_pair(parts),
            _ => Vec::new(),
        },
        Value::Map(streams) => streams.into_iter().next().map(|(_, found)| entries(found)).unwrap_or_default(),
        _ => Vec::new(),
    }
}
