//! Model checks of a bucket: entries that are replaced, pushed out, removed and moved by a split while they are looked for.

use super::*;
use loom::sync::Arc;
use loom::thread;

const HASH: u32 = 1;

/// Where a search for the entries of one hash begins.
fn seat(buckets: &[Bucket]) -> Seat<'_> {
    Seat::new(buckets, hash_of(HASH, 7))
}

#[test]
fn loom_a_replaced_entry_is_always_found_old_or_new() {
    loom::model(|| {
        let buckets = Arc::new([Bucket::empty()]);
        assert!(seat(&buckets[..]).insert(10, 0));
        let writer = {
            let buckets = Arc::clone(&buckets);
            thread::spawn(move || {
                let (position, _) = seat(&buckets[..]).find(|_| true).unwrap();
                replace(&buckets[..], position, 20);
            })
        };
        let (_, loc) = seat(&buckets[..]).find(|_| true).expect("never absent");
        assert!([10, 20].contains(&loc));
        writer.join().unwrap();
        let (_, loc) = seat(&buckets[..]).find(|_| true).unwrap();
        assert_eq!(loc, 20);
    });
}

#[test]
fn loom_an_overflowing_insert_is_visible_once_it_returned_and_hides_no_other() {
    loom::model(|| {
        let buckets = Arc::new([Bucket::empty(), Bucket::empty()]);
        for loc in 1..=8 {
            assert!(seat(&buckets[..]).insert(loc, 1));
        }
        let writer = {
            let buckets = Arc::clone(&buckets);
            thread::spawn(move || assert!(seat(&buckets[..]).insert(9, 1)))
        };
        assert!(seat(&buckets[..]).find(|loc| loc == 3).is_some());
        writer.join().unwrap();
        assert!(seat(&buckets[..]).find(|loc| loc == 9).is_some());
    });
}

#[test]
fn loom_an_entry_that_goes_hides_no_other_that_passed_over_the_same_buckets() {
    loom::model(|| {
        let buckets = Arc::new([Bucket::empty(), Bucket::empty()]);
        // More of one class go on than are counted.
        for loc in 1..=12 {
            assert!(seat(&buckets[..]).insert(loc, 1));
        }
        let writer = {
            let buckets = Arc::clone(&buckets);
            thread::spawn(move || {
                for loc in 9..=10 {
                    let gone = seat(&buckets[..]);
                    gone.remove(gone.locate(loc).unwrap());
                }
            })
        };
        assert!(seat(&buckets[..]).find(|loc| loc == 12).is_some());
        writer.join().unwrap();
        assert!(seat(&buckets[..]).find(|loc| loc == 11).is_some());
    });
}

#[test]
fn loom_a_removed_slot_that_is_used_again_never_shows_a_mixture() {
    loom::model(|| {
        let buckets = Arc::new([Bucket::empty()]);
        assert!(seat(&buckets[..]).insert(10, 0));
        let writer = {
            let buckets = Arc::clone(&buckets);
            thread::spawn(move || {
                let gone = seat(&buckets[..]);
                gone.remove(gone.locate(10).unwrap());
                assert!(Seat::new(&buckets[..], hash_of(2, 9)).insert(20, 0));
            })
        };
        if let Some((_, loc)) = seat(&buckets[..]).find(|_| true) {
            assert_eq!(loc, 10);
        }
        writer.join().unwrap();
        assert!(seat(&buckets[..]).find(|_| true).is_none());
    });
}

/// A segment on the heap, and whether its memory has been given back.
struct Segment {
    buckets: [Bucket; 1],
    freed: loom::cell::UnsafeCell<bool>,
}

/// A directory of two entries, by the lowest bit of the hash; both lead to segment 0 at first.
struct Split {
    directory: [AtomicU64; 2],
    segments: [Segment; 3],
    epoch: crate::epoch::Epoch,
    returned: AtomicU64,
}

// SAFETY: the cells are what the model is about; the checker finds every unordered access.
unsafe impl Sync for Split {}
// SAFETY: as above.
unsafe impl Send for Split {}

impl Split {
    fn new() -> Arc<Self> {
        let split = Self {
            directory: [AtomicU64::new(0), AtomicU64::new(0)],
            segments: std::array::from_fn(|_| Segment {
                buckets: [Bucket::empty()],
                freed: loom::cell::UnsafeCell::new(false),
            }),
            epoch: crate::epoch::Epoch::new(),
            returned: AtomicU64::new(0),
        };
        for hash in 0..2 {
            let buckets = &split.segments[0].buckets;
            assert!(Seat::new(buckets, hash_of(hash, 7)).insert(10 + hash, 0));
        }
        Arc::new(split)
    }

    fn get(&self, slot: &crate::epoch::ReaderSlot, hash: u32) -> u32 {
        let _pin = self.epoch.pin(slot);
        let at = self.directory[hash as usize & 1].load(Ordering::Acquire);
        let segment = &self.segments[at as usize];
        // SAFETY: what the model is to show.
        segment.freed.with(|freed| assert!(!unsafe { *freed }));
        let found = Seat::new(&segment.buckets, hash_of(hash, 7)).find(|_| true);
        // SAFETY: as above.
        segment.freed.with(|freed| assert!(!unsafe { *freed }));
        found.expect("never absent").1
    }

    fn split(&self) {
        for hash in 0..2 {
            let at = 1 + hash as usize;
            let buckets = &self.segments[at].buckets;
            assert!(Seat::new(buckets, hash_of(hash, 7)).insert(10 + hash, 0));
        }
        for (hash, entry) in self.directory.iter().enumerate() {
            entry.store(1 + hash as u64, Ordering::Release);
        }
    }

    fn free_old(&self) {
        let stamp = self.epoch.stamp();
        if stamp < self.epoch.advance(None) {
            // SAFETY: what the model is to show.
            self.segments[0]
                .freed
                .with_mut(|freed| unsafe { *freed = true });
        }
    }
}

/// A segment is split, an entry replaced in its new one, the old one freed when nobody can be
/// looking at it. A reader finds its entry throughout, and the new value once that returned.
#[test]
fn loom_a_split_hides_no_entry_and_frees_nothing_that_is_read() {
    loom::model(|| {
        let split = Split::new();
        let slot = split.epoch.register().unwrap();
        let writer = {
            let split = Arc::clone(&split);
            thread::spawn(move || {
                split.split();
                let buckets = &split.segments[2].buckets;
                let (position, _) = Seat::new(buckets, hash_of(1, 7)).find(|_| true).unwrap();
                replace(buckets, position, 21);
                split.returned.store(1, Ordering::Release);
                split.free_old();
            })
        };
        let returned = split.returned.load(Ordering::Acquire) == 1;
        let loc = split.get(&slot, 1);
        assert!(loc == 21 || loc == 11 && !returned, "a superseded record");
        assert_eq!(split.get(&slot, 0), 10);
        writer.join().unwrap();
    });
}
