//! Who loads a key: of all threads that miss it one gets the *claim*, the others learn that it is held.
//!
//! A claim is a generation, too: any write or delete of its key supersedes it, and what was loaded on a
//! superseded claim is not stored. So a value that was read from the source before an invalidation can't
//! enter the cache after it.
//!
//! Claims are filed by their key's 64-bit hash. Should two keys ever have the same, they count as one: one
//! waits for the other, and a write of one supersedes the claim of the other, all of which is safe.
//!
//! Invariants:
//! 1. A claim is made or taken over, a key's claims are superseded, and a value is stored on a claim, each
//!    under the lock of the key's shard. So for one key they have an order, and between the check that a
//!    claim is current and the store nothing supersedes it.
//! 2. A writer supersedes before its change takes effect, under the same hold of the lock.
//! 3. `attention` counts what is filed, raised under the lock of the key's shard.
//!
//! With these, take a delete and a store on a claim. If the store comes first, the delete removes what it
//! stored. If the delete comes first, the claim either was made after it, and the load read what
//! the deleter had left in the source, or was made before it and is superseded: nothing is stored.
//!
//! A table's lock is taken under its shard's (or without) and takes nothing itself.

use crate::attention::Attention;
use crate::heap::{self, OutOfMemory};
use crate::prehashed::{Prehashed, reserve_one};
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// Claims that may be held at once.
const COUNT_MAX: u64 = 1_000_000;
/// A table that has become empty is given back if it had room for more than so many.
const KEPT_CAPACITY: usize = 64;

/// What becomes of a wish for a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is the asker's, under this token.
    Owned(u64),
    /// It is somebody's for so many ticks yet.
    Held(u64),
}

/// What [`Handle::release_claim`](crate::Handle::release_claim) found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Whether the claim was still the caller's, and current.
    pub was_ours: bool,
    /// Whether somebody was told that it is held, and nobody has taken it over since.
    pub is_awaited: bool,
}

/// Why there is no claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TooMany { max: u64 },
    Heap(OutOfMemory),
}

impl From<OutOfMemory> for Refused {
    fn from(refused: OutOfMemory) -> Self {
        Self::Heap(refused)
    }
}

/// Where a key's claim is filed.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) shard: usize,
    pub(crate) hash: u64,
}

/// Who wants a claim, and for how long, in ticks.
#[derive(Clone, Copy)]
pub(crate) struct Lease {
    pub(crate) owner: u64,
    pub(crate) now: u64,
    pub(crate) end: u64,
}

struct Filed {
    /// For [`Claims::supersede_prefix`].
    key: Box<[u8]>,
    token: u64,
    owner: u64,
    /// The tick from which on it may be taken over.
    end: u64,
    is_awaited: bool,
    is_superseded: bool,
}

impl Filed {
    fn is_held(&self, now: u64) -> bool {
        !self.is_superseded && self.end > now
    }
}

type Table = Prehashed<Filed>;

/// See the module's documentation.
pub(crate) struct Claims {
    /// One for each shard of the cache.
    tables: Box<[Mutex<Table>]>,
    /// How many are filed in all of them.
    count: AtomicU64,
    count_max: u64,
    last_token: AtomicU64,
    last_owner: AtomicU64,
}

impl Claims {
    /// Bytes that one shard's table takes while nothing is filed in it.
    pub(crate) const SHARD_BYTES: usize = size_of::<Mutex<Table>>();

    pub(crate) fn new(shards: usize) -> Result<Self, OutOfMemory> {
        Self::with_max(shards, COUNT_MAX)
    }

    fn with_max(shards: usize, count_max: u64) -> Result<Self, OutOfMemory> {
        Ok(Self {
            tables: heap::slice(shards, |_| Mutex::new(Table::default()))?,
            count: AtomicU64::new(0),
            count_max,
            last_token: AtomicU64::new(0),
            last_owner: AtomicU64::new(0),
        })
    }

    /// A name for somebody who may own claims.
    pub(crate) fn new_owner(&self) -> u64 {
        next(&self.last_owner)
    }

    /// The caller holds the lock of the key's shard.
    pub(crate) fn claim(
        &self,
        attention: &Attention,
        place: Place,
        key: &[u8],
        lease: Lease,
    ) -> Result<Answer, Refused> {
        let mut table = lock(&self.tables[place.shard]);
        if let Some(filed) = table.get_mut(&place.hash) {
            if filed.is_held(lease.now) {
                filed.is_awaited = true;
                return Ok(Answer::Held(filed.end - lease.now));
            }
            return Ok(Answer::Owned(self.take_over(filed, key, lease)?));
        }
        self.make_room(attention, &mut table, lease.now)?;
        let token = next(&self.last_token);
        let filed = Filed {
            key: copy(key)?,
            token,
            owner: lease.owner,
            end: lease.end,
            is_awaited: false,
            is_superseded: false,
        };
        table.insert(place.hash, filed);
        self.count.fetch_add(1, Ordering::Relaxed);
        attention.raise();
        Ok(Answer::Owned(token))
    }

    /// Who waits for the old owner waits for the new one from now on.
    fn take_over(&self, filed: &mut Filed, key: &[u8], lease: Lease) -> Result<u64, OutOfMemory> {
        if *filed.key != *key {
            filed.key = copy(key)?;
        }
        filed.token = next(&self.last_token);
        filed.owner = lease.owner;
        filed.end = lease.end;
        filed.is_superseded = false;
        Ok(filed.token)
    }

    /// Room for one more. Claims whose time is over go before a table grows: their owners have forgotten
    /// them.
    fn make_room(&self, attention: &Attention, table: &mut Table, now: u64) -> Result<(), Refused> {
        let is_full = || self.count.load(Ordering::Relaxed) >= self.count_max;
        if table.len() == table.capacity() || is_full() {
            self.retain(attention, table, |filed| filed.end > now);
        }
        if is_full() {
            return Err(Refused::TooMany {
                max: self.count_max,
            });
        }
        Ok(reserve_one(table)?)
    }

    fn retain(
        &self,
        attention: &Attention,
        table: &mut Table,
        mut stays: impl FnMut(&Filed) -> bool,
    ) {
        let before = table.len();
        table.retain(|_, filed| stays(filed));
        self.note_removed(attention, table, (before - table.len()) as u64);
    }

    fn note_removed(&self, attention: &Attention, table: &mut Table, count: u64) {
        if count == 0 {
            return;
        }
        self.count.fetch_sub(count, Ordering::Relaxed);
        attention.lower(count);
        if table.is_empty() && table.capacity() > KEPT_CAPACITY {
            *table = Table::default();
        }
    }

    /// Whether a claim is still its owner's, and nobody has written its key since it was made.
    pub(crate) fn is_current(&self, place: Place, token: u64) -> bool {
        let table = lock(&self.tables[place.shard]);
        let filed = table.get(&place.hash);
        filed.is_some_and(|filed| filed.token == token && !filed.is_superseded)
    }

    /// Moves the end of a claim that is current; whether it is.
    pub(crate) fn extend(&self, place: Place, token: u64, end: u64) -> bool {
        let mut table = lock(&self.tables[place.shard]);
        let filed = table.get_mut(&place.hash);
        let Some(filed) = filed.filter(|filed| filed.token == token && !filed.is_superseded) else {
            return false;
        };
        filed.end = end;
        true
    }

    pub(crate) fn release(&self, attention: &Attention, place: Place, token: u64) -> Released {
        let mut table = lock(&self.tables[place.shard]);
        let filed = table.get(&place.hash);
        let Some(filed) = filed.filter(|filed| filed.token == token) else {
            return Released::default();
        };
        let released = Released {
            was_ours: !filed.is_superseded,
            is_awaited: filed.is_awaited,
        };
        table.remove(&place.hash);
        self.note_removed(attention, &mut table, 1);
        released
    }

    /// The key is about to be written. The caller holds the lock of its shard.
    pub(crate) fn supersede(&self, place: Place) {
        let mut table = lock(&self.tables[place.shard]);
        if let Some(filed) = table.get_mut(&place.hash) {
            filed.is_superseded = true;
        }
    }

    /// All keys of a shard that begin with `prefix` are about to be deleted. The caller holds its lock.
    pub(crate) fn supersede_prefix(&self, shard: usize, prefix: &[u8]) {
        let mut table = lock(&self.tables[shard]);
        let matching = table
            .values_mut()
            .filter(|filed| filed.key.starts_with(prefix));
        matching.for_each(|filed| filed.is_superseded = true);
    }

    /// The owner is gone: what it has claimed is free.
    pub(crate) fn give_up(&self, attention: &Attention, owner: u64) {
        for table in &self.tables {
            self.retain(attention, &mut lock(table), |filed| filed.owner != owner);
        }
    }
}

fn next(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

fn copy(key: &[u8]) -> Result<Box<[u8]>, OutOfMemory> {
    heap::slice(key.len(), |at| key[at])
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    const NOW: u64 = 100;

    fn place(hash: u64) -> Place {
        Place { shard: 0, hash }
    }

    fn lease(owner: u64, now: u64, ticks: u64) -> Lease {
        let end = now + ticks;
        Lease { owner, now, end }
    }

    /// What is filed under `hash`, and whether the count of what is filed is right.
    fn count(claims: &Claims) -> u64 {
        let filed: usize = claims.tables.iter().map(|table| lock(table).len()).sum();
        let count = claims.count.load(Ordering::Relaxed);
        assert_eq!(filed as u64, count);
        count
    }

    #[test]
    fn two_keys_of_one_hash_count_as_one() {
        let (claims, attention) = (Claims::new(1).unwrap(), Attention::new());
        let claim = |key: &[u8], now| claims.claim(&attention, place(7), key, lease(1, now, 10));
        assert_eq!(claim(b"one", NOW), Ok(Answer::Owned(1)));
        assert_eq!(claim(b"two", NOW), Ok(Answer::Held(10)));
        claims.supersede(place(7));
        assert_eq!(claim(b"two", NOW), Ok(Answer::Owned(2)));
        claims.supersede_prefix(0, b"on");
        assert!(claims.is_current(place(7), 2), "it is filed as the other's");
        claims.supersede_prefix(0, b"tw");
        assert!(!claims.is_current(place(7), 2));
    }

    #[test]
    fn beyond_the_limit_there_is_an_error_until_the_time_of_some_is_over() {
        let (claims, attention) = (Claims::with_max(1, 3).unwrap(), Attention::new());
        let claim = |hash, now| claims.claim(&attention, place(hash), b"k", lease(1, now, 10));
        for hash in 0..3 {
            claim(hash, NOW + hash).unwrap();
        }
        let refused = Err(Refused::TooMany { max: 3 });
        assert_eq!(claim(3, NOW + 9), refused);
        assert_eq!(count(&claims), 3);
        assert_eq!(claim(3, NOW + 10), Ok(Answer::Owned(4)));
        assert_eq!(count(&claims), 3, "the first was over");
        assert_eq!(claim(4, NOW + 10), refused);
    }

    #[test]
    fn what_owners_have_forgotten_goes_before_a_table_grows() {
        let (claims, attention) = (Claims::new(1).unwrap(), Attention::new());
        let keys = if cfg!(miri) { 1_000 } else { 100_000 };
        for hash in 0..keys {
            let answer = claims.claim(&attention, place(hash), b"k", lease(1, hash, 10));
            assert!(matches!(answer, Ok(Answer::Owned(_))));
        }
        assert!(count(&claims) < 100);
        assert!(lock(&claims.tables[0]).capacity() < 100);
    }

    #[test]
    fn when_nothing_is_filed_any_more_nobody_needs_attention_and_the_table_is_given_back() {
        let (claims, attention) = (Claims::new(2).unwrap(), Attention::new());
        let places = (0..2_000).map(|hash| Place {
            shard: (hash % 2) as usize,
            hash,
        });
        let mut tokens = Vec::new();
        for place in places {
            let owner = place.hash % 4 / 2;
            let answer = claims.claim(&attention, place, b"k", lease(owner, NOW, 10));
            let Ok(Answer::Owned(token)) = answer else {
                panic!("{answer:?}");
            };
            tokens.push((place, token));
        }
        claims.give_up(&attention, 0);
        assert_eq!(count(&claims), 1_000);
        for (place, token) in tokens {
            let released = claims.release(&attention, place, token);
            assert_eq!(released.was_ours, place.hash % 4 / 2 == 1);
        }
        assert!(!attention.is_needed());
        let capacities = claims.tables.iter().map(|table| lock(table).capacity());
        assert_eq!(capacities.collect::<Vec<_>>(), [0, 0]);
    }
}
