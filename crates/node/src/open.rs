//! `open`: attaches to a store and makes the native functions of one handle.

use std::ffi::CStr;
use std::ptr;

use napi::bindgen_prelude::Object;
use napi::{JsValue, Status};
use napi_derive::napi;
use napi_sys as sys;

use crate::errors::{self, Failure};
use crate::handle::{Handle, Live};
use crate::js::{Env, Val};
use crate::options::{NativeOptions, Settings};
use crate::scratch::Scratch;
use crate::{cold, hot, loading, registry};

type Function = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

/// The functions of a handle, as ts/native.ts declares them.
const FUNCTIONS: [(&CStr, Function); 36] = [
    (c"get", hot::get),
    (c"peek", hot::peek),
    (c"set", hot::set),
    (c"setBytes", hot::set_bytes),
    (c"setIfAbsent", hot::set_if_absent),
    (c"setBytesIfAbsent", hot::set_bytes_if_absent),
    (c"has", hot::has),
    (c"delete", hot::delete),
    (c"ttl", hot::remaining),
    (c"touch", hot::touch),
    (c"claim", loading::claim),
    (c"extendClaim", loading::extend_claim),
    (c"releaseClaim", loading::release_claim),
    (c"isClaimCurrent", loading::is_claim_current),
    (c"noteChange", loading::note_change),
    (c"setClaimed", loading::set_claimed),
    (c"setBytesClaimed", loading::set_bytes_claimed),
    (c"stamp", loading::stamp),
    (c"invalidateTags", loading::invalidate_tags),
    (c"tagsAreCurrent", loading::tags_are_current),
    (c"depend", loading::depend),
    (c"dependenciesAreCurrent", loading::dependencies_are_current),
    (c"size", cold::size),
    (c"clear", cold::clear),
    (c"deletePrefix", cold::delete_prefix),
    (c"scan", cold::scan),
    (c"drainChanges", cold::drain_changes),
    (c"signal", cold::signal),
    (c"sharedBlobGet", cold::blob_get),
    (c"sharedBlobSet", cold::blob_set),
    (c"sharedBlobVersion", cold::blob_version),
    (c"replaceScratch", cold::replace_scratch),
    (c"addHits", cold::add_hits),
    (c"addStale", cold::add_stale),
    (c"stats", cold::stats),
    (c"close", cold::close),
];

/// Opens a handle: an object of plain functions, see the native interface in ts/native.ts.
#[napi(catch_unwind)]
pub fn open<'env>(
    env: &'env napi::Env,
    options: NativeOptions<'env>,
) -> napi::Result<Object<'env>> {
    // SAFETY: Node is calling `open` with this env.
    let call_env = unsafe { Env::from_raw(env.raw()) };
    let opened = open_handle(call_env, &options);
    match opened {
        Ok(object) => Ok(Object::from_raw(env.raw(), object.raw())),
        Err(failure) => {
            errors::throw(call_env, &failure);
            Err(napi::Error::new(
                Status::PendingException,
                failure.to_string(),
            ))
        }
    }
}

fn open_handle<'c>(env: Env<'c>, options: &NativeOptions<'_>) -> Result<Val<'c>, Failure> {
    let store = registry::attach(Settings::new(options)?)?;
    // SAFETY: a value of this call.
    let scratch = Scratch::new(env, unsafe { Val::from_raw(options.scratch.raw()) })?;
    let handle = Handle::create(env, Live::new(store, scratch, options.watch)?)?;
    let functions = make_functions(env, handle);
    // SAFETY: the reference that `create` gave us; the functions have their own.
    unsafe { Handle::release(handle, env) };
    functions
}

fn make_functions<'c>(env: Env<'c>, handle: *const Handle) -> Result<Val<'c>, Failure> {
    let object = env.object()?;
    for (name, function) in FUNCTIONS {
        let function = make_function(env, name, function, handle)?;
        // SAFETY: `handle` came from `create` in this call, which still has its reference.
        unsafe { Handle::tie(handle, env, function) }?;
        env.set(object, name, function)?;
    }
    Ok(object)
}

/// A JavaScript function over a raw one, which gets `handle` as data.
fn make_function<'c>(
    env: Env<'c>,
    name: &CStr,
    function: Function,
    handle: *const Handle,
) -> Result<Val<'c>, Failure> {
    let mut result = ptr::null_mut();
    // SAFETY: a live env; the name is copied; the function is not callable from JavaScript before it is tied.
    let status = unsafe {
        sys::napi_create_function(
            env.raw(),
            name.as_ptr(),
            name.count_bytes() as isize,
            Some(function),
            handle.cast_mut().cast(),
            &mut result,
        )
    };
    if status != sys::Status::napi_ok {
        return Err(Failure::Pending);
    }
    // SAFETY: a value of this call.
    Ok(unsafe { Val::from_raw(result) })
}
