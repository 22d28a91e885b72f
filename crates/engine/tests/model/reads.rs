//! The reading operations, and what they may find.

use crate::world::World;
use nearcache_engine::{Cursor, Drained};
use std::collections::HashMap;
use std::sync::atomic::Ordering;

impl World {
    pub(crate) fn read(&mut self, key: &[u8]) {
        let at = self.handle();
        let found =
            self.handles[at].get(key, |value| (value.to_vec(), value.kind(), value.version()));
        assert_eq!(self.handles[at].contains(key), found.is_some());
        let mut copy = b"before".to_vec();
        let kind = self.handles[at].get_into(key, &mut copy);
        assert_eq!(kind, found.as_ref().map(|(_, kind, _)| *kind));
        let value = found.as_ref().map_or(&[][..], |(value, ..)| value);
        assert!(copy[..6] == *b"before" && copy[6..] == *value);
        self.check_value(key, found);
    }

    pub(crate) fn remaining(&mut self, key: &[u8]) {
        let at = self.handle();
        let left = self.handles[at].remaining_ms(key);
        self.note_presence(key, left.is_some());
        let Some(left) = left else { return };
        match self.entries[key].ends {
            None => assert_eq!(left, u64::MAX),
            Some((may, must)) => {
                let late = must - may;
                assert!(
                    left + late >= may.saturating_sub(self.now_ms),
                    "{left} of {may} at {}",
                    self.now_ms
                );
                assert!(
                    left <= must.saturating_sub(self.now_ms).max(1),
                    "{left} until {must} at {}",
                    self.now_ms
                );
            }
        }
    }

    pub(crate) fn get_many(&mut self, keys: &[usize]) {
        let keys: Vec<Vec<u8>> = keys.iter().map(|n| self.key(*n)).collect();
        let borrowed: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let mut found = Vec::new();
        let at = self.handle();
        self.handles[at].get_many(&borrowed, |place, value| {
            assert_eq!(place, found.len());
            found.push(value.map(|value| (value.to_vec(), value.kind(), value.version())));
        });
        assert_eq!(found.len(), keys.len());
        for (key, found) in keys.iter().zip(found) {
            self.check_value(key, found);
        }
    }

    pub(crate) fn scan(&mut self, prefix: &str, limit: usize) {
        let at = self.handle();
        let mut seen = HashMap::new();
        let mut cursor = Some(Cursor::START);
        while let Some(from) = cursor {
            cursor = self.handles[at].scan(from, prefix.as_bytes(), limit, |key, value| {
                let found = (value.to_vec(), value.kind(), value.version());
                assert!(
                    seen.insert(key.to_vec(), found).is_none(),
                    "nothing changes, so nothing comes twice"
                );
            });
        }
        let expected: Vec<Vec<u8>> = self
            .entries
            .keys()
            .filter(|key| key.starts_with(prefix.as_bytes()))
            .cloned()
            .collect();
        for key in expected {
            self.check_value(&key, seen.remove(&key));
        }
        assert!(
            seen.is_empty(),
            "{} entries that should not be there",
            seen.len()
        );
    }

    /// What the TypeScript layer does: believe a copy while the head stands and its time is not over.
    pub(crate) fn l0_read(&mut self, at: usize, key: &[u8]) {
        let signal = self.cache.signal();
        let l0 = &mut self.l0s[at];
        if signal.changes.load(Ordering::Acquire) != l0.head {
            let drained = self.handles[at].drain_changes(|key| {
                l0.copies.remove(key);
            });
            l0.head = match drained {
                Drained::Keys { head } => head,
                Drained::Lapped { head } => {
                    l0.copies.clear();
                    head
                }
            };
        }
        let now = signal.now.load(Ordering::Relaxed);
        let over =
            |expiry: Option<u32>| expiry.is_some_and(|tick| tick.wrapping_sub(now) as i32 <= 0);
        if let Some((value, expiry)) = self.l0s[at]
            .copies
            .get(key)
            .filter(|(_, expiry)| !over(*expiry))
        {
            let entry = self
                .entries
                .get(key)
                .expect("a copy of what is no longer there");
            assert!(*value == entry.value, "a stale copy");
            assert!(
                self.life(entry) != crate::world::Life::Over,
                "a copy that lives longer than its entry: {expiry:?}"
            );
            return;
        }
        for _ in 0..4 {
            let found = self.handles[at].get_watched(key, |value| {
                (value.to_vec(), value.watched(), value.expiry_tick())
            });
            if let Some((value, true, expiry)) = found {
                self.l0s[at].copies.insert(key.to_vec(), (value, expiry));
                break;
            }
        }
    }
}
