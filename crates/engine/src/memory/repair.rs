//! What a thread that died under a lock of the allocator left behind is put in order by the next one
//! who takes that lock.
//!
//! What is true whatever happened: of which class a page is, how many of its slots were ever handed
//! out, and its list of free slots; each of these changes in one store. Everything else follows from
//! them. The one slot of which it is not sure who has it is the class' `in_hand`: it becomes free.

use super::allocator::{Allocator, ClassState, EMPTYING, Emptying, IN_POOL};
use super::classes::{Class, Use};
use super::region::Loc;
use crate::sync::{MutexGuard, Ordering};

impl Allocator {
    #[inline]
    pub(super) fn lock_class(&self, class: Class) -> MutexGuard<'_, ClassState> {
        match self.classes.of(class).lock() {
            Ok(state) => state,
            Err(poisoned) => self.take_over_class(class, poisoned.into_inner()),
        }
    }

    #[inline]
    pub(super) fn lock_pool(&self) -> MutexGuard<'_, Vec<u32>> {
        match self.pool.lock() {
            Ok(pool) => pool,
            Err(poisoned) => self.take_over_pool(poisoned.into_inner()),
        }
    }

    #[cold]
    fn take_over_class<'a>(
        &'a self,
        class: Class,
        mut state: MutexGuard<'a, ClassState>,
    ) -> MutexGuard<'a, ClassState> {
        self.free_in_hand(&mut state, class);
        (state.head, state.slots, state.used) = (0, 0, 0);
        let per_page = self.records.classes.slots_per_page(class);
        for (number, page) in (0..).zip(&self.pages) {
            if page.class.load(Ordering::Relaxed) != class.0 {
                continue;
            }
            let carved = page.carved.load(Ordering::Relaxed) as usize;
            let used = carved - self.free_slots_of(number).count();
            page.used.store(used as u16, Ordering::Relaxed);
            state.slots += per_page as u32;
            state.used += used as u32;
            // A page that is being emptied is the compactor's, and on no list.
            if page.state.load(Ordering::Relaxed) == EMPTYING {
                continue;
            }
            if used == 0 {
                self.release_page(&mut state, number, class);
            } else if used < per_page {
                self.link(&mut state, number);
            }
        }
        self.note_free_slots(&state, class);
        self.classes.of(class).clear_poison();
        state
    }

    fn free_in_hand(&self, state: &mut ClassState, class: Class) {
        let loc = Loc(state.in_hand);
        if !loc.is_none() {
            let page = self.page_of(loc);
            let is_free = self.free_slots_of(page).any(|free| free == loc);
            if self.is_carved(page, loc) && !is_free {
                if self.records.classes.use_of(class) == Use::Record {
                    // Perhaps it was never one of this class, and whoever empties the page would take it for a live record.
                    self.records.header(loc).mark_unfilled();
                }
                let head = &self.pages[page as usize].free_head;
                let next = &self.records.header(loc).ring.next;
                next.store(head.load(Ordering::Relaxed), Ordering::Relaxed);
                head.store(loc.0, Ordering::Relaxed);
            }
        }
        state.in_hand = 0;
    }

    fn is_carved(&self, page: u32, loc: Loc) -> bool {
        let meta = &self.pages[page as usize];
        let class = Class(meta.class.load(Ordering::Relaxed));
        let carved = meta.carved.load(Ordering::Relaxed) as usize;
        loc < self.slot(class, page, carved)
    }

    /// The slots of a page that were handed out and taken back. Under its class' lock.
    fn free_slots_of(&self, page: u32) -> impl Iterator<Item = Loc> + '_ {
        let mut cursor = Loc(self.pages[page as usize].free_head.load(Ordering::Relaxed));
        std::iter::from_fn(move || {
            let loc = cursor;
            let next = &self.records.header(loc).ring.next;
            (!loc.is_none()).then(|| {
                cursor = Loc(next.load(Ordering::Relaxed));
                loc
            })
        })
    }

    #[cold]
    fn take_over_pool<'a>(
        &'a self,
        mut pool: MutexGuard<'a, Vec<u32>>,
    ) -> MutexGuard<'a, Vec<u32>> {
        pool.clear();
        let numbers = (0..self.pages.len() as u32).rev();
        pool.extend(numbers.filter(|number| {
            let page = &self.pages[*number as usize];
            page.class.load(Ordering::Relaxed) == IN_POOL
        }));
        self.pool_len.store(pool.len(), Ordering::Relaxed);
        self.pool.clear_poison();
        pool
    }

    /// The page that is being emptied, if there is one: for a compactor that finds the work of one that
    /// died. Its passes begin anew.
    pub(crate) fn page_being_emptied(&self) -> Option<Emptying> {
        (0..).zip(&self.pages).find_map(|(number, page)| {
            let class = Class(page.class.load(Ordering::Acquire));
            if class.0 == IN_POOL || page.state.load(Ordering::Relaxed) != EMPTYING {
                return None;
            }
            // Whoever died may have held this lock, too.
            let _state = self.lock_class(class);
            Some(Emptying {
                page: number,
                class,
                passes: 0,
                next: 0,
            })
        })
    }
}
