//! What all simulators share: weights, values that are too large, times to live.

use super::{Capacity, Counts, EntrySize, Policy};
use crate::request::{KeyMap, Request};

/// Times to live that are kept of entries that have gone, beside as many as there are entries.
const EXPIRIES_SPARE: u64 = 1_024;

/// A policy in its textbook form. Weights are at least 1 and at most the capacity.
pub(crate) trait Simulator {
    /// Uses a key; stores it on a miss. True for a hit.
    fn access(&mut self, key: u64, weight: u64) -> bool;
    /// Forgets a key.
    fn remove(&mut self, key: u64);
    /// The weight of a key that it holds; nothing of one that it only remembers.
    fn weight_of(&self, key: u64) -> Option<u64>;
    /// Entries that went to make room.
    fn evictions(&self) -> u64;
    /// Of them, new ones that were refused.
    fn rejected(&self) -> u64 {
        0
    }
    /// Entries that it holds.
    fn entries(&self) -> u64;
}

/// See the module's documentation.
pub(crate) struct Simulated<S> {
    simulator: S,
    capacity: Capacity,
    size: EntrySize,
    /// When the entries that have a time to live expire.
    expiries: KeyMap<u64>,
    too_large: u64,
    expired: u64,
}

impl<S: Simulator> Simulated<S> {
    pub(crate) fn new(simulator: S, capacity: Capacity, size: EntrySize) -> Self {
        Self {
            simulator,
            capacity,
            size,
            expiries: KeyMap::default(),
            too_large: 0,
            expired: 0,
        }
    }

    fn weight(&self, request: &Request) -> u64 {
        match self.capacity {
            Capacity::Entries(_) => 1,
            Capacity::ValueBytes { .. } => request.size.unwrap_or(self.size.value_bytes).max(1),
            // Key and value alone: a policy in itself has no overhead.
            Capacity::Budget(_) => u64::from(request.key_bytes) + self.size.of(request),
        }
    }

    fn expire(&mut self, request: &Request) {
        let Some(&expiry) = self.expiries.get(&request.key) else {
            return;
        };
        if request.time_ms.is_some_and(|now| now >= expiry) {
            self.expiries.remove(&request.key);
            if self.simulator.weight_of(request.key).is_some() {
                self.simulator.remove(request.key);
                self.expired += 1;
            }
        }
    }

    /// Forgets the times of what was evicted, now and then: a log may be endless.
    fn forget_others(&mut self) {
        if self.expiries.len() as u64 > self.simulator.entries() * 2 + EXPIRIES_SPARE {
            let simulator = &self.simulator;
            self.expiries
                .retain(|key, _| simulator.weight_of(*key).is_some());
        }
    }

    fn file(&mut self, request: &Request) {
        match (request.ttl_ms, request.time_ms) {
            (Some(ttl), Some(now)) => {
                self.expiries.insert(request.key, now.saturating_add(ttl));
                self.forget_others();
            }
            _ if self.expiries.is_empty() => {}
            _ => {
                self.expiries.remove(&request.key);
            }
        }
    }
}

impl<S: Simulator> Policy for Simulated<S> {
    fn read(&mut self, request: &Request) -> bool {
        self.expire(request);
        let weight = self.weight(request);
        if weight > self.capacity.number() {
            self.too_large += 1;
            return false;
        }
        let hit = self.simulator.access(request.key, weight);
        if !hit {
            self.file(request);
        }
        hit
    }

    fn write(&mut self, request: &Request) {
        let held = self.simulator.weight_of(request.key);
        if held.is_some_and(|weight| weight != self.weight(request)) {
            // A value of another size is another entry, which may not even fit.
            self.simulator.remove(request.key);
        }
        self.read(request);
        self.file(request);
    }

    fn delete(&mut self, request: &Request) {
        self.simulator.remove(request.key);
        self.expiries.remove(&request.key);
    }

    fn counts(&self) -> Counts {
        Counts {
            evictions: self.simulator.evictions(),
            rejected: self.simulator.rejected() + self.too_large,
            expired: self.expired,
        }
    }

    fn entries(&self) -> u64 {
        self.simulator.entries()
    }
}
