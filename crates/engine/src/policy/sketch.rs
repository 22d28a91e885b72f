//! How often was a key seen lately? A count-min sketch (Cormode, Muthukrishnan 2005) of 3-bit
//! counters that are halved periodically (TinyLFU's ageing).
//!
//! A key's four counters lie in one block of 64 bytes, so counting and asking cost one cache miss.
//! Only those of the four that say the least are raised (conservative update, Estan and Varghese
//! 2002): the others stand for other keys. Halving happens a block at a time, when the block is next
//! used: each block remembers in its last four bits (modulo 16) which generation it was halved for. No
//! pass over the whole sketch ever stops a writer. A block that nobody used for exactly 16
//! generations is not halved; by then what it says of keys that come back is as good as anything.
//!
//! Counters are updated with relaxed loads and stores: an update lost to a race is noise that a
//! frequency estimate bears.

use crate::hash::KeyHash;
use crate::heap::{self, OutOfMemory};
use crate::prefetch::prefetch_line;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

const WORDS_PER_BLOCK: usize = 8;
/// A sketch is a number of blocks of so many bytes.
pub(crate) const BLOCK_BYTES: usize = 64;
const COUNTER_BITS: u32 = 3;
const COUNTERS_PER_WORD: u32 = 21;
const ROWS: usize = 4;
/// The largest count. Four bits a counter were measured too: more counters are worth more.
pub(crate) const COUNT_MAX: u64 = (1 << COUNTER_BITS) - 1;
/// The lower two bits of every counter, to halve a word at once.
const HALVING_MASK: u64 = 0o333_333_333_333_333_333_333;
/// The last four bits of a block's last word hold its generation.
const GENERATION_SHIFT: u32 = 60;
/// Counters of a row: two words. The last row has one less, for the generation.
const COUNTERS_PER_ROW: u64 = COUNTERS_PER_WORD as u64 * 2;
/// Bits of the hash that choose a row's counter.
const CHOICE_BITS: usize = 8;

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

    /// Counts `times` uses of a key; how many of it are known now, at most [`COUNT_MAX`].
    pub(crate) fn count(&self, hash: KeyHash, times: u32) -> u32 {
        let bits = hash.sketch();
        let block = self.block(bits);
        self.age(block);
        let places: [(usize, u32); ROWS] = std::array::from_fn(|row| Self::counter(bits, row));
        let counts = places.map(|(word, shift)| {
            let value = block.0[word].load(Ordering::Relaxed);
            value >> shift & COUNT_MAX
        });
        let least = counts.into_iter().fold(COUNT_MAX, u64::min);
        let raised = (least + times as u64).min(COUNT_MAX);
        for ((word, shift), count) in places.into_iter().zip(counts) {
            if raised > count {
                // Two rows never share a word.
                let value = block.0[word].load(Ordering::Relaxed);
                block.0[word].store(value + ((raised - count) << shift), Ordering::Relaxed);
            }
        }
        self.note_additions(times as u64);
        raised as u32
    }

    /// The estimated number of recent uses, 0 to [`COUNT_MAX`].
    #[inline(always)]
    pub(crate) fn frequency(&self, hash: KeyHash) -> u32 {
        let bits = hash.sketch();
        let block = self.block(bits);
        self.age(block);
        Self::least(block, bits) as u32
    }

    /// The least of a key's counters in its block.
    #[inline(always)]
    fn least(block: &Block, bits: u64) -> u64 {
        let mut least = COUNT_MAX;
        for row in 0..ROWS {
            let (word, shift) = Self::counter(bits, row);
            least = least.min(block.0[word].load(Ordering::Relaxed) >> shift & COUNT_MAX);
            if least == 0 {
                // Most of those who ask were never seen.
                break;
            }
        }
        least
    }

    /// Asks the processor for the cache line of a key's counters.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: KeyHash) {
        prefetch_line(std::ptr::from_ref(self.block(hash.sketch())).cast());
    }

    #[inline(always)]
    fn block(&self, bits: u64) -> &Block {
        &self.blocks[self.block_index(bits)]
    }

    #[inline]
    fn block_index(&self, bits: u64) -> usize {
        (((bits >> 32) * self.blocks.len() as u64) >> 32) as usize
    }

    /// Which keys share counters: an attacker who knows the seed knows it, too.
    #[cfg(test)]
    pub(crate) fn block_of(&self, hash: KeyHash) -> usize {
        self.block_index(hash.sketch())
    }

    /// Word and shift of a key's counter in a row. A row is two words; the very last counter of the
    /// block is not one.
    #[inline(always)]
    fn counter(bits: u64, row: usize) -> (usize, u32) {
        let chosen = bits >> (row * CHOICE_BITS) & ((1 << CHOICE_BITS) - 1);
        let counters = COUNTERS_PER_ROW - u64::from(row == ROWS - 1);
        let choice = ((chosen * counters) >> CHOICE_BITS) as u32;
        let is_second = choice >= COUNTERS_PER_WORD;
        let place = choice - u32::from(is_second) * COUNTERS_PER_WORD;
        (row * 2 + usize::from(is_second), place * COUNTER_BITS)
    }

    /// Halves a block as often as generations have passed since it was last used.
    #[inline(always)]
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
            for _ in 0..times.min(COUNTER_BITS as u64) {
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
            assert_eq!(sketch.frequency(hash(1)), uses.min(COUNT_MAX as u32));
        }
        assert_eq!(sketch.frequency(hash(2)), 0);
    }

    #[test]
    fn counts_halve_after_the_period() {
        let sketch = Sketch::new(4096).unwrap();
        sketch.set_entries(100);
        sketch.count(hash(1), 6);
        let period = crate::policy::SAMPLES_PER_ENTRY * 100;
        for n in 6..period {
            assert_eq!(sketch.frequency(hash(1)), 6);
            sketch.count(hash(1_000 + n % 7), 1);
        }
        assert_eq!(sketch.frequency(hash(1)), 3);
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
    fn every_row_spares_the_bits_of_the_generation() {
        for n in 0..100_000 {
            for row in 0..ROWS {
                let (word, shift) = Sketch::counter(hash(n).sketch(), row);
                assert!((word, shift) != (WORDS_PER_BLOCK - 1, GENERATION_SHIFT));
                assert!(word < WORDS_PER_BLOCK && shift + COUNTER_BITS <= u64::BITS);
                assert_eq!(word / 2, row);
            }
        }
    }
}
