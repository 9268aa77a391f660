//! Finds the first byte of a JSON string that can't stand for itself (RFC 8259, section 7), eight bytes at a time.

/// Takes eight bytes, the first in the lowest position, and sets the highest bit of each that is special in a string.
/// Only the first bit that is set is certain: bytes after it may be marked wrongly.
fn special(bytes: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    // Subtracting sets the highest bit of each byte that is smaller than the other. Without the second bit, a quote is a
    // blank, and control characters stay below it. Bytes beyond ASCII have the highest bit before; the mask clears it.
    let quote_or_control = (bytes ^ (ONES * 2)).wrapping_sub(ONES * 0x21);
    let backslash = (bytes ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (quote_or_control | backslash) & !bytes & HIGHS
}

/// The place of the first byte that is marked; 8 if none is.
fn first(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// How many bytes at the beginning are neither a quote, nor a backslash, nor a control character.
#[inline]
pub fn plain_bytes(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((chunk, behind)) = rest.split_first_chunk() {
        let found = special(u64::from_le_bytes(*chunk));
        if found != 0 {
            return bytes.len() - rest.len() + first(found);
        }
        rest = behind;
    }
    plain_end(bytes)
}

/// The same where the last whole group of eight is plain. It is apart, so that the loop before it is short.
#[inline(never)]
fn plain_end(bytes: &[u8]) -> usize {
    if let Some(last) = bytes.last_chunk::<8>() {
        // It ends with the bytes that are left. Those before them are plain and mark nothing.
        return bytes.len() - 8 + first(special(u64::from_le_bytes(*last)));
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    bytes.iter().position(is_special).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_special_byte_is_found_wherever_it_is(bytes in prop::collection::vec(prop_oneof![
            8 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\\'), 1 => Just(0x80), 1 => Just(0x1f)
        ], 0..40), plain in 0_usize..40) {
            let bytes: Vec<u8> = std::iter::repeat_n(b'a', plain).chain(bytes).collect();
            let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            prop_assert_eq!(plain_bytes(&bytes), bytes.iter().position(special).unwrap_or(bytes.len()));
        }
    }
}
