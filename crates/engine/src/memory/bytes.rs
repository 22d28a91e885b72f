//! Comparing and copying a few bytes without a call: keys are short, and the call that takes any length costs as much as
//! the look-up's arithmetic.

const WORD_BYTES: usize = size_of::<u64>();
const HALF_BYTES: usize = size_of::<u32>();
/// Longer keys are left to the call.
const COPIED_IN_PLACE_MAX: usize = 40;

/// Whether the bytes at `address` are those of `key`.
///
/// # Safety
/// `key.len()` bytes at `address` are readable, and nobody writes to them.
#[inline(always)]
pub(crate) unsafe fn equal(address: *const u8, key: &[u8]) -> bool {
    let (ours, len) = (key.as_ptr(), key.len());
    if len >= WORD_BYTES {
        // Word by word, and the last word once more from its own end: the two may overlap.
        let last = len - WORD_BYTES;
        let mut at = 0;
        while at < last {
            // SAFETY: `at + WORD_BYTES` is below `len`.
            if unsafe { word(address.add(at)) != word(ours.add(at)) } {
                return false;
            }
            at += WORD_BYTES;
        }
        // SAFETY: `last + WORD_BYTES` is `len`.
        return unsafe { word(address.add(last)) == word(ours.add(last)) };
    }
    if len >= HALF_BYTES {
        let last = len - HALF_BYTES;
        // SAFETY: both halves lie within `len` bytes.
        return unsafe {
            half(address) == half(ours) && half(address.add(last)) == half(ours.add(last))
        };
    }
    // SAFETY: as the caller promises.
    unsafe { std::slice::from_raw_parts(address, len) == key }
}

/// Copies a key to `address`.
///
/// # Safety
/// `key.len()` bytes at `address` are the caller's to write, and none of them is the key's.
#[inline(always)]
pub(crate) unsafe fn copy(address: *mut u8, key: &[u8]) {
    let (ours, len) = (key.as_ptr(), key.len());
    if !(WORD_BYTES..=COPIED_IN_PLACE_MAX).contains(&len) {
        // SAFETY: as the caller promises.
        return unsafe { address.copy_from_nonoverlapping(ours, len) };
    }
    // As above: the last word may overlap the one before.
    let last = len - WORD_BYTES;
    let mut at = 0;
    while at < last {
        // SAFETY: `at + WORD_BYTES` is below `len`.
        unsafe { copy_word(address.add(at), ours.add(at)) };
        at += WORD_BYTES;
    }
    // SAFETY: `last + WORD_BYTES` is `len`.
    unsafe { copy_word(address.add(last), ours.add(last)) };
}

/// # Safety
/// Eight bytes at `to` are the caller's to write, eight at `from` are readable.
#[inline(always)]
unsafe fn copy_word(to: *mut u8, from: *const u8) {
    // SAFETY: as the caller promises; neither needs alignment.
    unsafe { to.cast::<u64>().write_unaligned(word(from)) };
}

/// # Safety
/// Eight bytes at `address` are readable.
#[inline(always)]
unsafe fn word(address: *const u8) -> u64 {
    // SAFETY: as the caller promises; the read needs no alignment.
    unsafe { address.cast::<u64>().read_unaligned() }
}

/// # Safety
/// Four bytes at `address` are readable.
#[inline(always)]
unsafe fn half(address: *const u8) -> u32 {
    // SAFETY: as the caller promises; the read needs no alignment.
    unsafe { address.cast::<u32>().read_unaligned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_copied_and_nothing_behind_it() {
        for len in 0..70 {
            let key: Vec<u8> = (1..=len as u8).collect();
            let mut to = vec![0xFF; len + WORD_BYTES];
            // SAFETY: the vectors have `len` bytes.
            unsafe { copy(to.as_mut_ptr(), &key) };
            assert_eq!(to[..len], key);
            assert_eq!(to[len..], [0xFF; WORD_BYTES]);
        }
    }

    #[test]
    fn every_length_compares_every_byte() {
        for len in 0..70 {
            let key: Vec<u8> = (0..len as u8).collect();
            // SAFETY: the vectors have `len` bytes.
            assert!(unsafe { equal(key.clone().as_ptr(), &key) }, "{len}");
            for at in 0..len {
                let mut other = key.clone();
                other[at] ^= 0x80;
                // SAFETY: as above.
                assert!(!unsafe { equal(other.as_ptr(), &key) }, "{len} {at}");
            }
        }
    }
}
