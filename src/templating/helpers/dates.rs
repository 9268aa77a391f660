//! `date`: a moment or a day, in a pattern (strftime's) and a time zone (IANA's name). Zones are
//! compiled in; the clock is never read.

use super::decimal::Decimal;
use crate::json::Json;
use crate::templating::value::Datum;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;

/// The pattern where none is given.
pub(in crate::templating) const PATTERN: &str = "%Y-%m-%d";

/// The longest pattern, in bytes: each of its directives can make 255.
pub(in crate::templating) const PATTERN_BYTES_MAX: usize = 200;

/// What a value tells of time.
enum Told {
    /// A point on the time line, and the zone it was told in.
    Moment(Timestamp, TimeZone),
    /// A day, or a day and time, with no word of where.
    Local(DateTime),
}

/// The date that the value tells, in this pattern. A moment is moved to the zone, where one is
/// given; a day without a time, or a time without a zone, stays what it is.
pub(in crate::templating) fn date(value: &Datum<'_>, pattern: &str, zone: Option<&str>) -> Option<String> {
    let broken_down = match told(value)? {
        Told::Moment(moment, own) => {
            let zone = match zone {
                Some(name) => find_zone(name)?,
                None => own,
            };
            BrokenDownTime::from(&moment.to_zoned_datetime(zone))
        }
        Told::Local(local) => BrokenDownTime::from(local),
    };
    format(pattern, broken_down)
}

/// Whether a pattern can be used at all. One without directives (`YYYY-MM-DD`) would be written as it is.
pub(in crate::templating) fn is_pattern(pattern: &str) -> bool {
    let sample = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
    pattern.len() <= PATTERN_BYTES_MAX
        && pattern.contains('%')
        && format(pattern, BrokenDownTime::from(&sample)).is_some()
}

/// The zone of this name.
pub(in crate::templating) fn find_zone(name: &str) -> Option<TimeZone> {
    // Names are letters, digits, `/`, `_`, `+` and `-`; the longest has 32.
    (name.len() <= 64).then(|| TimeZone::get(name).ok())?
}

fn format(pattern: &str, broken_down: BrokenDownTime) -> Option<String> {
    strtime::format(pattern, broken_down).ok()
}

fn told(value: &Datum<'_>) -> Option<Told> {
    match value {
        Datum::Data(Json::Number(digits)) => seconds(digits),
        Datum::Data(Json::String(_)) | Datum::Text(_) => {
            let text = value.simple_text()?;
            let text = text.trim();
            // Nine to eleven digits are seconds from 1973 to 5138; eight may be a day, 20260701.
            let digits = text.strip_prefix('-').unwrap_or(text);
            if (9..=11).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
                return seconds(text);
            }
            iso(text)
        }
        _ => None,
    }
}

fn seconds(text: &str) -> Option<Told> {
    let seconds = Decimal::read(text)?.to_whole()?;
    let moment = Timestamp::from_second(seconds).ok()?;
    Some(Told::Moment(moment, TimeZone::UTC))
}

fn iso(text: &str) -> Option<Told> {
    let pieces = Pieces::parse(text).ok()?;
    let local = pieces.date().to_datetime(pieces.time().unwrap_or_default());
    let Some(offset) = pieces.to_numeric_offset() else {
        return Some(Told::Local(local));
    };
    let moment = offset.to_timestamp(local).ok()?;
    // RFC 3339's `Z` says nothing of where: the zone is UTC all the same.
    Some(Told::Moment(moment, TimeZone::fixed(offset)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json::Document;

    #[test]
    fn the_three_shapes_of_a_date() {
        for (value, pattern, zone, expected) in [
            (json!("2026-07-01"), "%d.%m.%Y", None, Some("01.07.2026")),
            (json!("2026-07-01"), "%d.%m.%Y", Some("Pacific/Auckland"), Some("01.07.2026")),
            (json!("2026-07-01T22:30:00Z"), "%F %H:%M", None, Some("2026-07-01 22:30")),
            (json!("2026-07-01T22:30:00Z"), "%F %H:%M", Some("Europe/Rome"), Some("2026-07-02 00:30")),
            (json!("2026-07-01T22:30:00+02:00"), "%F %H:%M %:z", None, Some("2026-07-01 22:30 +02:00")),
            (json!("2026-07-01T22:30:00.123-05:00"), "%H:%M", Some("America/Chicago"), Some("22:30")),
            (json!("2026-07-01 15:00"), "%H:%M", Some("Europe/Rome"), Some("15:00")),
            (json!(1782939600), "%A, %-d %B %Y %H:%M", None, Some("Wednesday, 1 July 2026 21:00")),
            (json!("1782939600"), "%F %T %Z", Some("America/New_York"), Some("2026-07-01 17:00:00 EDT")),
            (json!(1782939600.75), "%T", None, Some("21:00:00")),
            (json!("20260701"), "%F", None, Some("2026-07-01")),
            (json!("2026-02-30"), "%F", None, None),
            (json!("soon"), "%F", None, None),
            (json!(""), "%F", None, None),
            (json!(null), "%F", None, None),
            (json!(true), "%F", None, None),
            (json!([2026]), "%F", None, None),
            (json!(1e300), "%F", None, None),
            (json!("2026-07-01"), "%Z", None, None),
            (json!("2026-07-01T00:00:00Z"), "%F", Some("Mars/Olympus"), None),
            (json!("2026-07-01T00:00:00Z"), "%F", Some("../etc/passwd"), None),
        ] {
            let document = Document::from(&value);
            let made = date(&Datum::Data(document.root()), pattern, zone);
            assert_eq!(made.as_deref(), expected, "{value} {pattern} {zone:?}");
        }
    }

    #[test]
    fn patterns_are_checked() {
        for good in ["%F", "%d %B", "at %H", "100%%", "%-d/%-m"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["", "YYYY-MM-DD", "%", "%E", "%1000000d", "%F %", &"x".repeat(201)] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }
}
