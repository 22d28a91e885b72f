//! A thread that does something with a few keys and writes down what it called and was answered.

use crate::history::{Call, Operation, Time, Write, WriteId};
use crate::rng::Rng;
use crate::self_proving::{fill, verify};
use nearcache_engine::{Drained, Handle, Signal, TICK_MS, Ttl, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A thread's part of a history.
pub(crate) struct Worker<'a> {
    thread: usize,
    handle: Option<Handle>,
    signal: Arc<Signal>,
    stamps: &'a AtomicU64,
    keys: &'a [Vec<u8>],
    /// What is called while a value is looked at, so that others run while this reader is pinned.
    pause: fn(),
    writes: WriteId,
    buffer: Vec<u8>,
    l0: HashMap<usize, (WriteId, Option<u32>)>,
    l0_head: u32,
    /// What it did, with the number of the key.
    pub(crate) done: Vec<(usize, Operation)>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        thread: usize,
        (handle, signal): (Handle, Arc<Signal>),
        stamps: &'a AtomicU64,
        keys: &'a [Vec<u8>],
        pause: fn(),
    ) -> Self {
        Self {
            thread,
            handle: Some(handle),
            signal,
            stamps,
            keys,
            pause,
            writes: 0,
            buffer: Vec::new(),
            l0: HashMap::new(),
            l0_head: 0,
            done: Vec::new(),
        }
    }

    /// A name that no other write has.
    fn new_write(&mut self, ttl: Ttl) -> Write {
        self.writes += 1;
        let ttl = match ttl {
            Ttl::Millis(ms) => Some(ms.div_ceil(TICK_MS) + 1),
            Ttl::Forever | Ttl::Default => None,
        };
        Write {
            id: (self.thread as WriteId + 1) << 20 | self.writes,
            ttl,
        }
    }

    fn begin(&self) -> u64 {
        self.stamps.fetch_add(1, Ordering::SeqCst)
    }

    fn end(&mut self, key: usize, invoked: u64, call: Call) {
        let returned = self.stamps.fetch_add(1, Ordering::SeqCst);
        let operation = Operation {
            thread: self.thread,
            invoked,
            returned,
            call,
        };
        self.done.push((key, operation));
    }

    /// Reads a value twice, with others in between.
    fn look(key: usize, value: &Value<'_>, pause: fn(), buffer: &mut Vec<u8>) -> WriteId {
        let mut once = || {
            buffer.resize(value.len(), 0);
            value.copy_to(buffer);
            let write = verify(key, buffer);
            assert_eq!(value.kind() as u32, write % 16, "the kind of another write");
            write
        };
        let write = once();
        pause();
        assert_eq!(once(), write, "a value changed under its reader");
        write
    }

    pub(crate) fn get(&mut self, key: usize) {
        let invoked = self.begin();
        let (pause, buffer) = (self.pause, &mut self.buffer);
        let found = in_use(&self.handle).get(&self.keys[key], |value| {
            Self::look(key, &value, pause, buffer)
        });
        self.end(key, invoked, Call::Get(found));
    }

    /// As the TypeScript layer does it: a copy is good while the head stands and its time is not over.
    pub(crate) fn get_through_l0(&mut self, key: usize) {
        let invoked = self.begin();
        if self.signal.changes.load(Ordering::Acquire) != self.l0_head {
            let (l0, keys) = (&mut self.l0, self.keys);
            let drained =
                in_use(&self.handle).drain_changes(|name| l0.retain(|held, _| keys[*held] != name));
            self.l0_head = match drained {
                Drained::Keys { head } => head,
                Drained::Lapped { head } => {
                    self.l0.clear();
                    head
                }
            };
        }
        let now = self.signal.now.load(Ordering::Acquire);
        let over =
            |expiry: Option<u32>| expiry.is_some_and(|tick| tick.wrapping_sub(now) as i32 <= 0);
        if let Some((write, _)) = self.l0.get(&key).filter(|(_, expiry)| !over(*expiry)) {
            let write = *write;
            return self.end(key, invoked, Call::L0(write));
        }
        let (pause, buffer) = (self.pause, &mut self.buffer);
        let found = in_use(&self.handle).get_watched(&self.keys[key], |value| {
            let write = Self::look(key, &value, pause, buffer);
            (write, value.watched(), value.expiry_tick())
        });
        if let Some((write, true, expiry)) = found {
            self.l0.insert(key, (write, expiry));
        }
        self.end(key, invoked, Call::Get(found.map(|(write, ..)| write)));
    }

    /// Fills the buffer with a new value of `len` bytes.
    fn prepare(&mut self, key: usize, len: usize, ttl: Ttl) -> (Write, u8) {
        let write = self.new_write(ttl);
        fill(key, write.id, len, &mut self.buffer);
        (write, (write.id % 16) as u8)
    }

    pub(crate) fn set(&mut self, key: usize, len: usize, ttl: Ttl) {
        let (write, kind) = self.prepare(key, len, ttl);
        let invoked = self.begin();
        let name = &self.keys[key];
        if in_use(&self.handle)
            .set(name, &self.buffer, kind, ttl)
            .is_ok()
        {
            self.end(key, invoked, Call::Set(write));
        }
    }

    pub(crate) fn set_if_absent(&mut self, key: usize, len: usize, ttl: Ttl) {
        let (write, kind) = self.prepare(key, len, ttl);
        let invoked = self.begin();
        let name = &self.keys[key];
        let result = in_use(&self.handle).set_if_absent(name, &self.buffer, kind, ttl);
        if let Ok(stored) = result {
            self.end(key, invoked, Call::SetIfAbsent { write, stored });
        }
    }

    pub(crate) fn replace(&mut self, key: usize, len: usize, ttl: Ttl) {
        let (write, kind) = self.prepare(key, len, ttl);
        let invoked = self.begin();
        let name = &self.keys[key];
        if let Ok(stored) = in_use(&self.handle).replace(name, &self.buffer, kind, ttl) {
            self.end(key, invoked, Call::Replace { write, stored });
        }
    }

    /// Reads, then writes if nobody else has.
    pub(crate) fn compare_and_set(&mut self, key: usize, len: usize, ttl: Ttl) {
        let invoked = self.begin();
        let (pause, buffer) = (self.pause, &mut self.buffer);
        let found = in_use(&self.handle).get(&self.keys[key], |value| {
            (Self::look(key, &value, pause, buffer), value.version())
        });
        self.end(key, invoked, Call::Get(found.map(|(write, _)| write)));
        let Some((expected, version)) = found else {
            return;
        };
        let (write, kind) = self.prepare(key, len, ttl);
        let invoked = self.begin();
        let name = &self.keys[key];
        let result = in_use(&self.handle).compare_and_set(name, version, &self.buffer, kind, ttl);
        if let Ok(stored) = result {
            let call = Call::CompareAndSet {
                expected,
                write,
                stored,
            };
            self.end(key, invoked, call);
        }
    }

    pub(crate) fn delete(&mut self, key: usize) {
        let invoked = self.begin();
        let removed = in_use(&self.handle)
            .delete(&self.keys[key])
            .expect("no panic before");
        self.end(key, invoked, Call::Delete { removed });
    }

    pub(crate) fn clear(&mut self) {
        let invoked = self.begin();
        if in_use(&self.handle).clear().is_ok() {
            (0..self.keys.len()).for_each(|key| self.end(key, invoked, Call::Clear));
        }
    }

    /// Real threads only: another handle, with another slot among the readers, and an empty L0.
    #[cfg(not(shuttle))]
    ///
    /// The old one goes first: for a moment the others are fewer, and one of them perhaps alone.
    pub(crate) fn change_handle(&mut self, handle: impl FnOnce() -> Handle) {
        self.handle = None;
        std::thread::yield_now();
        self.handle = Some(handle());
        self.l0.clear();
    }

    #[cfg(not(shuttle))]
    pub(crate) fn handle(&self) -> &Handle {
        self.handle
            .as_ref()
            .expect("absent only while it is changed")
    }

    /// One operation with random arguments. `len` picks the length of a value.
    pub(crate) fn act(&mut self, rng: &mut Rng, expiring: bool, len: impl Fn(&mut Rng) -> usize) {
        let key = rng.skewed(self.keys.len());
        let len = len(rng);
        let ttl = if expiring && rng.one_in(2) {
            Ttl::Millis(1 + rng.below(30) as u64)
        } else {
            Ttl::Forever
        };
        match rng.below(24) {
            0..7 => self.get(key),
            7..14 => self.get_through_l0(key),
            14..18 => self.set(key, len, ttl),
            18 => self.set_if_absent(key, len, ttl),
            19 => self.replace(key, len, ttl),
            20 => self.compare_and_set(key, len, ttl),
            21 | 22 => self.delete(key),
            _ if rng.one_in(8) => self.clear(),
            _ => self.get(key),
        }
    }
}

/// Checks every key's part of what all threads did.
pub(crate) fn check_all(
    keys: usize,
    done: &[(usize, Operation)],
    time: &Time,
    may_drop: bool,
) -> Result<(), String> {
    (0..keys).try_for_each(|key| {
        let operations = done.iter().filter(|(of, _)| *of == key);
        let history = crate::history::History {
            operations: operations.map(|(_, operation)| *operation).collect(),
            may_drop,
        };
        crate::checker::check(&history, time).map_err(|problem| format!("key {key}: {problem}"))
    })
}

fn in_use(handle: &Option<Handle>) -> &Handle {
    handle.as_ref().expect("absent only while it is changed")
}
