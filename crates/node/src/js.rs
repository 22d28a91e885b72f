//! Node-API as far as this crate needs it: safe functions over the raw ones.
//!
//! Invariant: an [`Env`] exists only while a native function that Node called with that environment runs, on that
//! environment's thread, and a [`Val`] is a value of the same call (both carry its lifetime `'c`). With that, the raw
//! functions have no precondition left but valid pointers, which the safe signatures guarantee.
//! Node-API itself refuses null values and values of the wrong type with a status.

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

use napi_sys as sys;

use crate::errors::Failure;

/// The JavaScript environment of the running call.
#[derive(Clone, Copy)]
pub struct Env<'c> {
    raw: sys::napi_env,
    call: PhantomData<&'c ()>,
}

/// A JavaScript value of the running call. Null stands for `undefined` in results.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Val<'c> {
    raw: sys::napi_value,
    call: PhantomData<&'c ()>,
}

impl Val<'_> {
    /// `undefined` as a function's result, without a call.
    pub const UNDEFINED: Val<'static> = Val {
        raw: ptr::null_mut(),
        call: PhantomData,
    };

    /// # Safety
    /// `raw` is null or a value of the call whose lifetime the caller picks.
    pub unsafe fn from_raw<'c>(raw: sys::napi_value) -> Val<'c> {
        Val {
            raw,
            call: PhantomData,
        }
    }

    pub fn raw(self) -> sys::napi_value {
        self.raw
    }
}

fn check(status: sys::napi_status) -> Result<(), Failure> {
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(Failure::Pending)
    }
}

impl<'c> Env<'c> {
    /// # Safety
    /// Node is calling native code with `raw` on this thread, and the call outlives `'c`.
    pub unsafe fn from_raw(raw: sys::napi_env) -> Env<'c> {
        Env {
            raw,
            call: PhantomData,
        }
    }

    pub fn raw(self) -> sys::napi_env {
        self.raw
    }

    /// Runs a raw function that makes a value.
    #[inline(always)]
    fn make(
        self,
        f: impl FnOnce(*mut sys::napi_value) -> sys::napi_status,
    ) -> Result<Val<'c>, Failure> {
        let mut raw = ptr::null_mut();
        check(f(&mut raw))?;
        Ok(Val {
            raw,
            call: PhantomData,
        })
    }

    #[inline]
    pub fn number(self, value: f64) -> Result<Val<'c>, Failure> {
        // SAFETY: a live env (Invariant) and a valid out-pointer.
        self.make(|out| unsafe { sys::napi_create_double(self.raw, value, out) })
    }

    #[inline]
    pub fn int32(self, value: i32) -> Result<Val<'c>, Failure> {
        // SAFETY: a live env (Invariant) and a valid out-pointer.
        self.make(|out| unsafe { sys::napi_create_int32(self.raw, value, out) })
    }

    #[inline]
    pub fn boolean(self, value: bool) -> Result<Val<'c>, Failure> {
        // SAFETY: a live env (Invariant) and a valid out-pointer.
        self.make(|out| unsafe { sys::napi_get_boolean(self.raw, value, out) })
    }

    #[inline]
    pub fn null(self) -> Result<Val<'c>, Failure> {
        // SAFETY: a live env (Invariant) and a valid out-pointer.
        self.make(|out| unsafe { sys::napi_get_null(self.raw, out) })
    }

    /// A string of one character per byte: the quick way for ASCII.
    #[inline]
    pub fn latin1(self, bytes: &[u8]) -> Result<Val<'c>, Failure> {
        let text = bytes.as_ptr().cast::<c_char>();
        // SAFETY: a live env (Invariant); `text` points to `bytes.len()` readable bytes, which are copied.
        self.make(|out| unsafe {
            sys::napi_create_string_latin1(self.raw, text, bytes.len() as isize, out)
        })
    }

    pub fn utf8(self, bytes: &[u8]) -> Result<Val<'c>, Failure> {
        let text = bytes.as_ptr().cast::<c_char>();
        // SAFETY: a live env (Invariant); `text` points to `bytes.len()` readable bytes, which are copied.
        self.make(|out| unsafe {
            sys::napi_create_string_utf8(self.raw, text, bytes.len() as isize, out)
        })
    }

    pub fn utf16(self, units: &[u16]) -> Result<Val<'c>, Failure> {
        // SAFETY: a live env (Invariant); the pointer covers `units.len()` readable units, which are copied.
        self.make(|out| unsafe {
            sys::napi_create_string_utf16(self.raw, units.as_ptr(), units.len() as isize, out)
        })
    }

    pub fn object(self) -> Result<Val<'c>, Failure> {
        // SAFETY: a live env (Invariant) and a valid out-pointer.
        self.make(|out| unsafe { sys::napi_create_object(self.raw, out) })
    }

    pub fn array(self, length: usize) -> Result<Val<'c>, Failure> {
        // SAFETY: a live env (Invariant) and a valid out-pointer.
        self.make(|out| unsafe { sys::napi_create_array_with_length(self.raw, length, out) })
    }

    pub fn set(self, object: Val<'c>, name: &CStr, value: Val<'c>) -> Result<(), Failure> {
        // SAFETY: env and values are of this call (Invariant); `name` is NUL-terminated.
        check(unsafe {
            sys::napi_set_named_property(self.raw, object.raw, name.as_ptr(), value.raw)
        })
    }

    pub fn set_element(self, array: Val<'c>, index: u32, value: Val<'c>) -> Result<(), Failure> {
        // SAFETY: env and values are of this call (Invariant).
        check(unsafe { sys::napi_set_element(self.raw, array.raw, index, value.raw) })
    }

    /// How many elements an array has. None: no array.
    pub fn array_length(self, array: Val<'c>) -> Option<u32> {
        let mut length = 0;
        // SAFETY: env and value are of this call (Invariant); the out-pointer is valid.
        let status = unsafe { sys::napi_get_array_length(self.raw, array.raw, &mut length) };
        (status == sys::Status::napi_ok).then_some(length)
    }

    /// An element of an array. Runs JavaScript if somebody has given the array a getter.
    pub fn element(self, array: Val<'c>, index: u32) -> Result<Val<'c>, Failure> {
        // SAFETY: env and value are of this call (Invariant) and a valid out-pointer.
        self.make(|out| unsafe { sys::napi_get_element(self.raw, array.raw, index, out) })
    }

    /// A new `Uint8Array` with its own copy of `bytes`. Slow (about a microsecond): never on the hot path.
    pub fn uint8array(self, bytes: &[u8]) -> Result<Val<'c>, Failure> {
        let mut data: *mut c_void = ptr::null_mut();
        // SAFETY: a live env (Invariant) and valid out-pointers.
        let buffer = self.make(|out| unsafe {
            sys::napi_create_arraybuffer(self.raw, bytes.len(), &mut data, out)
        })?;
        if !bytes.is_empty() {
            // SAFETY: the new ArrayBuffer has `bytes.len()` bytes at `data`, and nobody else has seen it yet.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast::<u8>(), bytes.len()) };
        }
        // SAFETY: env and buffer are of this call (Invariant); offset and length lie within the buffer.
        self.make(|out| unsafe {
            sys::napi_create_typedarray(
                self.raw,
                sys::TypedarrayType::uint8_array,
                bytes.len(),
                buffer.raw,
                0,
                out,
            )
        })
    }

    /// Reads a string as UTF-16, lone surrogates as they are, into `buffer`, cut off where it is full (one unit goes to a
    /// NUL). None: no string.
    #[inline(always)]
    pub fn read_utf16(self, value: Val<'c>, buffer: &mut [MaybeUninit<u16>]) -> Option<usize> {
        let mut length = 0;
        // SAFETY: env and value are of this call (Invariant); the pointer covers `buffer.len()` writable units.
        let status = unsafe {
            sys::napi_get_value_string_utf16(
                self.raw,
                value.raw,
                buffer.as_mut_ptr().cast::<u16>(),
                buffer.len(),
                &mut length,
            )
        };
        (status == sys::Status::napi_ok).then_some(length)
    }

    /// How many bytes a string has as UTF-8.
    pub fn utf8_length(self, value: Val<'c>) -> Option<usize> {
        let mut length = 0;
        // SAFETY: env and value are of this call (Invariant); a null buffer asks for the length alone.
        let status = unsafe {
            sys::napi_get_value_string_utf8(self.raw, value.raw, ptr::null_mut(), 0, &mut length)
        };
        (status == sys::Status::napi_ok).then_some(length)
    }

    /// The number that `value` is, if it is one.
    #[inline]
    pub fn as_number(self, value: Val<'c>) -> Option<f64> {
        let mut number = 0.0;
        // SAFETY: env and value are of this call (Invariant); the out-pointer is valid.
        let status = unsafe { sys::napi_get_value_double(self.raw, value.raw, &mut number) };
        (status == sys::Status::napi_ok).then_some(number)
    }

    pub fn type_of(self, value: Val<'c>) -> Option<sys::napi_valuetype> {
        let mut kind = sys::ValueType::napi_undefined;
        // SAFETY: env and value are of this call (Invariant); the out-pointer is valid.
        let status = unsafe { sys::napi_typeof(self.raw, value.raw, &mut kind) };
        (status == sys::Status::napi_ok).then_some(kind)
    }

    /// A `Uint8Array`'s bytes, if `value` is one.
    ///
    /// # Safety
    /// No JavaScript runs while the slice is in use, and nothing writes to the array.
    pub unsafe fn uint8array_bytes(self, value: Val<'c>) -> Option<&'c [u8]> {
        let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
        // SAFETY: env and value are of this call (Invariant); out-pointers are valid or null, which means "not wanted".
        let status = unsafe {
            sys::napi_get_typedarray_info(
                self.raw,
                value.raw,
                &mut kind,
                &mut length,
                &mut data,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        if status != sys::Status::napi_ok || kind != sys::TypedarrayType::uint8_array {
            return None;
        }
        if length == 0 {
            return Some(&[]); // `data` may be null
        }
        // SAFETY: the array has `length` bytes at `data`, unchanged as this function's own condition says.
        Some(unsafe { std::slice::from_raw_parts(data.cast_const().cast::<u8>(), length) })
    }

    /// Where an `ArrayBuffer` has its bytes.
    pub fn arraybuffer_data(self, value: Val<'c>) -> Option<(*mut u8, usize)> {
        let (mut data, mut length) = (ptr::null_mut(), 0);
        // SAFETY: env and value are of this call (Invariant); the out-pointers are valid.
        let status =
            unsafe { sys::napi_get_arraybuffer_info(self.raw, value.raw, &mut data, &mut length) };
        (status == sys::Status::napi_ok).then_some((data.cast(), length))
    }

    /// A reference that keeps `value` alive until [`Env::unref`] or the environment's end.
    pub fn reference(self, value: Val<'c>) -> Result<sys::napi_ref, Failure> {
        let mut reference = ptr::null_mut();
        // SAFETY: env and value are of this call (Invariant); the out-pointer is valid.
        check(unsafe { sys::napi_create_reference(self.raw, value.raw, 1, &mut reference) })?;
        Ok(reference)
    }

    /// # Safety
    /// `reference` came from [`Env::reference`] of the same environment and is not used again.
    pub unsafe fn unref(self, reference: sys::napi_ref) {
        // SAFETY: as this function's own condition says.
        unsafe { sys::napi_delete_reference(self.raw, reference) };
    }

    pub fn error(self, code: &str, message: &str) -> Result<Val<'c>, Failure> {
        let (code, message) = (self.utf8(code.as_bytes())?, self.utf8(message.as_bytes())?);
        // SAFETY: env and values are of this call (Invariant); the out-pointer is valid.
        self.make(|out| unsafe { sys::napi_create_error(self.raw, code.raw, message.raw, out) })
    }

    /// Throws; while a worker is being terminated Node refuses, and then there is nobody to tell.
    pub fn throw(self, error: Val<'c>) {
        // SAFETY: env and value are of this call (Invariant).
        unsafe { sys::napi_throw(self.raw, error.raw) };
    }
}
