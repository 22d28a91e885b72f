//! ARC (Megiddo, Modha 2003): what was used once and what was used again, each with a ghost list; a hit
//! in a ghost list moves the border between the two. With sizes, all lengths are weights.

use super::queue::{Arena, NodeId, Queue};
use super::simulated::Simulator;
use crate::request::KeyMap;

/// Used once lately; used again; and what has left each.
const RECENT: usize = 0;
const FREQUENT: usize = 1;
const RECENT_GHOST: usize = 2;
const FREQUENT_GHOST: usize = 3;

/// See the module's documentation.
pub(crate) struct Arc {
    capacity: u64,
    /// How much of the capacity is meant for what was used once.
    target: u64,
    arena: Arena,
    /// The least recently used at the front.
    queues: [Queue; 4],
    nodes: KeyMap<NodeId>,
    evictions: u64,
}

impl Arc {
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            target: 0,
            arena: Arena::default(),
            queues: Default::default(),
            nodes: KeyMap::default(),
            evictions: 0,
        }
    }

    fn weight(&self, queue: usize) -> u64 {
        self.queues[queue].weight
    }

    fn move_to(&mut self, id: NodeId, queue: usize) {
        let from = self.arena.node(id).place;
        self.arena.unlink(&mut self.queues[usize::from(from)], id);
        self.push(id, queue);
    }

    fn push(&mut self, id: NodeId, queue: usize) {
        self.arena.node_mut(id).place = queue as u8;
        self.arena.push_back(&mut self.queues[queue], id);
    }

    fn drop_first(&mut self, queue: usize) {
        if let Some(id) = self.arena.pop_front(&mut self.queues[queue]) {
            self.nodes.remove(&self.arena.free(id));
        }
    }

    /// Moves one entry to its ghost list.
    fn replace(&mut self, from_frequent_ghost: bool) {
        let recent = self.weight(RECENT);
        let over = recent > self.target || (from_frequent_ghost && recent == self.target);
        let takes_recent = recent > 0 && (over || self.weight(FREQUENT) == 0);
        let queue = if takes_recent { RECENT } else { FREQUENT };
        if let Some(id) = self.queues[queue].front() {
            self.move_to(id, queue + 2);
            self.evictions += 1;
        }
    }

    fn adapt(&mut self, ghost: usize, weight: u64) {
        let (recent, frequent) = (self.weight(RECENT_GHOST), self.weight(FREQUENT_GHOST));
        if ghost == RECENT_GHOST {
            let step = (frequent / recent.max(1)).max(1).saturating_mul(weight);
            self.target = self.target.saturating_add(step).min(self.capacity);
        } else {
            let step = (recent / frequent.max(1)).max(1).saturating_mul(weight);
            self.target = self.target.saturating_sub(step);
        }
    }

    fn make_room(&mut self, weight: u64, from_frequent_ghost: bool) {
        while self.weight(RECENT) + self.weight(FREQUENT) + weight > self.capacity {
            self.replace(from_frequent_ghost);
        }
    }

    /// What is remembered stays within twice the capacity, the recent half within one.
    fn trim(&mut self, weight: u64) {
        let recent = |arc: &Self| arc.weight(RECENT) + arc.weight(RECENT_GHOST) + weight;
        while recent(self) > self.capacity && self.queues[RECENT_GHOST].length > 0 {
            self.drop_first(RECENT_GHOST);
        }
        // No ghosts left: the oldest goes for good.
        while recent(self) > self.capacity && self.queues[RECENT].length > 0 {
            self.drop_first(RECENT);
            self.evictions += 1;
        }
        let all = |arc: &Self| {
            (RECENT..=FREQUENT_GHOST)
                .map(|queue| arc.weight(queue))
                .sum::<u64>()
        };
        while all(self) + weight > 2 * self.capacity && self.queues[FREQUENT_GHOST].length > 0 {
            self.drop_first(FREQUENT_GHOST);
        }
    }
}

impl Simulator for Arc {
    fn access(&mut self, key: u64, weight: u64) -> bool {
        let Some(&id) = self.nodes.get(&key) else {
            self.trim(weight);
            self.make_room(weight, false);
            let id = self.arena.make(key, weight);
            self.push(id, RECENT);
            self.nodes.insert(key, id);
            return false;
        };
        match usize::from(self.arena.node(id).place) {
            RECENT | FREQUENT => {
                self.move_to(id, FREQUENT);
                true
            }
            ghost => {
                self.adapt(ghost, weight);
                // Out of its ghost list first: it must not be trimmed while room is made.
                self.arena.unlink(&mut self.queues[ghost], id);
                self.make_room(weight, ghost == FREQUENT_GHOST);
                self.arena.node_mut(id).weight = weight;
                self.push(id, FREQUENT);
                false
            }
        }
    }

    fn remove(&mut self, key: u64) {
        if let Some(id) = self.nodes.remove(&key) {
            let queue = usize::from(self.arena.node(id).place);
            self.arena.unlink(&mut self.queues[queue], id);
            self.arena.free(id);
        }
    }

    fn weight_of(&self, key: u64) -> Option<u64> {
        let node = self.arena.node(*self.nodes.get(&key)?);
        let is_held = usize::from(node.place) <= FREQUENT;
        is_held.then_some(node.weight)
    }

    fn evictions(&self) -> u64 {
        self.evictions
    }

    fn entries(&self) -> u64 {
        self.queues[RECENT].length + self.queues[FREQUENT].length
    }
}
