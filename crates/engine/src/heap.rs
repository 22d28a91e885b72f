//! Memory from the process's heap that may be refused.
//!
//! What std offers by default ends the process when there is none. Everything that an operation of a
//! cache needs comes from here, or is asked for with `try_reserve`, and is asked for before anything is
//! changed: then the write is refused, or something is left undone that can be done later.

use crate::sync::{AtomicU64, Ordering, fence};
use std::alloc::{Layout, alloc};
use std::collections::TryReserveError;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

/// The process's allocator refused so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfMemory {
    pub(crate) bytes: usize,
}

/// Room for so many more in a vector: pushing them can't fail then.
pub(crate) fn reserve<T>(vector: &mut Vec<T>, count: usize) -> Result<(), OutOfMemory> {
    let refused = |_: TryReserveError| OutOfMemory {
        bytes: count.saturating_mul(size_of::<T>()),
    };
    vector.try_reserve(count).map_err(refused)
}

/// A vector of an iterator's items.
pub(crate) fn collect<T>(items: impl IntoIterator<Item = T>) -> Result<Vec<T>, OutOfMemory> {
    let mut vector = Vec::new();
    for item in items {
        reserve(&mut vector, 1)?;
        vector.push(item);
    }
    Ok(vector)
}

/// So many zeroes.
pub(crate) fn zeroes(count: usize) -> Result<Vec<u8>, OutOfMemory> {
    let mut vector = Vec::new();
    reserve(&mut vector, count)?;
    vector.resize(count, 0);
    Ok(vector)
}

/// A vector of `count` items that has room for exactly these.
pub(crate) fn table<T, E: From<OutOfMemory>>(
    count: usize,
    mut make: impl FnMut(usize) -> Result<T, E>,
) -> Result<Vec<T>, E> {
    let mut vector = Vec::new();
    let refused = |_: TryReserveError| OutOfMemory {
        bytes: count.saturating_mul(size_of::<T>()),
    };
    vector.try_reserve_exact(count).map_err(refused)?;
    for index in 0..count {
        vector.push(make(index)?);
    }
    Ok(vector)
}

/// A slice of `count` items. The vector has no room to spare, so it becomes a slice where it is.
pub(crate) fn slice<T>(
    count: usize,
    mut make: impl FnMut(usize) -> T,
) -> Result<Box<[T]>, OutOfMemory> {
    Ok(table(count, |index| Ok::<_, OutOfMemory>(make(index)))?.into_boxed_slice())
}

/// A value with several owners: what std's `Arc` is, which can't be made where memory may be refused.
pub(crate) struct Shared<T> {
    /// Invariant: lives as long as there is an owner, and `owners` counts them.
    counted: NonNull<Counted<T>>,
    _owns: PhantomData<Counted<T>>,
}

struct Counted<T> {
    owners: AtomicU64,
    value: T,
}

// SAFETY: owners on several threads share the value, and the last of them drops it, wherever it is.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above: a reference to an owner makes another owner.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Result<Self, OutOfMemory> {
        let layout = Layout::new::<Counted<T>>();
        // SAFETY: the layout has a size above zero, since the counter has one.
        let memory = unsafe { alloc(layout) }.cast::<Counted<T>>();
        let counted = NonNull::new(memory).ok_or(OutOfMemory {
            bytes: layout.size(),
        })?;
        let owners = AtomicU64::new(1);
        // SAFETY: just allocated with the layout of what is written.
        unsafe { counted.write(Counted { owners, value }) };
        Ok(Self {
            counted,
            _owns: PhantomData,
        })
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.counted == other.counted
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: this is an owner, so it lives (Invariant); shared access is all that owners have.
        unsafe { self.counted.as_ref() }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        // Relaxed: this owner keeps it alive meanwhile.
        self.counted().owners.fetch_add(1, Ordering::Relaxed);
        Self {
            counted: self.counted,
            _owns: PhantomData,
        }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Release: what this owner did with the value comes before its end; partner of the fence.
        if self.counted().owners.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: nobody else owns it any more; allocated by `new` as a box of this type would be.
            drop(unsafe { Box::from_raw(self.counted.as_ptr()) });
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_shared_value_is_dropped_with_its_last_owner() {
        let witness = Arc::new(());
        let first = Shared::new(Arc::clone(&witness)).unwrap();
        let second = first.clone();
        assert!(first.is_same(&second));
        assert!(!first.is_same(&Shared::new(Arc::clone(&witness)).unwrap()));
        drop(first);
        assert_eq!(Arc::strong_count(&second), 2);
        drop(second);
        assert_eq!(Arc::strong_count(&witness), 1);
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri ends where it would refuse")]
    fn what_no_heap_has_is_refused_with_its_size() {
        let refused = OutOfMemory {
            bytes: isize::MAX as usize,
        };
        assert_eq!(zeroes(isize::MAX as usize), Err(refused));
        assert_eq!(slice(isize::MAX as usize, |_| 0u8), Err(refused));
        assert_eq!(reserve(&mut vec![0u8], isize::MAX as usize), Err(refused));
    }

    #[test]
    fn what_there_is_room_for_is_made() {
        assert_eq!(zeroes(3), Ok(vec![0; 3]));
        assert_eq!(slice(3, |index| index), Ok([0, 1, 2].into()));
        assert_eq!(collect(0..100), Ok((0..100).collect()));
    }
}
