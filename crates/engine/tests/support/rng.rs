//! Seeded random choices.

/// Xorshift: the same choices for the same stream, unless `NEARCACHE_STRESS_SEED` says otherwise.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(stream: u64) -> Self {
        let seed = std::env::var("NEARCACHE_STRESS_SEED")
            .ok()
            .and_then(|n| n.parse().ok());
        Self((seed.unwrap_or(1u64) << 16 ^ stream) * 2 + 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    /// Small numbers are the likely ones, so that some keys are hot.
    pub(crate) fn skewed(&mut self, n: usize) -> usize {
        let bound = 1 + self.below(n);
        self.below(bound)
    }
}
