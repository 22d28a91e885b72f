//! Has what is asked for just changed altogether?
//!
//! The settings that the scores choose among make a newcomer prove itself against what is there. When the working set
//! changes at once, what is there is worth nothing, and each proof is a miss that LRU would not have had. So when the
//! hits fall far below what was usual, newcomers are let in *on trial*: the window is larger for a while, at the cost of
//! the coldest entries. If they come back the cache is run under the setting that lets everybody in, whatever the scores
//! say, until it is filled anew; they go on counting meanwhile. Not where its miniature is behind.
//!
//! A scan lets the hits fall as well, but nothing of it comes back. How soon keys come back tells how many there are
//! (the birthday paradox: of `m` draws among `w` keys `m² / 2w` meet one drawn before): a new working set that no cache
//! of this size would hold is no reason either. Where falls are usual and no changes, there is no trial.
//!
//! The fall is seen in all reads, not in the miniatures' sample: of a small cache they see too few to be quick. What is
//! noted comes from the handles, with their misses.

use super::{
    AGAIN_MIN, CHANGE_MISSES_SHARE_MAX, CHANGE_MISSES_SHARE_MIN, FALL_ACCESSES_MIN,
    FALL_DEVIATIONS, FALL_MIN, FALL_OVER_SHARE, FALL_SHARE, FALL_TURNS, LAG_ACCESSES_MIN,
    LAG_TURNS, NEW_MISSES_MIN, NEW_SHARE, RECOVERY_FILL, RECOVERY_LAG_MAX, RECOVERY_TURNS,
    TRIAL_REST_TURNS, TRIAL_SHARE, USUAL_TURNS, WORKING_SET_TURNS_MAX,
};
use std::f32::consts::LN_2;

/// Which part of what was noted counts, decayed: hits per read, new keys per miss.
#[derive(Clone, Copy, Default)]
struct Ratio {
    all: f32,
    part: f32,
}

impl Ratio {
    fn note(&mut self, part: f32, all: f32, half_life: f32) {
        let kept = (-all / half_life).exp2();
        // As if each had been noted by itself: of a long run of hits only the last ones count.
        let weight = (1.0 - kept) * half_life / LN_2 / all.max(1.0);
        self.all = self.all * kept + all * weight;
        self.part = self.part * kept + part * weight;
    }

    fn get(self) -> f32 {
        self.part / self.all.max(1.0)
    }
}

/// What a handle did since it last told.
#[derive(Default)]
pub(crate) struct Reads {
    pub(crate) hits: f32,
    pub(crate) misses: f32,
    /// Those of keys that nobody asked for before.
    pub(crate) new: f32,
    /// Reads of keys that were missed before since the fall began, hits and misses, as far as they are remembered...
    pub(crate) again: f32,
    /// ... and how many keys one of those stands for.
    pub(crate) weight: f32,
}

impl Reads {
    fn all(&self) -> f32 {
        self.hits + self.misses
    }
}

/// What is known of a fall.
#[derive(Default)]
struct Since {
    misses: f32,
    /// Reads of keys that were missed before in it, as far as they are remembered.
    again: f32,
    /// Whether most misses are of keys that nobody asked for before.
    is_new: bool,
}

/// How long a recovery lasts yet.
#[derive(Default)]
struct Left {
    misses: f32,
    reads: f32,
}

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Fall {
    usual: Ratio,
    recent: Ratio,
    /// New keys among the last misses.
    newness: Ratio,
    /// Since the hits fell, if they did.
    since: Option<Since>,
    /// Hits that the recovering miniature had more than the chosen one, recent and decayed, none of them from before
    /// the fall.
    lead: f32,
    left: Left,
    /// Reads until newcomers may be on trial again.
    rest: f32,
}

impl Fall {
    /// Whether the cache is to be run under the setting that lets everybody in.
    pub(crate) fn is_recovering(&self) -> bool {
        self.left.misses > 0.0 && self.left.reads > 0.0
    }

    /// By which part of the cache the window is larger, for newcomers on trial.
    pub(crate) fn trial_share(&self, entries: u64) -> f32 {
        if self.has_missed_less(entries as f32 * TRIAL_SHARE) {
            TRIAL_SHARE
        } else {
            0.0
        }
    }

    /// Whether it matters which keys come back: longer than there is room for newcomers on trial.
    pub(crate) fn is_asking(&self, entries: u64) -> bool {
        self.has_missed_less(entries as f32 * CHANGE_MISSES_SHARE_MAX)
    }

    /// Whether the hits fell for keys that nobody asked for before, and no more than so many misses ago.
    fn has_missed_less(&self, misses: f32) -> bool {
        let is_less = |since: &Since| since.is_new && since.misses < misses;
        self.rest == 0.0 && self.since.as_ref().is_some_and(is_less)
    }

    /// An access of a sampled key, which the miniature of the chosen setting hit or not (`own`), and that of the
    /// recovery. `capacity` is the miniatures'.
    pub(crate) fn note_sample(&mut self, own: bool, recovering: bool, capacity: usize) {
        let half_life = (capacity as f32 * LAG_TURNS).max(LAG_ACCESSES_MIN);
        let lead = f32::from(u8::from(recovering)) - f32::from(u8::from(own));
        self.lead = self.lead * 0.5f32.powf(1.0 / half_life) + lead;
        if self.is_behind() {
            self.left = Left::default();
        }
    }

    /// Reads of a cache that holds so many entries when it is full. Whether the hits have just fallen: which keys are
    /// missed from here on?
    pub(crate) fn note_reads(&mut self, reads: &Reads, entries: u64) -> bool {
        let entries = entries as f32;
        let half_life = (entries * FALL_TURNS).max(FALL_ACCESSES_MIN);
        self.usual
            .note(reads.hits, reads.all(), entries * USUAL_TURNS);
        self.recent.note(reads.hits, reads.all(), half_life);
        let half_life = (entries * FALL_TURNS).max(NEW_MISSES_MIN);
        self.newness.note(reads.new, reads.misses, half_life);
        self.left.misses -= reads.misses;
        self.left.reads -= reads.all();
        self.rest = (self.rest - reads.all()).max(0.0);
        if self.is_recovering() || self.usual.all < entries || !self.is_low() {
            if self.since.take().is_some_and(|since| since.is_new) {
                self.rest = entries * TRIAL_REST_TURNS;
            }
            return false;
        }
        let is_new = self.newness.get() >= NEW_SHARE;
        // A fall in which known keys are missed may turn into a change.
        let known = (self.since.as_mut()).filter(|since| since.is_new || !is_new);
        let Some(since) = known else {
            // From here on: who hit more before is not the question.
            self.since = Some(Since {
                is_new,
                ..Since::default()
            });
            self.lead = 0.0;
            return true;
        };
        since.misses += reads.misses;
        since.again += reads.again;
        // Of the place that newcomers are to have they have this already.
        let on_trial = since.misses.min(entries * TRIAL_SHARE);
        if Self::has_changed(since, reads.weight, entries) && !self.is_behind() {
            self.left = Left {
                misses: entries * RECOVERY_FILL - on_trial,
                reads: entries * RECOVERY_TURNS,
            };
            // Once for each fall.
            (self.usual, self.since, self.lead) = (self.recent, None, 0.0);
        }
        false
    }

    /// Whether the hits have fallen, or have not yet come back.
    fn is_low(&self) -> bool {
        let usual = self.usual.get();
        let fall = usual - self.recent.get();
        if self.since.is_some() && fall > usual * FALL_SHARE * FALL_OVER_SHARE {
            return true;
        }
        let deviation = (usual * (1.0 - usual) / self.recent.all).sqrt();
        fall > FALL_MIN.max(usual * FALL_SHARE) && fall > FALL_DEVIATIONS * deviation
    }

    /// Whether the miniature that lets everybody in does worse.
    pub(crate) fn is_behind(&self) -> bool {
        self.lead < -RECOVERY_LAG_MAX
    }

    /// Whether another working set, which fits, is asked for instead of the one before.
    fn has_changed(since: &Since, weight: f32, entries: f32) -> bool {
        let pairs = since.misses * since.misses / 2.0;
        let seen = since.misses / entries;
        (CHANGE_MISSES_SHARE_MIN..=CHANGE_MISSES_SHARE_MAX).contains(&seen)
            && since.again >= AGAIN_MIN
            && since.again * weight * WORKING_SET_TURNS_MAX * entries >= pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: u64 = 1_000;
    const CAPACITY: usize = 100;

    /// So many reads, in batches of ten: of each ten so many hit, and so many were missed before. How often the hits
    /// fell.
    fn note(fall: &mut Fall, reads: u64, hits: u8, again: u8) -> usize {
        note_as(true, fall, reads, hits, again)
    }

    /// The same with keys that nobody asked for before among the misses, or none.
    fn note_as(is_new: bool, fall: &mut Fall, reads: u64, hits: u8, again: u8) -> usize {
        let misses = 10 - hits;
        let batch = Reads {
            hits: f32::from(hits),
            misses: f32::from(misses),
            new: f32::from(if is_new { misses - again } else { 0 }),
            again: f32::from(again),
            weight: 1.0,
        };
        let falls = (0..reads / 10).map(|_| fall.note_reads(&batch, ENTRIES));
        falls.filter(|has_fallen| *has_fallen).count()
    }

    fn used() -> Fall {
        let mut fall = Fall::default();
        assert_eq!(note(&mut fall, 10 * ENTRIES, 8, 0), 0);
        assert!(!fall.is_recovering());
        fall
    }

    fn fallen() -> Fall {
        let mut fall = used();
        assert_eq!(note(&mut fall, 40, 0, 0), 1);
        fall
    }

    #[test]
    fn recovers_until_the_cache_is_filled_anew_when_hits_fall_and_newcomers_come_back() {
        let mut fall = fallen();
        note(&mut fall, 60, 0, 1);
        assert!(!fall.is_recovering(), "too few keys to tell");
        note(&mut fall, 60, 0, 1);
        assert!(fall.is_recovering());
        note(&mut fall, ENTRIES * 8 / 10, 0, 1);
        assert!(fall.is_recovering());
        note(&mut fall, ENTRIES / 10, 0, 1);
        assert!(!fall.is_recovering());
    }

    #[test]
    fn recovers_no_longer_than_three_turns() {
        let mut fall = fallen();
        note(&mut fall, 120, 0, 1);
        note(&mut fall, 3 * ENTRIES - 100, 8, 1);
        assert!(fall.is_recovering());
        note(&mut fall, 120, 8, 1);
        assert!(!fall.is_recovering());
    }

    #[test]
    fn a_scan_is_no_reason() {
        let mut fall = fallen();
        note(&mut fall, 10 * ENTRIES, 0, 0);
        assert!(!fall.is_recovering());
    }

    #[test]
    fn newcomers_are_on_trial_until_they_fill_their_room() {
        let mut fall = used();
        assert_eq!(fall.trial_share(ENTRIES), 0.0);
        note(&mut fall, 40, 0, 0);
        assert_eq!(fall.trial_share(ENTRIES), TRIAL_SHARE);
        note(&mut fall, 100, 0, 0);
        assert_eq!(fall.trial_share(ENTRIES), TRIAL_SHARE);
        note(&mut fall, 100, 0, 0);
        assert_eq!(fall.trial_share(ENTRIES), 0.0);
    }

    #[test]
    fn it_is_asked_what_comes_back_for_longer_than_there_is_room_for_trials() {
        let mut fall = fallen();
        note(&mut fall, 200, 0, 0);
        assert_eq!(fall.trial_share(ENTRIES), 0.0);
        assert!(fall.is_asking(ENTRIES));
        note(&mut fall, 200, 0, 0);
        assert!(!fall.is_asking(ENTRIES));
    }

    #[test]
    fn after_a_scan_there_is_no_trial_for_a_while() {
        let mut fall = used();
        for turns in [2, TRIAL_REST_TURNS as u64 + 1] {
            note(&mut fall, ENTRIES, 0, 0);
            note(&mut fall, turns * ENTRIES, 8, 0);
            assert_eq!(note(&mut fall, 40, 0, 0), 1);
            assert_eq!(fall.trial_share(ENTRIES) > 0.0, turns > 2);
        }
    }

    #[test]
    fn known_keys_are_not_on_trial_until_new_ones_are_missed_instead() {
        let mut fall = used();
        assert_eq!(note_as(false, &mut fall, 100, 0, 0), 1);
        assert_eq!(fall.trial_share(ENTRIES), 0.0);
        assert_eq!(note(&mut fall, 100, 0, 0), 1, "another fall");
        assert_eq!(fall.trial_share(ENTRIES), TRIAL_SHARE);
        note_as(false, &mut fall, 100, 0, 0);
        assert_eq!(note(&mut fall, 100, 0, 0), 0, "but only once");
    }

    #[test]
    fn a_new_working_set_that_is_much_too_large_is_no_reason() {
        let mut fall = fallen();
        note(&mut fall, 2 * ENTRIES, 0, 0);
        note(&mut fall, 100, 0, 1);
        assert!(!fall.is_recovering());
    }

    #[test]
    fn who_lets_everybody_in_must_not_be_behind() {
        let mut fall = fallen();
        (0..8).for_each(|_| fall.note_sample(true, false, CAPACITY));
        note(&mut fall, 120, 0, 1);
        assert!(!fall.is_recovering());
        (0..5).for_each(|_| fall.note_sample(false, true, CAPACITY));
        note(&mut fall, 10, 0, 1);
        assert!(fall.is_recovering());
    }

    #[test]
    fn ends_early_where_letting_everybody_in_does_worse() {
        let mut fall = fallen();
        note(&mut fall, 120, 0, 1);
        assert!(fall.is_recovering());
        (0..CAPACITY / 4).for_each(|_| fall.note_sample(true, false, CAPACITY));
        assert!(!fall.is_recovering());
    }

    #[test]
    fn what_was_always_missed_is_no_fall() {
        let mut fall = Fall::default();
        assert_eq!(note(&mut fall, 10 * ENTRIES, 0, 3), 0);
        assert!(!fall.is_recovering());
    }

    #[test]
    fn a_fall_after_a_long_run_of_hits_is_seen_as_soon() {
        let mut fall = used();
        let hits = Reads {
            hits: 50.0 * ENTRIES as f32,
            misses: 1.0,
            weight: 1.0,
            ..Reads::default()
        };
        assert!(!fall.note_reads(&hits, ENTRIES));
        assert_eq!(note(&mut fall, 40, 0, 0), 1);
    }
}
