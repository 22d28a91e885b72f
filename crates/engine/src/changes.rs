//! The change log that keeps every L0 coherent.
//!
//! An L0 holds decoded copies outside of the engine. It may use one without asking as long as the
//! *head* of this log, a word in shared memory, is what it was when the L0 last drained the log.
//! A writer appends the key of every superseded record that was watched, and moves the head before
//! its call returns. Records that no L0 holds cost nothing.
//!
//! Invariant: the sequence only grows; `head` is its low 32 bits, stored (release) while the log's
//! lock is held. The writer has unlinked the record before it appends, so an L0 that reads the key
//! again after draining gets the new value.
//!
//! A reader that fell behind by more than the log holds is told that it lapsed and drops all it
//! has. So it is when the cache is cleared, when a key is too long to be worth keeping, and when there is
//! no memory to keep it in.

use crate::fault;
use crate::heap::{self, OutOfMemory};
use crate::signal::Signal;
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering};

/// Changes that the log remembers.
const LENGTH: u64 = if cfg!(any(loom, shuttle)) {
    // Small, so that few changes lap a reader.
    2
} else if cfg!(nearcache_small) {
    8
} else {
    1024
};
/// Longer keys are not copied: their change lapses every reader. In bytes.
const KEY_BYTES_MAX: usize = if cfg!(nearcache_small) { 16 } else { 512 };

/// What draining the log found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// The visited keys are all that changed.
    Keys {
        /// The head up to which the log was drained.
        head: u32,
    },
    /// More changed than the log remembers: drop every copy.
    Lapped {
        /// The head up to which the log was drained.
        head: u32,
    },
}

struct Ring {
    sequence: u64,
    /// A reader whose position is below this has missed something that no key names.
    floor: u64,
    /// Empty until the first change: a cache without an L0 never has any. The keys' buffers are used again, so
    /// appending doesn't allocate once they have grown.
    keys: Box<[Vec<u8>]>,
}

impl Ring {
    /// Keeps the key of the change with the present sequence.
    fn note(&mut self, key: &[u8]) -> Result<(), OutOfMemory> {
        if self.keys.is_empty() {
            self.keys = heap::slice(LENGTH as usize, |_| Vec::new())?;
        }
        let kept = &mut self.keys[(self.sequence % LENGTH) as usize];
        fault::point();
        kept.clear();
        fault::point();
        heap::reserve(kept, key.len())?;
        kept.extend_from_slice(key);
        Ok(())
    }
}

/// See the module's documentation.
pub(crate) struct ChangeLog {
    signal: Arc<Signal>,
    ring: Mutex<Ring>,
}

impl ChangeLog {
    pub(crate) fn new() -> Self {
        Self {
            signal: Arc::new(Signal::new()),
            ring: Mutex::new(Ring {
                sequence: 0,
                floor: 0,
                keys: Box::default(),
            }),
        }
    }

    pub(crate) fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }

    /// A watched record of this key has been unlinked.
    pub(crate) fn append(&self, key: &[u8]) {
        if key.len() > KEY_BYTES_MAX {
            return self.lap_all();
        }
        let mut ring = self.lock();
        ring.sequence += 1;
        fault::point();
        if ring.note(key).is_err() {
            // Which key it was can't be told: every reader is to drop what it has.
            return self.lap(&mut ring);
        }
        fault::point();
        self.move_head(ring.sequence);
        fault::point();
    }

    /// Anything may have changed.
    pub(crate) fn lap_all(&self) {
        self.lap(&mut self.lock());
    }

    fn lap(&self, ring: &mut Ring) {
        ring.sequence += 1;
        fault::point();
        ring.floor = ring.sequence;
        fault::point();
        self.move_head(ring.sequence);
        fault::point();
    }

    /// If a thread died under this lock, some key may be half there: then every reader has lapsed.
    fn lock(&self) -> MutexGuard<'_, Ring> {
        match self.ring.lock() {
            Ok(ring) => ring,
            Err(poisoned) => self.take_over(poisoned.into_inner()),
        }
    }

    #[cold]
    fn take_over<'a>(&'a self, mut ring: MutexGuard<'a, Ring>) -> MutexGuard<'a, Ring> {
        self.lap(&mut ring);
        #[cfg(not(loom))]
        self.ring.clear_poison();
        ring
    }

    fn move_head(&self, sequence: u64) {
        // Release: an L0 that sees this head and reads again finds the change made.
        self.signal
            .changes
            .store(sequence as u32, Ordering::Release);
    }

    /// The position of a reader that holds nothing yet.
    pub(crate) fn position(&self) -> u64 {
        self.lock().sequence
    }

    /// Copies the keys of all changes since `position`, each behind its length, to `out`, and moves
    /// the position. The caller visits them after the lock is released.
    pub(crate) fn drain(&self, position: &AtomicU64, out: &mut Vec<u8>) -> Drained {
        out.clear();
        let ring = self.lock();
        let from = position.load(Ordering::Relaxed);
        position.store(ring.sequence, Ordering::Relaxed);
        fault::point();
        let head = ring.sequence as u32;
        if from < ring.floor || ring.sequence - from > LENGTH {
            return Drained::Lapped { head };
        }
        for sequence in from + 1..=ring.sequence {
            let key = &ring.keys[(sequence % LENGTH) as usize];
            if note_key(out, key).is_err() {
                return Drained::Lapped { head };
            }
        }
        Drained::Keys { head }
    }
}

/// Writes a key to the end of `out`, behind its length.
pub(crate) fn note_key(out: &mut Vec<u8>, key: &[u8]) -> Result<(), OutOfMemory> {
    heap::reserve(out, size_of::<u16>() + key.len())?;
    out.extend_from_slice(&(key.len() as u16).to_le_bytes());
    out.extend_from_slice(key);
    Ok(())
}

/// The keys that [`note_key`] wrote.
pub(crate) fn noted_keys(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (key, rest) = rest.split_at(u16::from_le_bytes(*length) as usize);
        bytes = rest;
        Some(key)
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn drain(log: &ChangeLog, position: &AtomicU64) -> Option<Vec<Vec<u8>>> {
        let mut bytes = Vec::new();
        match log.drain(position, &mut bytes) {
            Drained::Keys { .. } => Some(noted_keys(&bytes).map(<[u8]>::to_vec).collect()),
            Drained::Lapped { .. } => None,
        }
    }

    #[test]
    fn a_reader_gets_each_change_once_and_in_order() {
        let log = ChangeLog::new();
        let position = AtomicU64::new(log.position());
        log.append(b"a");
        log.append(b"");
        assert_eq!(
            drain(&log, &position),
            Some(vec![b"a".to_vec(), b"".to_vec()])
        );
        assert_eq!(drain(&log, &position), Some(vec![]));
    }

    #[test]
    fn a_reader_that_fell_behind_is_told_so_once() {
        let log = ChangeLog::new();
        let position = AtomicU64::new(0);
        for _ in 0..=LENGTH {
            log.append(b"k");
        }
        assert_eq!(drain(&log, &position), None);
        log.append(b"z");
        assert_eq!(drain(&log, &position), Some(vec![b"z".to_vec()]));
    }

    #[test]
    fn clearing_and_overlong_keys_lapse_every_reader() {
        let log = ChangeLog::new();
        let position = AtomicU64::new(0);
        log.lap_all();
        assert_eq!(drain(&log, &position), None);
        log.append(&[0; KEY_BYTES_MAX + 1]);
        assert_eq!(drain(&log, &position), None);
        log.append(&[0; KEY_BYTES_MAX]);
        assert_eq!(drain(&log, &position).map(|keys| keys.len()), Some(1));
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::sync::AtomicU32;
    use crate::watch::WatchFlags;
    use loom::thread;

    /// A writer replaces a record; an L0 reads, watches, keeps a copy. Whatever the interleaving,
    /// once the write has returned the L0 either holds no copy or finds the head moved.
    #[test]
    fn loom_an_l0_never_serves_a_copy_that_a_returned_write_superseded() {
        loom::model(|| {
            let log = Arc::new(ChangeLog::new());
            let current = Arc::new(AtomicU32::new(0));
            let old_record = Arc::new(WatchFlags::new());
            let returned = Arc::new(AtomicU32::new(0));
            let writer = {
                let (log, current) = (Arc::clone(&log), Arc::clone(&current));
                let (old_record, returned) = (Arc::clone(&old_record), Arc::clone(&returned));
                thread::spawn(move || {
                    current.store(1, Ordering::Release);
                    if old_record.retire() {
                        log.append(b"k");
                    }
                    returned.store(1, Ordering::Release);
                })
            };
            let seen = log.signal().changes.load(Ordering::Acquire);
            let value = current.load(Ordering::Acquire);
            let kept = value == 0 && old_record.watch();
            let after_return = returned.load(Ordering::Acquire) == 1;
            let unchanged = log.signal().changes.load(Ordering::Acquire) == seen;
            assert!(
                !(kept && after_return && unchanged),
                "a stale copy would be served"
            );
            writer.join().unwrap();
        });
    }
}
