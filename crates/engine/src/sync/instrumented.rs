//! Atomics that say what they are about to do: std's, with the same layout, so that raw memory may be
//! looked at as them. What happens then is [`super::switching`]'s or [`super::counting`]'s business.
//!
//! Only the operations that the engine uses; a new one is a line here.

#[cfg(nearcache_count_stores)]
use super::counting as watcher;
#[cfg(all(shuttle, not(nearcache_count_stores)))]
use super::switching as watcher;
use std::sync::atomic::{self, Ordering};

/// Passes each method on to std's, after telling the watcher.
macro_rules! instrument {
    (impl[$($parameter:ident)?] $name:ident($value:ty) {
        $($tell:ident: fn $method:ident(&self $(, $argument:ident: $type:ty)*) $(-> $result:ty)?;)*
    }) => {
        /// As std's of that name.
        #[repr(transparent)]
        pub struct $name $(<$parameter>)?(atomic::$name $(<$parameter>)?);

        // Every width has the same operations, whether or not it uses each of them today.
        #[allow(dead_code)]
        impl $(<$parameter>)? $name $(<$parameter>)? {
            /// As std's.
            pub const fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            $(
                /// As std's.
                #[inline]
                #[cfg_attr(nearcache_count_stores, track_caller)]
                pub fn $method(&self $(, $argument: $type)*, order: Ordering) $(-> $result)? {
                    watcher::$tell(self);
                    self.0.$method($($argument,)* order)
                }
            )*
        }
    };
}

macro_rules! instrument_number {
    ($name:ident($value:ty)) => {
        instrument! {
            impl[] $name($value) {
                load: fn load(&self) -> $value;
                store: fn store(&self, value: $value);
                update: fn fetch_add(&self, value: $value) -> $value;
                update: fn fetch_sub(&self, value: $value) -> $value;
                update: fn fetch_and(&self, value: $value) -> $value;
                update: fn fetch_or(&self, value: $value) -> $value;
                update: fn fetch_xor(&self, value: $value) -> $value;
                update: fn fetch_max(&self, value: $value) -> $value;
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

instrument_number!(AtomicU8(u8));
instrument_number!(AtomicU16(u16));
instrument_number!(AtomicU32(u32));
instrument_number!(AtomicU64(u64));
instrument_number!(AtomicUsize(usize));

instrument! {
    impl[T] AtomicPtr(*mut T) {
        load: fn load(&self) -> *mut T;
        update: fn swap(&self, value: *mut T) -> *mut T;
    }
}

impl AtomicU32 {
    /// As std's.
    #[inline]
    #[cfg_attr(nearcache_count_stores, track_caller)]
    pub fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        watcher::update(self);
        self.0.compare_exchange(current, new, success, failure)
    }
}

impl<T> AtomicPtr<T> {
    /// As std's: nobody else can be looking.
    pub fn get_mut(&mut self) -> &mut *mut T {
        self.0.get_mut()
    }
}
