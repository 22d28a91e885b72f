//! Has what is asked for just changed altogether?
//!
//! The settings that the scores choose among make a newcomer prove itself against what is there. When the working set
//! changes at once, what is there is worth nothing, and each proof is a miss that LRU would not have had. So when the
//! hits fall far below what was usual, and the miniature that lets everybody in already hits more, the cache is run
//! under its setting for a while, whatever the scores say; they go on counting meanwhile.
//!
//! A scan lets the hits fall as well, but nothing of it is used again: that miniature is not ahead.

use super::{
    FALL_DEVIATIONS, FALL_MIN, FALL_SHARE, RECENT_ACCESSES_MIN, RECENT_TURNS, RECOVERY_LAG_MAX,
    RECOVERY_LEAD_DEVIATIONS, RECOVERY_TURNS, USUAL_TURNS,
};

/// Hits per access, decayed.
#[derive(Clone, Copy, Default)]
struct Ratio {
    accesses: f32,
    hits: f32,
}

impl Ratio {
    fn note(&mut self, is_hit: bool, half_life: f32) {
        let decay = 0.5f32.powf(1.0 / half_life);
        self.accesses = self.accesses * decay + 1.0;
        self.hits = self.hits * decay + f32::from(u8::from(is_hit));
    }

    fn get(self) -> f32 {
        self.hits / self.accesses.max(1.0)
    }
}

/// See the module's documentation. All accesses are those of sampled keys.
#[derive(Default)]
pub(crate) struct Fall {
    usual: Ratio,
    recent: Ratio,
    /// Hits that the recovering miniature had more than the chosen one, and accesses that only one of the
    /// two hit, both recent and decayed.
    lead: f32,
    apart: f32,
    /// Accesses until the recovery ends.
    left: usize,
}

impl Fall {
    /// Whether the cache is to be run under the setting that lets everybody in.
    pub(crate) fn is_recovering(&self) -> bool {
        self.left > 0
    }

    /// An access that the miniature of the chosen setting hit or not (`own`), and that of the recovery. `is_full`:
    /// somebody has to go when a key comes. `capacity` is the miniatures'.
    pub(crate) fn note(&mut self, own: bool, recovering: bool, is_full: bool, capacity: usize) {
        let capacity = capacity as f32;
        let half_life = (capacity * RECENT_TURNS).max(RECENT_ACCESSES_MIN);
        self.usual.note(own, capacity * USUAL_TURNS);
        self.recent.note(own, half_life);
        let decay = 0.5f32.powf(1.0 / half_life);
        let lead = f32::from(u8::from(recovering)) - f32::from(u8::from(own));
        self.lead = self.lead * decay + lead;
        self.apart = self.apart * decay + lead.abs();
        self.left = self.left.saturating_sub(1);
        if self.lead < -RECOVERY_LAG_MAX {
            self.left = 0;
        }
        if is_full && self.usual.accesses >= capacity && self.has_fallen() && self.is_ahead() {
            self.left = (capacity * RECOVERY_TURNS) as usize;
            // Once for each fall.
            self.usual = self.recent;
        }
    }

    fn has_fallen(&self) -> bool {
        let usual = self.usual.get();
        let fall = usual - self.recent.get();
        let deviation = (usual * (1.0 - usual) / self.recent.accesses).sqrt();
        fall > FALL_MIN.max(usual * FALL_SHARE) && fall > FALL_DEVIATIONS * deviation
    }

    fn is_ahead(&self) -> bool {
        self.lead >= (RECOVERY_LEAD_DEVIATIONS * self.apart.sqrt()).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: usize = 100;

    /// So many accesses, of which every `own`th and every `recovering`th hit (0: none).
    fn note(fall: &mut Fall, accesses: usize, own: usize, recovering: usize) {
        let hits = |one_in: usize, n: usize| one_in != 0 && n.is_multiple_of(one_in);
        for n in 0..accesses {
            fall.note(hits(own, n), hits(recovering, n), true, CAPACITY);
        }
    }

    fn used() -> Fall {
        let mut fall = Fall::default();
        note(&mut fall, 10 * CAPACITY, 1, 1);
        assert!(!fall.is_recovering());
        fall
    }

    #[test]
    fn recovers_for_a_while_when_hits_fall_and_newcomers_are_used_again() {
        let mut fall = used();
        note(&mut fall, CAPACITY / 4, 0, 3);
        assert!(fall.is_recovering());
        note(&mut fall, CAPACITY, 3, 2);
        assert!(fall.is_recovering());
        note(&mut fall, 2 * CAPACITY, 2, 2);
        assert!(!fall.is_recovering());
    }

    #[test]
    fn a_scan_is_no_reason() {
        let mut fall = used();
        note(&mut fall, 10 * CAPACITY, 0, 0);
        assert!(!fall.is_recovering());
    }

    #[test]
    fn ends_early_where_letting_everybody_in_does_worse() {
        let mut fall = used();
        note(&mut fall, CAPACITY / 4, 0, 3);
        assert!(fall.is_recovering());
        note(&mut fall, CAPACITY / 4, 1, 0);
        assert!(!fall.is_recovering());
    }

    #[test]
    fn what_was_always_missed_is_no_fall() {
        let mut fall = Fall::default();
        note(&mut fall, 10 * CAPACITY, 0, 3);
        assert!(!fall.is_recovering());
    }
}
