//! How expired entries give their bytes back without anyone asking for them: a hierarchical timer
//! wheel per shard (Varghese, Lauck 1987).
//!
//! The read path compares ticks by itself; the wheel only decides when memory is reclaimed, so it is
//! coarse: its finest slot is [`UNIT_TICKS`] ticks. Six levels of 32 slots reach for years. An entry
//! whose life was extended is left where it is and re-filed when its old slot comes up; so is one that
//! came into the slot of a record that was filed for an earlier time (`reuse`).
//!
//! Slots are lists through the records' headers, newest first: in which order those of a slot come up makes no
//! difference. The locations below 1 + 6 * 32 serve as their ends. Guarded by the shard's lock.

use crate::clock::TICK_MS;
use crate::fault;
use crate::heap::{self, OutOfMemory};
use crate::memory::record::Records;
use crate::memory::region::Loc;
use crate::sync::Ordering;

/// Ticks per slot of the finest level: 80 ms. Bytes are back within a second of the expiry.
const UNIT_SHIFT: u32 = 4;
pub(crate) const UNIT_TICKS: u64 = 1 << UNIT_SHIFT;
const SLOT_BITS: u32 = 5;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 6;

const _: () = assert!(
    LEVELS * SLOTS < Loc::FIRST.0 as usize,
    "sentinels fit in the region's head"
);
const _: () = assert!(
    (UNIT_TICKS * TICK_MS) << (SLOT_BITS * LEVELS as u32) > 2 * 365 * 24 * 3_600 * 1_000,
    "the wheel reaches for years; what lies beyond goes around"
);

/// See the module's documentation.
pub(crate) struct Wheel {
    /// First record of each slot; the slot's own sentinel when it is empty.
    slots: Box<[u32]>,
    /// Bit per slot of a level that holds something, so that idle time is passed over quickly.
    occupied: [u32; LEVELS],
    /// The unit that is being worked off.
    unit: u64,
    entries: u32,
    /// Slot and unit of what was filed last: most lives are as long as the one before. Holds until `unit` moves.
    recent_slot: u32,
    recent_unit: u64,
}

/// No unit: none is that far.
const NO_UNIT: u64 = u64::MAX;

/// What became due.
pub(crate) enum Due {
    /// This record's slot has come up.
    Record(Loc),
    /// Nothing until the present.
    Nothing,
}

fn sentinel(slot: usize) -> u32 {
    slot as u32 + 1
}

impl Wheel {
    pub(crate) fn new(now: u64) -> Result<Self, OutOfMemory> {
        Ok(Self {
            slots: heap::slice(LEVELS * SLOTS, sentinel)?,
            occupied: [0; LEVELS],
            unit: now >> UNIT_SHIFT,
            entries: 0,
            recent_slot: 0,
            recent_unit: NO_UNIT,
        })
    }

    /// Forgets all records.
    pub(crate) fn clear(&mut self, now: u64) {
        for (slot, first) in self.slots.iter_mut().enumerate() {
            *first = sentinel(slot);
        }
        self.occupied = [0; LEVELS];
        self.unit = now >> UNIT_SHIFT;
        self.entries = 0;
        self.recent_unit = NO_UNIT;
    }

    /// Bytes that a wheel takes beside the records.
    pub(crate) const BYTES: usize = LEVELS * SLOTS * size_of::<u32>();

    /// Files a record that expires at a tick.
    #[inline(always)]
    pub(crate) fn file(&mut self, records: &Records, loc: Loc, expires_at: u64) {
        // The slot after the one that holds the tick: when it comes up the tick has passed.
        let unit = ((expires_at >> UNIT_SHIFT) + 1).max(self.unit);
        if self.recent_unit != unit {
            self.recent_slot = self.slot_for(unit) as u32;
            self.recent_unit = unit;
        }
        let slot = self.recent_slot as usize;
        let first = self.slots[slot];
        let header = records.header(loc);
        header.wheel.prev.store(sentinel(slot), Ordering::Relaxed);
        header.wheel.next.store(first, Ordering::Relaxed);
        fault::point();
        Self::set_prev(records, Loc(first), loc.0);
        fault::point();
        self.slots[slot] = loc.0;
        fault::point();
        self.occupied[slot / SLOTS] |= 1 << (slot % SLOTS);
        fault::point();
        self.entries += 1;
    }

    /// A record that is in no slot; `unlink` passes it over.
    pub(crate) fn leave_out(records: &Records, loc: Loc) {
        records.header(loc).wheel.next.store(0, Ordering::Relaxed);
    }

    pub(crate) fn is_filed(records: &Records, loc: Loc) -> bool {
        records.header(loc).wheel.next.load(Ordering::Relaxed) != 0
    }

    /// The record behind a filed one in its slot.
    pub(crate) fn next(records: &Records, loc: Loc) -> Option<Loc> {
        let next = Loc(records.header(loc).wheel.next.load(Ordering::Relaxed));
        (!next.is_sentinel()).then_some(next)
    }

    /// Takes a record out, if it is in.
    #[inline(always)]
    pub(crate) fn unlink(&mut self, records: &Records, loc: Loc) {
        let header = records.header(loc);
        let next = header.wheel.next.load(Ordering::Relaxed);
        if next == 0 {
            return;
        }
        let prev = header.wheel.prev.load(Ordering::Relaxed);
        header.wheel.next.store(0, Ordering::Relaxed);
        fault::point();
        self.set_next(records, Loc(prev), next);
        fault::point();
        Self::set_prev(records, Loc(next), prev);
        fault::point();
        self.entries -= 1;
        fault::point();
        if prev == next && Loc(next).is_sentinel() {
            let slot = next as usize - 1;
            self.occupied[slot / SLOTS] &= !(1 << (slot % SLOTS));
        }
    }

    /// Puts `new` where `old` was, if it was anywhere.
    pub(crate) fn replace(&mut self, records: &Records, old: Loc, new: Loc) {
        let (from, to) = (records.header(old), records.header(new));
        let next = from.wheel.next.load(Ordering::Relaxed);
        to.wheel.next.store(next, Ordering::Relaxed);
        if next != 0 {
            let prev = from.wheel.prev.load(Ordering::Relaxed);
            to.wheel.prev.store(prev, Ordering::Relaxed);
            fault::point();
            self.set_next(records, Loc(prev), new.0);
            fault::point();
            Self::set_prev(records, Loc(next), new.0);
        }
    }

    /// Whether [`Self::next_due`] has nothing to tell; it may have nothing all the same if not.
    #[inline(always)]
    pub(crate) fn is_idle(&self, now: u64) -> bool {
        let slot = self.unit % SLOTS as u64;
        // Where a turn of the finest level begins coarser slots come up, too.
        self.unit >= now >> UNIT_SHIFT
            && self.occupied[0] >> slot & 1 == 0
            && (slot != 0 || !self.has_coarser_due())
    }

    /// Whether slots of coarser levels come up at the current unit and hold something.
    #[inline(never)]
    fn has_coarser_due(&self) -> bool {
        (1..=self.coarsest_due())
            .any(|level| self.occupied[level as usize] >> self.slot_due(level) & 1 == 1)
    }

    /// The slot of a level that comes up at the current unit, if one does.
    fn slot_due(&self, level: u32) -> usize {
        (self.unit >> (SLOT_BITS * level)) as usize % SLOTS
    }

    /// The coarsest level of which a slot comes up at the current unit: it does when all levels below begin a turn, so mostly
    /// it is the finest.
    fn coarsest_due(&self) -> u32 {
        (self.unit.trailing_zeros() / SLOT_BITS).min(LEVELS as u32 - 1)
    }

    /// The next record whose slot has come up by the tick `now`. The caller unlinks it and either
    /// drops it, or files it again if it lives on (its level was coarser than its remaining life,
    /// or its life was extended).
    pub(crate) fn next_due(&mut self, now: u64) -> Due {
        let present = now >> UNIT_SHIFT;
        loop {
            if let Some(loc) = self.first_of_unit() {
                return Due::Record(loc);
            }
            if self.unit >= present {
                return Due::Nothing;
            }
            self.recent_unit = NO_UNIT;
            self.unit = self.next_unit(present);
            fault::point();
        }
    }

    /// A record of the slots that come up at the current unit, coarse levels first.
    fn first_of_unit(&self) -> Option<Loc> {
        (0..=self.coarsest_due()).rev().find_map(|level| {
            let first = Loc(self.slots[level as usize * SLOTS + self.slot_due(level)]);
            (!first.is_sentinel()).then_some(first)
        })
    }

    /// The next unit to work off: nothing comes up before the next turn of the finest level that
    /// holds something. So days that nobody looked are passed over in a few steps.
    fn next_unit(&self, present: u64) -> u64 {
        let next = self.unit + 1;
        match self.occupied.iter().position(|slots| *slots != 0) {
            Some(level) => next
                .next_multiple_of(1 << (SLOT_BITS * level as u32))
                .min(present)
                .max(next),
            None => present.max(next),
        }
    }

    #[inline(never)]
    fn slot_for(&self, unit: u64) -> usize {
        // The level on which the two times differ by less than a turn: at most one above that of their distance.
        let distance = unit - self.unit;
        let lowest = distance.checked_ilog2().unwrap_or(0) / SLOT_BITS;
        for level in lowest as usize..LEVELS {
            let shift = SLOT_BITS * level as u32;
            let ahead = (unit >> shift) - (self.unit >> shift);
            if ahead < SLOTS as u64 {
                return level * SLOTS + (unit >> shift) as usize % SLOTS;
            }
        }
        // Beyond the wheel: the slot that comes up last; it will be filed again then.
        let shift = SLOT_BITS * (LEVELS as u32 - 1);
        (LEVELS - 1) * SLOTS + ((self.unit >> shift) as usize + SLOTS - 1) % SLOTS
    }

    #[inline(always)]
    fn set_next(&mut self, records: &Records, loc: Loc, next: u32) {
        if loc.is_sentinel() {
            self.slots[loc.0 as usize - 1] = next;
        } else {
            records
                .header(loc)
                .wheel
                .next
                .store(next, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    fn set_prev(records: &Records, loc: Loc, prev: u32) {
        // Nobody asks for the last record of a slot.
        if !loc.is_sentinel() {
            (records.header(loc).wheel.prev).store(prev, Ordering::Relaxed);
        }
    }

    /// Checks links and marks; returns the number of filed records.
    pub(crate) fn validate(&self, records: &Records) -> Result<u64, String> {
        let mut entries = 0;
        for (slot, first) in self.slots.iter().enumerate() {
            let marked = self.occupied[slot / SLOTS] >> (slot % SLOTS) & 1 == 1;
            let mut cursor = Loc(*first);
            let mut prev = sentinel(slot);
            if cursor.is_sentinel() == marked {
                return Err(format!(
                    "slot {slot} is marked {marked} and begins with {cursor:?}"
                ));
            }
            while !cursor.is_sentinel() {
                let header = records.header(cursor);
                if header.wheel.prev.load(Ordering::Relaxed) != prev {
                    return Err(format!(
                        "{cursor:?} in wheel slot {slot} doesn't lead back to {prev}"
                    ));
                }
                entries += 1;
                if entries > self.entries {
                    return Err(format!(
                        "the wheel holds more than the {} entries that it counts",
                        self.entries
                    ));
                }
                prev = cursor.0;
                cursor = Loc(header.wheel.next.load(Ordering::Relaxed));
            }
            if cursor.0 != sentinel(slot) {
                return Err(format!("wheel slot {slot} ends with {cursor:?}"));
            }
        }
        if entries != self.entries {
            return Err(format!(
                "the wheel counts {} entries and holds {entries}",
                self.entries
            ));
        }
        Ok(u64::from(entries))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::limit::Unit;
    use crate::memory::classes::ClassTable;
    use crate::memory::region::{HEAD_BYTES, HugePages, Region};

    const DAY_UNITS: u64 = (24 * 3_600 * 1_000 / TICK_MS) >> UNIT_SHIFT;

    fn steps_to(wheel: &mut Wheel, unit: u64) -> usize {
        let mut steps = 0;
        while wheel.unit < unit {
            wheel.unit = wheel.next_unit(unit);
            steps += 1;
        }
        steps
    }

    #[test]
    fn a_year_without_anything_to_expire_is_one_step() {
        let mut wheel = Wheel::new(1).unwrap();
        assert_eq!(steps_to(&mut wheel, 365 * DAY_UNITS), 1);
    }

    #[test]
    fn a_record_of_days_comes_up_after_a_few_steps_and_not_too_late() {
        let region = Region::reserve(HEAD_BYTES + 4_096, HugePages::WherePopulated).unwrap();
        let records = Records::new(region, ClassTable::new(4_096, 1), Unit::Bytes);
        let mut wheel = Wheel::new(1).unwrap();
        let expires_at = (40 * DAY_UNITS) << UNIT_SHIFT;
        wheel.file(&records, Loc::FIRST, expires_at);
        let mut looks = 0;
        // Each look files it one level lower, until its time has come.
        while let Due::Record(loc) = wheel.next_due(expires_at + 2 * UNIT_TICKS) {
            looks += 1;
            wheel.unlink(&records, loc);
            let present = wheel.unit << UNIT_SHIFT;
            if present < expires_at {
                wheel.file(&records, loc, expires_at);
            } else {
                assert!(present <= expires_at + UNIT_TICKS);
            }
        }
        assert!(looks <= LEVELS, "looked at {looks} times");
        assert_eq!(wheel.entries, 0);
    }
}
