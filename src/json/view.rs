//! Access to a document: values that are cheap to copy, as they only point into it.

use std::fmt;

use super::{Document, DocumentMember, DocumentNode, MemberRange, Type};

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
            Self::Object(object) => object.node(name).map(|node| object.document.json(node)),
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
    members: &'a [DocumentMember],
}

impl<'a> Array<'a> {
    #[inline]
    pub(super) fn new(document: &'a Document, row: MemberRange) -> Self {
        Self { document, members: document.row(row) }
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.members.is_empty()
    }

    /// The element at this place, from 0.
    pub fn get(self, place: usize) -> Option<Json<'a>> {
        self.members.get(place).map(|member| self.document.json(member.value))
    }

    /// All of them, in their order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Json<'a>> {
        self.members.iter().map(move |member| self.document.json(member.value))
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
    members: &'a [DocumentMember],
    /// Positions sorted by name; empty for a small object.
    order: &'a [u32],
}

impl<'a> Object<'a> {
    #[inline]
    pub(super) fn new(document: &'a Document, row: MemberRange, order: &'a [u32]) -> Self {
        Self { document, members: document.row(row), order }
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.members.is_empty()
    }

    /// The member of this name.
    #[inline]
    pub fn get(self, name: &str) -> Option<Json<'a>> {
        self.node(name.as_bytes()).map(|node| self.document.json(node))
    }

    /// All of them, in the order of the text.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (&'a str, Json<'a>)> {
        self.members.iter().map(move |member| (self.name(member), self.document.json(member.value)))
    }

    #[inline]
    pub(super) fn node(self, name: &[u8]) -> Option<DocumentNode> {
        let place = self.place(name)?;
        Some(self.members[place].value)
    }

    #[inline]
    pub(super) fn place(self, name: &[u8]) -> Option<usize> {
        if self.order.is_empty() {
            let is_it = |member: &DocumentMember| {
                // Names of one object often have the same length, and seldom the same first letter too.
                let same = |own: &[u8]| own.first() == name.first() && own == name;
                member.name.length as usize == name.len() && same(self.document.bytes_of(member.name))
            };
            return self.members.iter().position(is_it);
        }
        let found =
            self.order.binary_search_by(|place| self.document.bytes_of(self.members[*place as usize].name).cmp(name));
        found.ok().map(|at| self.order[at] as usize)
    }

    #[inline]
    fn name(self, member: &DocumentMember) -> &'a str {
        self.document.text_of(member.name)
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
