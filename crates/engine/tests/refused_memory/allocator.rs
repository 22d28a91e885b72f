//! The program's allocator, which refuses what a thread has asked it to refuse.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Which of the allocations that a thread makes from now on are refused.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Smaller ones are neither counted nor refused.
    pub(crate) bytes_min: usize,
    /// The first that is refused, counted from 1.
    pub(crate) first: u64,
    /// The last.
    pub(crate) last: u64,
}

impl Plan {
    pub(crate) const COUNT_ALL: Self = Self {
        bytes_min: 0,
        first: u64::MAX,
        last: u64::MAX,
    };

    pub(crate) fn only(nth: u64) -> Self {
        Self {
            first: nth,
            last: nth,
            ..Self::COUNT_ALL
        }
    }

    pub(crate) fn from(nth: u64) -> Self {
        Self {
            first: nth,
            ..Self::COUNT_ALL
        }
    }
}

/// What became of a plan so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Outcome {
    pub(crate) asked: u64,
    pub(crate) refused: u64,
}

std::thread_local! {
    static IS_ACTIVE: Cell<bool> = const { Cell::new(false) };
    static PLAN: Cell<Plan> = const { Cell::new(Plan::COUNT_ALL) };
    static OUTCOME: Cell<Outcome> = const { Cell::new(Outcome { asked: 0, refused: 0 }) };
}

struct Refusing;

impl Refusing {
    fn refuses(bytes: usize) -> bool {
        let plan = PLAN.get();
        if !IS_ACTIVE.get() || bytes < plan.bytes_min {
            return false;
        }
        let mut outcome = OUTCOME.get();
        outcome.asked += 1;
        let refuses = (plan.first..=plan.last).contains(&outcome.asked);
        outcome.refused += u64::from(refuses);
        OUTCOME.set(outcome);
        refuses
    }
}

// SAFETY: what is not refused is passed on to the system's allocator unchanged; deciding neither allocates
// nor panics (the cells need no initialising and have no destructor).
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::refuses(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are the ones that it needs.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if Self::refuses(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

/// Begins a plan; it has effect in [`under_plan`] only.
pub(crate) fn begin(plan: Plan) {
    PLAN.set(plan);
    OUTCOME.set(Outcome::default());
}

pub(crate) fn outcome() -> Outcome {
    OUTCOME.get()
}

/// Does what the plan is for. Whatever panics there ends the process if it is refused memory, too: so
/// does a test that finds a panic.
pub(crate) fn under_plan<R>(work: impl FnOnce() -> R) -> R {
    IS_ACTIVE.set(true);
    let result = work();
    IS_ACTIVE.set(false);
    result
}
