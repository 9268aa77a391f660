//! `date`: formats a moment, a local time or a day with a strftime pattern, a time zone and a language.

use std::borrow::Cow;

use jiff::fmt::strtime::{self, BrokenDownTime};

use super::super::args::{Args, HelperResult};
use super::super::moment::{TimeValue, Unit, find_zone, time_of_day};
use super::super::stop::HelperFailure;
use super::super::value::Datum;
use super::numbers::{check_locale, locale};
use super::{Helper, ResultKind, names, patterns};
use crate::templating::program::HelperCall;

/// The default pattern.
const PATTERN: &str = "%Y-%m-%d";

pub(super) static HELPERS: &[Helper] = &[Helper::new(
    "date",
    "A date or time: in a pattern, a time zone and a language",
    (1, 2),
    ResultKind::Text,
    r#"{{date inquiry.arrive "%d %B %Y" tz="Europe/Rome" locale="de"}}"#,
    date,
)
.options(&["from", "locale", "tz", "unit"])
.check(check)];

/// The mistake in the constant arguments of a call, if there is one.
fn check(call: &HelperCall) -> Option<Cow<'static, str>> {
    if call.arguments.len() > 1 {
        let Some(pattern) = call.constant(1) else { return Some("A date's pattern is a text in quotes.".into()) };
        if let Some(mistake) = patterns::mistake(pattern) {
            return Some(mistake);
        }
    }
    check_reading(call).or_else(|| check_locale(call))
}

/// The mistake in the options that determine how dates are read, if there is one.
pub(super) fn check_reading(call: &HelperCall) -> Option<Cow<'static, str>> {
    let constant = |name: &str| call.constant_option(name);
    if constant("tz").is_some_and(|name| !name.is_empty() && find_zone(name).is_none()) {
        return Some("There is no such time zone.".into());
    }
    if let Some(mistake) = constant("from").and_then(patterns::mistake) {
        return Some(format!("from is the pattern of the date. {mistake}").into());
    }
    if constant("unit").is_some_and(|name| call_reads_unit(call) && Unit::find(name).is_none()) {
        return Some("unit is \"s\" for seconds or \"ms\" for milliseconds.".into());
    }
    None
}

/// Whether `unit` is the unit of numbers in the input. For the other helpers it is the unit of the result.
fn call_reads_unit(call: &HelperCall) -> bool {
    super::get(call.helper).name == "date"
}

/// The argument with this index as a time.
pub(super) fn time_argument(
    args: &mut Args<'_, '_>,
    place: usize,
    unit: Option<Unit>,
) -> Result<TimeValue, HelperFailure> {
    let from = args.option_text("from")?;
    if from.as_ref().is_some_and(|from| from.len() > patterns::PATTERN_BYTES_MAX) {
        return Err(HelperFailure::option("from", "a pattern of at most 200 bytes"));
    }
    let value = args.value(place)?;
    let time = TimeValue::read(&value, from.as_deref(), unit);
    let time = match (time, &from) {
        (None, Some(from)) => in_its_language(args, &value, from)?,
        (time, _) => time,
    };
    time.ok_or_else(|| HelperFailure::argument(place, expected(&value, from.is_some())))
}

/// A date that is written with names of the call's locale. Looking for them costs steps.
fn in_its_language(args: &mut Args<'_, '_>, value: &Datum<'_>, from: &str) -> Result<Option<TimeValue>, HelperFailure> {
    let Some(locale) = locale(args)? else { return Ok(None) };
    let Some(text) = value.as_text().filter(|text| text.len() <= names::DATE_BYTES_MAX) else { return Ok(None) };
    args.spend_elements(names::count_words(text) * names::NAMES)?;
    let english = names::in_english(text, from, locale);
    Ok(english.and_then(|text| TimeValue::read(&Datum::Text(text.into()), Some(from), None)))
}

/// What a helper would read as a time in place of this value.
fn expected(value: &Datum<'_>, has_pattern: bool) -> &'static str {
    match value {
        _ if matches!(value.as_text(), Some("now" | "today")) => {
            "a date, as no helper reads the clock: the time of the event is event.time"
        }
        _ if has_pattern => "a date in the pattern of from=",
        _ if value.is_text() => "a recognized date; give its pattern with from=\"%d/%m/%Y\"",
        _ if value.is_number() => {
            "a count of seconds or milliseconds since 1970 that is within the years -9999 to 9999"
        }
        _ => "a date",
    }
}

/// The value of the option `tz`.
pub(super) fn zone(args: &mut Args<'_, '_>) -> Result<Option<jiff::tz::TimeZone>, HelperFailure> {
    let Some(name) = args.option_text("tz")? else { return Ok(None) };
    args.spend(1)?;
    find_zone(&name).map(Some).ok_or(HelperFailure::option("tz", "a known time zone, like \"Europe/Rome\""))
}

fn date<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let unit = args.option_text("unit")?.and_then(|name| Unit::find(&name));
    let time = match time_argument(args, 0, unit) {
        Err(HelperFailure::Helper(unusable)) => return clock(args)?.ok_or(HelperFailure::Helper(unusable)),
        time => time?,
    };
    let pattern = if args.count() > 1 { args.text(1)? } else { PATTERN.into() };
    let locale = locale(args)?;
    let (broken_down, local) = match time.zoned(zone(args)?) {
        Some(zoned) => (BrokenDownTime::from(&zoned), zoned.datetime()),
        None => (BrokenDownTime::from(time.local()), time.local()),
    };
    let pattern = match locale {
        Some(locale) => {
            args.spend_elements(pattern.matches('%').count())?;
            let month = usize::try_from(local.month()).unwrap_or(1);
            let weekday = usize::try_from(local.weekday().to_sunday_zero_offset()).unwrap_or(0);
            patterns::localized(&pattern, month, weekday, locale).into()
        }
        None => pattern,
    };
    const NEEDS_ZONE: &str = "a moment, which this pattern needs; give the time zone with tz=\"Europe/Rome\"";
    let text = strtime::format(&*pattern, broken_down).map_err(|_| HelperFailure::argument(0, NEEDS_ZONE))?;
    args.made(text)
}

/// A time of day in the pattern. `None` if the value is not one.
fn clock<'a>(args: &mut Args<'_, 'a>) -> Result<Option<Datum<'a>>, HelperFailure> {
    let from = args.option_text("from")?.filter(|from| from.len() <= patterns::PATTERN_BYTES_MAX);
    let Some(time) = time_of_day(&args.value(0)?, from.as_deref()) else { return Ok(None) };
    let pattern = if args.count() > 1 { args.text(1)? } else { PATTERN.into() };
    const NEEDS_DAY: &str = "a date, which this pattern needs; a time of day has hours and minutes, as in \"%H:%M\"";
    let text = strtime::format(&*pattern, BrokenDownTime::from(time));
    args.made(text.map_err(|_| HelperFailure::argument(0, NEEDS_DAY))?).map(Some)
}
