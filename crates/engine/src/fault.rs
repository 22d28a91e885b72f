//! Points at which a test can let a thread die: between the steps of every change that is made under a
//! lock, and between allocating a record and publishing it.
//!
//! Without the feature `fault` a point is nothing at all. With it, a thread that has armed itself
//! unwinds at the n-th point that it passes. The feature is refused without debug assertions, so no
//! release build can contain it.
//!
//! Where two neighbouring statements have no point between them although a state between them would be
//! wrong (a counter outside of the lock and what it counts, a pointer that was swapped out and the list
//! that takes it), neither of the two can panic: room was made before.

#[cfg(all(feature = "fault", not(debug_assertions)))]
compile_error!("the feature `fault` is for tests: it needs debug assertions");

/// A place where an armed thread may die.
#[cfg(not(feature = "fault"))]
#[inline(always)]
pub(crate) fn point() {}

#[cfg(feature = "fault")]
pub use armed::{Injected, Place, arm, arm_with, disarm, point, trace};

#[cfg(feature = "fault")]
mod armed {
    use std::cell::RefCell;
    use std::panic::{Location, resume_unwind};

    /// Where a point stands in the source.
    pub type Place = &'static Location<'static>;

    /// What an injected panic carries.
    #[derive(Debug)]
    pub struct Injected {
        /// The point that was hit.
        pub place: Place,
    }

    type LastWish = Box<dyn FnOnce()>;

    /// What the points on this thread do.
    #[derive(Default)]
    enum Mode {
        #[default]
        Idle,
        /// Notes the places.
        Trace(Vec<Place>),
        /// Dies when so many points have been passed, this one included.
        Armed { left: u64, last_wish: LastWish },
    }

    thread_local! {
        static MODE: RefCell<Mode> = const { RefCell::new(Mode::Idle) };
    }

    /// Lets this thread unwind with [`Injected`] at the `nth` point from now on, counted from 1.
    pub fn arm(nth: u64) {
        arm_with(nth, || ());
    }

    /// As [`arm`]; `last_wish` is called at the point, before the thread unwinds.
    pub fn arm_with(nth: u64, last_wish: impl FnOnce() + 'static) {
        MODE.set(Mode::Armed {
            left: nth,
            last_wish: Box::new(last_wish),
        });
    }

    /// Takes [`arm`] back.
    pub fn disarm() {
        MODE.take();
    }

    /// The points that `act` passes.
    pub fn trace(act: impl FnOnce()) -> Vec<Place> {
        MODE.set(Mode::Trace(Vec::new()));
        act();
        match MODE.take() {
            Mode::Trace(places) => places,
            Mode::Idle | Mode::Armed { .. } => Vec::new(),
        }
    }

    /// A place where an armed thread may die. Once: what runs while it unwinds is left in peace.
    #[track_caller]
    pub fn point() {
        let place = Location::caller();
        let is_last = MODE.with_borrow_mut(|mode| match mode {
            Mode::Idle => false,
            Mode::Trace(places) => {
                places.push(place);
                false
            }
            Mode::Armed { left, .. } => {
                *left -= 1;
                *left == 0
            }
        });
        if is_last && let Mode::Armed { last_wish, .. } = MODE.take() {
            last_wish();
            // Not `panic!`: this poisons locks all the same, and prints nothing.
            resume_unwind(Box::new(Injected { place }));
        }
    }
}
