//! Times as RFC 3339, section 5.6, writes them: years 0000 to 9999, fractions of any length, a leap second.

use jiff::Timestamp;

/// The text of `Timestamp::MAX`, the last time that can be computed with. It also stands for the 26 hours after it, to
/// the end of the year 9999.
const LAST: &str = "9999-12-31T23:59:59Z";
/// The first second of the year 0000. It stands for earlier ones too, to which an offset can lead.
const FIRST_SECOND: i64 = -62_167_219_200;
/// Digits of a fraction that are computed with.
const FRACTION_DIGITS: usize = 9;

/// Whether a text is a time.
pub fn is_time(text: &str) -> bool {
    parts(text).is_some()
}

/// The time that a text says; `None` if it is not a time.
pub fn read(text: &str) -> Option<Timestamp> {
    let Parts { moment, fraction, offset } = parts(text)?;
    let fraction = &fraction[..fraction.len().min(1 + FRACTION_DIGITS)];
    // All parts were checked, so parsing fails only for a time that is too late.
    let time: Timestamp = format!("{moment}{fraction}{offset}").parse().unwrap_or(Timestamp::MAX);
    Timestamp::from_second(FIRST_SECOND).ok().map(|first| time.max(first))
}

/// A time as a text that [`read`] reads. EARLIER(node): the text of the last one is not read there, so this is for
/// interfaces, and not for records.
pub fn write(time: Timestamp) -> String {
    if time == Timestamp::MAX { LAST.to_owned() } else { time.to_string() }
}

/// The parts of a time.
struct Parts<'t> {
    /// `2026-07-01T15:00:00`
    moment: &'t str,
    /// Empty, or a dot and digits.
    fraction: &'t str,
    /// `Z`, or a sign, hours and minutes.
    offset: &'t str,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let (moment, rest) = text.split_at_checked("0000-00-00T00:00:00".len())?;
    let digits = rest.strip_prefix('.').map(|rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    let (fraction, offset) = rest.split_at(digits.map_or(0, |digits| 1 + digits));
    let valid = digits != Some(0) && is_moment(moment.as_bytes()) && is_offset(offset.as_bytes());
    valid.then_some(Parts { moment, fraction, offset })
}

fn is_moment(text: &[u8]) -> bool {
    let [y, e, a, r, b'-', m, o, b'-', d, ay, b'T' | b't' | b' ', h, our, b':', mi, nute, b':', s, econd] = *text
    else {
        return false;
    };
    let (Some(century), Some(year), Some(month)) = (two(y, e), two(a, r), two(m, o)) else { return false };
    let (Some(day), Some(hour), Some(minute), Some(second)) = (two(d, ay), two(h, our), two(mi, nute), two(s, econd))
    else {
        return false;
    };
    let year = century * 100 + year;
    (1..=days_of(year, month)).contains(&day) && hour < 24 && minute < 60 && second <= 60
}

fn is_offset(text: &[u8]) -> bool {
    match *text {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h, our, b':', m, inute] => {
            two(h, our).is_some_and(|hours| hours < 24) && two(m, inute).is_some_and(|minutes| minutes < 60)
        }
        _ => false,
    }
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
    digits.then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

/// The days of a month; 0 if there is no such month.
fn days_of(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_is_what_rfc_3339_says() {
        for (text, taken) in [
            ("2026-07-01T15:00:00Z", true),
            ("2026-07-01t15:00:00.123456789z", true),
            ("2026-07-01T15:00:00.1234567890123456789Z", true),
            ("2026-07-01 15:00:00-03:30", true),
            ("2026-06-30T23:59:60Z", true),
            ("0000-01-01T00:00:00Z", true),
            ("9999-12-31T23:59:59Z", true),
            ("9999-12-31T23:59:59.9-23:59", true),
            ("2024-02-29T00:00:00+23:59", true),
            ("2000-02-29T00:00:00Z", true),
            ("1900-02-29T00:00:00Z", false),
            ("2026-07-01T15:00:00+24:00", false),
            ("2026-07-01T15:00:00+25:59", false),
            ("2026-07-01T15:00:00+00:60", false),
            ("2026-07-01T15:00:00", false),
            ("2026-07-01T15:00:00.Z", false),
            ("2026-07-01T15:00:00,5Z", false),
            ("2026-07-01T15:00Z", false),
            ("20260701T150000Z", false),
            ("2026-07-01T15:00:00+0100", false),
            ("2026-07-01T15:00:00Z[Europe/Paris]", false),
            ("+002026-07-01T15:00:00Z", false),
            ("2026-02-30T00:00:00Z", false),
            ("2026-00-01T00:00:00Z", false),
            ("2026-13-01T00:00:00Z", false),
            ("2026-01-00T00:00:00Z", false),
            ("2026-07-01T24:00:00Z", false),
            ("2026-07-01T23:60:00Z", false),
            ("2026-07-01T23:59:61Z", false),
            ("2026-07-0\u{661}T15:00:00Z", false),
            ("2026-07-01T15:00:0\u{661}Z", false),
            ("", false),
        ] {
            assert_eq!((is_time(text), read(text).is_some()), (taken, taken), "{text}");
        }
    }

    #[test]
    fn a_time_that_is_read_is_written_again() {
        for (text, written) in [
            ("2026-07-01T15:00:00+02:00", "2026-07-01T13:00:00Z"),
            ("2026-07-01T15:00:00.1234567890123Z", "2026-07-01T15:00:00.123456789Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
            ("0000-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(read(text).map(write).as_deref(), Some(written));
        }
    }

    proptest! {
        /// Against the library's parser, for what both read.
        #[test]
        fn days_are_those_of_the_calendar(year in 0..10_000, month in 0..14, day in 0..33, hour in 0..26) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:00:00Z");
            let parsed = format!("{year:04}-{month:02}-{day:02}T{hour:02}:00:00").parse::<jiff::civil::DateTime>();
            prop_assert_eq!(is_time(&text), parsed.is_ok(), "{}", text);
        }
    }
}
