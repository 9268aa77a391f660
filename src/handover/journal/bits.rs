//! A set of small numbers: which firings of an entry are unsettled.

/// A set of small numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bits {
    first: u64,
    more: Vec<u64>,
}

impl Bits {
    /// The numbers below this one.
    pub(super) fn below(count: u32) -> Self {
        let word = |left: u32| if left < 64 { (1 << left) - 1 } else { u64::MAX };
        let more = (1..count.div_ceil(64)).map(|passed| word(count - passed * 64)).collect();
        Self { first: word(count), more }
    }

    /// Adds a number; false if it was in the set.
    pub(super) fn set(&mut self, number: u32) -> bool {
        let word = (number / 64) as usize;
        if self.more.len() < word {
            self.more.resize(word, 0);
        }
        let (word, bit) = self.word(number).expect("made above");
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Removes a number; false if it was not in the set.
    pub(super) fn clear(&mut self, number: u32) -> bool {
        let Some((word, bit)) = self.word(number) else { return false };
        let was_there = *word & bit != 0;
        *word &= !bit;
        was_there
    }

    pub(super) fn has(&self, number: u32) -> bool {
        let word = (number / 64) as usize;
        let word = if word == 0 { Some(&self.first) } else { self.more.get(word - 1) };
        word.is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    fn word(&mut self, number: u32) -> Option<(&mut u64, u64)> {
        let word = (number / 64) as usize;
        let word = if word == 0 { Some(&mut self.first) } else { self.more.get_mut(word - 1) };
        word.map(|word| (word, 1 << (number % 64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_below_one_are_those_that_could_be_added_one_by_one() {
        for count in [0, 1, 63, 64, 65, 127, 128, 129, 1_000] {
            let (mut bits, all) = (Bits::default(), Bits::below(count));
            assert!((0..count).all(|number| bits.set(number) && all.has(number)), "{count}");
            assert_eq!(all, bits, "{count}");
        }
    }
}
