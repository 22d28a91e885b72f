//! An L0 beside writers: once a write has returned, an L0 that looks at the signal line and drains the
//! log if it must holds no copy of what was superseded.

use crate::explore::{explore, look, part, put, put_for, smallest_cache, together};
use crate::self_proving::verify;
use nearcache_engine::{Cache, Drained, Handle, TICK_MS, Ttl};
use std::sync::atomic::{AtomicBool, Ordering};

const KEY: usize = 0;

/// An L0 of one entry, as the TypeScript layer has it.
struct L0<'a> {
    cache: &'a Cache,
    handle: &'a Handle,
    copy: Option<(u32, Option<u32>)>,
    head: u32,
}

impl<'a> L0<'a> {
    fn new(cache: &'a Cache, handle: &'a Handle) -> Self {
        Self {
            cache,
            handle,
            copy: None,
            head: 0,
        }
    }

    fn get(&mut self) -> Option<u32> {
        let signal = self.cache.signal();
        if signal.changes.load(Ordering::Acquire) != self.head {
            let copy = &mut self.copy;
            let drained = self.handle.drain_changes(|key| {
                assert_eq!(key, KEY.to_le_bytes());
                *copy = None;
            });
            self.head = match drained {
                Drained::Keys { head } => head,
                Drained::Lapped { head } => {
                    self.copy = None;
                    head
                }
            };
        }
        let now = signal.now.load(Ordering::Acquire);
        let lives = |end: Option<u32>| end.is_none_or(|tick| tick.wrapping_sub(now) as i32 > 0);
        if let Some((write, _)) = self.copy.filter(|(_, end)| lives(*end)) {
            return Some(write);
        }
        let found = self.handle.get_watched(&KEY.to_le_bytes(), |value| {
            let write = verify(KEY, &value.to_vec());
            shuttle::thread::yield_now();
            (write, value.watched(), value.expiry_tick())
        });
        if let Some((write, true, end)) = found {
            self.copy = Some((write, end));
        }
        found.map(|(write, ..)| write)
    }
}

/// A hot entry, two L0s that read it, and a change of it after which `allowed` tells what may be seen.
fn beside(cache: &Cache, change: impl FnOnce(&Handle) + Send, allowed: fn(Option<u32>) -> bool) {
    let handle = cache.handle();
    if !handle.contains(&KEY.to_le_bytes()) {
        put(&handle, KEY, 1, 40);
    }
    (0..4).for_each(|_| assert_eq!(look(&handle, KEY), Some(1)));
    let returned = AtomicBool::new(false);
    let reader = || {
        part(|handle| {
            let mut l0 = L0::new(cache, handle);
            for _ in 0..4 {
                let had_returned = returned.load(Ordering::SeqCst);
                let seen = l0.get();
                assert!(!had_returned || allowed(seen), "{seen:?} after the change");
                shuttle::thread::yield_now();
            }
            assert!(!returned.load(Ordering::SeqCst) || allowed(l0.get()));
        })
    };
    let writer = part(|handle| {
        change(handle);
        returned.store(true, Ordering::SeqCst);
    });
    together(cache, vec![reader(), reader(), writer]);
}

#[test]
fn an_overwrite() {
    explore("coherence, overwrite", 800, || {
        let (cache, _) = smallest_cache();
        beside(
            &cache,
            |handle| put(handle, KEY, 2, 40),
            |seen| seen == Some(2),
        );
    });
}

#[test]
fn several_overwrites_that_lap_the_log() {
    explore("coherence, lapped", 500, || {
        let (cache, _) = smallest_cache();
        let change = |handle: &Handle| {
            for write in 2..7 {
                put(handle, KEY, write, 40);
                // Hot again, so that the next L0 read watches it.
                (0..3).for_each(|_| assert_eq!(look(handle, KEY), Some(write)));
            }
        };
        beside(&cache, change, |seen| seen == Some(6));
    });
}

#[test]
fn a_delete() {
    explore("coherence, delete", 800, || {
        let (cache, _) = smallest_cache();
        let change = |handle: &Handle| assert!(handle.delete(&KEY.to_le_bytes()).unwrap());
        beside(&cache, change, |seen| seen.is_none());
    });
}

#[test]
fn a_clear_and_a_new_write_behind_it() {
    explore("coherence, clear", 600, || {
        let (cache, _) = smallest_cache();
        let change = |handle: &Handle| {
            handle.clear().unwrap();
            put(handle, KEY, 2, 40);
        };
        beside(&cache, change, |seen| seen == Some(2));
    });
}

#[test]
fn a_life_that_is_cut_short_and_the_time_that_ends_it() {
    explore("coherence, touch", 600, || {
        let (cache, clock) = smallest_cache();
        let change = |handle: &Handle| {
            let touched = handle.touch(&KEY.to_le_bytes(), Ttl::Millis(TICK_MS));
            assert!(touched.unwrap());
            clock.advance_ms(3 * TICK_MS);
        };
        beside(&cache, change, |seen| seen.is_none());
    });
}

#[test]
fn the_end_of_a_life_and_the_reclaiming_of_it() {
    explore("coherence, expiry", 600, || {
        let (cache, clock) = smallest_cache();
        let change = |handle: &Handle| {
            put_for(handle, KEY, 2, 40, Ttl::Millis(TICK_MS));
            clock.advance_ms(100 * TICK_MS);
            cache.maintain();
        };
        beside(&cache, change, |seen| seen.is_none());
    });
}

/// The L0s learn of the time before the cache does.
#[test]
fn what_a_returned_read_found_expired() {
    explore("coherence, clock", 600, || {
        let (cache, clock) = smallest_cache();
        let filler = cache.handle();
        put_for(&filler, KEY, 1, 40, Ttl::Millis(TICK_MS));
        (0..4).for_each(|_| assert_eq!(look(&filler, KEY), Some(1)));
        let found_expired = AtomicBool::new(false);
        let mover = part(|_: &Handle| clock.advance_ms(3 * TICK_MS));
        let reader = part(|handle: &Handle| {
            for _ in 0..4 {
                let is_over = look(handle, KEY).is_none();
                found_expired.fetch_or(is_over, Ordering::SeqCst);
            }
        });
        let l0 = part(|handle: &Handle| {
            let mut l0 = L0::new(&cache, handle);
            for _ in 0..8 {
                let is_over = found_expired.load(Ordering::SeqCst);
                assert!(l0.get().is_none() || !is_over, "an L0 served it");
            }
        });
        together(&cache, vec![mover, reader, l0]);
    });
}

/// The copy of a relocated record must know that an L0 holds its value.
#[test]
fn an_overwrite_after_the_record_was_moved() {
    explore("coherence, moved", 300, || {
        let (cache, _) = smallest_cache();
        let filler = cache.handle();
        // Pages of small entries take all there is; then most go, and of the first page all but the one:
        // it will be moved when others need pages.
        let mut last = 0;
        while cache.stats().memory_used * 10 < cache.stats().memory_max * 9 {
            put(&filler, last, 1, 40);
            last += 1;
        }
        for key in (1..64).chain((64..last).filter(|key| key % 8 != 0)) {
            filler.delete(&key.to_le_bytes()).unwrap();
        }
        let change = |handle: &Handle| {
            for key in 10_000..10_012 {
                put(handle, key, 1, 1_500);
            }
            put(handle, KEY, 2, 40);
        };
        // Either may have been evicted since.
        beside(&cache, change, |seen| seen != Some(1));
    });
}
