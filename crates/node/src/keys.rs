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
    /// The bytes of an array of strings. Runs JavaScript if somebody has given the array getters: no reference from
    /// [`Handle::live`](crate::handle::Handle::live) may be in use.
    pub fn read<'c>(env: Env<'c>, array: Val<'c>) -> Result<KeyList, Failure> {
        let length = env.array_length(array);
        let length = length.ok_or_else(|| Failure::InvalidOption("not an array".to_owned()))?;
        let mut list = KeyList::default();
        let mut buffer = KeyBuffer::new();
        for index in 0..length {
            list.push(&read(env, env.element(array, index)?, &mut buffer)?);
        }
        Ok(list)
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let key = &self.bytes[start..end];
            start = end;
            key
        })
    }

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
