//! The eviction that an insert into a full cache mostly comes to, where one handle exists and sizes are alike: the
//! window's first record was not read, contests the one at the hand of the main space, which was not either, and the new
//! record takes the slot of the one that goes.
//!
//! [`evict_for`](crate::shard::LockedShard) and `publish_reused` would decide and do the same, in more
//! instructions: here it is known from the start that slot, charge and mostly the place in the wheel stay, so none
//! is given back and taken again. All is asked before anything changes; where it is otherwise nothing has happened.

use crate::eviction::Ahead;
use crate::expiry::Wheel;
use crate::fault;
use crate::hash::KeyHash;
use crate::index::{Home, Index};
use crate::limit::Unit;
use crate::memory::record::{Header, NewRecord, Queue};
use crate::memory::region::Loc;
use crate::policy::rings::Hashed;
use crate::policy::{Admission, EVERYBODY, UNKNOWN_ONE_IN, admits};
use crate::shard::LockedShard;
use crate::state::VERSION_MASK;

/// What became of a new record.
pub(crate) enum Replaced {
    /// Nothing has changed: another eviction has to make room.
    Nothing,
    /// It lies where one lay that has gone.
    One,
    /// One is gone, its slot is retired, and the index has no room.
    NeedsIndex,
}

impl LockedShard<'_> {
    /// Stores a new record of a key that has none, whose home is `home`, in the slot of whoever goes of the window's first
    /// and the one that it meets, if that can be told. Nobody may be reading this shard's records.
    #[inline(always)]
    pub(crate) fn replace_unread<const LONG: bool>(
        &mut self,
        new: &NewRecord<'_>,
        home: Home<'_>,
        slot_bytes: u64,
        ahead: &Ahead,
        now: u64,
    ) -> Replaced {
        let Some((met, queue)) = self.unread_contest::<LONG>(new, slot_bytes, ahead, now) else {
            return Replaced::Nothing;
        };
        let (candidate, hash) = ahead.known;
        // If it goes the other way, with the same numbers.
        let random = self.state.random;
        let replaced = match self.hash_of_beaten(hash, met) {
            None => self.replace::<LONG, false>(new, home, (candidate, hash), slot_bytes, now),
            Some(beaten) => {
                let (loser, winner) = ((met, beaten), (candidate, queue));
                self.replace_met::<LONG>(*new, loser, winner, slot_bytes, now)
            }
        };
        if matches!(replaced, Replaced::Nothing) {
            self.state.random = random;
        }
        replaced
    }

    /// As [`Self::replace_unread`], where the window's first has won its contest. The new record is copied and its home looked up
    /// once more, so that neither need lie in memory where it has lost.
    #[inline(never)]
    fn replace_met<const LONG: bool>(
        &mut self,
        new: NewRecord<'_>,
        loser: Hashed,
        (winner, queue): (Loc, Queue),
        slot_bytes: u64,
        now: u64,
    ) -> Replaced {
        let allocator = &self.common.allocator;
        let header = allocator.records().header(loser.0);
        if !self.may_go(header, self.index.home(allocator, loser.1)) {
            return Replaced::Nothing;
        }
        self.admit(winner, queue, loser.0, slot_bytes);
        let home = self.index.home(allocator, new.hash);
        self.replace::<LONG, true>(&new, home, loser, slot_bytes, now)
    }

    /// Whether a loser's slot may pass on: no L0 is to be told, and its segment remains.
    #[inline(always)]
    fn may_go(&self, loser: &Header, home: Home<'_>) -> bool {
        // A merge would move what the new key's home leads to.
        !loser.is_watched() && !Index::is_near_merging(home, &self.common.allocator)
    }

    /// Stores a new record in the slot of who goes: the window's first, or else (`IS_MET`) one that has left its ring already.
    #[inline(always)]
    fn replace<const LONG: bool, const IS_MET: bool>(
        &mut self,
        new: &NewRecord<'_>,
        home: Home<'_>,
        (loc, hash): Hashed,
        slot_bytes: u64,
        now: u64,
    ) -> Replaced {
        let common = self.common;
        let (allocator, records) = (&common.allocator, common.allocator.records());
        let header = records.header(loc);
        let old_home = self.index.home(allocator, hash);
        if !IS_MET && !self.may_go(header, old_home) {
            return Replaced::Nothing;
        }
        let Some(place) = Index::place_at(old_home, loc) else {
            debug_assert!(false, "what is in a ring is in the index");
            return Replaced::Nothing;
        };
        self.state.sizes.note_equal();
        self.state.in_hand.going = loc;
        fault::point();
        Index::remove_at(old_home, allocator, place);
        fault::point();
        let stays_filed = new.expiry.is_no_earlier_than(header.near_expiry());
        if !stays_filed {
            self.state.wheel.unlink(records, loc);
        }
        fault::point();
        self.state.in_hand.coming = loc;
        self.state.in_hand.going = Loc::NONE;
        fault::point();
        let counts = &mut self.state.counts;
        if IS_MET {
            counts.evictions += 1;
        } else {
            counts.rejections += 1;
        }
        let version = self.state.last_version.wrapping_add(1) & VERSION_MASK;
        self.state.last_version = version;
        // SAFETY: the record occupied as much, with chunks as this one or without as this one, and was not watched. It is not in
        // the index any more, nobody can be reading it, as the caller vouches, and neither slot nor chunks were freed.
        unsafe { records.refill::<LONG>(loc, new, slot_bytes as usize, version) };
        fault::point();
        common.turnover.note(slot_bytes, &common.sketch);
        if !Index::insert_at(home, allocator, loc)
            && !self.insert_by_split::<IS_MET>(new.hash, loc, slot_bytes)
        {
            return Replaced::NeedsIndex;
        }
        fault::point();
        if IS_MET {
            (self.state.rings).push(records, Queue::Window, loc, slot_bytes);
        } else {
            self.state.rings.rotate(records, Queue::Window, loc);
        }
        fault::point();
        self.state.counts.sets += 1;
        fault::point();
        if !stays_filed || !Wheel::is_filed(records, loc) {
            self.file(loc, now);
        }
        fault::point();
        self.state.in_hand.coming = Loc::NONE;
        fault::point();
        #[cfg(all(test, not(shuttle)))]
        tests::REPLACED.set(tests::REPLACED.get() + 1);
        Replaced::One
    }

    /// Whom the window's first record meets, and in which ring, if both were not read and occupy as much as the new one will,
    /// and nothing else has to go.
    #[inline(always)]
    fn unread_contest<const LONG: bool>(
        &self,
        new: &NewRecord<'_>,
        slot_bytes: u64,
        ahead: &Ahead,
        now: u64,
    ) -> Option<(Loc, Queue)> {
        #[cfg(all(test, not(shuttle)))]
        if tests::IN_GENERAL.get() {
            return None;
        }
        let (common, state) = (self.common, &*self.state);
        let records = common.allocator.records();
        // The window remains as it is, so if it had to shrink afterwards that is known, too.
        let may_be = ahead.window_is_over_within(self.slack_of(slot_bytes))
            && common.layout.unit == Unit::Bytes
            && !common.has_room()
            && state.wheel.is_idle(now);
        let (candidate, _) = ahead.known;
        if !may_be || state.rings.first(Queue::Window) != Some(candidate) {
            return None;
        }
        let [queue, _] = self.main_queues();
        let met = state.rings.first(queue)?;
        let are_plain = records.is_unread_and_alike::<LONG>(candidate, new, slot_bytes)
            && !records.header(candidate).near_expiry().is_past(now)
            && records.is_unread_and_alike::<LONG>(met, new, slot_bytes)
            && !records.header(met).near_expiry().is_past(now);
        are_plain.then_some((met, queue))
    }

    /// The hash of the one that a candidate meets, if the candidate takes its place: as `contest` would say of two of the same
    /// size.
    #[inline(always)]
    fn hash_of_beaten(&mut self, candidate: KeyHash, met: Loc) -> Option<KeyHash> {
        let frequency = self.common.sketch.frequency(candidate);
        let is_unknown = frequency == 0
            && self.setting().admission != EVERYBODY
            && !self.state.random.next().is_multiple_of(UNKNOWN_ONE_IN);
        if is_unknown {
            return None;
        }
        self.weigh_unread(frequency, met)
    }

    /// As [`Self::hash_of_beaten`], where the one that it meets may have to be looked at.
    #[inline(never)]
    fn weigh_unread(&mut self, frequency: u32, met: Loc) -> Option<KeyHash> {
        let admission = self.setting().admission;
        let hash = self.hash_of(met);
        let is_admitted = match admission {
            // Whom it meets need not be looked at.
            Admission::AtLeast(uses) if frequency > 0 || uses == 0 => frequency >= uses,
            _ => {
                let bar = self.common.sketch.frequency(hash);
                admits(admission, frequency, bar, &mut self.state.random)
            }
        };
        is_admitted.then_some(hash)
    }

    /// The winner enters the main space, the loser leaves its ring.
    #[inline(never)]
    fn admit(&mut self, winner: Loc, queue: Queue, loser: Loc, charge: u64) {
        let records = self.common.allocator.records();
        let rings = &mut self.state.rings;
        rings.move_to(records, Queue::Window, Queue::Probation, winner);
        fault::point();
        rings.unlink(records, queue, loser, charge);
        fault::point();
    }

    /// Puts the new record, which lies where the loser lay, into the index after its segment was split. False if there is
    /// no room for that: then it is retired.
    #[inline(never)]
    fn insert_by_split<const IS_MET: bool>(
        &mut self,
        hash: KeyHash,
        loc: Loc,
        charge: u64,
    ) -> bool {
        let (common, index) = (self.common, self.index);
        let (allocator, records) = (&common.allocator, common.allocator.records());
        let retired = self.state.pending.index();
        if (index.insert(allocator, &common.hasher, hash, loc, retired)).is_ok() {
            return true;
        }
        if !IS_MET {
            (self.state.rings).unlink(records, Queue::Window, loc, charge);
        }
        self.state.wheel.unlink(records, loc);
        records.header(loc).retire();
        self.state.pending.push(allocator, loc, charge, false);
        self.state.in_hand.coming = Loc::NONE;
        false
    }
}

#[cfg(all(test, not(shuttle)))]
pub(crate) mod tests {
    use crate::{Cache, Clock, Config, Handle, ManualClock, Ttl};
    use std::cell::Cell;

    thread_local! {
        /// Whether this thread's newcomers go as all other victims do.
        pub(crate) static IN_GENERAL: Cell<bool> = const { Cell::new(false) };
        /// How many went as newcomers.
        pub(crate) static REPLACED: Cell<u64> = const { Cell::new(0) };
    }

    const HOUR: Ttl = Ttl::Millis(3_600_000);
    const KEYS: u64 = 3_000;

    fn cache() -> (Cache, Handle, ManualClock) {
        cache_of(256 << 10)
    }

    fn cache_of(budget: u64) -> (Cache, Handle, ManualClock) {
        let (clock, manual) = Clock::manual();
        let cache = Cache::new(Config {
            clock,
            seed: Some(1),
            ..Config::new(budget)
        })
        .unwrap();
        let handle = cache.handle();
        (cache, handle, manual)
    }

    fn set(handle: &Handle, key: u64, len: usize, ttl: Ttl) {
        let value = vec![key as u8; len];
        handle.set(&key.to_le_bytes(), &value, 0, ttl).unwrap();
    }

    /// Writes and reads of all kinds; which reads hit, and what the cache says of itself in the end. Values of most keys are so long.
    fn history(in_general: bool, budget: u64, usual: usize) -> (Vec<bool>, String) {
        let (cache, handle, manual) = cache_of(budget);
        IN_GENERAL.set(in_general);
        REPLACED.set(0);
        let mut random = 1u64;
        let mut hits = Vec::new();
        for step in 0..60_000u64 {
            random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            let draw = random >> 33;
            // New keys for long, then those of a set that is read, in which some lengths and lives differ.
            let key = if step % 4_000 < 2_000 {
                10_000 + step
            } else {
                draw % KEYS
            };
            let len = match draw % 1_000 {
                0 => 60,
                1..20 => usual - 8,
                _ => usual,
            };
            let ttl = match draw % 7 {
                0 => Ttl::Millis(60_000),
                1 => Ttl::Forever,
                _ => HOUR,
            };
            let found = handle.get_watched(&key.to_le_bytes(), |_| ()).is_some();
            hits.push(found);
            if !found {
                set(&handle, key, len, ttl);
            }
            if step % 1_000 == 0 {
                manual.advance_ms(5_000);
                cache.validate().unwrap();
            }
        }
        IN_GENERAL.set(false);
        cache.validate().unwrap();
        let replaced = REPLACED.get();
        assert!(
            if in_general {
                replaced == 0
            } else {
                replaced > 30_000
            },
            "{replaced}"
        );
        (hits, format!("{:?}", cache.stats()))
    }

    #[test]
    fn the_same_entries_go_as_in_general() {
        assert_eq!(
            history(false, 256 << 10, 100),
            history(true, 256 << 10, 100)
        );
    }

    /// Each of them has two chunks.
    #[test]
    fn the_same_long_entries_go_as_in_general() {
        assert_eq!(
            history(false, 1 << 20, 2_500),
            history(true, 1 << 20, 2_500)
        );
    }

    #[test]
    fn new_entries_of_the_only_handle_take_newcomers_slots() {
        let (cache, handle, _) = cache();
        (0..4_000).for_each(|key| set(&handle, key, 100, HOUR));
        REPLACED.set(0);
        (4_000..5_000).for_each(|key| set(&handle, key, 100, HOUR));
        assert!(REPLACED.get() > 800, "{}", REPLACED.get());
        cache.validate().unwrap();
    }

    #[test]
    fn what_lives_shorter_than_the_newcomer_did_ends_in_its_own_time() {
        let (cache, handle, manual) = cache();
        (0..4_000).for_each(|key| set(&handle, key, 100, HOUR));
        REPLACED.set(0);
        (4_000..4_500).for_each(|key| set(&handle, key, 100, Ttl::Millis(1_000)));
        assert!(REPLACED.get() > 400);
        cache.validate().unwrap();
        let before = cache.stats().expirations;
        manual.advance_ms(3_000);
        cache.maintain();
        cache.validate().unwrap();
        assert!(cache.stats().expirations - before > 100);
    }
}
