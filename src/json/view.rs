//! Access to a document: values that are cheap to copy, as they only point into it.

use std::fmt;

use super::{Document, DocumentNode, MemberRange, ObjectNode, Type};

/// A value of a [`Document`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written.
    Number(&'a str),
    /// A string, without its quotes and escapes.
    String(&'a str),
    /// A list.
    Array(Array<'a>),
    /// Members by name.
    Object(Object<'a>),
}

impl<'a> Json<'a> {
    /// The text of a string.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Follows names of members from object to object: the value where they end, or the first one on the way that is no
    /// object, and how many names led to it. `None`: an object has no such member.
    #[inline]
    pub fn follow<'n>(self, names: impl Iterator<Item = &'n str>) -> Option<(Json<'a>, usize)> {
        let Self::Object(Object { document, mut node }) = self else { return Some((self, 0)) };
        let mut followed = 0;
        for name in names {
            let (_, member) = document.find(node, name.as_bytes())?;
            followed += 1;
            match member.value {
                DocumentNode::Object(inner) => node = inner,
                end => return Some((document.json(end), followed)),
            }
        }
        Some((Self::Object(Object { document, node }), followed))
    }

    /// A member of an object; other values have none.
    pub fn get(self, name: &str) -> Option<Json<'a>> {
        match self {
            Self::Object(object) => object.get(name),
            _ => None,
        }
    }

    /// The same for a name that is bytes of a text.
    pub fn member(self, name: &[u8]) -> Option<Json<'a>> {
        match self {
            Self::Object(object) => object.member(name),
            _ => None,
        }
    }

    /// The word for its type, with its article.
    pub fn kind(self) -> &'static str {
        let own = match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Boolean,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::Array(_) => Type::Array,
            Self::Object(_) => Type::Object,
        };
        own.word()
    }
}

/// The elements of a list.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    document: &'a Document,
    row: MemberRange,
}

impl<'a> Array<'a> {
    #[inline]
    pub(super) fn new(document: &'a Document, row: MemberRange) -> Self {
        Self { document, row }
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.row.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.row.count == 0
    }

    /// The element at this place, from 0.
    pub fn get(self, place: usize) -> Option<Json<'a>> {
        self.document.row(self.row).get(place).map(|member| self.document.json(member.value))
    }

    /// All of them, in their order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Json<'a>> {
        self.document.row(self.row).iter().map(move |member| self.document.json(member.value))
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Array<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// The members of an object.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    document: &'a Document,
    node: ObjectNode,
}

impl<'a> Object<'a> {
    #[inline]
    pub(super) fn new(document: &'a Document, node: ObjectNode) -> Self {
        Self { document, node }
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.document.row_of(self.node).count as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The member of this name.
    #[inline]
    pub fn get(self, name: &str) -> Option<Json<'a>> {
        self.member(name.as_bytes())
    }

    #[inline]
    fn member(self, name: &[u8]) -> Option<Json<'a>> {
        self.document.find(self.node, name).map(|(_, member)| self.document.json(member.value))
    }

    /// All of them, in the order of the text.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (&'a str, Json<'a>)> {
        let members = self.document.row(self.document.row_of(self.node)).iter();
        members.map(move |member| (self.document.text_of(member.name), self.document.json(member.value)))
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl PartialEq for Object<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}
