//! Schedules of the whole engine (`--cfg shuttle`): before every atomic operation the scheduler may let
//! another thread run. Locks and threads are shuttle's own and do the same by themselves.
//!
//! Shuttle runs all threads of a schedule on one thread of the system, so what memory holds is
//! sequentially consistent; weaker orders are loom's to check. Between two atomic operations nobody
//! else runs.

use std::cell::Cell;
use std::time::Duration;

std::thread_local! {
    /// Filling a cache and validating it alone needs no switches, and they would cost most of the time.
    static IS_CONCURRENT: Cell<bool> = const { Cell::new(false) };
}

/// Lets other threads run before each atomic operation of `scenario`.
pub fn concurrently<R>(scenario: impl FnOnce() -> R) -> R {
    struct Alone;
    impl Drop for Alone {
        fn drop(&mut self) {
            IS_CONCURRENT.set(false);
        }
    }
    IS_CONCURRENT.set(true);
    let _alone = Alone;
    scenario()
}

#[inline]
fn offer_switch() {
    if IS_CONCURRENT.get() && !std::thread::panicking() {
        // A plain switch: a yield would count as a hint that this thread has nothing to do.
        shuttle::thread::sleep(Duration::ZERO);
    }
}

pub(super) fn load<T>(_: &T) {
    offer_switch();
}

pub(super) fn store<T>(_: &T) {
    offer_switch();
}

pub(super) fn update<T>(_: &T) {
    offer_switch();
}
