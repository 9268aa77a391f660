//! What the journal needs of a file system. The real one is [`super::disk`]; the tests have a model that reorders,
//! tears and loses writes.

use std::fmt::Debug;
use std::io;

/// The folder that holds the segments.
pub(super) trait Folder: Debug + Send + Sync + 'static {
    /// An open file of the folder.
    type File: SegmentFile;

    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Creates a file with room for this many bytes, all zero: it has its name only once it has all of its room. A file of none
    /// has only its name.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Self::File>;

    /// Opens a file to read it.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Whether it is still in its place: what is written to a folder that was removed ends with the process.
    fn check(&self) -> io::Result<()>;

    /// Makes the folder's entries durable: which files exist, and under which names.
    fn sync(&self) -> io::Result<()>;
}

/// An open segment.
pub(super) trait SegmentFile: Debug + Send + Sync + 'static {
    /// Writes at this offset. Fewer bytes may be written than were given.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Reads from this offset; 0 at the end of the file.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes all writes so far durable.
    fn sync(&self) -> io::Result<()>;

    /// The file's length.
    fn length(&self) -> io::Result<u64>;
}

/// Writes all of the bytes, or returns why not. Bytes written before an error stay.
pub(super) fn write_all<F: SegmentFile>(file: &F, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads this many bytes, or fewer at the end of the file.
pub(super) fn read_up_to<F: SegmentFile>(file: &F, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(buffer)
}
