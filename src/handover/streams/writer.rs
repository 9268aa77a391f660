//! Writes deliveries as entries of a stream: each as one, or several as a pack.

use std::sync::Arc;

use super::entry::{BODY, FIRING, HOPS, PACK, REPLY, TARGET, WEBHOOK_ID};
use super::firing_text::{firing_text, firing_text_after};
use super::pack::PackWriter;
use super::target_text::{KnownTarget, target_text};
use crate::model::delivery::Delivery;
use crate::model::firing::FiringId;
use crate::model::id::AccountId;

/// The words of an entry with a pack.
pub(super) const PACK_WORDS: usize = 4;

/// Whether the entry of a delivery has the field for its hops.
pub(super) fn writes_hops(delivery: &Delivery) -> bool {
    delivery.hops != 1
}

/// Names and values of fields, as the arguments of a script.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) bytes: Vec<u8>,
    /// Where each word ends in `bytes`.
    pub(super) ends: Vec<usize>,
}

impl Words {
    pub(super) fn push(&mut self, word: &[u8]) {
        self.bytes.extend_from_slice(word);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().map(move |end| &self.bytes[std::mem::replace(&mut begin, *end)..*end])
    }
}

/// A pack that may take more deliveries.
#[derive(Debug)]
pub(super) struct OpenPack {
    pack: PackWriter,
    /// The firing of its first delivery.
    first: Option<FiringId>,
}

/// Writes entries, and caches the target that it wrote last: consecutive deliveries usually share it.
#[derive(Debug, Default)]
pub(super) struct EntryWriter {
    last: Option<(KnownTarget, Vec<u8>)>,
}

impl EntryWriter {
    /// Writes the field names and values of a delivery.
    pub(super) fn write(&mut self, words: &mut Words, account: &AccountId, delivery: &Delivery, reply: Option<&str>) {
        let mut field = |name: &str, value: &[u8]| {
            words.push(name.as_bytes());
            words.push(value);
        };
        field(TARGET, self.target(account, delivery));
        field(WEBHOOK_ID, delivery.webhook_id.as_bytes());
        field(BODY, &delivery.body);
        // Without the field it is 1.
        if writes_hops(delivery) {
            field(HOPS, delivery.hops.to_string().as_bytes());
        }
        field(FIRING, &delivery.firing.as_ref().map(firing_text).unwrap_or_default());
        if let Some(reply) = reply {
            field(REPLY, reply.as_bytes());
        }
    }

    /// Adds a delivery to the open pack, which is the last word, or to a new one if that has another target or no room.
    pub(super) fn pack(
        &mut self,
        words: &mut Words,
        open: &mut Option<OpenPack>,
        account: &AccountId,
        delivery: &Delivery,
    ) {
        let text = |first: Option<&FiringId>| {
            let text = |firing| firing_text_after(first, firing);
            delivery.firing.as_ref().map(text).unwrap_or_default()
        };
        let (id, body) = (delivery.webhook_id.as_bytes(), &delivery.body);
        let mut firing = text(open.as_ref().and_then(|open| open.first.as_ref()));
        let bytes = id.len() + firing.len() + body.len();
        let has_room = |open: &OpenPack| open.pack.has_room(&words.bytes, bytes);
        if !(self.wrote_last(delivery) && open.as_ref().is_some_and(has_room)) {
            words.push(TARGET.as_bytes());
            words.push(self.target(account, delivery));
            words.push(PACK.as_bytes());
            firing = text(None);
            *open = Some(OpenPack { pack: PackWriter::begin(&mut words.bytes), first: delivery.firing.clone() });
            words.ends.push(words.bytes.len());
        }
        if let (Some(OpenPack { pack, .. }), Some(end)) = (open, words.ends.last_mut()) {
            pack.add(&mut words.bytes, delivery.hops, [id, &firing, body]);
            *end = words.bytes.len();
        }
    }

    fn wrote_last(&self, Delivery { target, content_type, .. }: &Delivery) -> bool {
        let is_own = |known: &KnownTarget| Arc::ptr_eq(&known.target, target) && known.content_type == *content_type;
        self.last.as_ref().is_some_and(|(known, _)| is_own(known))
    }

    fn target(&mut self, account: &AccountId, delivery: &Delivery) -> &[u8] {
        let Delivery { target, content_type, .. } = delivery;
        let is_last = self.wrote_last(delivery);
        let known = self.last.take().filter(|_| is_last);
        let written = || {
            let account = account.clone();
            let text = target_text(&account, target, content_type);
            (KnownTarget { account, target: Arc::clone(target), content_type: content_type.clone() }, text)
        };
        &self.last.insert(known.unwrap_or_else(written)).1
    }
}
