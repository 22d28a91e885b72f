//! What can go wrong, as two closed sets: at construction and at an operation.

use crate::heap::OutOfMemory;
use std::fmt;

/// Why a configuration was refused. Each names the value given and what is allowed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// `max_memory` is below [`MEMORY_BYTES_MIN`](crate::MEMORY_BYTES_MIN).
    MemoryTooSmall {
        /// Bytes asked for.
        given: u64,
        /// The least that works.
        min: u64,
    },
    /// `max_memory` is above [`MEMORY_BYTES_MAX`](crate::MEMORY_BYTES_MAX) or what the machine has.
    MemoryTooLarge {
        /// Bytes asked for.
        given: u64,
        /// The most that is allowed here.
        max: u64,
    },
    /// `max_value_size` is zero or more than this budget can hold.
    ValueSize {
        /// Bytes asked for.
        given: u64,
        /// The most that this budget allows.
        max: u64,
    },
    /// The default time to live is zero or too long.
    Ttl {
        /// Milliseconds asked for.
        given_ms: u64,
        /// The longest finite one, in milliseconds.
        max_ms: u64,
    },
    /// `shards` is not a power of two, or too many for the budget.
    Shards {
        /// The number asked for.
        given: u32,
        /// The most that this budget allows.
        max: u32,
    },
    /// `limit` is zero or beyond all use.
    Limit {
        /// The limit asked for.
        given: u64,
        /// The largest one.
        max: u64,
    },
    /// The operating system refused the address space.
    Reserve(std::io::Error),
    /// The process's heap has no room for the tables beside the region.
    OutOfMemory {
        /// Bytes of `max_memory`.
        given: u64,
        /// Bytes that were refused.
        bytes: usize,
    },
    /// The operating system refused the thread that moves the clock and does maintenance.
    HelperThread(std::io::Error),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MemoryTooSmall { given, min } => {
                write!(
                    f,
                    "max_memory is {given} bytes; at least {min} are needed; choose a larger max_memory"
                )
            }
            Self::MemoryTooLarge { given, max } => write!(
                f,
                "max_memory is {given} bytes; at most {max} are possible here (a cache's limit, or the machine's memory); choose a smaller max_memory"
            ),
            Self::ValueSize { given, max } => write!(
                f,
                "max_value_size is {given} bytes; with this max_memory it must be 1 to {max}"
            ),
            Self::Ttl { given_ms, max_ms } => write!(
                f,
                "the default ttl is {given_ms} ms; it must be 1 to {max_ms} ms, or forever"
            ),
            Self::Shards { given, max } => write!(
                f,
                "shards is {given}; it must be a power of two from 1 to {max} with this max_memory"
            ),
            Self::Limit { given, max } => {
                write!(f, "the limit is {given}; it must be 1 to {max}")
            }
            Self::Reserve(error) => write!(
                f,
                "the operating system refused address space for max_memory ({error}); choose a smaller max_memory, or raise the process's limit"
            ),
            Self::OutOfMemory { given, bytes } => write!(
                f,
                "max_memory is {given} bytes, and the process has no memory for the {bytes} bytes of a table that belongs to it; choose a smaller max_memory, or raise the process's limit"
            ),
            Self::HelperThread(error) => write!(
                f,
                "the operating system refused the thread that every process with caches needs ({error}); raise the process's limit of threads"
            ),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Reserve(error) | Self::HelperThread(error) => Some(error),
            _ => None,
        }
    }
}

/// Why an operation was refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The key is longer than [`KEY_BYTES_MAX`](crate::KEY_BYTES_MAX).
    KeyTooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The value is longer than the cache's `max_value_size`.
    ValueTooLarge {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        max: u64,
    },
    /// The value weighs more than the cache's [`Limit::Weight`](crate::Limit::Weight).
    TooHeavy {
        /// Its weight.
        weight: u64,
        /// The limit.
        max: u64,
    },
    /// The time to live is longer than [`TTL_MS_MAX`](crate::TTL_MS_MAX).
    TtlTooLong {
        /// Milliseconds asked for.
        given_ms: u64,
        /// The limit in milliseconds.
        max_ms: u64,
    },
    /// No room could be made: readers that don't finish hold all that was evicted, or so many
    /// writers are in flight that their records alone fill the budget.
    NoRoom {
        /// Bytes asked for.
        bytes: usize,
    },
    /// The process's heap has no room for what the operation needs beside the cache's own memory.
    OutOfMemory {
        /// Bytes that were refused.
        bytes: usize,
    },
    /// So many keys are claimed that no more can be, see [`Handle::claim`](crate::Handle::claim).
    TooManyClaims {
        /// The limit.
        max: u64,
    },
    /// A thread panicked in the middle of a change, and there is no room now for the empty index that
    /// its shard begins anew with. Every operation on the shard tries again.
    Poisoned,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyTooLong { length, max } => {
                write!(f, "the key has {length} bytes; at most {max} are allowed")
            }
            Self::ValueTooLarge { length, max } => write!(
                f,
                "the value has {length} bytes; max_value_size is {max} (raise it, or store less)"
            ),
            Self::TooHeavy { weight, max } => {
                write!(f, "the value weighs {weight}; the cache's limit is {max}")
            }
            Self::TtlTooLong { given_ms, max_ms } => write!(
                f,
                "the ttl is {given_ms} ms; at most {max_ms} ms are allowed (or forever)"
            ),
            Self::NoRoom { bytes } => write!(
                f,
                "no room for {bytes} bytes: everything that was evicted is still being read, or too many large writes are in flight"
            ),
            Self::OutOfMemory { bytes } => write!(
                f,
                "the process has no memory for {bytes} bytes beside the cache's own; choose a smaller max_memory, or raise the process's limit"
            ),
            Self::TooManyClaims { max } => write!(
                f,
                "{max} keys are being loaded; no more can be claimed (load this one without a claim, or load fewer at a time)"
            ),
            Self::Poisoned => write!(
                f,
                "a thread panicked while it changed this cache, and there is no room to repair it yet; try again, or create a new cache"
            ),
        }
    }
}

impl std::error::Error for Error {}

impl From<OutOfMemory> for Error {
    fn from(refused: OutOfMemory) -> Self {
        let OutOfMemory { bytes } = refused;
        Self::OutOfMemory { bytes }
    }
}
