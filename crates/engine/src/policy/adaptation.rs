//! Which setting does best on what is asked for just now?
//!
//! A fraction of the keys, chosen by their hash, is followed through one miniature cache per setting
//! ("miniature simulations", Waldspurger et al. 2017, on a SHARDS sample). Where one of them has been
//! ahead by more than chance for a while, the real cache takes over its setting; its contents follow as
//! entries come and go.
//!
//! What a hit pays for it is one test of the hash. A handle notes the sampled keys that it uses in
//! memory of its own ([`Samples`]) and hands them over when it writes. Misses are noted as well ([`Missed`]), and
//! handed over with the hits between them, for [`Fall`]. While newcomers are on trial the test lets all keys through,
//! so that those who come back are counted.
//!
//! Invariant: `setting`, `window_permille` and `sampled` are hints that may be read at any time; everything else belongs to
//! whoever holds the lock, and is plain data that is whole after each step.

use super::beginning::Beginning;
use super::fall::{Fall, Reads};
use super::missed::Missed;
use super::shadow::{Miniatures, Use};
use super::sketch::Sketch;
use super::{
    ALL_SETTINGS, BEGINNING, BUDGET_SHARE, DECISIONS_PER_TURN, HALF_LIVES, LEAD_DEVIATIONS,
    LEAD_DOUBT, LEADS_MIN, RECOVERY, Random, SAMPLE_SHIFT_MIN, SETTINGS, SHADOW_ENTRIES_MAX,
    SHADOW_ENTRIES_MIN, SHADOW_ENTRY_BUDGET_MIN, Setting, WARM_UP_DECISIONS,
};
use crate::hash::KeyHash;
use crate::heap::OutOfMemory;
use crate::sync::{AtomicU64, AtomicUsize, CacheAligned, Mutex, Ordering};
use std::cell::Cell;

/// Bytes of the shadows' sketch per entry: twice the cache's own, since few keys make few blocks.
const SKETCH_BYTES_PER_ENTRY: usize = 8;
/// Samples that a handle keeps; a read that finds no place drops its sample.
const SAMPLES_MAX: usize = 64;
/// Samples that a handle hands over at once.
const SAMPLES_PER_BATCH: usize = 16;
/// Where the settings have so little in common that there are no nodes left, so much of the miniatures is given up at a
/// time: 1 / this.
const CROWDED_SHARE: usize = 16;
/// Shadows are not resized for less than this part of their capacity.
const RESIZE_SHARE: u64 = 8;

/// Who won and who lost, over one half-life.
#[derive(Default)]
struct Score {
    /// Accesses, decayed.
    accesses: f32,
    /// Per setting the hits that it has more than the present one, decayed.
    lead: [f32; SETTINGS.len()],
    /// Per setting the accesses that only one of the two hit, decayed.
    apart: [f32; SETTINGS.len()],
}

impl Score {
    /// Notes which settings hit (a bit each); `decay` is less than one.
    fn note(&mut self, hits: u32, present: usize, decay: f32) {
        self.accesses = self.accesses * decay + 1.0;
        let own = hits >> present & 1;
        for other in 0..SETTINGS.len() {
            let lead = (hits >> other & 1) as f32 - own as f32;
            self.lead[other] = self.lead[other] * decay + lead;
            self.apart[other] = self.apart[other] * decay + lead.abs();
        }
    }

    /// So many accesses that hit under every setting.
    fn note_hits_of_all(&mut self, accesses: f32, decay: f32) {
        let kept = decay.powf(accesses);
        // What is left of as many accesses, each decayed by those after it.
        self.accesses = self.accesses * kept + (1.0 - kept) / (1.0 - decay);
        self.lead.iter_mut().for_each(|lead| *lead *= kept);
        self.apart.iter_mut().for_each(|apart| *apart *= kept);
    }

    /// The setting that is ahead of the present one by this part of the accesses, and by more than chance.
    fn winner(&self, lead_min: f32) -> Option<usize> {
        let (best, lead) = (self.lead[..RECOVERY].iter().enumerate())
            .max_by(|one, other| one.1.total_cmp(other.1))
            .map(|(setting, lead)| (setting, *lead))?;
        let deviation = (self.apart[best] + LEAD_DOUBT).sqrt();
        (lead > lead_min * self.accesses && lead > LEAD_DEVIATIONS * deviation).then_some(best)
    }

    /// The setting that is ahead over one half-life, and not behind over any shorter one: two that contradict each other
    /// would change the setting with every decision.
    fn winner_of(scores: &[Self]) -> Option<usize> {
        scores.iter().enumerate().find_map(|(number, score)| {
            let is_behind = |winner: usize| {
                let shorter = scores[..number].iter();
                shorter
                    .map(|other| other.lead[winner])
                    .any(|lead| lead < 0.0)
            };
            score
                .winner(LEADS_MIN[number])
                .filter(|winner| !is_behind(*winner))
        })
    }

    /// From now on leads are over this setting.
    fn compare_with(&mut self, present: usize) {
        let (lead, apart) = (self.lead[present], self.apart[present]);
        for other in 0..SETTINGS.len() {
            self.lead[other] -= lead;
            let known = (self.apart[other] - apart).abs();
            self.apart[other] = known.max(self.lead[other].abs());
        }
        (self.lead[present], self.apart[present]) = (0.0, 0.0);
    }
}

/// What the lock guards.
struct State {
    /// One for each setting.
    shadows: Miniatures,
    sketch: Sketch,
    random: Random,
    scores: [Score; HALF_LIVES.len()],
    decays: [f32; HALF_LIVES.len()],
    /// The setting that the scores have chosen.
    chosen: usize,
    fall: Fall,
    beginning: Beginning,
    /// The cache holds so many when it is full.
    entries: u64,
    /// Of each miniature, at most. Less than what was allotted if that many keys proved to be too different.
    entries_max: usize,
    /// For so many entries of the cache the keys are sampled now.
    resized_for: u64,
    /// The share of the keys that are sampled, see [`KeyHash::is_sampled`].
    share: u64,
    capacity: usize,
    until_decision: usize,
    decisions: u32,
}

/// Of which keys is noted what?
struct Sampled {
    /// Hits are looked at if the hash has no bit of this mask. None is set while it is asked what comes back, see [`Fall::is_asking`].
    looked_at: AtomicU64,
    /// The miniatures follow this share of the keys, see [`KeyHash::is_sampled`].
    followed: AtomicU64,
}

/// See the module's documentation.
pub(crate) struct Adaptation {
    /// On a line that is hardly ever written: reads look at it.
    sampled: CacheAligned<Sampled>,
    setting: AtomicUsize,
    /// The window's share: the setting's, and more while newcomers are on trial.
    window_permille: AtomicU64,
    missed: Missed,
    state: Mutex<State>,
}

impl Adaptation {
    /// Entries of each shadow for a budget.
    pub(crate) fn shadow_entries(budget: u64) -> usize {
        let affordable = (budget / BUDGET_SHARE) as usize;
        let affordable = affordable.saturating_sub(Missed::bytes(budget));
        let least = SHADOW_ENTRIES_MIN.min((budget / SHADOW_ENTRY_BUDGET_MIN) as usize);
        let most = affordable * SHADOW_ENTRIES_MAX / Self::bytes_of(SHADOW_ENTRIES_MAX);
        most.clamp(least, SHADOW_ENTRIES_MAX)
    }

    /// Heap bytes for a budget.
    pub(crate) fn bytes(budget: u64) -> usize {
        Self::bytes_of(Self::shadow_entries(budget)) + Missed::bytes(budget)
    }

    fn bytes_of(entries: usize) -> usize {
        Miniatures::bytes(entries) + entries * SKETCH_BYTES_PER_ENTRY
    }

    pub(crate) fn new(budget: u64, seed: u64) -> Result<Self, OutOfMemory> {
        let entries_max = Self::shadow_entries(budget);
        let adaptation = Self {
            sampled: CacheAligned(Sampled {
                looked_at: AtomicU64::new(0),
                followed: AtomicU64::new(0),
            }),
            setting: AtomicUsize::new(0),
            window_permille: AtomicU64::new(SETTINGS[0].window_permille),
            missed: Missed::new(budget)?,
            state: Mutex::new(State {
                shadows: Miniatures::new(entries_max)?,
                sketch: Sketch::new(entries_max * SKETCH_BYTES_PER_ENTRY)?,
                random: Random::new(seed),
                scores: Default::default(),
                decays: [0.0; HALF_LIVES.len()],
                chosen: 0,
                fall: Fall::default(),
                beginning: Beginning::default(),
                entries: 0,
                entries_max,
                resized_for: 0,
                share: 0,
                capacity: 0,
                until_decision: 0,
                decisions: 0,
            }),
        };
        adaptation.set_entries(entries_max as u64);
        Ok(adaptation)
    }

    /// Whether a hit of a key is to be noted.
    #[inline(always)]
    pub(crate) fn looks_at(&self, hash: KeyHash) -> bool {
        // Relaxed: a hint, like all here.
        hash.0 & self.sampled.0.looked_at.load(Ordering::Relaxed) == 0
    }

    /// Whether the miniatures follow a key.
    #[inline(always)]
    pub(crate) fn follows(&self, hash: KeyHash) -> bool {
        hash.is_sampled(self.sampled.0.followed.load(Ordering::Relaxed))
    }

    /// Whether a key that was hit is one that was missed since hits fell. Only asked while all are looked at.
    fn has_come_back(&self, hash: KeyHash) -> bool {
        self.sampled.0.looked_at.load(Ordering::Relaxed) == 0 && self.missed.knows(hash)
    }

    /// The setting that the cache should be run with.
    pub(crate) fn setting(&self) -> &'static Setting {
        &ALL_SETTINGS[self.setting.load(Ordering::Relaxed).min(BEGINNING)]
    }

    /// The share of the window in the whole.
    pub(crate) fn window_permille(&self) -> u64 {
        self.window_permille.load(Ordering::Relaxed)
    }

    /// Tells everybody what the state says. Stores only what is new: others read it all the time.
    fn publish(&self, state: &State) {
        let setting = state.setting();
        if self.setting.load(Ordering::Relaxed) != setting {
            self.setting.store(setting, Ordering::Relaxed);
        }
        let trial = state.fall.trial_share(state.entries);
        let window = ALL_SETTINGS[setting].window_permille + (trial * 1000.0) as u64;
        if self.window_permille.load(Ordering::Relaxed) != window {
            self.window_permille.store(window, Ordering::Relaxed);
        }
        let Sampled {
            looked_at,
            followed,
        } = &self.sampled.0;
        let mask = if state.fall.is_asking(state.entries) {
            0
        } else {
            KeyHash::sample_mask(state.share)
        };
        for (published, new) in [(followed, state.share), (looked_at, mask)] {
            if published.load(Ordering::Relaxed) != new {
                published.store(new, Ordering::Relaxed);
            }
        }
    }

    /// The cache holds so many entries when it is full.
    pub(crate) fn set_entries(&self, entries: u64) {
        let Ok(mut state) = self.state.try_lock() else {
            return;
        };
        state.entries = entries;
        self.missed.set_entries(entries);
        if entries.abs_diff(state.resized_for) > state.resized_for / RESIZE_SHARE {
            state.resize();
            self.publish(&state);
        }
    }

    /// Takes over what a handle has noted. If another one is at it, the samples wait.
    #[cold]
    fn take(&self, samples: &Samples) {
        let Ok(mut state) = self.state.try_lock() else {
            return;
        };
        state.note_absorbed(samples.absorbed.take());
        for hash in samples.drain() {
            // The mask may have changed since.
            if self.follows(hash) {
                state.access(hash);
            }
        }
        self.publish(&state);
    }

    /// Takes over what a handle has read. If another one is at it, nothing is known of these reads.
    #[cold]
    fn take_reads(&self, mut reads: Reads) {
        let Ok(mut state) = self.state.try_lock() else {
            return;
        };
        reads.weight = self.missed.weight();
        let entries = state.entries;
        if state.fall.note_reads(&reads, entries) {
            self.missed.forget();
        }
        state.beginning.note_reads(&reads, entries);
        if state.fall.is_recovering() {
            state.beginning.end();
        }
        self.publish(&state);
    }
}

impl State {
    fn setting(&self) -> usize {
        if self.fall.is_recovering() {
            RECOVERY
        } else if self.beginning.lets_everybody_in() {
            BEGINNING
        } else {
            self.chosen
        }
    }

    /// Samples so many keys that the miniatures stand for the cache as it is now.
    fn resize(&mut self) {
        let entries = self.entries.max(1);
        let enough = (entries >> SAMPLE_SHIFT_MIN).max(SHADOW_ENTRIES_MIN as u64);
        let capacity = enough.min(self.entries_max as u64).min(entries);
        let share = (u128::from(capacity) << u64::BITS) / u128::from(entries);
        (self.resized_for, self.capacity) = (entries, capacity as usize);
        self.share = u64::try_from(share).unwrap_or(u64::MAX);
        let share = self.share;
        self.shadows
            .resize(self.capacity, |hash| hash.is_sampled(share));
        self.sketch.set_entries(capacity);
        self.decays = HALF_LIVES.map(|turns| 0.5f32.powf(1.0 / (turns * capacity as f32)));
    }

    /// An L0 answered so many reads, of any key: the real cache would have hit whatever its setting.
    fn note_absorbed(&mut self, reads: u64) {
        let accesses = reads as f32 * (self.share as f32 / u64::MAX as f32);
        for (score, decay) in self.scores.iter_mut().zip(self.decays) {
            score.note_hits_of_all(accesses, decay);
        }
    }

    /// A sampled key is used.
    fn access(&mut self, hash: KeyHash) {
        let used = Use {
            count: self.sketch.count(hash, 1),
            generation: self.sketch.generation(),
        };
        let was_full = self.shadows.is_full(self.chosen);
        let hits = self.shadows.access(hash, used, &mut self.random);
        if self.shadows.is_crowded() {
            self.entries_max = self.capacity - self.capacity.div_ceil(CROWDED_SHARE);
            self.resize();
        }
        let [own, recovering] = [self.chosen, RECOVERY].map(|setting| hits >> setting & 1 != 0);
        self.fall.note_sample(own, recovering, self.capacity);
        self.beginning.note_decisions(self.decisions);
        if self.fall.is_behind() {
            self.beginning.end();
        }
        if !was_full {
            return;
        }
        for (score, decay) in self.scores.iter_mut().zip(self.decays) {
            score.note(hits, self.chosen, decay);
        }
        self.until_decision = self.until_decision.saturating_sub(1);
        if self.until_decision == 0 {
            self.decide();
        }
    }

    fn decide(&mut self) {
        self.until_decision = (self.capacity / DECISIONS_PER_TURN).max(8);
        self.decisions = self.decisions.saturating_add(1);
        if self.decisions <= WARM_UP_DECISIONS {
            return;
        }
        if let Some(winner) = Score::winner_of(&self.scores) {
            for score in &mut self.scores {
                score.compare_with(winner);
            }
            self.chosen = winner;
            self.beginning.end();
        }
    }
}

/// The sampled keys that one handle has used and not handed over yet.
pub(crate) struct Samples {
    hashes: [Cell<u64>; SAMPLES_MAX],
    len: Cell<usize>,
    /// Reads that an L0 answered since the last time.
    absorbed: Cell<u64>,
    /// Misses since the last time, those of keys that nobody asked for before, reads of keys that were missed before, and
    /// all hits until then, with those of an L0 that came later.
    misses: Cell<u64>,
    new: Cell<u64>,
    again: Cell<u64>,
    /// Of [`Missed`], when `again` was last handed over.
    epoch: Cell<u64>,
    hits_before: Cell<u64>,
}

impl Samples {
    pub(crate) fn new() -> Self {
        Self {
            hashes: [const { Cell::new(0) }; SAMPLES_MAX],
            len: Cell::new(0),
            absorbed: Cell::new(0),
            misses: Cell::new(0),
            new: Cell::new(0),
            again: Cell::new(0),
            epoch: Cell::new(0),
            hits_before: Cell::new(0),
        }
    }

    /// A key that is looked at was hit.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_hit(&self, hash: KeyHash, adaptation: &Adaptation) {
        if adaptation.has_come_back(hash) {
            self.again.set(self.again.get() + 1);
        }
        if adaptation.follows(hash) {
            self.note(hash);
        }
    }

    /// A sampled key was used.
    fn note(&self, hash: KeyHash) {
        if let Some(place) = self.hashes.get(self.len.get()) {
            place.set(hash.0);
            self.len.set(self.len.get() + 1);
        }
    }

    /// A key was missed, after so many hits in all; whether the sketch knows of no use before.
    #[inline]
    pub(crate) fn note_miss(
        &self,
        hash: KeyHash,
        is_new: bool,
        hits: u64,
        adaptation: &Adaptation,
    ) {
        let misses = self.misses.get() + 1;
        self.misses.set(misses);
        self.new.set(self.new.get() + u64::from(is_new));
        if adaptation.missed.note(hash) {
            self.again.set(self.again.get() + 1);
        }
        if misses >= adaptation.missed.batch() {
            self.hand_over_reads(hits, adaptation);
        }
    }

    #[cold]
    fn hand_over_reads(&self, hits: u64, adaptation: &Adaptation) {
        let again = self.again.replace(0) as f32;
        let epoch = adaptation.missed.epoch();
        // What was known before hits fell is no evidence.
        let is_of_this_fall = self.epoch.replace(epoch) == epoch;
        adaptation.take_reads(Reads {
            hits: (hits - self.hits_before.replace(hits)) as f32,
            misses: self.misses.replace(0) as f32,
            new: self.new.replace(0) as f32,
            again: if is_of_this_fall { again } else { 0.0 },
            ..Reads::default()
        });
    }

    /// An L0 answered so many reads.
    pub(crate) fn note_absorbed(&self, reads: u64) {
        // They are told of long after: between two such times hits would seem to have fallen.
        self.hits_before.set(self.hits_before.get() + reads);
        self.absorbed.set(self.absorbed.get() + reads);
    }

    /// A key was written.
    #[inline]
    pub(crate) fn note_write(&self, hash: KeyHash, adaptation: &Adaptation) {
        if adaptation.follows(hash) {
            self.note(hash);
        }
        if self.len.get() >= SAMPLES_PER_BATCH {
            adaptation.take(self);
        }
    }

    fn drain(&self) -> impl Iterator<Item = KeyHash> {
        let len = self.len.replace(0);
        self.hashes[..len].iter().map(|hash| KeyHash(hash.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::KeyHasher;
    use crate::policy::EVERYBODY;
    use crate::policy::shadow::Shadows;

    const BUDGET: u64 = 64 << 20;

    struct Traffic {
        adaptation: Adaptation,
        samples: Samples,
        hasher: KeyHasher,
    }

    impl Traffic {
        fn new(entries: u64) -> Self {
            let adaptation = Adaptation::new(BUDGET, 1).unwrap();
            adaptation.set_entries(entries);
            Self {
                adaptation,
                samples: Samples::new(),
                hasher: KeyHasher::new(1),
            }
        }

        fn use_key(&self, key: u64) {
            let hash = self.hasher.hash(&key.to_le_bytes());
            self.samples.note_write(hash, &self.adaptation);
        }

        fn window_permille(&self) -> u64 {
            self.adaptation.setting().window_permille
        }
    }

    #[test]
    fn recency_makes_the_window_large_and_a_loop_makes_it_small_again() {
        let traffic = Traffic::new(4_000);
        // Each key is used three times within a short while, then never again.
        for n in 0..200_000 {
            traffic.use_key(n);
            traffic.use_key(n.saturating_sub(1_500));
            traffic.use_key(n.saturating_sub(3_000));
        }
        assert!(
            traffic.window_permille() >= 100,
            "{:?}",
            traffic.adaptation.setting()
        );
        for n in 0..400_000u64 {
            traffic.use_key(1_000_000 + n % 6_000);
        }
        assert!(
            traffic.window_permille() <= 50,
            "{:?}",
            traffic.adaptation.setting()
        );
    }

    #[test]
    fn reads_that_hit_under_every_setting_weigh_the_same_one_by_one_and_together() {
        let [mut one_by_one, mut together] = [(); 2].map(|()| Score::default());
        let decay = 0.99;
        for score in [&mut one_by_one, &mut together] {
            (0..20).for_each(|_| score.note(0b00110, 0, decay));
        }
        (0..50).for_each(|_| one_by_one.note(0b11111, 0, decay));
        together.note_hits_of_all(50.0, decay);
        let alike = |one: f32, other: f32| (one - other).abs() < 0.01;
        assert!(alike(one_by_one.accesses, together.accesses));
        for setting in 0..SETTINGS.len() {
            assert!(alike(one_by_one.lead[setting], together.lead[setting]));
            assert!(alike(one_by_one.apart[setting], together.apart[setting]));
        }
    }

    #[test]
    fn miniatures_that_have_too_little_in_common_stand_for_fewer_keys() {
        let traffic = Traffic::new(4_000);
        let followed = || {
            let keys = (0..40_000u64).map(|n| traffic.hasher.hash(&n.to_le_bytes()));
            keys.filter(|hash| traffic.adaptation.follows(*hash))
                .count()
        };
        let before = followed();
        {
            let mut state = traffic.adaptation.state.lock().unwrap();
            let capacity = state.capacity;
            let few = Shadows::<u16>::with_nodes(capacity, capacity + capacity / 8).unwrap();
            state.shadows = Miniatures::Many(few);
        }
        // Recency and a loop in turns: what one setting keeps another one drops.
        for n in 0..200_000 {
            traffic.use_key(n);
            traffic.use_key(1_000_000 + n % 6_000);
        }
        let state = traffic.adaptation.state.lock().unwrap();
        assert!(followed() < before * 15 / 16, "{} of {before}", followed());
        assert_eq!(state.capacity, state.entries_max);
        // One key in so many is followed, by miniatures that are as much smaller than the cache.
        let share = followed() as f32 / 40_000.0;
        assert!((share * 4_000.0 - state.capacity as f32).abs() < state.capacity as f32 / 4.0);
    }

    #[test]
    fn nobody_is_turned_away_until_a_quarter_of_the_cache_was_filled_anew() {
        let traffic = Traffic::new(1_000);
        let is_open = || traffic.adaptation.setting().admission == EVERYBODY;
        let miss = |key: u64| {
            let hash = traffic.hasher.hash(&key.to_le_bytes());
            (traffic.samples).note_miss(hash, true, 0, &traffic.adaptation);
        };
        (0..1_240).for_each(miss);
        assert!(is_open());
        (1_240..1_260).for_each(miss);
        assert!(!is_open());
        assert_eq!(traffic.adaptation.setting(), &SETTINGS[0]);
    }

    #[test]
    fn a_cache_that_is_only_written_has_no_beginning() {
        let traffic = Traffic::new(1_000);
        (0..2_600).for_each(|key| {
            traffic.use_key(key);
            assert_eq!(traffic.adaptation.setting(), &SETTINGS[0]);
        });
        // Nor is there one when it is read at last.
        let hash = |key: u64| traffic.hasher.hash(&key.to_le_bytes());
        (0..20).for_each(|key| {
            let samples = &traffic.samples;
            samples.note_miss(hash(1_000_000 + key), true, 0, &traffic.adaptation);
        });
        assert_eq!(traffic.adaptation.setting(), &SETTINGS[0]);
    }

    #[test]
    fn a_setting_that_is_no_better_is_not_taken() {
        let traffic = Traffic::new(4_000);
        // Everything fits, or nothing is ever used again.
        (0..100_000).for_each(|n| traffic.use_key(n % 1_000));
        (0..100_000).for_each(|n| traffic.use_key(10_000 + n));
        assert_eq!(traffic.adaptation.setting(), &SETTINGS[0]);
    }

    #[test]
    fn few_keys_of_a_large_cache_are_followed_and_most_of_a_small_one() {
        let of_a_million = (1 << 20) / SHADOW_ENTRIES_MAX as u64;
        for (entries, one_in) in [
            (50, 1),
            (200, 200 / SHADOW_ENTRIES_MIN as u64),
            (2_000, 16),
            (16_000, 16),
            (1 << 20, of_a_million),
        ] {
            let traffic = Traffic::new(entries);
            let keys = (0..400_000u64).map(|n| traffic.hasher.hash(&n.to_le_bytes()));
            let followed = keys
                .filter(|hash| traffic.adaptation.follows(*hash))
                .count();
            let expected = 400_000 / one_in as usize;
            assert!(
                followed.abs_diff(expected) <= expected / 4 + 20,
                "{entries}: {followed}"
            );
        }
    }

    #[test]
    fn shadows_stay_below_one_percent_of_the_budget() {
        for shift in 20..36 {
            let budget = 1u64 << shift;
            assert!(Adaptation::bytes(budget) as u64 * 100 <= budget, "{budget}");
        }
    }
}
