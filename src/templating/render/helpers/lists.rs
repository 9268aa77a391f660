//! Helpers for lists: lists in the data, and results of other helpers. A field of an element may be a path with dots.

use std::borrow::Cow;
use std::collections::HashSet;

use super::super::args::{Args, HelperResult};
use super::super::decimal::Decimal;
use super::super::stop::{HelperFailure, RenderFailure};
use super::super::value::Datum;
use super::compare::{SortKey, equal};
use super::texts::range;
use super::{Helper, ResultKind};
use crate::json::Json;

const fn list(
    name: &'static str,
    description: &'static str,
    values: (usize, usize),
    example: &'static str,
    run: for<'a> fn(&mut Args<'_, 'a>) -> HelperResult<'a>,
) -> Helper {
    Helper::new(name, description, values, ResultKind::List, example, run)
}

pub(super) static HELPERS: &[Helper] = &[
    Helper::new(
        "length",
        "How many elements a list has, or characters a text",
        (1, 1),
        ResultKind::Number,
        "{{length rental.tags}}",
        length,
    ),
    Helper::new("first", "The first element of a list", (1, 1), ResultKind::Value, "{{first rental.tags}}", |args| {
        Ok(args.list(0)?.into_iter().next().unwrap_or(Datum::Missing))
    }),
    Helper::new("last", "The last element of a list", (1, 1), ResultKind::Value, "{{last rental.tags}}", |args| {
        Ok(args.list(0)?.pop().unwrap_or(Datum::Missing))
    }),
    list(
        "slice",
        "Some elements of a list: from a place, a number of them",
        (2, 3),
        "{{#each (slice rental.tags 0 3)}}{{this}} {{/each}}",
        slice,
    ),
    list("sort", "A list in order, by itself or by a field", (1, 2), r#"{{join (sort rental.tags) ", "}}"#, sort),
    list("reverse", "A list with its last element first", (1, 1), r#"{{join (reverse rental.tags) ", "}}"#, |args| {
        Ok(Args::made_list(args.list(0)?.into_iter().rev().collect()))
    }),
    list("unique", "A list without repetitions", (1, 2), r#"{{join (unique rental.tags) ", "}}"#, unique),
    list("pluck", "One field of each element of a list", (2, 2), r#"{{join (pluck guests "name") ", "}}"#, pluck),
    list(
        "where",
        "The elements of a list whose field has a value",
        (2, 3),
        r#"{{#each (where rooms "free" true)}}{{name}} {{/each}}"#,
        matching,
    ),
    Helper::new(
        "sum",
        "The sum of a list, of a field of its elements, or of the products of several fields",
        (1, 4),
        ResultKind::Number,
        r#"{{sum invoice.items "amount"}}"#,
        sum,
    ),
    Helper::new(
        "contains",
        "Whether a list has an element, or a text holds another",
        (2, 2),
        ResultKind::Boolean,
        r#"{{#if (contains rental.tags "beach")}}"#,
        contains,
    ),
    Helper::new(
        "join",
        "The elements of a list as one text, with something between them",
        (1, 2),
        ResultKind::Text,
        r#"{{join rental.tags ", "}}"#,
        join,
    ),
    list("split", "A text as a list of its parts", (2, 2), r#"{{first (split guest.name " ")}}"#, split),
];

/// A path in elements: names, each with the index that it is in a list.
struct FieldPath<'p> {
    names: Vec<(&'p str, Option<usize>)>,
    bytes: usize,
}

impl<'p> FieldPath<'p> {
    /// Reads names with dots between them.
    fn new(args: &mut Args<'_, '_>, path: &'p str) -> Result<Self, RenderFailure> {
        args.spend_elements(path.matches('.').count())?;
        let names = path.split('.').map(|name| (name, name.parse().ok()));
        Ok(Self { names: names.collect(), bytes: path.len() })
    }

    /// The value there. Looking for it costs steps, and so does reading it.
    fn value<'a>(&self, args: &mut Args<'_, 'a>, element: &Datum<'a>) -> Result<Datum<'a>, RenderFailure> {
        args.spend_bytes(self.bytes)?;
        let mut value = element.clone();
        for (name, index) in &self.names {
            if matches!(value, Datum::Missing) {
                break;
            }
            value = value.step(name, *index);
        }
        args.spend_bytes(value.bytes())?;
        Ok(value)
    }
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
    if args.count() == 1 {
        return Ok(list.into_iter().map(|element| (element.clone(), element)).collect());
    }
    let path = args.text(1)?;
    let path = FieldPath::new(args, &path)?;
    let keyed = list.into_iter().map(|element| Ok((path.value(args, &element)?, element)));
    keyed.collect()
}

/// Sorts numbers first, then texts, then all other values in their original order, then missing values.
fn sort<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let list = keyed(args)?;
    // Sorting makes about n log n comparisons.
    let rounds = usize::try_from(list.len().max(1).ilog2()).unwrap_or(0);
    args.spend_elements(list.len() * rounds)?;
    let keys = list.iter().map(|(key, element)| Ok((SortKey::of(key, &mut |value| args.decimal(value))?, element)));
    let mut list = keys.collect::<Result<Vec<_>, RenderFailure>>()?;
    args.spend(list.iter().map(|(key, _)| key.steps()).sum::<usize>() * rounds)?;
    list.sort_by(|(a, _), (b, _)| a.cmp(b));
    let sorted = list.into_iter().map(|(_, element)| element.clone());
    Ok(Args::made_list(sorted.collect()))
}

/// Numbers are equal if they have the same value, all other values if they have the same JSON.
fn unique<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    let list = keyed(args)?;
    args.spend(list.len() / 2)?;
    for (key, element) in list {
        let number = if key.is_number() { args.decimal(&key)? } else { None };
        let json = match number {
            Some(number) => number.to_string(),
            None => args.json_of(&key)?,
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
        let is_wanted = match &wanted {
            Some(wanted) => equal(&key, wanted, &mut |value| args.decimal(value))?,
            None => key.holds(false),
        };
        if is_wanted {
            kept.push(element);
        }
    }
    Ok(Args::made_list(kept))
}

/// The sum of the elements, of a field, or of the products of several fields. An element with a missing or null value
/// counts as zero; any other value that is not a number makes the sum unusable.
fn sum<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let paths = (2..args.count()).map(|place| args.text(place)).collect::<Result<Vec<_>, _>>()?;
    let paths = paths.iter().map(|path| FieldPath::new(args, path)).collect::<Result<Vec<_>, _>>()?;
    let too_long = || HelperFailure::argument(0, "a list whose sum has at most 400 digits");
    let mut total = Decimal::from(0_usize);
    for (key, element) in keyed(args)? {
        let Some(mut product) = summand(args, &key)? else { continue };
        for path in &paths {
            let factor = path.value(args, &element)?;
            let factor = summand(args, &factor)?.unwrap_or_else(|| Decimal::from(0_usize));
            product = product.multiply(&factor).ok_or_else(too_long)?;
        }
        total = total.add(&product).ok_or_else(too_long)?;
    }
    Ok(Args::made_number(&total))
}

/// The number to add; `None` for a missing or null value.
fn summand(args: &mut Args<'_, '_>, value: &Datum<'_>) -> Result<Option<Decimal>, HelperFailure> {
    if value.is_blank() {
        return Ok(None);
    }
    args.decimal(value)?.map(Some).ok_or(HelperFailure::argument(0, "a list of numbers"))
}

fn contains<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let within = args.value(0)?;
    let wanted = args.value(1)?;
    if let Some(elements) = args.elements(&within)? {
        for element in &elements {
            if equal(element, &wanted, &mut |value| args.decimal(value))? {
                return Ok(Datum::Truth(true));
            }
        }
        return Ok(Datum::Truth(false));
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
        out.push_str(&args.text_of(element)?);
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
