//! The bodies of records.
//!
//! | record | body |
//! |---|---|
//! | accepted | entry 8, request 8, accepted 8 (Unix ms), due 8 (Unix ms, 0 at once), attempt 2, hops 1, flags 1 (1: the id is the producer's), zero 4; then fields |
//! | fired | entry 8, request 8, due 8, attempt 2, zero 6; then firings |
//! | begun | items of 16 bytes: entry 8, index 4, attempt 2, zero 2 |
//!
//! A field is a tag of 1 byte, a length of 4 and that many bytes: 1 account, 2 type, 3 id, 4 source, 5 time, 6 data,
//! 7 firings, 8 attributes as JSON (left out where there are none). Unknown tags are passed over, so fields can be added. A firing is its index within the entry (4), a hash of
//! its destination (8), the length of its trigger's id (2) and the id. Numbers are little-endian.
//!
//! An *entry* is an event that fired something. Its id is unique in the journal, also over restarts. The index of a
//! firing stays when the entry is rewritten.

use super::format::{u32_at, u64_at};

const ACCEPTED_BYTES: usize = 40;
const FIRED_BYTES: usize = 32;
const FIELD_HEAD_BYTES: usize = 5;
/// Bytes of a firing in addition to its trigger's id.
const FIRING_BYTES: usize = 14;
/// Bytes of one item of a begun record.
pub(super) const ITEM_BYTES: usize = 16;

/// The attempt number of all firings in this version.
pub(super) const FIRST_ATTEMPT: u16 = 1;

const ID_GIVEN: u8 = 1;

mod tag {
    pub(super) const ACCOUNT: u8 = 1;
    pub(super) const TYPE: u8 = 2;
    pub(super) const ID: u8 = 3;
    pub(super) const SOURCE: u8 = 4;
    pub(super) const TIME: u8 = 5;
    pub(super) const DATA: u8 = 6;
    pub(super) const FIRINGS: u8 = 7;
    pub(super) const ATTRIBUTES: u8 = 8;
}

/// One firing of an entry, as a record holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FiringFields<'a> {
    /// Its index within the entry.
    pub(super) index: u32,
    /// The fingerprint of its destination, which shows whether the trigger still has the same one.
    pub(super) destination: u64,
    /// Its trigger's id.
    pub(super) trigger: &'a str,
}

/// An event in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct EventFields<'a> {
    /// When it was accepted, Unix milliseconds.
    pub(super) accepted_ms: u64,
    /// How many deliveries of this project it has come through.
    pub(super) hops: u8,
    /// Whether the producer chose its id.
    pub(super) id_given: bool,
    /// The account whose triggers it fires.
    pub(super) account: &'a str,
    /// Its type.
    pub(super) event_type: &'a str,
    /// Its id.
    pub(super) id: &'a str,
    /// Its source; may be empty.
    pub(super) source: &'a str,
    /// Its time.
    pub(super) time: &'a str,
    /// Its data, as JSON.
    pub(super) data: &'a str,
    /// What else a CloudEvent says of itself, as JSON; may be empty.
    pub(super) attributes: &'a str,
}

/// An accepted record's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AcceptedRecord<'a> {
    pub(super) entry: u64,
    pub(super) request: u64,
    pub(super) due_ms: u64,
    pub(super) attempt: u16,
    pub(super) event: EventFields<'a>,
    pub(super) firings: Vec<FiringFields<'a>>,
}

/// A fired record's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FiredRecord<'a> {
    pub(super) entry: u64,
    pub(super) request: u64,
    pub(super) due_ms: u64,
    pub(super) attempt: u16,
    pub(super) firings: Vec<FiringFields<'a>>,
}

/// An item of a begun record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct BegunItem {
    pub(super) entry: u64,
    pub(super) index: u32,
    pub(super) attempt: u16,
}

/// Appends an accepted record's body.
pub(super) fn write_accepted<'a>(
    out: &mut Vec<u8>,
    (entry, request): (u64, u64),
    event: &EventFields<'_>,
    firings: impl Iterator<Item = FiringFields<'a>>,
) {
    let mut head = [0; ACCEPTED_BYTES];
    head[..8].copy_from_slice(&entry.to_le_bytes());
    head[8..16].copy_from_slice(&request.to_le_bytes());
    head[16..24].copy_from_slice(&event.accepted_ms.to_le_bytes());
    head[32..34].copy_from_slice(&FIRST_ATTEMPT.to_le_bytes());
    (head[34], head[35]) = (event.hops, if event.id_given { ID_GIVEN } else { 0 });
    out.extend_from_slice(&head);
    let mut field = |tag, value: &str| {
        out.extend_from_slice(&field_head(tag, value.len()));
        out.extend_from_slice(value.as_bytes());
    };
    field(tag::ACCOUNT, event.account);
    field(tag::TYPE, event.event_type);
    field(tag::ID, event.id);
    field(tag::SOURCE, event.source);
    field(tag::TIME, event.time);
    field(tag::DATA, event.data);
    if !event.attributes.is_empty() {
        field(tag::ATTRIBUTES, event.attributes);
    }
    let at = out.len();
    out.extend_from_slice(&[0; FIELD_HEAD_BYTES]);
    write_firings(out, firings);
    let head = field_head(tag::FIRINGS, out.len() - at - FIELD_HEAD_BYTES);
    out[at..at + FIELD_HEAD_BYTES].copy_from_slice(&head);
}

/// Appends a fired record's body.
pub(super) fn write_fired<'a>(
    out: &mut Vec<u8>,
    (entry, request): (u64, u64),
    firings: impl Iterator<Item = FiringFields<'a>>,
) {
    out.extend_from_slice(&entry.to_le_bytes());
    out.extend_from_slice(&request.to_le_bytes());
    out.extend_from_slice(&0_u64.to_le_bytes());
    out.extend_from_slice(&FIRST_ATTEMPT.to_le_bytes());
    out.extend_from_slice(&[0; 6]);
    write_firings(out, firings);
}

/// Appends an item to a begun record's body.
pub(super) fn write_item(out: &mut Vec<u8>, entry: u64, index: u32) {
    let mut item = [0; ITEM_BYTES];
    item[..8].copy_from_slice(&entry.to_le_bytes());
    item[8..12].copy_from_slice(&index.to_le_bytes());
    item[12..14].copy_from_slice(&FIRST_ATTEMPT.to_le_bytes());
    out.extend_from_slice(&item);
}

fn write_firings<'a>(out: &mut Vec<u8>, firings: impl Iterator<Item = FiringFields<'a>>) {
    for FiringFields { index, destination, trigger } in firings {
        let mut head = [0; FIRING_BYTES];
        head[..4].copy_from_slice(&index.to_le_bytes());
        head[4..12].copy_from_slice(&destination.to_le_bytes());
        head[12..].copy_from_slice(&u16::try_from(trigger.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(trigger.as_bytes());
    }
}

fn field_head(tag: u8, bytes: usize) -> [u8; FIELD_HEAD_BYTES] {
    let [a, b, c, d] = u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    [tag, a, b, c, d]
}

/// Reads an accepted record's body; `None` if it is malformed. Its checksum was right, so that would be a mistake of
/// the writer.
pub(super) fn read_accepted(body: &[u8]) -> Option<AcceptedRecord<'_>> {
    let mut rest = body.get(ACCEPTED_BYTES..)?;
    let mut event = EventFields {
        accepted_ms: u64_at(body, 16),
        hops: body[34],
        id_given: body[35] & ID_GIVEN != 0,
        ..EventFields::default()
    };
    let mut firings = Vec::new();
    while let Some((&tag, after)) = rest.split_first() {
        let value = after.get(4..4 + after.get(..4).map(|_| u32_at(after, 0) as usize)?)?;
        rest = &after[4 + value.len()..];
        if tag == tag::FIRINGS {
            firings = read_firings(value)?;
            continue;
        }
        let place = match tag {
            tag::ACCOUNT => &mut event.account,
            tag::TYPE => &mut event.event_type,
            tag::ID => &mut event.id,
            tag::SOURCE => &mut event.source,
            tag::TIME => &mut event.time,
            tag::DATA => &mut event.data,
            tag::ATTRIBUTES => &mut event.attributes,
            _ => continue,
        };
        *place = std::str::from_utf8(value).ok()?;
    }
    let (due_ms, attempt) = (u64_at(body, 24), u16::from_le_bytes([body[32], body[33]]));
    Some(AcceptedRecord { entry: u64_at(body, 0), request: u64_at(body, 8), due_ms, attempt, event, firings })
}

/// Reads a fired record's body.
pub(super) fn read_fired(body: &[u8]) -> Option<FiredRecord<'_>> {
    let firings = read_firings(body.get(FIRED_BYTES..)?)?;
    let (due_ms, attempt) = (u64_at(body, 16), u16::from_le_bytes([body[24], body[25]]));
    Some(FiredRecord { entry: u64_at(body, 0), request: u64_at(body, 8), due_ms, attempt, firings })
}

/// Reads a begun record's body.
pub(super) fn read_items(body: &[u8]) -> Option<impl Iterator<Item = BegunItem> + '_> {
    let (items, rest) = body.as_chunks::<ITEM_BYTES>();
    rest.is_empty().then(|| {
        items.iter().map(|item| BegunItem {
            entry: u64_at(item, 0),
            index: u32_at(item, 8),
            attempt: u16::from_le_bytes([item[12], item[13]]),
        })
    })
}

fn read_firings(mut bytes: &[u8]) -> Option<Vec<FiringFields<'_>>> {
    let mut firings = Vec::new();
    while !bytes.is_empty() {
        let head = bytes.get(..FIRING_BYTES)?;
        let end = FIRING_BYTES + usize::from(u16::from_le_bytes([head[12], head[13]]));
        let trigger = std::str::from_utf8(bytes.get(FIRING_BYTES..end)?).ok()?;
        firings.push(FiringFields { index: u32_at(head, 0), destination: u64_at(head, 4), trigger });
        bytes = &bytes[end..];
    }
    Some(firings)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(
            entry: u64, request: u64, accepted_ms: u64, hops: u8, id_given: bool,
            texts in prop::collection::vec("\\PC{0,20}", 7),
            triggers in prop::collection::vec((any::<u32>(), any::<u64>(), "[a-z]{1,9}"), 0..5),
        ) {
            let event = EventFields {
                accepted_ms, hops, id_given,
                account: &texts[0], event_type: &texts[1], id: &texts[2],
                source: &texts[3], time: &texts[4], data: &texts[5], attributes: &texts[6],
            };
            let firings: Vec<FiringFields<'_>> =
                triggers.iter().map(|(index, destination, id)| FiringFields { index: *index, destination: *destination, trigger: id }).collect();
            let mut body = Vec::new();
            write_accepted(&mut body, (entry, request), &event, firings.iter().copied());
            let expected = AcceptedRecord { entry, request, due_ms: 0, attempt: 1, event, firings: firings.clone() };
            prop_assert_eq!(read_accepted(&body), Some(expected));

            let mut body = Vec::new();
            write_fired(&mut body, (entry, request), firings.iter().copied());
            let expected = FiredRecord { entry, request, due_ms: 0, attempt: 1, firings };
            prop_assert_eq!(read_fired(&body), Some(expected));
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (read_accepted(&bytes), read_fired(&bytes), read_items(&bytes).map(Iterator::count));
        }
    }

    #[test]
    fn a_field_of_a_later_version_is_skipped() {
        let mut body = Vec::new();
        let event = EventFields { account: "acme", data: "{}", ..EventFields::default() };
        let firing = FiringFields { index: 0, destination: 7, trigger: "t" };
        write_accepted(&mut body, (1, 2), &event, [firing].into_iter());
        body.extend_from_slice(&[200, 3, 0, 0, 0, 1, 2, 3]);
        let read = read_accepted(&body).expect("an accepted record");
        assert_eq!((read.event, read.firings), (event, vec![firing]));
    }

    #[test]
    fn items_are_read_back() {
        let mut body = Vec::new();
        write_item(&mut body, 5, 6);
        write_item(&mut body, u64::MAX, u32::MAX);
        let items: Vec<BegunItem> = read_items(&body).expect("whole items").collect();
        let item = |entry, index| BegunItem { entry, index, attempt: 1 };
        assert_eq!(items, [item(5, 6), item(u64::MAX, u32::MAX)]);
        assert!(read_items(&body[1..]).is_none());
    }
}
