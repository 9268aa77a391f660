//! `date`: a moment, a local time or a day, in a pattern (strftime's), a time zone and a language.

use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};

use super::super::args::{Args, HelperResult};
use super::super::locale::Locale;
use super::super::moment::{TimeValue, Unit, find_zone};
use super::super::stop::Stop;
use super::numbers::{check_locale, locale};
use super::{Gives, Helper};
use crate::templating::program::HelperCall;

/// The pattern where none is given.
const PATTERN: &str = "%Y-%m-%d";
/// The longest pattern, in bytes: each of its directives can make 255.
const PATTERN_BYTES_MAX: usize = 200;

pub(super) static HELPERS: &[Helper] = &[Helper::new(
    "date",
    (1, 2),
    Gives::Text,
    r#"{{date inquiry.arrive "%d %B %Y" tz="Europe/Rome" locale="de"}}"#,
    date,
)
.options(&["from", "locale", "tz", "unit"])
.check(check)];

/// What is wrong with the constants of a call.
fn check(call: &HelperCall) -> Option<&'static str> {
    if call.arguments.len() > 1 && !call.constant(1).is_some_and(is_pattern) {
        return Some(
            "A date's pattern is a text in quotes, of 200 characters at most, in which %d is the day, %B the month, %Y the year.",
        );
    }
    check_reading(call).or_else(|| check_locale(call))
}

/// What is wrong with the options that say how dates are read.
pub(super) fn check_reading(call: &HelperCall) -> Option<&'static str> {
    let constant = |name: &str| call.constant_option(name);
    if constant("tz").is_some_and(|name| !name.is_empty() && find_zone(name).is_none()) {
        return Some("There is no such time zone.");
    }
    if constant("from").is_some_and(|pattern| !is_pattern(pattern)) {
        return Some("from says how the date is written: in it %d is the day, %m the month, %Y the year.");
    }
    if constant("unit").is_some_and(|name| call_reads_unit(call) && Unit::find(name).is_none()) {
        return Some("unit is \"s\" for seconds or \"ms\" for milliseconds.");
    }
    None
}

/// Whether `unit` says what numbers count: for the others it is the unit of the result.
fn call_reads_unit(call: &HelperCall) -> bool {
    super::get(call.helper).name == "date"
}

/// Whether a pattern can be used at all. One without directives (`YYYY-MM-DD`) would be written as it is.
pub(super) fn is_pattern(pattern: &str) -> bool {
    pattern.len() <= PATTERN_BYTES_MAX
        && pattern.contains('%')
        && strtime::format(pattern, BrokenDownTime::from(&sample())).is_ok()
}

fn sample() -> jiff::ZonedDateTime {
    jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC)
}

/// What the value at a place says of time.
pub(super) fn told(args: &mut Args<'_, '_>, place: usize, unit: Option<Unit>) -> Result<TimeValue, Stop> {
    const EXPECTED: &str = "a date that is recognized; say how it is written with from=\"%d/%m/%Y\"";
    const UNLIKE: &str = "a date written as from= says";
    let from = args.option_text("from")?;
    let value = args.value(place)?;
    let told = TimeValue::read(&value, from.as_deref(), unit);
    told.ok_or(Stop::argument(place, if from.is_some() { UNLIKE } else { EXPECTED }))
}

/// The zone that a call names.
pub(super) fn zone(args: &mut Args<'_, '_>) -> Result<Option<jiff::tz::TimeZone>, Stop> {
    let Some(name) = args.option_text("tz")? else { return Ok(None) };
    find_zone(&name).map(Some).ok_or(Stop::option("tz", "a time zone that is known, like \"Europe/Rome\""))
}

fn date<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let unit = args.option_text("unit")?.and_then(|name| Unit::find(&name));
    let told = told(args, 0, unit)?;
    let pattern = if args.count() > 1 { args.text(1)? } else { PATTERN.into() };
    let locale = locale(args)?;
    let (broken_down, local) = match told.zoned(zone(args)?) {
        Some(zoned) => (BrokenDownTime::from(&zoned), zoned.datetime()),
        None => (BrokenDownTime::from(told.local()), told.local()),
    };
    let pattern = match locale {
        Some(locale) => localized(&pattern, local, locale).into(),
        None => pattern,
    };
    const NEEDS_ZONE: &str = "a moment, which this pattern needs; say where it is told with tz=\"Europe/Rome\"";
    let text = strtime::format(&*pattern, broken_down).map_err(|_| Stop::argument(0, NEEDS_ZONE))?;
    args.made(text)
}

/// The pattern with the names of the month and the day of the week in a locale's language.
fn localized(pattern: &str, local: DateTime, locale: Locale) -> String {
    let month = usize::try_from(local.month()).unwrap_or(1);
    let day = usize::try_from(local.weekday().to_sunday_zero_offset()).unwrap_or(0);
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let directive = &rest[at..];
        let flags = directive[1..].find(|c: char| !matches!(c, '-' | '_' | '^' | '#' | '0'..='9' | ':' | '.'));
        let letter = flags.and_then(|flags| directive[1 + flags..].chars().next());
        let end = flags.map_or(directive.len(), |flags| 1 + flags + letter.map_or(0, char::len_utf8));
        let name = match letter {
            Some('B') => Some(locale.month(month, false)),
            Some('b' | 'h') => Some(locale.month(month, true)),
            Some('A') => Some(locale.weekday(day, false)),
            Some('a') => Some(locale.weekday(day, true)),
            _ => None,
        };
        match name {
            Some(name) if directive[..end].contains('^') => out.push_str(&name.to_uppercase().replace('%', "%%")),
            Some(name) => out.push_str(&name.replace('%', "%%")),
            None => out.push_str(&directive[..end]),
        }
        rest = &directive[end..];
    }
    out + rest
}
