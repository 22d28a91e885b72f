//! The shim for atomics, locks and threads.
//!
//! Every other module takes its atomics from here, so that `--cfg loom` swaps them for the model
//! checker's. Under loom only the modules that hold lock-free protocols are compiled (see `lib.rs`):
//! loom's atomics don't have the layout of real ones, so nothing that casts raw memory can be
//! modelled; the protocols are therefore written as small types that own no region.

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence},
};

#[cfg(not(loom))]
pub(crate) use std::thread;

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
        fence,
    },
};

/// Aligned to two cache lines, because x86 prefetches lines in pairs.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct CacheAligned<T>(pub(crate) T);

/// Locks; a poisoned lock is entered all the same. Used only for state that every writer leaves
/// whole at each step (free lists, registries); the shards' locks treat poison as damage.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Keeps the compiler, not the processor, from moving memory accesses across.
#[inline(always)]
pub(crate) fn compiler_fence() {
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
}
