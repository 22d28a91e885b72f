//! Threads that load on claims beside threads that change the source and then tell the cache, each in
//! another way. What the source held before a write that has returned is never found after it, in an entry,
//! nor in a valid one that was made from it.

use crate::rng::Rng;
use crate::scale::scaled;
use nearcache_engine::{Cache, Claim, Clock, Config, Handle, ManualClock, TICK_MS, Ttl};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const KEYS: usize = 3;
const LOADERS: usize = 4;
const WRITERS: usize = 2;
const ROUNDS: u64 = 200;
const WRITES: usize = 600;

/// A row of the source.
#[derive(Default)]
struct Row {
    /// Read and written relaxed: the order is the cache's to make.
    version: AtomicU64,
    /// The version of the last write whose call has returned.
    returned: AtomicU64,
    /// One writer at a time, so that versions have an order.
    turn: Mutex<()>,
}

/// So that the test knows what it has seen.
#[derive(Default)]
struct Seen {
    stored: AtomicU64,
    superseded: AtomicU64,
    held: AtomicU64,
    valid: AtomicU64,
    invalid: AtomicU64,
}

struct Round {
    cache: Cache,
    clock: ManualClock,
    rows: [Row; KEYS],
    writing: AtomicUsize,
}

/// A writer at work; also one that finds something wrong ends, or the loaders would go on for ever.
struct AtWork<'a>(&'a AtomicUsize);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn name(kind: &str, key: usize) -> Vec<u8> {
    format!("{kind}:{key}").into_bytes()
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn version_in(handle: &Handle, key: &[u8]) -> Option<u64> {
    let read = handle.get(key, |value| value.to_vec())?;
    Some(u64::from_le_bytes(read[..8].try_into().unwrap()))
}

impl Round {
    /// The source changes, and the cache is told.
    fn write(&self, handle: &Handle, key: usize, rng: &mut Rng) {
        let row = &self.rows[key];
        let _turn = row.turn.lock().unwrap();
        let version = row.version.load(Ordering::Relaxed) + 1;
        row.version.store(version, Ordering::Relaxed);
        let (row_key, value) = (name("row", key), version.to_le_bytes());
        let entry = (&row_key[..], &value[..], 0);
        match rng.below(12) {
            0..4 => drop(handle.delete(&row_key).unwrap()),
            4..6 => handle.set(&row_key, &value, 0, Ttl::Forever).unwrap(),
            6 => drop(handle.set_many([entry], Ttl::Forever).unwrap()),
            7 => handle.set(&row_key, &value, 0, Ttl::Millis(0)).unwrap(),
            8 => drop(handle.delete_prefix(b"row").unwrap()),
            9 => handle.clear().unwrap(),
            10 => drop(handle.touch(&row_key, Ttl::Millis(0)).unwrap()),
            _ => drop(handle.delete_prefix(&row_key).unwrap()),
        }
        handle.invalidate_tags([&name("tag", key)[..]]);
        row.returned.store(version, Ordering::Release);
    }

    fn load(&self, handle: &Handle, key: usize, rng: &mut Rng, seen: &Seen) {
        let row_key = name("row", key);
        let lease_ms = TICK_MS * rng.below(2) as u64;
        let Claim::Owned(token) = handle.claim(&row_key, lease_ms).unwrap() else {
            if rng.one_in(16) {
                self.clock.advance_ms(TICK_MS);
            }
            return count(&seen.held);
        };
        let version = self.rows[key].version.load(Ordering::Relaxed);
        if rng.one_in(4) {
            std::thread::yield_now();
        }
        let value = version.to_le_bytes();
        let stored = handle.set_claimed(&row_key, token, &value, 0, Ttl::Forever);
        count(if stored.unwrap() {
            &seen.stored
        } else {
            &seen.superseded
        });
        if !rng.one_in(32) {
            handle.release_claim(&row_key, token);
        }
    }

    fn read_row(&self, handle: &Handle, key: usize, rng: &mut Rng, seen: &Seen) {
        let returned = self.rows[key].returned.load(Ordering::Acquire);
        match version_in(handle, &name("row", key)) {
            Some(version) => assert!(version >= returned, "row {key}: {version} after {returned}"),
            None => self.load(handle, key, rng, seen),
        }
    }

    /// An entry that was made from a row, and remembers the stamp behind the version.
    fn read_made(&self, handle: &Handle, key: usize, rng: &mut Rng, seen: &Seen) {
        let (made_key, row_key, tag) = (name("made", key), name("row", key), name("tag", key));
        let returned = self.rows[key].returned.load(Ordering::Acquire);
        let found = handle.get(&made_key, |value| value.to_vec());
        if let Some(bytes) = found {
            let [version, stamp] =
                [0, 8].map(|at| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()));
            let by_key = handle.dependencies_are_current([&row_key[..]], stamp);
            let by_tag = handle.tags_are_current([&tag[..]], stamp);
            assert!(
                !by_key || version >= returned,
                "key {key}: {version} after {returned}"
            );
            assert!(
                !by_tag || version >= returned,
                "tag {key}: {version} after {returned}"
            );
            if by_key && by_tag {
                return count(&seen.valid);
            }
            count(&seen.invalid);
        }
        let before = handle.stamp();
        handle.depend([&row_key[..]]).unwrap();
        let stamp = if rng.one_in(2) {
            before
        } else {
            handle.stamp()
        };
        // From the source, or from what the cache has of it.
        let cached = version_in(handle, &row_key).filter(|_| rng.one_in(2));
        let version = cached.unwrap_or_else(|| self.rows[key].version.load(Ordering::Relaxed));
        let value = [version.to_le_bytes(), stamp.to_le_bytes()].concat();
        handle.set(&made_key, &value, 0, Ttl::Forever).unwrap();
    }

    fn run(&self, round: u64, seen: &Seen) {
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                scope.spawn(move || {
                    let at_work = AtWork(&self.writing);
                    let (handle, mut rng) =
                        (self.cache.handle(), Rng::new(round << 8 | writer as u64));
                    for _ in 0..WRITES {
                        self.write(&handle, rng.below(KEYS), &mut rng);
                        self.clock.advance_ms(TICK_MS);
                        if rng.one_in(32) {
                            std::thread::yield_now();
                        }
                    }
                    drop(at_work);
                });
            }
            for loader in 0..LOADERS {
                scope.spawn(move || {
                    let mut rng = Rng::new(round << 8 | 128 | loader as u64);
                    let mut handle = self.cache.handle();
                    while self.writing.load(Ordering::SeqCst) > 0 {
                        let key = rng.skewed(KEYS);
                        // In every other round nothing depends on anything, so that the word of attention
                        // falls back to zero between loads.
                        if round.is_multiple_of(2) || rng.one_in(2) {
                            self.read_row(&handle, key, &mut rng, seen);
                        } else {
                            self.read_made(&handle, key, &mut rng, seen);
                        }
                        if rng.one_in(8) {
                            std::thread::yield_now();
                        }
                        if rng.one_in(100) {
                            handle = self.cache.handle();
                        }
                    }
                });
            }
        });
    }
}

#[test]
fn what_was_read_before_a_write_is_never_found_after_it() {
    let seen = Seen::default();
    for round in 0..scaled(ROUNDS) {
        let (clock, manual) = Clock::manual();
        let config = Config {
            clock,
            seed: Some(round),
            ..Config::new(1 << 20)
        };
        let shared = Round {
            cache: Cache::new(config).unwrap(),
            clock: manual,
            rows: Default::default(),
            writing: AtomicUsize::new(WRITERS),
        };
        shared.run(round, &seen);
        shared.cache.maintain();
        shared.cache.validate().unwrap();
    }
    let Seen {
        stored,
        superseded,
        held,
        valid,
        invalid,
    } = seen;
    let counts = [stored, superseded, held, valid, invalid].map(AtomicU64::into_inner);
    println!("[stored, superseded, held, valid, invalid]: {counts:?}");
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}
