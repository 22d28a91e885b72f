//! One 64-bit hash per key decides everything: shard, segment, bucket, tag and sketch counters.
//!
//! The bits are dealt out so that a segment can be split in two of its size without looking at a single record:
//!
//! ```text
//! bit 63      56 55        40 39      32 31         16 15           0
//!     shard      sample       tag        home bucket   directory
//!                          in the slot         by its bucket   in the slot
//! ```

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use std::hash::Hasher as _;

/// A hash's first bits say nothing but the shard.
const SHARD_BITS_MAX: u32 = 8;

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

    /// The part that says where in the index a record stands.
    #[inline(always)]
    pub(crate) fn stored(self) -> u32 {
        self.0 as u32
    }

    /// The tag in the bucket: 1 to 255, 0 means empty.
    #[inline(always)]
    pub(crate) fn tag(self) -> u8 {
        ((self.0 >> 32) as u8).max(1)
    }

    /// Whether a key is among those that are sampled: `share` is that of the sampled keys among all, in units of 2^-64.
    /// Whoever is sampled is sampled by every larger share. Down to 2^-16 no other use of a hash depends on the bits that
    /// decide; below, the sampled keys' tags are alike.
    #[inline(always)]
    pub(crate) fn is_sampled(self, share: u64) -> bool {
        self.0 << SHARD_BITS_MAX < share
    }

    /// The bits that are zero in whoever is sampled, and in not twice as many: a test that costs a hit less.
    pub(crate) fn sample_mask(share: u64) -> u64 {
        let zeros = share.saturating_sub(1).leading_zeros();
        !(u64::MAX.checked_shr(zeros).unwrap_or(0)) >> SHARD_BITS_MAX
    }

    /// Bits for the frequency sketch, remixed so that they don't follow the shard.
    #[inline(always)]
    pub(crate) fn sketch(self) -> u64 {
        let mixed = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 32)
    }
}

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
    fn a_sample_has_its_share_of_the_keys_and_the_mask_lets_less_than_twice_as_many_through() {
        let hasher = KeyHasher::new(3);
        let hashes: Vec<_> = (0..100_000u64)
            .map(|n| hasher.hash(&n.to_le_bytes()))
            .collect();
        for one_in in [1, 2, 3, 16, 45, 64, 65, 163] {
            let share = u64::MAX / one_in;
            let mask = KeyHash::sample_mask(share);
            let is_sampled = |hash: &&KeyHash| hash.is_sampled(share);
            let passes = |hash: &&KeyHash| hash.0 & mask == 0;
            let sampled = hashes.iter().filter(is_sampled).count();
            let passing = hashes.iter().filter(passes).count();
            assert!(
                (sampled as u64 * one_in).abs_diff(100_000) < 12_000,
                "{one_in}"
            );
            assert!(passing < sampled * 9 / 4);
            assert!(hashes.iter().filter(is_sampled).all(|hash| passes(&hash)));
        }
        assert_eq!(KeyHash::sample_mask(u64::MAX), 0);
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
