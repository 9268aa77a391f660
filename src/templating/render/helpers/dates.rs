//! `date`: formats a moment, a local time or a day with a strftime pattern, a time zone and a language.

use jiff::civil::DateTime;
use jiff::fmt::strtime::{self, BrokenDownTime};

use super::super::args::{Args, HelperResult};
use super::super::locale::Locale;
use super::super::moment::{TimeValue, Unit, find_zone};
use super::super::stop::HelperFailure;
use super::numbers::{check_locale, locale};
use super::{Helper, ResultKind};
use crate::templating::program::HelperCall;

/// The default pattern.
const PATTERN: &str = "%Y-%m-%d";
/// The maximum length of a pattern in bytes. A directive may write up to 255 bytes.
const PATTERN_BYTES_MAX: usize = 200;

pub(super) static HELPERS: &[Helper] = &[Helper::new(
    "date",
    (1, 2),
    ResultKind::Text,
    r#"{{date inquiry.arrive "%d %B %Y" tz="Europe/Rome" locale="de"}}"#,
    date,
)
.options(&["from", "locale", "tz", "unit"])
.check(check)];

/// The mistake in the constant arguments of a call, if there is one.
fn check(call: &HelperCall) -> Option<&'static str> {
    if call.arguments.len() > 1 && !call.constant(1).is_some_and(is_pattern) {
        return Some(
            "A date's pattern is a text in quotes of at most 200 characters, in which %d is the day, %B the month, %Y \
            the year.",
        );
    }
    check_reading(call).or_else(|| check_locale(call))
}

/// The mistake in the options that determine how dates are read, if there is one.
pub(super) fn check_reading(call: &HelperCall) -> Option<&'static str> {
    let constant = |name: &str| call.constant_option(name);
    if constant("tz").is_some_and(|name| !name.is_empty() && find_zone(name).is_none()) {
        return Some("There is no such time zone.");
    }
    if constant("from").is_some_and(|pattern| !is_pattern(pattern)) {
        return Some("from is the pattern of the date: %d is the day, %m the month, %Y the year.");
    }
    if constant("unit").is_some_and(|name| call_reads_unit(call) && Unit::find(name).is_none()) {
        return Some("unit is \"s\" for seconds or \"ms\" for milliseconds.");
    }
    None
}

/// Whether `unit` is the unit of numbers in the input. For the other helpers it is the unit of the result.
fn call_reads_unit(call: &HelperCall) -> bool {
    super::get(call.helper).name == "date"
}

/// Whether a pattern is valid. A pattern without directives (`YYYY-MM-DD`) is refused: it would be written literally.
pub(super) fn is_pattern(pattern: &str) -> bool {
    pattern.len() <= PATTERN_BYTES_MAX
        && pattern.contains('%')
        && strtime::format(pattern, BrokenDownTime::from(&sample())).is_ok()
}

fn sample() -> jiff::ZonedDateTime {
    jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC)
}

/// The argument with this index as a time.
pub(super) fn time_argument(
    args: &mut Args<'_, '_>,
    place: usize,
    unit: Option<Unit>,
) -> Result<TimeValue, HelperFailure> {
    const EXPECTED: &str = "a recognized date; give its pattern with from=\"%d/%m/%Y\"";
    const UNLIKE: &str = "a date in the pattern of from=";
    let from = args.option_text("from")?;
    let value = args.value(place)?;
    let time = TimeValue::read(&value, from.as_deref(), unit);
    time.ok_or(HelperFailure::argument(place, if from.is_some() { UNLIKE } else { EXPECTED }))
}

/// The value of the option `tz`.
pub(super) fn zone(args: &mut Args<'_, '_>) -> Result<Option<jiff::tz::TimeZone>, HelperFailure> {
    let Some(name) = args.option_text("tz")? else { return Ok(None) };
    find_zone(&name).map(Some).ok_or(HelperFailure::option("tz", "a known time zone, like \"Europe/Rome\""))
}

fn date<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let unit = args.option_text("unit")?.and_then(|name| Unit::find(&name));
    let time = time_argument(args, 0, unit)?;
    let pattern = if args.count() > 1 { args.text(1)? } else { PATTERN.into() };
    let locale = locale(args)?;
    let (broken_down, local) = match time.zoned(zone(args)?) {
        Some(zoned) => (BrokenDownTime::from(&zoned), zoned.datetime()),
        None => (BrokenDownTime::from(time.local()), time.local()),
    };
    let pattern = match locale {
        Some(locale) => localized(&pattern, local, locale).into(),
        None => pattern,
    };
    const NEEDS_ZONE: &str = "a moment, which this pattern needs; give the time zone with tz=\"Europe/Rome\"";
    let text = strtime::format(&*pattern, broken_down).map_err(|_| HelperFailure::argument(0, NEEDS_ZONE))?;
    args.made(text)
}

/// The pattern, with month and weekday names replaced by those of a locale's language.
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
