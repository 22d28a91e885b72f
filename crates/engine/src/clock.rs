//! The only source of time: a coarse monotonic tick, and what a time to live means in ticks.
//!
//! Reading a clock costs 26 to 65 ns; reading a word that a helper thread stores costs under one.
//! A tick is [`TICK_MS`] long, counts from the first use and is unaffected by wall-clock jumps.
//!
//! Records store the low 32 bits of the tick at which they expire and compare modulo 2^32, so a
//! process may run for ever. 32 bits reach 124 days ahead; longer lives are stored in units of
//! 256 ticks and marked *far* in the record.

use crate::signal::Signal;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};
use std::sync::{OnceLock, Weak};
use std::time::Instant;

/// Length of a tick in milliseconds: an entry outlives its time to live by at most one tick (and
/// the lateness of the helper thread), and is never cut short.
pub const TICK_MS: u64 = 5;

/// The longest finite time to live, in milliseconds: ten years.
pub const TTL_MS_MAX: u64 = 10 * 366 * 24 * 3_600 * 1_000;

/// Stored expiry of an entry that never expires.
pub(crate) const NEVER: u32 = u32::MAX;

/// Far expiries are stored in units of 2^this ticks.
const FAR_SHIFT: u32 = 8;
/// Lives longer than this many ticks are stored as far. Half of what the comparison could bear.
const NEAR_TICKS_MAX: u64 = 1 << 30;

/// How long an entry lives from now on.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// As long as the cache's `default_ttl` says.
    Default,
    /// Until it is evicted or deleted.
    Forever,
    /// This many milliseconds, at most [`TTL_MS_MAX`]. Zero means: do not cache.
    Millis(u64),
}

/// Where a cache takes its time from.
#[derive(Clone, Debug)]
pub struct Clock {
    pub(crate) source: Source,
    tick: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The helper thread moves it.
    System,
    /// A [`ManualClock`] moves it.
    Manual(Listeners),
}

/// The L0s that are told of a new time before the clock shows it.
type Listeners = Arc<Mutex<Vec<Weak<Signal>>>>;

/// Moves the time of the caches that were made with its [`Clock`].
#[derive(Clone, Debug)]
pub struct ManualClock {
    millis: Arc<AtomicU64>,
    tick: Arc<AtomicU64>,
    listeners: Listeners,
}

struct SystemClock {
    start: Instant,
    tick: Arc<AtomicU64>,
}

fn system_clock() -> &'static SystemClock {
    static SYSTEM: OnceLock<SystemClock> = OnceLock::new();
    SYSTEM.get_or_init(|| SystemClock {
        start: Instant::now(),
        tick: Arc::new(AtomicU64::new(FIRST_TICK)),
    })
}

/// Not zero, so that a record of zeroed memory is an expired one.
const FIRST_TICK: u64 = 1;

/// The tick of the present, which [`advance_system_clock`] has not made the current one yet.
pub(crate) fn present_tick() -> u64 {
    FIRST_TICK + system_clock().start.elapsed().as_millis() as u64 / TICK_MS
}

/// Makes a tick the current one, process-wide. Only the helper thread calls it, after it has told
/// every cache's L0s: an L0 must expire no later than the cache itself.
pub(crate) fn advance_system_clock(tick: u64) {
    system_clock().tick.fetch_max(tick, Ordering::Release);
}

impl Clock {
    /// The process-wide monotonic clock, moved by the engine's helper thread.
    pub fn system() -> Self {
        Self {
            source: Source::System,
            tick: Arc::clone(&system_clock().tick),
        }
    }

    /// A clock that stands still until its [`ManualClock`] is moved, for tests and for replaying
    /// traces. No helper thread serves caches with such a clock: call
    /// [`Cache::maintain`](crate::Cache::maintain).
    pub fn manual() -> (Self, ManualClock) {
        Self::manual_from(FIRST_TICK)
    }

    /// A manual clock that starts at a given tick, to test what happens when ticks wrap.
    pub fn manual_from(first_tick: u64) -> (Self, ManualClock) {
        let tick = Arc::new(AtomicU64::new(first_tick));
        let listeners = Listeners::default();
        let clock = Self {
            source: Source::Manual(Arc::clone(&listeners)),
            tick: Arc::clone(&tick),
        };
        let millis = Arc::new(AtomicU64::new(first_tick * TICK_MS));
        let manual = ManualClock {
            millis,
            tick,
            listeners,
        };
        (clock, manual)
    }

    pub(crate) fn is_system(&self) -> bool {
        matches!(self.source, Source::System)
    }

    /// Tells `signal` the time, and whenever a manual clock is moved.
    pub(crate) fn tell(&self, signal: &Arc<Signal>) {
        if let Source::Manual(listeners) = &self.source {
            let mut listeners = lock(listeners);
            listeners.retain(|listener| listener.strong_count() > 0);
            listeners.push(Arc::downgrade(signal));
            signal.move_clock(self.now());
        }
    }

    /// The current tick.
    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        // Acquire: partner of the release stores that move the tick: whoever finds an entry expired
        // by it knows that the L0s were told before.
        self.tick.load(Ordering::Acquire)
    }
}

impl ManualClock {
    /// Moves the time forward.
    pub fn advance_ms(&self, ms: u64) {
        let listeners = lock(&self.listeners);
        let now = self.millis.fetch_add(ms, Ordering::Relaxed) + ms;
        let tick = now / TICK_MS;
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            listener.move_clock(tick);
        }
        self.tick.store(tick, Ordering::Release);
    }
}

/// A stored expiry: the word in the record, and whether it counts far units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    pub(crate) word: u32,
    pub(crate) far: bool,
}

impl Expiry {
    pub(crate) const NEVER: Self = Self {
        word: NEVER,
        far: false,
    };

    /// `ttl_ms` from the tick `now` on. One tick is added because the present tick has partly
    /// passed: an entry lives at least its time.
    pub(crate) fn after(now: u64, ttl_ms: u64) -> Self {
        let at = now + ttl_ms.div_ceil(TICK_MS) + 1;
        if at - now <= NEAR_TICKS_MAX {
            Self::stored(at as u32, false)
        } else {
            Self::stored((at >> FAR_SHIFT) as u32 + 1, true)
        }
    }

    fn stored(word: u32, far: bool) -> Self {
        // The one word that means "never" is moved to its neighbour, a unit later.
        Self {
            word: if word == NEVER { 0 } else { word },
            far,
        }
    }

    #[inline(always)]
    pub(crate) fn is_past(self, now: u64) -> bool {
        let now = (now >> if self.far { FAR_SHIFT } else { 0 }) as u32;
        self.word != NEVER && self.word.wrapping_sub(now) as i32 <= 0
    }

    /// Whether it is no earlier than another one. False where the two can't be compared: where one is in far units only,
    /// or never comes.
    #[inline(always)]
    pub(crate) fn is_no_earlier_than(self, other: Self) -> bool {
        let is_comparable = self.far == other.far && self.word != NEVER && other.word != NEVER;
        is_comparable && self.word.wrapping_sub(other.word) as i32 >= 0
    }

    /// The tick at which it is past, or `None` for never. Not before `now`.
    pub(crate) fn tick(self, now: u64) -> Option<u64> {
        if self.word == NEVER {
            return None;
        }
        let shift = if self.far { FAR_SHIFT } else { 0 };
        let ahead = self.word.wrapping_sub((now >> shift) as u32) as i32;
        if ahead <= 0 {
            return Some(now);
        }
        Some(((now >> shift) + ahead as u64) << shift)
    }

    /// Milliseconds left, at least 1 for what is not past; `u64::MAX` for never.
    pub(crate) fn remaining_ms(self, now: u64) -> u64 {
        match self.tick(now) {
            None => u64::MAX,
            // The tick that `after` adds is taken off again: what is reported never exceeds what
            // was asked for by more than the rounding to a tick.
            Some(tick) => ((tick - now).saturating_sub(1) * TICK_MS).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_lives_at_least_its_ttl_and_at_most_two_ticks_longer() {
        for now in [1, 77, u32::MAX as u64 - 3, 1 << 33] {
            for ttl_ms in [1, 5, 6, 1_000, 86_400_000] {
                let expiry = Expiry::after(now, ttl_ms);
                let whole_ticks = ttl_ms.div_ceil(TICK_MS);
                assert!(!expiry.is_past(now + whole_ticks), "{now} {ttl_ms}");
                assert!(expiry.is_past(now + whole_ticks + 2), "{now} {ttl_ms}");
            }
        }
    }

    #[test]
    fn years_are_kept_in_far_units() {
        let now = 123_456_789;
        let expiry = Expiry::after(now, TTL_MS_MAX);
        assert!(expiry.far);
        let ticks = TTL_MS_MAX / TICK_MS;
        assert!(!expiry.is_past(now + ticks));
        assert!(expiry.is_past(now + ticks + 3 * (1 << FAR_SHIFT)));
        assert!(expiry.remaining_ms(now) >= TTL_MS_MAX - 10);
    }

    #[test]
    fn ends_are_compared_where_they_are_in_the_same_units() {
        for now in [1, u32::MAX as u64 - 3, 1 << 33] {
            let [soon, later, far] = [1_000, 60_000, TTL_MS_MAX].map(|ttl| Expiry::after(now, ttl));
            assert!(later.is_no_earlier_than(soon) && soon.is_no_earlier_than(soon));
            for (one, other) in [(soon, later), (far, soon), (soon, Expiry::NEVER)] {
                assert!(!one.is_no_earlier_than(other), "{one:?} {other:?}");
            }
            assert!(!Expiry::NEVER.is_no_earlier_than(soon));
        }
    }

    #[test]
    fn never_is_never_past() {
        assert!(!Expiry::NEVER.is_past(0));
        assert!(!Expiry::NEVER.is_past(u64::MAX));
        assert_eq!(Expiry::NEVER.remaining_ms(5), u64::MAX);
    }

    #[test]
    fn remaining_time_does_not_exceed_a_ttl_of_whole_ticks() {
        assert_eq!(Expiry::after(10, 1_000).remaining_ms(10), 1_000);
    }
}
