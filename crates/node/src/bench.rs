//! The bare native call that benchmarks compare a look-up with: it reads the key and returns the same string each
//! time, and does nothing in between.

use std::mem::MaybeUninit;
use std::ptr;

use napi::JsValue;
use napi::bindgen_prelude::Object;
use napi_sys as sys;

use crate::js::{Env, Val};

const RESULT: [u8; 100] = [b'x'; 100];

/// Adds `benchBare(key)` to the module.
pub fn register(env: &napi::Env, exports: &Object<'_>) {
    // SAFETY: Node is loading the addon with this env.
    let env = unsafe { Env::from_raw(env.raw()) };
    let mut function = ptr::null_mut();
    // SAFETY: a live env and valid pointers; the function takes no data.
    let status = unsafe {
        sys::napi_create_function(
            env.raw(),
            c"benchBare".as_ptr(),
            9,
            Some(bench_bare),
            ptr::null_mut(),
            &mut function,
        )
    };
    if status == sys::Status::napi_ok {
        // SAFETY: both are values of this call. A failure leaves the function out, which the benchmark reports.
        let _ = unsafe {
            env.set(
                Val::from_raw(exports.raw()),
                c"benchBare",
                Val::from_raw(function),
            )
        };
    }
}

unsafe extern "C" fn bench_bare(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    let (mut key, mut given, mut data) = (ptr::null_mut(), 1, ptr::null_mut());
    // SAFETY: env and info are of this call, and there is room for one argument.
    unsafe { sys::napi_get_cb_info(env, info, &mut given, &mut key, ptr::null_mut(), &mut data) };
    // SAFETY: this call's env, used no longer than the call.
    let env = unsafe { Env::from_raw(env) };
    let mut buffer = [MaybeUninit::uninit(); 1024];
    // SAFETY: a value of this call.
    let length = env.read_utf8(unsafe { Val::from_raw(key) }, &mut buffer);
    std::hint::black_box((&buffer, length));
    env.latin1(std::hint::black_box(&RESULT))
        .map_or(ptr::null_mut(), Val::raw)
}
