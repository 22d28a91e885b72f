//! The decisions of W-TinyLFU: who leaves when room is needed. Runs under a shard's lock.

use crate::fault;
use crate::hash::KeyHash;
use crate::memory::record::Queue;
use crate::memory::region::Loc;
use crate::policy::{
    HAND_STEPS_MAX, PROTECTED_PERCENT, RANDOM_ADMISSION_ONE_IN, VICTIMS_MAX, WARM_FREQUENCY,
    WINDOW_MOVES_PER_INSERT, WINDOW_PERCENT,
};
use crate::shard::{LockedShard, Reason};

/// Victims that together make room for one candidate.
struct Victims {
    locs: [Loc; VICTIMS_MAX],
    count: usize,
    bytes: u64,
    frequency: u32,
}

impl LockedShard<'_> {
    /// Evicts until at least `wanted` bytes are unlinked; returns how many were. Zero if the shard
    /// is empty.
    pub(crate) fn evict(&mut self, wanted: u64, now: u64) -> u64 {
        let mut freed = 0;
        while freed < wanted {
            self.look_ahead();
            match self.evict_once(now) {
                0 => break,
                bytes => freed += bytes,
            }
        }
        freed
    }

    /// Asks for the cache lines that the evictions after this one will read: cold memory is what an
    /// eviction waits for. The next candidate's record was asked for the last time, so its key can
    /// be hashed now; the record behind it is asked for now.
    fn look_ahead(&self) {
        let queue = if self.window_is_over_its_share() {
            Queue::Window
        } else {
            Queue::Probation
        };
        let (rings, records) = (&self.state.rings, self.records());
        let Some(next) = rings
            .first(queue)
            .and_then(|first| rings.next(records, first))
        else {
            return;
        };
        let hash = self.hash_of(next);
        self.common.sketch.prefetch(hash);
        // SAFETY: the shard's lock is held.
        unsafe { self.index.prefetch(&self.common.allocator, hash) };
        if let Some(after) = rings.next(records, next) {
            records.region().prefetch(after);
        }
    }

    fn evict_once(&mut self, now: u64) -> u64 {
        if self.window_is_over_its_share()
            && let Some(candidate) = self.hand(Queue::Window, now)
        {
            return match candidate {
                Hand::Expired(bytes) => bytes,
                Hand::At(candidate) => self.contest(candidate, now),
            };
        }
        match self.main_victim(now) {
            Some(Hand::Expired(bytes)) => bytes,
            Some(Hand::At(victim)) => self.remove_counted(victim, Reason::Evicted),
            None => 0,
        }
    }

    fn remove_counted(&mut self, loc: Loc, reason: Reason) -> u64 {
        let bytes = self.records().charge(loc);
        self.remove(self.hash_of(loc), loc, reason);
        bytes
    }

    fn window_is_over_its_share(&self) -> bool {
        let rings = &self.state.rings;
        rings.bytes(Queue::Window) * 100 > rings.total_bytes() * WINDOW_PERCENT
    }

    /// After an insertion: lets the window shrink to its share while the cache has room, so that
    /// nobody has to do all of it at once later.
    pub(crate) fn settle_window(&mut self) {
        for _ in 0..WINDOW_MOVES_PER_INSERT {
            let Some(first) = self.state.rings.first(Queue::Window) else {
                return;
            };
            // The newest entry stays in the window whatever its size.
            let only = self.state.rings.next(self.records(), first).is_none();
            if only || !self.window_is_over_its_share() || !self.common.has_room() {
                return;
            }
            let records = self.common.allocator.records();
            self.state
                .rings
                .move_to(records, Queue::Window, Queue::Probation, first);
            fault::point();
        }
    }

    /// Moves a ring's hand to the first record that was not read since it last passed. Records that
    /// were read have their hits folded into the sketch and go on: those of probation to protected,
    /// others to the end of their ring.
    fn hand(&mut self, queue: Queue, now: u64) -> Option<Hand> {
        for _ in 0..HAND_STEPS_MAX {
            let loc = self.state.rings.first(queue)?;
            let header = self.records().header(loc);
            if header.expiry().is_past(now) {
                return Some(Hand::Expired(self.remove_counted(loc, Reason::Expired)));
            }
            let hits = header.hits();
            if hits == 0 {
                return Some(Hand::At(loc));
            }
            header.set_hits(0);
            let hash = self.hash_of(loc);
            fault::point();
            self.common.sketch.count(hash, hits as u32);
            fault::point();
            let to = if queue == Queue::Probation {
                Queue::Protected
            } else {
                queue
            };
            let records = self.common.allocator.records();
            self.state.rings.move_to(records, queue, to, loc);
            fault::point();
            if to == Queue::Protected {
                self.demote_overflow();
            }
        }
        // Everything is hot: take what is there.
        self.state.rings.first(queue).map(Hand::At)
    }

    /// Protected gives what exceeds its share back to probation, oldest first; entries that were
    /// read since are passed over.
    fn demote_overflow(&mut self) {
        for _ in 0..HAND_STEPS_MAX {
            let rings = &self.state.rings;
            let protected = rings.bytes(Queue::Protected);
            let main = protected + rings.bytes(Queue::Probation);
            if protected * 100 <= main * PROTECTED_PERCENT {
                return;
            }
            let Some(loc) = rings.first(Queue::Protected) else {
                return;
            };
            let header = self.records().header(loc);
            let hits = header.hits();
            let to = if hits > 0 {
                Queue::Protected
            } else {
                Queue::Probation
            };
            if hits > 0 {
                header.set_hits(0);
                let hash = self.hash_of(loc);
                self.common.sketch.count(hash, hits as u32);
            }
            let records = self.common.allocator.records();
            self.state.rings.move_to(records, Queue::Protected, to, loc);
            fault::point();
        }
    }

    /// The next to go from the main space, or from the window if there is nothing else.
    fn main_victim(&mut self, now: u64) -> Option<Hand> {
        for queue in [Queue::Probation, Queue::Protected, Queue::Window] {
            if let Some(found) = self.hand(queue, now) {
                return Some(found);
            }
        }
        None
    }

    /// A candidate leaves the window: it takes the place of the victims at the hand of probation if
    /// it is used more often than all of them together, otherwise it goes. Ties are refused.
    fn contest(&mut self, candidate: Loc, now: u64) -> u64 {
        match self.hand(Queue::Probation, now) {
            Some(Hand::Expired(bytes)) => return bytes,
            Some(Hand::At(_)) => {}
            // Probation has emptied into protected, or there is no main space yet.
            None => match self.hand(Queue::Protected, now) {
                Some(Hand::Expired(bytes)) => return bytes,
                Some(Hand::At(victim)) => {
                    let records = self.common.allocator.records();
                    self.state
                        .rings
                        .move_to(records, Queue::Protected, Queue::Probation, victim);
                    fault::point();
                }
                None => return self.remove_counted(candidate, Reason::Evicted),
            },
        }
        let candidate_bytes = self.records().charge(candidate);
        let candidate_frequency = self.common.sketch.frequency(self.hash_of(candidate));
        let victims = self.victims_for(candidate_bytes, candidate_frequency);
        if !self.admits(candidate_frequency, victims.frequency) {
            return self.remove_counted(candidate, Reason::Refused);
        }
        let records = self.common.allocator.records();
        self.state
            .rings
            .move_to(records, Queue::Window, Queue::Probation, candidate);
        fault::point();
        for victim in &victims.locs[..victims.count] {
            let hash: KeyHash = self.hash_of(*victim);
            self.remove(hash, *victim, Reason::Evicted);
            fault::point();
        }
        victims.bytes
    }

    fn admits(&mut self, candidate: u32, victims: u32) -> bool {
        candidate > victims
            || candidate >= WARM_FREQUENCY
                && self
                    .state
                    .random
                    .next()
                    .is_multiple_of(RANDOM_ADMISSION_ONE_IN)
    }

    /// The records at the hand of probation that would make room for `bytes`, as far as they are
    /// together used less often than the candidate.
    fn victims_for(&self, bytes: u64, candidate_frequency: u32) -> Victims {
        let mut victims = Victims {
            locs: [Loc::NONE; VICTIMS_MAX],
            count: 0,
            bytes: 0,
            frequency: 0,
        };
        let mut cursor = self.state.rings.first(Queue::Probation);
        while let Some(loc) = cursor {
            let header = self.records().header(loc);
            victims.locs[victims.count] = loc;
            victims.count += 1;
            victims.bytes += self.records().charge(loc);
            victims.frequency +=
                self.common.sketch.frequency(self.hash_of(loc)) + header.hits() as u32;
            let decided = victims.bytes >= bytes || victims.frequency >= candidate_frequency;
            if decided || victims.count == VICTIMS_MAX {
                break;
            }
            cursor = self.state.rings.next(self.records(), loc);
        }
        victims
    }
}

/// Where a hand stopped.
enum Hand {
    /// At a record that may be evicted.
    At(Loc),
    /// It found an expired record and removed it: so many bytes.
    Expired(u64),
}
