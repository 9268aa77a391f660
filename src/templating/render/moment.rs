//! Interprets a value as a time: an instant, a local time or a day. The clock is never read; time zones are compiled
//! in.

use std::borrow::Cow;

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::temporal::Pieces;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::decimal::{Decimal, Rounding};
use super::value::Datum;

/// The time that a value contains.
#[derive(Debug, Clone)]
pub(crate) enum TimeValue {
    /// An instant, and the zone that it was written in.
    Moment(Timestamp, TimeZone),
    /// A date and a time of day, without a zone.
    Local(DateTime),
    /// A day.
    Day(Date),
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
}

impl Unit {
    /// The unit of this name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        match name {
            "s" => Some(Self::Seconds),
            "ms" => Some(Self::Milliseconds),
            _ => None,
        }
    }
}

/// A number with this many digits or more counts milliseconds: seconds reach 11 digits in the year 5138.
const MILLISECOND_DIGITS: usize = 12;
/// A number with fewer digits may be a day, 20260701; as seconds it would be before March 1973.
const SECOND_DIGITS: usize = 9;

impl TimeValue {
    /// Reads a value. `from` is the pattern it is written in, `unit` the unit of a number.
    pub(crate) fn read(value: &Datum<'_>, from: Option<&str>, unit: Option<Unit>) -> Option<Self> {
        let is_number = value.is_number();
        if !is_number && !value.is_text() {
            return None;
        }
        let text = value.text(0).ok()?;
        match from {
            // Digits may be a day as well: 20260814.
            Some(pattern) => {
                by_pattern(pattern, text.trim()).or_else(|| if is_number { unlike_pattern(&text, unit) } else { None })
            }
            None if is_number => since_1970(&Decimal::read(&text)?, unit),
            None => written(text.trim(), unit),
        }
    }

    /// The instant in a zone: the given one, otherwise its own. `None` for a local time without a zone.
    pub(crate) fn zoned(&self, zone: Option<TimeZone>) -> Option<ZonedDateTime> {
        match (self, zone) {
            (Self::Moment(moment, own), zone) => Some(moment.to_zoned_datetime(zone.unwrap_or_else(|| own.clone()))),
            (Self::Local(local), Some(zone)) => local.to_zoned_datetime(zone).ok(),
            (Self::Day(day), Some(zone)) => day.to_zoned_datetime(zone).ok(),
            _ => None,
        }
    }

    /// The date and the time of day in the value's own zone.
    pub(crate) fn local(&self) -> DateTime {
        match self {
            Self::Moment(moment, own) => own.to_datetime(*moment),
            Self::Local(local) => *local,
            Self::Day(day) => day.to_datetime(Time::midnight()),
        }
    }
}

/// Reads a value as a time of day without a day, such as `16:00`. `from` is the pattern it is written in.
pub(crate) fn time_of_day(value: &Datum<'_>, from: Option<&str>) -> Option<Time> {
    let text = value.as_text()?.trim();
    let Some(pattern) = from else { return text.contains(':').then(|| text.parse().ok())? };
    let read = strtime::parse(pattern, text).ok()?;
    read.hour()?;
    read.to_time().ok()
}

/// The zone of an IANA name.
pub(crate) fn find_zone(name: &str) -> Option<TimeZone> {
    // Names are letters, digits, `/`, `_`, `+` and `-`; the longest has 32.
    (name.len() <= 64).then(|| TimeZone::get(name).ok())?
}

fn written(text: &str, unit: Option<Unit>) -> Option<TimeValue> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    // Fourteen digits may be a day and a time.
    let counts = unit.is_some() || (SECOND_DIGITS..=13).contains(&digits.len());
    if counts && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return since_1970(&Decimal::read(text)?, unit);
    }
    iso(text).or_else(|| {
        let zoned = rfc2822::parse(text).ok()?;
        Some(TimeValue::Moment(zoned.timestamp(), zoned.time_zone().clone()))
    })
}

/// A number that is not as its pattern: a count, if its unit is given or if it is too long for a part of a date.
fn unlike_pattern(digits: &str, unit: Option<Unit>) -> Option<TimeValue> {
    let number = Decimal::read(digits)?;
    let counts = unit.is_some() || number.parts().0.len() >= SECOND_DIGITS;
    if counts { since_1970(&number, unit) } else { None }
}

fn since_1970(number: &Decimal, unit: Option<Unit>) -> Option<TimeValue> {
    // Times have fewer digits than that. What follows reads all digits several times.
    if number.steps() > 4 {
        return None;
    }
    let (whole, _) = number.parts();
    let milliseconds = match unit {
        Some(unit) => unit == Unit::Milliseconds,
        None => whole.len() >= MILLISECOND_DIGITS,
    };
    let seconds = if milliseconds { number.multiply(&Decimal::read("0.001")?)? } else { number.clone() };
    let whole = seconds.clone().rounded(0, Rounding::Down);
    let rest = seconds.subtract(&whole)?.multiply(&Decimal::from(1_000_000_000_i64))?;
    let nanoseconds = i32::try_from(rest.rounded(0, Rounding::Down).to_whole()?).ok()?;
    let moment = Timestamp::new(whole.to_whole()?, nanoseconds).ok()?;
    Some(TimeValue::Moment(moment, TimeZone::UTC))
}

fn iso(text: &str) -> Option<TimeValue> {
    let text = without_small_digits(text);
    let pieces = Pieces::parse(&*text).ok()?;
    let Some(time) = pieces.time() else { return Some(TimeValue::Day(pieces.date())) };
    let local = pieces.date().to_datetime(time);
    let Some(offset) = pieces.to_numeric_offset() else {
        return Some(TimeValue::Local(local));
    };
    // An instant of the last hours of the year 9999 can't be computed with, but its parts can be written.
    let Ok(moment) = offset.to_timestamp(local) else { return Some(TimeValue::Local(local)) };
    // RFC 3339's `Z` means an unknown local offset. The zone is UTC nevertheless.
    Some(TimeValue::Moment(moment, TimeZone::fixed(offset)))
}

/// Leaves out the digits of a fraction that are smaller than a nanosecond: the parser takes none.
fn without_small_digits(text: &str) -> Cow<'_, str> {
    let Some((before, fraction)) = text.split_once('.') else { return text.into() };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= 9 {
        return text.into();
    }
    format!("{before}.{}{}", &fraction[..9], &fraction[digits..]).into()
}

fn by_pattern(pattern: &str, text: &str) -> Option<TimeValue> {
    let read: BrokenDownTime = strtime::parse(pattern, text).ok()?;
    if let Ok(moment) = read.to_timestamp() {
        return Some(TimeValue::Moment(moment, read.offset().map_or(TimeZone::UTC, TimeZone::fixed)));
    }
    let day = read.to_date().ok()?;
    match read.hour() {
        Some(_) => Some(TimeValue::Local(day.to_datetime(read.to_time().ok()?))),
        None => Some(TimeValue::Day(day)),
    }
}
