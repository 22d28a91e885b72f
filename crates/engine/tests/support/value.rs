//! Values that say which key and which write they belong to, and prove it with every byte.

/// Bytes before a value's filler: write, key, length.
pub(crate) const HEAD_BYTES: usize = 16;

/// The filler's word at a place.
pub(crate) fn word(key: usize, write: u32, at: usize) -> u64 {
    let mixed =
        ((key as u64) << 40 ^ (write as u64) << 8 ^ at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

pub(crate) fn fill(key: usize, write: u32, len: usize, out: &mut Vec<u8>) {
    let len = len.max(HEAD_BYTES);
    out.clear();
    out.extend_from_slice(&write.to_le_bytes());
    out.extend_from_slice(&(key as u32).to_le_bytes());
    out.extend_from_slice(&(len as u64).to_le_bytes());
    let mut at = 0;
    while out.len() < len {
        out.extend_from_slice(&word(key, write, at).to_le_bytes());
        at += 1;
    }
    out.truncate(len);
}

/// The write that a value belongs to; panics if it isn't, as a whole, a value of `key`.
pub(crate) fn verify(key: usize, bytes: &[u8]) -> u32 {
    assert!(
        bytes.len() >= HEAD_BYTES,
        "key {key}: {} bytes",
        bytes.len()
    );
    let write = u32::from_le_bytes(bytes[..4].try_into().unwrap());
    let of = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
    let len = u64::from_le_bytes(bytes[8..16].try_into().unwrap());
    assert_eq!(
        (of as usize, len),
        (key, bytes.len() as u64),
        "key {key} got a value of another, write {write}"
    );
    for (at, piece) in bytes[HEAD_BYTES..].chunks(8).enumerate() {
        assert!(
            *piece == word(key, write, at).to_le_bytes()[..piece.len()],
            "key {key}, write {write}: torn at word {at}"
        );
    }
    write
}
