//! First in, first out.

use super::queue::{Arena, NodeId, Queue};
use super::simulated::Simulator;
use crate::request::KeyMap;

/// See the module's documentation.
pub(crate) struct Fifo {
    capacity: u64,
    arena: Arena,
    /// The oldest at the front.
    queue: Queue,
    entries: KeyMap<NodeId>,
    evictions: u64,
}

impl Fifo {
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            arena: Arena::default(),
            queue: Queue::default(),
            entries: KeyMap::default(),
            evictions: 0,
        }
    }
}

impl Simulator for Fifo {
    fn access(&mut self, key: u64, weight: u64) -> bool {
        if self.entries.contains_key(&key) {
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

    fn evictions(&self) -> u64 {
        self.evictions
    }

    fn entries(&self) -> u64 {
        self.queue.length
    }
}
