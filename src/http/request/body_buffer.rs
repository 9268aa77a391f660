//! The bytes of a body while it arrives in pieces.

use std::io;
use std::sync::LazyLock;
use std::sync::mpsc::{self, Sender};
use std::thread;

use bytes::{Bytes, BytesMut};
use memmap2::MmapMut;

/// A buffer of this size or larger is mapped memory, which goes back to the system as soon as the body is dropped. The
/// allocator keeps memory that a thread has freed for that thread, for some time: when many large bodies ended and others
/// came, the process held the memory of both.
const MAPPED_MIN: usize = 256 << 10;

/// A buffer with a fixed capacity. The part of a large buffer that is not written yet takes no memory.
#[derive(Debug)]
pub(super) enum BodyBuffer {
    Allocated(BytesMut),
    Mapped { memory: MappedMemory, length: usize },
}

impl BodyBuffer {
    /// An empty buffer. An error says that the system has no memory for it.
    pub(super) fn with_capacity(capacity: usize) -> io::Result<Self> {
        if capacity < MAPPED_MIN {
            return Ok(Self::Allocated(BytesMut::with_capacity(capacity)));
        }
        Ok(Self::Mapped { memory: MappedMemory(Some(MmapMut::map_anon(capacity)?)), length: 0 })
    }

    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Allocated(bytes) => bytes.capacity(),
            Self::Mapped { memory, .. } => memory.as_ref().len(),
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Allocated(bytes) => bytes,
            Self::Mapped { memory, length } => &memory.as_ref()[..*length],
        }
    }

    /// Appends a piece, for which there must be room.
    pub(super) fn append(&mut self, piece: &[u8]) {
        match self {
            Self::Allocated(bytes) => bytes.extend_from_slice(piece),
            Self::Mapped { memory: MappedMemory(memory), length } => {
                let room = memory.as_mut().map_or(&mut [][..], |memory| &mut memory[*length..]);
                room[..piece.len()].copy_from_slice(piece);
                *length += piece.len();
            }
        }
    }

    /// The body. Its memory is freed when no part of it is used any more.
    pub(super) fn freeze(self) -> Bytes {
        match self {
            Self::Allocated(bytes) => bytes.freeze(),
            Self::Mapped { memory, length } => Bytes::from_owner(memory).slice(..length),
        }
    }
}

/// The memory of a large body; `None` once it was unmapped. To unmap memory takes longer the larger it is, and a client
/// that ends hundreds of bodies together would delay the other clients of its thread. So a separate thread does it.
#[derive(Debug)]
pub(super) struct MappedMemory(Option<MmapMut>);

impl AsRef<[u8]> for MappedMemory {
    fn as_ref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Drop for MappedMemory {
    fn drop(&mut self) {
        static RETURNED: LazyLock<Sender<MmapMut>> = LazyLock::new(|| {
            let (returned, memories) = mpsc::channel::<MmapMut>();
            let work = move || memories.into_iter().for_each(drop);
            if let Err(error) = thread::Builder::new().name("memory".to_owned()).spawn(work) {
                tracing::warn!(%error, "no thread can be started that unmaps the memory of large bodies; the threads that use it unmap it");
            }
            returned
        });
        if let Some(memory) = self.0.take() {
            // Without the thread, the memory is unmapped here.
            let _ = RETURNED.send(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same bytes come out, whether the buffer is small or large, full or not.
    #[test]
    fn pieces_become_the_body() {
        for (capacity, length) in
            [(0, 0), (10, 10), (MAPPED_MIN - 1, 70_000), (MAPPED_MIN, 70_000), (MAPPED_MIN + 5, MAPPED_MIN + 5)]
        {
            let expected: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
            let mut buffer = BodyBuffer::with_capacity(capacity).expect("memory");
            for piece in expected.chunks(4_099) {
                buffer.append(piece);
            }
            assert!(buffer.capacity() >= capacity);
            assert_eq!(buffer.as_slice(), expected);
            assert_eq!(matches!(buffer, BodyBuffer::Mapped { .. }), capacity >= MAPPED_MIN);
            let body = buffer.freeze();
            let tail = body.slice(length / 2..);
            drop(body);
            assert_eq!(tail, expected[length / 2..]);
        }
    }
}
