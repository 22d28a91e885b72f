//! Seeded random choices, and keys and values that prove themselves.

use nearcache_engine::Value;

/// Bytes before a value's filler: write, key, length.
pub(crate) const HEAD_BYTES: usize = 16;

pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(stream: u64) -> Self {
        let seed = std::env::var("NEARCACHE_STRESS_SEED")
            .ok()
            .and_then(|n| n.parse().ok());
        Self((seed.unwrap_or(1u64) << 16 ^ stream) * 2 + 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    /// Small numbers are the likely ones, so that some keys are hot.
    pub(crate) fn skewed(&mut self, n: usize) -> usize {
        let bound = 1 + self.below(n);
        self.below(bound)
    }
}

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

pub(crate) fn name_of(n: usize) -> Vec<u8> {
    // Every fifth begins otherwise, for `delete_prefix`.
    let name = format!(
        "{}{n}",
        if n.is_multiple_of(5) {
            "prefix:"
        } else {
            "key:"
        }
    );
    // Every 17th is so long that a small page's slot doesn't hold it.
    if n % 17 == 3 {
        format!("{name}:{}", "x".repeat(1_100)).into_bytes()
    } else {
        name.into_bytes()
    }
}

pub(crate) fn number_of(name: &[u8]) -> usize {
    let digits = name.split(|byte| *byte == b':').nth(1).unwrap();
    std::str::from_utf8(digits).unwrap().parse().unwrap()
}

/// Checks a value, in place if it lies in one piece; with `linger` twice, with other threads in between.
pub(crate) fn read_value(n: usize, value: &Value<'_>, linger: bool, buffer: &mut Vec<u8>) -> u32 {
    let mut once = || match value.as_contiguous() {
        Some(bytes) => verify(n, bytes),
        None => {
            buffer.resize(value.len(), 0);
            value.copy_to(buffer);
            verify(n, buffer)
        }
    };
    let write = once();
    assert_eq!(value.kind() as u32, write % 16);
    if linger {
        std::thread::yield_now();
        assert_eq!(once(), write);
    }
    write
}
