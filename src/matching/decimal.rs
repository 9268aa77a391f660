//! Numbers as they are written in JSON, compared exactly: 1, 1.0 and 10e-1 are equal, and two numbers of
//! thirty digits that differ in the last one are not. Nothing here is a binary float.

use std::cmp::Ordering;

/// How many significant digits a [`ParsedNumber`] holds as an integer; the digits after them stay text.
const HEAD_DIGITS: u32 = 19;
/// The exponent for all numbers beyond it. A pattern's numbers stay below it, see [`EXPONENT_MAX`].
const EXPONENT_CLAMP: i64 = 1 << 60;
/// The greatest power of ten of a number in a pattern. Events may have any: they compare as greater.
pub(super) const EXPONENT_MAX: i64 = 1_000_000_000;

/// A number: sign, power of ten of its first digit, and its significant digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct ParsedNumber<'t> {
    /// -1, 0 or 1. For 0 the other fields have no meaning.
    pub(super) sign: i8,
    /// The power of ten of the first significant digit.
    pub(super) exponent: i64,
    /// The first 19 significant digits, padded with zeros.
    pub(super) head: u64,
    /// The text of the digits after those, which may contain a point; empty if all are zero.
    pub(super) tail: &'t str,
}

impl<'t> ParsedNumber<'t> {
    /// Reads a number that is well-formed JSON.
    pub(super) fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let negative = bytes.first() == Some(&b'-');
        let (mut head, mut digits, mut power, mut place) = (0_u64, 0_u32, -1_i64, 0_i64);
        let (mut at, mut fraction) = (usize::from(negative), false);
        let mut tail = at..at;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'0'..=b'9' => {
                    if fraction {
                        place -= 1;
                    } else if digits > 0 {
                        power += 1;
                    }
                    if digits == 0 && byte != b'0' {
                        power = if fraction { place } else { 0 };
                    }
                    if digits > 0 || byte != b'0' {
                        if digits < HEAD_DIGITS {
                            head = head * 10 + u64::from(byte - b'0');
                            digits += 1;
                        } else {
                            if tail.is_empty() {
                                tail = at..at;
                            }
                            tail.end = at + 1;
                        }
                    }
                }
                b'.' => fraction = true,
                _ => break,
            }
            at += 1;
        }
        if digits == 0 {
            return Self { sign: 0, exponent: 0, head: 0, tail: "" };
        }
        let exponent = match bytes.get(at) {
            Some(_) => read_exponent(&text[at + 1..]),
            None => 0,
        };
        let tail = &text[tail];
        Self {
            sign: if negative { -1 } else { 1 },
            exponent: (power + exponent).clamp(-EXPONENT_CLAMP, EXPONENT_CLAMP),
            head: head * 10_u64.pow(HEAD_DIGITS - digits),
            tail: if tail.bytes().all(|byte| matches!(byte, b'0' | b'.')) { "" } else { tail },
        }
    }

    /// An integer that never decreases as the number grows: a coarse order for look-ups.
    pub(super) fn coarse(self) -> i64 {
        const EXPONENT_COARSE: i64 = 1 << 11;
        let exponent = self.exponent.clamp(-EXPONENT_COARSE, EXPONENT_COARSE - 1) + EXPONENT_COARSE;
        // At the ends of the clamp all numbers must be equal.
        let head = match exponent {
            0 => 0,
            e if e == 2 * EXPONENT_COARSE - 1 => i64::MAX >> 13,
            _ => (self.head >> 14) as i64,
        };
        i64::from(self.sign) * (exponent << 50 | (head & ((1 << 50) - 1)))
    }

    /// The digits after the head, without trailing zeros.
    pub(super) fn tail_digits(self) -> impl Iterator<Item = u8> + use<'t> {
        let significant = self.tail.trim_end_matches(['0', '.']);
        significant.bytes().filter(|byte| *byte != b'.')
    }
}

fn read_exponent(text: &str) -> i64 {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = digits.bytes().map(|byte| i64::from(byte - b'0'));
    let size = digits.fold(0_i64, |sum, digit| (sum.saturating_mul(10).saturating_add(digit)).min(EXPONENT_CLAMP));
    if negative { -size } else { size }
}

impl Ord for ParsedNumber<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = || {
            let order = self.exponent.cmp(&other.exponent).then(self.head.cmp(&other.head));
            order.then_with(|| self.tail_digits().cmp(other.tail_digits()))
        };
        self.sign.cmp(&other.sign).then_with(|| match self.sign {
            0 => Ordering::Equal,
            1.. => size(),
            _ => size().reverse(),
        })
    }
}

impl PartialOrd for ParsedNumber<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ParsedNumber<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ParsedNumber<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// In order; those of one row are equal.
    const ORDERED: [&[&str]; 22] = [
        &["-1e99999999999999999999999"],
        &["-1e999"],
        &["-12345678901234567891"],
        &["-12345678901234567890"],
        &["-12", "-12.0E+0", "-120e-1"],
        &["-1.5", "-1.50", "-15e-1"],
        &["-1e-400"],
        &["0", "-0", "0.000", "0e5", "-0.0e-7"],
        &["1e-400", "0.1e-399"],
        &["0.1", "1e-1", "0.100", "0.01e1"],
        &["0.1000000000000000055"],
        &["0.10000000000000000550000000000001"],
        &["0.30000000000000004", "3.0000000000000004e-1"],
        &["1", "1.0", "10e-1", "1.000000000000000000000000", "0.1E1"],
        &["1.0000000000000000000000001"],
        &["35", "35.0", "3.5e1", "3.50E+1"],
        &["9007199254740992", "9007199254740992.0"],
        &["9007199254740993", "9007199254740993.0", "9.007199254740993e15"],
        &["12345678901234567890", "1234567890123456789e1"],
        &["12345678901234567891", "12345678901234567891.000", "1.2345678901234567891e19"],
        &["1e400", "10e399", "0.1e401"],
        &["1e99999999999999999999999"],
    ];

    #[test]
    fn the_order_is_exact_and_the_coarse_one_never_turns_it_round() {
        for (left_row, left) in ORDERED.iter().enumerate().flat_map(|(row, texts)| texts.iter().map(move |t| (row, t)))
        {
            for (right_row, right) in
                ORDERED.iter().enumerate().flat_map(|(row, texts)| texts.iter().map(move |t| (row, t)))
            {
                let (a, b) = (ParsedNumber::new(left), ParsedNumber::new(right));
                assert_eq!(a.cmp(&b), left_row.cmp(&right_row), "{left} {right}");
                if left_row <= right_row {
                    assert!(a.coarse() <= b.coarse(), "{left} {right}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn integers_compare_as_integers(a in any::<i128>(), b in any::<i128>(), shift in 0_u32..60) {
            let (a, b) = (a >> shift, b >> shift);
            let (left, right) = (a.to_string(), format!("{b}.00e0"));
            let (left, right) = (ParsedNumber::new(&left), ParsedNumber::new(&right));
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
            prop_assert!(a > b || left.coarse() <= right.coarse());
        }

        #[test]
        fn doubles_compare_as_doubles(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(a.is_finite() && b.is_finite());
            let (left, right) = (format!("{a:e}"), format!("{b}"));
            let (left, right) = (ParsedNumber::new(&left), ParsedNumber::new(&right));
            prop_assert_eq!(Some(left.cmp(&right)), a.partial_cmp(&b));
            prop_assert!(a > b || left.coarse() <= right.coarse());
        }
    }
}
