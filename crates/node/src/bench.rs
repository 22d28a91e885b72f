//! What the benchmarks need of the addon and nobody else, built with the feature `bench` into a file of its own.
//!
//! Two bare native calls to compare `get` and `set` with: they read the same strings, return a string as long as the
//! one that `get` returns, and do nothing in between. Others over the least that a cache could be ([`floor`](crate::floor)):
//! what no cache can go below that holds its values itself, and the same with what a cache that is shared by threads can't
//! do without. And two counters of what the calling thread has done: native calls
//! that went through entry.rs, and allocations of Rust code. The engine's helper thread allocates at every tick, whoever
//! reads or not: counted for the process, that would pass for the cost of reads. The bare calls do not pass entry.rs, so
//! neither counter slows them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;

use napi::JsValue;
use napi::bindgen_prelude::Object;
use napi_sys as sys;

use crate::errors::Failure;
use crate::floor::{self, Floor, Needs};
use crate::js::{Env, Val};
use crate::keys::{self, KeyBuffer};

/// What `benchBare` returns: ASCII, as long as the values of the benchmarks.
const RESULT: [u8; 100] = [b'x'; 100];

/// Strings longer than this are cut off; those of the benchmarks are not.
const BUFFER_BYTES: usize = 1024;

// The rest of the crate has no thread-locals, because of what their destructors might meet when a worker is terminated.
// These have none, and no lazy initialisation either.
thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts one native call of a handle.
#[inline(always)]
pub fn count_call() {
    CALLS.set(CALLS.get() + 1);
}

#[inline(always)]
fn count_allocation() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

/// The system's allocator, counted.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every method hands its arguments on to `System`, which keeps the contract, and returns what it returned.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocation();
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_allocation();
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_allocation();
        // SAFETY: the caller keeps the contract of this very method, and `block` came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of this very method, and `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }
}

type Function = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

const FUNCTIONS: [(&CStr, Function); 9] = [
    (c"benchBare", bench_bare),
    (c"benchBareSet", bench_bare_set),
    (c"benchFloorOpen", bench_floor_open),
    (c"benchFloor", bench_floor),
    (c"benchFloorSet", bench_floor_set),
    (c"benchShared", bench_shared),
    (c"benchSharedSet", bench_shared_set),
    (c"benchCalls", bench_calls),
    (c"benchAllocations", bench_allocations),
];

/// Adds the functions above to the module. A failure leaves a function out, which the benchmark reports.
pub fn register(env: &napi::Env, exports: &Object<'_>) {
    // SAFETY: Node is loading the addon with this env.
    let env = unsafe { Env::from_raw(env.raw()) };
    // SAFETY: a value of this call.
    let exports = unsafe { Val::from_raw(exports.raw()) };
    for (name, function) in FUNCTIONS {
        let _ = export(env, exports, name, function);
    }
}

fn export<'c>(
    env: Env<'c>,
    exports: Val<'c>,
    name: &CStr,
    function: Function,
) -> Result<(), Failure> {
    let mut raw = ptr::null_mut();
    // SAFETY: a live env and valid pointers; the function takes no data.
    let status = unsafe {
        sys::napi_create_function(
            env.raw(),
            name.as_ptr(),
            name.count_bytes() as isize,
            Some(function),
            ptr::null_mut(),
            &mut raw,
        )
    };
    if status != sys::Status::napi_ok {
        return Err(Failure::Pending);
    }
    // SAFETY: a value of this call.
    env.set(exports, name, unsafe { Val::from_raw(raw) })
}

/// `benchBare(key)`: reads the key, returns a new string of 100 characters.
unsafe extern "C" fn bench_bare(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node calls this function with env and info of this call.
    let (env, [key]) = unsafe { arguments(env, info) };
    read(env, key);
    made(env, std::hint::black_box(&RESULT))
}

/// `benchBareSet(key, value)`: reads both.
unsafe extern "C" fn bench_bare_set(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node calls this function with env and info of this call.
    let (env, [key, value]) = unsafe { arguments(env, info) };
    read(env, key);
    read(env, value);
    Val::UNDEFINED.raw()
}

thread_local! {
    static FLOOR: RefCell<Floor> = const { RefCell::new(Floor::new()) };
    static SHARED: RefCell<Option<(Needs, Floor)>> = const { RefCell::new(None) };
}

/// `benchFloorOpen(entries)`: empties the two stores below and gives them room.
unsafe extern "C" fn bench_floor_open(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node calls this function with env and info of this call.
    let (env, [entries]) = unsafe { arguments(env, info) };
    let entries = env.as_number(entries).unwrap_or(0.0) as usize;
    FLOOR.replace(Floor::with_entries(entries));
    SHARED.replace(Some((Needs::new(), Floor::with_entries(entries))));
    Val::UNDEFINED.raw()
}

/// `benchFloor(key)`: a new string of the value that the least cache has, or an error.
unsafe extern "C" fn bench_floor(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node calls this function with env and info of this call.
    let (env, [key]) = unsafe { arguments(env, info) };
    with_key(env, key, |key| {
        FLOOR.with_borrow(|floor| floor.get(key).map(|value| made(env, value)))
    })
}

/// `benchShared(key)`: the same of the one that does what a shared cache has to.
unsafe extern "C" fn bench_shared(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node calls this function with env and info of this call.
    let (env, [key]) = unsafe { arguments(env, info) };
    with_key(env, key, |key| {
        SHARED.with_borrow(|shared| {
            let (needs, floor) = shared.as_ref()?;
            needs.get(floor, key, |value| made(env, value))
        })
    })
}

/// What `find` makes for a key; null if it makes nothing. Raw values come back in registers, as nearcache's do.
#[inline(always)]
fn with_key<'c>(
    env: Env<'c>,
    key: Val<'c>,
    find: impl FnOnce(&[u8]) -> Option<sys::napi_value>,
) -> sys::napi_value {
    let mut buffer = KeyBuffer::new();
    let Ok(key) = keys::read(env, key, &mut buffer) else {
        return ptr::null_mut();
    };
    find(&key).unwrap_or(ptr::null_mut())
}

/// The string, or null with an exception pending.
#[inline(always)]
fn made(env: Env<'_>, value: &[u8]) -> sys::napi_value {
    env.latin1(value).map_or(ptr::null_mut(), Val::raw)
}

/// `benchFloorSet(key, value)`: stores the first 100 characters of a string.
unsafe extern "C" fn bench_floor_set(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node calls this function with env and info of this call.
    let (env, [key, value]) = unsafe { arguments(env, info) };
    with_both(env, key, value, |key, value| {
        FLOOR.with_borrow_mut(|floor| floor.set(key, value, floor::hash));
    })
}

/// `benchSharedSet(key, value)`: stores the first 100 characters of a string.
unsafe extern "C" fn bench_shared_set(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node calls this function with env and info of this call.
    let (env, [key, value]) = unsafe { arguments(env, info) };
    with_both(env, key, value, |key, value| {
        SHARED.with_borrow_mut(|shared| {
            if let Some((needs, floor)) = shared {
                floor.set(key, value, |key| needs.hash(key));
            }
        });
    })
}

/// Hands two strings to `store`, if they are that.
#[inline(always)]
fn with_both<'c>(
    env: Env<'c>,
    key: Val<'c>,
    value: Val<'c>,
    store: impl FnOnce(&[u8], &[u8]),
) -> sys::napi_value {
    let (mut key_buffer, mut value_buffer) = (KeyBuffer::new(), KeyBuffer::new());
    let key = keys::read(env, key, &mut key_buffer);
    let value = keys::read(env, value, &mut value_buffer);
    if let (Ok(key), Ok(value)) = (key, value) {
        store(&key, &value);
    }
    Val::UNDEFINED.raw()
}

/// `benchCalls()`: how many calls of handles' functions this thread has made.
unsafe extern "C" fn bench_calls(
    env: sys::napi_env,
    _info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node calls this function with this env.
    unsafe { number(env, CALLS.get()) }
}

/// `benchAllocations()`: how many allocations Rust code has made in this thread.
unsafe extern "C" fn bench_allocations(
    env: sys::napi_env,
    _info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node calls this function with this env.
    unsafe { number(env, ALLOCATIONS.get()) }
}

/// # Safety
/// Node is calling native code with `env`.
unsafe fn number(env: sys::napi_env, value: u64) -> sys::napi_value {
    // SAFETY: this call's env, used no longer than the call.
    let env = unsafe { Env::from_raw(env) };
    env.number(value as f64).map_or(ptr::null_mut(), Val::raw)
}

/// The call's arguments, gathered as entry.rs does it.
///
/// # Safety
/// Node is calling native code with `env` and `info`, and the call outlives `'c`.
#[inline(always)]
unsafe fn arguments<'c, const ARGS: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> (Env<'c>, [Val<'c>; ARGS]) {
    let (mut args, mut given, mut data) = ([ptr::null_mut(); ARGS], ARGS, ptr::null_mut());
    // SAFETY: env and info are of this call; `args` has room for `given` values; `this` is not wanted.
    unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &mut given,
            args.as_mut_ptr(),
            ptr::null_mut(),
            &mut data,
        )
    };
    // SAFETY: this call's env, used no longer than the call.
    let env = unsafe { Env::from_raw(env) };
    // SAFETY: values of this call; a missing one is `undefined`, as Node fills them in.
    (env, args.map(|raw| unsafe { Val::from_raw(raw) }))
}

/// Reads a string as UTF-8, as an addon does that thinks no further.
#[inline(always)]
fn read<'c>(env: Env<'c>, value: Val<'c>) {
    let mut buffer = [MaybeUninit::<u8>::uninit(); BUFFER_BYTES];
    let mut length = 0;
    // SAFETY: env and value are of this call; the pointer covers the buffer's bytes.
    let status = unsafe {
        sys::napi_get_value_string_utf8(
            env.raw(),
            value.raw(),
            buffer.as_mut_ptr().cast(),
            BUFFER_BYTES,
            &mut length,
        )
    };
    std::hint::black_box((&buffer, length, status));
}
