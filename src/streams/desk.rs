//! Where tickets are redeemed: one desk for each stream that a thread takes from, so that a master of
//! a cluster that is away holds up nobody's tickets but its own. Redis acknowledges an entry
//! once, whoever asks and whoever holds it, and says for each whether this was the time. Only that
//! answer is leave to attempt a delivery; silence is not.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::entry::{Entry, entries};
use super::{GROUP, Streams, command, stream_key};
use crate::messages::{Redemption, Wish};
use crate::metrics::Metrics;
use crate::redis::{Code, FromRedisValue as _, Pipeline, RedisResult, Value};

/// The consumer that holds what was given back: it never gives a sign of life, so that whoever
/// comes claims from it.
pub(super) const RETURNED: &str = "returned";

/// The most tickets redeemed in one stream at a time: Redis does nothing else meanwhile.
const GROUP_MAX: usize = 256;
/// Between two questions to a Redis that does not answer.
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// For each entry: 1 where it was pending and is now acknowledged and gone, else 0; or their number
/// where all of them are, as mostly. Both in one step, so that no entry is ever acknowledged and still there. The answer to a desk's last question
/// (ARGV 3) is kept for a while under the desk's own key (ARGV 2), so that a desk that did not hear it,
/// as after a pause, may ask again. A full Redis does not keep it, and still answers.
const REDEEM: &str = r"
local told = redis.call('GET', ARGV[2])
if told and string.sub(told, 1, #ARGV[3] + 1) == ARGV[3] .. ' ' then
  return cjson.decode(string.sub(told, #ARGV[3] + 2))
end
local won, done = {}, {}
for i = 4, #ARGV do
  won[i - 3] = redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  if won[i - 3] == 1 then done[#done + 1] = ARGV[i] end
end
if #done > 0 then redis.call('XDEL', KEYS[1], unpack(done)) end
if #done == #won then won = #done end
redis.pcall('SET', ARGV[2], ARGV[3] .. ' ' .. cjson.encode(won), 'PX', 60000)
return won";

/// Gives entries to the consumer named, if they are still pending, as if nobody had touched them
/// for an hour. Where somebody has removed the group none is.
const GIVE_BACK: &str = r"
local given = {}
for i = 3, #ARGV do
  local claimed = redis.pcall('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', 3600000, 'JUSTID')
  if claimed.err and not string.find(claimed.err, 'NOGROUP', 1, true) then return claimed end
  given[i - 2] = claimed.err and 0 or #claimed
end
return given";

pub(super) struct Desk {
    streams: Streams,
    stream: String,
    /// Where its last answer is kept.
    answer: String,
    question: Cell<u64>,
    metrics: Arc<Metrics>,
    redeem: Code,
    give_back: Code,
}

impl Desk {
    /// Opens the desk of a stream on this thread. It is closed when nobody can hand in anything any
    /// more.
    pub(super) fn open(streams: Streams, partition: usize, metrics: Arc<Metrics>) -> mpsc::UnboundedSender<Redemption> {
        let (desk, handed_in) = mpsc::unbounded_channel();
        let stream = stream_key(partition);
        let answer = format!("{{posthaste:{partition}}}:answer:{}", crate::id::new_id());
        let (redeem, give_back) = (Code::new(REDEEM), Code::new(GIVE_BACK));
        let own = Self { streams, stream, answer, question: Cell::new(0), metrics, redeem, give_back };
        actix_rt::spawn(own.serve(handed_in));
        desk
    }

    /// Redeems what comes in, all that came during one round trip in the next.
    async fn serve(self, mut handed_in: mpsc::UnboundedReceiver<Redemption>) {
        let mut batch = Vec::with_capacity(GROUP_MAX);
        while handed_in.recv_many(&mut batch, GROUP_MAX).await > 0 {
            self.settle(batch.drain(..)).await;
        }
    }

    async fn settle(&self, tickets: impl Iterator<Item = Redemption>) {
        let (mut returned, mut bodies, mut wishes) = (Vec::new(), Vec::new(), Vec::new());
        for ticket in tickets {
            match ticket.wish {
                Wish::GiveBack => returned.push(ticket),
                Wish::Body(_) => bodies.push(ticket),
                Wish::Attempt(_) | Wish::Drop(..) => wishes.push(ticket),
            }
        }
        self.answered(&returned, async || self.run(&self.give_back, &[GROUP, RETURNED], &returned).await).await;
        self.question.set(self.question.get() + 1);
        let question = self.question.get().to_string();
        let words = [GROUP, &self.answer, &question];
        let won = self.answered(&wishes, async || self.run(&self.redeem, &words, &wishes).await).await;
        for (ticket, won) in wishes.into_iter().zip(won) {
            self.grant(ticket, won == 1);
        }
        let read = self.answered(&bodies, async || self.read(&bodies).await).await;
        for (ticket, body) in bodies.into_iter().zip(read) {
            if let Wish::Body(answer) = ticket.wish {
                // Who asked may have been ended by a fault meanwhile.
                let _ = answer.send(body);
            }
        }
    }

    /// Asks until there is an answer for each. An entry that an answer acknowledged which Redis has
    /// forgotten is lost, which is why none is asked for before its attempt is about to begin.
    async fn answered<T>(&self, tickets: &[Redemption], ask: impl AsyncFn() -> RedisResult<Vec<T>>) -> Vec<T> {
        let mut said = false;
        while !tickets.is_empty() {
            match ask().await {
                Ok(answers) if answers.len() == tickets.len() => return answers,
                Ok(answers) => tracing::error!(answers = answers.len(), "Redis answered for another number of entries"),
                Err(error) if !std::mem::replace(&mut said, true) => {
                    tracing::warn!(%error, deliveries = tickets.len(), "Redis does not say who has deliveries; they wait");
                }
                Err(_) => {}
            }
            tokio::time::sleep(ASKED_AGAIN_AFTER).await;
        }
        Vec::new()
    }

    fn grant(&self, ticket: Redemption, won: bool) {
        self.metrics.ticket_redeemed(won);
        match ticket.wish {
            Wish::Attempt(answer) => {
                // Who asked was ended by a fault; the delivery ends with it, as an attempt would.
                let _ = answer.send(won);
            }
            Wish::Drop(reason, _place) if won => self.metrics.dropped(reason, 1),
            Wish::Drop(..) | Wish::GiveBack | Wish::Body(_) => {}
        }
    }

    async fn run(&self, code: &Code, words: &[&str], tickets: &[Redemption]) -> RedisResult<Vec<i64>> {
        let entries: Vec<String> = tickets.iter().map(entry_text).collect();
        let words = words.iter().map(|word| word.as_bytes());
        let words: Vec<&[u8]> = words.chain(entries.iter().map(String::as_bytes)).collect();
        let answers = self.streams.link.code(code, &self.stream, &words).await?;
        match answers {
            Value::Int(all) => Ok(vec![1; usize::try_from(all).unwrap_or_default()]),
            each => Ok(Vec::from_redis_value(each)?),
        }
    }

    /// The bodies of entries that are still there.
    async fn read(&self, tickets: &[Redemption]) -> RedisResult<Vec<Option<Bytes>>> {
        let mut questions = Pipeline::new();
        for entry in tickets.iter().map(entry_text) {
            questions.add_command(command("XRANGE", &[&self.stream, &entry, &entry]));
        }
        let found: Vec<Value> = self.streams.link.pipeline(&questions).await?;
        Ok(found.into_iter().map(|found| entries(found).pop().and_then(Entry::into_body)).collect())
    }
}

fn entry_text(ticket: &Redemption) -> String {
    format!("{}-{}", ticket.entry.0, ticket.entry.1)
}
