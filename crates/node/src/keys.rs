//! Keys: a JavaScript string to the bytes that the engine hashes, and back.
//!
//! A key shorter than [`KeyBuffer`] costs no allocation. Different strings have different bytes (text.rs).

use nearcache_engine::KEY_BYTES_MAX;

use crate::errors::Failure;
use crate::js::{Env, Val};
use crate::text::{self, Encoding, Refused, Text};

/// Room for a key on the caller's stack; longer ones are read through the heap.
pub type KeyBuffer = text::Buffer<512>;

/// The bytes of a key.
#[inline(always)]
pub fn read<'b>(
    env: Env<'_>,
    value: Val<'_>,
    buffer: &'b mut KeyBuffer,
) -> Result<Text<'b>, Failure> {
    match text::read(env, value, buffer, KEY_BYTES_MAX) {
        Ok((key, _)) => Ok(key),
        Err(refused) => Err(refusal(refused)),
    }
}

#[cold]
fn refusal(refused: Refused) -> Failure {
    match refused {
        Refused::NotString => Failure::KeyNotString,
        Refused::TooLong { length } => Failure::KeyTooLong {
            length,
            max: KEY_BYTES_MAX,
        },
    }
}

/// The string that a key was: the engine doesn't keep a key's encoding, so look.
pub fn to_js<'c>(env: Env<'c>, key: &[u8]) -> Result<Val<'c>, Failure> {
    let encoding = if key.is_ascii() {
        Encoding::Ascii
    } else if std::str::from_utf8(key).is_ok() {
        Encoding::Utf8
    } else {
        Encoding::Wtf8
    };
    text::to_js(env, key, encoding)
}

/// Keys copied out of the engine, one after the other, until JavaScript values may be made of them.
#[derive(Default)]
pub struct KeyList {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl KeyList {
    pub fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
    }

    pub fn to_js<'c>(&self, env: Env<'c>) -> Result<Val<'c>, Failure> {
        let array = env.array(self.ends.len())?;
        let mut start = 0;
        for (index, &end) in self.ends.iter().enumerate() {
            env.set_element(array, index as u32, to_js(env, &self.bytes[start..end])?)?;
            start = end;
        }
        Ok(array)
    }
}
