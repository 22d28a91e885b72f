//! JavaScript strings to bytes and back; keys and string values share it.
//!
//! Reading costs one native call where the text fits the caller's buffer, and no allocation. The result is UTF-8, or
//! WTF-8 where the string has a lone surrogate: different strings never give the same bytes.

use std::mem::MaybeUninit;
use std::ops::Deref;

use crate::errors::Failure;
use crate::js::{Env, Val};
use crate::wtf8;

/// Node cuts off at a whole character, so a text that leaves less free than this may have been cut.
const CUT_MARGIN: usize = 5;

/// A string's bytes, in the caller's buffer or, if they did not fit, in a vector.
pub enum Text<'b> {
    InBuffer(&'b [u8]),
    OnHeap(Vec<u8>),
}

impl Deref for Text<'_> {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        match self {
            Text::InBuffer(bytes) => bytes,
            Text::OnHeap(bytes) => bytes,
        }
    }
}

/// What a string's bytes are: the narrowest that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Ascii,
    Utf8,
    Wtf8,
}

/// Why a value gave no text.
pub enum Refused {
    NotString,
    TooLong { length: usize },
}

/// Reads a string of at most `bytes_max` bytes. `bytes_max` counts only once the text exceeds the buffer.
#[inline(always)]
pub fn read<'b>(
    env: Env<'_>,
    value: Val<'_>,
    buffer: &'b mut [MaybeUninit<u8>],
    bytes_max: usize,
) -> Result<(Text<'b>, Encoding), Refused> {
    let length = env.read_utf8(value, buffer).ok_or(Refused::NotString)?;
    if length + CUT_MARGIN > buffer.len() {
        return read_long(env, value, bytes_max);
    }
    // SAFETY: Node has written `length` bytes to the buffer's start, and `length` is below its size.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), length) };
    if bytes.is_ascii() {
        return Ok((Text::InBuffer(bytes), Encoding::Ascii));
    }
    let (restored, encoding) = restore(env, value, bytes)?;
    Ok((
        restored.map_or(Text::InBuffer(bytes), Text::OnHeap),
        encoding,
    ))
}

#[cold]
fn read_long<'b>(
    env: Env<'_>,
    value: Val<'_>,
    bytes_max: usize,
) -> Result<(Text<'b>, Encoding), Refused> {
    let length = env.utf8_length(value).ok_or(Refused::NotString)?;
    if length > bytes_max {
        return Err(Refused::TooLong { length });
    }
    let mut bytes: Vec<u8> = Vec::with_capacity(length + 1);
    let written = env
        .read_utf8(value, bytes.spare_capacity_mut())
        .ok_or(Refused::NotString)?;
    // SAFETY: Node has written `written` bytes, which is below the capacity that it was given.
    unsafe { bytes.set_len(written) };
    if bytes.is_ascii() {
        return Ok((Text::OnHeap(bytes), Encoding::Ascii));
    }
    let (restored, encoding) = restore(env, value, &bytes)?;
    Ok((Text::OnHeap(restored.unwrap_or(bytes)), encoding))
}

/// Reads the string once more as UTF-16 where its UTF-8 may hide a lone surrogate.
fn restore(
    env: Env<'_>,
    value: Val<'_>,
    utf8: &[u8],
) -> Result<(Option<Vec<u8>>, Encoding), Refused> {
    if !wtf8::has_replacement(utf8) {
        return Ok((None, Encoding::Utf8));
    }
    let units = env.read_utf16(value).ok_or(Refused::NotString)?;
    Ok(match wtf8::encode(&units) {
        (_, false) => (None, Encoding::Utf8),
        (bytes, true) => (Some(bytes), Encoding::Wtf8),
    })
}

/// The JavaScript string that has these bytes.
#[inline]
pub fn to_js<'c>(env: Env<'c>, bytes: &[u8], encoding: Encoding) -> Result<Val<'c>, Failure> {
    match encoding {
        Encoding::Ascii => env.latin1(bytes),
        Encoding::Utf8 => env.utf8(bytes),
        Encoding::Wtf8 => env.utf16(&wtf8::decode(bytes)),
    }
}
