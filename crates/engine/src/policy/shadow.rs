//! Miniatures of the cache that hold nothing but keys: what would it hit under each setting?
//!
//! Each has the same three rings and the same contest as the real one (`eviction`), without sizes, expiry and memory. All
//! follow the same keys, so what they know of a key lies in one node, which is looked up once for all of them
//! ([`nodes`]). Whoever leaves a ring or changes it is the first of it, so rings are queues, linked in one direction.
//!
//! Together they hold 1.3 to 3 times as many keys as one of them (nine real traces, 1, 10 and 20 % of their keys), and
//! there are nodes for 2.75 times as many. Where that is not enough each gives up a key, and the miniatures are made to
//! stand for fewer ([`Shadows::is_crowded`]).

mod either;
mod nodes;

use super::{
    Admission, EVERYBODY, HAND_STEPS_MAX, Random, SETTINGS, WINDOW_MOVES_PER_INSERT, admits,
};
use crate::hash::KeyHash;
use crate::heap::OutOfMemory;
use nodes::{Known, Node, Nodes, Number};

pub(crate) use either::Miniatures;
pub(crate) use nodes::Use;

const WINDOW: usize = 0;
const PROBATION: usize = 1;
const PROTECTED: usize = 2;
const RINGS: usize = 3;
/// Nodes for the entries of one miniature, in quarters: see the module's documentation.
const NODES_QUARTERS: usize = 11;
/// Places to find them, for each entry.
const PLACES_PER_ENTRY: usize = 2;

/// A ring of one setting. Where it has no entry, `first` and `last` mean nothing.
#[derive(Clone, Copy)]
struct Ring<N> {
    first: N,
    last: N,
    len: u16,
}

impl<N: Number> Ring<N> {
    const EMPTY: Self = Self {
        first: N::NOBODY,
        last: N::NOBODY,
        len: 0,
    };
}

/// The rings of one setting. Its methods are given the setting's number: where that is a constant they are compiled for
/// that setting alone.
struct Shadow<N> {
    rings: [Ring<N>; RINGS],
    /// Of all rings.
    len: u16,
}

/// What the contests ask.
struct Judge<'a> {
    /// Of the sketch.
    generation: u64,
    random: &'a mut Random,
}

/// See the module's documentation.
pub(crate) struct Shadows<N> {
    nodes: Nodes<N>,
    shadows: [Shadow<N>; SETTINGS.len()],
    entries_max: u16,
    /// Entries of each; at most `entries_max`.
    capacity: u16,
    /// There were not enough nodes for so many entries.
    is_crowded: bool,
}

impl<N: Number> Shadow<N> {
    fn new() -> Self {
        Self {
            rings: [Ring::EMPTY; RINGS],
            len: 0,
        }
    }

    /// A key that is not held is used: there is room for it afterwards.
    #[inline(always)]
    fn make_room(
        &mut self,
        setting: usize,
        nodes: &mut Nodes<N>,
        capacity: u16,
        judge: &mut Judge,
    ) {
        self.shrink_window(setting, nodes, capacity);
        while self.len >= capacity {
            self.evict_once(setting, nodes, judge);
        }
    }

    /// As `LockedShard::settle_window`.
    #[inline(always)]
    fn shrink_window(&mut self, setting: usize, nodes: &mut Nodes<N>, capacity: u16) {
        let slack = if self.len >= capacity { 2 } else { 0 };
        for _ in 0..WINDOW_MOVES_PER_INSERT {
            let len = self.rings[WINDOW].len;
            if len < 2 || !self.window_exceeds(setting, len.saturating_sub(slack)) {
                return;
            }
            self.move_first(setting, nodes, WINDOW, PROBATION);
        }
    }

    #[inline(always)]
    fn window_exceeds(&self, setting: usize, len: u16) -> bool {
        u64::from(len) * 1000 > u64::from(self.len) * SETTINGS[setting].window_permille
    }

    #[inline(always)]
    fn evict_once(&mut self, setting: usize, nodes: &mut Nodes<N>, judge: &mut Judge) {
        let is_over = self.window_exceeds(setting, self.rings[WINDOW].len);
        let has_candidate = is_over && self.hand(setting, nodes, WINDOW);
        let [first, second] = if SETTINGS[setting].clears_protected {
            [PROTECTED, PROBATION]
        } else {
            [PROBATION, PROTECTED]
        };
        let victim = if self.hand(setting, nodes, first) {
            first
        } else if self.hand(setting, nodes, second) {
            second
        } else {
            // Nobody is in the main space: the candidate, or whoever is first.
            WINDOW
        };
        let mut leaving = victim;
        if has_candidate && victim != WINDOW {
            if self.admits_over(setting, victim, nodes, judge) {
                self.move_first(setting, nodes, WINDOW, PROBATION);
            } else {
                leaving = WINDOW;
            }
        }
        if self.rings[leaving].len > 0 {
            let node = self.take_first(setting, nodes, leaving);
            self.len -= 1;
            nodes.leave(setting, node);
        }
    }

    /// Whether the first of the window may take the place of the first of another ring. As in `LockedShard::losers_to` the
    /// sketch is asked only for what matters.
    #[inline(always)]
    fn admits_over(
        &self,
        setting: usize,
        victim: usize,
        nodes: &Nodes<N>,
        judge: &mut Judge,
    ) -> bool {
        let admission = SETTINGS[setting].admission;
        if admission == EVERYBODY {
            return true;
        }
        let uses = |ring: usize| nodes.uses(self.rings[ring].first, judge.generation);
        let ours = uses(WINDOW);
        let is_decided = match admission {
            Admission::AtLeast(_) => ours > 0,
            Admission::MoreThan(lead) => 0 < ours && ours <= lead,
        };
        let theirs = if is_decided { 0 } else { uses(victim) };
        admits(admission, ours, theirs, judge.random)
    }

    /// As `LockedShard::hand`: whether there is somebody at it, who is the first of the ring then.
    #[inline(always)]
    fn hand(&mut self, setting: usize, nodes: &mut Nodes<N>, ring: usize) -> bool {
        if self.rings[ring].len == 0 {
            return false;
        }
        let first = nodes.known(self.rings[ring].first);
        first.hits(setting) == 0 || self.move_hand(setting, nodes, ring)
    }

    /// As [`Self::hand`], where the first was used.
    #[inline(never)]
    fn move_hand(&mut self, setting: usize, nodes: &mut Nodes<N>, ring: usize) -> bool {
        for _ in 0..HAND_STEPS_MAX {
            if self.rings[ring].len == 0 {
                return false;
            }
            let node = self.rings[ring].first;
            if nodes.known(node).hits(setting) == 0 {
                return true;
            }
            nodes.forget_hits(setting, node);
            if ring == WINDOW && SETTINGS[setting].promotes() {
                self.move_first(setting, nodes, WINDOW, PROBATION);
                return false;
            }
            if ring == PROBATION {
                self.move_first(setting, nodes, PROBATION, PROTECTED);
                self.demote_overflow(setting, nodes);
            } else {
                self.move_first(setting, nodes, ring, ring);
            }
        }
        self.rings[ring].len > 0
    }

    fn demote_overflow(&mut self, setting: usize, nodes: &mut Nodes<N>) {
        let share_permille = SETTINGS[setting].protected_permille;
        for _ in 0..HAND_STEPS_MAX {
            let protected = self.rings[PROTECTED];
            let main = protected.len + self.rings[PROBATION].len;
            if u64::from(protected.len) * 1000 <= u64::from(main) * share_permille {
                return;
            }
            let is_used = nodes.known(protected.first).hits(setting) > 0;
            nodes.forget_hits(setting, protected.first);
            let to = if is_used { PROTECTED } else { PROBATION };
            self.move_first(setting, nodes, PROTECTED, to);
        }
    }

    /// Puts the first of a ring last in another one, or in the same.
    #[inline(always)]
    fn move_first(&mut self, setting: usize, nodes: &mut Nodes<N>, from: usize, to: usize) {
        let node = self.take_first(setting, nodes, from);
        self.put_last(setting, nodes, to, node);
    }

    #[inline(always)]
    fn take_first(&mut self, setting: usize, nodes: &Nodes<N>, ring: usize) -> N {
        let ring = &mut self.rings[ring];
        let node = ring.first;
        ring.first = nodes.behind(setting, node);
        ring.len -= 1;
        node
    }

    #[inline(always)]
    fn put_last(&mut self, setting: usize, nodes: &mut Nodes<N>, ring: usize, node: N) {
        self.link_last(setting, nodes, ring, node);
        nodes.enter(setting, node, ring);
    }

    /// As [`Self::put_last`], but the node is not told.
    #[inline(always)]
    fn link_last(&mut self, setting: usize, nodes: &mut Nodes<N>, ring: usize, node: N) {
        let ring = &mut self.rings[ring];
        if ring.len == 0 {
            ring.first = node;
        } else {
            nodes.set_behind(setting, ring.last, node);
        }
        ring.last = node;
        ring.len += 1;
    }

    /// Gives up all keys but those that `keeps` says.
    fn keep(&mut self, setting: usize, nodes: &mut Nodes<N>, keeps: &impl Fn(KeyHash) -> bool) {
        for ring in 0..RINGS {
            for _ in 0..self.rings[ring].len {
                let node = self.take_first(setting, nodes, ring);
                if keeps(nodes.known(node).hash()) {
                    self.put_last(setting, nodes, ring, node);
                } else {
                    self.len -= 1;
                    nodes.leave(setting, node);
                }
            }
        }
    }
}

impl<N: Number> Shadows<N> {
    /// Bytes that miniatures of at most so many entries take.
    pub(crate) const fn bytes(entries_max: usize) -> usize {
        Self::nodes(entries_max) * size_of::<Node<N>>() + Self::places(entries_max) * size_of::<N>()
    }

    const fn places(entries_max: usize) -> usize {
        entries_max * PLACES_PER_ENTRY
    }

    const fn nodes(entries_max: usize) -> usize {
        entries_max * NODES_QUARTERS / 4
    }

    pub(crate) fn new(entries_max: usize) -> Result<Self, OutOfMemory> {
        Self::with_nodes(entries_max, Self::nodes(entries_max))
    }

    pub(super) fn with_nodes(entries_max: usize, nodes: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            nodes: Nodes::new(nodes, Self::places(entries_max))?,
            shadows: std::array::from_fn(|_| Shadow::new()),
            entries_max: entries_max as u16,
            capacity: entries_max as u16,
            is_crowded: false,
        })
    }

    /// Whether the miniatures had to give up keys for want of nodes since they were last resized: then they stand for
    /// less than they should.
    pub(crate) fn is_crowded(&self) -> bool {
        self.is_crowded
    }

    /// Whether the miniature of a setting is full.
    pub(crate) fn is_full(&self, setting: usize) -> bool {
        self.shadows[setting].len >= self.capacity
    }

    /// Each holds at most so many keys from now on, and only those that `keeps` says.
    pub(crate) fn resize(&mut self, capacity: usize, keeps: impl Fn(KeyHash) -> bool) {
        self.capacity = (capacity as u16).clamp(1, self.entries_max);
        self.is_crowded = false;
        for (setting, shadow) in self.shadows.iter_mut().enumerate() {
            shadow.keep(setting, &mut self.nodes, &keeps);
        }
    }

    /// A key is used: which settings had it (a bit each)? All have it afterwards.
    pub(crate) fn access(&mut self, hash: KeyHash, used: Use, random: &mut Random) -> u32 {
        let node = self.nodes.find(hash);
        let known = node.map_or(Known::NOTHING, |node| self.nodes.note_use(node, used));
        if !known.is_held_by_all() {
            let judge = Judge {
                generation: used.generation,
                random,
            };
            self.enter((hash, used), node, known, judge);
        }
        let bit = |setting: usize| u32::from(known.is_held_by(setting)) << setting;
        (0..SETTINGS.len()).map(bit).sum()
    }

    /// A key is used that stands so, not everywhere.
    fn enter(
        &mut self,
        (hash, used): (KeyHash, Use),
        node: Option<N>,
        known: Known,
        mut judge: Judge,
    ) {
        // Constants, see `Shadow`.
        self.make_room_for(known, 0, &mut judge);
        self.make_room_for(known, 1, &mut judge);
        self.make_room_for(known, 2, &mut judge);
        self.make_room_for(known, 3, &mut judge);
        self.make_room_for(known, 4, &mut judge);
        let node = node.unwrap_or_else(|| self.add(hash, used, &mut judge));
        self.put_into_window(known, 0, node);
        self.put_into_window(known, 1, node);
        self.put_into_window(known, 2, node);
        self.put_into_window(known, 3, node);
        self.put_into_window(known, 4, node);
        self.nodes.enter_where_absent(node, WINDOW);
    }

    #[inline(always)]
    fn make_room_for(&mut self, known: Known, setting: usize, judge: &mut Judge) {
        if !known.is_held_by(setting) {
            let shadow = &mut self.shadows[setting];
            shadow.make_room(setting, &mut self.nodes, self.capacity, judge);
        }
    }

    #[inline(always)]
    fn put_into_window(&mut self, known: Known, setting: usize, node: N) {
        if !known.is_held_by(setting) {
            let shadow = &mut self.shadows[setting];
            shadow.link_last(setting, &mut self.nodes, WINDOW, node);
            shadow.len += 1;
        }
    }

    /// A node for a key that nobody holds.
    #[inline(always)]
    fn add(&mut self, hash: KeyHash, used: Use, judge: &mut Judge) -> N {
        while !self.nodes.has_free() {
            self.evict_everywhere(judge);
        }
        self.nodes.add(hash, used)
    }

    #[cold]
    fn evict_everywhere(&mut self, judge: &mut Judge) {
        self.is_crowded = true;
        for (setting, shadow) in self.shadows.iter_mut().enumerate() {
            shadow.evict_once(setting, &mut self.nodes, judge);
        }
    }
}

const _: () = assert!(SETTINGS.len() == 5, "`enter` names each");

#[cfg(test)]
mod tests;
