//! The keys that the miniatures hold: one node for each key, whichever of them hold it, and a table to find it.
//!
//! Nodes name each other by number; a key is known by 48 bits of its hash. Everything is allocated at the start.
//!
//! Invariant: a node is in the table as long as a setting holds it, and else in the list of free ones.

use super::RINGS;
use crate::hash::KeyHash;
use crate::heap::{self, OutOfMemory};
use crate::policy::SETTINGS;

const NOBODY: u16 = u16::MAX;
const HITS_MAX: u32 = 3;
/// What a node keeps of a hash: neither the shard nor the lowest bits; that which says who is sampled is among it.
const KEPT_BITS: u64 = 0x00ff_ffff_ffff_ff00;
const KEPT_SHIFT: u32 = KEPT_BITS.trailing_zeros();

/// Where a key stands in each setting: four bits, of which two are the ring and one more (0: not held), and two the hits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing(u32);

const BITS_PER_SETTING: usize = 4;
const RING_MASK: u32 = 0b0011;
const HITS_SHIFT: usize = 2;
/// The lowest of each setting's bits.
const EACH: u32 = 0x0001_1111;

const _: () = assert!(EACH.count_ones() as usize == SETTINGS.len());
const _: () = assert!(RINGS as u32 == RING_MASK);
const _: () = assert!(HITS_MAX << HITS_SHIFT | RING_MASK == (1 << BITS_PER_SETTING) - 1);

impl Standing {
    pub(super) const NOWHERE: Self = Self(0);

    fn held(self) -> u32 {
        (self.0 | self.0 >> 1) & EACH
    }

    #[inline(always)]
    pub(super) fn is_held_by(self, setting: usize) -> bool {
        self.0 >> (setting * BITS_PER_SETTING) & RING_MASK != 0
    }

    pub(super) fn is_held_by_all(self) -> bool {
        self.held() == EACH
    }

    #[inline(always)]
    pub(super) fn hits(self, setting: usize) -> u32 {
        self.0 >> (setting * BITS_PER_SETTING + HITS_SHIFT) & HITS_MAX
    }

    /// One hit more wherever the key is held, up to [`HITS_MAX`].
    fn raise_hits(&mut self) {
        let hits = self.0 >> HITS_SHIFT;
        let is_most = hits & hits >> 1 & EACH;
        self.0 += (self.held() & !is_most) << HITS_SHIFT;
    }

    fn forget_hits(&mut self, setting: usize) {
        self.0 &= !(HITS_MAX << (setting * BITS_PER_SETTING + HITS_SHIFT));
    }

    /// Puts the key into a ring, with the hits that it has.
    fn enter(&mut self, setting: usize, ring: usize) {
        let shift = setting * BITS_PER_SETTING;
        self.0 = self.0 & !(RING_MASK << shift) | (ring as u32 + 1) << shift;
    }

    /// Puts the key into a ring of each setting that doesn't hold it.
    fn enter_where_absent(&mut self, ring: usize) {
        self.0 |= (EACH & !self.held()) * (ring as u32 + 1);
    }

    fn leave(&mut self, setting: usize) {
        self.0 &= !(((1 << BITS_PER_SETTING) - 1) << (setting * BITS_PER_SETTING));
    }
}

/// What is known of a key.
#[derive(Clone, Copy)]
#[repr(C, packed(2))]
pub(super) struct Node {
    standing: Standing,
    /// The 48 bits of [`KEPT_BITS`].
    hash: [u16; 3],
    /// In the ring of each setting the node behind this one. Of the last node of a ring it means nothing.
    behind: [u16; SETTINGS.len()],
    /// The next node of the same place of the table; of a free node the next free one.
    chained: u16,
}

const _: () = assert!(size_of::<Node>() == 22);

impl Node {
    fn free(number: usize, count: usize) -> Self {
        let is_last = number + 1 >= count;
        Self {
            standing: Standing::NOWHERE,
            hash: [0; 3],
            behind: [NOBODY; SETTINGS.len()],
            chained: if is_last { NOBODY } else { number as u16 + 1 },
        }
    }

    fn hash(&self) -> KeyHash {
        let [low, middle, high] = self.hash.map(u64::from);
        KeyHash((high << 32 | middle << 16 | low) << KEPT_SHIFT)
    }

    fn set_hash(&mut self, hash: KeyHash) {
        let kept = hash.0 >> KEPT_SHIFT;
        self.hash = [kept as u16, (kept >> 16) as u16, (kept >> 32) as u16];
    }
}

/// See the module's documentation.
pub(super) struct Nodes {
    nodes: Box<[Node]>,
    /// The first node of each place.
    places: Box<[u16]>,
    first_free: u16,
}

impl Nodes {
    /// `count` is below 65,535.
    pub(super) fn new(count: usize, places: usize) -> Result<Self, OutOfMemory> {
        debug_assert!(count < NOBODY as usize);
        Ok(Self {
            nodes: heap::slice(count, |number| Node::free(number, count))?,
            places: heap::slice(places, |_| NOBODY)?,
            first_free: 0,
        })
    }

    /// What is known of a key: other bits of its hash must be zero.
    pub(super) fn kept(hash: KeyHash) -> KeyHash {
        KeyHash(hash.0 & KEPT_BITS)
    }

    #[inline(always)]
    fn node(&self, node: u16) -> &Node {
        &self.nodes[node as usize]
    }

    #[inline(always)]
    fn node_mut(&mut self, node: u16) -> &mut Node {
        &mut self.nodes[node as usize]
    }

    #[inline(always)]
    pub(super) fn hash(&self, node: u16) -> KeyHash {
        self.node(node).hash()
    }

    #[inline(always)]
    pub(super) fn standing(&self, node: u16) -> Standing {
        self.node(node).standing
    }

    #[inline(always)]
    fn change(&mut self, node: u16, change: impl FnOnce(&mut Standing)) -> Standing {
        let node = self.node_mut(node);
        // A copy, since a packed field has no reference.
        let mut standing = node.standing;
        change(&mut standing);
        node.standing = standing;
        standing
    }

    /// The node behind another one, which is not the last of its ring.
    #[inline(always)]
    pub(super) fn behind(&self, setting: usize, node: u16) -> u16 {
        self.node(node).behind[setting]
    }

    #[inline(always)]
    pub(super) fn set_behind(&mut self, setting: usize, node: u16, behind: u16) {
        self.node_mut(node).behind[setting] = behind;
    }

    #[inline(always)]
    pub(super) fn enter(&mut self, setting: usize, node: u16, ring: usize) {
        self.change(node, |standing| standing.enter(setting, ring));
    }

    pub(super) fn enter_where_absent(&mut self, node: u16, ring: usize) {
        self.change(node, |standing| standing.enter_where_absent(ring));
    }

    /// A key was hit wherever it is held: where is that?
    pub(super) fn raise_hits(&mut self, node: u16) -> Standing {
        self.change(node, Standing::raise_hits)
    }

    pub(super) fn forget_hits(&mut self, setting: usize, node: u16) {
        self.change(node, |standing| standing.forget_hits(setting));
    }

    /// A setting holds a node no longer. If none does it is free.
    pub(super) fn leave(&mut self, setting: usize, node: u16) {
        let standing = self.change(node, |standing| standing.leave(setting));
        if standing == Standing::NOWHERE {
            self.set_free(node);
        }
    }

    fn place_of(&self, hash: KeyHash) -> usize {
        // The bits that decide who is sampled are no help here.
        (hash.sketch() as u32 as usize * self.places.len()) >> u32::BITS
    }

    pub(super) fn find(&self, hash: KeyHash) -> Option<u16> {
        let mut node = self.places[self.place_of(hash)];
        while node != NOBODY {
            if self.hash(node) == hash {
                return Some(node);
            }
            node = self.node(node).chained;
        }
        None
    }

    pub(super) fn has_free(&self) -> bool {
        self.first_free != NOBODY
    }

    /// A node for a key that has none. One must be free; a setting must hold it soon.
    pub(super) fn add(&mut self, hash: KeyHash) -> u16 {
        let (node, place) = (self.first_free, self.place_of(hash));
        let chained = std::mem::replace(&mut self.places[place], node);
        let entry = self.node_mut(node);
        entry.set_hash(hash);
        let next_free = std::mem::replace(&mut entry.chained, chained);
        self.first_free = next_free;
        node
    }

    fn set_free(&mut self, node: u16) {
        let place = self.place_of(self.hash(node));
        let chained = self.node(node).chained;
        if self.places[place] == node {
            self.places[place] = chained;
        } else {
            let mut before = self.places[place];
            while self.node(before).chained != node {
                before = self.node(before).chained;
            }
            self.node_mut(before).chained = chained;
        }
        self.node_mut(node).chained = self.first_free;
        self.first_free = node;
    }

    /// The keys that are held, and where.
    #[cfg(test)]
    pub(super) fn held(&self) -> impl Iterator<Item = (KeyHash, Standing)> {
        let held = (self.nodes.iter()).filter(|node| { node.standing } != Standing::NOWHERE);
        held.map(|node| (node.hash(), { node.standing }))
    }

    #[cfg(test)]
    pub(super) fn free_count(&self) -> usize {
        let exists = |node: &u16| *node != NOBODY;
        let next = |node: &u16| Some(self.node(*node).chained).filter(exists);
        std::iter::successors(Some(self.first_free).filter(exists), next).count()
    }
}
