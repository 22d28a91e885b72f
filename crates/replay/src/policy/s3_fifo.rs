//! S3-FIFO (Yang et al. 2023): a small queue that newcomers pass through, a main queue for those that
//! were used meanwhile, and a ghost queue that remembers who left the small one.

use super::queue::{Arena, NodeId, Queue};
use super::simulated::Simulator;
use crate::request::KeyMap;

/// The small queue's part of the capacity, in percent.
const SMALL_PERCENT: u64 = 10;
/// Uses that count.
const USES_MAX: u32 = 3;
/// Uses in the small queue that lead into the main one.
const USES_TO_MOVE: u32 = 2;

const SMALL: u8 = 0;
const MAIN: u8 = 1;
const GHOST: u8 = 2;

/// See the module's documentation.
pub(crate) struct S3Fifo {
    capacity: u64,
    small_max: u64,
    arena: Arena,
    small: Queue,
    main: Queue,
    ghost: Queue,
    nodes: KeyMap<NodeId>,
    evictions: u64,
}

impl S3Fifo {
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            small_max: (capacity * SMALL_PERCENT / 100).max(1),
            arena: Arena::default(),
            small: Queue::default(),
            main: Queue::default(),
            ghost: Queue::default(),
            nodes: KeyMap::default(),
            evictions: 0,
        }
    }

    fn put(&mut self, id: NodeId, place: u8) {
        self.arena.node_mut(id).place = place;
        let queue = match place {
            SMALL => &mut self.small,
            MAIN => &mut self.main,
            _ => &mut self.ghost,
        };
        self.arena.push_back(queue, id);
    }

    fn take(&mut self, id: NodeId) {
        let queue = match self.arena.node(id).place {
            SMALL => &mut self.small,
            MAIN => &mut self.main,
            _ => &mut self.ghost,
        };
        self.arena.unlink(queue, id);
    }

    /// Evicts one entry; false if there is none.
    fn evict(&mut self) -> bool {
        let main_max = self.capacity - self.small_max;
        if self.small.length == 0 || self.main.weight > main_max {
            self.evict_main()
        } else {
            self.evict_small()
        }
    }

    fn evict_small(&mut self) -> bool {
        while let Some(id) = self.arena.pop_front(&mut self.small) {
            if self.arena.node(id).mark >= USES_TO_MOVE {
                self.arena.node_mut(id).mark = 0;
                self.put(id, MAIN);
                continue;
            }
            self.put(id, GHOST);
            self.trim_ghost();
            self.evictions += 1;
            return true;
        }
        self.evict_main()
    }

    fn trim_ghost(&mut self) {
        while self.ghost.weight > self.capacity - self.small_max {
            let Some(id) = self.arena.pop_front(&mut self.ghost) else {
                return;
            };
            self.nodes.remove(&self.arena.free(id));
        }
    }

    fn evict_main(&mut self) -> bool {
        while let Some(id) = self.arena.pop_front(&mut self.main) {
            let node = self.arena.node_mut(id);
            if node.mark == 0 {
                self.nodes.remove(&self.arena.free(id));
                self.evictions += 1;
                return true;
            }
            node.mark -= 1;
            self.put(id, MAIN);
        }
        false
    }
}

impl Simulator for S3Fifo {
    fn access(&mut self, key: u64, weight: u64) -> bool {
        let known = self.nodes.get(&key).copied();
        let resident = known.filter(|id| self.arena.node(*id).place != GHOST);
        if let Some(id) = resident {
            let node = self.arena.node_mut(id);
            node.mark = (node.mark + 1).min(USES_MAX);
            return true;
        }
        let place = if known.is_some() { MAIN } else { SMALL };
        self.remove(key);
        while self.small.weight + self.main.weight + weight > self.capacity && self.evict() {}
        let id = self.arena.make(key, weight);
        self.put(id, place);
        self.nodes.insert(key, id);
        false
    }

    fn remove(&mut self, key: u64) {
        if let Some(id) = self.nodes.remove(&key) {
            self.take(id);
            self.arena.free(id);
        }
    }

    fn weight_of(&self, key: u64) -> Option<u64> {
        let node = self.arena.node(*self.nodes.get(&key)?);
        (node.place != GHOST).then_some(node.weight)
    }

    fn evictions(&self) -> u64 {
        self.evictions
    }

    fn entries(&self) -> u64 {
        self.small.length + self.main.length
    }
}
