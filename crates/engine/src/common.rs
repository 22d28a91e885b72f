//! What everything in a cache may use: all that is not a shard.

use crate::attention::Attention;
use crate::changes::ChangeLog;
use crate::claims::Claims;
use crate::clock::Clock;
use crate::config::Layout;
use crate::epoch::{Epoch, ReaderSlot};
use crate::hash::KeyHasher;
use crate::limbo::Limbo;
use crate::limit::Bound;
use crate::memory::allocator::Allocator;
use crate::policy::adaptation::Adaptation;
use crate::policy::sketch::Sketch;
use crate::policy::turnover::Turnover;
use crate::sync::AtomicUsize;
use crate::tags::Tags;

/// See the module's documentation.
pub(crate) struct Common {
    pub(crate) allocator: Allocator,
    pub(crate) sketch: Sketch,
    pub(crate) turnover: Turnover,
    pub(crate) adaptation: Adaptation,
    pub(crate) changes: ChangeLog,
    /// Of writers, for `claims` and `tags`.
    pub(crate) attention: Attention,
    pub(crate) claims: Claims,
    pub(crate) tags: Tags,
    pub(crate) hasher: KeyHasher,
    pub(crate) clock: Clock,
    pub(crate) epoch: Epoch,
    pub(crate) limbo: Limbo,
    pub(crate) layout: Layout,
    /// Beside the budget, if there is such a limit.
    pub(crate) bound: Option<Bound>,
    /// Cleared indexes whose entries are not retired yet, in all shards.
    pub(crate) doomed: AtomicUsize,
}

impl Common {
    /// Frees some of what no reader can be looking at any more; true if there is more of it. `own` as
    /// for [`Epoch::advance`].
    pub(crate) fn collect(&self, own: Option<&ReaderSlot>) -> bool {
        self.limbo.collect(&self.epoch, &self.allocator, own)
    }

    /// Tells the policy how many entries the cache holds when it is full. Now it has so many, which take
    /// so much in the unit that eviction counts in.
    pub(crate) fn set_entries(&self, entries: u64, charges: u64) {
        let region = (self.layout.page_count * self.layout.page_bytes) as u64;
        let room = self.bound.as_ref().map_or(region, |bound| bound.max);
        let at_most = if self.has_room() && charges > 0 {
            (room as u128 * entries as u128 / charges as u128) as u64
        } else {
            entries
        };
        self.sketch.set_entries(at_most);
        self.adaptation.set_entries(at_most);
    }

    /// Whether new entries find free pages, and a place within the limit.
    pub(crate) fn has_room(&self) -> bool {
        self.allocator.pages_for_entries() > 0
            && self.bound.as_ref().is_none_or(|bound| !bound.is_reached())
    }
}
