//! The keys that the miniatures hold: one node for each key, whichever of them hold it, and a table to find it.
//!
//! Nodes name each other by number; a key is known by 37 bits of its hash, and with it how often it was used. Everything is allocated at the start.
//!
//! Invariant: a node is in the table as long as a setting holds it, and else in the list of free ones.

use super::RINGS;
use crate::hash::KeyHash;
use crate::heap::{self, OutOfMemory};
use crate::policy::SETTINGS;
use crate::policy::sketch::COUNT_MAX;

const HITS_MAX: u64 = 3;

/// What nodes name each other by: as narrow as their number allows.
pub(crate) trait Number: Copy + PartialEq {
    /// No node has this number.
    const NOBODY: Self;
    /// As many nodes as can be told apart.
    const COUNT_MAX: usize;
    fn new(index: usize) -> Self;
    fn index(self) -> usize;
}

macro_rules! number {
    ($type:ty) => {
        impl Number for $type {
            const NOBODY: Self = Self::MAX;
            const COUNT_MAX: usize = Self::MAX as usize;

            #[inline(always)]
            fn new(index: usize) -> Self {
                index as Self
            }

            #[inline(always)]
            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

number!(u8);
number!(u16);

/// What is known of a key, in one word.
///
/// ```text
/// bit 63     27 26         23 22  20 19                                    0
///     hash       generation    uses   4: hits, ring   ...   0: hits, ring
/// ```
///
/// Of each setting two bits are the ring and one more (0: not held), and two the hits. Uses are what the sketch said when
/// the key was last used, in this generation of it (modulo 16, as the sketch itself has it). The hash lacks the bits of
/// the shard, which stand before those that say who is sampled, and the lowest ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Known(u64);

const BITS_PER_SETTING: usize = 4;
const RING_MASK: u64 = 0b0011;
const HITS_SHIFT: usize = 2;
/// The lowest of each setting's bits.
const EACH: u64 = 0x0001_1111;
const ALL_SETTINGS: u64 = EACH * ((1 << BITS_PER_SETTING) - 1);
const USES_SHIFT: u32 = 20;
const GENERATION_SHIFT: u32 = 23;
const GENERATION_MASK: u64 = 15;
const HASH_SHIFT: u32 = 27;
const SHARD_BITS: u32 = 8;

const _: () = assert!(EACH.count_ones() as usize == SETTINGS.len());
const _: () = assert!(RINGS as u64 == RING_MASK);
const _: () = assert!(HITS_MAX << HITS_SHIFT | RING_MASK == (1 << BITS_PER_SETTING) - 1);
const _: () = assert!(ALL_SETTINGS >> USES_SHIFT == 0);
const _: () = assert!(COUNT_MAX << USES_SHIFT >> GENERATION_SHIFT == 0);

/// What the sketch said of a key when it was used.
#[derive(Clone, Copy)]
pub(crate) struct Use {
    pub(crate) count: u32,
    pub(crate) generation: u64,
}

impl Known {
    pub(super) const NOTHING: Self = Self(0);

    fn of(hash: KeyHash, used: Use) -> Self {
        let mut known = Self::of_hash(hash);
        known.note_use(used);
        known
    }

    /// Of a key that is held nowhere.
    fn of_hash(hash: KeyHash) -> Self {
        Self(hash.0 << SHARD_BITS >> HASH_SHIFT << HASH_SHIFT)
    }

    fn note_use(&mut self, used: Use) {
        const MASK: u64 = COUNT_MAX << USES_SHIFT | GENERATION_MASK << GENERATION_SHIFT;
        let generation = used.generation & GENERATION_MASK;
        let noted = u64::from(used.count) << USES_SHIFT | generation << GENERATION_SHIFT;
        self.0 = self.0 & !MASK | noted;
    }

    /// Uses, halved as often as the sketch was since they were noted.
    #[inline(always)]
    fn uses(self, generation: u64) -> u32 {
        let halvings = generation.wrapping_sub(self.0 >> GENERATION_SHIFT) & GENERATION_MASK;
        ((self.0 >> USES_SHIFT & COUNT_MAX) >> halvings) as u32
    }

    #[inline(always)]
    fn is_of(self, hash: KeyHash) -> bool {
        (self.0 ^ hash.0 << SHARD_BITS) >> HASH_SHIFT == 0
    }

    #[inline(always)]
    pub(super) fn hash(self) -> KeyHash {
        KeyHash(self.0 >> HASH_SHIFT << (HASH_SHIFT - SHARD_BITS))
    }

    fn held(self) -> u64 {
        (self.0 | self.0 >> 1) & EACH
    }

    #[inline(always)]
    pub(super) fn is_held_by(self, setting: usize) -> bool {
        self.0 >> (setting * BITS_PER_SETTING) & RING_MASK != 0
    }

    pub(super) fn is_held_by_all(self) -> bool {
        self.held() == EACH
    }

    fn is_held_by_none(self) -> bool {
        self.0 & ALL_SETTINGS == 0
    }

    #[inline(always)]
    pub(super) fn hits(self, setting: usize) -> u32 {
        (self.0 >> (setting * BITS_PER_SETTING + HITS_SHIFT) & HITS_MAX) as u32
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
        self.0 = self.0 & !(RING_MASK << shift) | (ring as u64 + 1) << shift;
    }

    /// Puts the key into a ring of each setting that doesn't hold it.
    fn enter_where_absent(&mut self, ring: usize) {
        self.0 |= (EACH & !self.held()) * (ring as u64 + 1);
    }

    fn leave(&mut self, setting: usize) {
        self.0 &= !(((1 << BITS_PER_SETTING) - 1) << (setting * BITS_PER_SETTING));
    }
}

/// What is known of a key, and who comes next where.
#[derive(Clone, Copy)]
#[repr(C, packed(2))]
pub(super) struct Node<N> {
    known: Known,
    /// In the ring of each setting the node behind this one. Of the last node of a ring it means nothing.
    behind: [N; SETTINGS.len()],
    /// The next node of the same place of the table; of a free node the next free one.
    chained: N,
}

const _: () = assert!(size_of::<Node<u8>>() == 14);
const _: () = assert!(size_of::<Node<u16>>() == 20);

impl<N: Number> Node<N> {
    fn free(index: usize, count: usize) -> Self {
        let is_last = index + 1 >= count;
        Self {
            known: Known::NOTHING,
            behind: [N::NOBODY; SETTINGS.len()],
            chained: if is_last {
                N::NOBODY
            } else {
                N::new(index + 1)
            },
        }
    }
}

/// See the module's documentation.
pub(super) struct Nodes<N> {
    nodes: Box<[Node<N>]>,
    /// The first node of each place.
    places: Box<[N]>,
    first_free: N,
}

impl<N: Number> Nodes<N> {
    /// `count` is at most [`Number::COUNT_MAX`].
    pub(super) fn new(count: usize, places: usize) -> Result<Self, OutOfMemory> {
        debug_assert!(count <= N::COUNT_MAX);
        Ok(Self {
            nodes: heap::slice(count, |index| Node::free(index, count))?,
            places: heap::slice(places, |_| N::NOBODY)?,
            first_free: N::new(0),
        })
    }

    #[inline(always)]
    pub(super) fn known(&self, node: N) -> Known {
        self.nodes[node.index()].known
    }

    /// How often a key was used, in this generation of the sketch.
    #[inline(always)]
    pub(super) fn uses(&self, node: N, generation: u64) -> u32 {
        self.known(node).uses(generation)
    }

    #[inline(always)]
    fn change(&mut self, node: N, change: impl FnOnce(&mut Known)) -> Known {
        let node = &mut self.nodes[node.index()];
        // A copy, since a packed field has no reference.
        let mut known = node.known;
        change(&mut known);
        node.known = known;
        known
    }

    /// The node behind another one, which is not the last of its ring.
    #[inline(always)]
    pub(super) fn behind(&self, setting: usize, node: N) -> N {
        self.nodes[node.index()].behind[setting]
    }

    #[inline(always)]
    pub(super) fn set_behind(&mut self, setting: usize, node: N, behind: N) {
        self.nodes[node.index()].behind[setting] = behind;
    }

    #[inline(always)]
    pub(super) fn enter(&mut self, setting: usize, node: N, ring: usize) {
        self.change(node, |known| known.enter(setting, ring));
    }

    pub(super) fn enter_where_absent(&mut self, node: N, ring: usize) {
        self.change(node, |known| known.enter_where_absent(ring));
    }

    /// A key was hit wherever it is held: where is that?
    pub(super) fn note_use(&mut self, node: N, used: Use) -> Known {
        self.change(node, |known| {
            known.raise_hits();
            known.note_use(used);
        })
    }

    pub(super) fn forget_hits(&mut self, setting: usize, node: N) {
        self.change(node, |known| known.forget_hits(setting));
    }

    /// A setting holds a node no longer. If none does it is free.
    #[inline(always)]
    pub(super) fn leave(&mut self, setting: usize, node: N) {
        let known = self.change(node, |known| known.leave(setting));
        if known.is_held_by_none() {
            self.set_free(node, known.hash());
        }
    }

    fn place_of(&self, hash: KeyHash) -> usize {
        // The bits that decide who is sampled are no help here.
        (hash.sketch() as u32 as usize * self.places.len()) >> u32::BITS
    }

    /// What is kept of a hash decides where it is filed.
    fn place_of_kept(&self, hash: KeyHash) -> usize {
        self.place_of(Known::of_hash(hash).hash())
    }

    pub(super) fn find(&self, hash: KeyHash) -> Option<N> {
        let mut node = self.places[self.place_of_kept(hash)];
        while node != N::NOBODY {
            let Node { known, chained, .. } = self.nodes[node.index()];
            if known.is_of(hash) {
                return Some(node);
            }
            node = chained;
        }
        None
    }

    pub(super) fn has_free(&self) -> bool {
        self.first_free != N::NOBODY
    }

    /// A node for a key that has none. One must be free; a setting must hold it soon.
    pub(super) fn add(&mut self, hash: KeyHash, used: Use) -> N {
        let (node, place) = (self.first_free, self.place_of_kept(hash));
        let chained = std::mem::replace(&mut self.places[place], node);
        let entry = &mut self.nodes[node.index()];
        entry.known = Known::of(hash, used);
        self.first_free = entry.chained;
        entry.chained = chained;
        node
    }

    #[inline(never)]
    fn set_free(&mut self, node: N, hash: KeyHash) {
        let place = self.place_of(hash);
        let chained = self.nodes[node.index()].chained;
        if self.places[place] == node {
            self.places[place] = chained;
        } else {
            let mut before = self.places[place];
            while { self.nodes[before.index()].chained } != node {
                before = self.nodes[before.index()].chained;
            }
            self.nodes[before.index()].chained = chained;
        }
        self.nodes[node.index()].chained = self.first_free;
        self.first_free = node;
    }

    /// The keys that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> impl Iterator<Item = Known> {
        let known = self.nodes.iter().map(|node| node.known);
        known.filter(|known| !known.is_held_by_none())
    }

    #[cfg(test)]
    pub(super) fn free_count(&self) -> usize {
        let exists = |node: &N| *node != N::NOBODY;
        let next = |node: &N| Some(self.nodes[node.index()].chained).filter(exists);
        std::iter::successors(Some(self.first_free).filter(exists), next).count()
    }
}
