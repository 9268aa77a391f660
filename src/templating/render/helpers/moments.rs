//! `date_add`, `date_diff`, `unix`: calculations with dates and times. Days, weeks, months and years are calendar
//! units in the time zone `tz`.

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Unit, ZonedDateTime};

use super::super::args::{Args, HelperResult};
use super::super::decimal::Decimal;
use super::super::moment::{TimeValue, Unit as Counted};
use super::super::stop::HelperFailure;
use super::dates::{check_reading, time_argument, zone};
use super::{Helper, ResultKind};
use crate::templating::program::HelperCall;

/// The options that add a duration. Those from the index [`HOURS`] on are shorter than a day.
const SHIFTS: [&str; 7] = ["years", "months", "weeks", "days", "hours", "minutes", "seconds"];
const HOURS: usize = 4;

const UNITS: [(&str, Unit); 7] = [
    ("years", Unit::Year),
    ("months", Unit::Month),
    ("weeks", Unit::Week),
    ("days", Unit::Day),
    ("hours", Unit::Hour),
    ("minutes", Unit::Minute),
    ("seconds", Unit::Second),
];

pub(super) static HELPERS: &[Helper] = &[
    Helper::new(
        "date_add",
        "A date some days, months or hours later or earlier",
        (1, 1),
        ResultKind::Text,
        r#"{{date_add inquiry.arrive days=-2 tz="Europe/Rome"}}"#,
        date_add,
    )
    .options(&["days", "from", "hours", "minutes", "months", "seconds", "tz", "weeks", "years"])
    .check(check_reading),
    Helper::new(
        "date_diff",
        "How many days, hours or months lie between two dates",
        (2, 2),
        ResultKind::Number,
        r#"{{date_diff inquiry.arrive inquiry.depart unit="days"}}"#,
        date_diff,
    )
    .options(&["from", "tz", "unit"])
    .check(check_diff),
    Helper::new(
        "unix",
        "A date as seconds (or milliseconds) since 1970",
        (1, 1),
        ResultKind::Number,
        r#"{{unix event.time unit="ms"}}"#,
        unix,
    )
    .options(&["from", "tz", "unit"])
    .check(check_unix),
];

fn check_diff(call: &HelperCall) -> Option<Cow<'static, str>> {
    let unknown = call.constant_option("unit").is_some_and(|name| find_unit(name).is_none());
    let message = "unit is \"years\", \"months\", \"weeks\", \"days\", \"hours\", \"minutes\" or \"seconds\".";
    unknown.then_some(message.into()).or_else(|| check_reading(call))
}

fn check_unix(call: &HelperCall) -> Option<Cow<'static, str>> {
    let unknown = call.constant_option("unit").is_some_and(|name| Counted::find(name).is_none());
    unknown.then_some("unit is \"s\" for seconds or \"ms\" for milliseconds.".into()).or_else(|| check_reading(call))
}

fn find_unit(name: &str) -> Option<Unit> {
    UNITS.iter().find(|(own, _)| *own == name).map(|(_, unit)| *unit)
}

/// Adds the durations in the options to a date. The result has the type of the input: a day stays a day unless hours
/// or smaller units are added; a moment is written as RFC 3339.
fn date_add<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let time = time_argument(args, 0, None)?;
    let (spans, within_day) = spans(args)?;
    let zone = zone(args)?;
    let added = match (&time, zone) {
        (TimeValue::Day(day), _) if !within_day => {
            let day = spans.into_iter().try_fold(*day, |day, span| day.checked_add(span));
            day.map(|day| day.to_string())
        }
        (TimeValue::Day(_) | TimeValue::Local(_), None) => {
            let local = spans.into_iter().try_fold(time.local(), |local, span| local.checked_add(span));
            local.map(local_text)
        }
        (_, zone) => {
            let start = time.zoned(zone).ok_or(HelperFailure::argument(0, TOO_FAR))?;
            let zoned = spans.into_iter().try_fold(start, |zoned, span| zoned.checked_add(span));
            zoned.map(|zoned| moment_text(&zoned))
        }
    };
    args.made(added.map_err(|_| HelperFailure::argument(0, TOO_FAR))?)
}

const TOO_FAR: &str = "small enough: the result would be outside the years -9999 to 9999";

/// The durations in the options, the largest unit first, and whether one is shorter than a day. They are added one by
/// one, because each has its own sign.
fn spans(args: &mut Args<'_, '_>) -> Result<(Vec<Span>, bool), HelperFailure> {
    let mut spans = Vec::new();
    let mut within_day = false;
    for (i, name) in SHIFTS.into_iter().enumerate() {
        let Some(count) = args.option_whole(name)? else { continue };
        within_day |= i >= HOURS;
        args.spend(1)?;
        let span = match name {
            "years" => Span::new().try_years(count),
            "months" => Span::new().try_months(count),
            "weeks" => Span::new().try_weeks(count),
            "days" => Span::new().try_days(count),
            "hours" => Span::new().try_hours(count),
            "minutes" => Span::new().try_minutes(count),
            _ => Span::new().try_seconds(count),
        };
        spans.push(span.map_err(|_| HelperFailure::option(name, "a number within 10000 years"))?);
    }
    Ok((spans, within_day))
}

fn local_text(local: DateTime) -> String {
    local.strftime("%Y-%m-%dT%H:%M:%S%.f").to_string()
}

/// RFC 3339; UTC is written as `Z`.
fn moment_text(zoned: &ZonedDateTime) -> String {
    let is_utc = zoned.time_zone() == &TimeZone::UTC || zoned.time_zone().iana_name() == Some("UTC");
    let pattern = if is_utc { "%Y-%m-%dT%H:%M:%S%.fZ" } else { "%Y-%m-%dT%H:%M:%S%.f%:z" };
    zoned.strftime(pattern).to_string()
}

/// The second date minus the first, in whole units, rounded towards zero.
fn date_diff<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let unit = args.option_text("unit")?;
    let expected = HelperFailure::option("unit", "years, months, weeks, days, hours, minutes or seconds");
    let unit = unit.map_or(Some(Unit::Day), |name| find_unit(&name)).ok_or(expected)?;
    let (a, b) = (time_argument(args, 0, None)?, time_argument(args, 1, None)?);
    let zone = zone(args)?;
    let any_moment = matches!(a, TimeValue::Moment(..)) || matches!(b, TimeValue::Moment(..));
    let span = if any_moment || zone.is_some() {
        let own = |time: &TimeValue| match time {
            TimeValue::Moment(_, zone) => Some(zone.clone()),
            _ => None,
        };
        let zone = zone.or_else(|| own(&a)).or_else(|| own(&b));
        let no_moment = |place| HelperFailure::argument(place, "a moment");
        let from = a.zoned(zone.clone()).ok_or(no_moment(0))?;
        let to = b.zoned(zone).ok_or(no_moment(1))?;
        from.until((unit, &to))
    } else {
        a.local().until((unit, b.local()))
    };
    let span = span.map_err(|_| HelperFailure::argument(1, "a date within range of the first"))?;
    let count = match unit {
        Unit::Year => i64::from(span.get_years()),
        Unit::Month => i64::from(span.get_months()),
        Unit::Week => i64::from(span.get_weeks()),
        Unit::Day => i64::from(span.get_days()),
        Unit::Hour => i64::from(span.get_hours()),
        Unit::Minute => span.get_minutes(),
        _ => span.get_seconds(),
    };
    Ok(Args::made_number(&Decimal::from(count)))
}

/// Whole seconds, or milliseconds, since 1970.
fn unix<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    const NEEDS_ZONE: &str = "a moment; give the time zone with tz=\"Europe/Rome\"";
    let unit = args.option_text("unit")?;
    let unit = unit.map_or(Some(Counted::Seconds), |name| Counted::find(&name));
    let unit = unit.ok_or(HelperFailure::option("unit", "s or ms"))?;
    let time = time_argument(args, 0, None)?;
    let zone = zone(args)?;
    let moment = time.zoned(zone).ok_or(HelperFailure::argument(0, NEEDS_ZONE))?.timestamp();
    let count = match unit {
        Counted::Seconds => moment.as_second() - i64::from(moment.subsec_nanosecond() < 0),
        Counted::Milliseconds => moment.as_millisecond() - i64::from(moment.subsec_nanosecond() % 1_000_000 < 0),
    };
    Ok(Args::made_number(&Decimal::from(count)))
}
