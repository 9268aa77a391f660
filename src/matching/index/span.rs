//! The span of an entry: the points that it covers. Each node of the tree has one line of memory that says which of its
//! members may cover a point. It is coarse: it may name a member that does not cover the point, but it names all that do.

use std::fmt::Debug;

/// Entries of a leaf and children of an inner node of a tree, at most. A row of as many spans is one line of memory.
pub(super) const WIDTH: usize = 14;

/// The points that an entry covers.
pub(super) trait Span: Copy + PartialEq + Debug {
    /// A walk finds the entries that cover one point.
    type Point: Copy;
    /// The spans of the members of a node.
    type Row: Clone + Debug;
    /// The smallest span that covers all points of both.
    fn join(self, other: Self) -> Self;
    /// Whether it covers a point.
    fn covers(self, point: Self::Point) -> bool;
    /// The row of at most [`WIDTH`] spans.
    fn row(spans: impl Iterator<Item = Self> + Clone) -> Self::Row;
    /// The places in a row that may cover a point, as a set of bits. Bits of places beyond the row have no meaning.
    fn places(row: &Self::Row, point: Self::Point) -> u32;
}

/// For entries that no walk excludes.
impl Span for () {
    type Point = ();
    type Row = ();
    fn join(self, (): Self) {}
    fn covers(self, (): ()) -> bool {
        true
    }
    fn row(_: impl Iterator<Item = Self> + Clone) {}
    fn places((): &(), (): ()) -> u32 {
        u32::MAX
    }
}

/// The numbers from `low` to `high`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumberSpan {
    pub(super) low: i64,
    pub(super) high: i64,
}

/// The ends of spans as small integers in the order of the numbers: an end is its distance from a base, shifted so that
/// most ends of the row differ. It is one line of memory.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct NumberSpanRow {
    lows: [i16; WIDTH],
    highs: [i16; WIDTH],
    scale: RowScale,
}

/// A base, whose last bits are the shift.
#[derive(Debug, Clone, Copy)]
struct RowScale(i64);

/// The bits of [`RowScale`] that are the shift.
const SHIFT: i64 = 63;

impl Span for NumberSpan {
    type Point = i64;
    type Row = NumberSpanRow;

    fn join(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    #[inline]
    fn covers(self, point: i64) -> bool {
        self.low <= point && point <= self.high
    }

    fn row(spans: impl Iterator<Item = Self> + Clone) -> NumberSpanRow {
        let scale = RowScale::of(spans.clone());
        // Unused places cover nothing.
        let mut row = NumberSpanRow { lows: [i16::MAX; WIDTH], highs: [i16::MIN; WIDTH], scale };
        for (place, span) in spans.enumerate() {
            (row.lows[place], row.highs[place]) = (scale.small(span.low), scale.small(span.high));
        }
        row
    }

    #[inline]
    fn places(row: &NumberSpanRow, point: i64) -> u32 {
        let point = row.scale.small(point);
        let covers = |place: usize| u32::from((row.lows[place] <= point) & (point <= row.highs[place]));
        (0..WIDTH).fold(0, |places, place| places | covers(place) << place)
    }
}

impl RowScale {
    /// The scale that distinguishes most ends of these spans, even if a few others are far away.
    fn of(spans: impl Iterator<Item = NumberSpan>) -> Self {
        let mut ends: arrayvec::ArrayVec<i64, { 2 * WIDTH }> =
            spans.flat_map(|span| [span.low, span.high]).filter(|end| !matches!(*end, i64::MIN | i64::MAX)).collect();
        ends.sort_unstable();
        let first = ends.first().copied().unwrap_or(0);
        let most = ends.get(ends.len() * 3 / 4).copied().unwrap_or(first);
        let reach = most.saturating_sub(first) | SHIFT;
        // The ends up to there get the lower half of the positive integers.
        let shift = (i64::BITS - reach.leading_zeros()).saturating_sub(i16::BITS - 2);
        Self(first & !SHIFT | i64::from(shift))
    }

    /// Scales a number. Of two numbers the greater one never gets the smaller result.
    #[inline]
    fn small(self, number: i64) -> i16 {
        let distance = number.saturating_sub(self.0 & !SHIFT) >> (self.0 & SHIFT);
        distance.clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_span_that_covers_a_point_is_left_out(
            ends in proptest::collection::vec((any::<i64>(), any::<i64>(), 0_u32..63), 0..=WIDTH),
            near in 0_u32..64,
        ) {
            let end = |end: i64| if end % 7 == 0 { i64::MAX } else if end % 11 == 0 { i64::MIN } else { end >> near.min(63) };
            let spans: Vec<NumberSpan> = ends
                .iter()
                .map(|(one, width, shift)| {
                    let low = end(*one);
                    NumberSpan { low, high: low.saturating_add((width >> shift).saturating_abs()) }
                })
                .collect();
            let row = NumberSpan::row(spans.iter().copied());
            let points = spans.iter().flat_map(|span| {
                [span.low, span.low.saturating_sub(1), span.high, span.high.saturating_add(1)]
            });
            for point in points.chain([0, i64::MIN, i64::MAX]) {
                let places = NumberSpan::places(&row, point);
                prop_assert_eq!(places >> spans.len(), 0, "unused places");
                for (place, span) in spans.iter().enumerate() {
                    prop_assert!(!span.covers(point) || places & 1 << place != 0, "{span:?} {point}");
                }
            }
        }
    }

    #[test]
    fn spans_beside_one_another_are_told_apart_beside_others_that_are_far_away() {
        // The first is a number whose last bits are those of a base, or not.
        for first in [0, SHIFT] {
            let near = (0..WIDTH as i64 - 3).map(|n| first + n * 1_000_000);
            let near = near.map(|low| NumberSpan { low, high: low + 400_000 });
            let far = [
                NumberSpan { low: i64::MIN, high: 100_000 },
                NumberSpan { low: 9_000_000, high: i64::MAX },
                NumberSpan { low: 1 << 60, high: 1 << 61 },
            ];
            let row = NumberSpan::row(near.chain(far));
            let places = |point| NumberSpan::places(&row, point);
            assert_eq!(places(500_000), 0);
            assert_eq!(places(5_200_000), 1 << 5);
            assert_eq!(places(5_700_000), 0);
        }
        assert_eq!(size_of::<NumberSpanRow>(), 64);
    }
}
