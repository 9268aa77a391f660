//! Reads deliveries from the entries of a stream. Any program can write entries, so they are validated like a trigger that
//! is saved.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::HeaderValue;
use smallvec::{SmallVec, smallvec};

use super::STREAMS;
use super::firing_text::FiringReader;
use super::pack;
use super::target_text::{KnownTarget, NotADelivery, read_target};
use crate::flow::in_flight::{EntryId, PackPart, StreamKind};
use crate::model::delivery::{Delivery, WebhookId};
use crate::model::firing::FiringId;
use crate::model::id::AccountId;
use crate::redis::Value;

/// The most targets that are cached, so that a busy trigger's URL and headers are parsed once. At this number the cache
/// is emptied.
const TARGETS_MAX: usize = 4_096;

/// The names of an entry's fields.
pub(super) const TARGET: &str = "target";
pub(super) const WEBHOOK_ID: &str = "webhook-id";
pub(super) const BODY: &str = "body";
pub(super) const REPLY: &str = "reply";
pub(super) const HOPS: &str = "hops";
/// What fired, as JSON: account, event type, event source, event id, trigger. The node that adds an entry with it counts
/// it for its account, and the one that removes it counts it out. Other programs leave it out.
pub(super) const FIRING: &str = "firing";
/// In the place of all but the target: several deliveries.
pub(super) const PACK: &str = "pack";
/// When the delivery was accepted, in milliseconds since the Unix epoch, if that is not the time of the entry's id.
const SINCE: &str = "since";

/// An entry as it was read.
#[derive(Debug)]
pub(super) struct StreamEntry {
    pub(super) id: EntryId,
    target: Option<Vec<u8>>,
    webhook_id: Option<Vec<u8>>,
    body: Option<Vec<u8>>,
    reply: Option<Vec<u8>>,
    hops: Option<Vec<u8>>,
    firing: Option<Vec<u8>>,
    pack: Option<Vec<u8>>,
    since: Option<Vec<u8>>,
    /// Which of its deliveries were won before, from the lowest bit on.
    won: u32,
}

impl StreamEntry {
    /// Bytes of its body, or of its pack.
    pub(super) fn size(&self) -> usize {
        self.body.as_ref().or(self.pack.as_ref()).map_or(0, Vec::len)
    }

    /// How many deliveries it was added with.
    pub(super) fn parts(&self) -> u8 {
        match &self.pack {
            Some(pack) if self.id.stream == StreamKind::Packs => pack::number(pack),
            _ => 1,
        }
    }

    /// How many deliveries wait in it.
    pub(super) fn deliveries(&self) -> usize {
        usize::from(self.parts()).saturating_sub(self.won.count_ones() as usize)
    }

    /// The slot of a field's value; the last of two equal fields counts. Other programs may add other fields.
    fn field(&mut self, name: &[u8]) -> Option<&mut Option<Vec<u8>>> {
        let fields = [
            (TARGET, &mut self.target),
            (WEBHOOK_ID, &mut self.webhook_id),
            (BODY, &mut self.body),
            (REPLY, &mut self.reply),
            (HOPS, &mut self.hops),
            (FIRING, &mut self.firing),
            (PACK, &mut self.pack),
            (SINCE, &mut self.since),
        ];
        fields.into_iter().find(|(own, _)| own.as_bytes() == name).map(|(_, value)| value)
    }
}

/// Deliveries of one entry.
pub(super) type Deliveries = SmallVec<[(PackPart, EntryContent); 1]>;

/// The content of an entry.
#[derive(Debug)]
pub(super) struct EntryContent {
    pub(super) account: AccountId,
    pub(super) delivery: Delivery,
    /// When Redis received it.
    pub(super) accepted_at: Instant,
    /// The list for the outcome, if someone waits for it.
    pub(super) reply: Option<String>,
}

impl EntryContent {
    /// The account that the entry counts for.
    pub(super) fn counts_for(&self) -> Option<AccountId> {
        self.delivery.firing.is_some().then(|| self.account.clone())
    }
}

/// Reads a list of entries of a stream, as `XREADGROUP` returns it for one stream and `XCLAIM` as a whole. An entry that was
/// deleted meanwhile is left out.
pub(super) fn entries(stream: StreamKind, value: Value) -> Vec<StreamEntry> {
    let Value::Array(items) = value else { return Vec::new() };
    items.into_iter().filter_map(|item| entry(stream, item)).collect()
}

/// The entries of each stream, in the order of [`StreamKind::ALL`].
pub(super) fn entries_of_each(streams: [Value; STREAMS]) -> [Vec<StreamEntry>; STREAMS] {
    let mut kinds = StreamKind::ALL.into_iter();
    streams.map(|value| kinds.next().map(|kind| entries(kind, value)).unwrap_or_default())
}

/// An entry is its id and its fields; scripts add to a pack which of its deliveries were won.
fn entry(stream: StreamKind, value: Value) -> Option<StreamEntry> {
    let Value::Array(parts) = value else { return None };
    let mut parts = parts.into_iter();
    let (Some(Value::BulkString(id)), Some(fields), won) = (parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let id = EntryId::read(stream, std::str::from_utf8(&id).ok()?)?;
    let won = if let Some(Value::Int(won)) = won { u32::try_from(won).unwrap_or_default() } else { 0 };
    let (target, webhook_id, body, reply, hops, firing, pack, since) = Default::default();
    let mut entry = StreamEntry { id, target, webhook_id, body, reply, hops, firing, pack, since, won };
    let Value::Array(fields) = fields else { return Some(entry) };
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if let (Value::BulkString(name), Value::BulkString(value)) = (name, value)
            && let Some(field) = entry.field(&name)
        {
            *field = Some(value);
        }
    }
    Some(entry)
}

pub(super) fn unix_millis() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_millis() as u64
}

fn content(
    KnownTarget { account, target, content_type }: KnownTarget,
    (webhook_id, firing, body, hops): (Bytes, Option<FiringId>, Bytes, u8),
    accepted_at: Instant,
) -> Result<EntryContent, NotADelivery> {
    let webhook_id = HeaderValue::from_maybe_shared(webhook_id).map_err(|_| NotADelivery::WebhookId)?;
    let delivery = Delivery { firing, target, webhook_id: WebhookId::Read(webhook_id), content_type, body, hops };
    Ok(EntryContent { account, delivery, accepted_at, reply: None })
}

fn accepted_at(millis: u64) -> Instant {
    let age = Duration::from_millis(unix_millis().saturating_sub(millis));
    Instant::now().checked_sub(age).unwrap_or_else(Instant::now)
}

/// Reads entries, and caches the targets that it has read.
#[derive(Debug, Default)]
pub(super) struct EntryReader {
    targets: HashMap<Vec<u8>, KnownTarget>,
    /// The last target and its text: consecutive deliveries usually share it.
    last: Option<(Vec<u8>, KnownTarget)>,
    firings: FiringReader,
}

impl EntryReader {
    /// Reads the deliveries of an entry that were not won before.
    pub(super) fn read_all(&mut self, entry: StreamEntry) -> Result<Deliveries, NotADelivery> {
        match entry.id.stream {
            StreamKind::Packs => self.read_pack(entry),
            StreamKind::First | StreamKind::Bulk => Ok(smallvec![(PackPart::ONLY, self.read(entry)?)]),
        }
    }

    fn read(&mut self, entry: StreamEntry) -> Result<EntryContent, NotADelivery> {
        let known = self.target(entry.target.ok_or(NotADelivery::NoTarget)?)?;
        let hops = entry.hops.map_or(Some(1), |hops| std::str::from_utf8(&hops).ok()?.parse().ok());
        let since = entry.since.and_then(|since| std::str::from_utf8(&since).ok()?.parse().ok());
        let accepted_at = accepted_at(since.unwrap_or(entry.id.millis));
        let webhook_id = Bytes::from(entry.webhook_id.ok_or(NotADelivery::WebhookId)?);
        let body = entry.body.ok_or(NotADelivery::NoBody)?.into();
        let hops = hops.ok_or(NotADelivery::Hops)?;
        let firing = entry.firing.and_then(|text| self.firings.read(&text));
        let mut read = content(known, (webhook_id, firing, body, hops), accepted_at)?;
        read.reply = entry.reply.and_then(|key| String::from_utf8(key).ok());
        Ok(read)
    }

    fn read_pack(&mut self, entry: StreamEntry) -> Result<Deliveries, NotADelivery> {
        let known = self.target(entry.target.ok_or(NotADelivery::NoTarget)?)?;
        let parts = entry.pack.and_then(pack::read).ok_or(NotADelivery::Pack)?;
        let (of, accepted_at) = (parts.len() as u8, accepted_at(entry.id.millis));
        let first = self.firings.read(&parts[0].firing);
        let waiting = (0..).zip(parts).filter(|(index, _)| entry.won >> index & 1 == 0);
        let read = waiting.map(|(index, part)| {
            let firing = self.firings.read_after(first.as_ref(), &part.firing);
            let parts = (part.webhook_id, firing, part.body, part.hops);
            Ok((PackPart { index, of }, content(known.clone(), parts, accepted_at)?))
        });
        read.collect()
    }

    fn target(&mut self, text: Vec<u8>) -> Result<KnownTarget, NotADelivery> {
        if let Some((last, known)) = &self.last
            && *last == text
        {
            return Ok(known.clone());
        }
        let known = match self.targets.get(&text) {
            Some(known) => known.clone(),
            None => {
                let known = read_target(&text)?;
                if self.targets.len() >= TARGETS_MAX {
                    self.targets.clear();
                }
                self.targets.insert(text.clone(), known.clone());
                known
            }
        };
        self.last = Some((text, known.clone()));
        Ok(known)
    }
}

#[cfg(test)]
mod tests;
