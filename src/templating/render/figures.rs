//! Writes a number's digits in groups.

use super::decimal::{Decimal, Rounding};

/// The separators between digits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Separators<'s> {
    /// Between groups.
    pub(crate) group: &'s str,
    /// The digits of the group before the point, and of the others.
    pub(crate) sizes: (usize, usize),
    /// Before the decimals.
    pub(crate) point: &'s str,
}

/// The number without its sign, with this many decimals or its own.
pub(crate) fn unsigned(number: &Decimal, decimals: Option<usize>, separators: Separators<'_>) -> String {
    let rounded = match decimals {
        Some(decimals) => number.clone().rounded(decimals, Rounding::Nearest),
        None => number.clone(),
    };
    let (whole, mut fraction) = rounded.parts();
    while decimals.is_some_and(|decimals| fraction.len() < decimals) {
        fraction.push('0');
    }
    let mut out = String::with_capacity(whole.len() * 2 + fraction.len());
    for (i, digit) in whole.chars().enumerate() {
        let left = whole.len() - i;
        let (first, others) = separators.sizes;
        if i > 0 && left >= first && (left - first).is_multiple_of(others.max(1)) {
            out.push_str(separators.group);
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push_str(separators.point);
        out.push_str(&fraction);
    }
    out
}

/// Whether a number, rounded to this many decimals, is below zero.
pub(crate) fn is_negative(number: &Decimal, decimals: Option<usize>) -> bool {
    match decimals {
        Some(decimals) => number.clone().rounded(decimals, Rounding::Nearest).is_negative(),
        None => number.is_negative(),
    }
}
