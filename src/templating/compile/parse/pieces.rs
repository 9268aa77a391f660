//! Cuts a long template into pieces, each of which is parsed alone. The parser finds the line of each expression by
//! counting characters from the top, so its time grows with the square of the length. A piece lies within one block,
//! and begins and ends inside a word of the author's text, where white space around expressions is not affected.

use std::iter::Peekable;
use std::ops::Range;

use handlebars::template::Template;

use super::compile;
use crate::templating::compile::diagnostic::Positions;
use crate::templating::compile::scan::{Role, ScannedBody};

/// The number of expressions from which a piece is cut off.
pub(super) const EXPRESSIONS: usize = 32;

/// The first of the characters that replace pieces in the text around them. Private characters of Unicode.
const MARKS: Range<u32> = 0xF_0000..0xF_1000;

/// A template in pieces; the first is the whole with marks for others.
pub(super) struct Pieces(Vec<Piece>);

struct Piece {
    text: String,
    /// The position in the piece's text and in the template of each part between marks.
    parts: Vec<(usize, usize)>,
    /// Where it ends in the template.
    end: usize,
    template: Template,
}

/// Parses a template in pieces of at least `size` expressions. `None` if the parser refuses one.
pub(super) fn parse(scanned: &ScannedBody, size: usize) -> Option<Pieces> {
    let mut cuts = Vec::new();
    let ranges = ranges(scanned, size);
    cut(&scanned.text, 0..scanned.text.len(), &mut ranges.into_iter().peekable(), &mut cuts);
    let parsed = cuts.into_iter().map(|cut| {
        let template = compile(&cut.text).ok()?;
        Some(Piece { text: cut.text, parts: cut.parts, end: cut.end, template })
    });
    parsed.collect::<Option<_>>().map(Pieces)
}

impl Pieces {
    /// The tree of a piece.
    pub(super) fn template(&self, piece: usize) -> &Template {
        &self.0[piece].template
    }

    /// Finds lines and columns, for each piece.
    pub(super) fn positions(&self) -> Vec<Positions<'_>> {
        self.0.iter().map(|piece| Positions::of(&piece.text)).collect()
    }

    /// Where a byte of a piece's text is in the template.
    pub(super) fn in_template(&self, piece: usize, offset: usize) -> usize {
        let parts = &self.0[piece].parts;
        let after = parts.partition_point(|(own, _)| *own <= offset);
        let (own, outer) = parts[after.saturating_sub(1)];
        outer + (offset - own)
    }

    /// The first mark in a text: its position, its length, and the piece that it replaces.
    pub(super) fn find_mark(&self, text: &str) -> Option<(usize, usize, usize)> {
        // An author's own private characters are no marks: such a template is not cut.
        if self.0.len() == 1 { None } else { find_mark(text) }
    }

    /// Where a piece ends in the template.
    pub(super) fn end(&self, piece: usize) -> usize {
        self.0[piece].end
    }
}

fn find_mark(text: &str) -> Option<(usize, usize, usize)> {
    let found = text.char_indices().find(|(_, c)| MARKS.contains(&u32::from(*c)))?;
    Some((found.0, found.1.len_utf8(), (u32::from(found.1) - MARKS.start) as usize))
}

/// The pieces' places in the template, from the begin of the text, an outer one before those in it.
fn ranges(scanned: &ScannedBody, size: usize) -> Vec<Range<usize>> {
    let text = &scanned.text;
    if scanned.expressions.len() < size || find_mark(text).is_some() {
        return Vec::new();
    }
    let mut ranges = Vec::new();
    let mut levels = vec![BlockLevel::default()];
    let mut from = 0;
    for braces in &scanned.expressions {
        let Some(level) = levels.last_mut() else { break };
        level.text(&text[from..braces.start], from, size, &mut ranges);
        level.loose += 1;
        match braces.role {
            Role::Value => {}
            Role::Begin => levels.push(BlockLevel::default()),
            Role::Else | Role::ElseIf => level.forget(),
            Role::End => {
                let inner = levels.pop().unwrap_or_default();
                if let Some(level) = levels.last_mut() {
                    level.loose += inner.earlier + inner.loose;
                }
            }
        }
        from = braces.end;
    }
    if let Some(level) = levels.last_mut() {
        level.text(&text[from..], from, size, &mut ranges);
    }
    ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    ranges.truncate((MARKS.end - MARKS.start) as usize - 1);
    ranges
}

/// The inside of a block.
#[derive(Default)]
struct BlockLevel {
    /// Where the next piece may begin.
    from: Option<usize>,
    /// The expressions since then that are in no piece.
    loose: usize,
    /// Those before.
    earlier: usize,
}

impl BlockLevel {
    /// Begins or ends a piece in a text that is directly in the block.
    fn text(&mut self, text: &str, at: usize, size: usize, ranges: &mut Vec<Range<usize>>) {
        if self.from.is_some() && self.loose < size {
            return;
        }
        let Some(place) = place(text).map(|place| at + place) else { return };
        match self.from {
            Some(from) => {
                ranges.push(from..place);
                self.loose = 0;
            }
            None => self.forget(),
        }
        self.from = Some(place);
    }

    fn forget(&mut self) {
        self.from = None;
        self.earlier += std::mem::take(&mut self.loose);
    }
}

/// Where a text may be cut: between two visible characters, not in a tag. A text with braces is not cut.
fn place(text: &str) -> Option<usize> {
    if memchr::memmem::find(text.as_bytes(), b"{{").is_some() {
        return None;
    }
    let has_tag = memchr::memmem::find(text.as_bytes(), b"*|").is_some();
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'{' | b'}');
    // None of these is a part of a tag.
    let outside =
        |byte: u8| matches!(byte, b'"' | b'\'' | b',' | b';' | b'<' | b'>' | b'[' | b']' | b'(' | b')' | b'=' | b'&');
    let pairs = text.as_bytes().windows(2);
    let fits = |pair: &[u8]| plain(pair[0]) && plain(pair[1]) && (!has_tag || outside(pair[0]));
    pairs.enumerate().find(|(_, pair)| fits(pair)).map(|(i, _)| i + 1)
}

/// A piece's text before it is parsed.
#[derive(Default)]
struct PieceText {
    text: String,
    parts: Vec<(usize, usize)>,
    end: usize,
}

impl PieceText {
    fn keep(&mut self, text: &str, range: Range<usize>) {
        self.parts.push((self.text.len(), range.start));
        self.text.push_str(&text[range]);
    }
}

/// Makes the piece of this range and those in it, and returns the piece's number. As deep as blocks may be.
fn cut(
    text: &str,
    range: Range<usize>,
    ranges: &mut Peekable<std::vec::IntoIter<Range<usize>>>,
    cuts: &mut Vec<PieceText>,
) -> usize {
    let number = cuts.len();
    cuts.push(PieceText::default());
    let mut own = PieceText { end: range.end, ..PieceText::default() };
    let mut from = range.start;
    while let Some(inner) = ranges.next_if(|inner| inner.start < range.end) {
        own.keep(text, from..inner.start);
        from = inner.end;
        let number = cut(text, inner, ranges, cuts);
        own.text.extend(u32::try_from(number).ok().and_then(|number| char::from_u32(MARKS.start + number)));
    }
    own.keep(text, from..range.end);
    cuts[number] = own;
    number
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ParseTree, ParsedTemplate};
    use super::*;
    use crate::model::event::EventPattern;
    use crate::templating::compile::findings::DiagnosticList;
    use crate::templating::compile::known::KnownPaths;
    use crate::templating::compile::scan::scan;
    use crate::templating::compile::tag_lookup::TagLookup;
    use crate::templating::limits::TemplateLimits;
    use crate::templating::program::{Nodes, TemplateNode};

    struct OneTag;

    impl TagLookup for OneTag {
        fn tag_path(&self, entity: &str, _: &str) -> Option<&str> {
            (entity == "GUEST").then_some("guest.name")
        }
        fn tags(&self) -> Vec<String> {
            Vec::new()
        }
        fn paths(&self, _: Option<&EventPattern>) -> Option<Vec<String>> {
            Some(vec!["guest.name".to_owned()])
        }
    }

    /// A template, to be compared.
    struct Parsed {
        program: String,
        places: Vec<(usize, usize)>,
        findings: String,
        pieces: usize,
    }

    /// Parses a body in pieces of this size. `None` if it can't be parsed.
    fn parsed(body: &str, size: usize) -> Option<Parsed> {
        let limits = TemplateLimits::default();
        let mut findings = DiagnosticList::of(body);
        let known = KnownPaths::new(&OneTag, None, None);
        let scanned = scan(body, &known, &limits, &mut findings)?;
        let tree = ParseTree(parse(&scanned, size)?);
        let mut findings = findings.in_text(&scanned.text);
        let ParsedTemplate { mut nodes, origins, .. } =
            super::super::parse(&tree, &scanned, true, &known, &limits, &mut findings);
        let mut places = Vec::new();
        take_ids(&mut nodes, &mut |id, length| places.push((origins.offset(id, 0), origins.offset(id, length - 1))));
        let findings = format!("{:?}", findings.into_list());
        Some(Parsed { program: format!("{nodes:?}"), places, findings, pieces: tree.0.0.len() })
    }

    fn take_ids(nodes: &mut Nodes, take: &mut impl FnMut(usize, usize)) {
        for node in nodes {
            if let TemplateNode::Text(text) = node {
                take(std::mem::take(&mut text.id), text.content.len());
            }
            if let Some(separator) = node.separator_mut() {
                separator.text.id = 0;
            }
            for inner in node.inner_mut() {
                take_ids(inner, take);
            }
        }
    }

    fn body() -> impl Strategy<Value = String> {
        let text = prop::sample::select(vec![
            "word",
            "a b",
            " ",
            "\n",
            "  \n ",
            "\"a\": \"",
            "\", ",
            "*|GUEST:NAME|*",
            "x*|GUEST:NAME|*y",
            "*|GUEST:N",
            "AME|*",
            "\\{{a}}",
            "\\\\",
            "{{! no }}",
            "{{!-- a }} --}}",
            "ä€😀",
            "<b>",
            "</b>\n",
            "{",
            "}",
            "\u{f0000}",
            "*|NO:TAG|*",
        ]);
        let value = prop::sample::select(vec![
            "{{a}}",
            "{{~a}}",
            "{{a~}}",
            "{{~ a ~}}",
            "{{{a}}}",
            "{{upper a}}",
            "{{uper a}}",
            "{{*|GUEST:NAME|*}}",
            "{{@index}}",
            "{{../a}}",
            "{{a.b}}",
            "{{join *|GUEST:NAME|* \", \"}}",
        ]);
        let leaf = prop_oneof![3 => text, 2 => value].prop_map(str::to_owned);
        leaf.prop_recursive(4, 60, 12, |inner| {
            let begin = prop::sample::select(vec![
                ("{{#if a}}", "{{/if}}"),
                ("{{#if a~}}", "{{~/if}}"),
                ("{{#each a}}", "{{/each}}"),
                ("{{#unless a}}", "{{/unless}}"),
                ("{{#with a as |b|}}", "{{/with}}"),
                ("{{#each a separator=\", \"}}\n", "\n{{/each}}\n"),
                ("{{#parts}}", "{{/parts}}"),
            ]);
            let otherwise =
                prop::sample::select(vec!["", "{{else}}", "\n{{else}}\n", "{{~else~}}", "{{else if b}}", "{{^}}"]);
            let part = prop::collection::vec(inner.clone(), 0..8).prop_map(|parts| parts.concat());
            let block = (begin, part.clone(), otherwise, part).prop_map(|((begin, end), then, middle, otherwise)| {
                if middle.is_empty() || begin.contains("parts") {
                    format!("{begin}{then}{end}")
                } else {
                    format!("{begin}{then}{middle}{otherwise}{end}")
                }
            });
            let sequence = prop::collection::vec(inner, 0..12).prop_map(|parts| parts.concat());
            prop_oneof![block, sequence]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
        /// A template in pieces is the template in one.
        #[test]
        fn pieces_are_the_whole(body in body(), size in 1_usize..5) {
            let (whole, pieces) = (parsed(&body, usize::MAX), parsed(&body, size));
            match (whole, pieces) {
                (Some(whole), Some(pieces)) => {
                    prop_assert_eq!(pieces.program, whole.program);
                    prop_assert_eq!(pieces.places, whole.places);
                    prop_assert_eq!(pieces.findings, whole.findings);
                }
                (whole, pieces) => prop_assert_eq!(whole.is_some(), pieces.is_some()),
            }
        }
    }

    #[test]
    fn a_long_template_is_cut_at_each_depth() {
        let line = |n: usize| format!("\"line {n}\": \"some text {{{{a}}}}\",\n");
        let lines = |count: usize| (0..count).map(line).collect::<String>();
        let pieces = |body: &str| parsed(body, EXPRESSIONS).expect("a template").pieces;
        assert_eq!(pieces(&lines(EXPRESSIONS - 1)), 1);
        assert_eq!(pieces(&lines(10 * EXPRESSIONS)), 11);
        let within =
            format!("{{{{#if a}}}}{}{{{{else}}}}{}{{{{/if}}}}", lines(10 * EXPRESSIONS), lines(10 * EXPRESSIONS));
        assert_eq!(pieces(&within), 21);
        assert_eq!(pieces(&format!("{{{{#each a}}}}{within}{{{{/each}}}}")), 21);
        let blocks = "{{#if a}}one {{b}} two{{/if}} text\n".repeat(100);
        assert!(pieces(&blocks) > 5, "{}", pieces(&blocks));
    }
}
