//! Represents names in XML, and lists of them, as numbers, so that the reader's states are small and comparable. Also
//! checks the rules for names (XML 1.0, Namespaces in XML 1.0).

use std::collections::HashMap;

/// A text or a list, as a number. The same number is the same text or list. 0 is the empty one.
pub(super) type ListId = u32;

/// All lists, each as a shorter list and its last item.
#[derive(Debug)]
pub(super) struct Lists {
    ids: HashMap<(ListId, (ListId, ListId)), ListId>,
    items: Vec<ListItem>,
}

#[derive(Debug, Clone, Copy)]
struct ListItem {
    before: ListId,
    last: (ListId, ListId),
    length: usize,
}

impl Default for Lists {
    fn default() -> Self {
        let empty = ListItem { before: 0, last: (0, 0), length: 0 };
        Self { ids: HashMap::new(), items: vec![empty] }
    }
}

impl Lists {
    /// The list with one more item, a pair of numbers.
    pub(super) fn push(&mut self, list: ListId, item: (ListId, ListId)) -> ListId {
        let length = self.length(list) + 1;
        let next = ListId::try_from(self.items.len()).expect("fewer lists than the walk's work bound");
        *self.ids.entry((list, item)).or_insert_with(|| {
            self.items.push(ListItem { before: list, last: item, length });
            next
        })
    }

    /// The text with one more character.
    pub(super) fn push_char(&mut self, text: ListId, c: char) -> ListId {
        self.push(text, (u32::from(c), ListId::MAX))
    }

    /// The list without its last item, and that item. The empty list has none.
    pub(super) fn pop(&self, list: ListId) -> Option<(ListId, (ListId, ListId))> {
        let item = self.items[list as usize];
        (list != 0).then_some((item.before, item.last))
    }

    pub(super) fn length(&self, list: ListId) -> usize {
        self.items[list as usize].length
    }

    /// The items from the last to the first.
    pub(super) fn backwards(&self, list: ListId) -> impl Iterator<Item = (ListId, ListId)> + '_ {
        let mut rest = list;
        std::iter::from_fn(move || {
            let (before, item) = self.pop(rest)?;
            rest = before;
            Some(item)
        })
    }

    /// A text that was made with [`Self::push_char`].
    pub(super) fn text(&self, text: ListId) -> String {
        let mut letters: Vec<char> = self.backwards(text).filter_map(|(letter, _)| char::from_u32(letter)).collect();
        letters.reverse();
        letters.into_iter().collect()
    }
}

/// Whether a name may begin with the character (production `NameStartChar`). Those that can't be seen are left out: nobody
/// means them, and parsers that follow an earlier edition of XML refuse them.
pub(super) fn begins_name(c: char) -> bool {
    matches!(c, ':' | 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
        | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}'
        | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
        | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

/// Whether a name may contain the character after its first (production `NameChar`).
pub(super) fn continues_name(c: char) -> bool {
    begins_name(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// A name's prefix, if it has one, and the rest. `None` for colons in the wrong place.
pub(super) fn split(name: &str) -> Option<(Option<&str>, &str)> {
    match name.split_once(':') {
        None => Some((None, name)),
        Some((prefix, local)) => {
            let begins = local.chars().next().is_some_and(begins_name);
            let fits = !prefix.is_empty() && begins && !local.contains(':');
            fits.then_some((Some(prefix), local))
        }
    }
}

/// What is wrong with the names in a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum XmlNameError {
    #[error("The prefix {0:?} is not declared: write xmlns:{0}=\"…\" in this tag or in an enclosing one.")]
    Undeclared(String),
    #[error("The name {0:?} has a misplaced colon: a prefix precedes it, and a name follows it.")]
    Colon(String),
    #[error("A tag's prefix can't be xmlns.")]
    TagXmlns,
    #[error("Two attributes named {0:?} are in the same namespace.")]
    Repeated(String),
    #[error("The prefixes xml and xmlns, and their namespaces, can't be declared.")]
    Reserved,
    #[error("{0} can't be empty.")]
    Empty(String),
}

/// Checks the names in a tag: prefixes must be declared, on the tag or on one around it, and no two attributes may have
/// the same name in the same namespace.
pub(super) fn check(lists: &Lists, name: ListId, attributes: ListId, stack: ListId) -> Result<(), XmlNameError> {
    let own: Vec<(String, String)> =
        lists.backwards(attributes).map(|(name, value)| (lists.text(name), lists.text(value))).collect();
    let namespace = |prefix: &str| {
        if prefix == "xml" {
            return Ok(RESERVED[0].to_owned());
        }
        let declaration = format!("xmlns:{prefix}");
        let own = own.iter().find(|(name, _)| *name == declaration).map(|(_, value)| value.clone());
        let around = || {
            let mut declared = lists.backwards(stack).flat_map(|(_, attributes)| lists.backwards(attributes));
            declared.find(|&(name, _)| lists.text(name) == declaration).map(|(_, value)| lists.text(value))
        };
        own.or_else(around).ok_or_else(|| XmlNameError::Undeclared(prefix.to_owned()))
    };
    let names = std::iter::once(lists.text(name)).chain(own.iter().map(|(name, _)| name.clone()));
    let mut qualified: Vec<(String, String)> = Vec::new();
    for (place, name) in names.enumerate() {
        let Some((prefix, local)) = split(&name) else { return Err(XmlNameError::Colon(name)) };
        match prefix {
            Some("xmlns") if place == 0 => return Err(XmlNameError::TagXmlns),
            Some("xmlns") | None => {}
            Some(prefix) => {
                // Parsers normalize white space in a value. This comparison finds more values equal, never fewer.
                let namespace: Vec<String> = namespace(prefix)?.split_whitespace().map(str::to_owned).collect();
                let meant = (namespace.join(" "), local.to_owned());
                if place > 0 && qualified.contains(&meant) {
                    return Err(XmlNameError::Repeated(meant.1));
                }
                if place > 0 {
                    qualified.push(meant);
                }
            }
        }
    }
    own.iter().try_for_each(|(name, value)| declaration(name, value))
}

const RESERVED: [&str; 2] = ["http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/"];

/// Whether an attribute, if it declares a namespace, may declare this one.
fn declaration(name: &str, value: &str) -> Result<(), XmlNameError> {
    let prefix = match name.strip_prefix("xmlns") {
        Some("") => None,
        Some(prefix) if prefix.starts_with(':') => Some(&prefix[1..]),
        _ => return Ok(()),
    };
    if matches!(prefix, Some("xml" | "xmlns")) || RESERVED.contains(&value) {
        return Err(XmlNameError::Reserved);
    }
    if prefix.is_some() && value.is_empty() {
        return Err(XmlNameError::Empty(name.to_owned()));
    }
    Ok(())
}
