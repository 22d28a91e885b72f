//! Has what is asked for just changed altogether?
//!
//! The settings that the scores choose among make a newcomer prove itself against what is there. When the working set
//! changes at once, what is there is worth nothing, and each proof is a miss that LRU would not have had. So when the
//! hits fall far below what was usual, and keys that were missed since come back, the cache is run for a while under
//! the setting that lets everybody in, whatever the scores say; they go on counting meanwhile. Not where its miniature
//! is behind.
//!
//! A scan lets the hits fall as well, but nothing of it comes back. How soon keys come back tells how many there are
//! (the birthday paradox: of `m` draws among `w` keys `m² / 2w` meet one drawn before): a new working set that no cache
//! of this size would hold is no reason either.
//!
//! The fall is seen in all reads, not in the miniatures' sample: of a small cache they see too few to be quick. What is
//! noted comes from the handles, with their misses.

use super::{
    AGAIN_MIN, FALL_ACCESSES_MIN, FALL_DEVIATIONS, FALL_MIN, FALL_OVER_SHARE, FALL_SHARE,
    FALL_TURNS, LAG_ACCESSES_MIN, LAG_TURNS, RECOVERY_LAG_MAX, RECOVERY_TURNS, USUAL_TURNS,
    WORKING_SET_TURNS_MAX,
};

/// Hits per read, decayed.
#[derive(Clone, Copy, Default)]
struct Ratio {
    reads: f32,
    hits: f32,
}

impl Ratio {
    fn note(&mut self, reads: &Reads, half_life: f32) {
        let kept = 0.5f32.powf(reads.all() / half_life);
        self.reads = self.reads * kept + reads.all();
        self.hits = self.hits * kept + reads.hits;
    }

    fn get(self) -> f32 {
        self.hits / self.reads.max(1.0)
    }
}

/// What a handle did since it last told.
#[derive(Default)]
pub(crate) struct Reads {
    pub(crate) hits: f32,
    pub(crate) misses: f32,
    /// Keys that were missed before since the fall began, as estimated from those that are remembered...
    pub(crate) again: f32,
    /// ... and how many keys one of those stands for.
    pub(crate) weight: f32,
}

impl Reads {
    fn all(&self) -> f32 {
        self.hits + self.misses
    }
}

/// What follows from the last reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Nothing,
    /// The hits have just fallen: which keys are missed from here on?
    Fell,
    /// The working set is another: what was often used before says nothing any more.
    Changed,
}

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Fall {
    usual: Ratio,
    recent: Ratio,
    /// Since the hits fell, if they did: misses, and those of them that were missed before.
    since: Option<Reads>,
    /// Hits that the recovering miniature had more than the chosen one, recent and decayed, none of them from before
    /// the fall.
    lead: f32,
    /// Accesses of sampled keys until the recovery ends.
    left: usize,
}

impl Fall {
    /// Whether the cache is to be run under the setting that lets everybody in.
    pub(crate) fn is_recovering(&self) -> bool {
        self.left > 0
    }

    /// An access of a sampled key, which the miniature of the chosen setting hit or not (`own`), and that of the
    /// recovery. `capacity` is the miniatures'.
    pub(crate) fn note_sample(&mut self, own: bool, recovering: bool, capacity: usize) {
        let half_life = (capacity as f32 * LAG_TURNS).max(LAG_ACCESSES_MIN);
        let lead = f32::from(u8::from(recovering)) - f32::from(u8::from(own));
        self.lead = self.lead * 0.5f32.powf(1.0 / half_life) + lead;
        self.left = self.left.saturating_sub(1);
        if self.lead < -RECOVERY_LAG_MAX {
            self.left = 0;
        }
    }

    /// Reads of a cache that holds so many entries when it is full, and whose miniatures hold `capacity`.
    pub(crate) fn note_reads(&mut self, reads: &Reads, entries: u64, capacity: usize) -> Turn {
        let entries = entries as f32;
        self.usual.note(reads, entries * USUAL_TURNS);
        let half_life = (entries * FALL_TURNS).max(FALL_ACCESSES_MIN);
        self.recent.note(reads, half_life);
        if self.is_recovering() || self.usual.reads < entries || !self.is_low() {
            self.since = None;
            return Turn::Nothing;
        }
        let Some(since) = &mut self.since else {
            // From here on: who hit more before is not the question.
            (self.since, self.lead) = (Some(Reads::default()), 0.0);
            return Turn::Fell;
        };
        since.misses += reads.misses;
        since.again += reads.again;
        if !Self::comes_back(since, reads.weight, entries) || self.lead < 0.0 {
            return Turn::Nothing;
        }
        self.left = (capacity as f32 * RECOVERY_TURNS) as usize;
        // Once for each fall.
        (self.usual, self.since, self.lead) = (self.recent, None, 0.0);
        Turn::Changed
    }

    /// Whether the hits have fallen, or have not yet come back.
    fn is_low(&self) -> bool {
        let usual = self.usual.get();
        let fall = usual - self.recent.get();
        if self.since.is_some() && fall > usual * FALL_SHARE * FALL_OVER_SHARE {
            return true;
        }
        let deviation = (usual * (1.0 - usual) / self.recent.reads).sqrt();
        fall > FALL_MIN.max(usual * FALL_SHARE) && fall > FALL_DEVIATIONS * deviation
    }

    fn comes_back(since: &Reads, weight: f32, entries: f32) -> bool {
        let pairs = since.misses * since.misses / 2.0;
        since.again >= AGAIN_MIN && since.again * weight * WORKING_SET_TURNS_MAX * entries >= pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: u64 = 1_000;
    const CAPACITY: usize = 100;

    /// So many reads, in batches of ten: of each ten so many hit, and so many were missed before.
    fn note(fall: &mut Fall, reads: u64, hits: u8, again: u8) -> Vec<Turn> {
        let batch = Reads {
            hits: f32::from(hits),
            misses: f32::from(10 - hits),
            again: f32::from(again),
            weight: 1.0,
        };
        let turns = (0..reads / 10).map(|_| fall.note_reads(&batch, ENTRIES, CAPACITY));
        turns.filter(|turn| *turn != Turn::Nothing).collect()
    }

    fn used() -> Fall {
        let mut fall = Fall::default();
        assert_eq!(note(&mut fall, 10 * ENTRIES, 8, 1), []);
        fall
    }

    #[test]
    fn recovers_for_a_while_when_hits_fall_and_newcomers_come_back() {
        let mut fall = used();
        assert_eq!(note(&mut fall, 40, 0, 0), [Turn::Fell]);
        assert_eq!(note(&mut fall, 60, 0, 1), [Turn::Changed]);
        assert!(fall.is_recovering());
        let turns = 2 * CAPACITY;
        (1..turns).for_each(|_| fall.note_sample(true, true, CAPACITY));
        assert!(fall.is_recovering());
        fall.note_sample(true, true, CAPACITY);
        assert!(!fall.is_recovering());
    }

    #[test]
    fn a_scan_is_no_reason() {
        let mut fall = used();
        assert_eq!(note(&mut fall, 10 * ENTRIES, 0, 0), [Turn::Fell]);
    }

    #[test]
    fn a_new_working_set_that_is_much_too_large_is_no_reason() {
        let mut fall = used();
        assert_eq!(note(&mut fall, 2 * ENTRIES, 0, 0), [Turn::Fell]);
        assert_eq!(note(&mut fall, 100, 0, 1), []);
    }

    #[test]
    fn who_lets_everybody_in_must_not_be_behind() {
        let mut fall = used();
        assert_eq!(note(&mut fall, 40, 0, 0), [Turn::Fell]);
        fall.note_sample(true, false, CAPACITY);
        assert_eq!(note(&mut fall, 100, 0, 1), []);
        (0..2).for_each(|_| fall.note_sample(false, true, CAPACITY));
        assert_eq!(note(&mut fall, 10, 0, 1), [Turn::Changed]);
    }

    #[test]
    fn ends_early_where_letting_everybody_in_does_worse() {
        let mut fall = used();
        note(&mut fall, 100, 0, 1);
        assert!(fall.is_recovering());
        (0..CAPACITY / 4).for_each(|_| fall.note_sample(true, false, CAPACITY));
        assert!(!fall.is_recovering());
    }

    #[test]
    fn what_was_always_missed_is_no_fall() {
        let mut fall = Fall::default();
        assert_eq!(note(&mut fall, 10 * ENTRIES, 0, 3), []);
    }
}
