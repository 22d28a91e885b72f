//! Has the system provide the region's memory: in huge pages, and before a write has to wait for it.
//!
//! A huge page is zeroed as a whole when it is touched first, which takes 0.1 to 6 ms. So the helper thread asks for
//! those that the cache will soon grow into. A cache that grows faster than the system provides them takes small pages
//! in between, which cost a write a few microseconds each, and later reads more (10 to 15 % where all are small); when
//! it grows no more they are united, one huge page at a time.

use super::allocator::Allocator;
use super::region::HUGE_PAGE_BYTES;
use crate::sync::{AtomicU32, AtomicUsize, Ordering};

/// So many times what the cache has grown by since the helper thread last looked (a tick, or the time that it took to
/// provide a huge page) is kept ready...
const GROWTHS_AHEAD: usize = 2;
/// ... but no more than this, should growth stop.
const AHEAD_BYTES_MAX: usize = 32 << 20;
/// So many ticks without growth come before small pages are united, and between one huge page and the next: who uses
/// what is being copied waits for half a millisecond.
const TICKS_AT_REST: u32 = 16;

/// What the helper thread knows of the region's memory. All hints but `populating`: who touches memory that is not there
/// yet gets it all the same.
pub(super) struct Provision {
    /// Offset up to which the system was asked for huge pages.
    populated: AtomicUsize,
    /// Offset up to which small pages were united.
    united: AtomicUsize,
    /// Ticks since the cache last grew, or since small pages were united.
    at_rest: AtomicU32,
    /// How many pages the pool had when the helper thread last looked.
    pool_seen: AtomicUsize,
    /// The first page of what the system is being asked for, and the one behind the last: who touched one of them now
    /// had to wait. Under the pool's lock.
    populating: [AtomicU32; 2],
}

impl Provision {
    pub(super) fn new(page_count: usize) -> Self {
        Self {
            populated: AtomicUsize::new(0),
            // The first huge page is touched at construction.
            united: AtomicUsize::new(HUGE_PAGE_BYTES),
            at_rest: AtomicU32::new(0),
            pool_seen: AtomicUsize::new(page_count),
            populating: [AtomicU32::new(0), AtomicU32::new(0)],
        }
    }

    /// Puts a page to the pool's end that can be touched at once, if there is one.
    pub(super) fn prefer_ready_page(&self, pool: &mut [u32]) {
        let [first, end] = (self.populating.each_ref()).map(|page| page.load(Ordering::Relaxed));
        let is_ready = |page: &u32| !(first..end).contains(page);
        if let Some(ready) = pool.iter().rposition(is_ready) {
            let last = pool.len() - 1;
            pool.swap(ready, last);
        }
    }

    /// The caller holds the pool's lock.
    fn set_populating(&self, pages: [usize; 2]) {
        for (place, page) in self.populating.iter().zip(pages) {
            place.store(page as u32, Ordering::Relaxed);
        }
    }
}

impl Allocator {
    /// Has the system provide a huge page where the cache will soon grow into, or unites small ones where it has grown
    /// too fast for that. True if more should be provided at once. The helper thread calls it at every tick.
    pub(crate) fn provide_memory(&self) -> bool {
        let pool_len = self.pool_len.load(Ordering::Relaxed);
        let pool_seen = self.provision.pool_seen.load(Ordering::Relaxed);
        (self.provision.pool_seen).store(pool_len, Ordering::Relaxed);
        let growth = pool_seen.saturating_sub(pool_len) * self.page_bytes;
        let wanted = self.wanted_ahead(growth);
        if self.first_to_populate() < wanted {
            self.populate_one(wanted);
        }
        let ticks = match growth {
            0 => self.provision.at_rest.load(Ordering::Relaxed) + 1,
            _ => 0,
        };
        let is_time = ticks >= TICKS_AT_REST;
        (self.provision.at_rest).store(if is_time { 0 } else { ticks }, Ordering::Relaxed);
        if is_time {
            self.unite_small_pages();
        }
        self.first_to_populate() < wanted
    }

    /// The offset up to which there should be memory.
    fn wanted_ahead(&self, growth: usize) -> usize {
        let ahead = (GROWTHS_AHEAD * growth).clamp(HUGE_PAGE_BYTES / 2, AHEAD_BYTES_MAX);
        match self.touched_bytes() {
            0 => 0,
            touched => (touched + ahead)
                .next_multiple_of(HUGE_PAGE_BYTES)
                .min(self.records().region().bytes()),
        }
    }

    /// The offset where huge pages may begin. Under the pool's lock: no page behind it was ever taken.
    fn first_to_populate(&self) -> usize {
        let touched = self.touched_bytes().next_multiple_of(HUGE_PAGE_BYTES);
        touched.max(self.provision.populated.load(Ordering::Relaxed))
    }

    /// The offset behind all pages that have ever been taken; zero if there are none.
    fn touched_bytes(&self) -> usize {
        match self.touched.load(Ordering::Relaxed) {
            0 => 0,
            pages => self.start + pages * self.page_bytes,
        }
    }

    fn populate_one(&self, wanted: usize) {
        let provision = &self.provision;
        let pool = self.lock_pool();
        let from = self.first_to_populate();
        let to = wanted.min(from + HUGE_PAGE_BYTES);
        if from >= to {
            return;
        }
        provision.set_populating([self.first_page_from(from), self.first_page_from(to)]);
        drop(pool);
        self.records().region().populate(from, to - from);
        provision.populated.store(to, Ordering::Relaxed);
        self.pages[self.first_page_from(from)]
            .is_huge
            .store(1, Ordering::Relaxed);
        let _pool = self.lock_pool();
        provision.set_populating([0, 0]);
    }

    /// The first page that begins at an offset or behind it.
    fn first_page_from(&self, offset: usize) -> usize {
        (offset - self.start).div_ceil(self.page_bytes)
    }

    /// Unites the next small pages that fill a huge one.
    fn unite_small_pages(&self) {
        let begin = self.provision.united.load(Ordering::Relaxed);
        let is_small = |at: &usize| {
            let page = &self.pages[self.first_page_from(*at)];
            page.is_huge.load(Ordering::Relaxed) == 0
        };
        let whole = self.touched_bytes() / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
        let small = (begin..whole).step_by(HUGE_PAGE_BYTES).find(is_small);
        if let Some(at) = small {
            self.records().region().unite(at);
        }
        let end = small.map_or(whole, |at| at + HUGE_PAGE_BYTES);
        (self.provision.united).store(end.max(begin), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::allocator::Purpose;
    use super::super::region::Loc;
    use super::*;

    #[test]
    fn pages_that_are_being_populated_are_taken_last() {
        let allocator = Allocator::sample(4096, 20);
        let class = allocator.records().classes.for_record(1_000);
        let take = |count| -> Vec<u32> {
            let page = |_| allocator.take_page(class, Purpose::Upkeep).unwrap();
            (0..count).map(page).collect()
        };
        assert_eq!(take(2), [0, 1]);
        allocator.provision.set_populating([3, 7]);
        assert_eq!(take(3), [2, 7, 8]);
        allocator.provision.set_populating([0, 0]);
        assert_eq!(take(1).len(), 1);
        allocator.provision.set_populating([9, 18]);
        let mut others = take(5);
        others.sort_unstable();
        assert!(others.iter().all(|page| !(9..18).contains(page)));
        let mut rest = take(9);
        rest.sort_unstable();
        assert_eq!(rest, Vec::from_iter(9..18));
        assert_eq!(allocator.pool_len.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_growing_cache_is_kept_ahead_of_by_whole_huge_pages() {
        let pages_per_huge_page = HUGE_PAGE_BYTES / 65_536;
        let allocator = Allocator::sample(65_536, 6 * pages_per_huge_page);
        let class = allocator.records().classes.for_record(1_000);
        let take = |count| {
            for _ in 0..count {
                allocator.take_page(class, Purpose::Upkeep).unwrap();
            }
        };
        let ends = || allocator.provision.populated.load(Ordering::Relaxed) / HUGE_PAGE_BYTES;
        assert!(!allocator.provide_memory());
        assert_eq!(ends(), 0, "nothing was touched");
        take(1);
        assert!(!allocator.provide_memory());
        assert_eq!(ends(), 0, "the first comes with its first touch");
        take(pages_per_huge_page / 2);
        assert!(!allocator.provide_memory());
        assert_eq!(ends(), 2);
        take(pages_per_huge_page);
        assert!(allocator.provide_memory(), "it grows fast");
        assert_eq!(ends(), 3);
        assert!(!allocator.provide_memory(), "it grows no more");
    }

    #[test]
    fn what_came_in_small_pages_is_united_when_growth_has_ended_and_keeps_its_contents() {
        let pages_per_huge_page = HUGE_PAGE_BYTES / 65_536;
        let allocator = Allocator::sample(65_536, 4 * pages_per_huge_page);
        let class = allocator.records().classes.for_record(1_000);
        let united = || allocator.provision.united.load(Ordering::Relaxed) / HUGE_PAGE_BYTES;
        let taken = |_| allocator.allocate(class, Purpose::Upkeep).unwrap();
        let slots = 3 * pages_per_huge_page * allocator.records().classes.slots_per_page(class);
        let slots: Vec<_> = (0..slots).map(taken).collect();
        let mark = |slot: &Loc| &allocator.records().header(*slot).ring.next;
        for slot in &slots {
            mark(slot).store(slot.0, Ordering::Relaxed);
        }
        while allocator.provide_memory() {}
        assert_eq!(united(), 1, "it grows");
        let rest = || {
            for _ in 0..TICKS_AT_REST {
                assert!(!allocator.provide_memory());
            }
        };
        rest();
        assert_eq!(united(), 2);
        rest();
        assert_eq!(united(), 3);
        rest();
        assert_eq!(united(), 3, "the rest is not full");
        for slot in &slots {
            assert_eq!(mark(slot).load(Ordering::Relaxed), slot.0);
        }
    }
}
