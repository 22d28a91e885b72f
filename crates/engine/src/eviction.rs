//! The decisions of W-TinyLFU: who leaves when room is needed. Runs under a shard's lock.

use crate::fault;
use crate::memory::record::{HITS_MAX, Queue};
use crate::memory::region::Loc;
use crate::policy::rings::Hashed;
use crate::policy::{
    Admission, DEMOTION_STEPS_MIN, EVERYBODY, HAND_STEPS_MAX, HAND_STEPS_PER_BATCH, Setting,
    UNKNOWN_ONE_IN, WINDOW_MOVES_PER_INSERT, WINDOW_SLACK_ENTRIES, WINDOW_SLACK_ENTRIES_MAX,
    WINDOW_SLACK_SHARE, admits,
};
use crate::shard::{LockedShard, Reason};
use crate::victims::Victims;

/// Records that live on and are filed anew for one eviction, at most: when the time comes for which many were filed
/// at first, no single write has to do it for all. Each is two cold lines.
const REFILED_MAX: usize = 32;

/// What was found when the lines of the next evictions were asked for.
pub(crate) struct Ahead {
    /// By how much the window exceeds its share, in thousandths of what it counts.
    window_excess: u64,
    /// Likely the record whose turn it is.
    pub(crate) known: Hashed,
}

impl Ahead {
    #[inline(always)]
    pub(crate) fn window_is_over(&self) -> bool {
        self.window_excess > 0
    }

    /// Whether the window is over its share by no more than `slack`.
    #[inline(always)]
    pub(crate) fn window_is_over_within(&self, slack: u64) -> bool {
        self.window_excess > 0 && self.window_excess <= slack * 1000
    }
}

impl LockedShard<'_> {
    /// Evicts until at least `wanted` bytes are unlinked; returns how many were. Zero if the shard
    /// is empty. What has expired goes first.
    pub(crate) fn evict(&mut self, wanted: u64, now: u64) -> u64 {
        let ahead = self.look_ahead();
        self.evict_as(ahead, wanted, now)
    }

    /// As [`Self::evict`]; `ahead` is what [`Self::look_ahead`] has just told.
    #[inline(always)]
    pub(crate) fn evict_as(&mut self, mut ahead: Ahead, wanted: u64, now: u64) -> u64 {
        let before = self.state.rings.total_bytes();
        let mut freed = 0;
        let mut alive = 0;
        while freed < wanted && alive < REFILED_MAX && !self.state.wheel.is_idle(now) {
            if !self.expire(now, 1) {
                break;
            }
            let sum = before - self.state.rings.total_bytes();
            alive += usize::from(sum == freed);
            freed = sum;
        }
        if freed > 0 && freed < wanted {
            ahead = self.look_ahead();
        }
        self.state.hand_steps = 0;
        // Where much was read, moving the hands is the work: what is free by then is a batch.
        while freed < wanted && (freed == 0 || self.state.hand_steps < HAND_STEPS_PER_BATCH) {
            match self.evict_once(&ahead, now) {
                0 => break,
                bytes => freed += bytes,
            }
            if freed < wanted {
                ahead = self.look_ahead();
            }
        }
        freed
    }

    /// Asks for the cache lines that the evictions after the next one will read: cold memory is what an
    /// eviction waits for. The candidate behind the next one was asked for the last time, so its key can
    /// be hashed now, for its turn; the record behind it is asked for now.
    #[inline(always)]
    pub(crate) fn look_ahead(&mut self) -> Ahead {
        let ahead = Ahead {
            window_excess: self.window_excess(),
            known: self.state.rings.known(),
        };
        if let Some(next) = self.prefetch_ahead(ahead.window_is_over()) {
            self.state.rings.note_hash(next);
        }
        ahead
    }

    #[inline(always)]
    fn prefetch_ahead(&self, window_is_over: bool) -> Option<Hashed> {
        let (queue, other) = if window_is_over {
            (Queue::Window, Queue::Probation)
        } else {
            (Queue::Probation, Queue::Window)
        };
        let (rings, records) = (&self.state.rings, self.records());
        // Whoever is admitted meets the other ring's first, and makes the one behind it the next.
        if let Some(first) = rings.first(other) {
            records.region().prefetch(first);
            if let Some(next) = rings.next(records, first) {
                records.region().prefetch(next);
            }
        }
        let next = rings.next(records, rings.first(queue)?)?;
        let hash = self.hash_of_here(next);
        self.common.sketch.prefetch(hash);
        // SAFETY: the shard's lock is held.
        unsafe { self.index.prefetch(&self.common.allocator, hash) };
        // What takes its slot will be written there.
        records.prefetch_payload(next);
        if let Some(after) = rings.next(records, next) {
            records.region().prefetch(after);
        }
        Some((next, hash))
    }

    #[inline(always)]
    fn evict_once(&mut self, ahead: &Ahead, now: u64) -> u64 {
        let is_candidate = ahead.window_is_over();
        let mut found = None;
        if is_candidate {
            found = self.hand(Queue::Window, now);
        }
        if found.is_none() {
            found = self.main_victim(now);
        }
        let loc = match found {
            None => return 0,
            Some(Hand::Expired(bytes)) => return bytes,
            Some(Hand::At(loc)) => loc,
        };
        let hash = match ahead.known {
            (known, hash) if known == loc => hash,
            _ => self.hash_of(loc),
        };
        debug_assert_eq!(hash, self.hash_of(loc));
        if is_candidate && self.records().header(loc).queue() == Some(Queue::Window) {
            self.contest((loc, hash), now)
        } else {
            self.remove(hash, loc, Reason::Evicted)
        }
    }

    pub(crate) fn setting(&self) -> &'static Setting {
        self.common.adaptation.setting()
    }

    fn window_is_over_its_share(&self) -> bool {
        self.window_exceeds_share_by(0)
    }

    fn window_exceeds_share_by(&self, excess: u64) -> bool {
        self.window_excess() > excess * 1000
    }

    /// By how much the window exceeds its share, in thousandths of what it counts.
    #[inline(always)]
    fn window_excess(&self) -> u64 {
        let rings = &self.state.rings;
        let share = rings.total_bytes() * self.common.adaptation.window_permille();
        (rings.bytes(Queue::Window) * 1000).saturating_sub(share)
    }

    /// After an insertion: lets the window shrink to its share while the cache has room, so that
    /// nobody has to do all of it at once later. Where it has none, contests keep the window as it is;
    /// it shrinks if its share became much smaller.
    ///
    /// `charge` is what was inserted.
    #[inline(always)]
    pub(crate) fn settle_window(&mut self, charge: u64) {
        if !self.window_is_over_its_share() {
            return;
        }
        // In a full cache of like sizes nearly every insert comes to here, and no further.
        let is_within_slack = !self.window_exceeds_share_by(self.slack_of(charge))
            && !self.state.sizes.is_mixed()
            && !self.common.has_room();
        if !is_within_slack {
            self.shrink_window();
        }
    }

    /// By how much the window of a full cache of like sizes may exceed its share, given one entry's charge.
    #[inline(always)]
    pub(crate) fn slack_of(&self, charge: u64) -> u64 {
        self.slack_between_batches(charge) + charge * WINDOW_SLACK_ENTRIES
    }

    #[inline(always)]
    fn slack_between_batches(&self, charge: u64) -> u64 {
        let of_all = self.state.rings.total_bytes() << self.common.layout.shard_bits;
        (of_all / WINDOW_SLACK_SHARE).min(charge * WINDOW_SLACK_ENTRIES_MAX)
    }

    #[inline(never)]
    fn shrink_window(&mut self) {
        let has_room = self.common.has_room();
        for _ in 0..WINDOW_MOVES_PER_INSERT {
            let Some(first) = self.state.rings.first(Queue::Window) else {
                return;
            };
            // Where sizes differ, small entries may pass while the window is over its share by a large one.
            let charge = self.records().charge(first);
            let between_batches = if has_room || self.state.sizes.is_mixed() {
                0
            } else {
                self.slack_between_batches(charge)
            };
            if !self.window_exceeds_share_by(between_batches) {
                return;
            }
            let some = charge * WINDOW_SLACK_ENTRIES;
            if !has_room && !self.window_exceeds_share_by(between_batches + some) {
                return;
            }
            // The newest entry stays in the window whatever its size.
            if self.state.rings.next(self.records(), first).is_none() {
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
    /// others to the end of their ring. A window that promotes gives the first that was read to
    /// probation, and there is no candidate then.
    #[inline(always)]
    fn hand(&mut self, queue: Queue, now: u64) -> Option<Hand> {
        let loc = self.state.rings.first(queue)?;
        let header = self.records().header(loc);
        if header.hits() == 0 && !header.expiry().is_past(now) {
            return Some(Hand::At(loc));
        }
        self.move_hand(queue, now)
    }

    /// As [`Self::hand`], where the hand has to move.
    #[inline(never)]
    fn move_hand(&mut self, queue: Queue, now: u64) -> Option<Hand> {
        for _ in 0..HAND_STEPS_MAX {
            let loc = self.state.rings.first(queue)?;
            self.state.hand_steps += 1;
            self.prefetch_behind(loc);
            let header = self.records().header(loc);
            if header.expiry().is_past(now) {
                let hash = self.hash_of(loc);
                return Some(Hand::Expired(self.remove(hash, loc, Reason::Expired)));
            }
            let hits = header.hits();
            if hits == 0 {
                return Some(Hand::At(loc));
            }
            self.count_hits(loc, hits);
            let promotes = queue == Queue::Window && self.setting().promotes();
            let to = match queue {
                Queue::Window if promotes => Queue::Probation,
                Queue::Probation => Queue::Protected,
                _ => queue,
            };
            let records = self.common.allocator.records();
            self.state.rings.move_to(records, queue, to, loc);
            fault::point();
            if promotes {
                return None;
            }
            if to == Queue::Protected {
                self.demote_overflow();
            }
        }
        // Everything is hot: take what is there.
        self.state.rings.first(queue).map(Hand::At)
    }

    /// Folds the hits of a record that a hand passes over into the sketch; it counts anew from here. A
    /// copy that an L0 has of it would answer in its place, so the L0 is told to ask again.
    fn count_hits(&self, loc: Loc, hits: u8) {
        let header = self.records().header(loc);
        header.set_hits(0);
        let hash = self.hash_of(loc);
        fault::point();
        self.common.sketch.count(hash, hits as u32);
        fault::point();
        // Only entries whose counter is full are watched; most were never read by an L0.
        if hits == HITS_MAX && header.is_watched() && header.take_watched() {
            fault::point();
            self.log_change(loc);
            fault::point();
        }
    }

    /// Asks for the record behind one in its ring: it is looked at next.
    fn prefetch_behind(&self, loc: Loc) {
        if let Some(next) = self.state.rings.next(self.records(), loc) {
            self.records().region().prefetch(next);
        }
    }

    /// Protected gives what exceeds its share back to probation, oldest first; entries that were
    /// read since are passed over. Once the hands have passed over much in this batch, a few at a time: what
    /// still exceeds goes when the next is promoted.
    fn demote_overflow(&mut self) {
        for step in 0..HAND_STEPS_MAX {
            if step >= DEMOTION_STEPS_MIN && self.state.hand_steps >= HAND_STEPS_PER_BATCH {
                return;
            }
            let rings = &self.state.rings;
            let protected = rings.bytes(Queue::Protected);
            let main = protected + rings.bytes(Queue::Probation);
            if protected * 1000 <= main * self.setting().protected_permille {
                return;
            }
            let Some(loc) = rings.first(Queue::Protected) else {
                return;
            };
            self.state.hand_steps += 1;
            self.prefetch_behind(loc);
            let header = self.records().header(loc);
            let hits = header.hits();
            let to = if hits > 0 {
                Queue::Protected
            } else {
                Queue::Probation
            };
            if hits > 0 {
                self.count_hits(loc, hits);
            }
            let records = self.common.allocator.records();
            self.state.rings.move_to(records, Queue::Protected, to, loc);
            fault::point();
        }
    }

    /// Where a victim is looked for.
    #[inline(always)]
    pub(crate) fn main_queues(&self) -> [Queue; 2] {
        if self.setting().clears_protected {
            [Queue::Protected, Queue::Probation]
        } else {
            [Queue::Probation, Queue::Protected]
        }
    }

    /// The next to go from the main space, or from the window if there is nothing else.
    #[inline(never)]
    fn main_victim(&mut self, now: u64) -> Option<Hand> {
        let [first, second] = self.main_queues();
        for queue in [first, second, Queue::Window] {
            if let Some(found) = self.hand(queue, now) {
                return Some(found);
            }
        }
        None
    }

    /// A candidate leaves the window: it takes the place of victims at the hand of probation if the
    /// present setting says so, otherwise it goes.
    #[inline(always)]
    fn contest(&mut self, (candidate, hash): Hashed, now: u64) -> u64 {
        let [mut queue, other] = self.main_queues();
        let mut met = self.hand(queue, now);
        if met.is_none() {
            // Probation may have emptied into protected.
            queue = other;
            met = self.hand(queue, now);
        }
        let first = match met {
            Some(Hand::Expired(bytes)) => return bytes,
            Some(Hand::At(first)) => first,
            // There is no main space yet.
            None => return self.remove(hash, candidate, Reason::Evicted),
        };
        if self.records().have_equal_lengths(candidate, first) {
            self.state.sizes.note_equal();
        } else {
            self.note_sizes(candidate, first);
        }
        let frequency = self.common.sketch.frequency(hash);
        let is_mixed = self.state.sizes.is_mixed();
        // Where sizes shift, those of yesterday must not outlast those of today.
        if frequency == 0
            && !is_mixed
            && self.setting().admission != EVERYBODY
            && !self.state.random.next().is_multiple_of(UNKNOWN_ONE_IN)
        {
            return self.remove_here(hash, candidate, Reason::Refused);
        }
        self.weigh((candidate, hash), frequency, queue)
    }

    #[inline(never)]
    fn note_sizes(&mut self, candidate: Loc, first: Loc) {
        let charge = self.records().charge(candidate);
        let of_first = self.records().charge(first);
        self.state.sizes.note(charge, of_first);
    }

    /// As [`Self::contest`], where the candidate and its victims are compared.
    #[inline(never)]
    fn weigh(&mut self, (candidate, hash): Hashed, frequency: u32, queue: Queue) -> u64 {
        let charge = self.records().charge(candidate);
        match self.losers_to(queue, charge, frequency) {
            Some(victims) => self.replace_victims(candidate, &victims),
            None => self.remove(hash, candidate, Reason::Refused),
        }
    }

    /// Those who go for a candidate of this charge and frequency, if it is admitted.
    fn losers_to(&mut self, queue: Queue, charge: u64, frequency: u32) -> Option<Victims> {
        let is_mixed = self.state.sizes.is_mixed();
        let admission = self.setting().admission;
        let objective = self.common.layout.objective;
        let victims = match admission {
            // The victims need not be looked at.
            Admission::AtLeast(uses) if 0 < frequency && frequency < uses => return None,
            _ if is_mixed && objective.chooses() => self.victims_by_density(queue, charge),
            Admission::AtLeast(uses) if frequency >= uses => {
                self.victims_in_order(queue, charge, u32::MAX)
            }
            _ => self.victims_in_order(queue, charge, frequency),
        };
        let bar = objective.bar(victims.together, charge);
        if is_mixed && objective.chooses() && frequency < bar {
            return None;
        }
        admits(admission, frequency, bar, &mut self.state.random).then_some(victims)
    }

    /// The candidate enters the main space, its victims go; returns the bytes that they occupied.
    fn replace_victims(&mut self, candidate: Loc, victims: &Victims) -> u64 {
        let records = self.common.allocator.records();
        self.state
            .rings
            .move_to(records, Queue::Window, Queue::Probation, candidate);
        fault::point();
        for (victim, hash) in victims.records() {
            self.remove(*hash, *victim, Reason::Evicted);
            fault::point();
        }
        victims.together.charge
    }
}

/// Where a hand stopped.
enum Hand {
    /// At a record that may be evicted.
    At(Loc),
    /// It found an expired record and removed it: so many bytes.
    Expired(u64),
}
