//! `add`, `subtract`, `multiply`, `divide`, `modulo`, `round`, `floor`, `ceil`, `abs`, `min`, `max`:
//! exact decimal arithmetic. A number may be given as text.

use std::borrow::Cow;

use super::super::args::{Args, HelperResult};
use super::super::decimal::{Decimal, Rounding};
use super::super::stop::HelperFailure;
use super::{Helper, ResultKind};
use crate::templating::program::HelperCall;

/// The maximum number of decimals of `round`.
const DECIMALS_MAX: i64 = 100;

const fn number(
    name: &'static str,
    description: &'static str,
    values: (usize, usize),
    example: &'static str,
    run: for<'a> fn(&mut Args<'_, 'a>) -> HelperResult<'a>,
) -> Helper {
    Helper::new(name, description, values, ResultKind::Number, example, run)
}

pub(super) static HELPERS: &[Helper] = &[
    number("add", "The sum of numbers", (2, 8), "{{add inquiry.num_adults inquiry.num_child}}", |args| {
        fold(args, Decimal::add)
    }),
    number(
        "subtract",
        "The first number minus the second",
        (2, 2),
        "{{subtract rental.sleep_max inquiry.num_guests}}",
        |args| fold(args, Decimal::subtract),
    ),
    number("multiply", "The product of numbers", (2, 8), "{{multiply inquiry.cost 100}}", |args| {
        fold(args, Decimal::multiply)
    }),
    number(
        "divide",
        "The first number divided by the second",
        (2, 2),
        "{{divide inquiry.cost inquiry.nights}}",
        divide,
    )
    .check(check_divisor),
    number("modulo", "The remainder of a division", (2, 2), "{{modulo inquiry.nights 7}}", modulo).check(check_divisor),
    number("round", "A number rounded to some decimals", (1, 2), "{{round inquiry.cost 2}}", round),
    number("floor", "The next whole number down", (1, 1), "{{floor inquiry.cost}}", |args| cut(args, Rounding::Down)),
    number("ceil", "The next whole number up", (1, 1), "{{ceil inquiry.cost}}", |args| cut(args, Rounding::Up)),
    number("abs", "A number without its sign", (1, 1), "{{abs inquiry.cost}}", |args| {
        Ok(Args::made_number(&args.number(0)?.absolute()))
    }),
    number("min", "The smallest of some numbers, or of a list", (1, 8), "{{min inquiry.nights 7}}", |args| {
        extreme(args, |new, old| new < old)
    }),
    number("max", "The largest of some numbers, or of a list", (1, 8), "{{max inquiry.nights 7}}", |args| {
        extreme(args, |new, old| new > old)
    }),
];

const TOO_LONG: &str = "small enough: the result would have more than 400 digits";
const ZERO: &str = "usable as a divisor: division by zero is not possible";

fn fold<'a>(args: &mut Args<'_, 'a>, apply: fn(&Decimal, &Decimal) -> Option<Decimal>) -> HelperResult<'a> {
    let mut result = args.number(0)?;
    for place in 1..args.count() {
        let next = args.number(place)?;
        result = apply(&result, &next).ok_or(HelperFailure::argument(place, TOO_LONG))?;
        args.spend(result.steps())?;
    }
    Ok(Args::made_number(&result))
}

fn divide<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let (a, b) = (args.number(0)?, args.number(1)?);
    let expected = if b.is_zero() { ZERO } else { TOO_LONG };
    args.spend(1)?;
    a.divide(&b).map(|quotient| Args::made_number(&quotient)).ok_or(HelperFailure::argument(1, expected))
}

fn modulo<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let (a, b) = (args.number(0)?, args.number(1)?);
    a.remainder(&b).map(|remainder| Args::made_number(&remainder)).ok_or(HelperFailure::argument(1, ZERO))
}

fn check_divisor(call: &HelperCall) -> Option<Cow<'static, str>> {
    let zero = call.constant_number(1).is_some_and(|digits| Decimal::read(digits).is_some_and(|n| n.is_zero()));
    zero.then_some("Division by zero is not possible.".into())
}

fn round<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let number = args.number(0)?;
    let decimals = if args.count() > 1 { args.whole(1)? } else { 0 };
    let usable = usize::try_from(decimals).ok().filter(|_| decimals <= DECIMALS_MAX);
    let decimals = usable.ok_or(HelperFailure::argument(1, "a number of decimals from 0 to 100"))?;
    Ok(Args::made_number(&number.rounded(decimals, Rounding::Nearest)))
}

fn cut<'a>(args: &mut Args<'_, 'a>, rounding: Rounding) -> HelperResult<'a> {
    Ok(Args::made_number(&args.number(0)?.rounded(0, rounding)))
}

/// The smallest or largest of the values, or of the elements of a list.
fn extreme<'a>(args: &mut Args<'_, 'a>, better: fn(&Decimal, &Decimal) -> bool) -> HelperResult<'a> {
    let mut best: Option<Decimal> = None;
    let mut consider = |number: Decimal| {
        if best.as_ref().is_none_or(|best| better(&number, best)) {
            best = Some(number);
        }
    };
    let first = args.value(0)?;
    match args.elements(&first)? {
        Some(elements) if args.count() == 1 => {
            for element in elements {
                consider(args.decimal(&element)?.ok_or(HelperFailure::argument(0, "a list of numbers"))?);
            }
        }
        _ => {
            for place in 0..args.count() {
                consider(args.number(place)?);
            }
        }
    }
    best.map(|best| Args::made_number(&best)).ok_or(HelperFailure::argument(0, "a list that contains numbers"))
}
