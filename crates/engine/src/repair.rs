//! What the next writer does with a shard whose lock a thread held when it died.
//!
//! A cache may forget, so the shard is cleared, and what has to be found out is only what there is to be
//! given back: each record, chunk and segment exactly once, and not before the readers that may still
//! look at it have gone. The directory says what is in the index; `pending`, the doomed indexes and
//! what `in_hand` names are all the rest.
//!
//! Every step may be made twice: should a thread die while it repairs, the next one begins anew.

use crate::heap::{self, OutOfMemory};
use crate::index::{NeedsRoom, Retired, Step};
use crate::memory::region::Loc;
use crate::shard::{InHand, LockedShard};
use crate::state::VERSION_MASK;

impl LockedShard<'_> {
    /// Clears the shard and puts everything in order. The shard stays poisoned if there is no room for
    /// an empty index, or no memory for what has to be noted meanwhile; whoever comes next tries again.
    pub(crate) fn repair(&mut self) -> Result<(), NeedsRoom> {
        let common = self.common;
        let allocator = &common.allocator;
        self.index.settle(self.state.pending.index())?;
        self.state.pending.recount(allocator);
        let mut pending = heap::collect(self.state.pending.iter(allocator))?;
        pending.sort_unstable();
        self.state.reuse_bytes = 0;
        self.settle_in_hand(&pending);
        self.finish_reaping(&pending)?;
        let now = common.clock.now();
        if self.clear(now).is_err() {
            // What waits may be room enough, if no reader is in the way.
            self.hand_over(true);
            while common.collect(None) {}
            self.clear(now)?;
        }
        // It may have taken effect before anybody was told.
        common.tags.note_all_written();
        common.changes.lap_all();
        // The write that died may have used the next one.
        self.state.last_version = self.state.last_version.wrapping_add(1) & VERSION_MASK;
        self.state.counts.repairs += 1;
        Ok(())
    }

    /// The records that are neither in the index nor in `pending`, which is sorted.
    fn settle_in_hand(&mut self, pending: &[Loc]) {
        let common = self.common;
        let allocator = &common.allocator;
        let InHand {
            coming,
            going,
            is_move,
        } = self.state.in_hand;
        // The key of a copy that is not finished is that of the original.
        let coming_is_lost = !coming.is_none()
            && pending.binary_search(&coming).is_err()
            && !self.is_indexed(if is_move { going } else { coming }, coming);
        let going_is_lost = !going.is_none()
            && pending.binary_search(&going).is_err()
            && !self.is_indexed(going, going);
        if coming_is_lost && is_move {
            // No reader has seen it, and perhaps it is not even filled.
            self.state.in_hand = InHand::NOTHING;
            allocator.free(coming);
            return;
        }
        let lost = [(coming_is_lost, coming), (going_is_lost, going)];
        for (_, loc) in lost.into_iter().filter(|(is_lost, _)| *is_lost) {
            let records = allocator.records();
            records.header(loc).retire();
            let bytes = records.occupied(loc);
            self.state.pending.push(allocator, loc, bytes, is_move);
        }
        self.state.in_hand = InHand::NOTHING;
    }

    /// Whether the index leads to `loc`; `key_of` is a record with its key.
    fn is_indexed(&self, key_of: Loc, loc: Loc) -> bool {
        let hash = self.hash_of(key_of);
        // SAFETY: the shard's lock is held.
        let found = unsafe {
            self.index
                .find(&self.common.allocator, hash, |found| found == loc)
        };
        found.is_some()
    }

    /// Retires what is left of the segment that was being reaped.
    fn finish_reaping(&mut self, pending: &[Loc]) -> Result<(), OutOfMemory> {
        let common = self.common;
        let state = &mut *self.state;
        let Some(doomed) = state.doomed.front_mut() else {
            return Ok(());
        };
        let chain = &mut state.pending;
        heap::reserve(chain.index(), 1)?;
        let step = doomed.step(&common.allocator, usize::MAX, |loc| {
            if pending.binary_search(&loc).is_err() {
                let records = common.allocator.records();
                records.header(loc).retire();
                chain.push(&common.allocator, loc, records.occupied(loc), false);
            }
        });
        let Step::Segment(segment) = step else {
            return Ok(());
        };
        let is_retired =
            |retired: &Retired| matches!(retired, Retired::Segment(loc) if *loc == segment);
        if !chain.index().iter().any(is_retired) {
            chain.index().push(Retired::Segment(segment));
        }
        doomed.advance();
        Ok(())
    }
}
