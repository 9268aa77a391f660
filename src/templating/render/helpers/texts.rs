//! Helpers for text. Lengths and positions count characters (Unicode scalar values).

use std::borrow::Cow;

use super::super::args::{Args, HelperResult};
use super::super::stop::HelperFailure;
use super::super::value::Datum;
use super::{Helper, ResultKind};
use crate::templating::program::HelperCall;

/// The maximum length of `truncate`, and the maximum width of `pad_start` and `pad_end`.
const CHARACTERS_MAX: i64 = 1_000_000;
const WIDTH_MAX: i64 = 10_000;

const fn text(
    name: &'static str,
    description: &'static str,
    values: (usize, usize),
    example: &'static str,
    run: for<'a> fn(&mut Args<'_, 'a>) -> HelperResult<'a>,
) -> Helper {
    Helper::new(name, description, values, ResultKind::Text, example, run)
}

const fn condition(
    name: &'static str,
    description: &'static str,
    example: &'static str,
    run: for<'a> fn(&mut Args<'_, 'a>) -> HelperResult<'a>,
) -> Helper {
    Helper::new(name, description, (2, 2), ResultKind::Boolean, example, run)
}

pub(super) static HELPERS: &[Helper] = &[
    text("upper", "A text in capitals", (1, 1), "{{upper guest.country}}", |args| {
        map(args, |text| text.to_uppercase())
    }),
    text("lower", "A text in small letters", (1, 1), "{{lower guest.email}}", |args| {
        map(args, |text| text.to_lowercase())
    }),
    text(
        "capitalize",
        "A text with its first letter as a capital, all others small",
        (1, 1),
        "{{capitalize rental.type}}",
        |args| map(args, capitalized),
    ),
    text(
        "title",
        "A text with the first letter of each word as a capital, all others small",
        (1, 1),
        "{{title guest.name}}",
        title,
    ),
    text("trim", "A text without white space at both ends", (1, 1), "{{trim guest.name}}", |args| {
        map(args, |text| text.trim().to_owned())
    }),
    text("truncate", "A text cut to some characters", (2, 2), "{{truncate message.text 100}}", truncate)
        .options(&["end"])
        .check(check_truncate),
    text(
        "substring",
        "A part of a text: from a place, some characters",
        (2, 3),
        "{{substring guest.name 0 3}}",
        substring,
    ),
    text(
        "replace",
        "A text with every occurrence of another replaced",
        (3, 3),
        r#"{{replace guest.phone " " ""}}"#,
        replace,
    ),
    text("concat", "Some values as one text", (2, 8), r#"{{concat inquiry.arrive "T" inquiry.check_in}}"#, concat),
    text("digits", "The digits of a text, such as those of a phone number", (1, 1), "{{digits guest.phone}}", |args| {
        map(args, digits)
    }),
    text(
        "pad_start",
        "A text filled up at its start to some characters",
        (2, 3),
        r#"{{pad_start inquiry.id 8 "0"}}"#,
        |args| pad(args, true),
    ),
    text(
        "pad_end",
        "A text filled up at its end to some characters",
        (2, 3),
        r#"{{pad_end guest.name 20 "."}}"#,
        |args| pad(args, false),
    ),
    condition(
        "starts_with",
        "Whether a text begins with another",
        r#"{{#if (starts_with guest.phone "+39")}}"#,
        |args| Ok(Datum::Truth(args.text(0)?.starts_with(&*args.text(1)?))),
    ),
    condition("ends_with", "Whether a text ends with another", r#"{{#if (ends_with guest.email ".it")}}"#, |args| {
        Ok(Datum::Truth(args.text(0)?.ends_with(&*args.text(1)?)))
    }),
];

fn map<'a>(args: &mut Args<'_, 'a>, make: fn(&str) -> String) -> HelperResult<'a> {
    let text = args.text(0)?;
    args.made(make(&text))
}

/// Makes the first letter uppercase and the others lowercase.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + &letters.as_str().to_lowercase()
}

/// Makes the first letter of each word uppercase and the others lowercase. White space and hyphens separate words.
fn title<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let text = args.text(0)?;
    let parts: Vec<&str> = text.split_inclusive(|c: char| c.is_whitespace() || c == '-').collect();
    args.spend(parts.len() / 2)?;
    args.made(parts.into_iter().map(capitalized).collect())
}

/// Shortens a text to this many characters. A shortened text ends with `end`, which is included in the length.
fn truncate<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let text = args.text(0)?;
    let characters =
        usize::try_from(args.whole(1)?).map_err(|_| HelperFailure::argument(1, "a number of characters"))?;
    let end = match args.option("end")? {
        Some(end) => end.into_text().ok_or(HelperFailure::option("end", "text"))?,
        None => Cow::Borrowed("…"),
    };
    if text.chars().nth(characters).is_none() {
        return Ok(Datum::Text(text));
    }
    let kept = characters.saturating_sub(end.chars().count());
    let start: String = text.chars().take(kept).collect();
    let end: String = end.chars().take(characters).collect();
    args.made(start.trim_end().to_owned() + &end)
}

fn check_truncate(call: &HelperCall) -> Option<Cow<'static, str>> {
    let length = call.constant_number(1).and_then(|digits| digits.parse::<i64>().ok());
    if !length.is_some_and(|length| (0..=CHARACTERS_MAX).contains(&length)) {
        return Some("The length is a number from 0 to 1000000, written in the template.".into());
    }
    (call.option("end").is_some() && call.constant_option("end").is_none()).then_some("end is a text in quotes.".into())
}

fn substring<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let text = args.text(0)?;
    let (skip, take) = range(args, || text.chars().count())?;
    args.made(text.chars().skip(skip).take(take).collect())
}

/// The range that `from` and `count` name. `from` begins at 0; a negative one counts from the end. Without `count` the
/// range ends with the text.
pub(super) fn range(args: &mut Args<'_, '_>, length: impl FnOnce() -> usize) -> Result<(usize, usize), HelperFailure> {
    let from = args.whole(1)?;
    let count = if args.count() > 2 { args.whole(2)? } else { i64::MAX };
    let count = usize::try_from(count).map_err(|_| HelperFailure::argument(2, "a number from 0"))?;
    let distance = usize::try_from(from.unsigned_abs()).unwrap_or(usize::MAX);
    Ok((if from < 0 { length().saturating_sub(distance) } else { distance }, count))
}

fn replace<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    if from.is_empty() {
        return Err(HelperFailure::argument(1, "a text to search for: it is empty"));
    }
    let found = text.matches(&*from).count();
    args.fits((text.len() - found * from.len()).saturating_add(found.saturating_mul(to.len())))?;
    args.made(text.replace(&*from, &to))
}

/// The texts of all values, one after the other.
fn concat<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let mut text = String::new();
    for place in 0..args.count() {
        let value = args.value(place)?;
        text.push_str(&args.text_of(&value)?);
        args.fits(text.len())?;
    }
    args.made(text)
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn pad<'a>(args: &mut Args<'_, 'a>, start: bool) -> HelperResult<'a> {
    let text = args.text(0)?;
    let width = args.whole(1)?;
    let width = usize::try_from(width).ok().filter(|_| width <= WIDTH_MAX);
    let width = width.ok_or(HelperFailure::argument(1, "a width from 0 to 10000"))?;
    let with = if args.count() > 2 { args.text(2)? } else { Cow::Borrowed(" ") };
    let missing = width.saturating_sub(text.chars().count());
    args.fits(text.len() + missing * 4)?;
    let filling: String = with.chars().cycle().take(missing).collect();
    args.made(if start { filling + &text } else { text.into_owned() + &filling })
}
