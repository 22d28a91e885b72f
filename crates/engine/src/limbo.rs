//! What has been unlinked but may still be looked at by a reader: waits here until the epoch says
//! that nobody does, then goes back to the allocator.
//!
//! A shard collects what its writers unlink in a [`Pending`] chain, threaded through the dead
//! records' own links, so retiring allocates nothing. A full chain is handed over as a *bag* with
//! the epoch's stamp.

use crate::account::Account;
use crate::epoch::{Epoch, ReaderSlot};
use crate::fault;
use crate::heap::OutOfMemory;
use crate::index::Retired;
use crate::memory::allocator::Allocator;
use crate::memory::region::Loc;
use crate::sync::{AtomicU8, Mutex, Ordering, lock};
use std::collections::VecDeque;

/// A chain is handed over when it has this many records: often enough that little memory waits,
/// seldom enough that the hand-over costs little per record.
const CHAIN_RECORDS_MAX: usize = if cfg!(shuttle) { 2 } else { 64 };
/// Bags are freed when together they hold this many records...
const RECORDS_MAX: u64 = if cfg!(shuttle) { 4 } else { 512 };
/// ... or this part of the budget, at most [`BYTES_MAX`].
const BUDGET_SHARE: u64 = 100;
const BYTES_MAX: u64 = 4 << 20;
/// Bags that there is always room for. With all these waiting and no memory for more, the chains stay
/// with their shards until some have been freed.
const BAGS_MIN: usize = 4;
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
    /// Adds a record of so many bytes that has been unlinked from the index and all lists; with
    /// `chunks_moved` its chunks live on in a copy.
    pub(crate) fn push(&mut self, allocator: &Allocator, loc: Loc, bytes: u64, chunks_moved: bool) {
        let records = allocator.records();
        records.set_chunks_moved(loc, chunks_moved);
        fault::point();
        records
            .header(loc)
            .ring
            .next
            .store(self.head, Ordering::Relaxed);
        fault::point();
        self.head = loc.0;
        fault::point();
        self.records += 1;
        fault::point();
        self.bytes += bytes;
        fault::point();
    }

    /// The records, newest first.
    pub(crate) fn iter<'a>(&self, allocator: &'a Allocator) -> impl Iterator<Item = Loc> + 'a {
        let mut cursor = Loc(self.head);
        std::iter::from_fn(move || {
            let loc = cursor;
            let next = &allocator.records().header(loc).ring.next;
            (!loc.is_none()).then(|| {
                cursor = Loc(next.load(Ordering::Relaxed));
                loc
            })
        })
    }

    /// Counts again, after the death of a writer.
    pub(crate) fn recount(&mut self, allocator: &Allocator) {
        self.records = self.iter(allocator).count();
        let charges = self
            .iter(allocator)
            .map(|loc| allocator.records().occupied(loc));
        self.bytes = charges.sum();
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
    has_leftovers: AtomicU8,
    account: Account,
    bytes_max: u64,
}

impl Limbo {
    pub(crate) fn new(budget: u64) -> Result<Self, OutOfMemory> {
        let mut bags = Bags::default();
        let refused = OutOfMemory {
            bytes: BAGS_MIN * size_of::<Bag>(),
        };
        bags.waiting.try_reserve(BAGS_MIN).map_err(|_| refused)?;
        Ok(Self {
            bags: Mutex::new(bags),
            has_leftovers: AtomicU8::new(0),
            account: Account::new(),
            bytes_max: (budget / BUDGET_SHARE).min(BYTES_MAX),
        })
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
            || self.has_leftovers.load(Ordering::Relaxed) != 0
    }

    /// Takes a chain over, if there is memory for one more bag. Everything in it was unlinked before.
    pub(crate) fn add(&self, epoch: &Epoch, pending: &mut Pending) {
        if pending.is_empty() {
            return;
        }
        let mut bags = lock(&self.bags);
        fault::point();
        if bags.waiting.try_reserve(1).is_err() {
            return;
        }
        self.account.add(pending.records as u64, pending.bytes);
        bags.waiting.push_back(Bag {
            stamp: epoch.stamp(),
            content: std::mem::take(pending),
        });
        fault::point();
    }

    /// Frees some of what no reader can be looking at; true if there may be more of it. `own` as for
    /// [`Epoch::advance`].
    pub(crate) fn collect(
        &self,
        epoch: &Epoch,
        allocator: &Allocator,
        own: Option<&ReaderSlot>,
    ) -> bool {
        // What the last barrier allowed comes first: the next one is dear.
        let (nothing_waits, mut oldest_reader) = {
            let bags = lock(&self.bags);
            (bags.waiting.is_empty(), bags.oldest_reader)
        };
        if nothing_waits {
            self.has_leftovers.store(0, Ordering::Relaxed);
            return false;
        }
        let mut records = 0;
        let mut has_advanced = false;
        loop {
            records += self.free_older_than(oldest_reader, allocator, records);
            if records >= RECORDS_PER_COLLECT || has_advanced {
                break;
            }
            let mut bags = lock(&self.bags);
            if bags.waiting.is_empty() {
                break;
            }
            fault::point();
            bags.oldest_reader = epoch.advance(own);
            (oldest_reader, has_advanced) = (bags.oldest_reader, true);
            fault::point();
        }
        // Perhaps only after another barrier, or not at all: the next call will see.
        let more = records >= RECORDS_PER_COLLECT && !lock(&self.bags).waiting.is_empty();
        // Relaxed: who misses it collects when the limits say so, or is the helper thread.
        self.has_leftovers.store(more.into(), Ordering::Relaxed);
        more
    }

    /// Frees bags until there is none with a smaller stamp, or with those `done` before there are
    /// enough records for one call; returns how many. One at a time, so that nothing need be allocated
    /// to hold them. Whatever is added meanwhile has a later stamp.
    fn free_older_than(&self, oldest_reader: u64, allocator: &Allocator, done: usize) -> usize {
        let mut records = 0;
        while done + records < RECORDS_PER_COLLECT
            && let Some(mut unfreed) = self.take_older_than(oldest_reader)
        {
            fault::point();
            free_content(allocator, &mut unfreed.bag.content);
            fault::point();
            let content = std::mem::take(&mut unfreed.bag.content);
            self.account.take_off(content.records as u64, content.bytes);
            records += content.records;
            fault::point();
        }
        records
    }

    fn take_older_than(&self, epoch: u64) -> Option<Unfreed<'_>> {
        let mut bags = lock(&self.bags);
        let is_older = bags.waiting.front().is_some_and(|bag| bag.stamp < epoch);
        let bag = is_older.then(|| bags.waiting.pop_front()).flatten()?;
        Some(Unfreed { limbo: self, bag })
    }

    /// Records and index blocks that wait.
    pub(crate) fn census(&self, allocator: &Allocator) -> Census {
        let bags = lock(&self.bags);
        bags.waiting.iter().fold(Census::default(), |sum, bag| {
            sum.plus(Census::of(allocator, &bag.content))
        })
    }
}

/// A bag that was taken out to be freed. What is left of it goes back should the thread die.
struct Unfreed<'a> {
    limbo: &'a Limbo,
    bag: Bag,
}

impl Drop for Unfreed<'_> {
    fn drop(&mut self) {
        let content = std::mem::take(&mut self.bag.content);
        if !content.is_empty() {
            let stamp = self.bag.stamp;
            let waiting = &mut lock(&self.limbo.bags).waiting;
            // It is among the oldest. Where its place was taken meanwhile and there is no memory for
            // another it is lost, which is better than the end of the process.
            if waiting.try_reserve(1).is_ok() {
                waiting.push_front(Bag { stamp, content });
            }
        }
    }
}

/// Frees what a bag holds. It forgets each slot before that is freed: the allocator completes what it
/// has begun, so that whatever happens nothing is freed twice.
fn free_content(allocator: &Allocator, content: &mut Pending) {
    let mut freeing = allocator.freeing();
    loop {
        let loc = Loc(content.head);
        if loc.is_none() {
            break;
        }
        let next = allocator
            .records()
            .header(loc)
            .ring
            .next
            .load(Ordering::Relaxed);
        allocator.records().region().prefetch(Loc(next));
        freeing.free_chunks(loc);
        content.head = next;
        freeing.free(loc);
    }
    while let Some(retired) = content.index.pop() {
        match retired {
            Retired::Segment(loc) | Retired::Unpublished(loc) => freeing.free(loc),
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
        for loc in pending.iter(allocator) {
            census.records += 1;
            census.chunks += allocator.records().owned_chunks(loc).count();
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
