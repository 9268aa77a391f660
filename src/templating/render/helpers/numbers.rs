//! `number` and `money`: a number with grouped thousands and a fixed number of decimals, in the format of a locale.
//! Both return text.

use std::borrow::Cow;

use iso_currency::Currency as Iso;

use super::super::args::{Args, HelperResult};
use super::super::figures::{Separators, is_negative, unsigned};
use super::super::locale::{Currency, Locale};
use super::super::stop::HelperFailure;
use super::super::value::Datum;
use super::{Helper, ResultKind};
use crate::templating::program::HelperCall;

/// What it costs to write a number, beside its length: its parts and their places are looked for.
const WRITING_STEPS: usize = 2;
/// What it costs to look for a currency.
const CURRENCY_STEPS: usize = 2;
/// The maximum of the option `decimals`.
const DECIMALS_MAX: i64 = 20;
/// A space at which a line is not broken.
const NO_BREAK_SPACE: &str = "\u{a0}";

pub(super) static HELPERS: &[Helper] = &[
    Helper::new(
        "number",
        "A number as text, with grouped thousands and a fixed number of decimals",
        (1, 1),
        ResultKind::Figures,
        r#"{{number inquiry.cost decimals=2 group="," point="." locale="de"}}"#,
        number,
    )
    .options(&["decimals", "group", "locale", "point"])
    .check(check),
    Helper::new(
        "money",
        "An amount with the decimals and the code or sign of its currency",
        (1, 2),
        ResultKind::Figures,
        r#"{{money inquiry.cost "EUR" locale="de"}}"#,
        money,
    )
    .options(&["decimals", "group", "locale", "point", "symbol"])
    .check(check),
];

/// The mistake in the constant arguments of a call, if there is one.
fn check(call: &HelperCall) -> Option<Cow<'static, str>> {
    let decimals = call.option("decimals").is_some()
        && !call
            .constant_option_number("decimals")
            .and_then(|digits| digits.parse::<i64>().ok())
            .is_some_and(|decimals| (0..=DECIMALS_MAX).contains(&decimals));
    if decimals {
        return Some("decimals is a number from 0 to 20.".into());
    }
    let sign =
        |name: &str| call.option(name).is_some() && call.constant_option(name).is_none_or(|sign| sign.len() > 16);
    if sign("group") || sign("point") {
        return Some("group and point are short texts in quotes.".into());
    }
    if call.option("symbol").is_some() && call.constant_option_flag("symbol").is_none() {
        return Some("symbol is true or false.".into());
    }
    check_locale(call)
}

/// The mistake in the `locale` of a call, if it is a constant.
pub(super) fn check_locale(call: &HelperCall) -> Option<Cow<'static, str>> {
    let unknown = call.constant_option("locale").is_some_and(|name| Locale::find(name).is_none());
    let message = "There is no such locale. A locale is a language, or a language and a region: \"de\", \"de-AT\".";
    unknown.then_some(message.into())
}

/// The value of the option `locale`.
pub(super) fn locale(args: &mut Args<'_, '_>) -> Result<Option<Locale>, HelperFailure> {
    const EXPECTED: &str = "a known locale, like \"de\" or \"de-AT\"";
    let Some(name) = args.option_text("locale")? else { return Ok(None) };
    args.spend(1)?;
    Locale::find(&name).map(Some).ok_or(HelperFailure::option("locale", EXPECTED))
}

/// The separators of a call: from its options, or else from its locale.
struct ChosenSeparators<'s> {
    group: Cow<'s, str>,
    point: Cow<'s, str>,
    sizes: (usize, usize),
}

impl<'s> ChosenSeparators<'s> {
    fn of(args: &mut Args<'_, 's>, locale: Option<Separators<'static>>) -> Result<Self, HelperFailure> {
        let default = locale.unwrap_or(Separators { group: ",", sizes: (3, 3), point: "." });
        // An empty text is valid here: no separator.
        let own = |option: Option<Datum<'s>>| option.and_then(Datum::into_text);
        Ok(Self {
            group: own(args.option("group")?).unwrap_or(default.group.into()),
            point: own(args.option("point")?).unwrap_or(default.point.into()),
            sizes: default.sizes,
        })
    }

    fn separators(&self) -> Separators<'_> {
        Separators { group: &self.group, sizes: self.sizes, point: &self.point }
    }
}

fn decimals(args: &mut Args<'_, '_>) -> Result<Option<usize>, HelperFailure> {
    Ok(args.option_whole("decimals")?.and_then(|decimals| usize::try_from(decimals).ok()))
}

fn number<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let number = args.number(0)?;
    let locale = locale(args)?.map(Locale::separators);
    let decimals = decimals(args)?;
    let chosen = ChosenSeparators::of(args, locale)?;
    let sign = if is_negative(&number, decimals) { "-" } else { "" };
    args.spend(WRITING_STEPS)?;
    args.made(format!("{sign}{}", unsigned(&number, decimals, chosen.separators())))
}

/// An amount with the decimals of its currency, followed by the currency's code, or with the currency's symbol at the
/// locale's position.
fn money<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let number = args.number(0)?;
    let code = if args.count() > 1 { args.value(1)?.into_text() } else { None };
    let code = code.unwrap_or_default();
    let locale = locale(args)?.map(Locale::currency);
    // Some payment processors write codes in small letters.
    let known = Iso::from_code(&code.to_ascii_uppercase());
    let code = known.map_or(code, |known| known.code().into());
    let decimals = match decimals(args)? {
        Some(decimals) => decimals,
        None => known.and_then(|currency| currency.exponent()).map_or(2, usize::from),
    };
    let chosen = ChosenSeparators::of(args, locale.map(|locale| locale.separators))?;
    let sign = if is_negative(&number, Some(decimals)) { "-" } else { "" };
    args.spend(WRITING_STEPS + CURRENCY_STEPS)?;
    let amount = unsigned(&number, Some(decimals), chosen.separators());
    let symbol = args.option("symbol")?.is_some_and(|symbol| symbol.holds(false));
    args.made(match (code.is_empty(), symbol) {
        (true, _) => format!("{sign}{amount}"),
        (_, true) => with_symbol(sign, &amount, symbol_of(&code, known, locale), locale),
        _ if locale.is_some() => format!("{sign}{amount}{NO_BREAK_SPACE}{code}"),
        _ => format!("{sign}{amount} {code}"),
    })
}

/// The symbol of a currency. A locale has its own symbol for its own currency. A currency without a symbol keeps its
/// code.
fn symbol_of<'s>(code: &'s str, known: Option<Iso>, locale: Option<Currency>) -> Cow<'s, str> {
    match (locale, known) {
        (Some(locale), _) if locale.own.0 == code => Cow::Borrowed(locale.own.1),
        // The franc has no common symbol.
        (_, Some(Iso::CHF)) | (_, None) => Cow::Borrowed(code),
        (_, Some(known)) => match known.symbol().to_string() {
            none if none == "¤" => Cow::Borrowed(code),
            symbol => Cow::Owned(symbol),
        },
    }
}

fn with_symbol(sign: &str, amount: &str, symbol: Cow<'_, str>, locale: Option<Currency>) -> String {
    let (first, space) = locale.map_or((true, false), |locale| (locale.first, locale.space));
    // A symbol of letters is separated from the digits by a space.
    let letters = symbol.chars().all(char::is_alphabetic) && symbol.chars().count() > 1;
    let space = if space || letters { NO_BREAK_SPACE } else { "" };
    if first { format!("{sign}{symbol}{space}{amount}") } else { format!("{sign}{amount}{space}{symbol}") }
}
