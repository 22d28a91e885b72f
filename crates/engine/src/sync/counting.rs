//! What a thread stores (`--cfg nearcache_count_stores`): every atomic store, read-modify-write and
//! lock is written down with its address, for as long as the thread asks for it.
//!
//! Plain stores can't be seen here. Those of a reader go to its own stack and to what its closure
//! writes; shared memory is only ever stored to through these atomics or under a lock.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{LockResult, MutexGuard, TryLockResult};

/// Bytes of what processors hand to each other as a whole.
pub const LINE_BYTES: usize = 64;

/// What happened to one line of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Plain atomic stores.
    pub stores: u64,
    /// Read-modify-writes, locks taken included.
    pub updates: u64,
    /// Where the last of them stands in the source.
    pub last: Option<&'static Location<'static>>,
}

/// By the line's address divided by [`LINE_BYTES`].
pub type Lines = BTreeMap<usize, Touched>;

std::thread_local! {
    static LINES: RefCell<Option<Lines>> = const { RefCell::new(None) };
}

/// The lines that `work` stored to on this thread.
pub fn stores_of(work: impl FnOnce()) -> Lines {
    LINES.set(Some(Lines::new()));
    work();
    LINES.take().unwrap_or_default()
}

#[track_caller]
fn note<T>(place: &T, change: impl FnOnce(&mut Touched)) {
    let caller = Location::caller();
    LINES.with_borrow_mut(|lines| {
        if let Some(lines) = lines {
            let touched = lines
                .entry(std::ptr::from_ref(place).addr() / LINE_BYTES)
                .or_default();
            touched.last = Some(caller);
            change(touched);
        }
    });
}

pub(super) fn load<T>(_: &T) {}

#[track_caller]
pub(super) fn store<T>(place: &T) {
    note(place, |touched| touched.stores += 1);
}

#[track_caller]
pub(super) fn update<T>(place: &T) {
    note(place, |touched| touched.updates += 1);
}

/// std's, but taking it is written down as the read-modify-write that it is.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    #[track_caller]
    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        update(self);
        self.0.lock()
    }

    #[track_caller]
    pub(crate) fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        update(self);
        self.0.try_lock()
    }

    pub(crate) fn clear_poison(&self) {
        self.0.clear_poison();
    }
}
