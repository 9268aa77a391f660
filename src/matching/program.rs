//! A compiled pattern: its source text and one array of operations in pre-order, in which each operation has the index
//! of the next one beside it. Short texts are in the operations: with a million patterns, each further piece of memory
//! that an evaluation reads comes from no cache. Longer ones are parts of the source if they need no unescaping.

use std::sync::Arc;

use super::decimal::ParsedNumber;
use super::network::Network;

/// A part of [`Texts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PatternSpan {
    start: u32,
    length: u32,
}

/// The longest text that is in its operation, in bytes; an [`Op`] needs 24 bytes with it.
const SHORT_MAX: usize = 14;

/// A text of an operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum OperationText {
    Short { length: u8, bytes: [u8; SHORT_MAX] },
    Long(PatternSpan),
}

/// Marks a part of the texts after the source.
const MADE: u32 = 1 << 31;

/// The source of a pattern, followed by the texts that differ from the source.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    pub(super) source: String,
    pub(super) made: String,
}

/// Both in one allocation.
#[derive(Debug, Clone)]
pub(super) struct PatternText {
    text: Arc<str>,
    source_bytes: u32,
}

/// One operation. `next` is the index of the operation after this one and all below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Op {
    /// All operations below must hold for the member of this name.
    Field {
        name: OperationText,
        next: u32,
        below: FieldShape,
    },
    /// One branch must hold.
    Any {
        next: u32,
    },
    /// A branch: all operations below must hold.
    Branch {
        next: u32,
    },
    /// One of the tests below must hold for a value; `source` is their list as it was written.
    Leaf {
        source: PatternSpan,
        next: u32,
    },
    /// The value exists, or does not. These come first in their leaf.
    Exists(bool),
    Null,
    Bool(bool),
    Text(OperationText),
    Number(Number),
    Prefix(OperationText),
    Suffix(OperationText),
    /// The text is folded, like those of the next two.
    EqualFolded(OperationText),
    PrefixFolded(OperationText),
    SuffixFolded(OperationText),
    /// This many [`Op::Piece`]s follow, with any text between them.
    Wildcard(u32),
    Piece(OperationText),
    Within(Network),
    /// Followed by this many operations, the tests; none may hold.
    AnythingBut {
        operations: u32,
    },
    /// Followed by one or two bounds that must hold.
    Range {
        bounds: u8,
    },
    Bound(Comparison, Number),
}

/// What is below a field, to speed up the common cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldShape {
    /// One list of tests.
    Leaf,
    /// Fields and branches.
    Level,
    /// Several lists of tests, or lists of tests and fields: only if branches of `$or` use a field in both ways.
    Mixed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A number of a pattern; its later digits are in the text. Packed, so that an [`Op`] needs 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number {
    /// Twice the exponent, plus one if the number is negative.
    exponent_and_sign: i32,
    /// The high and the low half of the digits; both 0 for the number 0.
    head: [u32; 2],
    tail: PatternSpan,
}

impl Op {
    /// The index of the operation after the one at `at` and all below it.
    pub(super) fn next(operations: &[Self], at: usize) -> usize {
        match operations[at] {
            Self::Field { next, .. } | Self::Any { next } | Self::Branch { next } | Self::Leaf { next, .. } => {
                next as usize
            }
            Self::Wildcard(pieces) => at + 1 + pieces as usize,
            Self::AnythingBut { operations } => at + 1 + operations as usize,
            Self::Range { bounds } => at + 1 + usize::from(bounds),
            _ => at + 1,
        }
    }
}

impl PatternSpan {
    /// A part of the source.
    pub(super) fn source(start: usize, length: usize) -> Self {
        Self { start: small(start), length: small(length) }
    }
}

impl OperationText {
    fn short(text: &str) -> Option<Self> {
        let mut bytes = [0; SHORT_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self::Short { length: text.len() as u8, bytes })
    }
}

impl Texts {
    /// A part of the source, or of what was made before.
    pub(super) fn part(&self, span: PatternSpan) -> OperationText {
        OperationText::short(self.get(span)).unwrap_or(OperationText::Long(span))
    }

    /// Stores a text that is not part of the source.
    pub(super) fn make(&mut self, text: &str) -> OperationText {
        OperationText::short(text).unwrap_or_else(|| OperationText::Long(self.store(text)))
    }

    /// Stores it beside the source, whatever its length.
    pub(super) fn store(&mut self, text: &str) -> PatternSpan {
        let start = self.made.len();
        self.made.push_str(text);
        PatternSpan { start: small(start) | MADE, length: small(text.len()) }
    }

    pub(super) fn get(&self, span: PatternSpan) -> &str {
        let start = (span.start & !MADE) as usize;
        let from = if span.start & MADE == 0 { &self.source } else { &self.made };
        &from[start..start + span.length as usize]
    }

    pub(super) fn decimal(&self, number: Number) -> ParsedNumber<'_> {
        number.decimal(self.get(number.tail))
    }

    pub(super) fn finish(mut self) -> PatternText {
        let source_bytes = small(self.source.len());
        self.source.push_str(&self.made);
        PatternText { text: self.source.into(), source_bytes }
    }
}

impl PatternText {
    pub(super) fn get(&self, span: PatternSpan) -> &str {
        let base = if span.start & MADE == 0 { 0 } else { self.source_bytes as usize };
        let start = base + (span.start & !MADE) as usize;
        &self.text[start..start + span.length as usize]
    }

    /// The text of an operation, as bytes: comparing needs no more.
    #[inline]
    pub(super) fn bytes_of<'t>(&'t self, words: &'t OperationText) -> &'t [u8] {
        match words {
            OperationText::Short { length, bytes } => &bytes[..usize::from(*length)],
            OperationText::Long(span) => self.get(*span).as_bytes(),
        }
    }

    /// The text of an operation.
    pub(super) fn text_of<'t>(&'t self, words: &'t OperationText) -> &'t str {
        match words {
            OperationText::Short { .. } => std::str::from_utf8(self.bytes_of(words)).expect("it was made of a text"),
            OperationText::Long(span) => self.get(*span),
        }
    }

    pub(super) fn source(&self) -> &str {
        &self.text[..self.source_bytes as usize]
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(super) fn decimal(&self, number: Number) -> ParsedNumber<'_> {
        number.decimal(self.get(number.tail))
    }

    /// The text of a piece of a wildcard.
    pub(super) fn piece<'t>(&'t self, op: &'t Op) -> &'t str {
        match op {
            Op::Piece(words) => self.text_of(words),
            _ => "",
        }
    }
}

impl Comparison {
    pub(super) fn holds(self, left: ParsedNumber<'_>, right: ParsedNumber<'_>) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

impl Number {
    /// Parses the number at this part of the source; `None` if its exponent is too large.
    pub(super) fn new(texts: &Texts, at: PatternSpan) -> Option<Self> {
        let text = texts.get(at);
        let decimal = ParsedNumber::new(text);
        let start = if decimal.tail.is_empty() { 0 } else { decimal.tail.as_ptr() as usize - text.as_ptr() as usize };
        if decimal.exponent.abs() > super::decimal::EXPONENT_MAX {
            return None;
        }
        Some(Self {
            exponent_and_sign: i32::try_from(decimal.exponent * 2).ok()? | i32::from(decimal.sign < 0),
            head: [(decimal.head >> 32) as u32, decimal.head as u32],
            tail: PatternSpan { start: at.start + small(start), length: small(decimal.tail.len()) },
        })
    }

    fn decimal(self, tail: &str) -> ParsedNumber<'_> {
        let head = u64::from(self.head[0]) << 32 | u64::from(self.head[1]);
        let sign = match (head, self.exponent_and_sign & 1) {
            (0, _) => 0,
            (_, 0) => 1,
            _ => -1,
        };
        ParsedNumber { sign, exponent: i64::from(self.exponent_and_sign >> 1), head, tail }
    }
}

pub(super) fn small(number: usize) -> u32 {
    u32::try_from(number).ok().filter(|small| small & MADE == 0).expect("a pattern came in a body of a few megabytes")
}
