//! Parses JSON text (RFC 8259), strictly, in one pass. Strings without escapes are not copied.

use bytestring::ByteString;

use super::build::SeenNames;
use super::malformed::{Malformed, SyntaxError};
use super::plain::plain_bytes;
use super::{BYTES_MAX, DEPTH_MAX, Document, DocumentMember, DocumentNode, MADE, TextSpan, small};

pub(super) fn document(text: ByteString) -> Result<Document, Malformed> {
    bounded(&text)?;
    let mut reader = JsonReader { stack: Vec::with_capacity(STACK), ..JsonReader::new(&text) };
    let expected = (text.len() / BYTES_PER_MEMBER).min(MEMBERS_EXPECTED_MAX);
    reader.document.members = Vec::with_capacity(expected);
    let root = reader.value(0).and_then(|root| reader.end().map(|()| root));
    let root = root.map_err(|what| reader.malformed(what))?;
    Ok(reader.finish(root))
}

pub(super) fn bounded(text: &str) -> Result<(), Malformed> {
    let whole = text.as_bytes();
    if whole.len() > BYTES_MAX { Err(Malformed::at(whole, BYTES_MAX, SyntaxError::TooLong)) } else { Ok(()) }
}

/// The size of the stack that most texts need.
const STACK: usize = 16;
/// How much text a member usually takes.
const BYTES_PER_MEMBER: usize = 16;
/// The most members for which room is allocated before they are read. An element of an array gets no room ahead: there
/// may be many elements, most of them without members.
const MEMBERS_EXPECTED_MAX: usize = 64;
/// How much more room the first string with an escape allocates, for further ones.
const BYTES_ADDED: usize = 96;

pub(super) struct JsonReader<'t> {
    text: &'t str,
    pub(super) at: usize,
    document: Document,
    /// The members of open arrays and objects, those of the innermost one last.
    pub(super) stack: Vec<DocumentMember>,
    /// The depth of the root.
    top: usize,
}

impl<'t> JsonReader<'t> {
    pub(super) fn new(text: &'t ByteString) -> Self {
        let document = Document { text: text.clone(), ..Document::default() };
        Self { text, at: 0, document, stack: Vec::new(), top: 0 }
    }

    /// Reads an element of an array from `at` on. `stack` is the empty stack of the element before, for its allocation.
    pub(super) fn element(text: &'t ByteString, at: usize, stack: Vec<DocumentMember>) -> Self {
        Self { at, stack, top: 1, ..Self::new(text) }
    }

    pub(super) fn finish(mut self, root: DocumentNode) -> Document {
        self.document.root = root;
        self.document
    }

    fn malformed(&self, what: SyntaxError) -> Malformed {
        Malformed::at(self.text.as_bytes(), self.at, what)
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    pub(super) fn end(&mut self) -> Result<(), SyntaxError> {
        self.blank();
        if self.peek().is_none() { Ok(()) } else { Err(SyntaxError::Rest) }
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<DocumentNode, SyntaxError> {
        self.blank();
        match self.peek().ok_or(SyntaxError::Ends)? {
            b'"' => self.string().map(DocumentNode::String),
            b'{' | b'[' if depth == self.top => {
                let start = self.at;
                let root = self.open_value(depth)?;
                self.document.source = Some(TextSpan { start: small(start), length: small(self.at - start) });
                Ok(root)
            }
            b'{' | b'[' => self.open_value(depth),
            b'-' | b'0'..=b'9' => self.number().map(DocumentNode::Number),
            b't' => self.word("true", DocumentNode::Bool(true)),
            b'f' => self.word("false", DocumentNode::Bool(false)),
            b'n' => self.word("null", DocumentNode::Null),
            _ => Err(SyntaxError::Value),
        }
    }

    /// An array or an object.
    fn open_value(&mut self, depth: usize) -> Result<DocumentNode, SyntaxError> {
        if self.peek() == Some(b'[') { self.array(depth) } else { self.object(depth) }
    }

    fn word(&mut self, word: &str, node: DocumentNode) -> Result<DocumentNode, SyntaxError> {
        let rest = &self.text.as_bytes()[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(node)
        } else {
            Err(if word.as_bytes().starts_with(rest) { SyntaxError::Ends } else { SyntaxError::Value })
        }
    }

    fn array(&mut self, depth: usize) -> Result<DocumentNode, SyntaxError> {
        let base = self.open(depth)?;
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                let value = self.value(depth + 1)?;
                self.stack.push(DocumentMember { name: TextSpan::default(), value });
                if !self.more(b']')? {
                    break;
                }
            }
        }
        Ok(self.document.close_array(&mut self.stack, base))
    }

    fn object(&mut self, depth: usize) -> Result<DocumentNode, SyntaxError> {
        let (base, mut names) = (self.open(depth)?, SeenNames::default());
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let member = self.member(depth)?;
                names.add(self.document.bytes_of(member.name));
                self.stack.push(member);
                if !self.more(b'}')? {
                    break;
                }
            }
        }
        Ok(self.document.close_object(&mut self.stack, base, names.may_repeat()))
    }

    fn member(&mut self, depth: usize) -> Result<DocumentMember, SyntaxError> {
        self.blank();
        match self.peek().ok_or(SyntaxError::Ends)? {
            b'"' => {}
            _ => return Err(SyntaxError::Name),
        }
        let name = self.string()?;
        self.blank();
        match self.peek().ok_or(SyntaxError::Ends)? {
            b':' => self.at += 1,
            _ => return Err(SyntaxError::Colon),
        }
        self.blank();
        let start = self.at;
        let value = self.value(depth + 1)?;
        if depth == self.top && matches!(value, DocumentNode::Array(_) | DocumentNode::Object(_)) {
            let source = TextSpan { start: small(start), length: small(self.at - start) };
            self.document.sources.push((name, source));
        }
        Ok(DocumentMember { name, value })
    }

    fn open(&mut self, depth: usize) -> Result<usize, SyntaxError> {
        if depth >= DEPTH_MAX {
            return Err(SyntaxError::Depth);
        }
        self.at += 1;
        self.blank();
        Ok(self.stack.len())
    }

    /// Whether another member follows; otherwise reads the closing bracket `end`.
    pub(super) fn more(&mut self, end: u8) -> Result<bool, SyntaxError> {
        self.blank();
        let byte = self.peek().ok_or(SyntaxError::Ends)?;
        if byte != b',' && byte != end {
            return Err(SyntaxError::Separator);
        }
        self.at += 1;
        Ok(byte == b',')
    }

    fn number(&mut self) -> Result<TextSpan, SyntaxError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(SyntaxError::Number);
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(TextSpan { start: small(start), length: small(self.at - start) })
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.peek() {
            _ if self.at > start => Ok(()),
            None => Err(SyntaxError::Ends),
            Some(_) => Err(SyntaxError::Number),
        }
    }

    fn string(&mut self) -> Result<TextSpan, SyntaxError> {
        self.at += 1;
        let start = self.at;
        self.plain();
        if self.peek() == Some(b'"') {
            let span = TextSpan { start: small(start), length: small(self.at - start) };
            self.at += 1;
            return Ok(span);
        }
        self.escaped_string(start)
    }

    /// Skips the bytes of a string that are not special.
    fn plain(&mut self) {
        self.at += plain_bytes(&self.text.as_bytes()[self.at..]);
    }

    /// A string that differs from its text, because it has an escape.
    fn escaped_string(&mut self, mut from: usize) -> Result<TextSpan, SyntaxError> {
        let start = self.document.made.len();
        if start == 0 {
            self.document.made.reserve(self.at - from + BYTES_ADDED);
        }
        loop {
            self.document.made.push_str(&self.text[from..self.at]);
            match self.peek().ok_or(SyntaxError::Ends)? {
                b'"' => break,
                b'\\' => {
                    let c = self.escape()?;
                    self.document.made.push(c);
                }
                _ => return Err(SyntaxError::Control),
            }
            from = self.at;
            self.plain();
        }
        self.at += 1;
        Ok(TextSpan { start: small(start) | MADE, length: small(self.document.made.len() - start) })
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        self.at += 1;
        let letter = self.peek().ok_or(SyntaxError::Ends)?;
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
        let rest = &self.text.as_bytes()[self.at..];
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
            let digit = char::from(self.peek().ok_or(SyntaxError::Ends)?).to_digit(16).ok_or(SyntaxError::Escape)?;
            number = number << 4 | digit;
            self.at += 1;
        }
        Ok(number)
    }
}
