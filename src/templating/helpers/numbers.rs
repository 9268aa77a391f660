//! `number` and `money`: a number with grouped thousands and a fixed count of decimals.

use super::decimal::Decimal;
use crate::templating::value::Datum;

/// The most decimals that can be asked for.
pub(in crate::templating) const DECIMALS_MAX: usize = 20;

/// How a number is written.
#[derive(Debug, Clone, Copy)]
pub(in crate::templating) struct Style<'s> {
    /// The digits after the point; as many as the number has, if not said.
    pub(in crate::templating) decimals: Option<usize>,
    /// What stands between thousands.
    pub(in crate::templating) group: &'s str,
    /// What stands before the decimals.
    pub(in crate::templating) point: &'s str,
}

/// The number that the value is, in this style.
pub(in crate::templating) fn number(value: &Datum<'_>, style: Style<'_>) -> Option<String> {
    let mut decimal = Decimal::of(value)?;
    if let Some(decimals) = style.decimals {
        decimal = decimal.rounded(decimals);
        while decimal.fraction.len() < decimals {
            decimal.fraction.push('0');
        }
    }
    let mut out = String::new();
    if decimal.negative {
        out.push('-');
    }
    if decimal.whole.is_empty() {
        out.push('0');
    }
    for (i, digit) in decimal.whole.chars().enumerate() {
        if i > 0 && (decimal.whole.len() - i).is_multiple_of(3) {
            out.push_str(style.group);
        }
        out.push(digit);
    }
    if !decimal.fraction.is_empty() {
        out.push_str(style.point);
        out.push_str(&decimal.fraction);
    }
    Some(out)
}

/// An amount with the decimals of its currency, and the currency behind it where one is named.
pub(in crate::templating) fn money(value: &Datum<'_>, currency: Option<&str>, style: Style<'_>) -> Option<String> {
    let decimals = style.decimals.unwrap_or_else(|| decimals_of(currency));
    let amount = number(value, Style { decimals: Some(decimals), ..style })?;
    Some(match currency {
        Some(currency) if !currency.is_empty() => format!("{amount} {currency}"),
        _ => amount,
    })
}

/// How many decimals amounts of a currency have (ISO 4217): two, but for these.
fn decimals_of(currency: Option<&str>) -> usize {
    match currency.unwrap_or("") {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::json::{Document, Json};

    #[test]
    fn numbers_are_grouped_and_rounded() {
        let exact: Value = serde_json::from_str("1234567.50").expect("JSON");
        for (value, decimals, group, point, expected) in [
            (json!(1234.5), Some(2), ",", ".", Some("1,234.50")),
            (json!("1234.5"), Some(2), ".", ",", Some("1.234,50")),
            (exact, None, " ", ".", Some("1 234 567.5")),
            (json!(-999), None, ",", ".", Some("-999")),
            (json!(-1000), Some(1), ",", ".", Some("-1,000.0")),
            (json!(0.004), Some(2), ",", ".", Some("0.00")),
            (json!(" 12 "), Some(0), ",", ".", Some("12")),
            (json!("twelve"), Some(0), ",", ".", None),
            (json!(true), None, ",", ".", None),
            (json!([1]), None, ",", ".", None),
        ] {
            let style = Style { decimals, group, point };
            assert_eq!(number(&Datum::Data(Document::from(&value).root()), style).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn money_knows_its_decimals() {
        for (currency, expected) in [
            (Some("EUR"), "1,234.50 EUR"),
            (Some("JPY"), "1,235 JPY"),
            (Some("KWD"), "1,234.500 KWD"),
            (Some(""), "1,234.50"),
            (None, "1,234.50"),
        ] {
            let style = Style { decimals: None, group: ",", point: "." };
            let made = money(&Datum::Data(Json::String("1234.5")), currency, style);
            assert_eq!(made.as_deref(), Some(expected));
        }
    }
}
