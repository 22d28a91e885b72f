//! WTF-8: UTF-8 that can also say a lone surrogate (three bytes, ED A0 80 to ED BF BF).
//!
//! JavaScript strings are sequences of UTF-16 units, not necessarily well-formed. Node's conversion to UTF-8 turns
//! every lone surrogate into U+FFFD, so that different strings would become the same key. WTF-8 is one-to-one.

use std::mem::MaybeUninit;

/// The most bytes that one UTF-16 unit becomes.
pub const UTF8_BYTES_PER_UNIT: usize = 3;

/// Encodes UTF-16; how many bytes that gave, and whether it held a lone surrogate.
///
/// # Panics
/// If `bytes` is too short; [`UTF8_BYTES_PER_UNIT`] for each unit are enough.
pub fn encode(units: &[u16], bytes: &mut [MaybeUninit<u8>]) -> (usize, bool) {
    let (mut written, mut has_lone) = (0, false);
    let mut put = |text: &[u8]| {
        for (byte, own) in bytes[written..][..text.len()].iter_mut().zip(text) {
            byte.write(*own);
        }
        written += text.len();
    };
    for unit in char::decode_utf16(units.iter().copied()) {
        match unit {
            Ok(character) => put(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                has_lone = true;
                let unit = lone.unpaired_surrogate();
                put(&[
                    0xED,
                    0x80 | (unit >> 6 & 0x3F) as u8,
                    0x80 | (unit & 0x3F) as u8,
                ]);
            }
        }
    }
    (written, has_lone)
}

/// Decodes WTF-8. Total: bytes that are no WTF-8 become U+FFFD, as in Node's own conversion.
pub fn decode(mut bytes: &[u8]) -> Vec<u16> {
    let mut units = Vec::with_capacity(bytes.len());
    while !bytes.is_empty() {
        let valid = match std::str::from_utf8(bytes) {
            Ok(_) => bytes.len(),
            Err(error) => error.valid_up_to(),
        };
        let (text, rest) = bytes.split_at(valid);
        units.extend(String::from_utf8_lossy(text).encode_utf16());
        bytes = match rest {
            [0xED, b1 @ 0xA0..=0xBF, b2 @ 0x80..=0xBF, rest @ ..] => {
                units.push(0xD000 | u16::from(b1 & 0x3F) << 6 | u16::from(b2 & 0x3F));
                rest
            }
            [_, rest @ ..] => {
                units.push(0xFFFD);
                rest
            }
            [] => rest,
        };
    }
    units
}
