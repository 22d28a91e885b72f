//! The lock of a shard, which is let go with a plain store.
//!
//! A lock that threads may sleep on is usually let go with a read-modify-write, which also tells whether any do: about 20
//! cycles, in which all earlier stores have to reach the cache first. That is a tenth of what a small write takes, and
//! hardly ever does anybody sleep. Here the holder stores, and then looks for waiters with a plain load; who is about to sleep
//! makes up for the fence between the two ([`Barrier`]). It is poisoned as std's mutex is, by a panic of its
//! holder.
//!
//! Invariants:
//! 1. `held` goes from 0 to 1 by a compare-and-swap only, and back by its holder only.
//! 2. Who sleeps has raised `waiters`, then issued the heavy side of the barrier, and then failed to take the lock while it held
//!    `parked`, which it gives up only as it falls asleep.
//! 3. Who lets go stores 0 to `held`, executes the light side, and then loads `waiters`; if there are any it passes through
//!    `parked` and wakes one. By the barrier either it sees the waiter of invariant 2, or that one sees the lock free.

use crate::barrier::Barrier;
use crate::sync::sleep::{Condvar, Mutex, MutexGuard};
use crate::sync::{AtomicU32, Ordering, panicking, thread};
use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

/// How often a waiter looks before it sleeps. What is done under a shard's lock takes less than a microsecond.
const LOOKS: u32 = if cfg!(any(loom, shuttle)) { 0 } else { 100 };

/// How long [`Lock::let_others_in`] leaves the lock free for who looks: a few times as long as a cache line travels.
const PAUSES: u32 = if cfg!(any(loom, shuttle)) { 0 } else { 8 };

/// How often it offers the processor to who sleeps: to be woken takes some ten microseconds, an offer that nobody takes
/// less than one.
const OFFERS_MAX: u32 = if cfg!(any(loom, shuttle)) { 1 } else { 200 };

/// See the module's documentation.
pub(crate) struct Lock<T> {
    held: AtomicU32,
    /// Threads that sleep, or are about to.
    waiters: AtomicU32,
    /// 1 if a thread panicked while it held the lock, until [`Self::clear_poison`].
    poisoned: AtomicU32,
    barrier: Barrier,
    parked: Mutex<()>,
    freed: Condvar,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, of which there is one at a time (invariant 1).
unsafe impl<T: Send> Sync for Lock<T> {}

/// Lets go when dropped.
pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
    /// A panic from before is none of this hold's.
    was_panicking: bool,
}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            held: AtomicU32::new(0),
            waiters: AtomicU32::new(0),
            poisoned: AtomicU32::new(0),
            barrier: Barrier::of_system(),
            parked: Mutex::new(()),
            freed: Condvar::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits until the lock is free and takes it, poisoned or not.
    #[inline(always)]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        if !self.try_take() {
            self.wait();
        }
        Guard {
            lock: self,
            was_panicking: panicking(),
        }
    }

    #[inline(always)]
    fn try_take(&self) -> bool {
        // Acquire: partner of the release in the guard's `drop`.
        self.held
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) {
        for _ in 0..LOOKS {
            std::hint::spin_loop();
            if self.held.load(Ordering::Relaxed) == 0 && self.try_take() {
                return;
            }
        }
        // Relaxed, here and in `drop`: it is the barrier that orders it.
        self.waiters.fetch_add(1, Ordering::Relaxed);
        self.barrier.heavy();
        let mut parked = self.park();
        while !self.try_take() {
            parked = self
                .freed
                .wait(parked)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        drop(parked);
        self.waiters.fetch_sub(1, Ordering::Relaxed);
    }

    /// For who has let go and will take the lock again at once: who looks mostly misses so short a moment, who sleeps is
    /// slower to wake than that, and both would find it taken every time.
    pub(crate) fn let_others_in(&self) {
        for _ in 0..PAUSES {
            std::hint::spin_loop();
        }
        for _ in 0..OFFERS_MAX {
            if self.waiters.load(Ordering::Relaxed) == 0 {
                return;
            }
            thread::yield_now();
        }
    }

    fn park(&self) -> MutexGuard<'_, ()> {
        self.parked
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    #[cold]
    #[inline(never)]
    fn wake(&self) {
        // Whoever failed to take the lock before it was free is asleep when this is had.
        drop(self.park());
        self.freed.notify_one();
    }

    #[cold]
    #[inline(never)]
    fn poison(&self) {
        // Relaxed: the lock is held.
        self.poisoned.store(1, Ordering::Relaxed);
    }

    /// Whether a thread panicked while it held the lock. For its holder; a hint for others.
    #[inline(always)]
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Relaxed) != 0
    }

    /// What the panic left behind is in order again. For the holder.
    pub(crate) fn clear_poison(&self) {
        self.poisoned.store(0, Ordering::Relaxed);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held as long as the guard lives.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and this is the only guard, borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Guard<'_, T> {
    /// As when it is dropped, in place.
    #[inline(always)]
    pub(crate) fn unlock(self) {
        ManuallyDrop::new(self).let_go();
    }

    #[inline(always)]
    fn let_go(&mut self) {
        if panicking() && !self.was_panicking {
            self.lock.poison();
        }
        // Release: what was done under the lock happens before what the next holder does.
        self.lock.held.store(0, Ordering::Release);
        self.lock.barrier.light();
        if self.lock.waiters.load(Ordering::Relaxed) != 0 {
            self.lock.wake();
        }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.let_go();
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    const THREADS: u64 = 4;

    /// For real, and mostly asleep: each holder waits until somebody does. A lost wake-up ends in a deadlock.
    #[test]
    fn who_sleeps_is_woken() {
        let rounds = if cfg!(miri) { 20 } else { 5_000 };
        let lock = Lock::new(0);
        let working = AtomicU32::new(THREADS as u32);
        let work = || {
            for _ in 0..rounds {
                let mut count = lock.lock();
                *count += 1;
                // Who is alone has nobody to wait for.
                while lock.waiters.load(Ordering::Relaxed) == 0
                    && working.load(Ordering::Relaxed) > 1
                {
                    thread::yield_now();
                }
            }
            working.fetch_sub(1, Ordering::Relaxed);
        };
        thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
        assert_eq!(*lock.lock(), THREADS * rounds);
        assert_eq!(lock.waiters.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn no_count_is_lost_where_nobody_has_to_sleep() {
        let rounds = if cfg!(miri) { 50 } else { 200_000 };
        let lock = Lock::new(0);
        let work = || (0..rounds).for_each(|_| *lock.lock() += 1);
        thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
        assert_eq!(*lock.lock(), THREADS * rounds);
    }

    /// Who was woken finds the lock taken again for as long as its holder only lets go in between.
    #[test]
    fn who_sleeps_gets_in_between_two_holds_of_another() {
        const HOLDS_MAX: u32 = 1_000;
        let lock = Lock::new(false);
        thread::scope(|scope| {
            let mut got_in = lock.lock();
            scope.spawn(|| *lock.lock() = true);
            while lock.waiters.load(Ordering::Relaxed) == 0 {
                thread::yield_now();
            }
            let mut holds = 0;
            while !*got_in {
                got_in.unlock();
                lock.let_others_in();
                got_in = lock.lock();
                holds += 1;
                assert!(holds < HOLDS_MAX, "not in {holds} times");
            }
        });
    }

    #[test]
    fn a_panic_of_the_holder_poisons_and_one_from_before_does_not() {
        struct LocksWhenDropped<'a>(&'a Lock<u32>);
        impl Drop for LocksWhenDropped<'_> {
            fn drop(&mut self) {
                *self.0.lock() += 1;
            }
        }
        let lock = Lock::new(0);
        let panics = |work: &dyn Fn()| assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
        panics(&|| {
            let _locks = LocksWhenDropped(&lock);
            panic!("expected");
        });
        assert_eq!((*lock.lock(), lock.is_poisoned()), (1, false));
        panics(&|| {
            let _held = lock.lock();
            panic!("expected");
        });
        assert!(lock.is_poisoned());
        lock.clear_poison();
        assert_eq!((*lock.lock(), lock.is_poisoned()), (1, false));
    }
}

/// What is modelled is the plain barrier, as for the epoch. Nobody looks before sleeping. A lost wake-up is a deadlock, which the
/// checker reports, and so it does if either side's fence is taken away, or the pass through `parked`.
#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::sync::Arc;
    use loom::cell::UnsafeCell;
    use loom::thread;

    fn add_one(lock: &Lock<UnsafeCell<u32>>) {
        let held = lock.lock();
        // SAFETY: what the model is to show: the checker finds every access that isn't ordered.
        held.with_mut(|count| unsafe { *count += 1 });
    }

    fn in_turns(threads: usize, times: u32) {
        loom::model(move || {
            let lock = Arc::new(Lock::new(UnsafeCell::new(0)));
            let others: Vec<_> = (1..threads)
                .map(|_| {
                    let lock = Arc::clone(&lock);
                    thread::spawn(move || (0..times).for_each(|_| add_one(&lock)))
                })
                .collect();
            (0..times).for_each(|_| add_one(&lock));
            others.into_iter().for_each(|other| other.join().unwrap());
            // SAFETY: as above.
            let count = lock.lock().with(|count| unsafe { *count });
            assert_eq!(count, times * threads as u32);
            assert_eq!(lock.waiters.load(Ordering::Relaxed), 0);
        });
    }

    #[test]
    fn loom_two_take_turns_and_nobody_sleeps_for_ever() {
        in_turns(2, 2);
    }

    #[test]
    fn loom_three_take_turns_and_nobody_sleeps_for_ever() {
        in_turns(3, 1);
    }
}
