//! Warns of keys that an object has twice. Receivers keep one of the two, and differ in which. As this is only a
//! warning, it follows one path through the template: both parts of a condition one after the other, and two elements
//! of each loop. It runs on templates that are proved to be JSON.

use std::collections::HashSet;

use super::Machine;
use super::conditions::{Conditions, KnownConditions};
use super::json::{JsonMachine, JsonState};
use super::loop_positions::{LoopPosition, LoopPositions};
use crate::templating::compile::findings::DiagnosticList;
use crate::templating::compile::origin::Origins;
use crate::templating::program::{EachNode, IfNode, Nodes, TemplateNode, TextNode};

/// The most characters and keys to read. Beyond it, there is no warning.
const WORK_MAX: usize = 2_000_000;

/// The state of the reading.
#[derive(Clone)]
struct KeyReader {
    state: JsonState,
    /// The constant keys of each open bracket, the outermost first.
    keys: Vec<HashSet<String>>,
    /// The current key: where it begins, and its text unless it contains a value.
    key: Option<(usize, Option<String>)>,
}

struct DuplicateKeyWalk<'w, 'p> {
    origins: &'w Origins<'w>,
    findings: &'w mut DiagnosticList<'p>,
    positions: LoopPositions,
    work: usize,
}

/// Warns of keys that one object has twice.
pub(super) fn warn(nodes: &Nodes, origins: &Origins<'_>, findings: &mut DiagnosticList<'_>) {
    let mut walk = DuplicateKeyWalk { origins, findings, positions: LoopPositions::default(), work: 0 };
    let mut reader = KeyReader { state: JsonMachine.start(), keys: Vec::new(), key: None };
    // Where the path ends, there are no further warnings.
    let _: Option<()> = walk.nodes(nodes, &mut reader);
}

impl DuplicateKeyWalk<'_, '_> {
    fn nodes(&mut self, nodes: &Nodes, reader: &mut KeyReader) -> Option<()> {
        for node in nodes {
            match node {
                TemplateNode::Text(text) => self.text(text, reader)?,
                TemplateNode::Write(_) => {
                    reader.state = JsonMachine.value(reader.state).ok()?.1;
                    if let Some((_, text)) = &mut reader.key {
                        *text = None;
                    }
                }
                TemplateNode::If(chosen) => self.chosen(chosen, reader)?,
                TemplateNode::With(with) => self.either(&with.body, &with.otherwise, true, reader)?,
                TemplateNode::Each(each) => self.each(each, reader)?,
                TemplateNode::Parts(parts) => {
                    for (i, part) in parts.parts.iter().enumerate() {
                        if i > 0 {
                            self.text(&parts.separator.text, reader)?;
                        }
                        self.nodes(part, reader)?;
                    }
                }
            }
        }
        Some(())
    }

    fn spend(&mut self, work: usize) -> Option<()> {
        self.work += work;
        (self.work <= WORK_MAX).then_some(())
    }

    fn chosen(&mut self, chosen: &IfNode, reader: &mut KeyReader) -> Option<()> {
        match self.positions.taken(chosen, &Conditions::default(), KnownConditions::default()) {
            Some(true) => self.nodes(&chosen.then, reader),
            Some(false) => self.nodes(&chosen.otherwise, reader),
            None => self.either(&chosen.then, &chosen.otherwise, false, reader),
        }
    }

    /// Continues after the first part, with the keys of both.
    fn either(&mut self, one: &Nodes, other: &Nodes, scoped: bool, reader: &mut KeyReader) -> Option<()> {
        self.spend(reader.keys.iter().map(HashSet::len).sum())?;
        let mut second = reader.clone();
        if scoped {
            self.positions.enter(None);
        }
        let first = self.nodes(one, reader);
        if scoped {
            self.positions.leave();
        }
        first?;
        self.nodes(other, &mut second)?;
        for (keys, more) in reader.keys.iter_mut().zip(second.keys) {
            keys.extend(more);
        }
        Some(())
    }

    fn each(&mut self, each: &EachNode, reader: &mut KeyReader) -> Option<()> {
        let first = LoopPosition { from: 0, to: Some(1), last: false };
        let last = LoopPosition { from: 1, to: None, last: true };
        for position in [first, last] {
            if let (Some(separator), true) = (&each.separator, position.last) {
                self.text(&separator.text, reader)?;
            }
            self.positions.enter(Some(position));
            let element = self.nodes(&each.body, reader);
            self.positions.leave();
            element?;
        }
        Some(())
    }

    fn text(&mut self, text: &TextNode, reader: &mut KeyReader) -> Option<()> {
        self.spend(text.content.len())?;
        for (byte, c) in text.content.char_indices() {
            let before = reader.state;
            reader.state = JsonMachine.step(before, c).ok()?.0;
            if reader.state.depth() > before.depth() {
                reader.keys.push(HashSet::new());
            } else if reader.state.depth() < before.depth() {
                reader.keys.pop();
            }
            if reader.state.in_key() {
                let start = || (self.origins.offset(text.id, byte), Some(String::new()));
                let (_, key) = reader.key.get_or_insert_with(start);
                if let Some(key) = key {
                    key.push(c);
                }
            } else if let Some((at, key)) = reader.key.take() {
                self.key(at, key, reader);
            }
        }
        Some(())
    }

    /// LoopPositions a key. Its text lacks the closing quote.
    fn key(&mut self, at: usize, key: Option<String>, reader: &mut KeyReader) {
        let Some(key) = key.and_then(|key| serde_json::from_str::<String>(&(key + "\"")).ok()) else {
            return;
        };
        let Some(keys) = reader.keys.last_mut() else {
            return;
        };
        if keys.contains(&key) {
            self.findings.warning(
                "duplicate_key",
                at,
                format!("The object has the key {key:?} twice; receivers keep only one of the two."),
            );
        }
        keys.insert(key);
    }
}
