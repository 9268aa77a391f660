//! Enums whose values have words: in metrics, responses, streams or files. The values, their meanings and their words are
//! written once.

/// Defines such an enum: all of its values, the word of each, and the value of a word.
macro_rules! words {
    ($(#[$about:meta])+ pub enum $name:ident {
        $($(#[$meaning:meta])+ $value:ident = $word:literal,)+
    }) => {
        $(#[$about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$meaning])+ $value,)+
        }

        impl $name {
            /// All values, in the order of their numbers.
            pub const ALL: [Self; [$(Self::$value),+].len()] = [$(Self::$value),+];

            /// The value with this word.
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|own| own.as_str() == word)
            }

            /// The value's word. Stable.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }
    };
}

pub(crate) use words;
