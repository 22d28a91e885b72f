//! What eviction is to keep large where entries differ in size: the share of reads that hit, or the
//! share of bytes that need not be fetched. No order of eviction is best for both.

/// What a cache of entries of different sizes shall be good at. Where sizes are alike there is no
/// difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// As many hits as possible: small entries are preferred, in proportion to their size. A large
    /// entry stays only if it is used more than all the small ones in whose place it lies.
    Objects,
    /// As many bytes served as possible: size doesn't count, use does.
    Bytes,
    /// Between the two: large entries are the first to be looked at when something has to go, but
    /// may stay for being used.
    #[default]
    Balanced,
}

/// Entries taken together: their number, their charges and their frequencies' sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Together {
    pub(crate) count: u64,
    pub(crate) charge: u64,
    pub(crate) frequency: u64,
    /// Frequency times charge.
    pub(crate) traffic: u64,
}

impl Together {
    pub(crate) fn add(&mut self, charge: u64, frequency: u32) {
        self.count += 1;
        self.charge += charge;
        self.frequency += frequency as u64;
        self.traffic += frequency as u64 * charge;
    }
}

impl Objective {
    /// The frequency that a candidate of this charge has to surpass to be worth more than the victims.
    pub(crate) fn bar(self, victims: Together, charge: u64) -> u32 {
        let frequency = match self {
            _ if victims.charge == 0 || charge == 0 => victims.frequency,
            // Uses per byte on both sides, each with half a use added: what was never used is worth
            // something, and the less the larger it is.
            Self::Objects => {
                let doubled = (victims.frequency * 2 + victims.count) as u128 * charge as u128;
                (doubled / victims.charge as u128).saturating_sub(1) as u64 / 2
            }
            Self::Bytes => victims.traffic / victims.charge.max(charge),
            Self::Balanced => victims.frequency,
        };
        frequency.min(u32::MAX as u64) as u32
    }

    /// Whether victims are chosen among several by use per byte.
    pub(crate) fn chooses(self) -> bool {
        self != Self::Bytes
    }
}

/// Whether the sizes of the entries that met lately differ: one bit for each of the last contests.
#[derive(Default)]
pub(crate) struct SizeMix(u32);

impl SizeMix {
    /// Sizes within a quarter of each other are alike.
    const ALIKE_SHARE: u64 = 4;

    pub(crate) fn note(&mut self, one: u64, other: u64) {
        let differs = one.abs_diff(other) > one.max(other) / Self::ALIKE_SHARE;
        self.0 = self.0 << 1 | u32::from(differs);
    }

    /// As [`Self::note`], where the two are known to be equal.
    pub(crate) fn note_equal(&mut self) {
        self.0 <<= 1;
    }

    /// Whether at least two of the last 32 contests were between different sizes.
    pub(crate) fn is_mixed(&self) -> bool {
        // At least two bits, without a count of them, which is a dozen instructions where the processor need not have one.
        self.0 & self.0.wrapping_sub(1) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn together(entries: &[(u64, u32)]) -> Together {
        let mut sum = Together::default();
        (entries.iter()).for_each(|(charge, frequency)| sum.add(*charge, *frequency));
        sum
    }

    #[test]
    fn with_equal_sizes_every_objective_compares_frequencies() {
        for frequency in 0..8 {
            let victim = together(&[(100, frequency)]);
            for objective in [Objective::Objects, Objective::Bytes, Objective::Balanced] {
                assert_eq!(objective.bar(victim, 100), frequency);
            }
        }
    }

    #[test]
    fn ten_small_entries_outweigh_a_large_one_for_objects_and_not_for_bytes() {
        let small = together(&[(100, 1); 10]);
        assert_eq!(Objective::Bytes.bar(small, 1_000), 1);
        assert_eq!(Objective::Balanced.bar(small, 1_000), 10);
        assert!(Objective::Objects.bar(small, 1_000) > 10);
        let large = together(&[(1_000, 3)]);
        assert_eq!(Objective::Objects.bar(large, 100), 0);
        assert_eq!(Objective::Bytes.bar(large, 100), 3);
    }

    #[test]
    fn sizes_are_mixed_when_some_of_the_last_contests_were_between_different_ones() {
        let mut mix = SizeMix::default();
        mix.note(100, 120);
        assert!(!mix.is_mixed());
        mix.note(100, 200);
        mix.note(100, 50);
        assert!(mix.is_mixed());
        (0..32).for_each(|_| mix.note(100, 100));
        assert!(!mix.is_mixed());
    }
}
