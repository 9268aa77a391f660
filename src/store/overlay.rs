//! A file that can be changed without changing it: writes stay in memory, and reads return them over the file's own
//! bytes. An existing store is opened on an overlay first, because opening may repair it, and a file that is damaged
//! or belongs to another program must stay as it is.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const BLOCK_BYTES: usize = 4_096;

/// The file, and what was written over it.
#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    /// How much of the file is still visible: less than all of it once it was truncated.
    file_len: u64,
    len: u64,
    blocks: HashMap<u64, Box<[u8; BLOCK_BYTES]>>,
}

impl Overlay {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, file_len: len, len, blocks: HashMap::new() })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            // Bytes that are added again read as zeros.
            self.file_len = self.file_len.min(len);
            self.blocks.retain(|number, _| number * (BLOCK_BYTES as u64) < len);
            let edge = (len % BLOCK_BYTES as u64) as usize;
            if let Some(block) = self.blocks.get_mut(&(len / BLOCK_BYTES as u64)) {
                block[edge..].fill(0);
            }
        }
        self.len = len;
    }

    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.check(offset, out.len())?;
        for (number, within, range) in parts(offset, out.len()) {
            let out = &mut out[range];
            match self.blocks.get(&number) {
                Some(block) => out.copy_from_slice(&block[within..within + out.len()]),
                None => self.read_file(number * BLOCK_BYTES as u64 + within as u64, out)?,
            }
        }
        Ok(())
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check(offset, data.len())?;
        for (number, within, range) in parts(offset, data.len()) {
            let data = &data[range];
            if !self.blocks.contains_key(&number) {
                let mut block = Box::new([0; BLOCK_BYTES]);
                self.read_file(number * BLOCK_BYTES as u64, block.as_mut_slice())?;
                self.blocks.insert(number, block);
            }
            if let Some(block) = self.blocks.get_mut(&number) {
                block[within..within + data.len()].copy_from_slice(data);
            }
        }
        Ok(())
    }

    fn check(&self, offset: u64, count: usize) -> io::Result<()> {
        let end = offset.checked_add(count as u64);
        match end {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The file's own bytes, and zeros past its visible part.
    fn read_file(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let shown = self.file_len.saturating_sub(offset).min(out.len() as u64) as usize;
        let (file, past) = out.split_at_mut(shown);
        past.fill(0);
        self.file.read_exact_at(file, offset)
    }
}

/// The blocks that a range touches: number, where in the block, and which part of the range.
fn parts(offset: u64, count: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % BLOCK_BYTES as u64) as usize;
        let end = (done + BLOCK_BYTES - within).min(count);
        let part = (at / BLOCK_BYTES as u64, within, done..end);
        (done < count).then(|| {
            done = end;
            part
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        SetLen(u64),
        Write(u64, Vec<u8>),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u64..20_000).prop_map(Step::SetLen),
            (0_u64..20_000, prop::collection::vec(any::<u8>(), 0..9_000))
                .prop_map(|(offset, data)| Step::Write(offset, data)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        /// It reads like a file with the same writes, and the file itself stays as it was.
        #[test]
        fn it_reads_like_a_file(content in prop::collection::vec(any::<u8>(), 0..15_000),
                                steps in prop::collection::vec(step(), 0..12)) {
            let mut file = tempfile::tempfile().expect("a file");
            io::Write::write_all(&mut file, &content).expect("written");
            let mut overlay = Overlay::new(file).expect("an overlay");
            let mut model = content.clone();
            for step in steps {
                match step {
                    Step::SetLen(len) => {
                        overlay.set_len(len);
                        model.resize(len as usize, 0);
                    }
                    Step::Write(offset, data) => {
                        let end = offset as usize + data.len();
                        prop_assert_eq!(overlay.write(offset, &data).is_ok(), end <= model.len());
                        if end <= model.len() {
                            model[offset as usize..end].copy_from_slice(&data);
                        }
                    }
                }
                let mut seen = vec![0; model.len()];
                overlay.read(0, &mut seen).expect("read");
                prop_assert!(seen == model);
            }
            let mut kept = vec![0; content.len()];
            overlay.file.read_exact_at(&mut kept, 0).expect("read");
            prop_assert!(kept == content);
        }
    }
}
