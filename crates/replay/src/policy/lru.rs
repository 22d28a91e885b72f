//! One queue, from whose front entries are evicted: least recently used, or first in, first out.

use super::queue::{Arena, NodeId, Queue};
use super::simulated::Simulator;
use crate::request::KeyMap;

/// See the module's documentation.
pub(crate) struct Lru {
    capacity: u64,
    /// Whether a use puts an entry to the back. Without it the oldest goes first.
    renews: bool,
    arena: Arena,
    /// Who goes next at the front.
    queue: Queue,
    entries: KeyMap<NodeId>,
    evictions: u64,
}

impl Lru {
    pub(crate) fn new(capacity: u64) -> Self {
        Self::with(capacity, true)
    }

    pub(crate) fn first_in_first_out(capacity: u64) -> Self {
        Self::with(capacity, false)
    }

    fn with(capacity: u64, renews: bool) -> Self {
        Self {
            capacity,
            renews,
            arena: Arena::default(),
            queue: Queue::default(),
            entries: KeyMap::default(),
            evictions: 0,
        }
    }
}

impl Simulator for Lru {
    fn access(&mut self, key: u64, weight: u64) -> bool {
        if let Some(&id) = self.entries.get(&key) {
            if self.renews {
                self.arena.unlink(&mut self.queue, id);
                self.arena.push_back(&mut self.queue, id);
            }
            return true;
        }
        while self.queue.weight + weight > self.capacity {
            let Some(id) = self.arena.pop_front(&mut self.queue) else {
                break;
            };
            self.entries.remove(&self.arena.free(id));
            self.evictions += 1;
        }
        let id = self.arena.make(key, weight);
        self.arena.push_back(&mut self.queue, id);
        self.entries.insert(key, id);
        false
    }

    fn remove(&mut self, key: u64) {
        if let Some(id) = self.entries.remove(&key) {
            self.arena.unlink(&mut self.queue, id);
            self.arena.free(id);
        }
    }

    fn weight_of(&self, key: u64) -> Option<u64> {
        let id = self.entries.get(&key)?;
        Some(self.arena.node(*id).weight)
    }

    fn evictions(&self) -> u64 {
        self.evictions
    }

    fn entries(&self) -> u64 {
        self.queue.length
    }
}
