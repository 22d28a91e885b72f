//! The least that a cache could be, to compare with: one multiplication for a hash, one word of index, one record with key
//! and value, written in place. Nothing is removed, nothing expires, nothing is counted, and nobody else reads or writes.
//!
//! [`Needs`] adds, to a read of the same store, what a cache can't do without that is shared by threads, safe against keys
//! that an attacker chooses, expires its entries and knows which are in use.

use std::array;
use std::hash::Hasher as _;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, compiler_fence};

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

const KEY_BYTES_MAX: usize = 24;
const VALUE_BYTES: usize = 100;

/// See the module's documentation.
pub struct Floor {
    /// Upper half of the key's hash, and the number of the record plus one, or 0. Twice as many as records, at least.
    places: Vec<u64>,
    records: Vec<Record>,
}

struct Record {
    expiry: AtomicU32,
    hits: AtomicU8,
    key_length: u8,
    key: [u8; KEY_BYTES_MAX],
    value: [u8; VALUE_BYTES],
}

impl Floor {
    pub const fn new() -> Floor {
        Floor {
            places: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Room for so many entries, on huge pages where the system has them, as the engine's.
    pub fn with_entries(entries: usize) -> Floor {
        let mut places = Vec::with_capacity((2 * entries.max(1)).next_power_of_two());
        let records = Vec::with_capacity(entries);
        prefer_huge_pages(&places);
        prefer_huge_pages(&records);
        places.resize(places.capacity(), 0);
        Floor { places, records }
    }

    #[inline(always)]
    pub fn get(&self, key: &[u8]) -> Option<&[u8; VALUE_BYTES]> {
        if self.places.is_empty() {
            return None;
        }
        let number = self.search(key, hash(key)).1?;
        Some(&self.records[number].value)
    }

    /// Stores the beginning of `value`, with blanks if it is too short. A key that is too long, or one too many, is not
    /// stored.
    #[inline(always)]
    pub fn set(&mut self, key: &[u8], value: &[u8], hash: impl Fn(&[u8]) -> u64) {
        if self.places.is_empty() {
            return;
        }
        let value = match value.first_chunk() {
            Some(value) => *value,
            None => array::from_fn(|at| *value.get(at).unwrap_or(&b' ')),
        };
        let hash = hash(key);
        match self.search(key, hash) {
            (_, Some(number)) => self.records[number].value = value,
            (place, None) => self.add(place, key, hash, value),
        }
    }

    #[cold]
    fn add(&mut self, place: usize, key: &[u8], hash: u64, value: [u8; VALUE_BYTES]) {
        if self.records.len() == self.records.capacity() || key.len() > KEY_BYTES_MAX {
            return;
        }
        self.records.push(Record {
            expiry: AtomicU32::new(u32::MAX),
            hits: AtomicU8::new(0),
            key_length: key.len() as u8,
            key: array::from_fn(|at| *key.get(at).unwrap_or(&0)),
            value,
        });
        self.places[place] = hash >> 32 << 32 | self.records.len() as u64;
    }

    /// Where a key's number is or would be, and the number.
    #[inline(always)]
    fn search(&self, key: &[u8], hash: u64) -> (usize, Option<usize>) {
        let mut place = hash as usize & (self.places.len() - 1);
        loop {
            let word = self.places[place];
            if word == 0 {
                return (place, None);
            }
            if word >> 32 == hash >> 32 {
                let number = word as u32 as usize - 1;
                let record = &self.records[number];
                let length = usize::from(record.key_length);
                if length == key.len() && &record.key[..length] == key {
                    return (place, Some(number));
                }
            }
            place = (place + 1) & (self.places.len() - 1);
        }
    }
}

fn prefer_huge_pages<T>(empty: &Vec<T>) {
    let bytes = empty.capacity() * size_of::<T>();
    #[cfg(target_os = "linux")]
    // SAFETY: advice about whole pages of the vector's own memory; it doesn't change what they hold.
    unsafe {
        let start = empty.as_ptr().addr().next_multiple_of(4096);
        let end = (empty.as_ptr().addr() + bytes) / 4096 * 4096;
        if start < end {
            libc::madvise(
                std::ptr::with_exposed_provenance_mut(start),
                end - start,
                libc::MADV_HUGEPAGE,
            );
        }
    }
    let _ = bytes;
}

/// Of the first and the last eight bytes: less than a hash should do.
#[inline(always)]
pub fn hash(key: &[u8]) -> u64 {
    let length = key.len().min(8);
    let [mut first, mut last] = [[0; 8]; 2];
    first[..length].copy_from_slice(&key[..length]);
    last[..length].copy_from_slice(&key[key.len() - length..]);
    let factors = [
        u64::from_ne_bytes(first) ^ 0x9E37_79B9_7F4A_7C15,
        u64::from_ne_bytes(last) ^ 0x2545_F491_4F6C_DD1D,
    ];
    let product = u128::from(factors[0]) * u128::from(factors[1]);
    (product >> 64) as u64 ^ product as u64
}

/// See the module's documentation. Nobody else uses it: every announcement is uncontended, every counter in the cache.
pub struct Needs {
    seed: u64,
    shared: SharedSeed,
    epoch: AtomicU64,
    announced: AtomicU64,
    now: AtomicU32,
    reads: AtomicU64,
}

impl Needs {
    pub fn new() -> Needs {
        let seed = u64::from(std::process::id());
        Needs {
            seed,
            shared: SharedSeed::from_u64(seed),
            epoch: AtomicU64::new(1),
            announced: AtomicU64::new(0),
            now: AtomicU32::new(1),
            reads: AtomicU64::new(0),
        }
    }

    /// A seeded hash of the whole key.
    #[inline(always)]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write(key);
        hasher.finish()
    }

    /// A read that is announced to whoever frees memory, of an entry that has not expired; the read and the entry's use are
    /// counted.
    #[inline(always)]
    pub fn get<R>(
        &self,
        floor: &Floor,
        key: &[u8],
        take: impl FnOnce(&[u8; VALUE_BYTES]) -> R,
    ) -> Option<R> {
        if floor.places.is_empty() {
            return None;
        }
        let hash = self.hash(key);
        // As the engine's: the fence that orders the announcement is its counterpart's to pay for.
        self.announced
            .store(self.epoch.load(Ordering::Acquire), Ordering::Release);
        compiler_fence(Ordering::SeqCst);
        let record = &floor.records[floor.search(key, hash).1?];
        let is_live = record.expiry.load(Ordering::Relaxed) > self.now.load(Ordering::Relaxed);
        let taken = is_live.then(|| {
            let reads = self.reads.load(Ordering::Relaxed);
            self.reads.store(reads + 1, Ordering::Relaxed);
            let hits = record.hits.load(Ordering::Relaxed);
            if hits < 3 {
                record.hits.store(hits + 1, Ordering::Relaxed);
            }
            take(&record.value)
        });
        self.announced.store(0, Ordering::Release);
        taken
    }
}
