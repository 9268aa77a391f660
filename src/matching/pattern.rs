//! A parsed pattern: the operations that are evaluated and that the index files it by.

use std::sync::Arc;

use serde_json::Value;

use super::alternatives::Alternatives;
use super::error::PatternError;
use super::operations::Operations;
use super::program::{FieldShape, Op, PatternText, small};
use super::read::{MemberCondition, PatternItem, PatternLevel, PatternReader, TestList};

/// A filter. One that exists is valid. What an evaluation reads of it comes first.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct Pattern {
    pub(super) operations: Operations,
    pub(super) text: PatternText,
    complaint: Option<Arc<PatternError>>,
}

impl Pattern {
    /// Reads a pattern. EARLIER(record): what must not be saved again is read, see [`Pattern::complaint`].
    pub fn new(source: &Value) -> Result<Self, PatternError> {
        Self::examine(source).map_err(|errors| errors.into_iter().next().expect("what is refused has a mistake"))
    }

    /// The same; returns each member's first mistake.
    pub fn examine(source: &Value) -> Result<Self, Vec<PatternError>> {
        let mut reader = PatternReader::default();
        let level = reader.read(source)?;
        let level = Alternatives::default().separate(level).map_err(|error| vec![error])?;
        let mut layout = Layout { reader: &reader, operations: Vec::new() };
        layout.level(&level);
        let operations = layout.operations.into();
        let complaint = reader.complaint.map(Arc::new);
        Ok(Self { operations, text: reader.texts.finish(), complaint })
    }

    /// Why a loaded pattern must not be saved again.
    pub fn complaint(&self) -> Option<&PatternError> {
        self.complaint.as_deref()
    }

    /// The pattern as it was written, without white space.
    pub fn source(&self) -> Value {
        serde_json::from_str(self.text.source()).expect("the source was written as JSON")
    }

    /// The length of its source, in bytes.
    pub fn source_bytes(&self) -> usize {
        self.text.source().len()
    }

    /// The memory that it needs, in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.bytes() + self.operations.bytes_beside()
    }

    /// The index of the operation after this one and all below it.
    pub(super) fn next(&self, at: usize) -> usize {
        Op::next(&self.operations, at)
    }
}

/// Writes operations in pre-order.
struct Layout<'r> {
    reader: &'r PatternReader,
    operations: Vec<Op>,
}

impl Layout<'_> {
    fn level(&mut self, level: &PatternLevel) {
        for item in level {
            match item {
                // Each list of tests of a member is evaluated on its own, unless conditions below it have to hold too.
                PatternItem::Field(name, body) => {
                    let of_name = |item: &&PatternItem| matches!(item, PatternItem::Field(other, _) if other == name);
                    let same: Vec<&PatternItem> = level.iter().filter(of_name).collect();
                    let is_mixed =
                        same.iter().any(|item| matches!(item, PatternItem::Field(_, MemberCondition::Level(_))));
                    if !is_mixed {
                        self.field(*name, &[body]);
                    } else if std::ptr::eq(same[0], item) {
                        let bodies = same.into_iter().filter_map(|item| match item {
                            PatternItem::Field(_, body) => Some(body),
                            PatternItem::Or { .. } => None,
                        });
                        self.field(*name, &bodies.collect::<Vec<_>>());
                    }
                }
                PatternItem::Or { branches, .. } => {
                    let at = self.begin(Op::Any { next: 0 });
                    for branch in branches {
                        let at = self.begin(Op::Branch { next: 0 });
                        self.level(branch);
                        self.end(at);
                    }
                    self.end(at);
                }
            }
        }
    }

    fn field(&mut self, name: u32, bodies: &[&MemberCondition]) {
        let below = match bodies {
            [MemberCondition::Leaf(_)] => FieldShape::Leaf,
            [MemberCondition::Level(_)] => FieldShape::Level,
            _ => FieldShape::Mixed,
        };
        let name = self.reader.names[name as usize];
        let at = self.begin(Op::Field { name, next: 0, below });
        // Tests first: the others may have to visit every element of a list.
        for body in bodies {
            if let MemberCondition::Leaf(leaf) = body {
                self.leaf(&self.reader.leaves[*leaf]);
            }
        }
        for body in bodies {
            if let MemberCondition::Level(level) = body {
                self.level(level);
            }
        }
        self.end(at);
    }

    fn leaf(&mut self, leaf: &TestList) {
        let at = self.begin(Op::Leaf { source: leaf.source, next: 0 });
        self.operations.extend_from_slice(&leaf.tests);
        self.end(at);
    }

    fn begin(&mut self, op: Op) -> usize {
        self.operations.push(op);
        self.operations.len() - 1
    }

    fn end(&mut self, at: usize) {
        let end = small(self.operations.len());
        match &mut self.operations[at] {
            Op::Field { next, .. } | Op::Any { next } | Op::Branch { next } | Op::Leaf { next, .. } => *next = end,
            _ => {}
        }
    }
}
