//! The scratch `ArrayBuffer`: where bytes that ts/ decodes itself are handed over without making an object per read.
//!
//! ```text
//!  0        4        8         12            16     20            32
//!  | kind   | length | watched | expiry tick | head | reserved    | bytes …
//! ```
//! Invariant: `data` points to `length` bytes that live as long as `reference`, at least [`SCRATCH_BYTES_MIN`].
//! ts/ owns the buffer, keeps it untransferable and never detaches it. Only the environment's thread touches it.

use std::cell::Cell;

use napi_sys as sys;

use crate::errors::Failure;
use crate::js::{Env, Val};

/// Where the bytes start.
const HEADER_BYTES: usize = 32;
/// Smaller buffers are refused, so that ordinary values always fit.
const SCRATCH_BYTES_MIN: usize = 64 * 1024;

/// Fields of the header, as indexes of a `Uint32Array`.
#[derive(Clone, Copy)]
pub enum Field {
    Kind = 0,
    Length = 1,
    Watched = 2,
    ExpiryTick = 3,
    Head = 4,
}

/// A handle's scratch memory.
pub struct Scratch {
    data: Cell<*mut u8>,
    length: Cell<usize>,
    reference: Cell<sys::napi_ref>,
}

impl Scratch {
    pub fn new(env: Env<'_>, buffer: Val<'_>) -> Result<Scratch, Failure> {
        let (data, length) = usable(env, buffer)?;
        let reference = env.reference(buffer)?;
        Ok(Scratch {
            data: Cell::new(data),
            length: Cell::new(length),
            reference: Cell::new(reference),
        })
    }

    /// Goes on with another buffer.
    pub fn replace(&self, env: Env<'_>, buffer: Val<'_>) -> Result<(), Failure> {
        let next = Scratch::new(env, buffer)?;
        self.data.swap(&next.data);
        self.length.swap(&next.length);
        self.reference.swap(&next.reference);
        next.release(env);
        Ok(())
    }

    /// Lets go of the buffer.
    pub fn release(self, env: Env<'_>) {
        // SAFETY: `reference` came from `env.reference` of this handle's environment, and `self` ends here.
        unsafe { env.unref(self.reference.get()) };
    }

    #[inline(always)]
    pub fn write(&self, field: Field, value: u32) {
        // SAFETY: the header lies within the buffer (Invariant), and an ArrayBuffer's start is aligned for u32.
        unsafe {
            self.data
                .get()
                .cast::<u32>()
                .add(field as usize)
                .write(value)
        };
    }

    /// The place for `length` bytes, or None if they don't fit.
    ///
    /// # Safety
    /// No other slice of it is in use, and no JavaScript runs while this one is.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // one thread, one use per call: the condition above
    pub unsafe fn body(&self, length: usize) -> Option<&mut [u8]> {
        if length > self.length.get() - HEADER_BYTES {
            return None;
        }
        // SAFETY: within the buffer (Invariant), and the only slice, as this function's own condition says.
        Some(unsafe { std::slice::from_raw_parts_mut(self.data.get().add(HEADER_BYTES), length) })
    }
}

fn usable(env: Env<'_>, buffer: Val<'_>) -> Result<(*mut u8, usize), Failure> {
    match env.arraybuffer_data(buffer) {
        Some((data, length)) if length >= SCRATCH_BYTES_MIN && data.cast::<u32>().is_aligned() => {
            Ok((data, length))
        }
        _ => Err(Failure::InvalidOption(format!(
            "scratch must be an ArrayBuffer of at least {SCRATCH_BYTES_MIN} bytes"
        ))),
    }
}
