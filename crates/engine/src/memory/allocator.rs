//! Which slots are in use: pages, and the size class that each is cut into.
//!
//! A page belongs to the pool or to one class. A class has a lock, a list of its pages that have a
//! free slot, and takes a page from the pool when there is none. A page whose last slot is freed
//! goes back to the pool at once. A page of a class that has much free space can be *emptied*: taken
//! off the list so that nothing new is put there, until what is left in it has been moved or evicted
//! (`crate::compaction` does that) and it can return to the pool.
//!
//! Lock order: a class' lock, then the pool's. Neither is held while anything else is called.
//!
//! It leaves to others what is in the slots, and whom to evict when there is no room.

use super::classes::{Class, Use};
use super::provision::Provision;
use super::record::Records;
use super::region::{HEAD_BYTES, Loc};
use crate::fault;
use crate::heap::{self, OutOfMemory};
use crate::sync::{AtomicU8, AtomicU16, AtomicU32, AtomicUsize, Mutex, MutexGuard, Ordering};

/// A page's class while it lies in the pool.
pub(super) const IN_POOL: u16 = u16::MAX;
/// The state of a page that is being emptied.
pub(super) const EMPTYING: u8 = 1;
/// The state of a page that could not be emptied, until one of its slots is freed: what is in it may be
/// what the very writer that needs room has allocated and not published yet.
const STUBBORN: u8 = 2;
/// Pages that only the index and relocated records may take, so that neither is stuck when entries
/// fill the rest.
const RESERVED_PAGES: usize = 1;
/// How many pages are looked at to find a sparsely used one.
const SPARSE_CANDIDATES: usize = 64;

/// Book-keeping of one page. Everything but `class` is guarded by its class' lock; atomics only so
/// that no unsafe code is needed for that.
pub(super) struct Page {
    /// Changed only under the pool's lock beside the class', so that it says which pages the pool has.
    pub(super) class: AtomicU16,
    pub(super) used: AtomicU16,
    /// Slots that have been handed out at least once; those above were never touched.
    pub(super) carved: AtomicU16,
    pub(super) state: AtomicU8,
    /// 1 if a huge page begins with it. Written and read by the helper thread.
    pub(super) is_huge: AtomicU8,
    pub(super) free_head: AtomicU32,
    prev: AtomicU32,
    next: AtomicU32,
}

impl Page {
    /// Changes the number of used slots, under the class' lock, and returns it.
    fn add_used(&self, delta: i32) -> usize {
        let used = (i32::from(self.used.load(Ordering::Relaxed)) + delta) as u16;
        self.used.store(used, Ordering::Relaxed);
        used as usize
    }
}

#[derive(Default)]
pub(super) struct ClassState {
    /// First of the list of pages with a free slot, as page number + 1.
    pub(super) head: u32,
    pub(super) slots: u32,
    pub(super) used: u32,
    /// The slot that is being handed out or taken back, for `repair`: it is free unless that is done.
    pub(super) in_hand: u32,
}

/// Who asks for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new record: may not take the last pages.
    Entry,
    /// The index, or a record on its way out of a page: may.
    Upkeep,
    /// Only from pages that the class already has.
    WithinClass,
}

/// A page on its way back to the pool.
#[derive(Clone, Copy)]
pub(crate) struct Emptying {
    pub(crate) page: u32,
    pub(crate) class: Class,
    /// How often its slots have been gone through.
    pub(crate) passes: u32,
    /// The next of its slots in this pass.
    pub(crate) next: usize,
}

/// One class' state and its lock, within a cache line.
#[repr(align(32))]
pub(super) struct ClassLock(pub(super) Mutex<ClassState>);

/// The states of all classes.
pub(super) struct ClassLocks {
    locks: Box<[ClassLock]>,
    /// A class' place is its number times 2^this.
    spread: u32,
}

/// Where several threads write at once, classes lie two cache lines apart, because x86 prefetches lines in pairs.
const SPREAD: u32 = 128usize.div_ceil(size_of::<ClassLock>()).ilog2();

impl ClassLocks {
    fn new(count: usize, is_contended: bool) -> Result<Self, OutOfMemory> {
        let spread = if is_contended { SPREAD } else { 0 };
        let lock = |_| ClassLock(Mutex::new(ClassState::default()));
        let locks = heap::slice(count << spread, lock)?;
        Ok(Self { locks, spread })
    }

    #[inline(always)]
    pub(super) fn of(&self, class: Class) -> &Mutex<ClassState> {
        &self.locks[(class.0 as usize) << self.spread].0
    }
}

/// The slots of the region.
pub(crate) struct Allocator {
    pub(super) records: Records,
    pub(super) page_bytes: usize,
    /// Offset of the first page.
    pub(super) start: usize,
    pub(super) pages: Box<[Page]>,
    pub(super) classes: ClassLocks,
    /// Free slots per class, a hint read without the lock.
    free_slots: Box<[AtomicU32]>,
    pub(super) pool: Mutex<Vec<u32>>,
    pub(super) pool_len: AtomicUsize,
    /// Pages from the first on that have ever been taken from the pool. Written under the pool's lock.
    pub(super) touched: AtomicUsize,
    pub(super) provision: Provision,
}

impl Allocator {
    /// With `is_contended` several threads may want slots at the same time.
    pub(crate) fn new(
        records: Records,
        page_bytes: usize,
        page_count: usize,
        is_contended: bool,
    ) -> Result<Self, OutOfMemory> {
        // The head holds no slots, so that its locations can be sentinels; it costs no memory
        // because it is never touched.
        let start = page_bytes.max(HEAD_BYTES);
        debug_assert!(start + page_count * page_bytes <= records.region().bytes());
        let class_count = records.classes.len();
        let page = |_| Page {
            class: AtomicU16::new(IN_POOL),
            used: AtomicU16::new(0),
            carved: AtomicU16::new(0),
            state: AtomicU8::new(0),
            is_huge: AtomicU8::new(0),
            free_head: AtomicU32::new(0),
            prev: AtomicU32::new(0),
            next: AtomicU32::new(0),
        };
        // Each page is there once: the pool never has to grow.
        let pool = heap::table(page_count, |n| Ok((page_count - 1 - n) as u32))?;
        Ok(Self {
            records,
            page_bytes,
            start,
            pages: heap::slice(page_count, page)?,
            classes: ClassLocks::new(class_count, is_contended)?,
            free_slots: heap::slice(class_count, |_| AtomicU32::new(0))?,
            pool: Mutex::new(pool),
            pool_len: AtomicUsize::new(page_count),
            touched: AtomicUsize::new(0),
            provision: Provision::new(page_count),
        })
    }

    pub(crate) fn records(&self) -> &Records {
        &self.records
    }

    /// Heap bytes that the book-keeping takes for each page, to be charged to the budget...
    pub(crate) const PAGE_OVERHEAD_BYTES: usize = size_of::<Page>() + size_of::<u32>();

    /// ... and for the classes.
    pub(crate) fn classes_overhead_bytes(class_count: usize, is_contended: bool) -> usize {
        let spread = if is_contended { SPREAD } else { 0 };
        class_count * ((size_of::<ClassLock>() << spread) + size_of::<AtomicU32>())
    }

    /// A free slot of `class`, or `None` when there is no room.
    pub(crate) fn allocate(&self, class: Class, purpose: Purpose) -> Option<Loc> {
        let mut state = self.lock_class(class);
        if state.head == 0 {
            if purpose == Purpose::WithinClass {
                return None;
            }
            let page = self.take_page(class, purpose)?;
            fault::point();
            self.open_page(&mut state, class, page);
        }
        let page = state.head - 1;
        let loc = self.take_slot(&mut state, class, page);
        fault::point();
        let bytes = self.records.classes.slot_bytes(class);
        super::asan::permit(self.records.region().at(loc), bytes);
        if self.records.classes.use_of(class) == Use::Record {
            // What lay here before, perhaps of another class, may look like a live record.
            self.records.header(loc).mark_unfilled();
        }
        state.used += 1;
        fault::point();
        let meta = &self.pages[page as usize];
        if meta.used.load(Ordering::Relaxed) as usize == self.records.classes.slots_per_page(class)
        {
            self.unlink(&mut state, page);
        }
        fault::point();
        self.note_free_slots(&state, class);
        fault::point();
        state.in_hand = 0;
        Some(loc)
    }

    /// A page for a class, whose lock the caller holds.
    pub(super) fn take_page(&self, class: Class, purpose: Purpose) -> Option<u32> {
        let mut pool = self.lock_pool();
        let kept = if purpose == Purpose::Entry {
            RESERVED_PAGES
        } else {
            0
        };
        if pool.len() <= kept {
            return None;
        }
        self.provision.prefer_ready_page(&mut pool);
        let page = pool.pop()?;
        fault::point();
        self.pages[page as usize]
            .class
            .store(class.0, Ordering::Release);
        fault::point();
        self.pool_len.store(pool.len(), Ordering::Relaxed);
        fault::point();
        if page as usize >= self.touched.load(Ordering::Relaxed) {
            self.touched.store(page as usize + 1, Ordering::Relaxed);
        }
        Some(page)
    }

    /// Puts a page to use, which came from the pool and is empty.
    fn open_page(&self, state: &mut ClassState, class: Class, page: u32) {
        state.slots += self.records.classes.slots_per_page(class) as u32;
        fault::point();
        self.link(state, page);
        fault::point();
    }

    fn take_slot(&self, state: &mut ClassState, class: Class, page: u32) -> Loc {
        let meta = &self.pages[page as usize];
        meta.add_used(1);
        fault::point();
        let free = Loc(meta.free_head.load(Ordering::Relaxed));
        if !free.is_none() {
            let next = self.records.header(free).ring.next.load(Ordering::Relaxed);
            state.in_hand = free.0;
            fault::point();
            meta.free_head.store(next, Ordering::Relaxed);
            // The next allocation will write there.
            self.records.region().prefetch(Loc(next));
            return free;
        }
        let index = meta.carved.load(Ordering::Relaxed);
        debug_assert!((index as usize) < self.records.classes.slots_per_page(class));
        let loc = self.slot(class, page, index as usize);
        state.in_hand = loc.0;
        fault::point();
        meta.carved.store(index + 1, Ordering::Relaxed);
        loc
    }

    pub(super) fn slot(&self, class: Class, page: u32, index: usize) -> Loc {
        Loc::from_offset(
            self.start
                + page as usize * self.page_bytes
                + index * self.records.classes.slot_bytes(class),
        )
    }

    pub(super) fn page_of(&self, loc: Loc) -> u32 {
        ((loc.offset() - self.start) >> self.page_bytes.trailing_zeros()) as u32
    }

    /// The class of an allocated slot.
    pub(crate) fn class_of(&self, loc: Loc) -> Class {
        Class(
            self.pages[self.page_of(loc) as usize]
                .class
                .load(Ordering::Acquire),
        )
    }

    /// Takes a slot back. Nobody may be able to reach it any more.
    pub(crate) fn free(&self, loc: Loc) {
        self.freeing().free(loc);
    }

    /// Takes many slots back, holding on to a class' lock from one slot of the class to the next.
    pub(crate) fn freeing(&self) -> Freeing<'_> {
        Freeing {
            allocator: self,
            held: None,
        }
    }

    fn free_locked(&self, state: &mut ClassState, class: Class, loc: Loc) {
        // From here on the slot is as good as free: whoever finds the lock poisoned completes it.
        state.in_hand = loc.0;
        fault::point();
        let page = self.page_of(loc);
        self.records
            .poison(loc, self.records.classes.slot_bytes(class));
        fault::point();
        let meta = &self.pages[page as usize];
        let next = &self.records.header(loc).ring.next;
        next.store(meta.free_head.load(Ordering::Relaxed), Ordering::Relaxed);
        fault::point();
        meta.free_head.store(loc.0, Ordering::Relaxed);
        fault::point();
        state.in_hand = 0;
        let used = meta.add_used(-1);
        fault::point();
        state.used -= 1;
        fault::point();
        let emptying = meta.state.load(Ordering::Relaxed) == EMPTYING;
        if !emptying {
            meta.state.store(0, Ordering::Relaxed);
        }
        if used + 1 == self.records.classes.slots_per_page(class) && !emptying {
            self.link(state, page);
        }
        fault::point();
        // A page that is being emptied stays with its class until the compactor lets go of it: it
        // looks at the page's slots as records without holding a lock.
        if used == 0 && !emptying {
            self.unlink(state, page);
            fault::point();
            self.release_page(state, page, class);
        }
        self.note_free_slots(state, class);
        fault::point();
    }

    /// Gives an empty page back, which is not on its class' list.
    pub(super) fn release_page(&self, state: &mut ClassState, page: u32, class: Class) {
        state.slots -= self.records.classes.slots_per_page(class) as u32;
        fault::point();
        let meta = &self.pages[page as usize];
        meta.state.store(0, Ordering::Relaxed);
        meta.carved.store(0, Ordering::Relaxed);
        meta.free_head.store(0, Ordering::Relaxed);
        fault::point();
        let mut pool = self.lock_pool();
        meta.class.store(IN_POOL, Ordering::Release);
        fault::point();
        pool.push(page);
        fault::point();
        self.pool_len.store(pool.len(), Ordering::Relaxed);
        fault::point();
    }

    pub(super) fn note_free_slots(&self, state: &ClassState, class: Class) {
        self.free_slots[class.0 as usize].store(state.slots - state.used, Ordering::Relaxed);
    }

    pub(super) fn link(&self, state: &mut ClassState, page: u32) {
        let meta = &self.pages[page as usize];
        meta.prev.store(0, Ordering::Relaxed);
        meta.next.store(state.head, Ordering::Relaxed);
        if state.head != 0 {
            self.pages[state.head as usize - 1]
                .prev
                .store(page + 1, Ordering::Relaxed);
        }
        state.head = page + 1;
    }

    fn unlink(&self, state: &mut ClassState, page: u32) {
        let meta = &self.pages[page as usize];
        let (prev, next) = (
            meta.prev.load(Ordering::Relaxed),
            meta.next.load(Ordering::Relaxed),
        );
        match prev {
            0 => state.head = next,
            _ => self.pages[prev as usize - 1]
                .next
                .store(next, Ordering::Relaxed),
        }
        if next != 0 {
            self.pages[next as usize - 1]
                .prev
                .store(prev, Ordering::Relaxed);
        }
    }

    /// Pages in the pool that entries may take.
    pub(crate) fn pages_for_entries(&self) -> usize {
        self.pool_len
            .load(Ordering::Relaxed)
            .saturating_sub(RESERVED_PAGES)
    }

    /// A class of entries whose free slots would hold all that one of its pages holds: the one with
    /// the most free bytes. With `any`, the one with the most of all that have a free slot.
    pub(crate) fn sparse_class(&self, any: bool) -> Option<Class> {
        let classes = &self.records.classes;
        (0..classes.len() as u16)
            .map(Class)
            .filter(|class| classes.use_of(*class) != Use::Index)
            .filter_map(|class| {
                let free = self.free_slots[class.0 as usize].load(Ordering::Relaxed) as usize;
                (free
                    >= if any {
                        1
                    } else {
                        classes.slots_per_page(class)
                    })
                .then(|| (free * classes.slot_bytes(class), class))
            })
            .max()
            .map(|(_, class)| class)
    }

    /// Whether a new record of a class would find neither a free slot nor a page. A hint.
    #[inline(always)]
    pub(crate) fn is_exhausted(&self, class: Class) -> bool {
        !self.has_free_slots(class) && self.pages_for_entries() == 0
    }

    /// Whether a class has free slots. A hint.
    #[inline(always)]
    pub(crate) fn has_free_slots(&self, class: Class) -> bool {
        self.free_slots[class.0 as usize].load(Ordering::Relaxed) > 0
    }

    /// Whether a class has free slots, but fewer than one of its pages holds. A hint.
    pub(crate) fn has_stray_slots(&self, class: Class) -> bool {
        let free = self.free_slots[class.0 as usize].load(Ordering::Relaxed) as usize;
        (1..self.records.classes.slots_per_page(class)).contains(&free)
    }

    /// Takes the least used of a class' pages off its list, to be emptied. Its slots are then
    /// visited with [`Self::slots_of`]; the page keeps its class until [`Self::end_emptying`].
    pub(crate) fn begin_emptying(&self, class: Class) -> Option<Emptying> {
        let mut state = self.lock_class(class);
        let mut best: Option<(u16, u32)> = None;
        let mut cursor = state.head;
        for _ in 0..SPARSE_CANDIDATES {
            if cursor == 0 {
                break;
            }
            let meta = &self.pages[cursor as usize - 1];
            if meta.state.load(Ordering::Relaxed) != STUBBORN {
                let candidate = (meta.used.load(Ordering::Relaxed), cursor - 1);
                best = Some(best.map_or(candidate, |best| best.min(candidate)));
            }
            cursor = meta.next.load(Ordering::Relaxed);
        }
        let (_, page) = best?;
        self.unlink(&mut state, page);
        fault::point();
        self.pages[page as usize]
            .state
            .store(EMPTYING, Ordering::Relaxed);
        fault::point();
        Some(Emptying {
            page,
            class,
            passes: 0,
            next: 0,
        })
    }

    /// Ends the emptying of a page: it goes to the pool if it is empty, or, with `give_up`, back to
    /// use if it is not. Whether it has ended.
    pub(crate) fn end_emptying(&self, page: u32, class: Class, give_up: bool) -> bool {
        let mut state = self.lock_class(class);
        let meta = &self.pages[page as usize];
        let empty = meta.used.load(Ordering::Relaxed) == 0;
        if empty {
            self.release_page(&mut state, page, class);
            self.note_free_slots(&state, class);
        } else if give_up {
            meta.state.store(STUBBORN, Ordering::Relaxed);
            fault::point();
            self.link(&mut state, page);
        }
        fault::point();
        empty || give_up
    }

    /// All slots of a page that were ever handed out.
    pub(crate) fn slots_of(&self, page: u32, class: Class) -> impl Iterator<Item = Loc> + '_ {
        let carved = {
            let _state = self.lock_class(class);
            self.pages[page as usize].carved.load(Ordering::Relaxed) as usize
        };
        (0..carved).map(move |index| self.slot(class, page, index))
    }

    /// Bytes of slots in use, and those of them that the index takes.
    pub(crate) fn used_bytes(&self) -> (u64, u64) {
        let classes = &self.records.classes;
        let mut total = 0;
        let mut index = 0;
        for class in (0..classes.len() as u16).map(Class) {
            let used = self.lock_class(class).used as usize * classes.slot_bytes(class);
            total += used as u64;
            if classes.use_of(class) == Use::Index {
                index += used as u64;
            }
        }
        (total, index)
    }

    /// Checks every page against its class; returns the slots in use per kind of use: records,
    /// chunks, index blocks. Nothing may be allocating at the same time.
    pub(crate) fn validate(&self) -> Result<[usize; 3], String> {
        let mut used = [0; 3];
        let mut owned_pages = 0;
        for class in (0..self.records.classes.len() as u16).map(Class) {
            let state = self.lock_class(class);
            let per_page = self.records.classes.slots_per_page(class);
            let (mut slots, mut in_use) = (0, 0);
            for page in self
                .pages
                .iter()
                .filter(|page| page.class.load(Ordering::Relaxed) == class.0)
            {
                slots += per_page;
                in_use += page.used.load(Ordering::Relaxed) as usize;
                owned_pages += 1;
            }
            if (slots, in_use) != (state.slots as usize, state.used as usize) {
                return Err(format!(
                    "{class:?}: pages say {in_use} of {slots} slots, the class {} of {}",
                    state.used, state.slots
                ));
            }
            used[self.records.classes.use_of(class) as usize] += in_use;
        }
        let pooled = self.lock_pool().len();
        if owned_pages + pooled != self.pages.len() {
            return Err(format!(
                "{owned_pages} owned and {pooled} pooled of {} pages",
                self.pages.len()
            ));
        }
        Ok(used)
    }
}

/// See [`Allocator::freeing`]. Holds a class' lock: drop it before anything else is locked.
pub(crate) struct Freeing<'a> {
    allocator: &'a Allocator,
    held: Option<(Class, MutexGuard<'a, ClassState>)>,
}

impl Freeing<'_> {
    /// Takes a slot back. Nobody may be able to reach it any more.
    pub(crate) fn free(&mut self, loc: Loc) {
        let class = self.allocator.class_of(loc);
        if !matches!(&self.held, Some((held, _)) if *held == class) {
            // Let go of the one before the other is taken.
            self.held = None;
            self.held = Some((class, self.allocator.lock_class(class)));
        }
        if let Some((_, state)) = &mut self.held {
            self.allocator.free_locked(state, class, loc);
        }
    }

    /// Takes the chunks of a retired record back.
    pub(crate) fn free_chunks(&mut self, loc: Loc) {
        let allocator = self.allocator;
        for chunk in allocator.records().take_chunks(loc) {
            self.free(chunk);
        }
    }
}

#[cfg(test)]
impl Allocator {
    /// With its own region, for tests.
    pub(super) fn sample(page_bytes: usize, page_count: usize) -> Self {
        let bytes = page_bytes.max(HEAD_BYTES) + page_bytes * page_count;
        let region =
            super::region::Region::reserve(bytes, super::region::HugePages::WherePopulated)
                .unwrap();
        let classes = super::classes::ClassTable::new(page_bytes, page_count);
        let records = Records::new(region, classes, crate::limit::Unit::Bytes);
        Self::new(records, page_bytes, page_count, false).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_could_not_be_emptied_is_left_alone_until_one_of_its_slots_is_freed() {
        let allocator = Allocator::sample(4096, 200);
        let class = allocator.records().classes.for_record(1_000);
        let allocate = || allocator.allocate(class, Purpose::Entry).unwrap();
        let per_page = allocator.records().classes.slots_per_page(class);
        let slots: Vec<Loc> = (0..per_page * 2).map(|_| allocate()).collect();
        // One slot of the first page stays in use, as a record that is being filled does; all but one of
        // the second.
        slots[1..per_page]
            .iter()
            .for_each(|slot| allocator.free(*slot));
        allocator.free(slots[per_page]);
        let first = allocator.begin_emptying(class).unwrap();
        assert_eq!(first.page, allocator.page_of(slots[0]));
        assert!(allocator.end_emptying(first.page, class, true));
        let second = allocator.begin_emptying(class).unwrap();
        assert_eq!(second.page, allocator.page_of(slots[per_page]));
        assert!(allocator.end_emptying(second.page, class, true));
        assert!(allocator.begin_emptying(class).is_none());
        allocator.free(slots[per_page + 1]);
        let again = allocator.begin_emptying(class).unwrap();
        assert_eq!(again.page, second.page);
    }
}
