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
use crate::index::{Home, Index, Place};
use crate::limit::Unit;
use crate::memory::record::{NewRecord, Queue};
use crate::memory::region::Loc;
use crate::policy::{Admission, EVERYBODY, Random, UNKNOWN_ONE_IN, admits};
use crate::shard::{InHand, LockedShard};
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

/// Who goes.
#[derive(Clone, Copy)]
struct Loser {
    loc: Loc,
    hash: KeyHash,
    /// The window's first record and the ring it contested, if that is not who goes.
    winner: Option<(Loc, Queue)>,
}

impl<'a> LockedShard<'a> {
    /// Stores a new record of a key that has none, whose home is `home`, in the slot of whoever goes of the window's first
    /// and the one that it meets, if that can be told. Nobody may be reading this shard's records.
    #[inline(always)]
    pub(crate) fn replace_unread(
        &mut self,
        new: &NewRecord<'_>,
        home: Home<'_>,
        slot_bytes: u64,
        ahead: &Ahead,
        now: u64,
    ) -> Replaced {
        let common = self.common;
        let (allocator, records) = (&common.allocator, common.allocator.records());
        let found = self.unread_loser_and_place(new, slot_bytes, ahead, now);
        let Some((loser, old_home, place)) = found else {
            return Replaced::Nothing;
        };
        let loc = loser.loc;
        self.state.sizes.note_equal();
        if let Some((winner, queue)) = loser.winner {
            self.admit(winner, queue, loc, slot_bytes);
        }
        self.state.in_hand.going = loc;
        fault::point();
        Index::remove_at(old_home, allocator, place);
        fault::point();
        let stays_filed = new.expiry.is_no_earlier_than(records.header(loc).expiry());
        if !stays_filed {
            self.state.wheel.unlink(records, loc);
        }
        fault::point();
        self.state.in_hand = InHand {
            coming: loc,
            ..InHand::NOTHING
        };
        fault::point();
        let counts = &mut self.state.counts;
        match loser.winner {
            None => counts.rejections += 1,
            Some(_) => counts.evictions += 1,
        }
        records.recycle(loc, slot_bytes as usize);
        let version = self.state.last_version.wrapping_add(1) & VERSION_MASK;
        // SAFETY: the record was a short one that occupied as much, and was not watched. It is not in the index any more,
        // nobody can be reading it, as the caller vouches, and its slot was not freed.
        unsafe { records.refill(loc, new, version) };
        fault::point();
        common.turnover.note(slot_bytes, &common.sketch);
        if !Index::insert_at(home, allocator, loc)
            && !self.insert_by_split(new.hash, loser, slot_bytes)
        {
            return Replaced::NeedsIndex;
        }
        fault::point();
        match loser.winner {
            None => self.state.rings.rotate(records, Queue::Window, loc),
            Some(_) => (self.state.rings).push(records, Queue::Window, loc, slot_bytes),
        }
        fault::point();
        self.state.last_version = version;
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

    /// Who goes, and where in the index it is; or nothing, and nothing has changed.
    #[inline(always)]
    fn unread_loser_and_place(
        &mut self,
        new: &NewRecord<'_>,
        slot_bytes: u64,
        ahead: &Ahead,
        now: u64,
    ) -> Option<(Loser, Home<'a>, Place)> {
        #[cfg(all(test, not(shuttle)))]
        if tests::IN_GENERAL.get() {
            return None;
        }
        let common = self.common;
        let allocator = &common.allocator;
        // If it goes the other way, with the same numbers.
        let mut random = self.state.random;
        let loser = self.unread_loser(new, slot_bytes, ahead, now, &mut random)?;
        let home = self.index.home(allocator, loser.hash);
        // A merge would move what the new key's home leads to.
        if Index::is_near_merging(home, allocator) {
            return None;
        }
        let place = Index::place_at(home, loser.loc);
        debug_assert!(place.is_some(), "what is in a ring is in the index");
        let place = place?;
        self.state.random = random;
        Some((loser, home, place))
    }

    /// Who goes for the new record, as `evict_as` and `contest` would say, if both who contest were not read, and occupy as
    /// much as it will.
    #[inline(always)]
    fn unread_loser(
        &self,
        new: &NewRecord<'_>,
        slot_bytes: u64,
        ahead: &Ahead,
        now: u64,
        random: &mut Random,
    ) -> Option<Loser> {
        let (common, state) = (self.common, &*self.state);
        let records = common.allocator.records();
        // The window remains as it is, so if it had to shrink afterwards that is known, too.
        let may_be = ahead.window_is_over_within(self.slack_of(slot_bytes))
            && common.layout.unit == Unit::Bytes
            && !common.has_room()
            && state.wheel.is_idle(now);
        let (loc, hash) = ahead.known;
        if !may_be || state.rings.first(Queue::Window) != Some(loc) {
            return None;
        }
        let [queue, _] = self.main_queues();
        let met = state.rings.first(queue)?;
        let are_unread = records.is_unread_and_alike(loc, new, slot_bytes)
            && !records.header(loc).expiry().is_past(now)
            && records.is_unread_and_alike(met, new, slot_bytes)
            && !records.header(met).expiry().is_past(now);
        if !are_unread {
            return None;
        }
        let frequency = common.sketch.frequency(hash);
        let is_unknown = frequency == 0
            && self.setting().admission != EVERYBODY
            && !random.next().is_multiple_of(UNKNOWN_ONE_IN);
        let loser = if is_unknown {
            let winner = None;
            Loser { loc, hash, winner }
        } else {
            self.loser_of((loc, hash), frequency, (met, queue), random)
        };
        (!records.header(loser.loc).is_watched()).then_some(loser)
    }

    /// The one who goes of a candidate and whom it meets, of the same size, as `weigh` would say.
    #[inline(never)]
    fn loser_of(
        &self,
        (candidate, hash): (Loc, KeyHash),
        frequency: u32,
        (met, queue): (Loc, Queue),
        random: &mut Random,
    ) -> Loser {
        let admission = self.setting().admission;
        let hash_of_met = self.hash_of(met);
        let is_admitted = match admission {
            // Whom it meets need not be looked at.
            Admission::AtLeast(uses) if frequency > 0 || uses == 0 => frequency >= uses,
            _ => {
                let bar = self.common.sketch.frequency(hash_of_met);
                admits(admission, frequency, bar, random)
            }
        };
        if is_admitted {
            Loser {
                loc: met,
                hash: hash_of_met,
                winner: Some((candidate, queue)),
            }
        } else {
            Loser {
                loc: candidate,
                hash,
                winner: None,
            }
        }
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
    fn insert_by_split(&mut self, hash: KeyHash, loser: Loser, charge: u64) -> bool {
        let (common, index, loc) = (self.common, self.index, loser.loc);
        let (allocator, records) = (&common.allocator, common.allocator.records());
        let retired = self.state.pending.index();
        if index
            .insert(allocator, &common.hasher, hash, loc, retired)
            .is_ok()
        {
            return true;
        }
        if loser.winner.is_none() {
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
        let (clock, manual) = Clock::manual();
        let cache = Cache::new(Config {
            clock,
            seed: Some(1),
            ..Config::new(256 << 10)
        })
        .unwrap();
        let handle = cache.handle();
        (cache, handle, manual)
    }

    fn set(handle: &Handle, key: u64, len: usize, ttl: Ttl) {
        let value = vec![key as u8; len];
        handle.set(&key.to_le_bytes(), &value, 0, ttl).unwrap();
    }

    /// Writes and reads of all kinds; which reads hit, and what the cache says of itself in the end.
    fn history(in_general: bool) -> (Vec<bool>, String) {
        let (cache, handle, manual) = cache();
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
                1..20 => 92,
                _ => 100,
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
        assert_eq!(history(false), history(true));
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
