//! A bound beside the budget in bytes: so many entries, or so much weight.
//!
//! The unit of the limit is the unit in which eviction counts ([`Records::charge`]): shares of the
//! rings, sizes of candidates and victims. Memory keeps its own account in bytes
//! ([`Records::occupied`]), and its budget holds beside the limit.
//!
//! Invariant: `live` is the sum of what the shards have reported. Each shard reports under its lock,
//! before it lets go of it, so the sum is exact when nobody writes.
//!
//! [`Records::charge`]: crate::memory::record::Records::charge
//! [`Records::occupied`]: crate::memory::record::Records::occupied

use crate::error::ConfigError;
use crate::sync::{AtomicU8, AtomicU64, Ordering};

/// The largest limit: sums of charges, times a hundred, stay far below 2^64.
const LIMIT_MAX: u64 = 1 << 50;
/// A cache that was full counts as full until this part of the limit is free again: between two
/// insertions there is always a little room, which is no reason to admit without a contest.
const SLACK_SHARE: u64 = 8;
/// Bytes at the start of a value that hold its weight.
pub(crate) const WEIGHT_BYTES: usize = 8;

/// A bound on what a cache holds, beside its budget in bytes. A new entry for which there is no place
/// makes the cache evict by policy first. Entries that expired count until their memory is reclaimed.
/// While several threads write, each may hold one entry more for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// At most so many entries. Eviction counts entries, whatever their size.
    Entries(u64),
    /// At most so much weight in all. The first eight bytes of each value are its weight, a
    /// little-endian `u64` (a shorter value is padded with zeros; a weight of zero counts as one).
    /// Eviction counts weight, not bytes. A value heavier than the limit is refused.
    Weight(u64),
}

/// In which unit eviction counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes of slots.
    Bytes,
    /// Each entry is one.
    Entries,
    /// See [`Limit::Weight`].
    Weight,
}

impl Limit {
    pub(crate) fn max(self) -> u64 {
        match self {
            Self::Entries(max) | Self::Weight(max) => max,
        }
    }

    pub(crate) fn unit(limit: Option<Self>) -> Unit {
        match limit {
            None => Unit::Bytes,
            Some(Self::Entries(_)) => Unit::Entries,
            Some(Self::Weight(_)) => Unit::Weight,
        }
    }

    pub(crate) fn check(self) -> Result<(), ConfigError> {
        let given = self.max();
        if given == 0 || given > LIMIT_MAX {
            return Err(ConfigError::Limit {
                given,
                max: LIMIT_MAX,
            });
        }
        Ok(())
    }
}

/// What a value that begins with these bytes weighs.
pub(crate) fn weight_of(value: &[u8]) -> u64 {
    let mut prefix = [0; WEIGHT_BYTES];
    let length = value.len().min(WEIGHT_BYTES);
    prefix[..length].copy_from_slice(&value[..length]);
    u64::from_le_bytes(prefix).max(1)
}

/// How much of a limit is taken.
pub(crate) struct Bound {
    pub(crate) max: u64,
    live: AtomicU64,
    /// Not zero: something had to go for a new entry, and since then there was always little room.
    reached: AtomicU8,
}

impl Bound {
    pub(crate) fn new(limit: Limit) -> Self {
        Self {
            max: limit.max(),
            live: AtomicU64::new(0),
            reached: AtomicU8::new(0),
        }
    }

    /// A shard holds `now` instead of `before`. All orderings here are relaxed: the numbers guard no
    /// memory.
    pub(crate) fn report(&self, before: u64, now: u64) {
        let change = now.wrapping_sub(before);
        let live = self.live.fetch_add(change, Ordering::Relaxed);
        if live.wrapping_add(change) < self.max - self.max / SLACK_SHARE {
            self.reached.store(0, Ordering::Relaxed);
        }
    }

    /// How much has to go so that `charge` more fits.
    pub(crate) fn excess(&self, charge: u64) -> u64 {
        let wanted = self.live.load(Ordering::Relaxed).saturating_add(charge);
        let excess = wanted.saturating_sub(self.max);
        if excess > 0 {
            self.reached.store(1, Ordering::Relaxed);
        }
        excess
    }

    pub(crate) fn is_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed) != 0
    }
}
