//! Least frequently used; the one of them that was used least recently goes first. Nothing is
//! remembered of what has gone.

use super::simulated::Simulator;
use crate::request::KeyMap;
use std::collections::BTreeSet;

struct Entry {
    uses: u64,
    last_use: u64,
    weight: u64,
}

/// See the module's documentation.
pub(crate) struct Lfu {
    capacity: u64,
    weight: u64,
    now: u64,
    entries: KeyMap<Entry>,
    /// Uses, last use, key.
    order: BTreeSet<(u64, u64, u64)>,
    evictions: u64,
}

impl Lfu {
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            weight: 0,
            now: 0,
            entries: KeyMap::default(),
            order: BTreeSet::new(),
            evictions: 0,
        }
    }
}

impl Simulator for Lfu {
    fn access(&mut self, key: u64, weight: u64) -> bool {
        self.now += 1;
        if let Some(entry) = self.entries.get_mut(&key) {
            self.order.remove(&(entry.uses, entry.last_use, key));
            entry.uses += 1;
            entry.last_use = self.now;
            self.order.insert((entry.uses, entry.last_use, key));
            return true;
        }
        while self.weight + weight > self.capacity {
            let Some((_, _, victim)) = self.order.pop_first() else {
                break;
            };
            self.weight -= self.entries.remove(&victim).map_or(0, |entry| entry.weight);
            self.evictions += 1;
        }
        self.weight += weight;
        self.order.insert((1, self.now, key));
        let entry = Entry {
            uses: 1,
            last_use: self.now,
            weight,
        };
        self.entries.insert(key, entry);
        false
    }

    fn remove(&mut self, key: u64) {
        if let Some(entry) = self.entries.remove(&key) {
            self.order.remove(&(entry.uses, entry.last_use, key));
            self.weight -= entry.weight;
        }
    }

    fn weight_of(&self, key: u64) -> Option<u64> {
        self.entries.get(&key).map(|entry| entry.weight)
    }

    fn evictions(&self) -> u64 {
        self.evictions
    }

    fn entries(&self) -> u64 {
        self.entries.len() as u64
    }
}
