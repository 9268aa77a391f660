//! Events: what happened in the producer's product. An [`Event`] that exists is valid.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::json::Document;
use crate::model::attributes::Attributes;
use crate::model::id::AccountId;

/// The longest event type, in bytes.
pub const EVENT_TYPE_BYTES_MAX: usize = 255;
/// One word of an event type, as a regular expression: what [`EventType::new`] allows.
macro_rules! word {
    () => {
        r#"[^.*"'\\\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"#
    };
}

/// What an event type is, as a regular expression for the documents of the interface.
pub const EVENT_TYPE_PATTERN: &str = concat!("^", word!(), r"(\.", word!(), ")*$");
/// The same for an [`EventPattern`].
pub const EVENT_PATTERN_PATTERN: &str = concat!(r"^(\*|", word!(), r"(\.", word!(), r")*(\.\*)?)$");
/// The longest event id, in bytes.
pub const EVENT_ID_BYTES_MAX: usize = 256;

/// The type of an event: dot-separated words, such as `guest.created`. Any such text is a type, whether the dictionary
/// has it or not.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(Arc<str>);

/// The text is not an event type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an event type: dot-separated words without blanks, quotes, backslashes and asterisks are, such as guest.created, {EVENT_TYPE_BYTES_MAX} bytes at most"
)]
pub struct EventTypeError(String);

/// The text is not an event pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventPatternError {
    /// An asterisk where none may stand.
    #[error(
        "{0:?} has an asterisk where none may stand: \"*\" is all event types, \"guest.*\" all that begin with `guest.`"
    )]
    Asterisk(String),
    /// The text would have to be an event type.
    #[error(transparent)]
    EventType(#[from] EventTypeError),
}

/// Whether it is a type of letters, digits, `_` and `-`, as most are: that is checked quickly.
fn is_usual_type(text: &str) -> bool {
    const DOT: u8 = 1;
    const OTHER: u8 = 2;
    const CLASSES: [u8; 256] = {
        let (mut classes, mut byte) = ([OTHER; 256], 0);
        while byte < classes.len() {
            match byte as u8 {
                b'.' => classes[byte] = DOT,
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => classes[byte] = 0,
                _ => {}
            }
            byte += 1;
        }
        classes
    };
    let (mut mistakes, mut before) = (0, DOT);
    for byte in text.bytes() {
        let class = CLASSES[usize::from(byte)];
        mistakes |= class & OTHER | class & before;
        before = class;
    }
    mistakes == 0 && before != DOT
}

impl EventType {
    /// Accepts one or more words with single dots between them. A word has any characters but white space (Unicode
    /// `White_Space`), control characters (`Cc`), quotes, backslashes and asterisks, which are part of patterns.
    pub fn new(text: &str) -> Result<Self, EventTypeError> {
        let allowed = |c: char| !(c.is_whitespace() || c.is_control() || matches!(c, '*' | '"' | '\'' | '\\'));
        let word = |word: &str| !word.is_empty() && word.chars().all(allowed);
        if text.len() <= EVENT_TYPE_BYTES_MAX && (is_usual_type(text) || text.split('.').all(word)) {
            Ok(Self(text.into()))
        } else {
            Err(EventTypeError(text.chars().take(80).collect()))
        }
    }

    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for EventType {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The event types that a trigger listens to: one (`guest.created`), all below a prefix (`guest.*`, at any depth), or
/// all (`*`).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventPattern {
    /// Exactly this type.
    Exactly(EventType),
    /// Every type that begins with these words and a dot.
    Below(EventType),
    /// Every type.
    Any,
}

impl EventPattern {
    /// Reads `guest.created`, `guest.*` or `*`.
    pub fn new(text: &str) -> Result<Self, EventPatternError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (words, pattern): (_, fn(EventType) -> Self) = match text.strip_suffix(".*") {
            Some(words) => (words, Self::Below),
            None => (text, Self::Exactly),
        };
        if words.contains('*') {
            return Err(EventPatternError::Asterisk(text.chars().take(80).collect()));
        }
        Ok(pattern(EventType::new(words)?))
    }

    /// Whether the pattern covers this event type.
    pub fn matches(&self, event_type: &EventType) -> bool {
        match self {
            Self::Exactly(own) => own == event_type,
            Self::Below(words) => {
                event_type.as_str().strip_prefix(words.as_str()).is_some_and(|rest| rest.starts_with('.'))
            }
            Self::Any => true,
        }
    }
}

impl TryFrom<String> for EventPattern {
    type Error = EventPatternError;
    fn try_from(text: String) -> Result<Self, EventPatternError> {
        Self::new(&text)
    }
}

impl From<EventPattern> for String {
    fn from(pattern: EventPattern) -> String {
        pattern.to_string()
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(event_type) => write!(f, "{event_type}"),
            Self::Below(words) => write!(f, "{words}.*"),
            Self::Any => f.write_str("*"),
        }
    }
}

impl fmt::Debug for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The identity of an event. An account never has two events with the same source and id. Its names are in one piece of
/// memory, as they often end on another thread than the one that read them. Clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct EventIdentity {
    /// Account, type, source and id, one behind the other.
    names: Arc<str>,
    /// Where each of the first three ends.
    ends: [u32; 3],
}

impl EventIdentity {
    /// The event of an account and a type, with its source, which is empty if the producer sends none, and the producer's
    /// id for it, or a generated one.
    pub fn new(account: &AccountId, event_type: &EventType, source: &str, id: &str) -> Self {
        let (account, event_type) = (account.as_str(), event_type.as_str());
        let mut names = String::with_capacity(account.len() + event_type.len() + source.len() + id.len());
        let ends = [account, event_type, source].map(|name| {
            names.push_str(name);
            u32::try_from(names.len()).expect("a request is not that long")
        });
        names.push_str(id);
        Self { names: names.into(), ends }
    }

    /// Another event of its account, type and source.
    pub fn with_id(&self, id: &str) -> Self {
        Self { names: [&self.names[..self.ends[2] as usize], id].concat().into(), ends: self.ends }
    }

    /// Whether both have the same account, type and source.
    pub fn differs_in_id_only(&self, other: &Self) -> bool {
        let end = self.ends[2] as usize;
        self.ends == other.ends && self.names.as_bytes()[..end] == other.names.as_bytes()[..end]
    }

    /// The account of the event.
    #[inline]
    pub fn account(&self) -> &str {
        &self.names[..self.ends[0] as usize]
    }

    /// The same as a value of its own.
    pub fn account_id(&self) -> AccountId {
        AccountId::new(self.account()).expect("it was the name of an account")
    }

    /// Its type.
    #[inline]
    pub fn event_type(&self) -> &str {
        &self.names[self.ends[0] as usize..self.ends[1] as usize]
    }

    /// Its source; empty if the producer sends none.
    #[inline]
    pub fn source(&self) -> &str {
        &self.names[self.ends[1] as usize..self.ends[2] as usize]
    }

    /// The producer's id for it, or a generated one.
    #[inline]
    pub fn id(&self) -> &str {
        &self.names[self.ends[2] as usize..]
    }
}

impl fmt::Debug for EventIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries([self.account(), self.event_type(), self.source(), self.id()]).finish()
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The account whose triggers it may fire, its type, its source (CloudEvents `source`), and its id: not empty, at most
    /// [`EVENT_ID_BYTES_MAX`] bytes.
    pub identity: EventIdentity,
    /// Whether the producer chose the id.
    pub id_given: bool,
    /// Its time, RFC 3339, as the producer wrote it.
    pub time: Arc<str>,
    /// Further attributes of a CloudEvent.
    pub attributes: Attributes,
    /// How many deliveries in a row led to it.
    pub hops: u8,
    /// Its data: a JSON object.
    pub data: Document,
}

impl Event {
    /// The memory that it needs in addition to the text that it was read from.
    pub fn heap_bytes(&self) -> usize {
        // A template that reads the properties of the event itself gets a copy of the data with them.
        2 * self.data.heap_bytes() + self.attributes.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_dotted_words() {
        for good in
            ["a", "guest.created", "com.example_x.y-1.Z", "orders/create", "guest:created", "gäste.neu", "a@b#c"]
        {
            assert!(EventType::new(good).is_ok(), "{good}");
        }
        for bad in [
            "", ".", "a.", ".a", "a..b", "a b", "a.*", "*", "a\n", "a\u{a0}b", "a\u{85}", "a\"", "it's", "a\\b",
            "a\u{7f}",
        ] {
            assert!(EventType::new(bad).is_err(), "{bad:?}");
        }
        EventType::new(&"a".repeat(255)).expect("the longest type is valid");
        assert!(EventType::new(&"a".repeat(256)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn what_the_documents_say_is_a_type_is_one(
            own in proptest::string::string_regex(EVENT_TYPE_PATTERN.trim_matches(['^', '$'])).expect("a pattern"),
            pattern in proptest::string::string_regex(EVENT_PATTERN_PATTERN.trim_matches(['^', '$'])).expect("a pattern"),
            any in "\\PC{0,4}[.*\"' \u{85}\u{a0}\u{3000}]?\\PC{0,4}",
        ) {
            let fits = |text: &str| text.len() <= EVENT_TYPE_BYTES_MAX;
            proptest::prop_assert_eq!(EventType::new(&own).is_ok(), fits(&own), "{}", own);
            proptest::prop_assert_eq!(EventPattern::new(&pattern).is_ok(), fits(pattern.trim_end_matches(".*")), "{}", pattern);
            // A character is a word if the class in the regular expression has it.
            for c in any.chars().filter(|c| !matches!(c, '.')) {
                let excluded = c <= '\u{20}' || matches!(c, '*' | '"' | '\'' | '\\' | '\u{7f}'..='\u{a0}' | '\u{1680}'
                    | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}');
                proptest::prop_assert_eq!(EventType::new(&c.to_string()).is_err(), excluded, "{:?}", c);
            }
        }
    }

    #[test]
    fn the_names_of_an_identity_are_not_mixed_up() {
        for [account, event_type, source, id] in
            [["acme", "a.b", "", "1"], ["a", "é", "/pms é", "id"], ["x", "y", "z", ""]]
        {
            let own = AccountId::new(account).expect("a name");
            let identity = EventIdentity::new(&own, &EventType::new(event_type).expect("a type"), source, id);
            let read = [identity.account(), identity.event_type(), identity.source(), identity.id()];
            assert_eq!((read, identity.account_id()), ([account, event_type, source, id], own));
        }
        let identity = |source, id| {
            let account = AccountId::default_account();
            EventIdentity::new(&account, &EventType::new("a").expect("a type"), source, id)
        };
        assert!(identity("a", "b") == identity("a", "b") && identity("a", "b") != identity("", "ab"));
    }

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, event_type, expected) in [
            ("guest.created", "guest.created", true),
            ("guest.created", "guest.created.late", false),
            ("guest.*", "guest.created", true),
            ("guest.*", "guest.note.added", true),
            ("guest.*", "guest", false),
            ("guest.*", "guests.created", false),
            ("guest.note.*", "guest.created", false),
            ("*", "anything.at.all", true),
        ] {
            let pattern = EventPattern::new(pattern).expect("a pattern");
            let event_type = EventType::new(event_type).expect("a type");
            assert_eq!(pattern.matches(&event_type), expected, "{pattern} {event_type}");
        }
        for bad in ["", "**", "guest*", "*.created", "guest.*.x", ".*"] {
            let error = EventPattern::new(bad).expect_err(bad).to_string();
            assert_eq!(
                error.contains("all that begin with `guest.`"),
                bad.trim_end_matches(".*").contains('*'),
                "{error}"
            );
        }
    }
}
