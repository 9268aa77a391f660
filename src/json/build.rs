//! Builds a document: rows of members are completed one by one, the inner ones first. A repeated name has its last
//! value at its first position, as in common parsers.

use serde_json::{Map, Value};

use super::{
    Document, DocumentMember, DocumentNode, MADE, MEMBERS_UNORDERED_MAX, MemberRange, ObjectNode, SortedObject,
    TextSpan, small,
};

/// A value to add to a document.
#[derive(Debug, Clone, Copy)]
pub enum NewValue<'v> {
    /// A string.
    Text(&'v str),
    /// Any value.
    Value(&'v Value),
}

impl NewValue<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Value(value) => value.as_str().unwrap_or_default(),
        }
    }
}

impl Document {
    /// Sets members in the object that the root has under `name`, and replaces another value there. No effect if the
    /// root is not an object.
    pub fn set_below<'v>(&mut self, name: &str, members: impl Iterator<Item = (&'v str, NewValue<'v>)> + Clone) {
        (self.source, self.has_sources) = (None, false);
        let DocumentNode::Object(root) = self.root else { return };
        let mut below = match self.find(root, name.as_bytes()) {
            Some((_, DocumentMember { value: DocumentNode::Object(own), .. })) => self.row(self.row_of(*own)).to_vec(),
            _ => Vec::with_capacity(members.size_hint().0),
        };
        let bytes: usize = members.clone().map(|(name, put)| name.len() + put.text().len()).sum();
        self.made.reserve(name.len() + bytes);
        // The row of the root may be moved behind them.
        let moved = self.row_of(root).count as usize + 1;
        self.members.reserve_exact(below.len() + members.clone().count() + moved);
        for (name, put) in members {
            let value = match put {
                NewValue::Text(text) => DocumentNode::String(self.make(text)),
                NewValue::Value(value) => self.value(value),
            };
            match below.iter().position(|member| self.bytes_of(member.name) == name.as_bytes()) {
                Some(place) => below[place].value = value,
                None => {
                    let name = self.make(name);
                    below.push(DocumentMember { name, value });
                }
            }
        }
        let below = self.close_own(&mut below);
        self.set(root, name, below);
    }

    fn set(&mut self, root: ObjectNode, name: &str, value: DocumentNode) {
        let row = self.row_of(root);
        if let Some((place, _)) = self.find(root, name.as_bytes()) {
            self.members[row.first as usize + place].value = value;
            return;
        }
        // A member can only be appended to the last row: another row is moved there.
        let mut members = Vec::with_capacity(row.count as usize + 1);
        members.extend_from_slice(self.row(row));
        let name = self.make(name);
        members.push(DocumentMember { name, value });
        self.root = self.close_own(&mut members);
    }

    fn make(&mut self, text: &str) -> TextSpan {
        let start = self.made.len();
        self.made.push_str(text);
        TextSpan { start: small(start) | MADE, length: small(text.len()) }
    }

    /// An object with these members, no two of the same name.
    fn close_own(&mut self, members: &mut Vec<DocumentMember>) -> DocumentNode {
        let text = std::mem::take(&mut self.text);
        let object = self.close_object(text.as_bytes(), members, 0, false);
        self.text = text;
        object
    }

    /// Removes the elements from `base` on from the stack.
    pub(super) fn close_array(&mut self, stack: &mut Vec<DocumentMember>, base: usize) -> DocumentNode {
        DocumentNode::Array(self.close(stack, base))
    }

    /// Removes the members from `base` on from the stack, of which some may have the same name. `text` is the document's.
    pub(super) fn close_object(
        &mut self,
        text: &[u8],
        stack: &mut Vec<DocumentMember>,
        base: usize,
        may_repeat: bool,
    ) -> DocumentNode {
        if stack.len() - base <= MEMBERS_UNORDERED_MAX {
            if may_repeat {
                self.unite_few(text, stack, base);
            }
            return DocumentNode::Object(ObjectNode::Small(self.close(stack, base)));
        }
        let mut order = self.order_of(text, &stack[base..]);
        if self.unite_many(text, stack, base, &order) {
            order = self.order_of(text, &stack[base..]);
        }
        let row = self.close(stack, base);
        self.ordered.push(SortedObject { row, order: order.into() });
        DocumentNode::Object(ObjectNode::Large(small(self.ordered.len() - 1)))
    }

    fn close(&mut self, stack: &mut Vec<DocumentMember>, base: usize) -> MemberRange {
        let row = MemberRange { first: small(self.members.len()), count: small(stack.len() - base) };
        self.members.extend_from_slice(&stack[base..]);
        stack.truncate(base);
        row
    }

    fn unite_few(&self, text: &[u8], stack: &mut Vec<DocumentMember>, base: usize) {
        let mut next = base;
        while next < stack.len() {
            let member = stack[next];
            let name = self.bytes_in(text, member.name);
            let same = |other: &DocumentMember| {
                other.name.length == member.name.length && self.bytes_in(text, other.name) == name
            };
            match stack[base..next].iter().position(same) {
                Some(first) => {
                    stack[base + first].value = member.value;
                    stack.remove(next);
                }
                None => next += 1,
            }
        }
    }

    /// Merges members of the same name, which `order` has side by side. Returns whether there were any.
    fn unite_many(&self, text: &[u8], stack: &mut Vec<DocumentMember>, base: usize, order: &[u32]) -> bool {
        let name = |place: u32, stack: &[DocumentMember]| self.bytes_in(text, stack[base + place as usize].name);
        let mut gone = vec![false; order.len()];
        let mut first = 0;
        for next in 1..order.len() {
            if name(order[first], stack) == name(order[next], stack) {
                stack[base + order[first] as usize].value = stack[base + order[next] as usize].value;
                gone[order[next] as usize] = true;
            } else {
                first = next;
            }
        }
        let mut place = 0;
        let kept = stack.split_off(base).into_iter().filter(|_| {
            place += 1;
            !gone[place - 1]
        });
        stack.extend(kept);
        gone.contains(&true)
    }

    /// Indexes sorted by name; those of the same name in their order.
    fn order_of(&self, text: &[u8], members: &[DocumentMember]) -> Vec<u32> {
        let mut order: Vec<u32> = (0..small(members.len())).collect();
        order.sort_by(|a, b| {
            let name = |place: u32| self.bytes_in(text, members[place as usize].name);
            name(*a).cmp(name(*b))
        });
        order
    }

    fn value(&mut self, value: &Value) -> DocumentNode {
        match value {
            Value::Null => DocumentNode::Null,
            Value::Bool(truth) => DocumentNode::Bool(*truth),
            Value::Number(number) => DocumentNode::Number(self.make(number.as_str())),
            Value::String(text) => DocumentNode::String(self.make(text)),
            Value::Array(list) => {
                let elements =
                    list.iter().map(|element| DocumentMember { name: TextSpan::default(), value: self.value(element) });
                let mut elements = elements.collect();
                self.close_array(&mut elements, 0)
            }
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, member)| DocumentMember { name: self.make(name), value: self.value(member) });
                let mut members = members.collect();
                self.close_own(&mut members)
            }
        }
    }
}

/// Whether names may be the same: one bit of 64 for each, which distinguishes most.
#[derive(Default)]
pub(super) struct SeenNames {
    bits: u64,
    may_repeat: bool,
}

impl SeenNames {
    #[inline]
    pub(super) fn add(&mut self, name: TextSpan, first: u8, last: u8) {
        let bit = 1 << ((u32::from(first) * 7 + u32::from(last) * 3 + name.length) % 64);
        // A name with an escape may be the same as one that is written otherwise.
        self.may_repeat |= self.bits & bit != 0 || name.start & MADE != 0;
        self.bits |= bit;
    }

    pub(super) fn may_repeat(&self) -> bool {
        self.may_repeat
    }
}

/// Documents that were not read from a request; never used on the path of an event.
impl From<&Value> for Document {
    fn from(value: &Value) -> Self {
        let mut document = Self::default();
        document.root = document.value(value);
        document
    }
}

impl From<Map<String, Value>> for Document {
    fn from(members: Map<String, Value>) -> Self {
        Self::from(&Value::Object(members))
    }
}
