//! Ageing by bytes, beside the sketch's own by counts.
//!
//! The sketch halves its counts after so many uses per entry. When a cache full of small entries is
//! offered large ones, uses are few and entries many: what nobody asks for any more would keep its
//! standing, and its room, while hundreds of times the budget is written. So the counts are also
//! halved when a multiple of the budget was evicted or refused. Where sizes are alike the sketch's own
//! period is over first.

use super::sketch::Sketch;
use crate::sync::{AtomicU64, Ordering};

/// The budget is evicted or refused this many times before the counts are halved. Twice the sketch's
/// own period in a cache of equal sizes, because large entries turn over faster than small ones.
const TURNS: u64 = 20;

/// See the module's documentation.
pub(crate) struct Turnover {
    bytes: AtomicU64,
    /// Of the sketch, when counting began.
    generation: AtomicU64,
    period_bytes: u64,
}

impl Turnover {
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            bytes: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            period_bytes: budget * TURNS,
        }
    }

    /// Notes that so many bytes were evicted or refused; halves the sketch's counts when it is time.
    pub(crate) fn note(&self, bytes: u64, sketch: &Sketch) {
        // Relaxed, plain loads and stores: what is lost to a race makes the period a little longer.
        let generation = sketch.generation();
        let mut sum = self.bytes.load(Ordering::Relaxed) + bytes;
        if self.generation.load(Ordering::Relaxed) != generation {
            // Halved by its own period.
            self.generation.store(generation, Ordering::Relaxed);
            sum = bytes;
        }
        if sum >= self.period_bytes {
            sketch.halve();
            sum = 0;
        }
        self.bytes.store(sum, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::KeyHasher;

    #[test]
    fn counts_are_halved_when_the_budget_has_turned_over() {
        let sketch = Sketch::new(4096).unwrap();
        sketch.set_entries(1_000_000);
        let turnover = Turnover::new(1_000);
        let hash = KeyHasher::new(1).hash(b"key");
        sketch.count(hash, 6);
        (1..TURNS).for_each(|_| turnover.note(1_000, &sketch));
        assert_eq!(sketch.frequency(hash), 6);
        turnover.note(1_000, &sketch);
        assert_eq!(sketch.frequency(hash), 3);
    }

    #[test]
    fn a_halving_by_the_sketchs_own_period_begins_a_new_turn() {
        let sketch = Sketch::new(4096).unwrap();
        sketch.set_entries(1_000_000);
        let turnover = Turnover::new(1_000);
        let hash = KeyHasher::new(1).hash(b"key");
        sketch.count(hash, 6);
        (1..TURNS).for_each(|_| turnover.note(1_000, &sketch));
        sketch.halve();
        (1..TURNS).for_each(|_| turnover.note(1_000, &sketch));
        assert_eq!(sketch.frequency(hash), 3);
    }
}
