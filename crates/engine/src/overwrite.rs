//! Writing a value over the old one in place.
//!
//! Readers take no lock, so a record that one of them may be looking at is never changed: a write
//! makes a new record and retires the old one. Where only one handle exists, as in a process with one
//! thread, there is nobody to look, and the value can be written where the old one lies: no slot to find,
//! none to take back, the same cache lines as before.
//!
//! Invariants:
//! 1. It is done under the shard's lock, by the only registered reader, while it is not pinned.
//! 2. Who registers raises the number of readers first, and then passes through the lock of every shard
//!    before it reads. So it waits for a writer that saw the old number, and every later one sees the
//!    new number.
//! 3. A reader that unregisters has read all that it will before the number falls.
//! 4. Nobody reads a record without lock or pin, and nobody pins without being registered.

use crate::engine::Engine;
use crate::epoch::ReaderSlot;
use crate::error::Error;
use crate::fault;
use crate::memory::record::NewRecord;
use crate::memory::region::Loc;
use crate::shard::LockedShard;
use crate::state::VERSION_MASK;

impl Engine {
    /// Stores a value in the record that its key has, if it has one, the value fits there, and nobody can be
    /// reading it. False if nothing has changed.
    pub(crate) fn overwrite_in_place(
        &self,
        new: NewRecord<'_>,
        shard: usize,
        now: u64,
        own: &ReaderSlot,
    ) -> Result<bool, Error> {
        let mut locked = self.lock(shard)?;
        let is_attended = self.common.attention.is_needed();
        if is_attended {
            self.supersede_claim(new.hash);
        }
        // Under the lock, and not before: invariant 2.
        let done = self.common.epoch.is_only_reader(own) && locked.overwrite_in_place(&new, now);
        if !done {
            own.expect_overwrite(false);
        } else if is_attended {
            self.tell_dependents(new.hash);
        }
        Ok(done)
    }
}

impl LockedShard<'_> {
    /// Nobody may be reading this shard's records.
    fn overwrite_in_place(&mut self, new: &NewRecord<'_>, now: u64) -> bool {
        let allocator = &self.common.allocator;
        // As a reader would: it has the value's lines fetched.
        // SAFETY: the shard's lock is held.
        let found = unsafe { self.index.find_live(allocator, new.hash, new.key, now) };
        found.is_some_and(|loc| self.overwrite_at(loc, new, now))
    }

    /// As [`Self::overwrite_in_place`], where the key's live record is known.
    #[inline(always)]
    pub(crate) fn overwrite_at(&mut self, loc: Loc, new: &NewRecord<'_>, now: u64) -> bool {
        let records = self.common.allocator.records();
        let header = records.header(loc);
        if !records.fits_in_place(header, new.value) {
            return false;
        }
        if self.renew_expiry(loc, new.expiry, now).is_none() {
            return false;
        }
        fault::point();
        let version = self.state.last_version.wrapping_add(1) & VERSION_MASK;
        // SAFETY: the shard's lock is held, the caller vouches that nobody reads, and the value fits.
        let was_watched = unsafe { records.renew_value(loc, new.value, new.kind, version) };
        fault::point();
        if was_watched {
            self.common.changes.append(new.key);
        }
        // An overwrite is a use.
        header.raise_hits();
        self.state.last_version = version;
        self.state.counts.sets += 1;
        fault::point();
        true
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use crate::{Cache, Clock, Config, Drained, Handle, ManualClock, Ttl};

    fn cache() -> (Cache, ManualClock) {
        let (clock, manual) = Clock::manual();
        let config = Config {
            clock,
            seed: Some(1),
            ..Config::new(1 << 20)
        };
        (Cache::new(config).unwrap(), manual)
    }

    /// Where the value lies and what it is.
    fn look(handle: &Handle, key: &[u8]) -> Option<(usize, Vec<u8>, u8)> {
        handle.peek(key, |value| {
            let bytes = value.as_contiguous().expect("short");
            (bytes.as_ptr().addr(), bytes.to_vec(), value.kind())
        })
    }

    /// Writes twice, so that the next write expects an overwrite; where the value lies then.
    fn settle(handle: &Handle, key: &[u8], len: usize) -> usize {
        for _ in 0..2 {
            handle
                .set(key, &vec![0; len], 0, Ttl::Millis(1_000))
                .unwrap();
        }
        look(handle, key).unwrap().0
    }

    fn set(handle: &Handle, key: &[u8], value: &[u8], kind: u8) -> usize {
        handle.set(key, value, kind, Ttl::Millis(1_000)).unwrap();
        let (place, found, found_kind) = look(handle, key).unwrap();
        assert_eq!((found.as_slice(), found_kind), (value, kind));
        place
    }

    #[test]
    fn the_only_handle_writes_a_value_of_the_same_size_where_the_old_one_lies() {
        let (cache, _) = cache();
        let handle = cache.handle();
        let place = settle(&handle, b"key", 100);
        let version = handle.get(b"key", |value| value.version());
        assert_eq!(set(&handle, b"key", &[7; 100], 3), place);
        assert_eq!(set(&handle, b"key", &[8; 99], 4), place, "the same slot");
        assert_ne!(handle.get(b"key", |value| value.version()), version);
        assert_eq!(cache.stats().sets, 4);
        assert_eq!(cache.stats().memory_retired, 0);
        cache.validate().unwrap();
    }

    #[test]
    fn a_value_that_needs_another_slot_or_chunks_gets_them() {
        let (cache, _) = cache();
        let handle = cache.handle();
        let place = settle(&handle, b"key", 100);
        assert_ne!(set(&handle, b"key", &[7; 200], 3), place);
        settle(&handle, b"key", 100);
        let long = vec![9; 100_000];
        for value in [&long, &long, &vec![1; 100], &long] {
            handle.set(b"key", value, 0, Ttl::Forever).unwrap();
            let found = handle.get(b"key", |value| value.to_vec());
            assert_eq!(found.as_ref(), Some(value));
        }
        cache.validate().unwrap();
    }

    #[test]
    fn with_another_handle_the_old_value_stays_as_it_is() {
        let (cache, _) = cache();
        let handle = cache.handle();
        let place = settle(&handle, b"key", 100);
        let other = cache.handle();
        assert_ne!(set(&handle, b"key", &[7; 100], 3), place);
        drop(other);
        let place = settle(&handle, b"key", 100);
        assert_eq!(set(&handle, b"key", &[8; 100], 3), place, "alone again");
    }

    #[test]
    fn a_value_that_its_own_thread_is_reading_stays_as_it_is() {
        let (cache, _) = cache();
        let handle = cache.handle();
        settle(&handle, b"key", 100);
        handle.get(b"key", |value| {
            handle.set(b"key", &[7; 100], 0, Ttl::Forever).unwrap();
            assert_eq!(value.as_contiguous(), Some(&[0; 100][..]));
        });
        assert_eq!(look(&handle, b"key").unwrap().1, [7; 100]);
    }

    #[test]
    fn it_lives_as_long_as_the_last_write_says() {
        let (cache, clock) = cache();
        let handle = cache.handle();
        for (ttl_ms, next_ms) in [(1_000, 100), (100, 1_000), (1_000, 1_000)] {
            settle(&handle, b"key", 10);
            for ms in [ttl_ms, next_ms] {
                handle.set(b"key", &[1; 10], 0, Ttl::Millis(ms)).unwrap();
            }
            clock.advance_ms(next_ms - 10);
            cache.maintain();
            assert!(handle.contains(b"key"), "{ttl_ms}, then {next_ms}");
            clock.advance_ms(30);
            assert!(!handle.contains(b"key"), "{ttl_ms}, then {next_ms}");
            clock.advance_ms(200);
            cache.maintain();
            assert_eq!(cache.len(), 0, "{ttl_ms}, then {next_ms}");
            cache.validate().unwrap();
        }
        settle(&handle, b"key", 10);
        handle.set(b"key", &[1; 10], 0, Ttl::Forever).unwrap();
        clock.advance_ms(1 << 40);
        cache.maintain();
        assert!(handle.contains(b"key"));
    }

    #[test]
    fn an_l0_learns_of_it() {
        let (cache, _) = cache();
        let handle = cache.handle();
        settle(&handle, b"key", 100);
        let mut is_watched = false;
        for _ in 0..8 {
            let read = handle.get_watched(b"key", |value| value.watched());
            is_watched = read.unwrap();
        }
        assert!(is_watched);
        set(&handle, b"key", &[7; 100], 3);
        let mut changed = Vec::new();
        let drained = handle.drain_changes(|key| changed.push(key.to_vec()));
        assert!(matches!(drained, Drained::Keys { .. }));
        assert_eq!(changed, [b"key"]);
    }

    #[test]
    fn conditions_are_kept() {
        let (cache, _) = cache();
        let handle = cache.handle();
        settle(&handle, b"key", 100);
        assert!(
            !handle
                .set_if_absent(b"key", &[7; 100], 0, Ttl::Forever)
                .unwrap()
        );
        let version = handle.get(b"key", |value| value.version()).unwrap();
        set(&handle, b"key", &[8; 100], 0);
        let stored = handle.compare_and_set(b"key", version, &[9; 100], 0, Ttl::Forever);
        assert_eq!(stored, Ok(false));
        assert_eq!(look(&handle, b"key").unwrap().1, [8; 100]);
    }
}
