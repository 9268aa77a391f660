//! Redeems claims for one partition, so that an unreachable cluster node delays only its own partitions. Redis acknowledges
//! an entry once, whichever node asks or holds it, and each response says whether this request did it. Only such a
//! response permits an attempt; a missing one does not.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{join_all, join3};
use tokio::sync::mpsc;

use super::entry::{StreamEntry, entries};
use super::intake::{Intake, PartitionSource};
use super::{GROUP, command, parked_name, renewal, stream_number};
use crate::flow::in_flight::{
    ClaimAction, ClaimRequest, EntryId, FetchRequest, FetchedDeliveries, PackPart, StreamKind, StreamRequest,
};
use crate::model::id::AccountId;
use crate::redis::{FromRedisValue, LuaScript, RedisError, RedisResult, Value, has_code, is_broken};
use crate::telemetry::metrics::RedemptionResult;

/// The consumer that holds returned entries. It has no heartbeat, so any node takes over from it.
const RETURNED: &str = "returned";

/// The most claims redeemed in one request for a partition: Redis runs nothing else meanwhile.
const GROUP_MAX: usize = 64;
/// The pause before the next request if Redis does not respond.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// The idle time given to entries that are left to others, in milliseconds: longer than `cluster.claim_after_ms` can
/// be.
const IDLE_TIME_MS: &str = "3600000";

/// Redeems claims; `redeem.lua` says how.
const REDEEM: &str = concat!(partition_keys!(), include_str!("redeem.lua"));

/// Moves the oldest entries of other consumers, which follow ARGV 3 with how many of each, to the caller (ARGV 2), or
/// fewer once all have ARGV 3 bytes: those of the first stream, then of the bulk stream. No pack is parked. The first value
/// says for each whether there may be more (1 or 0); then come the entries of both streams.
const FETCH: &str = concat!(
    partition_keys!(),
    r"
local more, entries, left = {}, {{}, {}}, tonumber(ARGV[3])
for at = 4, #ARGV, 2 do
  local wanted = tonumber(ARGV[at + 1])
  more[#more + 1] = 0
  for own = 1, 2 do
    local stream, asks = streams[own], left > 0 and wanted > 0
    local pending = asks and redis.call('XPENDING', stream, ARGV[1], '-', '+', wanted, ARGV[at])
    if not pending or #pending == wanted then more[#more] = 1 end
    for _, each in ipairs(pending or {}) do
      if left <= 0 then more[#more] = 1 break end
      local entry = redis.call('XCLAIM', stream, ARGV[1], ARGV[2], 0, each[1])[1]
      if entry then
        table.insert(entries[own], entry)
        for _, word in ipairs(entry[2]) do left = left - #word end
      end
    end
    wanted = wanted - #(pending or {})
  end
end
return {more, entries[1], entries[2]}"
);

pub(super) struct ClaimWorker {
    source: Rc<PartitionSource>,
    intake: Rc<Intake>,
    /// The key of the last response.
    response: String,
    question: Cell<u64>,
    renewed_at: Cell<Option<Instant>>,
    redeem: LuaScript,
    fetch: LuaScript,
    /// Whether it was logged that Redis does not move entries; logged once until Redis does.
    refused: Cell<bool>,
}

/// Claims that are given up, by their stream and the consumer that gets them.
type LeftEntries = BTreeMap<(StreamKind, String), Vec<ClaimRequest>>;

/// The requests that arrived during one round trip.
#[derive(Default)]
struct ClaimBatch {
    redeemed: Vec<ClaimRequest>,
    /// By their stream and the receiving consumer.
    left: LeftEntries,
    fetches: Vec<FetchRequest>,
}

impl ClaimWorker {
    /// The task that serves the claims of this source.
    pub(super) fn new(source: Rc<PartitionSource>, intake: Rc<Intake>) -> Self {
        let response = format!("{{posthaste:{}}}:answer:{}", source.partition, crate::model::id::new_id());
        let (redeem, fetch) = (LuaScript::new(REDEEM), LuaScript::new(FETCH));
        Self {
            source,
            intake,
            response,
            question: Cell::new(0),
            renewed_at: Cell::new(None),
            redeem,
            fetch,
            refused: Cell::new(false),
        }
    }

    /// Serves requests: all that arrived during one round trip together. Entries that could not be left to others are
    /// retried later and delay nothing. Attempts are permitted once the next request is on its way, so that Redis works
    /// on it while this thread sends.
    pub(super) async fn serve(self: Rc<Self>, mut incoming: mpsc::UnboundedReceiver<StreamRequest>) {
        let mut batch = ClaimBatch::default();
        let mut redeemed = Vec::new();
        let mut requests = Vec::with_capacity(GROUP_MAX);
        loop {
            let later = async {
                match batch.left.is_empty() {
                    true => std::future::pending().await,
                    false => tokio::time::sleep(RETRY_AFTER).await,
                }
            };
            tokio::select! {
                biased;
                came = incoming.recv_many(&mut requests, GROUP_MAX) => if came == 0 && redeemed.is_empty() { break },
                () = std::future::ready(()), if !redeemed.is_empty() => {}
                () = later => {}
            }
            requests.drain(..).for_each(|request| batch.add(request));
            let claims = std::mem::take(&mut batch.redeemed);
            let (last, has_next) = (std::mem::take(&mut redeemed), !claims.is_empty());
            let granting = async {
                if has_next && !last.is_empty() {
                    // The connection's task, which writes the request, is polled before this one again.
                    tokio::task::yield_now().await;
                }
                self.grant_all(last);
            };
            let leaves = !batch.left.is_empty();
            let redeeming = async {
                let redeemed = self.redeem_all(claims).await;
                if !leaves {
                    return redeemed;
                }
                // Claims that were won do not wait for those that are given up.
                self.grant_all(redeemed);
                Vec::new()
            };
            (redeemed, (), ()) = join3(redeeming, self.leave_all(&mut batch.left), granting).await;
            // Deliveries that a Dispatcher parked before this fetch are there now; nothing else waits for the response.
            for fetch in batch.fetches.drain(..) {
                actix_rt::spawn(Rc::clone(&self).fetch(fetch));
            }
        }
    }

    /// Returns each claim and whether it was won. Repeats the request until there is a response for each entry. An entry
    /// is lost if Redis acknowledged it and the response was forgotten; so an entry is only requested when its attempt is
    /// about to begin.
    async fn redeem_all(&self, mut claims: Vec<ClaimRequest>) -> Vec<(ClaimRequest, bool)> {
        if claims.is_empty() {
            return Vec::new();
        }
        self.question.set(self.question.get() + 1);
        claims.sort_by(|a, b| place(a).cmp(&place(b)));
        // This node may hold a delivery twice, if it took over its pack from itself.
        claims.dedup_by(|a, b| a.entry.stream == StreamKind::Packs && (a.entry, a.part) == (b.entry, b.part));
        let text = self.request_text(&claims);
        let words: Vec<&[u8]> = text.split_terminator('\n').map(str::as_bytes).collect();
        let mut logged = false;
        let won = loop {
            let response = self.intake.streams.link.code(&self.redeem, &self.source.streams[0], &words).await;
            match response.and_then(|response| each_won(&claims, response)) {
                Ok((won, refused)) if won.len() == claims.len() => {
                    if refused {
                        // Its deliveries are pending under this name, and no claim covers them any more.
                        self.source.renew_name();
                    }
                    break won;
                }
                Ok((won, _)) => tracing::error!(responses = won.len(), "Redis responded for another number of entries"),
                Err(error) if !std::mem::replace(&mut logged, true) => {
                    tracing::warn!(%error, deliveries = claims.len(), "Redis does not redeem claims; their deliveries wait");
                }
                Err(_) => {}
            }
            tokio::time::sleep(RETRY_AFTER).await;
        };
        claims.into_iter().zip(won).collect()
    }

    /// The words of a request for these claims, which are in the order of their places. A line feed ends each: none has one
    /// itself.
    fn request_text(&self, claims: &[ClaimRequest]) -> String {
        let packs_at = claims.partition_point(|claim| claim.entry.stream < StreamKind::Packs);
        let (entries, packed) = claims.split_at(packs_at);
        let first = entries.partition_point(|claim| claim.entry.stream == StreamKind::First);
        let packs = || packed.chunk_by(|a, b| a.entry == b.entry);
        let (question, bulk) = (self.question.get(), entries.len() - first);
        let renews = renewal(&self.renewed_at);
        let mut text = String::with_capacity(128 + 16 * claims.len());
        text += &format!("{GROUP}\n{}\n{question}\n{first}\n{bulk}\n{}\n{renews}\n", self.response, packs().count());
        // Writing to a String can't fail.
        for claim in entries {
            let _ = writeln!(text, "{}", claim.entry);
        }
        for pack in packs() {
            let ClaimRequest { entry, part, account, .. } = &pack[0];
            let parked = pack.iter().filter(|claim| matches!(claim.action, ClaimAction::Park(..)));
            let (asked, parked) = (bits(pack.iter()), bits(parked));
            let (account, number) = (name(account.as_ref()), pack.len());
            let _ = writeln!(text, "{entry}\n{}\n{account}\n{asked}\n{parked}\n{number}", part.of);
        }
        for of_account in entries.chunk_by(|a, b| counted_at(a) == counted_at(b)) {
            let (stream, account) = counted_at(&of_account[0]);
            let _ = writeln!(text, "{}\n{}\n{}", stream_number(stream), name(account), of_account.len());
        }
        text
    }

    fn grant_all(&self, redeemed: Vec<(ClaimRequest, bool)>) {
        for (claim, won) in redeemed {
            self.grant(claim, won);
        }
    }

    fn grant(&self, claim: ClaimRequest, won: bool) {
        if !matches!(claim.action, ClaimAction::Park(..)) {
            let result = if won { RedemptionResult::Won } else { RedemptionResult::Lost };
            self.intake.metrics.streams.redeemed.inc(result);
        }
        match claim.action {
            ClaimAction::Attempt(response) => {
                // The requester has panicked; the delivery ends with it, as an attempt would.
                let _ = response.send(won);
            }
            ClaimAction::Drop(reason, _place) if won => self.intake.metrics.deliveries.dropped.inc(reason),
            ClaimAction::Drop(..) | ClaimAction::Park(..) | ClaimAction::GiveBack => {}
        }
    }

    /// Moves entries to other consumers with a long idle time. If Redis can't, they stay in `left`.
    async fn leave_all(&self, left: &mut LeftEntries) {
        let tried = std::mem::take(left).into_iter().map(async |(place, claims)| {
            let done = self.leave(&place, &claims).await;
            done.err().map(|error| (error, place, claims))
        });
        for (error, place, claims) in join_all(tried).await.into_iter().flatten() {
            self.refused(&error);
            left.insert(place, claims);
        }
    }

    fn refused(&self, error: &RedisError) {
        if !self.refused.replace(true) {
            tracing::warn!(%error, partition = self.source.partition, "Redis does not move parked deliveries; retrying");
        }
    }

    async fn leave(&self, (stream, consumer): &(StreamKind, String), claims: &[ClaimRequest]) -> RedisResult<()> {
        let mut xclaim = command("XCLAIM", &[&self.source.streams[*stream as usize], GROUP, consumer, "0"]);
        for claim in claims {
            xclaim.arg(claim.entry.to_string());
        }
        xclaim.arg(&["IDLE", IDLE_TIME_MS, "JUSTID"]);
        match self.intake.streams.link.query::<Value>(&xclaim).await {
            // If the group was removed, nothing is pending.
            Err(error) if !has_code(&error, "NOGROUP") => Err(error),
            _ => {
                self.refused.set(false);
                Ok(())
            }
        }
    }

    async fn fetch(self: Rc<Self>, fetch: FetchRequest) {
        // A panic must not leave entries with a live consumer that has no claim for them.
        let fetched = AssertUnwindSafe(self.fetched(&fetch)).catch_unwind().await;
        let fetched = fetched.unwrap_or_else(|_| {
            tracing::error!(self.source.partition, "a panic ended the reading of parked deliveries");
            self.source.renew_name();
            FetchedDeliveries { deliveries: Vec::new(), more: vec![true; fetch.lanes.len()] }
        });
        // The requester may have panicked: its deliveries are given back.
        let _ = fetch.response.send(fetched);
    }

    async fn fetched(&self, fetch: &FetchRequest) -> FetchedDeliveries {
        let Some(consumer) = self.source.consumer().filter(|_| !self.intake.streams.is_stopping()) else {
            return FetchedDeliveries::default();
        };
        match self.fetch_for(&consumer, fetch).await {
            Ok((more, entries)) => FetchedDeliveries {
                deliveries: self.intake.unpack(self.source.partition, &fetch.claims, entries, None),
                more,
            },
            Err(error) => {
                self.refused(&error);
                if is_broken(&error) {
                    // Entries whose response was lost are claimed from the old name.
                    self.source.renew_name();
                }
                FetchedDeliveries { deliveries: Vec::new(), more: vec![true; fetch.lanes.len()] }
            }
        }
    }

    /// Whether there may be more of each lane, and the fetched entries, the first stream's first.
    async fn fetch_for(&self, consumer: &str, fetch: &FetchRequest) -> RedisResult<(Vec<bool>, Vec<StreamEntry>)> {
        let lanes = fetch.lanes.iter().flat_map(|(lane, number)| [parked_name(lane), number.to_string()]);
        let head = [GROUP.to_owned(), consumer.to_owned(), fetch.bytes.max(1).to_string()];
        let words: Vec<String> = head.into_iter().chain(lanes).collect();
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        let response = self.intake.streams.link.code(&self.fetch, &self.source.streams[0], &words).await?;
        let (more, first, bulk): (Vec<i64>, Value, Value) = FromRedisValue::from_redis_value(response)?;
        let mut fetched = entries(StreamKind::First, first);
        fetched.extend(entries(StreamKind::Bulk, bulk));
        Ok((more.into_iter().map(|more| more == 1).collect(), fetched))
    }
}

impl ClaimBatch {
    fn add(&mut self, request: StreamRequest) {
        match request {
            StreamRequest::Fetch(fetch) => self.fetches.push(fetch),
            StreamRequest::Redeem(claim) => {
                let consumer = match &claim.action {
                    ClaimAction::GiveBack => RETURNED.to_owned(),
                    ClaimAction::Park(lane, _) if claim.entry.stream != StreamKind::Packs => parked_name(lane),
                    // A delivery of a pack becomes an entry of its own in the same step.
                    ClaimAction::Attempt(_) | ClaimAction::Drop(..) | ClaimAction::Park(..) => {
                        return self.redeemed.push(claim);
                    }
                };
                self.left.entry((claim.entry.stream, consumer)).or_default().push(claim);
            }
        }
    }
}

/// An account's name in a request.
fn name(account: Option<&AccountId>) -> &str {
    account.map_or("", AccountId::as_str)
}

/// The order of claims in a request: entries by where they count, and the deliveries of a pack beside each other.
fn place(claim: &ClaimRequest) -> (StreamKind, Option<(EntryId, PackPart)>, Option<&AccountId>) {
    let in_pack = (claim.entry.stream == StreamKind::Packs).then_some((claim.entry, claim.part));
    (claim.entry.stream, in_pack, claim.account.as_ref())
}

/// Where an entry counts: its stream and its account.
fn counted_at(claim: &ClaimRequest) -> (StreamKind, Option<&AccountId>) {
    (claim.entry.stream, claim.account.as_ref())
}

/// The bits of these deliveries of a pack.
fn bits<'c>(claims: impl Iterator<Item = &'c ClaimRequest>) -> u32 {
    claims.fold(0, |bits, claim| bits | 1 << claim.part.index)
}

/// In the response about a pack: Redis refused it. Nothing of it is won, and nobody else has it.
const REFUSED: u32 = 65_536;

/// Reads the response of the script: which claims were won, and whether Redis refused a pack.
fn each_won(claims: &[ClaimRequest], response: Value) -> RedisResult<(Vec<bool>, bool)> {
    if let Value::Int(all) = response {
        return Ok((vec![true; usize::try_from(all).unwrap_or_default()], false));
    }
    let each: Vec<u32> = FromRedisValue::from_redis_value(response)?;
    let refused = each.iter().any(|bits| bits & REFUSED != 0);
    let same_pack = |a: &ClaimRequest, b: &ClaimRequest| a.entry.stream == StreamKind::Packs && a.entry == b.entry;
    // For an entry it is one bit, the only one.
    let of_entry = claims.chunk_by(same_pack).zip(each);
    let won = of_entry.flat_map(|(claims, bits)| claims.iter().map(move |claim| bits >> claim.part.index & 1 == 1));
    Ok((won.collect(), refused))
}
