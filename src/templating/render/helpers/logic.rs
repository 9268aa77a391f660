//! `eq`, `ne`, `lt`, `lte`, `gt`, `gte`, `and`, `or`, `not`: comparisons and logic for conditions.

use std::cmp::Ordering;

use super::super::args::{Args, HelperResult};
use super::super::stop::RenderFailure;
use super::super::value::Datum;
use super::compare::{equal, order};
use super::{Helper, ResultKind};

const fn condition(
    name: &'static str,
    description: &'static str,
    values: (usize, usize),
    example: &'static str,
    run: for<'a> fn(&mut Args<'_, 'a>) -> HelperResult<'a>,
) -> Helper {
    Helper::new(name, description, values, ResultKind::Boolean, example, run)
}

pub(super) static HELPERS: &[Helper] = &[
    condition("eq", "Whether two values are the same", (2, 2), r#"{{#if (eq guest.country "IT")}}"#, |args| {
        Ok(Datum::Truth(is_equal(args)?))
    }),
    condition("ne", "Whether two values differ", (2, 2), r#"{{#if (ne guest.country "IT")}}"#, |args| {
        Ok(Datum::Truth(!is_equal(args)?))
    }),
    condition(
        "lt",
        "Whether the first value is less than the second",
        (2, 2),
        "{{#if (lt inquiry.nights 7)}}",
        |args| compared(args, Ordering::is_lt),
    ),
    condition(
        "lte",
        "Whether the first value is less than the second, or the same",
        (2, 2),
        "{{#if (lte inquiry.nights 7)}}",
        |args| compared(args, Ordering::is_le),
    ),
    condition(
        "gt",
        "Whether the first value is greater than the second",
        (2, 2),
        "{{#if (gt inquiry.nights 7)}}",
        |args| compared(args, Ordering::is_gt),
    ),
    condition(
        "gte",
        "Whether the first value is greater than the second, or the same",
        (2, 2),
        "{{#if (gte inquiry.nights 7)}}",
        |args| compared(args, Ordering::is_ge),
    ),
    condition("and", "Whether all of some values hold", (2, 8), "{{#if (and guest.email guest.phone)}}", |args| {
        junction(args, false)
    }),
    condition("or", "Whether any of some values holds", (2, 8), "{{#if (or guest.email guest.phone)}}", |args| {
        junction(args, true)
    }),
    condition("not", "Whether a value is missing, empty, 0 or false", (1, 1), "{{#if (not guest.email)}}", |args| {
        Ok(Datum::Truth(!args.holds(0)?))
    }),
];

fn is_equal(args: &mut Args<'_, '_>) -> Result<bool, RenderFailure> {
    let (a, b) = (args.value(0)?, args.value(1)?);
    equal(&a, &b, &mut |value| args.decimal(value))
}

/// If the values can't be ordered, the result is false.
fn compared<'a>(args: &mut Args<'_, 'a>, holds: fn(Ordering) -> bool) -> HelperResult<'a> {
    let (a, b) = (args.value(0)?, args.value(1)?);
    Ok(Datum::Truth(order(&a, &b, &mut |value| args.decimal(value))?.is_some_and(holds)))
}

/// `and`, `or`: the first value that is `settles` determines the result.
fn junction<'a>(args: &mut Args<'_, 'a>, settles: bool) -> HelperResult<'a> {
    for place in 0..args.count() {
        if args.holds(place)? == settles {
            return Ok(Datum::Truth(settles));
        }
    }
    Ok(Datum::Truth(!settles))
}
