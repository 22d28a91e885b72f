//! The way into every native function: arguments and handle out of Node's hands, result or error back into them.
//!
//! A plain function with a data pointer costs one `napi_get_cb_info`; methods of a native class cost four to five
//! times as much. A panic stops here: the caller gets an error, and the engine repairs what was left behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi_sys as sys;

use crate::errors::{self, Failure};
use crate::handle::Handle;
use crate::js::{Env, Val};

/// One native call.
pub struct Call<'c, const ARGS: usize> {
    pub env: Env<'c>,
    pub handle: &'c Handle,
    /// As many as were asked for; the missing ones are `undefined`. Where Node wrote them: copied in pairs they
    /// would have to wait for its stores.
    pub args: &'c [Val<'c>; ARGS],
    /// How many the caller gave.
    pub given: usize,
}

/// Runs `body` with the call's arguments.
///
/// # Safety
/// Node calls a function that `open` made, with `env` and `info` of this call.
#[inline(always)]
pub unsafe fn run<'c, const ARGS: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: impl FnOnce(&Call<'c, ARGS>) -> Result<Val<'c>, Failure>,
) -> sys::napi_value {
    #[cfg(feature = "bench")]
    crate::bench::count_call();
    let mut args = [Val::UNDEFINED; ARGS];
    let mut given = ARGS;
    let mut data = ptr::null_mut();
    // SAFETY: env and info are of this call; `args` has room for `given` values, which a `Val` is (of this call);
    // `this` is not wanted.
    let status = unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &mut given,
            args.as_mut_ptr().cast(),
            ptr::null_mut(),
            &mut data,
        )
    };
    if status != sys::Status::napi_ok {
        return ptr::null_mut();
    }
    // SAFETY: this call's env, used no longer than the call.
    let env = unsafe { Env::from_raw(env) };
    // SAFETY: `data` is the handle that the function was tied to: it lives as long as the function.
    let handle = unsafe { &*data.cast_const().cast::<Handle>() };
    // SAFETY: the array outlives `call`, and a result, which is a value, can't refer to it.
    let args = unsafe { &*ptr::from_ref(&args) };
    let call = Call {
        env,
        handle,
        args,
        given,
    };
    match catch_unwind(AssertUnwindSafe(|| body(&call))) {
        Ok(Ok(result)) => result.raw(),
        Ok(Err(failure)) => fail(env, &failure),
        Err(payload) => {
            std::mem::forget(payload); // its drop might panic again
            fail(env, &handle.after_panic())
        }
    }
}

#[cold]
fn fail(env: Env<'_>, failure: &Failure) -> sys::napi_value {
    errors::throw(env, failure);
    ptr::null_mut()
}

/// Gives a closure its type where it is written, outside of the macro's unsafe block.
#[inline(always)]
pub fn body<'c, const ARGS: usize, F>(body: F) -> F
where
    F: FnOnce(&Call<'c, ARGS>) -> Result<Val<'c>, Failure>,
{
    body
}

/// Defines native functions: the name that Node calls, the number of arguments, and the Rust function that does it.
macro_rules! native {
    ($($(#[$doc:meta])* $name:ident [$args:literal] = $body:expr;)+) => {$(
        $(#[$doc])*
        pub unsafe extern "C" fn $name(
            env: napi_sys::napi_env,
            info: napi_sys::napi_callback_info,
        ) -> napi_sys::napi_value {
            let body = $crate::entry::body::<$args, _>($body);
            // SAFETY: only `open` hands this function to Node, tied to a handle.
            unsafe { $crate::entry::run::<$args>(env, info, body) }
        }
    )+};
}
pub(crate) use native;
