//! Parses JSON text (RFC 8259), strictly, in one pass. Strings without escapes are not copied.

use std::cell::Cell;

use bytestring::ByteString;

use super::build::SeenNames;
use super::malformed::{Malformed, SyntaxError};
use super::plain::plain_bytes;
use super::{BYTES_MAX, DEPTH_MAX, Document, DocumentMember, DocumentNode, MADE, TextSpan, small};

pub(super) fn document(text: ByteString) -> Result<Document, Malformed> {
    bounded(&text)?;
    let mut reader = JsonReader::new(&text, 0);
    let expected = (text.len() / BYTES_PER_MEMBER).min(MEMBERS_EXPECTED_MAX);
    reader.document.members = Vec::with_capacity(expected);
    match reader.value(TextSpan::default(), 0, 0).and_then(|end| reader.end(end)) {
        Ok(()) => {
            let read = reader.finish();
            Ok(Document { text, ..read })
        }
        Err(what) => Err(Malformed::at(text.as_bytes(), reader.at, what)),
    }
}

pub(super) fn bounded(text: &str) -> Result<(), Malformed> {
    let whole = text.as_bytes();
    if whole.len() > BYTES_MAX { Err(Malformed::at(whole, BYTES_MAX, SyntaxError::TooLong)) } else { Ok(()) }
}

/// How much text a member usually takes.
const BYTES_PER_MEMBER: usize = 16;
/// The most members for which room is allocated before they are read. An element of an array gets no room ahead: there
/// may be many elements, most of them without members.
const MEMBERS_EXPECTED_MAX: usize = 64;
/// How much more room the first string with an escape allocates, for further ones.
const BYTES_ADDED: usize = 96;
/// A larger stack is not kept for the next text.
const STACK_KEPT_MAX: usize = 1_024;

thread_local! {
    /// The empty stack of the last text, for its allocation.
    static STACK: Cell<Vec<DocumentMember>> = const { Cell::new(Vec::new()) };
}

/// Reads one value. Each step takes the position where it begins and returns the one where it ends.
pub(super) struct JsonReader<'t> {
    text: &'t str,
    /// Where the mistake is, after one.
    pub(super) at: usize,
    /// What was read, without the text.
    document: Document,
    /// The members of open arrays and objects, those of the innermost one last; the root at the end.
    stack: Vec<DocumentMember>,
    /// The depth of the root.
    top: usize,
}

impl Drop for JsonReader<'_> {
    fn drop(&mut self) {
        if self.stack.capacity() <= STACK_KEPT_MAX {
            self.stack.clear();
            STACK.set(std::mem::take(&mut self.stack));
        }
    }
}

impl<'t> JsonReader<'t> {
    /// Reads a value at this depth of a text that is not too long.
    pub(super) fn new(text: &'t str, top: usize) -> Self {
        Self { text, at: 0, document: Document::default(), stack: STACK.take(), top }
    }

    #[inline]
    fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    /// The document of the value that was read, whose text is still to be set.
    pub(super) fn finish(mut self) -> Document {
        let root = self.stack.pop().map(|root| root.value);
        let read = std::mem::take(&mut self.document);
        Document { root: root.unwrap_or_default(), has_sources: true, ..read }
    }

    #[cold]
    fn fail<T>(&mut self, at: usize, what: SyntaxError) -> Result<T, SyntaxError> {
        self.at = at;
        Err(what)
    }

    /// Something else was expected here, or the text ends.
    #[cold]
    fn unexpected<T>(&mut self, at: usize, what: SyntaxError) -> Result<T, SyntaxError> {
        self.fail(at, if at < self.bytes().len() { what } else { SyntaxError::Ends })
    }

    pub(super) fn end(&mut self, at: usize) -> Result<(), SyntaxError> {
        let at = blank(self.bytes(), at);
        if at < self.bytes().len() { self.fail(at, SyntaxError::Rest) } else { Ok(()) }
    }

    /// Puts a value on the stack.
    #[inline(always)]
    pub(super) fn value(&mut self, name: TextSpan, mut at: usize, depth: usize) -> Result<usize, SyntaxError> {
        let (value, end) = loop {
            match self.bytes().get(at) {
                Some(b'"') => {
                    let (text, end) = self.string(at)?;
                    break (DocumentNode::String(text), end);
                }
                Some(b'{') => return self.object(name, at, depth),
                Some(b'[') => return self.array(name, at, depth),
                Some(b'-' | b'0'..=b'9') => {
                    let end = self.number(at)?;
                    break (DocumentNode::Number(span(at, end)), end);
                }
                Some(b't') => break (DocumentNode::Bool(true), self.word(at, b"true")?),
                Some(b'f') => break (DocumentNode::Bool(false), self.word(at, b"false")?),
                Some(b'n') => break (DocumentNode::Null, self.word(at, b"null")?),
                Some(byte) if is_blank(*byte) => at += 1,
                _ => return self.unexpected(at, SyntaxError::Value),
            }
        };
        self.stack.push(DocumentMember { name, value });
        Ok(end)
    }

    fn word(&mut self, at: usize, word: &[u8]) -> Result<usize, SyntaxError> {
        let rest = &self.bytes()[at..];
        if rest.starts_with(word) {
            return Ok(at + word.len());
        }
        self.fail(at, if word.starts_with(rest) { SyntaxError::Ends } else { SyntaxError::Value })
    }

    fn array(&mut self, name: TextSpan, start: usize, depth: usize) -> Result<usize, SyntaxError> {
        let (base, mut at) = self.open(start, depth)?;
        let mut more = self.bytes().get(at) != Some(&b']');
        if !more {
            at += 1;
        }
        while more {
            at = self.value(TextSpan::default(), at, depth + 1)?;
            (at, more) = self.more(at, b']')?;
        }
        let value = self.document.close_array(&mut self.stack, base);
        self.close(DocumentMember { name, value }, span(start, at), depth);
        Ok(at)
    }

    fn object(&mut self, name: TextSpan, start: usize, depth: usize) -> Result<usize, SyntaxError> {
        let (base, mut at) = self.open(start, depth)?;
        let mut names = SeenNames::default();
        let mut more = self.bytes().get(at) != Some(&b'}');
        if !more {
            at += 1;
        }
        while more {
            at = blank(self.bytes(), at);
            let Some(b'"') = self.bytes().get(at) else { return self.unexpected(at, SyntaxError::Name) };
            let (name, end) = self.string(at)?;
            // A quote is in place of the first and the last byte of an empty name.
            names.add(name, self.bytes()[at + 1], self.bytes()[end - 2]);
            at = blank(self.bytes(), end);
            let Some(b':') = self.bytes().get(at) else { return self.unexpected(at, SyntaxError::Colon) };
            at = self.value(name, at + 1, depth + 1)?;
            (at, more) = self.more(at, b'}')?;
        }
        let value = self.document.close_object(self.bytes(), &mut self.stack, base, names.may_repeat());
        self.close(DocumentMember { name, value }, span(start, at), depth);
        Ok(at)
    }

    /// Where its members begin on the stack, and in the text.
    fn open(&mut self, at: usize, depth: usize) -> Result<(usize, usize), SyntaxError> {
        if depth >= DEPTH_MAX {
            return self.fail(at, SyntaxError::Depth);
        }
        Ok((self.stack.len(), blank(self.bytes(), at + 1)))
    }

    /// Puts an array or object on the stack. If it is the root, or a member of the root, its source may be asked for.
    fn close(&mut self, member: DocumentMember, source: TextSpan, depth: usize) {
        if depth == self.top {
            self.document.source = Some(source);
        } else if depth == self.top + 1 {
            self.document.members.push(DocumentMember { name: source, value: DocumentNode::Null });
        }
        self.stack.push(member);
    }

    /// Passes a comma, behind which another member follows, or the closing bracket `end`. Returns which it was.
    #[inline]
    pub(super) fn more(&mut self, mut at: usize, end: u8) -> Result<(usize, bool), SyntaxError> {
        loop {
            match self.bytes().get(at) {
                Some(b',') => return Ok((at + 1, true)),
                Some(byte) if *byte == end => return Ok((at + 1, false)),
                Some(byte) if is_blank(*byte) => at += 1,
                _ => return self.unexpected(at, SyntaxError::Separator),
            }
        }
    }

    fn number(&mut self, start: usize) -> Result<usize, SyntaxError> {
        let text = self.bytes();
        let mut at = start + usize::from(text[start] == b'-');
        if text.get(at) == Some(&b'0') {
            at += 1;
            if let Some(b'0'..=b'9') = text.get(at) {
                return self.fail(at, SyntaxError::Number);
            }
        } else {
            at = self.digits(at)?;
        }
        if text.get(at) == Some(&b'.') {
            at = self.digits(at + 1)?;
        }
        if let Some(b'e' | b'E') = text.get(at) {
            at += 1;
            if let Some(b'+' | b'-') = text.get(at) {
                at += 1;
            }
            at = self.digits(at)?;
        }
        Ok(at)
    }

    fn digits(&mut self, start: usize) -> Result<usize, SyntaxError> {
        let mut at = start;
        while let Some(b'0'..=b'9') = self.bytes().get(at) {
            at += 1;
        }
        if at > start { Ok(at) } else { self.unexpected(at, SyntaxError::Number) }
    }

    /// A string, from its quote on.
    #[inline(always)]
    fn string(&mut self, quote: usize) -> Result<(TextSpan, usize), SyntaxError> {
        let start = quote + 1;
        let end = start + plain_bytes(&self.bytes()[start..]);
        match self.bytes().get(end) {
            Some(b'"') => Ok((span(start, end), end + 1)),
            _ => self.escaped_string(start, end),
        }
    }

    /// A string that differs from its text, because it has an escape.
    #[inline(never)]
    fn escaped_string(&mut self, mut from: usize, special: usize) -> Result<(TextSpan, usize), SyntaxError> {
        self.at = special;
        let start = self.document.made.len();
        if start == 0 {
            self.document.made.reserve(self.at - from + BYTES_ADDED);
        }
        loop {
            self.document.made.push_str(&self.text[from..self.at]);
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    let c = self.escape()?;
                    self.document.made.push(c);
                }
                _ => return Err(SyntaxError::Control),
            }
            from = self.at;
            self.at += plain_bytes(&self.bytes()[from..]);
        }
        let text = TextSpan { start: small(start) | MADE, length: small(self.document.made.len() - start) };
        Ok((text, self.at + 1))
    }

    fn peek(&self) -> Result<u8, SyntaxError> {
        self.bytes().get(self.at).copied().ok_or(SyntaxError::Ends)
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        self.at += 1;
        let letter = self.peek()?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(SyntaxError::Escape),
        })
    }

    fn unicode(&mut self) -> Result<char, SyntaxError> {
        let high = self.four_digits()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high).ok_or(SyntaxError::Surrogate);
        }
        let rest = &self.bytes()[self.at..];
        if !rest.starts_with(b"\\u") {
            return Err(if b"\\u".starts_with(rest) { SyntaxError::Ends } else { SyntaxError::Surrogate });
        }
        self.at += 2;
        let low = self.four_digits()?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(SyntaxError::Surrogate);
        }
        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or(SyntaxError::Surrogate)
    }

    fn four_digits(&mut self) -> Result<u32, SyntaxError> {
        let mut number = 0;
        for _ in 0..4 {
            let digit = char::from(self.peek()?).to_digit(16).ok_or(SyntaxError::Escape)?;
            number = number << 4 | digit;
            self.at += 1;
        }
        Ok(number)
    }
}

#[inline]
pub(super) fn blank(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|byte| is_blank(*byte)) {
        at += 1;
    }
    at
}

#[inline]
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// A part of the text, which is not longer than [`BYTES_MAX`].
#[inline]
fn span(start: usize, end: usize) -> TextSpan {
    TextSpan { start: start as u32, length: (end - start) as u32 }
}
