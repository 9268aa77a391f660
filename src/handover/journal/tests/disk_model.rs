//! A file system that records every operation, so that a test can ask what a crash at any of them leaves. After the end
//! of the process all earlier operations are present, and the last one may be partial. After a power cut only synced
//! operations are certain: of the others each write and each change of the folder is present or not, in any
//! combination, and one write may be partial.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use super::super::folder::{Folder, SegmentFile};
use super::super::ledger::lock;

/// An operation on the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Create(String, usize, usize),
    Write(usize, usize, Vec<u8>),
    SyncFile(usize),
    /// Earlier writes stay uncertain: a later sync does not confirm them.
    SyncFailed(usize),
    Remove(String),
    SyncFolder,
}

#[derive(Debug, Default)]
struct State {
    /// The content before the first operation, by name.
    before: BTreeMap<String, Vec<u8>>,
    names: BTreeMap<String, usize>,
    files: Vec<Vec<u8>>,
    /// Where the last write to each file ended: bytes before it can be overwritten on a full disk.
    ends: BTreeMap<usize, usize>,
    log: Vec<Operation>,
    /// Errors to come: the kind of operation and how many of it succeed before.
    faults: Vec<Fault>,
    /// What happens while the next file is synced.
    during_sync: Option<During>,
}

struct During(Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for During {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("During")
    }
}

/// An error to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: Point,
    /// How many operations succeed before it.
    pub(crate) after: usize,
    pub(crate) error: io::ErrorKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Create,
    /// This many bytes are written before the error.
    Write(usize),
    SyncFile,
}

/// The model of a folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct DiskModel(Arc<Mutex<State>>);

/// A file of the model.
#[derive(Debug)]
pub(crate) struct ModelFile {
    disk: DiskModel,
    number: usize,
}

impl DiskModel {
    /// A folder with these files.
    pub(crate) fn with(files: BTreeMap<String, Vec<u8>>) -> Self {
        let disk = Self::default();
        {
            let mut state = lock(&disk.0);
            for (name, content) in &files {
                let number = state.files.len();
                state.names.insert(name.clone(), number);
                state.files.push(content.clone());
            }
            state.before = files;
        }
        disk
    }

    pub(crate) fn log(&self) -> Vec<Operation> {
        lock(&self.0).log.clone()
    }

    pub(crate) fn operations(&self) -> usize {
        lock(&self.0).log.len()
    }

    pub(crate) fn fail(&self, fault: Fault) {
        lock(&self.0).faults.push(fault);
    }

    /// This happens while the next file is synced.
    pub(crate) fn during_sync(&self, happens: impl FnOnce() + Send + 'static) {
        lock(&self.0).during_sync = Some(During(Box::new(happens)));
    }

    pub(crate) fn heal(&self) {
        lock(&self.0).faults.clear();
    }

    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = lock(&self.0);
        state.names.iter().map(|(name, number)| (name.clone(), state.files[*number].clone())).collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.files().values().map(Vec::len).sum()
    }

    /// The files after the process ended: this many operations, and this many bytes of the next one if it is a write.
    pub(crate) fn after_kill(&self, operations: usize, torn: usize) -> BTreeMap<String, Vec<u8>> {
        let state = lock(&self.0);
        let done = |number: usize| (number < operations, if number == operations { torn } else { usize::MAX });
        apply(&state, |number, _| match done(number) {
            (true, _) => Some(usize::MAX),
            (false, torn) if torn < usize::MAX => Some(torn),
            _ => None,
        })
    }

    /// The operations before this one that a power cut may undo.
    pub(crate) fn at_risk(&self, operations: usize) -> Vec<usize> {
        let log = &lock(&self.0).log[..operations];
        let is_safe = |number: usize, operation: &Operation| {
            log[number + 1..].iter().find_map(|later| match (operation, later) {
                (Operation::Write(file, ..), Operation::SyncFile(synced)) if file == synced => Some(true),
                (Operation::Write(file, ..), Operation::SyncFailed(synced)) if file == synced => Some(false),
                (Operation::Create(..) | Operation::Remove(_), Operation::SyncFolder) => Some(true),
                _ => None,
            })
        };
        let is_safe = |number, operation: &Operation| is_safe(number, operation) == Some(true);
        let is_change = |operation: &Operation| {
            matches!(operation, Operation::Create(..) | Operation::Write(..) | Operation::Remove(_))
        };
        let changes = log.iter().enumerate().filter(|(_, operation)| is_change(operation));
        changes.filter(|(number, operation)| !is_safe(*number, operation)).map(|(number, _)| number).collect()
    }

    /// The files after a power cut: this many operations without these, and with one partial write.
    pub(crate) fn after_power_cut(
        &self,
        operations: usize,
        undone: &BTreeSet<usize>,
        torn: Option<(usize, usize)>,
    ) -> BTreeMap<String, Vec<u8>> {
        let state = lock(&self.0);
        apply(&state, |number, _| match torn {
            Some((at, bytes)) if at == number => Some(bytes),
            _ => (number < operations && !undone.contains(&number)).then_some(usize::MAX),
        })
    }

    pub(crate) fn write_length(&self, operation: usize) -> Option<usize> {
        match &lock(&self.0).log.get(operation)? {
            Operation::Write(_, _, bytes) => Some(bytes.len()),
            _ => None,
        }
    }

    fn fault(state: &mut State, is_at: impl Fn(Point) -> bool) -> Option<Fault> {
        let place = state.faults.iter().position(|fault| is_at(fault.at))?;
        if state.faults[place].after > 0 {
            state.faults[place].after -= 1;
            return None;
        }
        Some(state.faults[place])
    }
}

/// The files after the operations; `keep` says how many bytes of each write are present.
fn apply(state: &State, keep: impl Fn(usize, &Operation) -> Option<usize>) -> BTreeMap<String, Vec<u8>> {
    let mut contents: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (number, (name, content)) in state.before.iter().enumerate() {
        names.insert(name.clone(), number);
        contents.insert(number, content.clone());
    }
    for (number, operation) in state.log.iter().enumerate() {
        let kept = keep(number, operation);
        match (operation, kept) {
            // A write to a file whose creation is undone is lost.
            (Operation::Create(name, file, bytes), kept) => {
                contents.insert(*file, vec![0; *bytes]);
                // A file has its name only once its room is allocated.
                if kept == Some(usize::MAX) {
                    names.insert(name.clone(), *file);
                }
            }
            (Operation::Write(file, at, bytes), Some(kept)) => {
                let content = contents.entry(*file).or_default();
                let kept = &bytes[..kept.min(bytes.len())];
                let end = (at + kept.len()).max(content.len());
                content.resize(end, 0);
                content[*at..at + kept.len()].copy_from_slice(kept);
            }
            (Operation::Remove(name), Some(usize::MAX)) => drop(names.remove(name)),
            _ => {}
        }
    }
    names.into_iter().map(|(name, file)| (name, contents.remove(&file).unwrap_or_default())).collect()
}

impl Folder for DiskModel {
    type File = ModelFile;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.0).names.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<ModelFile> {
        let mut state = lock(&self.0);
        if let Some(fault) = Self::fault(&mut state, |at| at == Point::Create) {
            return Err(fault.error.into());
        }
        assert!(!state.names.contains_key(name), "{name} exists");
        let number = state.files.len();
        state.names.insert(name.to_owned(), number);
        state.files.push(vec![0; bytes as usize]);
        state.log.push(Operation::Create(name.to_owned(), number, bytes as usize));
        Ok(ModelFile { disk: self.clone(), number })
    }

    fn open(&self, name: &str) -> io::Result<ModelFile> {
        let number = lock(&self.0).names.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(ModelFile { disk: self.clone(), number })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.log.push(Operation::Remove(name.to_owned()));
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        lock(&self.0).log.push(Operation::SyncFolder);
        Ok(())
    }
}

impl SegmentFile for ModelFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = lock(&self.disk.0);
        let is_there = state.ends.get(&self.number).is_some_and(|end| offset as usize + bytes.len() <= *end);
        let fault = DiskModel::fault(&mut state, |at| matches!(at, Point::Write(_)) && !is_there);
        let bytes = match fault {
            Some(Fault { at: Point::Write(0), error, .. }) => return Err(error.into()),
            Some(Fault { at: Point::Write(some), .. }) => {
                // A short write; the rest of it meets the error.
                let place = state.faults.iter().position(|fault| matches!(fault.at, Point::Write(_))).expect("found");
                state.faults[place].at = Point::Write(0);
                &bytes[..some.min(bytes.len())]
            }
            _ => bytes,
        };
        let at = offset as usize;
        let content = &mut state.files[self.number];
        let end = (at + bytes.len()).max(content.len());
        content.resize(end, 0);
        content[at..at + bytes.len()].copy_from_slice(bytes);
        let written = state.ends.entry(self.number).or_default();
        *written = (*written).max(at + bytes.len());
        state.log.push(Operation::Write(self.number, at, bytes.to_vec()));
        Ok(bytes.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = lock(&self.disk.0);
        let content = state.files[self.number].get(offset as usize..).unwrap_or_default();
        let count = content.len().min(bytes.len());
        bytes[..count].copy_from_slice(&content[..count]);
        Ok(count)
    }

    fn sync(&self) -> io::Result<()> {
        let during = lock(&self.disk.0).during_sync.take();
        if let Some(During(happens)) = during {
            happens();
        }
        let mut state = lock(&self.disk.0);
        if let Some(fault) = DiskModel::fault(&mut state, |at| at == Point::SyncFile) {
            state.log.push(Operation::SyncFailed(self.number));
            return Err(fault.error.into());
        }
        state.log.push(Operation::SyncFile(self.number));
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(lock(&self.disk.0).files[self.number].len() as u64)
    }
}
