//! The field `pack` of an entry: several deliveries of one target. Redis and both nodes take as long for an entry of many
//! deliveries as for one of a single delivery, so what accounts add that have many waiting is packed.
//!
//! Its first byte is the number of its deliveries. For each of them follow its hops (one byte), the lengths of its
//! `webhook-id`, of its `firing` and of its body (four bytes each, the highest first), and these three. `redeem.lua` reads it
//! too.

use bytes::{Buf as _, Bytes};

/// The most deliveries in a pack. Redis keeps a bit for each of them.
pub(super) const PARTS_MAX: usize = 16;
/// The most bytes of a pack of several deliveries. It is less than what one permit stands for.
const BYTES_MAX: usize = 32_768;
/// The bytes of a delivery's hops and lengths.
const LENGTHS: usize = 13;

/// A delivery of a pack.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PackedDelivery {
    pub(super) hops: u8,
    pub(super) webhook_id: Bytes,
    pub(super) firing: Bytes,
    pub(super) body: Bytes,
}

/// Writes a pack to the end of a buffer.
#[derive(Debug)]
pub(super) struct PackWriter {
    begin: usize,
}

impl PackWriter {
    /// An empty pack, behind what the buffer has.
    pub(super) fn begin(buffer: &mut Vec<u8>) -> Self {
        let begin = buffer.len();
        buffer.push(0);
        Self { begin }
    }

    /// Whether it takes one more, whose texts have this many bytes.
    pub(super) fn has_room(&self, buffer: &[u8], bytes: usize) -> bool {
        usize::from(buffer[self.begin]) < PARTS_MAX && buffer.len() - self.begin + LENGTHS + bytes <= BYTES_MAX
    }

    /// Adds a delivery: its hops, webhook id, firing and body. None of these has 4 GiB.
    pub(super) fn add(&self, buffer: &mut Vec<u8>, hops: u8, parts: [&[u8]; 3]) {
        buffer.push(hops);
        for part in parts {
            let length = u32::try_from(part.len()).expect("bodies are bounded");
            buffer.extend_from_slice(&length.to_be_bytes());
        }
        parts.iter().for_each(|part| buffer.extend_from_slice(part));
        buffer[self.begin] += 1;
    }
}

/// How many deliveries a pack says it has.
pub(super) fn number(pack: &[u8]) -> u8 {
    pack.first().copied().unwrap_or_default()
}

/// Reads a pack. Its deliveries share its memory. `None` if it is not one.
pub(super) fn read(pack: Vec<u8>) -> Option<Vec<PackedDelivery>> {
    let mut rest = Bytes::from(pack);
    let number = rest.try_get_u8().ok().filter(|number| (1..=PARTS_MAX).contains(&usize::from(*number)))?;
    let mut deliveries = Vec::with_capacity(usize::from(number));
    for _ in 0..number {
        let hops = rest.try_get_u8().ok()?;
        let mut lengths = [0; 3];
        for length in &mut lengths {
            *length = usize::try_from(rest.try_get_u32().ok()?).ok()?;
        }
        let [webhook_id, firing, body] = lengths.map(|length| (length <= rest.len()).then(|| rest.split_to(length)));
        deliveries.push(PackedDelivery { hops, webhook_id: webhook_id?, firing: firing?, body: body? });
    }
    rest.is_empty().then_some(deliveries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(deliveries: &[PackedDelivery]) -> Vec<u8> {
        let mut buffer = b"before".to_vec();
        let pack = PackWriter::begin(&mut buffer);
        for PackedDelivery { hops, webhook_id, firing, body } in deliveries {
            pack.add(&mut buffer, *hops, [webhook_id, firing, body]);
        }
        buffer.split_off(6)
    }

    prop_compose! {
        fn delivery()(hops: u8, parts: [Vec<u8>; 3]) -> PackedDelivery {
            let [webhook_id, firing, body] = parts.map(Bytes::from);
            PackedDelivery { hops, webhook_id, firing, body }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read(deliveries in prop::collection::vec(delivery(), 1..=PARTS_MAX)) {
            let pack = written(&deliveries);
            prop_assert_eq!(usize::from(number(&pack)), deliveries.len());
            prop_assert_eq!(read(pack), Some(deliveries));
        }

        #[test]
        fn what_is_cut_or_longer_is_not_a_pack(
            deliveries in prop::collection::vec(delivery(), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut pack = written(&deliveries);
            prop_assert_eq!(read(pack[..cut.index(pack.len())].to_vec()), None);
            pack.push(0);
            prop_assert_eq!(read(pack), None);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(pack: Vec<u8>) {
            if let Some(deliveries) = read(pack.clone()) {
                prop_assert_eq!(written(&deliveries), pack);
            }
        }
    }

    #[test]
    fn a_pack_has_room_for_a_number_and_for_bytes() {
        let mut buffer = Vec::new();
        let pack = PackWriter::begin(&mut buffer);
        for _ in 0..PARTS_MAX {
            assert!(pack.has_room(&buffer, 6));
            pack.add(&mut buffer, 1, [b"id", b"", b"body"]);
        }
        assert!(!pack.has_room(&buffer, 6));
        let large = PackWriter::begin(&mut buffer);
        large.add(&mut buffer, 1, [b"id", b"", b"body"]);
        let left = BYTES_MAX - 20 - 13;
        assert!(large.has_room(&buffer, left) && !large.has_room(&buffer, left + 1));
        large.add(&mut buffer, 1, [b"id", b"", &vec![0; left - 2]]);
        assert!(!large.has_room(&buffer, 0));
        assert_eq!((number(&[]), read(Vec::new()), read(vec![0])), (0, None, None));
    }
}
