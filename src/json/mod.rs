//! JSON as it was received: a text that is parsed once and then accessed in place, without copies. Numbers keep their
//! digits and members their order. A document that exists is well-formed (RFC 8259), and looking up a member has a
//! bounded cost whatever its object holds. It does not depend on events, templates or patterns.

mod build;
mod elements;
mod encoding;
mod look_alikes;
mod malformed;
mod names;
pub mod nearest;
mod plain;
mod read;
mod repeated;
#[cfg(test)]
mod tests;
mod view;

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;
use serde_json::Value;

pub use build::NewValue;
pub use elements::{Elements, ParsedContent};
pub use encoding::is_wide;
pub use look_alikes::LookAlike;
pub use malformed::Malformed;
pub use names::{Type, kind, pointer, pointer_part};
pub use plain::plain_bytes;
pub use repeated::{is_compact, repeated_members};
pub use view::{Array, Json, Object};

/// The original text of a value. Clones share it.
pub type OriginalText = ByteString;

/// The most bytes of a text; more than a request's body may have.
const BYTES_MAX: usize = 1 << 30;
/// The deepest nesting that is read, and that templates write: strict parsers (serde_json among them) stop at 128, and
/// receivers must be able to parse what was parsed here.
pub const DEPTH_MAX: usize = 127;
/// An object with more members than this is searched by a sorted index of its names.
const MEMBERS_UNORDERED_MAX: usize = 16;

/// A JSON text and the positions of its values. One value is the document's root.
#[derive(Clone, Default)]
pub struct Document {
    text: ByteString,
    /// Strings that differ from the text: with an escape, or added later.
    made: String,
    /// The members of arrays and objects, those of one in a row.
    members: Vec<DocumentMember>,
    ordered: Vec<SortedObject>,
    root: DocumentNode,
    /// The position of the root in the text; `None` if it was changed.
    source: Option<TextSpan>,
    /// Whether the row of each array or object among the root's members is followed by its position in the text.
    has_sources: bool,
}

/// A value: a scalar, or the position of an array's or object's members.
#[derive(Debug, Clone, Copy, Default)]
enum DocumentNode {
    #[default]
    Null,
    Bool(bool),
    Number(TextSpan),
    String(TextSpan),
    Array(MemberRange),
    Object(ObjectNode),
}

/// The position of an object's members.
#[derive(Debug, Clone, Copy)]
enum ObjectNode {
    /// They have no index.
    Small(MemberRange),
    /// They have a sorted index of their names: its position in [`Document::ordered`].
    Large(u32),
}

/// A member of an object, or an element of an array, whose name is empty.
#[derive(Debug, Clone, Copy, Default)]
struct DocumentMember {
    name: TextSpan,
    value: DocumentNode,
}

/// A part of [`Document::text`] or, with [`MADE`] set, of [`Document::made`].
#[derive(Debug, Clone, Copy, Default)]
struct TextSpan {
    start: u32,
    length: u32,
}

const MADE: u32 = 1 << 31;

/// A part of [`Document::members`].
#[derive(Debug, Clone, Copy, Default)]
struct MemberRange {
    first: u32,
    count: u32,
}

/// A large object: its members in their order, and their positions sorted by name.
#[derive(Debug, Clone)]
struct SortedObject {
    row: MemberRange,
    order: Box<[u32]>,
}

impl Document {
    /// Reads a text.
    pub fn read(text: ByteString) -> Result<Self, Malformed> {
        read::document(text)
    }

    /// Reads a text as it was received.
    pub fn read_bytes(bytes: Bytes) -> Result<Self, Malformed> {
        Self::read(encoding::owned_text(bytes)?)
    }

    /// Reads a text as it was received; each element of an array becomes a separate document.
    pub fn read_each(bytes: Bytes) -> Result<ParsedContent, Malformed> {
        elements::each(bytes)
    }

    /// An object without members.
    pub fn empty_object() -> Self {
        Self { root: DocumentNode::Object(ObjectNode::Small(MemberRange::default())), ..Self::default() }
    }

    /// The memory that it needs in addition to its text.
    pub fn heap_bytes(&self) -> usize {
        let ordered =
            self.ordered.iter().map(|ordered| size_of::<SortedObject>() + ordered.order.len() * size_of::<u32>());
        self.made.capacity() + self.members.capacity() * size_of::<DocumentMember>() + ordered.sum::<usize>()
    }

    /// The document's value.
    pub fn root(&self) -> Json<'_> {
        self.json(self.root)
    }

    /// The root's members, if it is an object.
    pub fn object(&self) -> Option<Object<'_>> {
        match self.root {
            DocumentNode::Object(node) => Some(Object::new(self, node)),
            _ => None,
        }
    }

    /// The document of a member of the root, without a copy of the text.
    pub fn into_member(mut self, name: &str) -> Option<Self> {
        self.enter(name).map(|()| self)
    }

    /// Makes a member of the root the root. `None`: there is no such member, and the document stays as it is.
    pub fn enter(&mut self, name: &str) -> Option<()> {
        let DocumentNode::Object(root) = self.root else { return None };
        self.root = self.find(root, name.as_bytes())?.1.value;
        let row = match self.root {
            DocumentNode::Array(row) => Some(row),
            DocumentNode::Object(node) => Some(self.row_of(node)),
            _ => None,
        };
        let behind = row.filter(|_| self.has_sources).map(|row| row.first + row.count);
        self.source = behind.map(|behind| self.members[behind as usize].name);
        self.has_sources = false;
        Some(())
    }

    /// The original text of an array or object that is the root; `None` if it was created or changed here.
    pub fn source(&self) -> Option<&str> {
        self.source.map(|source| self.text_of(source))
    }

    #[inline]
    fn json(&self, node: DocumentNode) -> Json<'_> {
        match node {
            DocumentNode::Null => Json::Null,
            DocumentNode::Bool(truth) => Json::Bool(truth),
            DocumentNode::Number(span) => Json::Number(self.text_of(span)),
            DocumentNode::String(span) => Json::String(self.text_of(span)),
            DocumentNode::Array(row) => Json::Array(Array::new(self, row)),
            DocumentNode::Object(node) => Json::Object(Object::new(self, node)),
        }
    }

    #[inline]
    fn text_of(&self, span: TextSpan) -> &str {
        let start = (span.start & !MADE) as usize;
        let part = start..start + span.length as usize;
        if span.start & MADE == 0 { &self.text[part] } else { &self.made[part] }
    }

    /// The same as bytes, for comparisons: it skips the check that the part begins and ends between characters.
    #[inline]
    fn bytes_of(&self, span: TextSpan) -> &[u8] {
        self.bytes_in(self.text.as_bytes(), span)
    }

    /// The same while the document is built, which has no `text` yet.
    #[inline]
    fn bytes_in<'a>(&'a self, text: &'a [u8], span: TextSpan) -> &'a [u8] {
        let start = (span.start & !MADE) as usize;
        let text = if span.start & MADE == 0 { text } else { self.made.as_bytes() };
        &text[start..start + span.length as usize]
    }

    #[inline]
    fn row(&self, row: MemberRange) -> &[DocumentMember] {
        &self.members[row.first as usize..][..row.count as usize]
    }

    #[inline]
    fn row_of(&self, object: ObjectNode) -> MemberRange {
        match object {
            ObjectNode::Small(row) => row,
            ObjectNode::Large(place) => self.ordered[place as usize].row,
        }
    }

    /// The member of this name, with its place.
    #[inline(always)]
    fn find(&self, object: ObjectNode, name: &[u8]) -> Option<(usize, &DocumentMember)> {
        match object {
            ObjectNode::Small(row) => self.row(row).iter().enumerate().find(|(_, member)| {
                // Names of one object often have the same length, and seldom the same first letter too.
                let same = |own: &[u8]| own.first() == name.first() && own == name;
                member.name.length as usize == name.len() && same(self.bytes_of(member.name))
            }),
            ObjectNode::Large(place) => self.find_in_order(&self.ordered[place as usize], name),
        }
    }

    /// Apart, so that the search of a small object is short.
    #[inline(never)]
    fn find_in_order(
        &self,
        SortedObject { row, order }: &SortedObject,
        name: &[u8],
    ) -> Option<(usize, &DocumentMember)> {
        let members = self.row(*row);
        let found = order.binary_search_by(|place| self.bytes_of(members[*place as usize].name).cmp(name));
        found.ok().map(|at| (order[at] as usize, &members[order[at] as usize]))
    }
}

/// What was received as one and is read in parts.
pub struct ReceivedParts {
    bytes: Bytes,
    /// All of it, if it is UTF-8: to look once is cheaper than for each part.
    text: Option<ByteString>,
}

impl ReceivedParts {
    /// Of these bytes.
    pub fn new(bytes: Bytes) -> Self {
        Self { text: ByteString::try_from(bytes.clone()).ok(), bytes }
    }

    /// Reads a part that begins and ends between characters.
    pub fn read(&self, part: Range<usize>) -> Result<Document, Malformed> {
        let part = part.start + encoding::begin(&self.bytes[part.clone()])?..part.end;
        match &self.text {
            Some(text) => Document::read(text.slice_ref(&text[part])),
            None => Document::read(encoding::owned(self.bytes.slice(part))?),
        }
    }
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.root().fmt(f)
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.root() == other.root()
    }
}

/// Reads a text as it was received into a tree, for documents that are changed.
pub fn read_value(bytes: &[u8]) -> Result<Value, Malformed> {
    let text = encoding::text(bytes)?;
    // All messages come from the one reader, wherever JSON is read.
    serde_json::from_str(text).map_err(|error| match Document::read(text.into()) {
        Err(malformed) => malformed,
        Ok(_) => Malformed::of(&error),
    })
}

/// A whole number that is not negative. JSON has one kind of numbers, so `5.0` is one as well, as JSON Schema says.
pub fn whole_number(value: &Value) -> Option<u64> {
    /// Above it, a floating-point number of 64 bits can't hold every whole number.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let rounded = || value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(number));
    value.as_u64().or_else(|| rounded().map(|number| number as u64))
}

#[inline]
fn small(number: usize) -> u32 {
    u32::try_from(number).expect("no position or count exceeds the text's length, which was checked")
}
