//! The shim for atomics, locks and threads.
//!
//! Every other module takes its atomics from here, so that they can be swapped:
//!
//! - `--cfg loom`: the model checker's. Only the modules that hold lock-free protocols are compiled
//!   then (see `lib.rs`): loom's atomics don't have the layout of real ones, so nothing that casts raw
//!   memory can be modelled; the protocols are therefore written as small types that own no region.
//! - `--cfg shuttle`: std's atomics, each operation of which lets another thread go first
//!   ([`instrumented`], [`switching`]), and shuttle's locks and threads. The whole engine runs in
//!   schedules that are chosen and can be repeated. All memory is sequentially consistent there.
//! - `--cfg nearcache_count_stores`: std's atomics and locks, which say what they store
//!   ([`instrumented`], [`counting`]).
//! - `--cfg nearcache_spin_locks`: a mutex whose atomics are compiled here ([`spin`]): for ThreadSanitizer,
//!   which sees no order in what the compiled std does.

#[cfg(loom)]
pub(crate) use loom::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence},
    },
    thread,
};

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::{Mutex, MutexGuard},
    thread,
};

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::thread;

#[cfg(not(any(loom, shuttle, nearcache_spin_locks)))]
pub(crate) use std::sync::MutexGuard;

#[cfg(not(any(loom, shuttle, nearcache_count_stores, nearcache_spin_locks)))]
pub(crate) use std::sync::Mutex;

#[cfg(nearcache_count_stores)]
pub(crate) use counting::Mutex;

#[cfg(nearcache_spin_locks)]
mod spin;

#[cfg(nearcache_spin_locks)]
pub(crate) use spin::{Mutex, MutexGuard};

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc,
    atomic::{Ordering, fence},
};

#[cfg(not(any(loom, shuttle, nearcache_count_stores)))]
pub(crate) use std::sync::atomic::{
    AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
};

#[cfg(any(shuttle, nearcache_count_stores))]
pub(crate) use instrumented::{AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize};

#[cfg(nearcache_count_stores)]
pub mod counting;
#[cfg(any(shuttle, nearcache_count_stores))]
pub(crate) mod instrumented;
#[cfg(shuttle)]
pub mod switching;

pub(crate) use std::thread::panicking;

/// What the waiters of a [`crate::lock`] sleep on. In every other build std's: nothing is guarded by it.
pub(crate) mod sleep {
    #[cfg(loom)]
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    #[cfg(shuttle)]
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    #[cfg(not(any(loom, shuttle)))]
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
}

/// Aligned to two cache lines, because x86 prefetches lines in pairs.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct CacheAligned<T>(pub(crate) T);

/// Locks; a poisoned lock is entered all the same. Used only for state that every writer leaves
/// whole at each step (limbo, registries); a shard, the allocator, the change log and the compactor put
/// in order what a thread that died left behind.
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
