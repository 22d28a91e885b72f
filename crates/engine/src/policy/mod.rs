//! Who may stay: W-TinyLFU (Einziger, Friedman, Manes 2017) in clock form.
//!
//! New entries enter the *window*. What leaves the window contests the entry at the hand of
//! *probation*: the more frequently used of the two stays, says the [`sketch`]. An entry of probation
//! that was read is promoted to *protected*, whose overflow returns to probation. A read only raises
//! the record's 2-bit counter; the lists are touched when a hand passes ([`rings`]), never by a
//! read.
//!
//! All parameters stand here, each with its reason.

pub(crate) mod rings;
pub(crate) mod sketch;
pub(crate) mod turnover;

/// The window's share of the bytes, in percent. Fixed for now; this is the place where an adaptive
/// share will be decided. 1 % is what the paper found best for most traces, and starves
/// recency-biased ones; a small multiple is the compromise until it adapts.
pub(crate) const WINDOW_PERCENT: u64 = 4;
/// The protected ring's share of what is not window, in percent: the paper's.
pub(crate) const PROTECTED_PERCENT: u64 = 80;
/// How many entries move from the window to probation per insertion when the cache has room: more
/// than one, so that the window shrinks to its share, and few, so that no write takes long.
pub(crate) const WINDOW_MOVES_PER_INSERT: usize = 2;
/// A hand passes over at most this many entries that were read before it takes one all the same.
pub(crate) const HAND_STEPS_MAX: usize = 128;
/// Entries of protected that one promotion looks at when the batch's steps are used up: more than one, so
/// that the share is kept in the long run.
pub(crate) const DEMOTION_STEPS_MIN: usize = 4;
/// After so many entries that the hands passed over a batch of evictions ends with what it has. Each is a
/// cold line or two: about a tenth of a millisecond in all. (Where a cache of which everything was read
/// had to evict, a batch of 32 without this bound took 2 ms, and up to 81.)
pub(crate) const HAND_STEPS_PER_BATCH: usize = 256;
/// Victims that may be weighed against one larger candidate.
pub(crate) const VICTIMS_MAX: usize = 16;
/// A refused candidate at least this frequent is admitted at random once in
/// [`RANDOM_ADMISSION_ONE_IN`]: an attacker who makes one victim look frequent can't keep it for
/// ever (Caffeine's defence against hash flooding).
pub(crate) const WARM_FREQUENCY: u32 = 6;
/// See [`WARM_FREQUENCY`].
pub(crate) const RANDOM_ADMISSION_ONE_IN: u64 = 128;
/// The sketch forgets half after this many counts per entry that it covers.
pub(crate) const SAMPLES_PER_ENTRY: u64 = 10;

/// A small seeded generator (xorshift64*): admission must not be predictable from outside, nothing
/// more.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}
