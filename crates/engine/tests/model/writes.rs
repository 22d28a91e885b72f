//! The writing operations, each on the cache and on the model, and what their answers must agree in.

use crate::operation::content;
use crate::world::{Entry, LATE_FAR_MS, LATE_MS, Life, World};
use nearcache_engine::{Error, Handle, KEY_BYTES_MAX, TTL_MS_MAX, Ttl};

impl World {
    /// The next write's value and kind.
    fn next_value(&mut self, size: usize) -> (Vec<u8>, u8) {
        self.writes += 1;
        let size = size.min(self.cache.max_value_size() as usize);
        (content(self.writes, size), (self.writes % 16) as u8)
    }

    /// A write was accepted: it must be readable at once, unless its time to live is zero.
    fn note_write(&mut self, key: &[u8], value: Vec<u8>, kind: u8, ttl: Ttl) {
        if self.ttl_ms(ttl) == Some(0) {
            self.entries.remove(key);
            self.read(key);
            return;
        }
        let at = self.handle();
        let version = self.handles[at].peek(key, |value| value.version());
        let version = version.expect("what was just written is readable");
        let ends = self.ends(ttl);
        self.entries.insert(
            key.to_vec(),
            Entry {
                value,
                kind,
                version,
                ends,
            },
        );
        self.read(key);
        assert!(
            self.entries.contains_key(key),
            "what was just written is readable"
        );
    }

    /// A write under a condition, by `store`; `there` is what the condition asks for.
    fn write_if(
        &mut self,
        key: &[u8],
        size: usize,
        ttl: Ttl,
        there: bool,
        store: impl FnOnce(&Handle, &[u8], u8) -> Result<bool, Error>,
    ) {
        let (value, kind) = self.next_value(size);
        let at = self.handle();
        let stored = store(&self.handles[at], &value, kind);
        let Some(stored) = self.answer(stored, false) else {
            // Nothing has changed, except that what was there may have had to go.
            return self.read(key);
        };
        self.note_presence(key, stored == there);
        if stored {
            self.note_write(key, value, kind, ttl);
        }
    }

    pub(crate) fn set_if_absent(&mut self, key: &[u8], size: usize, ttl: Ttl) {
        self.write_if(key, size, ttl, false, |handle, value, kind| {
            handle.set_if_absent(key, value, kind, ttl)
        });
    }

    pub(crate) fn replace(&mut self, key: &[u8], size: usize, ttl: Ttl) {
        self.write_if(key, size, ttl, true, |handle, value, kind| {
            handle.replace(key, value, kind, ttl)
        });
    }

    /// Whether it was stored.
    pub(crate) fn set(&mut self, key: &[u8], size: usize, ttl: Ttl, may_be_full: bool) -> bool {
        let (value, kind) = self.next_value(size);
        let at = self.handle();
        let stored = self.handles[at].set(key, &value, kind, ttl);
        let stored = self.answer(stored, may_be_full).is_some();
        if stored {
            self.note_write(key, value, kind, ttl);
        } else {
            self.read(key);
        }
        stored
    }

    /// Values of different lengths, in one call.
    pub(crate) fn set_many(&mut self, keys: &[usize], size: usize, ttl: Ttl) {
        let written: Vec<_> = (keys.iter().enumerate())
            .map(|(place, n)| (self.key(*n), self.next_value(size + place * 8)))
            .collect();
        let at = self.handle();
        let entries = written
            .iter()
            .map(|(key, (value, kind))| (&key[..], &value[..], *kind));
        let stored = match self.handles[at].set_many(entries, ttl) {
            Ok(stored) => {
                assert_eq!(stored, keys.len());
                stored
            }
            Err((stored, error)) => {
                self.answer(Err::<(), Error>(error), false);
                stored
            }
        };
        for (key, (value, kind)) in written.into_iter().take(stored) {
            // A later one of the same call may have evicted it, or be of the same key.
            let there = self.handles[at].peek(&key, |found| {
                (found.to_vec() == value).then(|| found.version())
            });
            self.entries.remove(&key);
            if let Some(Some(version)) = there {
                let ends = self.ends(ttl);
                let entry = Entry {
                    value,
                    kind,
                    version,
                    ends,
                };
                self.entries.insert(key, entry);
            }
        }
        for n in keys {
            self.read(&self.key(*n));
        }
    }

    pub(crate) fn compare_and_set(&mut self, key: &[u8], size: usize, ttl: Ttl, current: bool) {
        let version = self.entries.get(key).map_or(7, |entry| entry.version);
        if current {
            return self.write_if(key, size, ttl, true, |handle, value, kind| {
                handle.compare_and_set(key, version, value, kind, ttl)
            });
        }
        let value = content(0, size.min(self.cache.max_value_size() as usize));
        let at = self.handle();
        let stored = self.handles[at].compare_and_set(key, version.wrapping_sub(1), &value, 0, ttl);
        assert_eq!(
            stored,
            Ok(false),
            "another version was taken for the current one"
        );
        // And nothing has changed.
        self.read(key);
    }

    pub(crate) fn delete(&mut self, key: &[u8]) {
        let at = self.handle();
        let deleted = self.handles[at].delete(key).unwrap();
        self.note_presence(key, deleted);
        self.entries.remove(key);
        self.read(key);
    }

    pub(crate) fn touch(&mut self, key: &[u8], ttl: Ttl) {
        let at = self.handle();
        let touched = self.handles[at].touch(key, ttl);
        let Some(touched) = self.answer(touched, false) else {
            return self.read(key);
        };
        self.note_presence(key, touched);
        if !touched {
            return;
        }
        if self.ttl_ms(ttl) == Some(0) {
            self.entries.remove(key);
        } else {
            let version = self.handles[at]
                .peek(key, |value| value.version())
                .expect("a touched entry is there");
            let ends = self
                .ends(ttl)
                .map(|(may, must)| (may, must + LATE_FAR_MS - LATE_MS));
            // A record of years can hold seconds only in a copy, and the other way round: near or far
            // depends on what it was before.
            let entry = self.entries.get_mut(key).unwrap();
            (entry.version, entry.ends) = (version, ends);
        }
        self.read(key);
    }

    pub(crate) fn delete_prefix(&mut self, prefix: &str) {
        let at = self.handle();
        let deleted = self.handles[at].delete_prefix(prefix.as_bytes()).unwrap();
        let lives: Vec<Life> = self
            .entries
            .iter()
            .filter(|(key, _)| key.starts_with(prefix.as_bytes()))
            .map(|(_, entry)| self.life(entry))
            .collect();
        let most = lives.iter().filter(|life| **life != Life::Over).count() as u64;
        let least = lives.iter().filter(|life| **life == Life::Live).count() as u64;
        assert!(
            deleted <= most && (!self.strict || deleted >= least),
            "{deleted} of {least} to {most}"
        );
        self.entries
            .retain(|key, _| !key.starts_with(prefix.as_bytes()));
        self.scan(prefix, 10);
    }

    pub(crate) fn clear(&mut self) {
        let at = self.handle();
        self.handles[at].clear().unwrap();
        self.entries.clear();
        self.scan("", 1_000);
    }

    /// A reader keeps its value whatever is written meanwhile; the writer may find no room, because
    /// nothing that is evicted can be used again before the reader lets go.
    pub(crate) fn write_while_reading(&mut self, key: &[u8], keys: &[usize], size: usize) {
        let reader = self.cache.handle();
        let read = reader.get(key, |value| {
            let seen = (value.to_vec(), value.kind(), value.version());
            self.check_value(key, Some(seen.clone()));
            keys.iter()
                .all(|n| self.set(&self.key(*n), size, Ttl::Forever, true));
            self.maintain();
            self.check_structure();
            assert!(
                seen == (value.to_vec(), value.kind(), value.version()),
                "a value changed under its reader"
            );
        });
        if read.is_none() {
            self.note_presence(key, false);
        }
    }

    pub(crate) fn exceed(&mut self, key: &[u8]) {
        let at = self.handle();
        let handle = &self.handles[at];
        let long_key = vec![b'k'; self.cache.max_key_size() + 1];
        let long_value = vec![0; self.cache.max_value_size() as usize + 1];
        let far = Ttl::Millis(TTL_MS_MAX + 1);
        assert!(self.cache.max_key_size() <= KEY_BYTES_MAX);
        assert!(matches!(
            handle.set(&long_key, b"", 0, Ttl::Forever),
            Err(Error::KeyTooLong { .. })
        ));
        assert!(matches!(
            handle.set(key, &long_value, 0, Ttl::Forever),
            Err(Error::ValueTooLarge { .. })
        ));
        assert!(matches!(
            handle.set_if_absent(key, b"", 0, far),
            Err(Error::TtlTooLong { .. })
        ));
        assert!(matches!(
            handle.touch(key, far),
            Err(Error::TtlTooLong { .. })
        ));
        assert!(!handle.contains(&long_key));
        assert_eq!(handle.delete(&long_key), Ok(false));
        self.read(key);
    }
}
