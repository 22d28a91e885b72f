//! JavaScript strings to bytes and back; keys and string values share it.
//!
//! Reading costs one native call where the text fits the caller's buffer, and no allocation. Strings are read as UTF-16,
//! which is what they are: Node copies it in less time than it needs for UTF-8, above all from a string that was
//! just put together and never flattened, and nothing is lost. The result is UTF-8, or WTF-8 where the string has a
//! lone surrogate: different strings never give the same bytes.

use std::mem::MaybeUninit;
use std::ops::Deref;

use crate::errors::Failure;
use crate::js::{Env, Val};
use crate::narrow::narrow;
use crate::wtf8::{self, UTF8_BYTES_PER_UNIT};

/// Room for a string of fewer than `UNITS` UTF-16 units, as it comes from Node and as bytes.
pub struct Buffer<const UNITS: usize> {
    units: [MaybeUninit<u16>; UNITS],
    bytes: [[MaybeUninit<u8>; UTF8_BYTES_PER_UNIT]; UNITS],
}

impl<const UNITS: usize> Buffer<UNITS> {
    #[inline(always)]
    pub fn new() -> Self {
        Self {
            units: [MaybeUninit::uninit(); UNITS],
            bytes: [[MaybeUninit::uninit(); UTF8_BYTES_PER_UNIT]; UNITS],
        }
    }

    /// A buffer on the heap, all zeros: its bytes may be read before they are written.
    pub fn zeroed() -> Box<Self> {
        let mut buffer = Box::<Self>::new_uninit();
        // SAFETY: the box has room for one buffer, and consists of `MaybeUninit`, for which any bytes are a value.
        unsafe {
            buffer.as_mut_ptr().write_bytes(0, 1);
            buffer.assume_init()
        }
    }

    /// The bytes' part, for text on its way back to JavaScript.
    ///
    /// # Safety
    /// The buffer came from [`Self::zeroed`].
    #[inline(always)]
    pub unsafe fn bytes_mut(&mut self) -> &mut [u8] {
        let bytes = self.bytes.as_flattened_mut();
        // SAFETY: zeroed at first and only ever written with initialised bytes since.
        unsafe { &mut *(std::ptr::from_mut(bytes) as *mut [u8]) }
    }
}

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
pub fn read<'b, const UNITS: usize>(
    env: Env<'_>,
    value: Val<'_>,
    buffer: &'b mut Buffer<UNITS>,
    bytes_max: usize,
) -> Result<(Text<'b>, Encoding), Refused> {
    let Buffer { units, bytes } = buffer;
    let length = env.read_utf16(value, units).ok_or(Refused::NotString)?;
    if length + 1 >= UNITS {
        // Node cuts off what doesn't fit.
        return read_long(env, value, bytes_max);
    }
    // SAFETY: Node has written `length` units to the buffer's start, and `length` is below its size.
    let units = unsafe { std::slice::from_raw_parts(units.as_ptr().cast::<u16>(), length) };
    let bytes = bytes.as_flattened_mut();
    let is_ascii = narrow(units, bytes);
    let (written, encoding) = if is_ascii {
        (length, Encoding::Ascii)
    } else {
        encode(units, bytes)
    };
    // SAFETY: `narrow` and `encode` have written that many bytes to the buffer's start.
    let text = unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<u8>(), written) };
    Ok((Text::InBuffer(text), encoding))
}

#[inline(never)]
fn encode(units: &[u16], bytes: &mut [MaybeUninit<u8>]) -> (usize, Encoding) {
    match wtf8::encode(units, bytes) {
        (written, false) => (written, Encoding::Utf8),
        (written, true) => (written, Encoding::Wtf8),
    }
}

#[cold]
fn read_long<'b>(
    env: Env<'_>,
    value: Val<'_>,
    bytes_max: usize,
) -> Result<(Text<'b>, Encoding), Refused> {
    // A lone surrogate takes as many bytes as what Node would put in its place.
    let length = env.utf8_length(value).ok_or(Refused::NotString)?;
    if length > bytes_max {
        return Err(Refused::TooLong { length });
    }
    let mut units = vec![MaybeUninit::uninit(); length + 2];
    let read = env
        .read_utf16(value, &mut units)
        .ok_or(Refused::NotString)?;
    // SAFETY: Node has written `read` units, which is below what it was given.
    let units = unsafe { std::slice::from_raw_parts(units.as_ptr().cast::<u16>(), read) };
    let mut bytes: Vec<u8> = Vec::with_capacity(length);
    let room = &mut bytes.spare_capacity_mut()[..length];
    let is_ascii = length == read && narrow(units, room);
    let (written, encoding) = if is_ascii {
        (length, Encoding::Ascii)
    } else {
        encode(units, room)
    };
    // SAFETY: `narrow` or `encode` has written that many bytes.
    unsafe { bytes.set_len(written) };
    Ok((Text::OnHeap(bytes), encoding))
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
