//! How often was a key seen lately? A count-min sketch (Cormode, Muthukrishnan 2005) of 4-bit
//! counters that are halved periodically (TinyLFU's ageing).
//!
//! A key's four counters lie in one block of 64 bytes, so counting and asking cost one cache miss.
//! Halving happens a block at a time, when the block is next used: each block remembers in its last
//! nibble (modulo 16) which generation it was halved for. No pass over the whole sketch ever stops a
//! writer. A block that nobody used for exactly 16 generations is not halved; by then what it says
//! of keys that come back is as good as anything.
//!
//! Counters are updated with relaxed loads and stores: an update lost to a race is noise that a
//! frequency estimate bears.

use crate::hash::KeyHash;
use crate::heap::{self, OutOfMemory};
use crate::prefetch::prefetch_line;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

const WORDS_PER_BLOCK: usize = 8;
const BLOCK_BYTES: usize = 64;
const NIBBLES_PER_WORD: u32 = 16;
const ROWS: usize = 4;
const COUNT_MAX: u64 = 15;
/// All nibbles' upper three bits, to halve a word at once.
const HALVING_MASK: u64 = 0x7777_7777_7777_7777;
/// The last nibble of a block's last word holds its generation.
const GENERATION_SHIFT: u32 = 60;

/// The counters of the keys that share a cache line.
#[derive(Default)]
#[repr(align(64))]
struct Block([AtomicU64; WORDS_PER_BLOCK]);

const _: () = assert!(size_of::<Block>() == BLOCK_BYTES);

/// The frequency estimates of one cache, for all its shards.
pub(crate) struct Sketch {
    blocks: Box<[Block]>,
    generation: AtomicU64,
    /// Counts since the last halving.
    additions: AtomicU64,
    /// Number of additions after which all counts are halved.
    period: AtomicUsize,
}

impl Sketch {
    /// A sketch of about `bytes` bytes.
    pub(crate) fn new(bytes: usize) -> Result<Self, OutOfMemory> {
        let blocks = (bytes / BLOCK_BYTES).max(1);
        Ok(Self {
            blocks: heap::slice(blocks, |_| Block::default())?,
            generation: AtomicU64::new(0),
            additions: AtomicU64::new(0),
            period: AtomicUsize::new(super::SAMPLES_PER_ENTRY as usize * 64),
        })
    }

    /// Sets the halving period for a cache of this many entries.
    pub(crate) fn set_entries(&self, entries: u64) {
        let period = super::SAMPLES_PER_ENTRY * entries.max(16);
        self.period.store(period as usize, Ordering::Relaxed);
    }

    /// Counts `times` uses of a key.
    pub(crate) fn count(&self, hash: KeyHash, times: u32) {
        let bits = hash.sketch();
        let block = self.block(bits);
        self.age(block);
        for row in 0..ROWS {
            let (word, shift) = Self::counter(bits, row);
            let value = block.0[word].load(Ordering::Relaxed);
            let count = value >> shift & COUNT_MAX;
            let raised = (count + times as u64).min(COUNT_MAX);
            if raised != count {
                block.0[word].store(value + ((raised - count) << shift), Ordering::Relaxed);
            }
        }
        self.note_additions(times as u64);
    }

    /// The estimated number of recent uses, 0 to 15.
    pub(crate) fn frequency(&self, hash: KeyHash) -> u32 {
        let bits = hash.sketch();
        let block = self.block(bits);
        self.age(block);
        let mut least = COUNT_MAX;
        for row in 0..ROWS {
            let (word, shift) = Self::counter(bits, row);
            least = least.min(block.0[word].load(Ordering::Relaxed) >> shift & COUNT_MAX);
            if least == 0 {
                // Most of those who ask were never seen.
                break;
            }
        }
        least as u32
    }

    /// Asks the processor for the cache line of a key's counters.
    pub(crate) fn prefetch(&self, hash: KeyHash) {
        prefetch_line(std::ptr::from_ref(self.block(hash.sketch())).cast());
    }

    #[inline]
    fn block(&self, bits: u64) -> &Block {
        let index = ((bits >> 32) * self.blocks.len() as u64) >> 32;
        &self.blocks[index as usize]
    }

    /// Word and shift of a key's counter in a row. A row is two words, 32 counters; the very last
    /// nibble of the block is not a counter.
    #[inline]
    fn counter(bits: u64, row: usize) -> (usize, u32) {
        let choice = (bits >> (row * 5)) as u32 & 31;
        let choice = if row == ROWS - 1 && choice == 31 {
            30
        } else {
            choice
        };
        (
            row * 2 + (choice / NIBBLES_PER_WORD) as usize,
            choice % NIBBLES_PER_WORD * 4,
        )
    }

    /// Halves a block as often as generations have passed since it was last used.
    #[inline]
    fn age(&self, block: &Block) {
        let now = self.generation.load(Ordering::Relaxed) & 15;
        let last = block.0[WORDS_PER_BLOCK - 1].load(Ordering::Relaxed);
        let missed = now.wrapping_sub(last >> GENERATION_SHIFT) & 15;
        if missed != 0 {
            Self::halve_block(block, missed, now);
        }
    }

    #[cold]
    fn halve_block(block: &Block, times: u64, generation: u64) {
        for (index, word) in block.0.iter().enumerate() {
            let mut value = word.load(Ordering::Relaxed);
            for _ in 0..times.min(4) {
                value = value >> 1 & HALVING_MASK;
            }
            if index == WORDS_PER_BLOCK - 1 {
                value = value & !(15 << GENERATION_SHIFT) | generation << GENERATION_SHIFT;
            }
            word.store(value, Ordering::Relaxed);
        }
    }

    fn note_additions(&self, times: u64) {
        // A plain load and store: losing some to a race only makes the period a little longer.
        let additions = self.additions.load(Ordering::Relaxed) + times;
        if additions < self.period.load(Ordering::Relaxed) as u64 {
            self.additions.store(additions, Ordering::Relaxed);
        } else {
            self.halve();
        }
    }

    /// How often the counts were halved.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Halves all counts, and begins a new period.
    pub(crate) fn halve(&self) {
        self.additions.store(0, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::KeyHasher;

    fn hash(n: u64) -> KeyHash {
        KeyHasher::new(1).hash(&n.to_le_bytes())
    }

    #[test]
    fn counts_rise_with_use_and_saturate() {
        let sketch = Sketch::new(4096).unwrap();
        sketch.set_entries(1_000_000);
        for uses in 1..=20 {
            sketch.count(hash(1), 1);
            assert_eq!(sketch.frequency(hash(1)), uses.min(15));
        }
        assert_eq!(sketch.frequency(hash(2)), 0);
    }

    #[test]
    fn counts_halve_after_ten_uses_per_entry() {
        let sketch = Sketch::new(4096).unwrap();
        sketch.set_entries(100);
        sketch.count(hash(1), 12);
        for n in 0..988 {
            sketch.count(hash(1_000 + n % 7), 1);
        }
        assert_eq!(sketch.frequency(hash(1)), 6);
    }

    #[test]
    fn estimates_never_fall_short_before_halving() {
        let sketch = Sketch::new(1024).unwrap();
        sketch.set_entries(1_000_000);
        for n in 0..500 {
            sketch.count(hash(n), 1 + (n % 5) as u32);
        }
        for n in 0..500 {
            assert!(sketch.frequency(hash(n)) > (n % 5) as u32);
        }
    }

    #[test]
    fn every_row_spares_the_nibble_of_the_generation() {
        for n in 0..10_000 {
            for row in 0..ROWS {
                let (word, shift) = Sketch::counter(hash(n).sketch(), row);
                assert!((word, shift) != (WORDS_PER_BLOCK - 1, GENERATION_SHIFT));
                assert!(word < WORDS_PER_BLOCK && shift < 64);
            }
        }
    }
}
