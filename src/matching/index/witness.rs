//! The witness of a pattern: a condition, or one of a few, that holds of every event which the pattern matches. The
//! pattern is filed under it, is a candidate where it is found, and is then evaluated. Of the conditions that a pattern
//! has, the one is taken that brings the fewest candidates: by what the index holds already, and by its kind.

use super::key::{AFFIX_MAX, LookupKind, PART_MAX, PART_MIN, Path, affix_slots, network_kind, prefix, suffix};
use crate::matching::pattern::Pattern;
use crate::matching::program::{Comparison, FieldShape, Op};

/// In a list, the listeners under this many tests are counted. The cost of a longer list is high enough without the rest.
const COUNTED_MAX: usize = 32;

/// How many candidates each listener that is filed already stands for: a value that is filed once is likely to come again.
const COUNTED_WEIGHT: usize = 4;

/// What a test is filed under.
#[derive(Debug, Clone, Copy)]
pub(super) enum WitnessKey {
    /// In the postings, under this hash.
    Hash(u64),
    /// Among the ranges of its path: its least and greatest number, coarsely.
    Range { low: i64, high: i64 },
}

/// A test that is a witness.
#[derive(Debug, Clone, Copy)]
pub(super) struct Witness {
    /// Its place in the pattern.
    pub(super) place: u32,
    pub(super) kind: LookupKind,
    /// For affixes, parts and networks.
    pub(super) length: u8,
    pub(super) key: WitnessKey,
    /// For affixes: their slots.
    pub(super) slots: [usize; 2],
}

/// The positions of a listener's witnesses in its pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WitnessLocations {
    /// It has no pattern, or one without a witness.
    Nowhere,
    One(u32),
    Several(Box<[u32]>),
}

impl WitnessLocations {
    pub(super) fn is_nowhere(&self) -> bool {
        matches!(self, Self::Nowhere)
    }

    pub(super) fn places(&self) -> &[u32] {
        match self {
            Self::Nowhere => &[],
            Self::One(place) => std::slice::from_ref(place),
            Self::Several(places) => places,
        }
    }
}

/// Says how many listeners are filed where a witness would be.
pub(super) trait Counts {
    fn count(&self, pattern: &Pattern, witness: &Witness) -> usize;
}

/// Some witnesses of which one is found whenever the pattern matches, and how many candidates they may bring.
struct Choice {
    cost: usize,
    places: Vec<u32>,
    /// Nearly every event has one.
    common: bool,
}

/// The witnesses of a pattern.
pub(super) fn choose(pattern: &Pattern, counts: &impl Counts) -> WitnessLocations {
    let chooser = Chooser { pattern, counts };
    match chooser.level(0, pattern.operations.len(), Path::ROOT) {
        None => WitnessLocations::Nowhere,
        Some(choice) => match choice.places.as_slice() {
            [only] => WitnessLocations::One(*only),
            _ => WitnessLocations::Several(choice.places.into()),
        },
    }
}

impl Pattern {
    /// Whether a lookup can exclude events that it does not match, without an evaluation.
    pub fn is_selective(&self) -> bool {
        struct NoCounts;
        impl Counts for NoCounts {
            fn count(&self, _: &Pattern, _: &Witness) -> usize {
                0
            }
        }
        let chooser = Chooser { pattern: self, counts: &NoCounts };
        chooser.level(0, self.operations.len(), Path::ROOT).is_some_and(|choice| !choice.common)
    }

    /// The witness at a place.
    pub(super) fn witness(&self, place: u32, path: Path) -> Option<Witness> {
        let hash = |kind, hash| (kind, 0, WitnessKey::Hash(hash), NO_SLOTS);
        let (kind, length, key, slots) = match self.operations.get(place as usize)? {
            Op::Exists(true) | Op::AnythingBut { .. } => present(path),
            Op::Null => hash(LookupKind::Literal, path.literal(None)),
            Op::Bool(truth) => hash(LookupKind::Literal, path.literal(Some(*truth))),
            Op::Text(own) => hash(LookupKind::Text, path.text(LookupKind::Text, 0, self.text.text_of(own))),
            Op::Number(own) => hash(LookupKind::Number, path.number(self.text.decimal(*own))),
            Op::EqualFolded(own) => {
                hash(LookupKind::Folded, path.folded(LookupKind::Folded, 0, self.text.text_of(own).chars()))
            }
            Op::Prefix(own) => affix(path, LookupKind::Prefix, prefix(self.text.text_of(own))),
            Op::Suffix(own) => affix(path, LookupKind::Suffix, suffix(self.text.text_of(own))),
            Op::PrefixFolded(own) => folded_affix(path, LookupKind::PrefixFolded, self.text.text_of(own).chars()),
            Op::SuffixFolded(own) => folded_affix(path, LookupKind::SuffixFolded, self.text.text_of(own).chars().rev()),
            Op::Within(network) => {
                let (is_v4, length, _) = network.parts();
                (network_kind(is_v4), length.into(), WitnessKey::Hash(path.network(network)), NO_SLOTS)
            }
            Op::Wildcard(pieces) => {
                let pieces = &self.operations[place as usize + 1..][..*pieces as usize];
                wildcard(path, pieces.iter().map(|op| self.text.piece(op)))
            }
            Op::Range { bounds } => {
                let (low, high) = self.range(&self.operations[place as usize + 1..][..usize::from(*bounds)]);
                (LookupKind::Range, 0, WitnessKey::Range { low, high }, NO_SLOTS)
            }
            _ => return None,
        };
        Some(Witness { place, kind, length: length as u8, key, slots })
    }

    /// The least and the greatest number within some bounds, coarsely.
    fn range(&self, bounds: &[Op]) -> (i64, i64) {
        let (mut low, mut high) = (i64::MIN, i64::MAX);
        for bound in bounds {
            let Op::Bound(comparison, number) = bound else { continue };
            let number = self.text.decimal(*number).coarse();
            match comparison {
                Comparison::Greater | Comparison::GreaterOrEqual => low = number,
                Comparison::Less | Comparison::LessOrEqual => high = number,
                Comparison::Equal => (low, high) = (number, number),
            }
        }
        (low, high)
    }

    /// The names on the way to the test at a place.
    pub(super) fn way(&self, place: u32) -> impl Iterator<Item = &str> {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < place as usize {
                let next = self.next(at);
                let inside = (place as usize) < next;
                let op = &self.operations[at];
                at = if inside { at + 1 } else { next };
                if let (true, Op::Field { name, .. }) = (inside, op) {
                    return Some(self.text.text_of(name));
                }
            }
            None
        })
    }
}

/// Kind, length, key and slots of a witness.
type WitnessLookup = (LookupKind, usize, WitnessKey, [usize; 2]);

/// The slots of what is not an affix.
const NO_SLOTS: [usize; 2] = [0; 2];

fn present(path: Path) -> WitnessLookup {
    (LookupKind::Present, 0, WitnessKey::Hash(path.bare(LookupKind::Present)), NO_SLOTS)
}

fn affix(path: Path, kind: LookupKind, text: &str) -> WitnessLookup {
    match text.len() {
        0 => present(path),
        length => (kind, length, WitnessKey::Hash(path.text(kind, length, text)), affix_slots(text.as_bytes())),
    }
}

fn folded_affix(path: Path, kind: LookupKind, chars: impl Iterator<Item = char> + Clone) -> WitnessLookup {
    match chars.clone().take(AFFIX_MAX).count() {
        0 => present(path),
        length => (kind, length, WitnessKey::Hash(path.folded(kind, length, chars.take(length))), NO_SLOTS),
    }
}

/// The longer one of what the value begins and ends with; else a part of the longest piece.
fn wildcard<'p>(path: Path, mut pieces: impl DoubleEndedIterator<Item = &'p str> + Clone) -> WitnessLookup {
    let longest = pieces.clone().max_by_key(|text| text.len()).unwrap_or("");
    let (first, last) = (pieces.next().unwrap_or(""), pieces.next_back().unwrap_or(""));
    match (first.len(), last.len(), longest.len()) {
        (0, 0, PART_MIN..) => {
            let length = longest.len().min(PART_MAX);
            let part = &longest.as_bytes()[longest.len() - length..];
            (LookupKind::Part, length, WitnessKey::Hash(path.bytes(LookupKind::Part, length, part)), NO_SLOTS)
        }
        (0, 0, _) => present(path),
        (begin, end, _) if begin >= end => affix(path, LookupKind::Prefix, prefix(first)),
        _ => affix(path, LookupKind::Suffix, suffix(last)),
    }
}

struct Chooser<'a, C> {
    pattern: &'a Pattern,
    counts: &'a C,
}

impl<C: Counts> Chooser<'_, C> {
    /// All must hold: the best of them is enough.
    fn level(&self, mut at: usize, end: usize, path: Path) -> Option<Choice> {
        let mut best: Option<Choice> = None;
        while at < end {
            let next = self.pattern.next(at);
            let choice = match &self.pattern.operations[at] {
                Op::Field { name, below, .. } => {
                    let path = path.member(self.pattern.text.text_of(name));
                    match below {
                        FieldShape::Leaf => self.leaf(at + 1, path),
                        FieldShape::Level | FieldShape::Mixed => self.level(at + 1, next, path),
                    }
                }
                Op::Leaf { .. } => self.leaf(at, path),
                Op::Any { .. } => self.any(at + 1, next, path),
                _ => None,
            };
            best = match (best, choice) {
                (Some(best), Some(choice)) if choice.cost < best.cost => Some(choice),
                (None, choice) => choice,
                (best, _) => best,
            };
            at = next;
        }
        best
    }

    /// One must hold: all of them are needed.
    fn any(&self, mut at: usize, end: usize, path: Path) -> Option<Choice> {
        let mut whole = Choice { cost: 0, places: Vec::new(), common: false };
        while at < end {
            let next = self.pattern.next(at);
            let choice = self.level(at + 1, next, path)?;
            whole.cost = whole.cost.saturating_add(choice.cost);
            whole.common |= choice.common;
            whole.places.extend(choice.places);
            at = next;
        }
        Some(whole)
    }

    fn leaf(&self, leaf: usize, path: Path) -> Option<Choice> {
        let (mut at, end) = (leaf + 1, self.pattern.next(leaf));
        // A member that may be absent has no witness.
        if self.pattern.operations[at..end].contains(&Op::Exists(false)) {
            return None;
        }
        let mut whole = Choice { cost: 0, places: Vec::new(), common: false };
        while at < end {
            let place = crate::matching::program::small(at);
            let witness = self.pattern.witness(place, path)?;
            let counted = if whole.places.len() < COUNTED_MAX { self.counts.count(self.pattern, &witness) } else { 0 };
            let cost = counted.saturating_mul(COUNTED_WEIGHT).saturating_add(cost_of(&witness));
            // If presence satisfies one test, the witnesses of the others add nothing.
            if witness.kind == LookupKind::Present {
                return Some(Choice { cost, places: vec![place], common: true });
            }
            whole.cost = whole.cost.saturating_add(cost);
            whole.places.push(place);
            at = self.pattern.next(at);
        }
        Some(whole)
    }
}

/// How many candidates a witness may bring beside those that are counted: by how common its values are in general.
fn cost_of(witness: &Witness) -> usize {
    match (witness.kind, witness.length) {
        (LookupKind::Text | LookupKind::Number | LookupKind::Folded, _) => 1,
        (LookupKind::NetworkV4, 24..) | (LookupKind::NetworkV6, 48..) => 2,
        (LookupKind::Prefix | LookupKind::Suffix | LookupKind::PrefixFolded | LookupKind::SuffixFolded, 4..) => 3,
        (LookupKind::Part, PART_MAX_LENGTH..) => 8,
        (LookupKind::Range, _) => 32,
        (LookupKind::Literal, _) => 64,
        (LookupKind::Present, _) => 256,
        _ => 16,
    }
}

const PART_MAX_LENGTH: u8 = PART_MAX as u8;
