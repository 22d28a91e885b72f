//! What may answer requests: the engine itself, and small simulators of well-known policies to
//! compare it with.

mod arc;
mod lfu;
mod lru;
pub mod nearcache;
mod queue;
mod s3_fifo;
mod sieve;
mod simulated;
mod w_tinylfu;

use crate::error::Error;
use crate::request::Request;
use nearcache_engine::ConfigError;
use simulated::{Simulated, Simulator};

/// Something that can be replayed against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// The engine.
    Nearcache,
    /// Least recently used.
    Lru,
    /// First in, first out.
    Fifo,
    /// FIFO with a hand that spares what was used.
    Sieve,
    /// Three FIFO queues.
    S3Fifo,
    /// Least frequently used.
    Lfu,
    /// Adaptive replacement.
    Arc,
    /// W-TinyLFU with a window of 1 %.
    WTinyLfu,
    /// W-TinyLFU with a window that climbs the hill of the hit rate.
    CaffeineLike,
}

impl PolicyKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Nearcache,
        Self::Lru,
        Self::Fifo,
        Self::Sieve,
        Self::S3Fifo,
        Self::Lfu,
        Self::Arc,
        Self::WTinyLfu,
        Self::CaffeineLike,
    ];

    /// Its name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nearcache => "nearcache",
            Self::Lru => "lru",
            Self::Fifo => "fifo",
            Self::Sieve => "sieve",
            Self::S3Fifo => "s3-fifo",
            Self::Lfu => "lfu",
            Self::Arc => "arc",
            Self::WTinyLfu => "w-tinylfu",
            Self::CaffeineLike => "caffeine-like",
        }
    }
}

/// The largest capacity, as the engine's own limit.
const CAPACITY_MAX: u64 = 1 << 50;

/// How large a cache is, and in which unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Capacity {
    /// So many entries of one size.
    Entries(u64),
    /// Values of so many bytes in all, keys and everything else not counted; `entries_max` is a bound on
    /// how many there can be at once.
    ValueBytes {
        /// The sum of the sizes.
        bytes: u64,
        /// No more entries than this fit, or exist.
        entries_max: u64,
    },
    /// A budget in bytes with everything included, as a user of the engine gives it.
    Budget(u64),
}

impl Capacity {
    /// The number that is reported.
    pub fn number(self) -> u64 {
        match self {
            Self::Entries(number) | Self::Budget(number) => number,
            Self::ValueBytes { bytes, .. } => bytes,
        }
    }
}

/// How entries look whose size doesn't follow from the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntrySize {
    /// Bytes of a value where the trace doesn't say, or where it doesn't matter.
    pub value_bytes: u64,
    /// Whether sizes in the trace count.
    pub from_trace: bool,
}

impl EntrySize {
    /// Bytes of the value that a request is about.
    pub(crate) fn of(self, request: &Request) -> u64 {
        match request.size {
            Some(size) if self.from_trace => size,
            _ => self.value_bytes,
        }
    }
}

/// What a policy did besides answering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries that went to make room.
    pub evictions: u64,
    /// Of them, new entries that were refused; and values that could not be stored at all.
    pub rejected: u64,
    /// Entries that went, or were passed over, because their time was over.
    pub expired: u64,
}

/// A cache that is replayed against.
pub trait Policy {
    /// Answers a read; on a miss the value is stored. True for a hit.
    fn read(&mut self, request: &Request) -> bool;
    /// Stores a value.
    fn write(&mut self, request: &Request);
    /// Removes an entry.
    fn delete(&mut self, request: &Request);
    /// What it did so far.
    fn counts(&self) -> Counts;
    /// Entries that it holds.
    fn entries(&self) -> u64;
}

/// An empty cache, with the seed that all replays have.
///
/// # Errors
/// If the engine refuses the size.
pub fn open(
    kind: PolicyKind,
    capacity: Capacity,
    size: EntrySize,
) -> Result<Box<dyn Policy>, Error> {
    open_with_seed(kind, capacity, size, nearcache::SEED)
}

/// As [`open`], with a seed for what a cache chooses at random. Only nearcache does.
///
/// # Errors
/// If the engine refuses the size.
pub fn open_with_seed(
    kind: PolicyKind,
    capacity: Capacity,
    size: EntrySize,
    seed: u64,
) -> Result<Box<dyn Policy>, Error> {
    fn simulated<S: Simulator + 'static>(
        make: impl FnOnce(u64) -> S,
        capacity: Capacity,
        size: EntrySize,
    ) -> Result<Box<dyn Policy>, Error> {
        Ok(Box::new(Simulated::new(
            make(capacity.number()),
            capacity,
            size,
        )))
    }
    let given = capacity.number();
    if given > CAPACITY_MAX {
        return Err(Error::Size(ConfigError::Limit {
            given,
            max: CAPACITY_MAX,
        }));
    }
    match kind {
        PolicyKind::Nearcache => Ok(Box::new(nearcache::Nearcache::open(capacity, size, seed)?)),
        PolicyKind::Lru => simulated(lru::Lru::new, capacity, size),
        PolicyKind::Fifo => simulated(lru::Lru::first_in_first_out, capacity, size),
        PolicyKind::Sieve => simulated(sieve::Sieve::new, capacity, size),
        PolicyKind::S3Fifo => simulated(s3_fifo::S3Fifo::new, capacity, size),
        PolicyKind::Lfu => simulated(lfu::Lfu::new, capacity, size),
        PolicyKind::Arc => simulated(arc::Arc::new, capacity, size),
        PolicyKind::WTinyLfu => simulated(w_tinylfu::WTinyLfu::fixed, capacity, size),
        PolicyKind::CaffeineLike => simulated(w_tinylfu::WTinyLfu::climbing, capacity, size),
    }
}
