//! Exact decimal numbers: prices never pass through binary fractions.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::{BigInt, Sign};

use super::value::Datum;
use crate::json::Json;

/// Numbers with more digits than this, with their exponent written out, are not numbers here.
const DIGITS_MAX: usize = 400;
/// The significant digits of a quotient without a finite expansion.
const QUOTIENT_DIGITS: i64 = 20;

/// An exact decimal number: `digits` divided by 10 to the power of `scale`. The last digit of a
/// fraction is never zero, so equal numbers have equal fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Decimal {
    digits: BigInt,
    scale: usize,
}

/// How a number is rounded to fewer decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// To the nearest; a half away from zero.
    Nearest,
    /// Towards negative infinity.
    Down,
    /// Towards positive infinity.
    Up,
}

impl Decimal {
    /// Reads a number as JSON writes it; `+5` and `.5` are not numbers.
    pub(crate) fn read(text: &str) -> Option<Self> {
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
        let only_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let shift = usize::try_from(exponent.unsigned_abs()).ok()?;
        if whole.is_empty()
            || whole.len() + fraction.len() + shift > DIGITS_MAX
            || !only_digits(whole)
            || !only_digits(fraction)
        {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction}");
        let scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
        // Zeros at the end of a fraction.
        let zeros = digits.len() - digits.trim_end_matches('0').len();
        let zeros = zeros.min(usize::try_from(scale).unwrap_or(0));
        let digits = match &digits.as_bytes()[..digits.len() - zeros] {
            [] => BigInt::ZERO,
            digits => BigInt::parse_bytes(digits, 10)?,
        };
        let digits = if negative { -digits } else { digits };
        Some(match usize::try_from(scale) {
            Ok(_) if digits.sign() == Sign::NoSign => Self { digits, scale: 0 },
            Ok(scale) => Self { digits, scale: scale - zeros },
            Err(_) => Self { digits: digits * power(scale.unsigned_abs()), scale: 0 },
        })
    }

    /// The number in a value or its text.
    pub(crate) fn of(value: &Datum<'_>) -> Option<Self> {
        match value {
            Datum::Data(Json::Number(digits)) => Self::read(digits),
            Datum::Index(index) => Some(Self::from(*index)),
            Datum::Number(text) => Self::read(text),
            Datum::Data(Json::String(text)) => Self::read(text.trim()),
            Datum::Text(text) => Self::read(text.trim()),
            _ => None,
        }
    }

    fn normal(mut self) -> Self {
        if self.digits.sign() == Sign::NoSign {
            self.scale = 0;
        }
        // Most numbers end with another digit; of a long row of zeros, as many as possible are removed at a time.
        let mut zeros = if self.ends_with_zero() { DIGITS_MAX.next_power_of_two() } else { 0 };
        while zeros > 0 {
            let removed = (self.scale >= zeros).then(|| power(zeros as u64));
            match removed.filter(|removed| (&self.digits % removed).sign() == Sign::NoSign) {
                Some(removed) => {
                    self.digits /= removed;
                    self.scale -= zeros;
                }
                None => zeros /= 2,
            }
        }
        self
    }

    fn ends_with_zero(&self) -> bool {
        self.scale > 0 && (&self.digits % BigInt::from(10)).sign() == Sign::NoSign
    }

    /// The steps that one operation with it takes beside its own: none for a number that fits into a machine word.
    pub(crate) fn steps(&self) -> usize {
        usize::try_from(self.digits.bits() / 64).unwrap_or(usize::MAX) + self.scale / 19
    }

    /// The number, unless it has too many digits.
    fn bounded(self) -> Option<Self> {
        let number = self.normal();
        // A decimal digit has more than 3.3 bits.
        let digits = usize::try_from(number.digits.bits()).ok()? * 10 / 33;
        (digits.max(number.scale) <= DIGITS_MAX).then_some(number)
    }

    /// The digits of both numbers at the larger scale of the two.
    fn aligned(&self, other: &Self) -> (BigInt, BigInt, usize) {
        let scale = self.scale.max(other.scale);
        let at = |number: &Self| &number.digits * power((scale - number.scale) as u64);
        (at(self), at(other), scale)
    }

    pub(crate) fn add(&self, other: &Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other);
        Self { digits: a + b, scale }.bounded()
    }

    pub(crate) fn subtract(&self, other: &Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other);
        Self { digits: a - b, scale }.bounded()
    }

    pub(crate) fn multiply(&self, other: &Self) -> Option<Self> {
        Self { digits: &self.digits * &other.digits, scale: self.scale + other.scale }.bounded()
    }

    /// The quotient: exact where it has at most 20 significant digits, else rounded to 20, a half away
    /// from zero. There is none by zero.
    pub(crate) fn divide(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        // This many digits after the point give the quotient 20 or 21 significant ones.
        let size = |number: &Self| digit_count(&number.digits) - i64::try_from(number.scale).unwrap_or(i64::MAX);
        let scale = QUOTIENT_DIGITS - (size(self) - size(other));
        // The guess is one off where the quotient, or its rounding, has one more digit.
        let (rounded, scale) = [scale, scale - 1, scale - 2].into_iter().find_map(|scale| {
            let quotient = self.quotient(other, scale);
            (digit_count(&quotient) <= QUOTIENT_DIGITS).then_some((quotient, scale))
        })?;
        match usize::try_from(scale) {
            Ok(scale) => Self { digits: rounded, scale }.bounded(),
            Err(_) => Self { digits: rounded * power(scale.unsigned_abs()), scale: 0 }.bounded(),
        }
    }

    /// The quotient times 10 to the power of `scale`, rounded to a whole number, a half away from zero.
    fn quotient(&self, other: &Self, scale: i64) -> BigInt {
        let shift = scale + i64::try_from(other.scale).unwrap_or(0) - i64::try_from(self.scale).unwrap_or(0);
        let (a, b) = if shift >= 0 {
            (&self.digits * power(shift.unsigned_abs()), other.digits.clone())
        } else {
            (self.digits.clone(), &other.digits * power(shift.unsigned_abs()))
        };
        divided(&a, &b, Rounding::Nearest)
    }

    /// The remainder of a division towards zero: it has the sign of the dividend. There is none by zero.
    pub(crate) fn remainder(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let (a, b, scale) = self.aligned(other);
        Self { digits: a % b, scale }.bounded()
    }

    /// The number with at most this many decimals.
    pub(crate) fn rounded(self, decimals: usize, rounding: Rounding) -> Self {
        if self.scale <= decimals {
            return self;
        }
        let digits = divided(&self.digits, &power((self.scale - decimals) as u64), rounding);
        Self { digits, scale: decimals }.normal()
    }

    pub(crate) fn absolute(self) -> Self {
        if self.is_negative() { Self { digits: -self.digits, ..self } } else { self }
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.digits.sign() == Sign::Minus
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.digits.sign() == Sign::NoSign
    }

    /// The number, if it is whole and 64 bits hold it.
    pub(crate) fn to_whole(&self) -> Option<i64> {
        if self.scale > 0 { None } else { i64::try_from(&self.digits).ok() }
    }

    /// The digits before and after the point, without the sign; no digit before the point is "0".
    pub(crate) fn parts(&self) -> (String, String) {
        let digits = self.digits.magnitude().to_string();
        let digits = format!("{digits:0>width$}", width = self.scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale);
        (whole.to_owned(), fraction.to_owned())
    }
}

impl From<usize> for Decimal {
    fn from(number: usize) -> Self {
        Self { digits: number.into(), scale: 0 }
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self { digits: number.into(), scale: 0 }
    }
}

impl fmt::Display for Decimal {
    /// As JSON writes it, without an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = self.parts();
        let sign = if self.is_negative() { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.digits.cmp(&other.digits);
        }
        let (a, b, _) = self.aligned(other);
        a.cmp(&b)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn power(exponent: u64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(u32::MAX))
}

/// How many decimal digits a whole number has; zero has none.
fn digit_count(number: &BigInt) -> i64 {
    if number.sign() == Sign::NoSign {
        return 0;
    }
    i64::try_from(number.magnitude().to_string().len()).unwrap_or(i64::MAX)
}

/// A whole number divided by another, as a whole number.
fn divided(a: &BigInt, b: &BigInt, rounding: Rounding) -> BigInt {
    let (quotient, remainder) = (a / b, a % b);
    if remainder.sign() == Sign::NoSign {
        return quotient;
    }
    let negative = (a.sign() == Sign::Minus) != (b.sign() == Sign::Minus);
    let away = match rounding {
        Rounding::Nearest => remainder.magnitude() * 2_u8 >= *b.magnitude(),
        Rounding::Down => negative,
        Rounding::Up => !negative,
    };
    match (away, negative) {
        (false, _) => quotient,
        (true, true) => quotient - 1,
        (true, false) => quotient + 1,
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
        for (text, expected) in [
            ("1.50e1", "15"),
            ("-0.00", "0"),
            ("12e-3", "0.012"),
            ("1200e-3", "1.2"),
            ("1.5e3", "1500"),
            ("007", "7"),
            ("0e5", "0"),
            ("-12.340", "-12.34"),
        ] {
            assert_eq!(read(text).to_string(), expected, "{text}");
            assert_eq!(read(text), read(expected), "{text}");
        }
    }

    #[test]
    fn numbers_are_rounded() {
        use Rounding::{Down, Nearest, Up};
        for (text, decimals, rounding, expected) in [
            ("0.5", 0, Nearest, "1"),
            ("-0.5", 0, Nearest, "-1"),
            ("2.345", 2, Nearest, "2.35"),
            ("2.344999", 2, Nearest, "2.34"),
            ("9.999", 2, Nearest, "10"),
            ("-0.004", 2, Nearest, "0"),
            ("1e-9", 2, Nearest, "0"),
            ("1.2", 0, Down, "1"),
            ("-1.2", 0, Down, "-2"),
            ("1.2", 0, Up, "2"),
            ("-1.2", 0, Up, "-1"),
            ("3", 0, Up, "3"),
        ] {
            assert_eq!(read(text).rounded(decimals, rounding), read(expected), "{text}");
        }
    }

    #[test]
    fn quotients_have_twenty_digits() {
        for (a, b, expected) in [
            ("1", "3", "0.33333333333333333333"),
            ("2", "3", "0.66666666666666666667"),
            ("-2", "3", "-0.66666666666666666667"),
            ("10", "4", "2.5"),
            ("1", "8e30", "0.000000000000000000000000000000125"),
            ("0", "7", "0"),
            ("126050", "100", "1260.5"),
            ("1e30", "7", "142857142857142857140000000000"),
            ("100000000000000000000", "1", "100000000000000000000"),
            ("123456789012345678905", "1", "123456789012345678910"),
        ] {
            assert_eq!(read(a).divide(&read(b)).map(|q| q.to_string()).as_deref(), Some(expected), "{a} / {b}");
        }
        assert_eq!(read("1").divide(&read("0.00")), None);
        assert_eq!(read("1").remainder(&read("0")), None);
    }

    #[test]
    fn digits_are_bounded() {
        let long = read(&"9".repeat(390));
        assert_eq!(long.multiply(&long), None);
        assert!(long.add(&long).is_some());
        let small = read("1e-390");
        assert_eq!(small.multiply(&small), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_reckons_as_whole_numbers_do(a in -9_999_999_i64..9_999_999, b in -9_999_999_i64..9_999_999, scale in 0_u32..4) {
            let at = |n: i64| read(&format!("{n}e-{scale}"));
            let (x, y) = (at(a), at(b));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.add(&y), Some(at(a + b)));
            prop_assert_eq!(x.subtract(&y), Some(at(a - b)));
            prop_assert_eq!(x.multiply(&y), Some(read(&format!("{}e-{}", a * b, 2 * scale))));
            if b != 0 {
                prop_assert_eq!(x.remainder(&y), Some(at(a % b)));
                prop_assert_eq!(x.multiply(&y).and_then(|product| product.divide(&y)), Some(x.clone()));
            }
            prop_assert_eq!(read(&x.to_string()), x);
        }
    }
}
