//! The first time of a cache, in which nobody is turned away.
//!
//! What is there when a cache is full for the first time has shown no more than what comes; that it came first is no
//! reason to stay. It is over when a part of the cache was filled anew, when it was read for some turns, when the miniatures
//! have been full for long enough or one of them is ahead, and when what is asked for has changed.

use super::fall::Reads;
use super::{BEGINNING_DECISIONS, BEGINNING_MISSES_SHARE, BEGINNING_TURNS};

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Beginning {
    is_over: bool,
    reads: f32,
    misses: f32,
}

impl Beginning {
    /// Where nothing was read yet, letting everybody in does nothing but cost more.
    pub(crate) fn lets_everybody_in(&self) -> bool {
        !self.is_over && self.misses > 0.0
    }

    /// Reads of a cache that holds so many entries when it is full.
    pub(crate) fn note_reads(&mut self, reads: &Reads, entries: u64) {
        if self.is_over {
            return;
        }
        self.reads += reads.hits + reads.misses;
        self.misses += reads.misses;
        let entries = entries as f32;
        self.is_over = self.misses >= entries * BEGINNING_MISSES_SHARE
            || self.reads >= entries * BEGINNING_TURNS;
    }

    /// So many decisions were due since the miniatures are full.
    pub(crate) fn note_decisions(&mut self, decisions: u32) {
        self.is_over |= decisions >= BEGINNING_DECISIONS;
    }

    pub(crate) fn end(&mut self) {
        self.is_over = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: u64 = 1_000;

    fn read(beginning: &mut Beginning, hits: u64, misses: u64) {
        let reads = Reads {
            hits: hits as f32,
            misses: misses as f32,
            ..Reads::default()
        };
        beginning.note_reads(&reads, ENTRIES);
    }

    #[test]
    fn begins_with_the_first_miss_and_ends_when_a_quarter_was_filled_anew() {
        let mut beginning = Beginning::default();
        read(&mut beginning, 100, 0);
        assert!(!beginning.lets_everybody_in());
        read(&mut beginning, 100, ENTRIES * 5 / 4 - 1);
        assert!(beginning.lets_everybody_in());
        read(&mut beginning, 0, 1);
        assert!(!beginning.lets_everybody_in());
    }

    #[test]
    fn ends_after_four_turns_of_reads() {
        let mut beginning = Beginning::default();
        read(&mut beginning, 4 * ENTRIES - 2, 1);
        assert!(beginning.lets_everybody_in());
        read(&mut beginning, 1, 0);
        assert!(!beginning.lets_everybody_in());
    }

    #[test]
    fn ends_when_the_miniatures_were_full_for_long_enough() {
        let mut beginning = Beginning::default();
        read(&mut beginning, 0, 1);
        beginning.note_decisions(BEGINNING_DECISIONS - 1);
        assert!(beginning.lets_everybody_in());
        beginning.note_decisions(BEGINNING_DECISIONS);
        assert!(!beginning.lets_everybody_in());
        read(&mut beginning, 0, 1);
        assert!(!beginning.lets_everybody_in(), "for good");
    }
}
