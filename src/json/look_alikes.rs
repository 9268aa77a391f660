//! Invisible characters, and those that look like others: word processors, chats and web pages insert them instead of
//! spaces and quotes.

use std::fmt;

/// A character that is invisible, or that looks like another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookAlike {
    found: char,
    name: &'static str,
    instead: &'static str,
}

impl LookAlike {
    /// The kind of character; `None` for all others.
    pub fn of(found: char) -> Option<Self> {
        named(found).map(|(name, instead)| Self { found, name, instead })
    }

    /// The character's name, without what to write instead.
    pub fn name(self) -> String {
        format!("{} (U+{:04X})", self.name, u32::from(self.found))
    }

    /// The first one in a line of a text from a position on, for a reader that stopped there.
    pub fn in_line(text: &str, from: usize) -> Option<Self> {
        text.get(from..)?.lines().next()?.chars().find_map(Self::of)
    }
}

/// Names the character, and says what to write instead.
impl fmt::Display for LookAlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.instead)
    }
}

fn named(c: char) -> Option<(&'static str, &'static str)> {
    Some(match c {
        '\u{feff}' => ("a byte order mark, which can't be seen", "remove it"),
        '\u{a0}' | '\u{202f}' => ("a no-break space", "write a blank"),
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{205f}' | '\u{3000}' => ("a space of another width", "write a blank"),
        '\u{85}' | '\u{2028}' | '\u{2029}' => ("a line break of another kind", "write a line break"),
        '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{2069}' => ("a character that can't be seen", "remove it"),
        '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2033}' | '\u{ff02}' => {
            ("a curly quote", "write a straight one: \"")
        }
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2039}' | '\u{203a}' | '\u{2032}' | '\u{b4}' | '\u{ff07}' => {
            ("a curly apostrophe", "write a straight quote")
        }
        '\u{ff0c}' | '\u{201a}' => ("another kind of comma", "write ,"),
        '\u{ff1a}' => ("another kind of colon", "write :"),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => ("another kind of hyphen", "write -"),
        '\u{ff5b}' | '\u{ff5d}' | '\u{ff3b}' | '\u{ff3d}' => ("another kind of bracket", "write the plain one"),
        _ => return None,
    })
}
