//! One 64-bit hash per key decides everything: shard, segment, bucket, tag and sketch counters.
//!
//! The bits are dealt out so that a segment can be split without looking at a single record:
//!
//! ```text
//! bit 63      56 55        40 39      32 31         16 15           0
//!     shard      sample       tag        home bucket   directory
//!                                        └──── stored in the index slot ────┘
//! ```

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use std::hash::Hasher as _;

/// A key's hash, and what its bits mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash(pub(crate) u64);

impl KeyHash {
    /// Which of `2^shard_bits` shards; `shard_bits` is at most 8.
    #[inline(always)]
    pub(crate) fn shard(self, shard_bits: u32) -> usize {
        // Two shifts, because a shift by 64 is undefined for zero bits.
        ((self.0 >> 1) >> (63 - shard_bits)) as usize
    }

    /// The part that the index stores beside a record's location.
    #[inline(always)]
    pub(crate) fn stored(self) -> u32 {
        self.0 as u32
    }

    /// The tag in the bucket's control word: 1 to 255, 0 means empty.
    #[inline(always)]
    pub(crate) fn tag(self) -> u8 {
        ((self.0 >> 32) as u8).max(1)
    }

    /// Whether a key is among those that are sampled: `share` is that of the sampled keys among all, in units of 2^-64,
    /// or [`ALL_KEYS`]. Down to 2^-16 no other use of a hash depends on the bits that decide;
    /// below, the sampled keys' tags are alike.
    #[inline(always)]
    pub(crate) fn is_sampled(self, share: u64) -> bool {
        // Whoever is sampled is sampled by every larger share.
        self.0 << 8 < share
    }

    /// Bits for the frequency sketch, remixed so that they don't follow the shard.
    #[inline(always)]
    pub(crate) fn sketch(self) -> u64 {
        let mixed = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 32)
    }
}

/// The share of sampled keys that lets every key through.
pub(crate) const ALL_KEYS: u64 = u64::MAX;

/// The seeded hash function of one cache.
pub(crate) struct KeyHasher {
    seed: u64,
    shared: SharedSeed,
}

impl KeyHasher {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            shared: SharedSeed::from_u64(seed),
        }
    }

    #[inline(always)]
    pub(crate) fn hash(&self, key: &[u8]) -> KeyHash {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        // The hasher mixes the length in by itself (it turns its seeded state by it), and there is nothing before or
        // behind the key that it could be confused with.
        hasher.write(key);
        KeyHash(hasher.finish())
    }
}

/// A seed that an attacker can't predict, from the randomness std gives its hash maps.
pub(crate) fn random_seed() -> u64 {
    use std::hash::BuildHasher;
    std::hash::RandomState::new().hash_one(0x6E65_6172u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_shard_bits_always_mean_shard_zero() {
        assert_eq!(KeyHash(u64::MAX).shard(0), 0);
        assert_eq!(KeyHash(u64::MAX).shard(8), 255);
        assert_eq!(KeyHash(1 << 63).shard(1), 1);
    }

    #[test]
    fn the_same_key_hashes_alike_under_one_seed_and_differently_under_another() {
        let key = b"user:42";
        assert_eq!(KeyHasher::new(7).hash(key), KeyHasher::new(7).hash(key));
        assert_ne!(KeyHasher::new(7).hash(key), KeyHasher::new(8).hash(key));
    }

    #[test]
    fn no_key_has_the_empty_tag() {
        let hasher = KeyHasher::new(1);
        for n in 0u32..10_000 {
            assert_ne!(hasher.hash(&n.to_le_bytes()).tag(), 0);
        }
    }
}
