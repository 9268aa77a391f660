//! Reads an array whose elements become separate documents. A mistake costs only its element if the array's structure
//! can be followed past it, that is, if it is certain where strings end and brackets close. Otherwise the apparent next
//! element could be a part of this one's data, and the whole text is refused.

use bytes::{Buf as _, Bytes, BytesMut};
use bytestring::ByteString;

use super::malformed::{LineCounter, Malformed, SyntaxError};
use super::read::{JsonReader, blank, bounded};
use super::{Document, TextSpan, encoding};

/// The content of a text.
#[derive(Debug)]
pub enum ParsedContent {
    /// A value that is not an array.
    One(Document),
    /// An array's elements.
    Many(Elements),
}

/// Replaces a byte that is not UTF-8: it is invalid in JSON, in a string and between values.
const NO_TEXT: u8 = 1;

pub(super) fn each(mut bytes: Bytes) -> Result<ParsedContent, Malformed> {
    bytes.advance(encoding::begin(&bytes)?);
    let start = blank(&bytes, 0);
    if bytes.get(start) != Some(&b'[') {
        return Document::read(encoding::owned(bytes)?).map(ParsedContent::One);
    }
    let text = ByteString::try_from(bytes.clone()).unwrap_or_else(|_| masked(&bytes));
    bounded(&text)?;
    let (at, lines) = (Some(start + 1), LineCounter::default());
    Ok(ParsedContent::Many(Elements { text, bytes, lines, at, is_first: true }))
}

/// The text, with unchanged positions, in which each byte that is not UTF-8 is replaced by an invalid one.
fn masked(bytes: &[u8]) -> ByteString {
    let mut text = BytesMut::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        text.resize(text.len() + chunk.invalid().len(), NO_TEXT);
    }
    ByteString::try_from(text.freeze()).expect("what was not UTF-8 is replaced by ASCII")
}

/// The elements of an array, each of which is read when it is asked for. An element is a document, or what is wrong with
/// it. An error beside that is one of the whole text; nothing follows it.
#[derive(Debug)]
pub struct Elements {
    text: ByteString,
    /// The text as received.
    bytes: Bytes,
    lines: LineCounter,
    /// Where the next element begins; `None` if there is none.
    at: Option<usize>,
    is_first: bool,
}

impl Iterator for Elements {
    type Item = Result<Result<Document, Malformed>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let begin = self.at.take()?;
        let first = blank(self.text.as_bytes(), begin);
        if std::mem::take(&mut self.is_first) && self.text.as_bytes().get(first) == Some(&b']') {
            return self.end(first + 1).err().map(Err);
        }
        let mut reader = JsonReader::new(&self.text, 1);
        let read = reader.value(TextSpan::default(), begin, 1).and_then(|end| reader.more(end, b']'));
        let (element, end, more) = match read {
            Ok((end, more)) => {
                let read = reader.finish();
                (Ok(Document { text: self.text.clone(), ..read }), end, more)
            }
            Err(error) => {
                let at = reader.at;
                drop(reader);
                let malformed = self.malformed(at, error);
                let Some(end) = follow(&self.text, begin) else { return Some(Err(malformed)) };
                (Err(malformed), end + 1, self.text.as_bytes()[end] == b',')
            }
        };
        if more {
            self.at = Some(end);
        } else if let Err(malformed) = self.end(end) {
            return Some(Err(malformed));
        }
        Some(Ok(element))
    }
}

impl Elements {
    /// Checks that nothing follows the array.
    fn end(&mut self, at: usize) -> Result<(), Malformed> {
        let at = blank(self.text.as_bytes(), at);
        if at < self.text.len() { Err(self.malformed(at, SyntaxError::Rest)) } else { Ok(()) }
    }

    fn malformed(&mut self, at: usize, error: SyntaxError) -> Malformed {
        let is_text = self.bytes.get(at) == self.text.as_bytes().get(at);
        self.lines.malformed(&self.bytes, at, if is_text { error } else { SyntaxError::NotUtf8 })
    }
}

/// The content of a text with all elements read.
#[cfg(test)]
pub(super) enum AllElements {
    One(Document),
    Many(Vec<Result<Document, Malformed>>),
}

#[cfg(test)]
pub(super) fn read_at_once(bytes: &Bytes) -> Result<AllElements, Malformed> {
    Ok(match each(bytes.clone())? {
        ParsedContent::One(one) => AllElements::One(one),
        ParsedContent::Many(elements) => AllElements::Many(elements.collect::<Result<_, _>>()?),
    })
}

/// The token before a position, as far as it determines what may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PrecedingToken {
    /// A value may begin.
    Open,
    /// A value or a name has ended.
    Value,
}

/// The comma or bracket that ends the element at `start`; `None` if that is uncertain. Brackets must match, and a value
/// may only be followed by a separator: a missing quote, or an extra one, puts two values side by side.
fn follow(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut open, mut before) = (start, Vec::new(), PrecedingToken::Open);
    while let Some(&byte) = bytes.get(at) {
        let length = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => 1,
            0x80.. if let Some(blank) = text[at..].chars().next().filter(|c| is_blank(*c)) => blank.len_utf8(),
            b',' | b']' if open.is_empty() => return Some(at),
            b',' | b':' if !open.is_empty() => {
                before = PrecedingToken::Open;
                1
            }
            b']' | b'}' => {
                before = PrecedingToken::Value;
                open.pop().filter(|closed| *closed == byte).map(|_| 1)?
            }
            _ if before == PrecedingToken::Value => return None,
            b'[' | b'{' => {
                open.push(if byte == b'[' { b']' } else { b'}' });
                1
            }
            _ => {
                before = PrecedingToken::Value;
                if byte == b'"' { string(&bytes[at..])? } else { word(&text[at..])? }
            }
        };
        at += length;
    }
    None
}

/// Whether a character separates values, even if JSON does not allow it.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// The length of a string with its quotes, whatever its content is.
fn string(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The length of the text that is in place of a value. Text in other quotes may contain anything, so its length is
/// unknown.
fn word(text: &str) -> Option<usize> {
    let ends = |c: char| is_blank(c) || matches!(c, '"' | ',' | ':' | '[' | ']' | '{' | '}');
    let length = text.find(ends).unwrap_or(text.len());
    let is_quote = |c| matches!(c, '\'' | '`' | '\\' | '\u{2018}'..='\u{201f}' | '«' | '»' | '\u{ff02}' | '\u{ff07}');
    let in_doubt = length == 0 || text[..length].contains(is_quote);
    (!in_doubt).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each element whether it was read, or why the whole text was not.
    fn read(text: &[u8]) -> Result<Vec<bool>, Malformed> {
        match read_at_once(&Bytes::copy_from_slice(text)) {
            Ok(AllElements::Many(elements)) => Ok(elements.iter().map(Result::is_ok).collect()),
            Ok(AllElements::One(_)) => panic!("an array"),
            Err(malformed) => Err(malformed),
        }
    }

    #[test]
    fn a_mistake_costs_its_element_where_the_structure_can_be_followed() {
        let deep = format!(r#"[1,{}{},3]"#, "[".repeat(10_000), "]".repeat(10_000));
        for bad in [
            r#"[1,{"a":"\ud83d"},3]"#,
            r#"[1,{"a":"\x","b":["]","}"]},3]"#,
            "[1,{\"a\":\"\u{1}\\\"\"},3]",
            r#"[1,{"a":NaN},3]"#,
            r#"[1,{"a":01},3]"#,
            r#"[1,{"a":},3]"#,
            r#"[1,{"a":1,},3]"#,
            r#"[1,{a:1},3]"#,
            r#"[1,,3]"#,
            "[1,{\u{a0}\"a\":1},3]",
            r#"[1,undefined,3]"#,
            &deep,
        ] {
            assert_eq!(read(bad.as_bytes()), Ok(vec![true, false, true]), "{bad:.60}");
        }
        assert_eq!(read(b"[1,{\"a\":\"\xff\"},3]"), Ok(vec![true, false, true]));
        assert_eq!(read(b"[{\"a\":\"\xc3\"},{\"a\":\"\xc3\xa4\"}]"), Ok(vec![false, true]));
    }

    #[test]
    fn an_uncertain_structure_refuses_the_whole_text() {
        for bad in [
            r#"[1,{"a":"say "hi, you""},3]"#,
            r#"[1,{"a":"x},{"b":"y"},3]"#,
            r#"[1,{"a" "b":1},3]"#,
            r#"[1,{"a":'x, y'},3]"#,
            "[1,{\u{201c}a\u{201d}:1},3]",
            r#"[1,{"a":[1},3]"#,
            r#"[1,{"a":1,3]"#,
            r#"[1,{"a":1}},3]"#,
            r#"[1 2,3]"#,
            r#"[1,{"a":"\ud83d"}"#,
            r#"[1,{"a":"\ud83d"},3"#,
            r#"[1,{"a":"\ud83d"},3]]"#,
            r#"[1,"\ud83d"#,
            r#"[1,"\"#,
            r#"[1,/* 2, */3]"#,
            "[",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_mistake_has_its_position() {
        let text = b"[\n {\"a\":1},\n  {\"a\":\"\\ud83d\"}, {\"b\":x},\n\"\xff\"]";
        let Ok(AllElements::Many(elements)) = read_at_once(&Bytes::copy_from_slice(text)) else { panic!("an array") };
        let mistakes: Vec<String> = elements.into_iter().filter_map(|e| e.err().map(|e| e.to_string())).collect();
        assert_eq!(
            mistakes,
            [
                "this surrogate is not part of a pair, at line 3 column 15",
                "expected a JSON value, at line 3 column 24",
                "this is not UTF-8, at line 4 column 2",
            ]
        );
    }

    /// What is read of an array with mistakes is what is read of the elements alone.
    #[test]
    fn elements_are_what_they_are_alone() {
        use proptest::prelude::*;
        let good = || {
            prop_oneof![
                Just(r#"{"a":[1,"]",{"b":"}"}]}"#),
                Just("7"),
                Just(r#""\\""#),
                Just("{}"),
                Just(r#"[ [ ] , "\"" ]"#),
            ]
        };
        let bad = || prop_oneof![Just(r#"{"a":"\ud83d"}"#), Just("[01,{}]"), Just(r#"["\q]", "}"]"#), Just("tru")];
        let element = prop_oneof![good().prop_map(|text| (text, true)), bad().prop_map(|text| (text, false))];
        proptest!(|(elements in prop::collection::vec(element, 1..8), blank in "[ \n\t\r]{0,3}")| {
            let texts: Vec<&str> = elements.iter().map(|(text, _)| *text).collect();
            let text = format!("{blank}[{blank}{}{blank}]", texts.join(&format!("{blank},{blank}")));
            let Ok(AllElements::Many(read)) = read_at_once(&Bytes::from(text)) else { panic!("an array") };
            prop_assert_eq!(read.len(), elements.len());
            for (read, (text, is_good)) in read.into_iter().zip(elements) {
                match read {
                    Ok(document) => prop_assert_eq!(document, Document::read(text.into()).expect("JSON")),
                    Err(_) => prop_assert!(!is_good, "{}", text),
                }
            }
        });
    }
}
