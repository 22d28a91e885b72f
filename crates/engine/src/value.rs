//! A value as a reader sees it: valid for as long as the read's closure runs.

use crate::engine::Engine;
use crate::memory::record::Header;
use crate::memory::region::Loc;
use std::ptr::NonNull;

/// A value in place. The reader is pinned while it exists: copy out what is needed and return; don't
/// write to the same cache from inside.
pub struct Value<'a> {
    engine: &'a Engine,
    loc: Loc,
    header: &'a Header,
    /// Where the bytes begin, if the record is a short one.
    short: Option<NonNull<u8>>,
    len: usize,
    watched: bool,
    /// How often the slot had been freed when this reader found it.
    #[cfg(debug_assertions)]
    generation: u32,
}

impl<'a> Value<'a> {
    /// # Safety
    /// `loc` was found live by a reader that stays pinned for `'a`, or under its shard's lock.
    #[inline(always)]
    pub(crate) unsafe fn new(
        engine: &'a Engine,
        loc: Loc,
        header: &'a Header,
        watched: bool,
    ) -> Self {
        Self {
            engine,
            loc,
            header,
            short: engine.records().short_value(loc, header),
            len: header.value_len(),
            watched,
            #[cfg(debug_assertions)]
            generation: engine.records().generations.of(loc),
        }
    }

    /// In debug builds: panics if the slot was freed since this reader found it.
    #[inline(always)]
    fn check_not_freed(&self) {
        #[cfg(debug_assertions)]
        assert_eq!(
            self.engine.records().generations.of(self.loc),
            self.generation,
            "{:?} was freed while a pinned reader looked at it",
            self.loc
        );
    }

    /// Its length in bytes.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind it was stored with: 0 to 15, meaningless to the engine.
    #[inline(always)]
    pub fn kind(&self) -> u8 {
        self.header.kind()
    }

    /// The entry's version, for [`Handle::compare_and_set`](crate::Handle::compare_and_set).
    pub fn version(&self) -> u64 {
        self.header.version() as u64
    }

    /// Whether this read marked the entry as watched: an L0 may keep a copy until the change log
    /// names the key, or the entry expires.
    #[inline(always)]
    pub fn watched(&self) -> bool {
        self.watched
    }

    /// The low 32 bits of the tick at which the entry expires, to be compared modulo 2^32 with
    /// [`Signal::now`](crate::Signal); `None` for never. An expiry further away than 2^30 ticks is
    /// reported as that.
    #[inline]
    pub fn expiry_tick(&self) -> Option<u32> {
        let now = self.engine.common.clock.now();
        let tick = self.header.expiry().tick(now)?;
        Some(tick.min(now + (1 << 30)) as u32)
    }

    /// Milliseconds that the entry has left; `u64::MAX` for ever.
    pub fn remaining_ms(&self) -> u64 {
        self.header
            .expiry()
            .remaining_ms(self.engine.common.clock.now())
    }

    /// The bytes, if they lie in one piece, as all but long values do.
    #[inline(always)]
    pub fn as_contiguous(&self) -> Option<&[u8]> {
        self.check_not_freed();
        match self.short {
            // SAFETY: a short record's value lies in one piece, unchanged as long as the promise of `new` holds, which
            // is as long as `self` does.
            Some(start) => Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), self.len) }),
            // SAFETY: as above.
            None => unsafe { self.engine.records().contiguous_value(self.loc) },
        }
    }

    /// Copies the bytes to a buffer of exactly [`Self::len`] bytes.
    ///
    /// # Panics
    /// If the buffer has another length.
    #[inline(always)]
    pub fn copy_to(&self, out: &mut [u8]) {
        assert_eq!(
            out.len(),
            self.len(),
            "the buffer must have the value's length"
        );
        match self.as_contiguous() {
            Some(bytes) => out.copy_from_slice(bytes),
            // SAFETY: the promise of `new` holds for as long as `self` does.
            None => unsafe { self.engine.records().copy_value(self.loc, out) },
        }
    }

    /// The bytes as a vector of their own.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len()];
        self.copy_to(&mut bytes);
        bytes
    }
}

#[cfg(debug_assertions)]
impl Drop for Value<'_> {
    fn drop(&mut self) {
        if !crate::sync::thread::panicking() {
            self.check_not_freed();
        }
    }
}

#[cfg(all(test, debug_assertions, not(shuttle)))]
mod tests {
    use super::*;
    use crate::{Cache, Clock, Config, Ttl};

    fn free_while_reading(read_on: impl FnOnce(&Value<'_>)) {
        let (clock, _) = Clock::manual();
        let config = Config {
            clock,
            ..Config::new(1 << 20)
        };
        let handle = Cache::new(config).unwrap().handle();
        handle.set(b"k", b"value", 0, Ttl::Forever).unwrap();
        handle.get(b"k", |value| {
            assert_eq!(value.as_contiguous(), Some(&b"value"[..]));
            // What reclamation must never do.
            let allocator = &value.engine.common.allocator;
            allocator.free(value.loc);
            read_on(&value);
        });
    }

    #[test]
    #[should_panic(expected = "was freed while a pinned reader looked at it")]
    fn a_reader_under_which_its_record_is_freed_panics_when_it_is_done() {
        free_while_reading(|_| ());
    }

    #[test]
    #[should_panic(expected = "was freed while a pinned reader looked at it")]
    fn it_panics_when_it_looks_at_the_value_again() {
        free_while_reading(|value| {
            let seen = value.as_contiguous();
            unreachable!("{seen:?} was handed out");
        });
    }
}
