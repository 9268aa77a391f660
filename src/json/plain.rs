//! Finds the first byte of a JSON string that can't stand for itself (RFC 8259, section 7), eight bytes at a time.

/// Takes eight bytes, the first in the lowest position, and sets the highest bit of each that is special in a string.
/// Only the first bit that is set is certain: bytes after it may be marked wrongly.
fn special(bytes: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    // Subtracting sets the highest bit of each byte that is smaller than the other. Bytes beyond ASCII have
    // that bit before; the mask clears it.
    let less = |than: u8, bytes: u64| bytes.wrapping_sub(ONES * u64::from(than)) & !bytes;
    let is = |byte: u8| less(1, bytes ^ (ONES * u64::from(byte)));
    (less(0x20, bytes) | is(b'"') | is(b'\\')) & HIGHS
}

/// How many bytes at the beginning are neither a quote, nor a backslash, nor a control character.
#[inline]
pub fn plain_bytes(bytes: &[u8]) -> usize {
    let mut passed = 0;
    for chunk in bytes.chunks_exact(8) {
        let found = special(u64::from_le_bytes(chunk.try_into().expect("eight bytes")));
        if found != 0 {
            return passed + (found.trailing_zeros() / 8) as usize;
        }
        passed += 8;
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    bytes[passed..].iter().position(is_special).map_or(bytes.len(), |more| passed + more)
}
