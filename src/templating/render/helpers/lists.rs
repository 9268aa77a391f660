//! Helpers for lists: lists in the data, and results of other helpers. A field of an element may be a path with dots.

use std::borrow::Cow;
use std::collections::HashSet;

use super::super::args::{Args, HelperResult};
use super::super::decimal::Decimal;
use super::super::stop::HelperFailure;
use super::super::value::Datum;
use super::compare::{equal, sort_key};
use super::texts::range;
use super::{Helper, ResultKind};
use crate::json::Json;

const fn list(
    name: &'static str,
    values: (usize, usize),
    example: &'static str,
    run: for<'a> fn(&mut Args<'_, 'a>) -> HelperResult<'a>,
) -> Helper {
    Helper::new(name, values, ResultKind::List, example, run)
}

pub(super) static HELPERS: &[Helper] = &[
    Helper::new("length", (1, 1), ResultKind::Number, "{{length rental.tags}}", length),
    Helper::new("first", (1, 1), ResultKind::Value, "{{first rental.tags}}", |args| {
        Ok(args.list(0)?.into_iter().next().unwrap_or(Datum::Missing))
    }),
    Helper::new("last", (1, 1), ResultKind::Value, "{{last rental.tags}}", |args| {
        Ok(args.list(0)?.pop().unwrap_or(Datum::Missing))
    }),
    list("slice", (2, 3), "{{#each (slice rental.tags 0 3)}}{{this}} {{/each}}", slice),
    list("sort", (1, 2), r#"{{join (sort rental.tags) ", "}}"#, sort),
    list("reverse", (1, 1), r#"{{join (reverse rental.tags) ", "}}"#, |args| {
        Ok(Args::made_list(args.list(0)?.into_iter().rev().collect()))
    }),
    list("unique", (1, 2), r#"{{join (unique rental.tags) ", "}}"#, unique),
    list("pluck", (2, 2), r#"{{join (pluck guests "name") ", "}}"#, pluck),
    list("where", (2, 3), r#"{{#each (where rooms "free" true)}}{{name}} {{/each}}"#, matching),
    Helper::new("sum", (1, 2), ResultKind::Number, r#"{{sum invoice.items "amount"}}"#, sum),
    Helper::new("contains", (2, 2), ResultKind::Boolean, r#"{{#if (contains rental.tags "beach")}}"#, contains),
    Helper::new("join", (1, 2), ResultKind::Text, r#"{{join rental.tags ", "}}"#, join),
    list("split", (2, 2), r#"{{first (split guest.name " ")}}"#, split),
];

/// The value at a path of names in an element, separated by dots.
fn field<'a>(element: &Datum<'a>, path: &str) -> Datum<'a> {
    path.split('.').fold(element.clone(), |value, name| value.member(name))
}

fn length<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let length = match args.value(0)? {
        Datum::Data(Json::Array(list)) => list.len(),
        Datum::Data(Json::Object(members)) => members.len(),
        Datum::List(list) => list.len(),
        other => other.into_text().ok_or(HelperFailure::argument(0, "a list, an object or text"))?.chars().count(),
    };
    Ok(Datum::Index(length))
}

fn slice<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let list = args.list(0)?;
    let (skip, take) = range(args, || list.len())?;
    Ok(Args::made_list(list.into_iter().skip(skip).take(take).collect()))
}

/// The elements, each with its comparison value: the element itself, or one of its fields.
fn keyed<'a>(args: &mut Args<'_, 'a>) -> Result<Vec<(Datum<'a>, Datum<'a>)>, HelperFailure> {
    let list = args.list(0)?;
    let path = if args.count() > 1 { Some(args.text(1)?) } else { None };
    let mut keyed = Vec::with_capacity(list.len());
    for element in list {
        let key = path.as_ref().map_or_else(|| element.clone(), |path| field(&element, path));
        args.spend_bytes(key.bytes())?;
        keyed.push((key, element));
    }
    Ok(keyed)
}

/// Sorts numbers first, then texts, then all other values in their original order, then missing values.
fn sort<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let list = keyed(args)?;
    // Sorting makes about n log n comparisons.
    let rounds = usize::try_from(list.len().max(1).ilog2()).unwrap_or(0);
    args.spend_elements(list.len() * rounds)?;
    let mut list: Vec<_> = list.iter().map(|(key, element)| (sort_key(key), element)).collect();
    list.sort_by(|(a, _), (b, _)| a.cmp(b));
    let sorted = list.into_iter().map(|(_, element)| element.clone());
    Ok(Args::made_list(sorted.collect()))
}

/// Numbers are equal if they have the same value, all other values if they have the same JSON.
fn unique<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for (key, element) in keyed(args)? {
        let json = match (Decimal::of(&key), key.is_text()) {
            (Some(number), false) => number.to_string(),
            _ => key.to_json()?,
        };
        args.spend_bytes(json.len())?;
        if seen.insert(json) {
            kept.push(element);
        }
    }
    Ok(Args::made_list(kept))
}

fn pluck<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    args.text(1)?;
    Ok(Args::made_list(keyed(args)?.into_iter().map(|(key, _)| key).collect()))
}

/// The elements whose field equals the value. Without a value: those whose field is true as a condition.
fn matching<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    args.text(1)?;
    let wanted = if args.count() > 2 { Some(args.value(2)?) } else { None };
    let mut kept = Vec::new();
    for (key, element) in keyed(args)? {
        if wanted.as_ref().map_or_else(|| key.holds(false), |wanted| equal(&key, wanted)) {
            kept.push(element);
        }
    }
    Ok(Args::made_list(kept))
}

/// Missing and null values count as zero; any other value that is not a number makes the sum unusable.
fn sum<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let mut total = Decimal::from(0_usize);
    for (key, _) in keyed(args)? {
        if key.is_blank() {
            continue;
        }
        let number = Decimal::of(&key).ok_or(HelperFailure::argument(0, "a list of numbers"))?;
        total = total.add(&number).ok_or(HelperFailure::argument(0, "a list whose sum has at most 400 digits"))?;
    }
    Ok(Args::made_number(&total))
}

fn contains<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let within = args.value(0)?;
    let wanted = args.value(1)?;
    if let Some(elements) = args.elements(&within)? {
        return Ok(Datum::Truth(elements.iter().any(|element| equal(element, &wanted))));
    }
    let text = within.into_text().ok_or(HelperFailure::argument(0, "a list or text"))?;
    let wanted = wanted.into_text().ok_or(HelperFailure::argument(1, "text"))?;
    Ok(Datum::Truth(text.contains(&*wanted)))
}

fn join<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let value = args.value(0)?;
    let separator = if args.count() > 1 { args.text(1)? } else { Cow::Borrowed(", ") };
    let Some(elements) = args.elements(&value)? else {
        return value.into_text().map(Datum::Text).ok_or(HelperFailure::argument(0, "a list"));
    };
    let mut out = String::new();
    for (i, element) in elements.iter().enumerate() {
        if i > 0 {
            out.push_str(&separator);
        }
        out.push_str(&element.text()?);
        args.fits(out.len())?;
    }
    args.made(out)
}

/// An empty separator splits into characters; an empty text is an empty list.
fn split<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let (text, separator) = (args.text(0)?, args.text(1)?);
    let count = if separator.is_empty() { text.chars().count() } else { text.matches(&*separator).count() };
    args.spend_elements(count)?;
    let piece = |piece: &str| Datum::Text(Cow::Owned(piece.to_owned()));
    let pieces = match (text.is_empty(), separator.is_empty()) {
        (true, _) => Vec::new(),
        (_, true) => text.chars().map(|c| piece(c.encode_utf8(&mut [0; 4]))).collect(),
        _ => text.split(&*separator).map(piece).collect(),
    };
    Ok(Args::made_list(pieces))
}
