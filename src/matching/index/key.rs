//! The key of a condition: a hash of the path, the kind of look-up and the value. A collision adds a candidate, which
//! is then evaluated like all others; it never loses one.

use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use crate::matching::decimal::ParsedNumber;
use crate::matching::folding::fold;
use crate::matching::network::Network;

/// Seeded, so that no client can choose texts that collide.
static STATE: LazyLock<foldhash::fast::RandomState> = LazyLock::new(foldhash::fast::RandomState::default);

/// The longest prefix or suffix of a text that is looked up, in bytes; for one without case, in characters.
pub(super) const AFFIX_MAX: usize = 24;
/// The shortest and the longest part of a text that is looked up at any position in it, in bytes.
pub(super) const PART_MIN: usize = 3;
/// See [`PART_MIN`].
pub(super) const PART_MAX: usize = 4;

/// How many slots affixes of one path, kind and length are counted by, at each of their ends.
pub(super) const AFFIX_SLOTS: usize = 64;

/// The slots of an affix: of its first two and of its last two bytes. Affixes of one shape are alike in one of them, and
/// other texts are not, whatever the number in their middle.
#[inline]
pub(super) fn affix_slots(affix: &[u8]) -> [usize; 2] {
    let byte = |place: usize| affix.get(place).map_or(0, |byte| u32::from(*byte));
    let slot = |bytes: u32| (bytes.wrapping_mul(0x9e37_79b1) >> 26) as usize % AFFIX_SLOTS;
    let end = affix.len().wrapping_sub(1);
    [slot(byte(0) | byte(1) << 8), slot(byte(end.wrapping_sub(1)) | byte(end) << 8)]
}

/// How a value is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LookupKind {
    /// Any scalar exists.
    Present,
    Literal,
    Number,
    Range,
    Text,
    Folded,
    Prefix,
    Suffix,
    PrefixFolded,
    SuffixFolded,
    Part,
    NetworkV4,
    NetworkV6,
}

/// The path to a member, as a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path(pub(super) u64);

impl Path {
    pub(super) const ROOT: Self = Self(0);

    pub(super) fn member(self, name: &str) -> Self {
        let mut hasher = STATE.build_hasher();
        hasher.write_u64(self.0);
        hasher.write(name.as_bytes());
        Self(hasher.finish())
    }

    fn hasher(self, kind: LookupKind, length: usize) -> impl Hasher {
        let mut hasher = STATE.build_hasher();
        hasher.write_u64(self.0);
        hasher.write_u16((kind as u16) << 8 | length as u16);
        hasher
    }

    /// For kinds without a value.
    pub(super) fn bare(self, kind: LookupKind) -> u64 {
        self.hasher(kind, 0).finish()
    }

    /// null, false and true.
    pub(super) fn literal(self, literal: Option<bool>) -> u64 {
        self.hasher(LookupKind::Literal, literal.map_or(2, usize::from)).finish()
    }

    pub(super) fn number(self, number: ParsedNumber<'_>) -> u64 {
        let mut hasher = self.hasher(LookupKind::Number, 0);
        hasher.write_i8(number.sign);
        if number.sign != 0 {
            hasher.write_i64(number.exponent);
            hasher.write_u64(number.head);
            number.tail_digits().for_each(|digit| hasher.write_u8(digit));
        }
        hasher.finish()
    }

    /// A number that is looked up among ranges.
    pub(super) fn range(self, number: i64) -> u64 {
        self.bytes(LookupKind::Range, 0, &number.to_le_bytes())
    }

    /// A text or a part of it, unchanged. The length belongs to affixes and parts.
    pub(super) fn text(self, kind: LookupKind, length: usize, text: &str) -> u64 {
        self.bytes(kind, length, text.as_bytes())
    }

    pub(super) fn bytes(self, kind: LookupKind, length: usize, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher(kind, length);
        hasher.write(bytes);
        hasher.finish()
    }

    /// Characters, folded.
    pub(super) fn folded(self, kind: LookupKind, length: usize, chars: impl Iterator<Item = char>) -> u64 {
        let mut hasher = self.hasher(kind, length);
        chars.for_each(|c| hasher.write_u32(fold(c).into()));
        hasher.finish()
    }

    pub(super) fn network(self, network: &Network) -> u64 {
        let (is_v4, length, bits) = network.parts();
        self.bytes(network_kind(is_v4), length.into(), bits)
    }
}

pub(super) fn network_kind(is_v4: bool) -> LookupKind {
    if is_v4 { LookupKind::NetworkV4 } else { LookupKind::NetworkV6 }
}

/// The prefix of a text that is looked up.
pub(super) fn prefix(text: &str) -> &str {
    &text[..text.floor_char_boundary(AFFIX_MAX)]
}

/// The suffix of a text that is looked up.
pub(super) fn suffix(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(AFFIX_MAX))..]
}
