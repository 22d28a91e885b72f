//! SIEVE (Zhang et al. 2024): a FIFO queue over which a hand moves from old to new, sparing what was
//! used since it last passed.

use super::queue::{Arena, NodeId, Queue};
use super::simulated::Simulator;
use crate::request::KeyMap;

/// See the module's documentation.
pub(crate) struct Sieve {
    capacity: u64,
    arena: Arena,
    /// The oldest at the front.
    queue: Queue,
    hand: Option<NodeId>,
    entries: KeyMap<NodeId>,
    evictions: u64,
}

impl Sieve {
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            arena: Arena::default(),
            queue: Queue::default(),
            hand: None,
            entries: KeyMap::default(),
            evictions: 0,
        }
    }

    /// Evicts one entry; false if there is none.
    fn evict(&mut self) -> bool {
        let Some(mut at) = self.hand.or(self.queue.front()) else {
            return false;
        };
        while self.arena.node(at).mark != 0 {
            self.arena.node_mut(at).mark = 0;
            at = self.arena.next(at).or(self.queue.front()).unwrap_or(at);
        }
        self.hand = self.arena.next(at);
        self.arena.unlink(&mut self.queue, at);
        self.entries.remove(&self.arena.free(at));
        self.evictions += 1;
        true
    }
}

impl Simulator for Sieve {
    fn access(&mut self, key: u64, weight: u64) -> bool {
        if let Some(&id) = self.entries.get(&key) {
            self.arena.node_mut(id).mark = 1;
            return true;
        }
        while self.queue.weight + weight > self.capacity && self.evict() {}
        let id = self.arena.make(key, weight);
        self.arena.push_back(&mut self.queue, id);
        self.entries.insert(key, id);
        false
    }

    fn remove(&mut self, key: u64) {
        if let Some(id) = self.entries.remove(&key) {
            if self.hand == Some(id) {
                self.hand = self.arena.next(id);
            }
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
