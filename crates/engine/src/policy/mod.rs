//! Who may stay: W-TinyLFU (Einziger, Friedman, Manes 2017) in clock form, under the settings that
//! do best on what is asked for.
//!
//! New entries enter the *window*. What leaves the window unread contests the entry at the hand of
//! *probation*: which of the two stays is a matter of how often they were used, says the [`sketch`].
//! An entry of probation that was read is promoted to *protected*, whose overflow returns to
//! probation. A read only raises the record's 2-bit counter; the lists are touched when a hand passes
//! ([`rings`]), never by a read.
//!
//! How large the window is and what a newcomer must show are [`Setting`]s. No single one is good
//! everywhere, so [`adaptation`] tries all of them on a sample of the keys ([`shadow`]) and the
//! cache follows the best.
//!
//! All parameters stand here, each with its reason. "Mean regret" is what the best of 17 known
//! policies hits more than this one, in points, on real traces; how that was measured, and what else,
//! is in `docs/decisions/0005-policy.md`.

pub(crate) mod adaptation;
pub(crate) mod beginning;
pub(crate) mod fall;
pub(crate) mod missed;
pub(crate) mod objective;
pub(crate) mod rings;
pub(crate) mod shadow;
pub(crate) mod sketch;
pub(crate) mod turnover;

/// What a candidate that leaves the window must show to replace the victim at the hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It was used more often than the victim, by more than this.
    MoreThan(u32),
    /// It was used at least so often within the sketch's memory, whatever the victim.
    AtLeast(u32),
}

/// Nobody who leaves the window is turned away, blind writes neither.
pub(crate) const EVERYBODY: Admission = Admission::AtLeast(0);

/// How the cache is run for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The window's share of the whole.
    pub(crate) window_permille: u64,
    /// The protected ring's share of what is not window.
    pub(crate) protected_permille: u64,
    pub(crate) admission: Admission,
    /// Whether victims are looked for in protected first: what was precious before is the first to go, if nobody
    /// reads it any more.
    pub(crate) clears_protected: bool,
}

impl Setting {
    /// Whether an entry that was read in the window goes to the main space without a contest. In a
    /// window that is most of the cache it goes round again instead: there the main space is the
    /// annex, and pushing entries through it would make the whole a queue.
    pub(crate) fn promotes(&self) -> bool {
        self.window_permille < 500
    }
}

/// The settings that are tried, the first of which a cache is run under until another one is better. Chosen greedily out
/// of 20 by mean regret if each trace got its best one: 2.3 with the first alone, 0.83 with two, 0.56 with three, 0.44 with
/// four, 0.40 with five.
pub(crate) const SETTINGS: [Setting; 5] = [
    // For loops and scans: W-TinyLFU, in which a tie by one use is not enough. The use that brought
    // the candidate here was counted already, while the victim's next may be just ahead.
    Setting {
        window_permille: 50,
        protected_permille: 800,
        admission: Admission::MoreThan(1),
        clears_protected: false,
    },
    // For traffic that is all recency, where an entry is used again soon or never.
    Setting {
        window_permille: 600,
        protected_permille: 500,
        admission: Admission::AtLeast(2),
        clears_protected: false,
    },
    // For stable popularity: W-TinyLFU as published.
    Setting {
        window_permille: 10,
        protected_permille: 500,
        admission: Admission::MoreThan(0),
        clears_protected: false,
    },
    // For working sets that move: what came back at all is let in (as S3-FIFO's ghost queue does).
    Setting {
        window_permille: 100,
        protected_permille: 500,
        admission: Admission::AtLeast(2),
        clears_protected: false,
    },
    // For a working set that was just replaced by another: everybody is let in, as in LRU. Not chosen by
    // score (where it could be, the mean regret was 0.07 more, and 9.1 on cloudphysics-io at 20 %), but
    // when hits fall and newcomers come back, see [`fall`].
    Setting {
        window_permille: 100,
        protected_permille: 500,
        admission: EVERYBODY,
        clears_protected: true,
    },
];

/// The last of them, which only a fall of the hits calls for.
pub(crate) const RECOVERY: usize = SETTINGS.len() - 1;

/// The number of one more, under which a cache begins: the first of them, but nobody is turned away. What is there when a
/// cache is full for the first time has shown no more than what comes, so to have come first is no reason to stay.
pub(crate) const BEGINNING: usize = SETTINGS.len();

/// The settings that a cache is run under: those that are tried, and that of the beginning.
pub(crate) static ALL_SETTINGS: [Setting; SETTINGS.len() + 1] = {
    let beginning = Setting {
        admission: EVERYBODY,
        ..SETTINGS[0]
    };
    let mut all = [beginning; SETTINGS.len() + 1];
    let mut number = 0;
    while number < SETTINGS.len() {
        all[number] = SETTINGS[number];
        number += 1;
    }
    all
};

/// How many entries move from the window to probation per insertion when the cache has room, or when
/// the window's share became smaller: more than one, so that the window shrinks, and few, so that no
/// write takes long.
pub(crate) const WINDOW_MOVES_PER_INSERT: usize = 2;
/// The window of a full shard may exceed its share by this part of the whole cache: evictions come in
/// batches of a 256th of all entries, which one shard has to give, and between two of them its window
/// grows without a contest...
pub(crate) const WINDOW_SLACK_SHARE: u64 = 128;
/// ... but no further than by two of the largest batches...
pub(crate) const WINDOW_SLACK_ENTRIES_MAX: u64 = 64;
/// ... and by so many entries in any case.
pub(crate) const WINDOW_SLACK_ENTRIES: u64 = 3;
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
/// Where sizes differ, victims are chosen among this many at the hand; 16 measured alike.
pub(crate) const CHOICE_WIDTH: usize = 8;
/// A refused candidate at least this frequent is admitted at random once in
/// [`RANDOM_ADMISSION_ONE_IN`]: an attacker who makes one victim look frequent can't keep it for
/// ever (Caffeine's defence against hash flooding).
pub(crate) const WARM_FREQUENCY: u32 = 6;
/// See [`WARM_FREQUENCY`].
pub(crate) const RANDOM_ADMISSION_ONE_IN: u64 = 128;
/// A candidate that nobody ever asked for is weighed against its victim once in so many times, and
/// turned away otherwise: enough for old entries not to stay for ever, and writes that nobody reads
/// stay cheap. (With 4 the mean regret was the same, and they took a third more time: who is weighed
/// meets three cold lines.)
pub(crate) const UNKNOWN_ONE_IN: u64 = 16;
/// The sketch forgets half after this many counts per entry that it covers. With 10 the settings that
/// ask for "at least" let in what is long over (arc-p6 at 20 %: 64.7 % instead of 65.2); 2 costs a
/// tenth of a point elsewhere.
pub(crate) const SAMPLES_PER_ENTRY: u64 = 5;

/// Entries of each shadow cache, at most. What is decided on little evidence is decided by chance (decisions 17 and 18).
pub(crate) const SHADOW_ENTRIES_MAX: usize = 6144;
/// ... and at least, budget permitting: with 6 entries a shadow of a cache of 90 was useless. With 100 two loops were
/// taken for what they aren't (lirs-multi1 at 20 %, lirs-multi2 at 10 %).
pub(crate) const SHADOW_ENTRIES_MIN: usize = 64;
/// ... unless there were more than one for so many bytes of the budget.
pub(crate) const SHADOW_ENTRY_BUDGET_MIN: u64 = 1_000;
/// Shadows, and what is remembered of misses, together take at most this share of the budget: 1 / this.
pub(crate) const BUDGET_SHARE: u64 = 100;
/// One key in 2^this is sampled at most, except where that left fewer than the fewest entries: one in
/// 8, in 16 and in 32 measured alike (0.83 to 0.96), and each access of a sampled key costs as much
/// as a read.
pub(crate) const SAMPLE_SHIFT_MIN: u32 = 4;
/// Half-lives of what the shadows' hits tell, in accesses per shadow entry: the short one follows
/// changes, the long one sees small differences.
pub(crate) const HALF_LIVES: [f32; 2] = [1.0, 8.0];
/// A setting must be ahead by this part of the accesses, over each of [`HALF_LIVES`]. What leads for a short while by
/// little does so no longer when the cache has followed: were everything known (miniatures of all keys), 0.003 for both
/// would have a mean regret of 0.82, 0.02 for the short one 0.68, 0.04 to 0.06 0.64, 0.08 or none of it 0.58.
pub(crate) const LEADS_MIN: [f32; HALF_LIVES.len()] = [0.08, 0.003];
/// ... and by this many standard deviations of the accesses that tell the two apart. 2 to 3 measured
/// alike; with 3 a small recency trace was recognised too late.
pub(crate) const LEAD_DEVIATIONS: f32 = 2.5;
/// So many such accesses more are assumed, which say nothing: nine of nine hits in a miniature are one loop, not nine
/// witnesses. With 4 a seed in six leaves the right setting of lirs-multi1 at 20 % (7.8 points); with 14 small caches are
/// slower to learn.
pub(crate) const LEAD_DOUBT: f32 = 10.0;
/// Decisions per turn of a shadow: so many times per as many accesses as it has entries.
pub(crate) const DECISIONS_PER_TURN: usize = 8;
/// Accesses per shadow entry, in parts of [`DECISIONS_PER_TURN`], before the first decision.
pub(crate) const WARM_UP_DECISIONS: u32 = 2;
/// The beginning (see [`BEGINNING`]) is over when so many keys were missed, as a part of what the cache holds: when a
/// quarter of it was filled anew. With an eighth the mean regret is 0.63 instead of 0.61; with a half small loops hit less
/// (12 small traces: 0.53 instead of 0.40)...
pub(crate) const BEGINNING_MISSES_SHARE: f32 = 1.25;
/// ... or when there were so many turns of reads: by then most of what is there has been read...
pub(crate) const BEGINNING_TURNS: f32 = 4.0;
/// ... or, where nothing is read, when one turn of the miniatures is over in which they were full.
pub(crate) const BEGINNING_DECISIONS: u32 = 1 + DECISIONS_PER_TURN as u32;

/// The hits have fallen if this part of what was usual is gone. With 0.3 a change is seen a little earlier, and the
/// phases of arc-p3 are taken for changes...
pub(crate) const FALL_SHARE: f32 = 0.4;
/// ... and if that is this part of all reads...
pub(crate) const FALL_MIN: f32 = 0.2;
/// ... and so many deviations.
pub(crate) const FALL_DEVIATIONS: f32 = 4.0;
/// Half-life of the reads in which the fall is looked for, in turns of the cache: with a 32nd the first three turns after
/// a change hit a point less...
pub(crate) const FALL_TURNS: f32 = 1.0 / 64.0;
/// ... and at least so many reads.
pub(crate) const FALL_ACCESSES_MIN: f32 = 16.0;
/// The fall is over when less than this part of it is left: not at its edge, to and fro.
pub(crate) const FALL_OVER_SHARE: f32 = 0.5;
/// After a fall the window is larger by this part of the cache until as many keys were missed: newcomers on trial. With
/// 0.08 a change is not seen in time in caches of 3,000 entries; with more than this in small caches, where it takes more
/// to see enough of them come back, those of 300 hit 2 points more over the first three turns, and of the cells of small
/// caches 2 % more are off the best by more than a point.
pub(crate) const TRIAL_SHARE: f32 = 0.15;
/// There is a trial if this part of the misses are of keys that nobody asked for before: falls in which known keys are
/// missed are part of a pattern, as each round of a loop that is a little too large.
pub(crate) const NEW_SHARE: f32 = 0.75;
/// Half-life of the misses of which that is the share, where that of the reads is less: with 16 as many known keys as a loop
/// misses before its end hide for a twelfth of a turn of 300 entries that all misses are new. With 4 it is the same.
pub(crate) const NEW_MISSES_MIN: f32 = 6.0;
/// A fall that was no change says that the next one will hardly be: so many turns without a fall until there is a trial
/// again. Without a rest scans that return cost 0.1 points of mean regret (cloudphysics-io at 20 % 1.8).
pub(crate) const TRIAL_REST_TURNS: f32 = 16.0;
/// Before a change is concluded, so many keys are missed, as a part of the cache: a burst of requests for a few keys that
/// fit into the trial's room is no change. Until then those on trial are there, so waiting costs nothing...
pub(crate) const CHANGE_MISSES_SHARE_MIN: f32 = 0.1;
/// ... and after so many it is not concluded any more: what keeps the hits low for so long without being a working set of
/// its own isn't one later.
pub(crate) const CHANGE_MISSES_SHARE_MAX: f32 = 0.3;
/// Keys that came back since the fall before anything is concluded from them; with 4 caches of 300 entries hit a quarter of a
/// point less over the first three turns...
pub(crate) const AGAIN_MIN: f32 = 3.0;
/// ... and they must be so many that the new working set is at most so many times the cache. With 10 cloudphysics-io at
/// 20 % is taken for a change that it isn't, at 7 points.
pub(crate) const WORKING_SET_TURNS_MAX: f32 = 3.0;
/// What is missed during a fall is remembered in at most this share of the budget (1 / this)...
pub(crate) const MISSED_BUDGET_SHARE: u64 = 512;
/// ... in at least so many places, which is one for each entry of a small cache...
pub(crate) const MISSED_PLACES_MIN: usize = 1024;
/// ... unless there were more than one for so many bytes of the budget: caches of 64 KiB have no room to spare...
pub(crate) const MISSED_PLACE_BUDGET_MIN: u64 = 192;
/// ... and at most so many, for caches whose every 100th miss is evidence enough.
pub(crate) const MISSED_PLACES_MAX: usize = 8192;
/// A handle tells of its reads after this part of a turn (1 / this) in misses, ...
pub(crate) const MISSES_PER_BATCH_SHARE: u64 = 256;
/// ... after so many at least ...
pub(crate) const MISSES_PER_BATCH_MIN: u64 = 4;
/// ... and at most: then the lock costs a miss little.
pub(crate) const MISSES_PER_BATCH_MAX: u64 = 64;
/// Half-life of the miniatures' hits by which a recovery is ended early, in accesses per shadow entry...
pub(crate) const LAG_TURNS: f32 = 0.125;
/// ... and at least so many accesses.
pub(crate) const LAG_ACCESSES_MIN: f32 = 8.0;
/// Half-life of what is usual, in turns of the cache; 4 measured a little worse.
pub(crate) const USUAL_TURNS: f32 = 8.0;
/// A recovery lasts until newcomers, those on trial included, have been given this part of the cache: each miss takes the
/// place of what was there before. With 0.8 what is left of it costs a point over the first three turns; with more than this
/// newcomers begin to go (1.05: 0.3 points)...
pub(crate) const RECOVERY_FILL: f32 = 0.95;
/// ... but no longer than so many turns of reads. With 2 a working set that fits is not yet there altogether.
pub(crate) const RECOVERY_TURNS: f32 = 3.0;
/// A recovery ends, or doesn't begin, when it is behind the chosen setting by so many recent hits.
pub(crate) const RECOVERY_LAG_MAX: f32 = 5.0;

/// A small seeded generator (xorshift64*): admission must not be predictable from outside, nothing
/// more.
#[derive(Clone, Copy)]
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

/// Whether a candidate of frequency `candidate` may replace victims that together have `victims`.
pub(crate) fn admits(
    admission: Admission,
    candidate: u32,
    victims: u32,
    random: &mut Random,
) -> bool {
    let is_admitted = match admission {
        Admission::AtLeast(uses) => candidate >= uses,
        Admission::MoreThan(lead) => candidate > victims + lead,
    };
    // Among what nobody ever asked for the newcomer stays: it may be asked for yet. Otherwise writes
    // without reads would leave the oldest entries in place for ever.
    let is_unknown = candidate == 0 && victims == 0;
    is_admitted
        || is_unknown
        || candidate >= WARM_FREQUENCY && random.next().is_multiple_of(RANDOM_ADMISSION_ONE_IN)
}
