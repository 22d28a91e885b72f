//! The three rings of a shard, as circular lists threaded through the records' headers.
//!
//! In list form a hand's advance is "take the first, put it last": new records are put last, victims
//! are taken from the front. Linking and unlinking store to the neighbours but load nothing from
//! them, so a cold neighbour costs no stall.
//!
//! Guarded by the shard's lock.

use crate::fault;
use crate::hash::KeyHash;
use crate::memory::record::{Queue, Records};
use crate::memory::region::Loc;
use crate::sync::Ordering;

/// First, last and size of one ring.
#[derive(Clone, Copy, Default)]
struct Ring {
    first: u32,
    last: u32,
    bytes: u64,
    /// Not as wide as `bytes`: then the compiler adds to both with one 16-byte instruction (see decision 14).
    entries: u32,
}

/// A record and its key's hash, which costs a look at the key.
pub(crate) type Hashed = (Loc, KeyHash);

/// See the module's documentation.
pub(crate) struct Rings {
    rings: [Ring; 3],
    /// Bytes of all three.
    total_bytes: u64,
    /// A record whose hash was needed before its turn came. Forgotten when the record leaves the rings.
    known: Hashed,
}

fn index(queue: Queue) -> usize {
    queue as usize - 1
}

const NOBODY: Hashed = (Loc::NONE, KeyHash(0));

/// The location that stands for a ring's end.
fn sentinel(queue: Queue) -> u32 {
    queue as u32
}

impl Rings {
    pub(crate) fn new() -> Self {
        let empty = |queue| Ring {
            first: sentinel(queue),
            last: sentinel(queue),
            ..Ring::default()
        };
        Self {
            rings: Queue::ALL.map(empty),
            total_bytes: 0,
            known: NOBODY,
        }
    }

    /// The record that [`Self::note_hash`] was last told of, if it is still in a ring.
    pub(crate) fn known(&self) -> Hashed {
        self.known
    }

    /// Keeps the hash of a record that is in a ring.
    pub(crate) fn note_hash(&mut self, known: Hashed) {
        self.known = known;
    }

    fn forget_hash(&mut self, loc: Loc) {
        if self.known.0 == loc {
            self.known = NOBODY;
        }
    }

    pub(crate) fn bytes(&self, queue: Queue) -> u64 {
        self.rings[index(queue)].bytes
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    pub(crate) fn entries(&self) -> u64 {
        self.rings.iter().map(|ring| u64::from(ring.entries)).sum()
    }

    /// The record at the hand.
    pub(crate) fn first(&self, queue: Queue) -> Option<Loc> {
        let first = Loc(self.rings[index(queue)].first);
        (!first.is_sentinel()).then_some(first)
    }

    /// The record behind `loc` in its ring.
    pub(crate) fn next(&self, records: &Records, loc: Loc) -> Option<Loc> {
        let next = Loc(records.header(loc).ring.next.load(Ordering::Relaxed));
        (!next.is_sentinel()).then_some(next)
    }

    /// Puts a record last, which occupies so many bytes. It becomes visible to whoever walks its page.
    #[inline(always)]
    pub(crate) fn push(&mut self, records: &Records, queue: Queue, loc: Loc, bytes: u64) {
        self.link_last(records, queue, loc, bytes);
        self.total_bytes += bytes;
    }

    #[inline(always)]
    fn link_last(&mut self, records: &Records, queue: Queue, loc: Loc, bytes: u64) {
        let header = records.header(loc);
        let last = self.rings[index(queue)].last;
        header.ring.prev.store(last, Ordering::Relaxed);
        header.ring.next.store(sentinel(queue), Ordering::Relaxed);
        fault::point();
        self.set_next(records, Loc(last), loc.0);
        fault::point();
        let ring = &mut self.rings[index(queue)];
        ring.last = loc.0;
        ring.entries += 1;
        ring.bytes += bytes;
        fault::point();
        header.set_queue(queue);
        fault::point();
    }

    /// Takes a record of so many bytes out of its ring.
    #[inline(always)]
    pub(crate) fn unlink(&mut self, records: &Records, queue: Queue, loc: Loc, bytes: u64) {
        self.forget_hash(loc);
        self.take_out(records, queue, loc, bytes);
        self.total_bytes -= bytes;
    }

    #[inline(always)]
    fn take_out(&mut self, records: &Records, queue: Queue, loc: Loc, bytes: u64) {
        let header = records.header(loc);
        let prev = header.ring.prev.load(Ordering::Relaxed);
        let next = header.ring.next.load(Ordering::Relaxed);
        self.set_next(records, Loc(prev), next);
        fault::point();
        self.set_prev(records, Loc(next), prev);
        fault::point();
        let ring = &mut self.rings[index(queue)];
        ring.entries -= 1;
        ring.bytes -= bytes;
        fault::point();
    }

    /// A record that was taken out of the index, and is first in a ring, has become another one of the same charge: it
    /// goes to the end.
    #[inline(always)]
    pub(crate) fn rotate(&mut self, records: &Records, queue: Queue, loc: Loc) {
        self.forget_hash(loc);
        debug_assert_eq!(self.rings[index(queue)].first, loc.0);
        let header = records.header(loc);
        let next = header.ring.next.load(Ordering::Relaxed);
        if Loc(next).is_sentinel() {
            // It is alone.
            header.set_queue(queue);
            return;
        }
        let ring = &mut self.rings[index(queue)];
        let last = ring.last;
        ring.first = next;
        ring.last = loc.0;
        fault::point();
        records
            .header(Loc(next))
            .ring
            .prev
            .store(sentinel(queue), Ordering::Relaxed);
        header.ring.prev.store(last, Ordering::Relaxed);
        header.ring.next.store(sentinel(queue), Ordering::Relaxed);
        fault::point();
        records
            .header(Loc(last))
            .ring
            .next
            .store(loc.0, Ordering::Relaxed);
        fault::point();
        header.set_queue(queue);
        fault::point();
    }

    /// Puts `new` where `old` was, in the ring `queue`; each with the bytes that it occupies.
    pub(crate) fn replace(
        &mut self,
        records: &Records,
        queue: Queue,
        (old, old_bytes): (Loc, u64),
        (new, new_bytes): (Loc, u64),
    ) {
        self.forget_hash(old);
        let (from, to) = (records.header(old), records.header(new));
        let prev = from.ring.prev.load(Ordering::Relaxed);
        let next = from.ring.next.load(Ordering::Relaxed);
        to.ring.prev.store(prev, Ordering::Relaxed);
        to.ring.next.store(next, Ordering::Relaxed);
        fault::point();
        self.set_next(records, Loc(prev), new.0);
        fault::point();
        self.set_prev(records, Loc(next), new.0);
        fault::point();
        let ring = &mut self.rings[index(queue)];
        ring.bytes = ring.bytes - old_bytes + new_bytes;
        self.total_bytes = self.total_bytes - old_bytes + new_bytes;
        fault::point();
        to.set_queue(queue);
    }

    /// Moves a record to the end of a ring.
    pub(crate) fn move_to(&mut self, records: &Records, from: Queue, to: Queue, loc: Loc) {
        let bytes = records.charge(loc);
        self.take_out(records, from, loc, bytes);
        self.link_last(records, to, loc, bytes);
    }

    fn set_next(&mut self, records: &Records, loc: Loc, next: u32) {
        match self.ring_of_sentinel(loc) {
            Some(ring) => ring.first = next,
            None => records.header(loc).ring.next.store(next, Ordering::Relaxed),
        }
    }

    fn set_prev(&mut self, records: &Records, loc: Loc, prev: u32) {
        match self.ring_of_sentinel(loc) {
            Some(ring) => ring.last = prev,
            None => records.header(loc).ring.prev.store(prev, Ordering::Relaxed),
        }
    }

    fn ring_of_sentinel(&mut self, loc: Loc) -> Option<&mut Ring> {
        loc.is_sentinel()
            .then(|| &mut self.rings[loc.0 as usize - 1])
    }

    /// Checks the links, calls `check` for every record, compares the sums.
    pub(crate) fn validate(&self, records: &Records) -> Result<(), String> {
        if self.rings.iter().map(|ring| ring.bytes).sum::<u64>() != self.total_bytes {
            return Err(format!("the rings don't add up to {}", self.total_bytes));
        }
        for queue in Queue::ALL {
            let ring = &self.rings[index(queue)];
            let (mut entries, mut bytes, mut prev) = (0, 0, sentinel(queue));
            let mut cursor = Loc(ring.first);
            while !cursor.is_sentinel() {
                let header = records.header(cursor);
                if header.ring.prev.load(Ordering::Relaxed) != prev {
                    return Err(format!(
                        "{cursor:?} in {queue:?} doesn't lead back to {prev}"
                    ));
                }
                if header.queue() != Some(queue) {
                    return Err(format!("{cursor:?} in {queue:?} says {:?}", header.queue()));
                }
                entries += 1;
                bytes += records.charge(cursor);
                if entries > ring.entries {
                    return Err(format!(
                        "{queue:?} has more than the {} entries that it counts",
                        ring.entries
                    ));
                }
                prev = cursor.0;
                cursor = Loc(header.ring.next.load(Ordering::Relaxed));
            }
            if (entries, bytes, prev) != (ring.entries, ring.bytes, ring.last) {
                return Err(format!(
                    "{queue:?} has {entries} entries, {bytes} bytes; it counts {}, {}",
                    ring.entries, ring.bytes
                ));
            }
        }
        Ok(())
    }
}
