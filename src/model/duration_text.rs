//! How long something takes or may take, as a person reads it.

use std::fmt;
use std::time::Duration;

/// A duration in the largest unit that shows all of it: `500 ms`, `1.5 s`, `10 s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationText(pub Duration);

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return f.write_str("0 s");
        }
        // The standard library chooses the unit, and writes it without a space.
        let text = format!("{:?}", self.0);
        let unit = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
        write!(f, "{} {}", &text[..unit], &text[unit..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_shows_the_duration() {
        for (duration, expected) in [
            (Duration::from_millis(500), "500 ms"),
            (Duration::from_millis(1_500), "1.5 s"),
            (Duration::from_secs(10), "10 s"),
            (Duration::from_micros(250), "250 µs"),
            (Duration::ZERO, "0 s"),
        ] {
            assert_eq!(DurationText(duration).to_string(), expected);
        }
    }
}
