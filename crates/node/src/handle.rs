//! One handle: what `open` made in one environment, shared by the functions that it returned.
//!
//! A [`Handle`] is a heap block; each function has its address as data pointer and a finalizer. It is freed when the
//! last of the functions is gone (garbage collection, or the end of the environment). What it holds of the engine goes
//! earlier: at `close`, or in the environment's cleanup hook, which runs when a worker is terminated too.
//!
//! Invariant: a handle is used on its environment's thread alone, and nothing but [`Handle::shut`] changes `live`; it
//! runs only where no reference from [`Handle::live`] is in use (no native function calls JavaScript while it has one).

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use napi_sys as sys;
use nearcache_engine as engine;

use crate::errors::Failure;
use crate::js::{Env, Val};
use crate::registry::Store;
use crate::scratch::Scratch;
use crate::text;

/// Strings of fewer UTF-16 units than this pass through the handle's own buffer; longer ones through the heap.
const TEXT_UNITS: usize = 32 * 1024;

/// What string values pass through.
pub type TextBuffer = text::Buffer<TEXT_UNITS>;

/// What an open handle works with.
pub struct Live {
    pub engine: engine::Handle,
    pub store: Arc<Store>,
    pub scratch: Scratch,
    /// Whether reads ask for watched entries (this handle has an L0).
    pub watch: bool,
    pub value_bytes_max: u64,
    text: UnsafeCell<Box<TextBuffer>>,
}

impl Live {
    pub fn new(store: Arc<Store>, scratch: Scratch, watch: bool) -> Result<Live, Failure> {
        Ok(Live {
            engine: store.cache.try_handle()?,
            value_bytes_max: store.cache.max_value_size(),
            store,
            scratch,
            watch,
            text: UnsafeCell::new(TextBuffer::zeroed()),
        })
    }

    /// The buffer through which strings pass. Its bytes are initialised.
    ///
    /// # Safety
    /// No other reference to it is in use.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // one thread, one use per call: the condition above
    pub unsafe fn text(&self) -> &mut TextBuffer {
        // SAFETY: the caller has the only reference, and the handle's thread is the only one (Invariant).
        unsafe { &mut *self.text.get() }
    }

    /// Its bytes alone.
    ///
    /// # Safety
    /// As [`Self::text`].
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // one thread, one use per call: the condition of `text`
    pub unsafe fn text_bytes(&self) -> &mut [u8] {
        // SAFETY: as this function's own condition says; the buffer was made zeroed.
        unsafe { self.text().bytes_mut() }
    }
}

/// The data of the native functions of one `open`.
pub struct Handle {
    live: UnsafeCell<Option<Live>>,
    /// Functions whose finalizer has still to run, and 1 for `open` while it runs.
    functions: Cell<u32>,
    /// Whether the environment still has the cleanup hook.
    is_hooked: Cell<bool>,
}

impl Handle {
    /// A new handle; its first reference is the caller's, who gives it back by [`Handle::release`].
    pub fn create(env: Env<'_>, live: Live) -> Result<*const Handle, Failure> {
        let handle = Box::into_raw(Box::new(Handle {
            live: UnsafeCell::new(Some(live)),
            functions: Cell::new(1),
            is_hooked: Cell::new(true),
        }));
        // SAFETY: a live env; the hook's argument is freed only after the hook was removed or has run.
        let status =
            unsafe { sys::napi_add_env_cleanup_hook(env.raw(), Some(at_env_end), handle.cast()) };
        if status == sys::Status::napi_ok {
            return Ok(handle);
        }
        // SAFETY: nobody else has seen the pointer.
        let handle = unsafe { Box::from_raw(handle) };
        handle.is_hooked.set(false);
        handle.end(env);
        Err(Failure::Pending)
    }

    /// Ties the handle's life to `function`.
    ///
    /// # Safety
    /// `handle` came from [`Handle::create`] in this environment and has a reference left.
    pub unsafe fn tie(
        handle: *const Handle,
        env: Env<'_>,
        function: Val<'_>,
    ) -> Result<(), Failure> {
        // SAFETY: env and function are of this call; `handle` is counted below and so outlives the function.
        let status = unsafe {
            sys::napi_add_finalizer(
                env.raw(),
                function.raw(),
                handle.cast_mut().cast(),
                Some(at_function_end),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        if status != sys::Status::napi_ok {
            return Err(Failure::Pending);
        }
        // SAFETY: alive, as this function's own condition says.
        let functions = unsafe { &(*handle).functions };
        functions.set(functions.get() + 1);
        Ok(())
    }

    /// Gives back one reference; the last one frees the handle.
    ///
    /// # Safety
    /// `handle` came from [`Handle::create`] in this environment, and the reference is the caller's.
    pub unsafe fn release(handle: *const Handle, env: Env<'_>) {
        // SAFETY: alive, because the caller has a reference.
        let functions = unsafe { &(*handle).functions };
        functions.set(functions.get() - 1);
        if functions.get() == 0 {
            // SAFETY: the pointer came from `Box::into_raw`, and that was the last reference.
            let handle = unsafe { Box::from_raw(handle.cast_mut()) };
            handle.end(env);
        }
    }

    /// What the handle works with, unless it is closed or its store poisoned.
    #[inline(always)]
    pub fn live(&self) -> Result<&Live, Failure> {
        // SAFETY: nobody changes `live` while the reference is in use (Invariant).
        match unsafe { &*self.live.get() } {
            Some(live) if !live.store.is_poisoned() => Ok(live),
            Some(_) => Err(Failure::Poisoned),
            None => Err(Failure::Closed),
        }
    }

    /// What the caller of a native function that panicked is told.
    #[cold]
    pub fn after_panic(&self) -> Failure {
        // SAFETY: nobody changes `live` while the reference is in use (Invariant).
        match unsafe { &*self.live.get() } {
            Some(live) => live.store.after_panic(),
            None => Failure::Panicked,
        }
    }

    /// Closes the handle and returns the store that it held, if it was open.
    ///
    /// # Safety
    /// No reference from [`Handle::live`] is in use.
    pub unsafe fn shut(&self, env: Option<Env<'_>>) -> Option<Arc<Store>> {
        // SAFETY: the only reference, as this function's own condition says.
        let live = unsafe { &mut *self.live.get() }.take()?;
        let Live {
            engine,
            store,
            scratch,
            ..
        } = live;
        if let Some(env) = env {
            scratch.release(env);
        }
        drop(engine);
        Some(store)
    }

    /// What has to happen before a handle that no function refers to any more is freed.
    fn end(&self, env: Env<'_>) {
        if self.is_hooked.get() {
            // SAFETY: the very pair that `create` added; the hook has not run.
            unsafe {
                sys::napi_remove_env_cleanup_hook(
                    env.raw(),
                    Some(at_env_end),
                    ptr::from_ref(self).cast_mut().cast(),
                )
            };
        }
        // SAFETY: no function of this handle is left, so nothing uses a reference.
        let Some(store) = (unsafe { self.shut(Some(env)) }) else {
            return;
        };
        // Never closed, only forgotten: a named store stays until its last thread is gone.
        if store.is_named() {
            keep_until_env_end(env, store);
        }
    }
}

/// The environment ends (a worker exits or is terminated): JavaScript no longer runs, functions are not called again.
unsafe extern "C" fn at_env_end(data: *mut c_void) {
    // SAFETY: `data` is the handle; it is alive, because freeing it removes this hook first.
    let handle = unsafe { &*data.cast::<Handle>() };
    handle.is_hooked.set(false);
    // SAFETY: no native function is running on this thread. The environment frees its references itself.
    contain(|| drop(unsafe { handle.shut(None) }));
}

/// A function was collected, or its environment is going.
unsafe extern "C" fn at_function_end(env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: Node calls finalizers on the environment's thread; `data` is the handle that `tie` counted.
    contain(|| unsafe { Handle::release(data.cast_const().cast(), Env::from_raw(env)) });
}

/// Runs an ending in which nobody could receive an error. A panic has been reported on stderr.
fn contain(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        std::mem::forget(payload); // its drop might panic again
    }
}

/// Stores that were forgotten without `close` in one environment: its instance data.
type Forgotten = Vec<Arc<Store>>;

fn keep_until_env_end(env: Env<'_>, store: Arc<Store>) {
    let mut data = ptr::null_mut();
    // SAFETY: a live env and a valid out-pointer. Instance data of this addon is a `Forgotten` or null.
    if unsafe { sys::napi_get_instance_data(env.raw(), &mut data) } != sys::Status::napi_ok {
        return;
    }
    if data.is_null() {
        let fresh = Box::into_raw(Box::new(vec![store]));
        // SAFETY: a live env; the finalizer frees exactly this box.
        let status = unsafe {
            sys::napi_set_instance_data(
                env.raw(),
                fresh.cast(),
                Some(at_instance_end),
                ptr::null_mut(),
            )
        };
        if status != sys::Status::napi_ok {
            // SAFETY: Node did not take the box.
            drop(unsafe { Box::from_raw(fresh) });
        }
        return;
    }
    // SAFETY: set above, on this thread, and not freed before the environment ends.
    let forgotten = unsafe { &mut *data.cast::<Forgotten>() };
    if !forgotten.iter().any(|kept| Arc::ptr_eq(kept, &store)) {
        forgotten.push(store);
    }
}

unsafe extern "C" fn at_instance_end(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the box that `keep_until_env_end` handed over; Node calls this once.
    contain(|| drop(unsafe { Box::from_raw(data.cast::<Forgotten>()) }));
}
