//! What is done to a cache under test, and the keys and values that it is done with.

use nearcache_engine::Ttl;

/// One step. Keys are numbers, see [`key`]; sizes are a value's bytes.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Set(usize, usize, Ttl),
    SetIfAbsent(usize, usize, Ttl),
    Replace(usize, usize, Ttl),
    /// With the entry's version, or that of an earlier one.
    CompareAndSet(usize, usize, Ttl, bool),
    SetMany(Vec<usize>, usize, Ttl),
    Get(usize),
    Heat(usize),
    Delete(usize),
    Remaining(usize),
    Touch(usize, Ttl),
    GetMany(Vec<usize>),
    Scan(&'static str, usize),
    DeletePrefix(&'static str),
    /// Sets so many further keys of one size.
    Fill(usize, usize),
    Clear,
    Advance(u64),
    Maintain,
    L0Read(usize, usize),
    /// Sets the keys while a reader holds on to the value of the first one.
    WriteWhileReading(usize, Vec<usize>, usize),
    /// What exceeds a limit is refused and changes nothing.
    Exceed(usize),
    /// Another handle takes the place of one.
    Renew(usize),
}

/// Number of keys that operations choose from.
pub(crate) const KEYS: usize = 32;
/// Prefixes that operations choose from.
pub(crate) const PREFIXES: [&str; 5] = ["", "a:", "f:", "f:1", "long:"];

/// The name of key number `n`, in a cache whose keys have at most `bytes_max` bytes.
pub(crate) fn key(n: usize, bytes_max: usize) -> Vec<u8> {
    let long = |length: usize| {
        let mut key = format!("long:{n}:").into_bytes();
        key.resize(length, n as u8);
        key
    };
    match n {
        0 => Vec::new(),
        // Keys that need chunks themselves.
        1..3 => long(1_500 * n),
        3 => long(bytes_max),
        4..16 => format!("a:{n}").into_bytes(),
        _ => format!("b:{n}").into_bytes(),
    }
}

/// The bytes of write number `write`: no two writes have the same, even if their lengths agree.
pub(crate) fn content(write: u64, len: usize) -> Vec<u8> {
    let mut state = (write + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state ^= state >> 29;
        state = state.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state
    };
    (0..len.div_ceil(8))
        .flat_map(|_| next().to_le_bytes())
        .take(len)
        .collect()
}
