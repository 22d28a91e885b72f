//! A miniature of the cache that holds nothing but keys: what would it hit under one setting?
//!
//! The same three rings and the same contest as the real one's (`eviction`), without sizes, expiry
//! and memory. Keys are known by 48 bits of their hash; nodes name each other by number, and
//! numbers are found through a table with open addressing. Everything is allocated at the start.

use super::sketch::Sketch;
use super::{HAND_STEPS_MAX, Random, Setting, WINDOW_MOVES_PER_INSERT, admits};
use crate::hash::KeyHash;
use crate::heap::{self, OutOfMemory};

const NOBODY: u16 = u16::MAX;
const HITS_MAX: u8 = 3;
const WINDOW: usize = 0;
const PROBATION: usize = 1;
const PROTECTED: usize = 2;
/// Nodes that are not in use, chained by `next`.
const FREE: usize = 3;
const RINGS: usize = 4;
/// What a node keeps of a hash: neither the shard nor the lowest bits; that which says who is sampled is among it.
const KEPT_BITS: u64 = 0x00ff_ffff_ffff_ff00;
const KEPT_SHIFT: u32 = KEPT_BITS.trailing_zeros();

#[derive(Clone, Copy)]
struct Node {
    /// The 48 bits of [`KEPT_BITS`]: a node takes 12 bytes, and more of them fit into the shadows' share.
    hash: [u16; 3],
    prev: u16,
    next: u16,
    ring: u8,
    hits: u8,
}

const _: () = assert!(size_of::<Node>() == 12);

impl Node {
    fn hash(&self) -> KeyHash {
        let [low, middle, high] = self.hash.map(u64::from);
        KeyHash((high << 32 | middle << 16 | low) << KEPT_SHIFT)
    }

    fn set_hash(&mut self, hash: KeyHash) {
        let kept = hash.0 >> KEPT_SHIFT;
        self.hash = [kept as u16, (kept >> 16) as u16, (kept >> 32) as u16];
    }
}

#[derive(Clone, Copy)]
struct Ring {
    first: u16,
    last: u16,
    len: usize,
}

/// See the module's documentation.
pub(crate) struct Shadow {
    setting: Setting,
    nodes: Box<[Node]>,
    /// Node numbers by hash; a power of two, at most half full.
    table: Box<[u16]>,
    rings: [Ring; RINGS],
    /// At most the number of nodes.
    capacity: usize,
}

impl Shadow {
    /// Bytes that a shadow of at most so many entries takes.
    pub(crate) const fn bytes(entries_max: usize) -> usize {
        entries_max * size_of::<Node>() + Self::places(entries_max) * size_of::<u16>()
    }

    /// Places of the table.
    const fn places(entries_max: usize) -> usize {
        (entries_max * 2).next_power_of_two()
    }

    pub(crate) fn new(setting: Setting, entries_max: usize) -> Result<Self, OutOfMemory> {
        let empty = Node {
            hash: [0; 3],
            prev: NOBODY,
            next: NOBODY,
            ring: FREE as u8,
            hits: 0,
        };
        let ring = Ring {
            first: NOBODY,
            last: NOBODY,
            len: 0,
        };
        let mut shadow = Self {
            setting,
            nodes: heap::slice(entries_max, |_| empty)?,
            table: heap::slice(Self::places(entries_max), |_| NOBODY)?,
            rings: [ring; RINGS],
            capacity: entries_max,
        };
        (0..entries_max as u16).for_each(|node| shadow.link_last(FREE, node));
        Ok(shadow)
    }

    /// What is known of a key: shadows, and the sketch that they ask, are given no more.
    pub(crate) fn kept(hash: KeyHash) -> KeyHash {
        KeyHash(hash.0 & KEPT_BITS)
    }

    pub(crate) fn len(&self) -> usize {
        self.rings[..FREE].iter().map(|ring| ring.len).sum()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Holds at most so many keys from now on, and only those that `keeps` says.
    pub(crate) fn resize(&mut self, capacity: usize, keeps: impl Fn(KeyHash) -> bool) {
        self.capacity = capacity.clamp(1, self.nodes.len());
        for node in 0..self.nodes.len() as u16 {
            let entry = self.nodes[node as usize];
            if entry.ring as usize != FREE && !keeps(entry.hash()) {
                self.remove(node);
            }
        }
    }

    /// A key is used: was it there? It is afterwards.
    pub(crate) fn access(&mut self, hash: KeyHash, sketch: &Sketch, random: &mut Random) -> bool {
        debug_assert_eq!(hash, Self::kept(hash));
        if let Some(place) = self.place_of(hash) {
            let node = &mut self.nodes[self.table[place] as usize];
            node.hits = (node.hits + 1).min(HITS_MAX);
            return true;
        }
        self.shrink_window();
        while self.is_full() {
            self.evict_once(sketch, random);
        }
        let node = self.rings[FREE].first;
        self.unlink(node);
        self.nodes[node as usize].set_hash(hash);
        self.nodes[node as usize].hits = 0;
        self.link_last(WINDOW, node);
        let place = self.free_place(hash);
        self.table[place] = node;
        false
    }

    /// As `LockedShard::settle_window`.
    fn shrink_window(&mut self) {
        let slack = if self.is_full() { 2 } else { 0 };
        for _ in 0..WINDOW_MOVES_PER_INSERT {
            let ring = self.rings[WINDOW];
            if ring.len < 2 || !self.window_exceeds(ring.len.saturating_sub(slack)) {
                return;
            }
            self.move_to(PROBATION, ring.first);
        }
    }

    fn window_exceeds(&self, len: usize) -> bool {
        len as u64 * 1000 > self.len() as u64 * self.setting.window_permille
    }

    fn evict_once(&mut self, sketch: &Sketch, random: &mut Random) {
        let candidate = if self.window_exceeds(self.rings[WINDOW].len) {
            self.hand(WINDOW)
        } else {
            None
        };
        let [first, second] = if self.setting.clears_protected {
            [PROTECTED, PROBATION]
        } else {
            [PROBATION, PROTECTED]
        };
        let victim = self.hand(first).or_else(|| self.hand(second));
        let leaving = match (candidate, victim) {
            (Some(candidate), Some(victim)) => {
                let frequency = |node: u16| sketch.frequency(self.nodes[node as usize].hash());
                let (ours, theirs) = (frequency(candidate), frequency(victim));
                if admits(self.setting.admission, ours, theirs, random) {
                    self.move_to(PROBATION, candidate);
                    victim
                } else {
                    candidate
                }
            }
            (Some(only), None) | (None, Some(only)) => only,
            // Nobody is in the main space, and the window is within its share or all of it was read.
            (None, None) => self.rings[WINDOW].first,
        };
        if leaving != NOBODY {
            self.remove(leaving);
        }
    }

    /// As `LockedShard::hand`.
    fn hand(&mut self, ring: usize) -> Option<u16> {
        for _ in 0..HAND_STEPS_MAX {
            let node = self.rings[ring].first;
            if node == NOBODY {
                return None;
            }
            if self.nodes[node as usize].hits == 0 {
                return Some(node);
            }
            self.nodes[node as usize].hits = 0;
            if ring == WINDOW && self.setting.promotes() {
                self.move_to(PROBATION, node);
                return None;
            }
            if ring == PROBATION {
                self.move_to(PROTECTED, node);
                self.demote_overflow();
            } else {
                self.move_to(ring, node);
            }
        }
        Some(self.rings[ring].first).filter(|node| *node != NOBODY)
    }

    fn demote_overflow(&mut self) {
        for _ in 0..HAND_STEPS_MAX {
            let protected = self.rings[PROTECTED];
            let main = protected.len + self.rings[PROBATION].len;
            if protected.len as u64 * 1000 <= main as u64 * self.setting.protected_permille {
                return;
            }
            let node = &mut self.nodes[protected.first as usize];
            let to = if node.hits > 0 { PROTECTED } else { PROBATION };
            node.hits = 0;
            self.move_to(to, protected.first);
        }
    }

    fn move_to(&mut self, ring: usize, node: u16) {
        self.unlink(node);
        self.link_last(ring, node);
    }

    fn link_last(&mut self, ring: usize, node: u16) {
        let last = self.rings[ring].last;
        let entry = &mut self.nodes[node as usize];
        (entry.prev, entry.next, entry.ring) = (last, NOBODY, ring as u8);
        match last {
            NOBODY => self.rings[ring].first = node,
            _ => self.nodes[last as usize].next = node,
        }
        self.rings[ring].last = node;
        self.rings[ring].len += 1;
    }

    fn unlink(&mut self, node: u16) {
        let Node {
            prev, next, ring, ..
        } = self.nodes[node as usize];
        let ring = ring as usize;
        match prev {
            NOBODY => self.rings[ring].first = next,
            _ => self.nodes[prev as usize].next = next,
        }
        match next {
            NOBODY => self.rings[ring].last = prev,
            _ => self.nodes[next as usize].prev = prev,
        }
        self.rings[ring].len -= 1;
    }

    fn home(&self, hash: KeyHash) -> usize {
        // The bits that decide who is sampled are no help here.
        hash.sketch() as usize & (self.table.len() - 1)
    }

    fn place_of(&self, hash: KeyHash) -> Option<usize> {
        let mut place = self.home(hash);
        while self.table[place] != NOBODY {
            if self.nodes[self.table[place] as usize].hash() == hash {
                return Some(place);
            }
            place = (place + 1) & (self.table.len() - 1);
        }
        None
    }

    fn free_place(&self, hash: KeyHash) -> usize {
        let mut place = self.home(hash);
        while self.table[place] != NOBODY {
            place = (place + 1) & (self.table.len() - 1);
        }
        place
    }

    fn remove(&mut self, node: u16) {
        let place = self.place_of(self.nodes[node as usize].hash());
        self.move_to(FREE, node);
        if let Some(place) = place {
            self.take_out(place);
        }
    }

    /// Empties a place of the table, and moves what was put behind it for want of that place.
    fn take_out(&mut self, mut hole: usize) {
        let mask = self.table.len() - 1;
        let mut place = hole;
        loop {
            place = (place + 1) & mask;
            let node = self.table[place];
            if node == NOBODY {
                break;
            }
            let home = self.home(self.nodes[node as usize].hash());
            // The distance that it came, against the distance to the hole.
            if place.wrapping_sub(home) & mask >= place.wrapping_sub(hole) & mask {
                self.table[hole] = node;
                hole = place;
            }
        }
        self.table[hole] = NOBODY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::KeyHasher;
    use crate::policy::SETTINGS;
    use std::collections::HashSet;

    fn hash(n: u64) -> KeyHash {
        Shadow::kept(KeyHasher::new(1).hash(&n.to_le_bytes()))
    }

    fn held(shadow: &Shadow) -> HashSet<u64> {
        let nodes = shadow.nodes.iter();
        let used = nodes.filter(|node| node.ring as usize != FREE);
        used.map(|node| node.hash().0).collect()
    }

    #[test]
    fn rings_and_table_agree_whatever_was_asked_for() {
        for setting in SETTINGS {
            let (mut shadow, mut random) = (Shadow::new(setting, 50).unwrap(), Random::new(7));
            let sketch = Sketch::new(4096).unwrap();
            for step in 0..4_000u64 {
                let key = hash(random.next() % 16 * (random.next() % 16));
                let before = held(&shadow);
                sketch.count(key, 1);
                let hit = shadow.access(key, &sketch, &mut random);
                assert_eq!(hit, before.contains(&key.0));
                if step % 200 == 199 {
                    let capacity = 20 + step as usize / 200;
                    shadow.resize(capacity, |hash| !hash.0.is_multiple_of(3));
                }
                assert!(shadow.place_of(key).is_none() || held(&shadow).contains(&key.0));
                let found = held(&shadow).len();
                assert_eq!(found, shadow.len());
                assert_eq!(
                    shadow.table.iter().filter(|node| **node != NOBODY).count(),
                    found
                );
                let places = held(&shadow);
                assert!(
                    places
                        .iter()
                        .all(|key| shadow.place_of(KeyHash(*key)).is_some())
                );
            }
        }
    }

    #[test]
    fn a_loop_that_is_a_little_too_large_still_hits_where_ties_are_refused() {
        let (mut shadow, mut random) = (Shadow::new(SETTINGS[0], 100).unwrap(), Random::new(7));
        let sketch = Sketch::new(8192).unwrap();
        sketch.set_entries(100);
        let mut hits = 0;
        for n in 0..12_000 {
            let key = hash(n % 120);
            sketch.count(key, 1);
            hits += usize::from(shadow.access(key, &sketch, &mut random));
        }
        assert!(hits > 12_000 / 2, "{hits}");
    }
}
