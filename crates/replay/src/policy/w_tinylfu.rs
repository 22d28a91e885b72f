//! W-TinyLFU (Einziger, Friedman, Manes 2017) with exact lists: a window, and behind an admission
//! filter a segmented LRU. With a fixed window, or one that climbs the hill of the hit rate as
//! Caffeine's does (period, step, decay and restart are those that Caffeine documents).

use super::queue::{Arena, NodeId, Queue};
use super::simulated::Simulator;
use crate::request::{KeyMap, mix};

const WINDOW: usize = 0;
const PROBATION: usize = 1;
const PROTECTED: usize = 2;

const WINDOW_PERCENT: u64 = 1;
const PROTECTED_PERCENT: u64 = 80;
/// A candidate at least this frequent is admitted once in [`RANDOM_ADMISSION_ONE_IN`] all the same.
const WARM_FREQUENCY: u32 = 6;
const RANDOM_ADMISSION_ONE_IN: u64 = 128;

/// Requests per entry between two steps of the climb.
const CLIMB_SAMPLE: u64 = 10;
const STEP_SHARE: f64 = 0.0625;
const STEP_DECAY: f64 = 0.98;
/// A change of the hit rate that starts the climb anew.
const RESTART_CHANGE: f64 = 0.05;

/// See the module's documentation.
pub(crate) struct WTinyLfu {
    capacity: u64,
    window_max: u64,
    arena: Arena,
    /// The least recently used at the front.
    queues: [Queue; 3],
    nodes: KeyMap<NodeId>,
    sketch: Sketch,
    climb: Option<Climb>,
    random: u64,
    evictions: u64,
    rejected: u64,
}

struct Climb {
    step: f64,
    last_rate: f64,
    hits: u64,
    requests: u64,
}

impl WTinyLfu {
    /// The window has a fixed part of the capacity.
    pub(crate) fn fixed(capacity: u64) -> Self {
        Self {
            capacity,
            window_max: (capacity * WINDOW_PERCENT / 100).max(1),
            arena: Arena::default(),
            queues: Default::default(),
            nodes: KeyMap::default(),
            sketch: Sketch::new(),
            climb: None,
            random: 1,
            evictions: 0,
            rejected: 0,
        }
    }

    /// The window's part adapts.
    pub(crate) fn climbing(capacity: u64) -> Self {
        Self {
            climb: Some(Climb {
                step: -STEP_SHARE * capacity as f64,
                last_rate: 0.0,
                hits: 0,
                requests: 0,
            }),
            ..Self::fixed(capacity)
        }
    }

    fn weight(&self) -> u64 {
        self.queues.iter().map(|queue| queue.weight).sum()
    }

    fn protected_max(&self) -> u64 {
        (self.capacity - self.window_max) * PROTECTED_PERCENT / 100
    }

    fn push(&mut self, id: NodeId, queue: usize) {
        self.arena.node_mut(id).place = queue as u8;
        self.arena.push_back(&mut self.queues[queue], id);
    }

    fn unlink(&mut self, id: NodeId) {
        let queue = usize::from(self.arena.node(id).place);
        self.arena.unlink(&mut self.queues[queue], id);
    }

    fn forget(&mut self, id: NodeId) {
        self.unlink(id);
        self.nodes.remove(&self.arena.free(id));
        self.evictions += 1;
    }

    fn touch(&mut self, id: NodeId) {
        let queue = usize::from(self.arena.node(id).place);
        self.unlink(id);
        self.push(id, if queue == PROBATION { PROTECTED } else { queue });
        self.demote();
    }

    fn demote(&mut self) {
        while self.queues[PROTECTED].weight > self.protected_max() {
            let Some(id) = self.arena.pop_front(&mut self.queues[PROTECTED]) else {
                return;
            };
            self.push(id, PROBATION);
        }
    }

    /// Lets what the window has too much contest what has stayed longest.
    fn evict(&mut self) {
        while self.queues[WINDOW].weight > self.window_max {
            let Some(candidate) = self.queues[WINDOW].front() else {
                break;
            };
            if self.weight() <= self.capacity {
                self.unlink(candidate);
                self.push(candidate, PROBATION);
            } else {
                self.contest(candidate);
            }
        }
        while self.weight() > self.capacity {
            let queues = [PROBATION, PROTECTED, WINDOW];
            let Some(victim) = queues
                .into_iter()
                .find_map(|queue| self.queues[queue].front())
            else {
                return;
            };
            self.forget(victim);
        }
    }

    fn contest(&mut self, candidate: NodeId) {
        let wanted = self.weight() - self.capacity;
        let frequency = self.sketch.frequency(self.arena.node(candidate).key);
        let (mut victims, mut freed, mut uses) = (Vec::new(), 0, 0);
        let mut at = self.queues[PROBATION]
            .front()
            .or(self.queues[PROTECTED].front());
        while let Some(victim) = at.filter(|_| freed < wanted) {
            freed += self.arena.node(victim).weight;
            uses += self.sketch.frequency(self.arena.node(victim).key);
            victims.push(victim);
            at = self.arena.next(victim);
        }
        let warm = frequency >= WARM_FREQUENCY
            && self.next_random().is_multiple_of(RANDOM_ADMISSION_ONE_IN);
        if freed >= wanted && (frequency > uses || warm) {
            victims.into_iter().for_each(|victim| self.forget(victim));
            self.unlink(candidate);
            self.push(candidate, PROBATION);
        } else {
            self.forget(candidate);
            self.rejected += 1;
        }
    }

    fn next_random(&mut self) -> u64 {
        self.random = mix(self.random);
        self.random >> 8
    }

    fn climb(&mut self, hit: bool) {
        let entries = self.nodes.len() as u64;
        let Some(climb) = &mut self.climb else {
            return;
        };
        climb.requests += 1;
        climb.hits += u64::from(hit);
        if climb.requests < CLIMB_SAMPLE * entries.max(1) {
            return;
        }
        let rate = climb.hits as f64 / climb.requests as f64;
        let change = rate - climb.last_rate;
        let amount = if change >= 0.0 {
            climb.step
        } else {
            -climb.step
        };
        climb.step = if change.abs() >= RESTART_CHANGE {
            STEP_SHARE * self.capacity as f64 * amount.signum()
        } else {
            STEP_DECAY * amount
        };
        (climb.last_rate, climb.hits, climb.requests) = (rate, 0, 0);
        let most = self.capacity.saturating_sub(1).max(1) as f64;
        self.window_max = (self.window_max as f64 + amount).clamp(1.0, most) as u64;
        self.demote();
        self.fill_window();
    }

    /// A window that has grown takes from the main space.
    fn fill_window(&mut self) {
        while self.weight() >= self.capacity {
            let Some(id) = self.queues[PROBATION]
                .front()
                .or(self.queues[PROTECTED].front())
            else {
                return;
            };
            if self.queues[WINDOW].weight + self.arena.node(id).weight > self.window_max {
                return;
            }
            self.unlink(id);
            self.push(id, WINDOW);
        }
    }
}

impl Simulator for WTinyLfu {
    fn access(&mut self, key: u64, weight: u64) -> bool {
        self.sketch.count(key, self.nodes.len());
        let known = self.nodes.get(&key).copied();
        if let Some(id) = known {
            self.touch(id);
        } else {
            let id = self.arena.make(key, weight);
            self.nodes.insert(key, id);
            self.push(id, WINDOW);
            self.evict();
        }
        self.climb(known.is_some());
        known.is_some()
    }

    fn remove(&mut self, key: u64) {
        if let Some(id) = self.nodes.remove(&key) {
            self.unlink(id);
            self.arena.free(id);
        }
    }

    fn weight_of(&self, key: u64) -> Option<u64> {
        let id = self.nodes.get(&key)?;
        Some(self.arena.node(*id).weight)
    }

    fn evictions(&self) -> u64 {
        self.evictions
    }

    fn rejected(&self) -> u64 {
        self.rejected
    }

    fn entries(&self) -> u64 {
        self.nodes.len() as u64
    }
}

/// A count-min sketch of four rows with counters up to 15, halved after ten counts per entry. It grows
/// with the cache.
struct Sketch {
    counters: Vec<u8>,
    counted: u64,
}

impl Sketch {
    const ROWS: u64 = 4;
    /// Counters per entry; a row has them all.
    const COUNTERS: usize = 16;
    const COUNT_MAX: u8 = 15;
    const SAMPLE: u64 = 10;

    fn new() -> Self {
        Self {
            counters: vec![0; 1_024],
            counted: 0,
        }
    }

    fn counter(&self, key: u64, row: u64) -> usize {
        mix(key ^ (row << 60)) as usize & (self.counters.len() - 1)
    }

    fn frequency(&self, key: u64) -> u32 {
        let counts = (0..Self::ROWS).map(|row| self.counters[self.counter(key, row)]);
        u32::from(counts.min().unwrap_or(0))
    }

    fn count(&mut self, key: u64, entries: usize) {
        if entries * Self::COUNTERS > self.counters.len() {
            // Every counter of the old size becomes two: estimates stay what they were.
            self.counters.extend_from_within(..);
        }
        let mut raised = false;
        for row in 0..Self::ROWS {
            let at = self.counter(key, row);
            if self.counters[at] < Self::COUNT_MAX {
                self.counters[at] += 1;
                raised = true;
            }
        }
        self.counted += u64::from(raised);
        if self.counted >= Self::SAMPLE * entries.max(16) as u64 {
            self.counters.iter_mut().for_each(|count| *count /= 2);
            self.counted /= 2;
        }
    }
}
