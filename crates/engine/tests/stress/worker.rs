//! A thread that writes its own keys and reads all, through the cache and through an L0.

use crate::scale::scaled;
use crate::state::{LATE_MS, Returned, Shared};
use crate::value::{Rng, fill, number_of, read_value};
use nearcache_engine::{Drained, Handle, Ttl};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the writer of a key knows of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Own {
    pub(crate) returned: Returned,
    pub(crate) writes: u32,
}

/// What a writer does to a key.
#[derive(Clone, Copy, PartialEq)]
enum Action {
    Set,
    SetIfAbsent,
    Replace,
    CompareAndSet,
    Touch,
    Delete,
}

impl Action {
    fn pick(rng: &mut Rng) -> Self {
        match rng.below(16) {
            0..10 => Self::Set,
            10 => Self::SetIfAbsent,
            11 => Self::Replace,
            12 => Self::CompareAndSet,
            13 => Self::Touch,
            _ => Self::Delete,
        }
    }

    /// Whether it stores a new value, if it does anything.
    fn stores(self) -> bool {
        !matches!(self, Self::Touch | Self::Delete)
    }
}

/// A thread that writes its own keys and reads everybody's.
pub(crate) struct Worker<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) id: usize,
    pub(crate) handle: Handle,
    pub(crate) rng: Rng,
    pub(crate) own: Vec<Own>,
    pub(crate) buffer: Vec<u8>,
    pub(crate) l0: HashMap<usize, (u32, Option<u32>)>,
    pub(crate) l0_head: u32,
    pub(crate) l0_hits: u64,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(shared: &'a Shared, id: usize) -> Self {
        Self {
            shared,
            id,
            handle: shared.cache.handle(),
            rng: Rng::new(id as u64 + 1),
            own: vec![Own::default(); shared.keys.len()],
            buffer: Vec::new(),
            l0: HashMap::new(),
            l0_head: 0,
            l0_hits: 0,
        }
    }

    pub(crate) fn run(mut self) -> u64 {
        let iterations = scaled(self.shared.scenario.iterations);
        for iteration in 0..iterations {
            match self.rng.below(8) {
                0 => self.write(iteration * 8 / iterations),
                1..4 => self.read(),
                _ => self.l0_read(),
            }
            if self.rng.one_in(256) {
                std::thread::yield_now();
            }
            if self.rng.one_in(20_000) {
                // Another handle, with another slot among the readers, and an empty L0.
                self.handle = self.shared.cache.handle();
                self.l0.clear();
            }
        }
        self.shared.working.fetch_sub(1, Ordering::SeqCst);
        self.l0_hits
    }

    pub(crate) fn read(&mut self) {
        let n = self.rng.skewed(self.shared.keys.len());
        let before = self.shared.before(n);
        let linger = self.rng.one_in(512);
        let found = self.handle.get(&self.shared.keys[n].name, |value| {
            read_value(n, &value, linger, &mut self.buffer)
        });
        self.shared.check(n, &before, found, "the cache");
    }

    /// As the TypeScript layer does it: a copy is good while the head stands and its time is not over.
    pub(crate) fn l0_read(&mut self) {
        let n = self.rng.skewed(self.shared.keys.len());
        let before = self.shared.before(n);
        let signal = self.shared.cache.signal();
        if signal.changes.load(Ordering::Acquire) != self.l0_head {
            let l0 = &mut self.l0;
            let drained = self.handle.drain_changes(|name| {
                l0.remove(&number_of(name));
            });
            self.l0_head = match drained {
                Drained::Keys { head } => head,
                Drained::Lapped { head } => {
                    self.l0.clear();
                    head
                }
            };
        }
        let now = signal.now.load(Ordering::Acquire);
        let over =
            |expiry: Option<u32>| expiry.is_some_and(|tick| tick.wrapping_sub(now) as i32 <= 0);
        if let Some((write, _)) = self.l0.get(&n).filter(|(_, expiry)| !over(*expiry)) {
            self.l0_hits += 1;
            return self.shared.check(n, &before, Some(*write), "an L0");
        }
        let found = self.handle.get_watched(&self.shared.keys[n].name, |value| {
            (
                read_value(n, &value, false, &mut self.buffer),
                value.watched(),
                value.expiry_tick(),
            )
        });
        if let Some((write, true, expiry)) = found {
            self.l0.insert(n, (write, expiry));
        }
        self.shared
            .check(n, &before, found.map(|(write, ..)| write), "a watched read");
    }

    pub(crate) fn write(&mut self, progress: u64) {
        let (shared, scenario) = (self.shared, &self.shared.scenario);
        let n = self.rng.skewed(shared.keys.len() / scenario.threads) * scenario.threads + self.id;
        let (key, mut own) = (&shared.keys[n], self.own[n]);
        own.returned.operation += 1;
        key.started.store(own.returned.operation, Ordering::SeqCst);
        let born = shared.removals.load(Ordering::SeqCst);
        let now_min_ms = shared.now_min_ms.load(Ordering::SeqCst);
        let ttl_ms = (scenario.expiring && self.rng.one_in(2)).then(|| 1 + self.rng.next() % 400);
        let ttl = ttl_ms.map_or(Ttl::Forever, Ttl::Millis);
        let action = Action::pick(&mut self.rng);
        let write = own.writes + 1;
        if action.stores() {
            let len = (scenario.size)(&mut self.rng, progress);
            fill(n, write, len, &mut self.buffer);
        }
        let done = self.perform(action, &key.name, (write % 16) as u8, ttl);
        let needs_entry = !matches!(action, Action::Set | Action::SetIfAbsent);
        assert!(
            !done || !needs_entry || own.returned.present,
            "key {n} came back"
        );
        let refused_by_an_entry = action == Action::SetIfAbsent && !done;
        assert!(
            !refused_by_an_entry || own.returned.present,
            "key {n} came back"
        );
        if done && action.stores() {
            own.writes = write;
            (own.returned.present, own.returned.write_min) = (true, write);
            key.born.store(born, Ordering::Release);
        } else if !(refused_by_an_entry || done && action == Action::Touch) {
            // Absent now, if it wasn't before; and for good, until it is written again.
            (own.returned.present, own.returned.write_min) = (false, own.writes + 1);
        }
        if done && action != Action::Delete {
            let now_max_ms = shared.now_max_ms.load(Ordering::SeqCst);
            let ends = ttl_ms.map_or((u64::MAX, u64::MAX), |ttl| {
                (now_min_ms + ttl, now_max_ms + ttl + LATE_MS)
            });
            key.live_until_ms.store(ends.0, Ordering::Release);
            key.over_at_ms.store(ends.1, Ordering::Release);
        }
        self.own[n] = own;
        key.returned.store(own.returned.pack(), Ordering::SeqCst);
    }

    /// Whether it did what it says.
    fn perform(&self, action: Action, name: &[u8], kind: u8, ttl: Ttl) -> bool {
        let (handle, value) = (&self.handle, &self.buffer[..]);
        let result = match action {
            Action::Set => handle.set(name, value, kind, ttl).map(|()| true),
            Action::SetIfAbsent => handle.set_if_absent(name, value, kind, ttl),
            Action::Replace => handle.replace(name, value, kind, ttl),
            Action::CompareAndSet => match handle.peek(name, |value| value.version()) {
                Some(version) => handle.compare_and_set(name, version, value, kind, ttl),
                None => Ok(false),
            },
            Action::Touch => handle.touch(name, ttl),
            Action::Delete => handle.delete(name),
        };
        result.expect("there is always room for one more")
    }
}

impl Worker<'_> {
    /// A worker that panics must not leave the chores running for ever.
    pub(crate) fn run_or_stop(self) -> u64 {
        struct Stop<'a>(&'a AtomicUsize);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.store(0, Ordering::SeqCst);
                }
            }
        }
        let _stop = Stop(&self.shared.working);
        self.run()
    }
}
