//! A decimal number, exact: prices are never put through binary fractions.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::json::Json;
use crate::templating::value::Datum;

/// Numbers with more digits than this, once their exponent is written out, are not taken.
const DIGITS_MAX: usize = 400;

/// A decimal number: its digits before and after the point, without needless zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::templating) struct Decimal {
    pub(super) negative: bool,
    pub(super) whole: String,
    pub(super) fraction: String,
}

impl Decimal {
    /// Reads a number as JSON writes it; `+5` and `.5` are not numbers.
    pub(in crate::templating) fn read(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let digits_only = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) {
            return None;
        }
        Self::shifted(negative, whole, fraction, exponent)
    }

    /// The number that a value is, or that its text tells.
    pub(in crate::templating) fn of(value: &Datum<'_>) -> Option<Self> {
        match value {
            Datum::Data(Json::Number(digits)) => Self::read(digits),
            Datum::Index(_) | Datum::Text(_) | Datum::Data(Json::String(_)) => {
                let text: Cow<'_, str> = value.simple_text()?;
                Self::read(text.trim())
            }
            _ => None,
        }
    }

    fn shifted(negative: bool, whole: &str, fraction: &str, exponent: i32) -> Option<Self> {
        let shift = usize::try_from(exponent.unsigned_abs()).ok()?;
        if whole.len() + fraction.len() + shift > DIGITS_MAX {
            return None;
        }
        let zeros = "0".repeat(shift);
        let (digits, point) = if exponent < 0 {
            (format!("{zeros}{whole}{fraction}"), whole.len())
        } else {
            (format!("{whole}{fraction}{zeros}"), whole.len() + shift)
        };
        let (whole, fraction) = digits.split_at(point);
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        Some(Self {
            negative: negative && !(whole.is_empty() && fraction.is_empty()),
            whole: whole.to_owned(),
            fraction: fraction.to_owned(),
        })
    }

    /// The number with at most so many digits after the point; a half is rounded away from zero.
    pub(super) fn rounded(mut self, decimals: usize) -> Self {
        if self.fraction.len() <= decimals {
            return self;
        }
        let up = self.fraction.as_bytes()[decimals] >= b'5';
        self.fraction.truncate(decimals);
        if up {
            let mut digits = format!("0{}{}", self.whole, self.fraction).into_bytes();
            for digit in digits.iter_mut().rev() {
                if *digit < b'9' {
                    *digit += 1;
                    break;
                }
                *digit = b'0';
            }
            let digits: String = digits.into_iter().map(char::from).collect();
            let (whole, fraction) = digits.split_at(digits.len() - decimals);
            self.whole = whole.trim_start_matches('0').to_owned();
            self.fraction = fraction.to_owned();
        }
        self.fraction.truncate(self.fraction.trim_end_matches('0').len());
        self.negative &= !(self.whole.is_empty() && self.fraction.is_empty());
        self
    }

    /// The number's whole part, as far as 64 bits hold it.
    pub(super) fn to_whole(&self) -> Option<i64> {
        let whole: i64 = if self.whole.is_empty() { 0 } else { self.whole.parse().ok()? };
        Some(if self.negative { -whole } else { whole })
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let size =
            |a: &Self, b: &Self| (a.whole.len(), &a.whole, &a.fraction).cmp(&(b.whole.len(), &b.whole, &b.fraction));
        match (self.negative, other.negative) {
            (false, false) => size(self, other),
            (true, true) => size(other, self),
            (negative, _) => negative.cmp(&!negative).reverse(),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Decimal {
        Decimal::read(text).expect("a number")
    }

    #[test]
    fn only_json_numbers_are_read() {
        for text in ["", "-", "+5", ".5", "5.", "1e", "0x1", "1,000", "NaN", "1e999999", "٣", "1 2"] {
            assert_eq!(Decimal::read(text), None, "{text}");
        }
        assert_eq!(read("1.50e1"), read("15"));
        assert_eq!(read("-0.00"), read("0"));
        assert_eq!(read("12e-3"), read("0.012"));
    }

    #[test]
    fn rounding_is_away_from_zero_at_the_half() {
        for (text, decimals, expected) in [
            ("0.5", 0, "1"),
            ("-0.5", 0, "-1"),
            ("2.345", 2, "2.35"),
            ("2.344999", 2, "2.34"),
            ("9.999", 2, "10"),
            ("-0.004", 2, "0"),
            ("1e-9", 2, "0"),
        ] {
            assert_eq!(read(text).rounded(decimals), read(expected), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn order_is_that_of_numbers(a in -9_999_i64..9_999, b in -9_999_i64..9_999, scale in 0_u32..4) {
            let text = |n: i64| format!("{n}e-{scale}");
            prop_assert_eq!(read(&text(a)).cmp(&read(&text(b))), a.cmp(&b));
        }
    }
}
