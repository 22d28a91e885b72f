//! What a trace is made of, whatever its format was.

use std::hash::{BuildHasherDefault, Hasher};

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A read: counted, and on a miss the value is stored.
    Read,
    /// A write: the value is stored, nothing is counted.
    Write,
    /// The entry goes, nothing is counted.
    Delete,
}

/// One step of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key, or a 64-bit hash of a key that is text.
    pub key: u64,
    /// The length of the key in bytes; eight where the trace only numbers its keys.
    pub key_bytes: u32,
    /// The size of the value in bytes, where the trace says.
    pub size: Option<u64>,
    /// Milliseconds since an arbitrary start, where the trace says. Never runs backwards.
    pub time_ms: Option<u64>,
    /// How long the value lives from now on, where the trace says; `None` for ever.
    pub ttl_ms: Option<u64>,
    /// What to do.
    pub op: Op,
    /// The key as text, if the reader was asked to keep it.
    pub name: Option<Box<[u8]>>,
}

impl Request {
    /// A read of a numbered key of which nothing else is known.
    pub fn read(key: u64) -> Self {
        Self {
            key,
            key_bytes: 8,
            size: None,
            time_ms: None,
            ttl_ms: None,
            op: Op::Read,
            name: None,
        }
    }
}

/// The number that stands for a key that is text: the same in every run. Two of a hundred million
/// keys share one in about one of 3,700 traces.
pub fn key_of_text(text: &[u8]) -> u64 {
    // FNV-1a over eight bytes at a time, each mixed well.
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ text.len() as u64;
    for piece in text.chunks(8) {
        let mut word = [0; 8];
        word[..piece.len()].copy_from_slice(piece);
        hash = mix(hash ^ u64::from_le_bytes(word));
    }
    hash
}

/// A bijection of 64-bit numbers that leaves no pattern (the finalizer of splitmix64).
pub fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Hashes keys that are numbers.
#[derive(Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = key_of_text(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(number);
    }
}

/// A map from keys.
pub type KeyMap<V> = std::collections::HashMap<u64, V, BuildHasherDefault<KeyHasher>>;
/// A set of keys.
pub type KeySet = std::collections::HashSet<u64, BuildHasherDefault<KeyHasher>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_length_or_in_one_byte_have_other_numbers() {
        let texts: [&[u8]; 8] = [
            b"",
            b"\0",
            b"\0\0",
            b"a",
            b"b",
            b"12345678",
            b"12345678\0",
            b"123456789",
        ];
        let keys: KeySet = texts.iter().map(|text| key_of_text(text)).collect();
        assert_eq!(keys.len(), texts.len());
    }
}
