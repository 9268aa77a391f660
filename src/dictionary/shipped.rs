//! The shipped dictionary, compiled in from `config/catalogue/`. The only code that knows of holiday rentals.

use super::Dictionary;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../config/catalogue/", $name)))),*]
    };
}

/// Name and text of each file, in the order in which a folder is read.
const FILES: [(&str, &str); 6] =
    files!["billing.toml", "events.toml", "guests.toml", "rentals.toml", "stays.toml", "system.toml",];

impl Dictionary {
    /// The shipped dictionary.
    pub fn shipped() -> Self {
        let files = FILES.map(|(name, text)| (name.to_owned(), text.to_owned()));
        Self::from_texts(&files, Vec::new()).expect("a test checks the compiled-in files")
    }
}
