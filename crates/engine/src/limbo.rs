//! What has been unlinked but may still be looked at by a reader: waits here until the epoch says
//! that nobody does, then goes back to the allocator.
//!
//! A shard collects what its writers unlink in a [`Pending`] chain, threaded through the dead
//! records' own links, so retiring allocates nothing. A full chain is handed over as a *bag* with
//! the epoch's stamp.

use crate::account::Account;
use crate::epoch::{Epoch, ReaderSlot};
use crate::index::Retired;
use crate::memory::allocator::Allocator;
use crate::memory::region::Loc;
use crate::sync::{AtomicBool, Mutex, Ordering, lock};
use std::collections::VecDeque;

/// A chain is handed over when it has this many records: often enough that little memory waits,
/// seldom enough that the hand-over costs little per record.
const CHAIN_RECORDS_MAX: usize = 64;
/// Bags are freed when together they hold this many records...
const RECORDS_MAX: u64 = 512;
/// ... or this part of the budget, at most [`BYTES_MAX`].
const BUDGET_SHARE: u64 = 100;
const BYTES_MAX: u64 = 4 << 20;
/// One call frees bags until they held this many records: freeing touches memory that has grown cold,
/// and no write may take long because much was expired or cleared at once.
const RECORDS_PER_COLLECT: usize = 2 * CHAIN_RECORDS_MAX;

/// One shard's unlinked records. Guarded by the shard's lock.
#[derive(Default)]
pub(crate) struct Pending {
    head: u32,
    records: usize,
    bytes: u64,
    index: Vec<Retired>,
}

impl Pending {
    /// Adds a record that has been unlinked from the index and all lists; with `chunks_moved` its
    /// chunks live on in a copy.
    pub(crate) fn push(&mut self, allocator: &Allocator, loc: Loc, chunks_moved: bool) {
        let records = allocator.records();
        records.set_chunks_moved(loc, chunks_moved);
        records
            .header(loc)
            .ring
            .next
            .store(self.head, Ordering::Relaxed);
        self.head = loc.0;
        self.records += 1;
        self.bytes += records.charge(loc);
    }

    /// Where the index puts what it takes out of use.
    pub(crate) fn index(&mut self) -> &mut Vec<Retired> {
        &mut self.index
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0 && self.index.is_empty()
    }
}

struct Bag {
    stamp: u64,
    content: Pending,
}

/// Bags, oldest first.
#[derive(Default)]
struct Bags {
    waiting: VecDeque<Bag>,
    /// What [`Epoch::advance`] last returned: bags with a smaller stamp may be freed.
    oldest_reader: u64,
}

/// All bags of a cache.
pub(crate) struct Limbo {
    bags: Mutex<Bags>,
    /// Whether the last call of [`Self::collect`] left bags that may be freed. A hint.
    has_leftovers: AtomicBool,
    account: Account,
    bytes_max: u64,
}

impl Limbo {
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            bags: Mutex::default(),
            has_leftovers: AtomicBool::new(false),
            account: Account::new(),
            bytes_max: (budget / BUDGET_SHARE).min(BYTES_MAX),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.account.bytes()
    }

    /// Whether a chain should be handed over now.
    pub(crate) fn is_full(&self, pending: &Pending) -> bool {
        pending.records >= CHAIN_RECORDS_MAX
            || pending.bytes > self.bytes_max / 4
            || pending.index.len() > CHAIN_RECORDS_MAX
    }

    /// Whether so much waits that it should be freed now.
    pub(crate) fn is_overdue(&self) -> bool {
        self.account.records() > RECORDS_MAX
            || self.bytes() > self.bytes_max
            || self.has_leftovers.load(Ordering::Relaxed)
    }

    /// Takes a chain over. Everything in it was unlinked before.
    pub(crate) fn add(&self, epoch: &Epoch, pending: &mut Pending) {
        if pending.is_empty() {
            return;
        }
        let content = std::mem::take(pending);
        let mut bags = lock(&self.bags);
        self.account.add(content.records as u64, content.bytes);
        bags.waiting.push_back(Bag {
            stamp: epoch.stamp(),
            content,
        });
    }

    /// Frees some of what no reader can be looking at; true if there is more of it. `own` as for
    /// [`Epoch::advance`].
    pub(crate) fn collect(
        &self,
        epoch: &Epoch,
        allocator: &Allocator,
        own: Option<&ReaderSlot>,
    ) -> bool {
        let mut free = Vec::new();
        let more = {
            let mut bags = lock(&self.bags);
            let Some(first) = bags.waiting.front() else {
                return false;
            };
            // The barrier is dear: not before all that the last one allowed is done.
            if first.stamp >= bags.oldest_reader {
                bags.oldest_reader = epoch.advance(own);
            }
            let Bags {
                waiting,
                oldest_reader,
            } = &mut *bags;
            let is_free = |bag: &Bag| bag.stamp < *oldest_reader;
            let mut records = 0;
            while records < RECORDS_PER_COLLECT && waiting.front().is_some_and(is_free) {
                let bag = waiting.pop_front();
                records += bag.as_ref().map_or(0, |bag| bag.content.records);
                free.extend(bag);
            }
            let more = waiting.front().is_some_and(is_free);
            // Relaxed: who misses it collects when the limits say so, or is the helper thread.
            self.has_leftovers.store(more, Ordering::Relaxed);
            more
        };
        for bag in free {
            self.account
                .take_off(bag.content.records as u64, bag.content.bytes);
            free_bag(allocator, bag.content);
        }
        more
    }

    /// Records and index blocks that wait.
    pub(crate) fn census(&self, allocator: &Allocator) -> Census {
        let bags = lock(&self.bags);
        bags.waiting.iter().fold(Census::default(), |sum, bag| {
            sum.plus(Census::of(allocator, &bag.content))
        })
    }
}

fn free_bag(allocator: &Allocator, content: Pending) {
    let mut freeing = allocator.freeing();
    let mut cursor = Loc(content.head);
    while !cursor.is_none() {
        let next = Loc(allocator
            .records()
            .header(cursor)
            .ring
            .next
            .load(Ordering::Relaxed));
        allocator.records().region().prefetch(next);
        freeing.free_record(cursor);
        cursor = next;
    }
    for retired in content.index {
        match retired {
            Retired::Segment(loc) => freeing.free(loc),
            Retired::Directory(directory) => drop(directory),
        }
    }
}

/// Slots that wait in limbo, by use; for `validate`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Census {
    pub(crate) records: usize,
    pub(crate) chunks: usize,
    pub(crate) blocks: usize,
}

impl Census {
    pub(crate) fn of(allocator: &Allocator, pending: &Pending) -> Self {
        let mut census = Self::default();
        let mut cursor = Loc(pending.head);
        while !cursor.is_none() {
            census.records += 1;
            census.chunks += allocator.records().owned_chunks(cursor).count();
            cursor = Loc(allocator
                .records()
                .header(cursor)
                .ring
                .next
                .load(Ordering::Relaxed));
        }
        census.blocks = pending
            .index
            .iter()
            .filter(|retired| matches!(retired, Retired::Segment(_)))
            .count();
        census
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            chunks: self.chunks + other.chunks,
            blocks: self.blocks + other.blocks,
        }
    }
}
