//! Models of protocols that span modules, or whose modules are not compiled under loom because they
//! cast raw memory (`DESIGN.md` has the table of what checks what). Where a protocol lives in a type of
//! its own the model runs that; where it doesn't, the model repeats its few operations and orderings,
//! and names the functions that they stand for: whoever changes one changes the other.
//!
//! Cells are what the checker watches: an access that is not ordered before another fails the model.

mod loading;

use crate::changes::{ChangeLog, Drained};
use crate::epoch::{Epoch, ReaderSlot};
use crate::index::bucket::{Bucket, Seat, hash_of};
use crate::signal::Signal;
use crate::state::State;
use crate::sync::{Arc, AtomicU8, AtomicU32, AtomicU64, Mutex, Ordering, lock};
use crate::watch::WatchFlags;
use loom::cell::UnsafeCell;
use loom::thread;

const TAG: u8 = 7;

/// Memory that is read while pinned and given back through the epoch.
struct Watched(UnsafeCell<u32>);

// SAFETY: the cells are what the models are about; the checker finds every unordered access.
unsafe impl Sync for Watched {}
// SAFETY: as above.
unsafe impl Send for Watched {}

impl Watched {
    const FREED: u32 = 0xDB;

    fn new(value: u32) -> Self {
        Self(UnsafeCell::new(value))
    }

    fn read(&self) -> u32 {
        // SAFETY: what the models are to show.
        let value = self.0.with(|cell| unsafe { *cell });
        assert_ne!(value, Self::FREED, "freed memory was read");
        value
    }

    fn write(&self, value: u32) {
        // SAFETY: what the models are to show.
        self.0.with_mut(|cell| unsafe { *cell = value });
    }
}

/// Frees what was unlinked before the call, if nobody can be looking at it.
fn free_unless_read(epoch: &Epoch, limbo: &Mutex<()>, memory: &[&Watched]) {
    let _limbo = lock(limbo);
    let stamp = epoch.stamp();
    if stamp < epoch.advance(None) {
        memory.iter().for_each(|cell| cell.write(Watched::FREED));
    }
}

/// An L0 that looks at the signal line, reads, and may keep a copy.
struct L0<'a> {
    log: &'a ChangeLog,
    head: u32,
}

impl<'a> L0<'a> {
    fn new(log: &'a ChangeLog) -> Self {
        let head = log.signal().changes.load(Ordering::Acquire);
        Self { log, head }
    }

    /// Whether it would serve its copy now, without asking the cache.
    fn is_current(&self) -> bool {
        self.log.signal().changes.load(Ordering::Acquire) == self.head
    }
}

/// `Engine::overwrite_in_place` against `Engine::register_reader` and `Handle::drop`: what is written
/// over in place nobody is reading, however readers come and go.
#[test]
fn loom_a_value_is_written_in_place_only_while_nobody_reads() {
    loom::model(|| {
        let shared = Arc::new((Epoch::new(), Mutex::new(()), Watched::new(1)));
        let own = shared.0.register().unwrap();
        let reader = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (epoch, shard, value) = &*shared;
                let slot = epoch.register().unwrap();
                drop(lock(shard));
                {
                    let _pin = epoch.pin(&slot);
                    value.read();
                }
                epoch.unregister(&slot);
            })
        };
        let (epoch, shard, value) = &*shared;
        for next in 2..4 {
            let _shard = lock(shard);
            if epoch.is_only_reader(&own) {
                value.write(next);
            }
        }
        reader.join().unwrap();
    });
}

/// `LockedShard::reuse` against `Engine::register_reader` and `Handle::drop`: a slot is filled anew only while
/// nobody reads what lay there, and who finds the new entry there sees all of it.
#[test]
fn loom_a_slot_is_reused_only_while_nobody_reads() {
    const NOTHING: u32 = 0;
    loom::model(|| {
        // The entry that the index leads to, and its slot.
        let shared = Arc::new((
            Epoch::new(),
            Mutex::new(()),
            AtomicU32::new(1),
            Watched::new(1),
        ));
        let own = shared.0.register().unwrap();
        let reader = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (epoch, shard, index, slot) = &*shared;
                let own = epoch.register().unwrap();
                drop(lock(shard));
                {
                    let _pin = epoch.pin(&own);
                    let found = index.load(Ordering::Acquire);
                    if found != NOTHING {
                        assert_eq!(slot.read(), found);
                    }
                }
                epoch.unregister(&own);
            })
        };
        let (epoch, shard, index, slot) = &*shared;
        for next in 2..4 {
            let _shard = lock(shard);
            if epoch.is_only_reader(&own) {
                index.store(NOTHING, Ordering::Release);
                slot.write(next);
                index.store(next, Ordering::Release);
            }
        }
        reader.join().unwrap();
    });
}

/// `LockedShard::touch` against `get_watched` and `Value::expiry_tick`; another L0 has marked the record
/// before, or is just doing so.
#[test]
fn loom_an_l0_learns_of_a_life_that_was_cut_short() {
    const LONG: u32 = 9;
    const SHORT: u32 = 5;
    loom::model(|| {
        let log = Arc::new(ChangeLog::new());
        let shared = Arc::new((WatchFlags::new(), AtomicU32::new(LONG), AtomicU32::new(0)));
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.0.watch();
            })
        };
        let writer = {
            let (log, shared) = (Arc::clone(&log), Arc::clone(&shared));
            thread::spawn(move || {
                let (flags, expiry, returned) = &*shared;
                expiry.store(SHORT, Ordering::Release);
                if flags.take_watched() {
                    log.append(b"k");
                }
                returned.store(1, Ordering::Release);
            })
        };
        let (flags, expiry, returned) = &*shared;
        let l0 = L0::new(&log);
        let kept = flags.watch().then(|| expiry.load(Ordering::Relaxed));
        let has_returned = returned.load(Ordering::Acquire) == 1;
        assert!(
            !(kept == Some(LONG) && has_returned && l0.is_current()),
            "a copy would be served beyond the end of its entry"
        );
        other.join().unwrap();
        writer.join().unwrap();
    });
}

/// `LockedShard::relocate`, then `supersede`: the copy of a record knows of the L0s that hold its value.
#[test]
fn loom_an_l0_learns_of_an_overwrite_behind_a_relocation() {
    loom::model(|| {
        let log = Arc::new(ChangeLog::new());
        let records = Arc::new([WatchFlags::new(), WatchFlags::new(), WatchFlags::new()]);
        let state = Arc::new((AtomicU32::new(0), AtomicU32::new(0)));
        let writer = {
            let (log, records, state) =
                (Arc::clone(&log), Arc::clone(&records), Arc::clone(&state));
            thread::spawn(move || {
                let (current, returned) = &*state;
                current.store(1, Ordering::Release);
                if records[0].retire() {
                    records[1].watch();
                }
                current.store(2, Ordering::Release);
                if records[1].retire() {
                    log.append(b"k");
                }
                returned.store(1, Ordering::Release);
            })
        };
        let (current, returned) = &*state;
        let l0 = L0::new(&log);
        let found = current.load(Ordering::Acquire);
        let kept = found < 2 && records[found as usize].watch();
        let has_returned = returned.load(Ordering::Acquire) == 1;
        assert!(!(kept && has_returned && l0.is_current()), "a stale copy");
        writer.join().unwrap();
    });
}

/// `LockedShard::clear`: no record is retired before the L0s are told, so the floor must tell them; and
/// who writes the key anew tells nobody.
#[test]
fn loom_clear_lapses_an_l0_that_watched_what_it_removed() {
    const OLD: u32 = 0;
    const ABSENT: u32 = 1;
    const NEW: u32 = 2;
    loom::model(|| {
        let log = Arc::new(ChangeLog::new());
        let old = Arc::new(WatchFlags::new());
        let state = Arc::new((AtomicU32::new(OLD), AtomicU32::new(0)));
        let position = AtomicU64::new(log.position());
        let writer = {
            let (log, old, state) = (Arc::clone(&log), Arc::clone(&old), Arc::clone(&state));
            thread::spawn(move || {
                let (current, returned) = &*state;
                current.store(ABSENT, Ordering::Release);
                log.lap_all();
                current.store(NEW, Ordering::Release);
                returned.store(1, Ordering::Release);
                // Reaped later, and nobody is told then.
                old.retire();
            })
        };
        let (current, returned) = &*state;
        let l0 = L0::new(&log);
        let kept = current.load(Ordering::Acquire) == OLD && old.watch();
        let has_returned = returned.load(Ordering::Acquire) == 1;
        assert!(!(kept && has_returned && l0.is_current()), "a stale copy");
        if has_returned {
            let drained = log.drain(&position, &mut Vec::new());
            assert!(matches!(drained, Drained::Lapped { .. }));
            assert_eq!(current.load(Ordering::Acquire), NEW);
        }
        writer.join().unwrap();
    });
}

/// `ManualClock::advance_ms` and `helper::tick` against a read that finds an entry expired: an L0 that
/// is asked after that read returned has learnt of the time.
#[test]
fn loom_no_l0_serves_what_a_returned_read_found_expired() {
    const END: u32 = 5;
    loom::model(|| {
        let signal = Arc::new(Signal::new());
        let state = Arc::new((AtomicU64::new(0), AtomicU32::new(0)));
        let clock = {
            let (signal, state) = (Arc::clone(&signal), Arc::clone(&state));
            thread::spawn(move || {
                signal.move_clock(u64::from(END));
                state.0.store(u64::from(END), Ordering::Release);
            })
        };
        let reader = {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                let (tick, found_expired) = &*state;
                // `Clock::now`.
                if tick.load(Ordering::Acquire) >= u64::from(END) {
                    found_expired.store(1, Ordering::Release);
                }
            })
        };
        if state.1.load(Ordering::Acquire) == 1 {
            let now = signal.now.load(Ordering::Acquire);
            assert!(now >= END, "an L0 would serve what the cache calls expired");
        }
        clock.join().unwrap();
        reader.join().unwrap();
    });
}

/// `Engine::relocate` (the compactor) looks at a slot without a lock while its record is retired, freed,
/// filled anew and linked into a ring: what it takes for live is whole, and stays while it is pinned.
#[test]
fn loom_the_compactor_sees_records_whole_or_not_at_all() {
    loom::model(|| {
        let shared = Arc::new((
            (State::new(), WatchFlags::new()),
            Watched::new(1),
            Epoch::new(),
            Mutex::new(()),
        ));
        shared.0.0.set_ring(1);
        let slot = shared.2.register().unwrap();
        let compactor = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let ((state, _), content, epoch, _) = &*shared;
                let _pin = epoch.pin(&slot);
                if state.ring() != 0 {
                    assert!([1, 2].contains(&content.read()));
                }
            })
        };
        let l0 = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.0.1.watch();
            })
        };
        let ((state, flags), content, epoch, limbo) = &*shared;
        // `Header::retire`.
        state.reset(state.version());
        flags.retire();
        let _limbo = lock(limbo);
        let stamp = epoch.stamp();
        if stamp < epoch.advance(None) {
            // `Allocator::allocate`, `Records::fill`, `Rings::push`.
            flags.reset(0);
            state.reset(0);
            content.write(2);
            state.set_ring(1);
        }
        drop(_limbo);
        compactor.join().unwrap();
        l0.join().unwrap();
    });
}

/// `Header::raise_hits` from two readers beside `Header::set_hits` from a hand: counts may be lost, the
/// fixed bits above them may not, and the count stays within its bits.
#[test]
fn loom_hits_stay_in_their_bits_whoever_counts() {
    const FIXED: u8 = 0b1100;
    const MASK: u8 = 0b11;
    fn raise(hits: &AtomicU8) {
        let seen = hits.load(Ordering::Relaxed);
        if seen & MASK < 3 {
            hits.store(seen + 1, Ordering::Relaxed);
        }
    }
    loom::model(|| {
        let hits = Arc::new(AtomicU8::new(FIXED | 2));
        let readers = [0; 2].map(|_| {
            let hits = Arc::clone(&hits);
            thread::spawn(move || raise(&hits))
        });
        let fixed = hits.load(Ordering::Relaxed) & !MASK;
        hits.store(fixed, Ordering::Relaxed);
        assert_eq!(hits.load(Ordering::Relaxed) & !MASK, FIXED);
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(hits.load(Ordering::Relaxed) & !MASK, FIXED);
    });
}

/// Two directories and three segments; a directory's entries lead to segments.
struct IndexWorld {
    directory: AtomicU64,
    entries: [[AtomicU64; 2]; 2],
    lengths: [usize; 2],
    directories: [Watched; 2],
    segments: [([Bucket; 1], Watched); 3],
    epoch: Epoch,
    limbo: Mutex<()>,
}

impl IndexWorld {
    fn new(first: [[u64; 2]; 2], lengths: [usize; 2]) -> Arc<Self> {
        Arc::new(Self {
            directory: AtomicU64::new(0),
            entries: first.map(|entries| entries.map(AtomicU64::new)),
            lengths,
            directories: [Watched::new(0), Watched::new(0)],
            segments: std::array::from_fn(|_| ([Bucket::empty()], Watched::new(0))),
            epoch: Epoch::new(),
            limbo: Mutex::new(()),
        })
    }

    fn put(&self, segment: usize, hash: u32) {
        let seat = Seat::new(&self.segments[segment].0, hash_of(hash, TAG));
        assert!(seat.insert(10 + hash, 0));
    }

    /// `Index::find`.
    fn get(&self, slot: &ReaderSlot, hash: u32) -> Option<u32> {
        let _pin = self.epoch.pin(slot);
        let directory = self.directory.load(Ordering::Acquire) as usize;
        self.directories[directory].read();
        let entry = hash as usize & (self.lengths[directory] - 1);
        let segment = self.entries[directory][entry].load(Ordering::Acquire) as usize;
        let (buckets, memory) = &self.segments[segment];
        memory.read();
        let found = Seat::new(buckets, hash_of(hash, TAG))
            .find(|_| true)
            .map(|(_, loc)| loc);
        memory.read();
        found
    }

    fn publish(&self, directory: usize, entry: usize, segment: u64) {
        self.entries[directory][entry].store(segment, Ordering::Release);
    }

    fn free(&self, directories: &[usize], segments: &[usize]) {
        let directories = directories.iter().map(|at| &self.directories[*at]);
        let segments = segments.iter().map(|at| &self.segments[*at].1);
        let memory: Vec<_> = directories.chain(segments).collect();
        free_unless_read(&self.epoch, &self.limbo, &memory);
    }
}

/// `Index::split`, where it doubles the directory: a reader finds its entry by the old directory or the new.
#[test]
fn loom_a_doubled_directory_hides_no_entry() {
    loom::model(|| {
        // One entry that leads to segment 0; then two, for segments 1 and 2.
        let world = IndexWorld::new([[0, 0], [0, 0]], [1, 2]);
        (0..2).for_each(|hash| world.put(0, hash));
        let slot = world.epoch.register().unwrap();
        let writer = {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                (0..2).for_each(|hash| world.put(1 + hash as usize, hash));
                world.directory.swap(1, Ordering::AcqRel);
                (0..2).for_each(|entry| world.publish(1, entry, 1 + entry as u64));
                world.free(&[0], &[0]);
            })
        };
        assert_eq!(world.get(&slot, 1), Some(11), "never absent");
        assert_eq!(world.get(&slot, 0), Some(10), "never absent");
        writer.join().unwrap();
    });
}

/// `Index::merge`: two segments become one, whose entries replace theirs in the directory.
#[test]
fn loom_a_merge_hides_no_entry() {
    loom::model(|| {
        let world = IndexWorld::new([[0, 1], [0, 1]], [2, 2]);
        (0..2).for_each(|hash| world.put(hash as usize, hash));
        let slot = world.epoch.register().unwrap();
        let writer = {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                (0..2).for_each(|hash| world.put(2, hash));
                (0..2).for_each(|entry| world.publish(0, entry, 2));
                world.free(&[], &[0, 1]);
            })
        };
        assert_eq!(world.get(&slot, 1), Some(11), "never absent");
        assert_eq!(world.get(&slot, 0), Some(10), "never absent");
        writer.join().unwrap();
    });
}

/// `Index::enlarge`: the one segment is replaced by a larger one, into which the writer then inserts.
#[test]
fn loom_an_enlarged_segment_hides_no_entry() {
    loom::model(|| {
        let world = IndexWorld::new([[0, 0], [0, 0]], [1, 1]);
        world.put(0, 0);
        let slot = world.epoch.register().unwrap();
        let returned = Arc::new(AtomicU32::new(0));
        let writer = {
            let (world, returned) = (Arc::clone(&world), Arc::clone(&returned));
            thread::spawn(move || {
                world.put(1, 0);
                world.publish(0, 0, 1);
                world.put(1, 1);
                returned.store(1, Ordering::Release);
                world.free(&[], &[0]);
            })
        };
        let has_returned = returned.load(Ordering::Acquire) == 1;
        let found = world.get(&slot, 1);
        assert!(found == Some(11) || found.is_none() && !has_returned);
        assert_eq!(world.get(&slot, 0), Some(10), "never absent");
        writer.join().unwrap();
    });
}

/// One page of one slot, as `Allocator::begin_emptying`, `free_locked` and `end_emptying` treat it.
struct PageWorld {
    class: AtomicU32,
    /// Slots in use, and whether the page is being emptied.
    state: Mutex<(u32, bool)>,
    record: State,
    content: Watched,
}

impl PageWorld {
    const RECORDS: u32 = 1;
    const POOL: u32 = 2;

    fn release(&self) {
        self.class.store(Self::POOL, Ordering::Release);
    }

    /// Another class takes the page, if it is in the pool, and writes what looks like a live record.
    fn take_for_chunks(&self) {
        let _pool = lock(&self.state);
        if self.class.load(Ordering::Relaxed) == Self::POOL {
            self.content.write(3);
            self.record.set_ring(1);
        }
    }
}

/// A page that is being emptied keeps its class until the compactor, which looks at its slots as records
/// without a lock, lets go of it, even when its last slot is freed meanwhile.
#[test]
fn loom_a_page_keeps_its_class_while_the_compactor_looks() {
    loom::model(|| {
        let page = Arc::new(PageWorld {
            class: AtomicU32::new(PageWorld::RECORDS),
            state: Mutex::new((1, false)),
            record: State::new(),
            content: Watched::new(1),
        });
        let freeing = {
            let page = Arc::clone(&page);
            thread::spawn(move || {
                let mut state = lock(&page.state);
                state.0 -= 1;
                if state.0 == 0 && !state.1 {
                    page.release();
                }
                drop(state);
                page.take_for_chunks();
            })
        };
        let is_emptying = {
            let mut state = lock(&page.state);
            // A page that went back to the pool is in no list of its class any more.
            state.1 = page.class.load(Ordering::Relaxed) == PageWorld::RECORDS;
            state.1
        };
        if is_emptying {
            if page.record.ring() != 0 {
                assert_eq!(page.content.read(), 1, "a chunk was taken for a record");
            }
            let state = lock(&page.state);
            if state.0 == 0 {
                page.release();
            }
        }
        freeing.join().unwrap();
    });
}
