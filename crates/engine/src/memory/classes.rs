//! Size classes: which slot sizes a page may be cut into.
//!
//! Every class divides a page into a whole number of slots. Steps are 8 bytes up to 256 and eight
//! per doubling above, so rounding costs at most 8 bytes or an eighth, half of it on average. The
//! largest slot is an eighth of a page (a quarter of small pages); what is longer is stored in
//! chunks of that size, so no run of pages ever has to be contiguous.

use super::record::HEADER_BYTES;
use super::region::GRANULE_BYTES;
use crate::limits::{BLOCK_VARIANTS, SMALL};

/// Index of a size class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Class(pub(crate) u16);

/// What the slots of a class are for; decides how a page of it can be emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Records.
    Record,
    /// Continuations of long records.
    Chunk,
    /// Index segments.
    Index,
}

const FINE_STEP: usize = 8;
const FINE_MAX: usize = 256;
const STEPS_PER_DOUBLING: usize = 8;
/// With fewer pages than this the steps are twice as coarse: every class in use holds a page that is half empty on
/// average, so few pages bear few classes. (Four times as coarse with fewer than 96 left entries of mixed sizes as much room,
/// and took 8 % of it from those of one size.)
const COARSE_PAGES: usize = 192;
/// Smallest slot: a header, a short key and nothing else.
const SLOT_MIN: usize = 40;
/// Pages of at least this size have slots of at most an eighth of them.
const PAGE_BYTES_FOR_EIGHTHS: usize = 32 * 1024;
/// Each chunk begins with the key hash of the record that it continues.
pub(crate) const CHUNK_HEAD_BYTES: usize = 8;
/// Bytes of a location in a long record's table of chunks.
pub(crate) const CHUNK_ENTRY_BYTES: usize = 4;
/// Smallest index block, in bytes; a quarter of a page if that is less.
const INDEX_BLOCK_BYTES_MIN: usize = if SMALL { 128 } else { 1024 };
/// Lines of an index block, and entries in one. The first line of a block has none.
const LINE_BYTES: usize = 64;
const SLOTS_PER_LINE: usize = 8;
/// In caches of at most so many bytes index blocks come in several sizes, and each segment has the one that fits: they have
/// too few segments for their loads to differ, and would lack a fifth of their entries after each doubling. In
/// larger ones fuller buckets would cost a read of 194 instructions two more.
const FINE_INDEX_BYTES_MAX: usize = if SMALL { 0 } else { 1 << 20 };
/// The sizes, as parts of a page (1 / this)...
const FINE_INDEX_PARTS: [usize; 3] = [2, 3, 4];
/// ... and of pages of at most so many bytes: of these a few are the whole index, so that pages that bear only some blocks
/// of their size would be a good part of it.
const TINY_PAGE_BYTES: usize = 2 * 1024;
const TINY_INDEX_PARTS: [usize; 2] = [1, 2];
/// How many buckets from its home an entry may lie before its segment is split...
const INDEX_REACH: usize = 7;
/// ... and where pages are that small. 128 KiB hold 714 entries of 100 bytes with 20, after 600 turns of the cache; with
/// 11 they hold 705, with 7 677, as segments are split that stay so. None is filled to the brim, where a search goes
/// through all of it.
const TINY_INDEX_REACH: usize = 20;
/// An index block is about this part of a page.
const INDEX_BLOCKS_PER_PAGE: usize = if SMALL { 8 } else { 16 };

/// All classes of one page size.
#[derive(Clone, Debug)]
pub(crate) struct ClassTable {
    slot_bytes_max: usize,
    /// Slot sizes: records ascending, then chunks, then the index blocks' variants, then smaller
    /// index blocks, each half of the one before.
    sizes: Vec<u32>,
    slots_per_page: Vec<u32>,
    record_classes: u16,
    /// Sizes that full index blocks come in: one, or [`BLOCK_VARIANTS`].
    block_variants: u16,
    index_reach: usize,
    /// Class and its slots' bytes by size in granules, for sizes up to [`Self::DIRECT_MAX`].
    direct: Vec<(u16, u16)>,
}

impl ClassTable {
    const DIRECT_MAX: usize = 2048;
    const _DIRECT_FITS: () = assert!(Self::DIRECT_MAX * 2 <= u16::MAX as usize);

    pub(crate) fn new(page_bytes: usize, page_count: usize) -> Self {
        let mut sizes = record_sizes(page_bytes, page_count);
        let record_classes = sizes.len() as u16;
        let direct_max = Self::DIRECT_MAX.min(slot_bytes_max(page_bytes));
        let direct = (0..=direct_max / GRANULE_BYTES)
            .map(|granules| {
                let class =
                    sizes.partition_point(|size| (*size as usize) < granules * GRANULE_BYTES);
                (class as u16, sizes[class] as u16)
            })
            .collect();
        sizes.push(slot_bytes_max(page_bytes) as u32);
        let (blocks, block_variants) = block_sizes(page_bytes, page_count);
        sizes.extend(blocks);
        sizes.shrink_to_fit();
        let is_tiny = block_variants == 1 && page_bytes <= TINY_PAGE_BYTES;
        Self {
            block_variants,
            index_reach: if is_tiny {
                TINY_INDEX_REACH
            } else {
                INDEX_REACH
            },
            slot_bytes_max: slot_bytes_max(page_bytes),
            slots_per_page: sizes.iter().map(|size| page_bytes as u32 / size).collect(),
            sizes,
            record_classes,
            direct,
        }
    }

    /// Heap bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.sizes) + size_of_val(&*self.slots_per_page) + size_of_val(&*self.direct)
    }

    pub(crate) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// The smallest class of records whose slots hold `bytes`, which is at most
    /// [`Self::slot_bytes_max`].
    #[inline]
    pub(crate) fn for_record(&self, bytes: usize) -> Class {
        debug_assert!(bytes <= self.slot_bytes_max());
        match self.direct.get(bytes.div_ceil(GRANULE_BYTES)) {
            Some((class, _)) => Class(*class),
            None => {
                let records = &self.sizes[..self.record_classes as usize];
                Class(records.partition_point(|size| (*size as usize) < bytes) as u16)
            }
        }
    }

    /// Bytes of the slot that a record of `bytes` gets.
    #[inline]
    pub(crate) fn record_bytes(&self, bytes: usize) -> usize {
        self.record_slot(bytes).1
    }

    /// Both at once: the class for a record of `bytes`, and the bytes of its slots.
    #[inline(always)]
    pub(crate) fn record_slot(&self, bytes: usize) -> (Class, usize) {
        match self.direct.get(bytes.div_ceil(GRANULE_BYTES)) {
            Some((class, slot_bytes)) => (Class(*class), *slot_bytes as usize),
            None => self.large_record_slot(bytes),
        }
    }

    #[inline(never)]
    fn large_record_slot(&self, bytes: usize) -> (Class, usize) {
        let class = self.for_record(bytes);
        (class, self.slot_bytes(class))
    }

    pub(crate) fn chunk(&self) -> Class {
        Class(self.record_classes)
    }

    /// The class of the index blocks of one variant, 0 to [`BLOCK_VARIANTS`] - 1.
    pub(crate) fn index(&self, variant: usize) -> Class {
        debug_assert!(variant < BLOCK_VARIANTS);
        Class(self.record_classes + 1 + variant as u16 % self.block_variants)
    }

    /// The class of the smallest index blocks, with which an index of that variant begins.
    pub(crate) fn index_first(&self, variant: usize) -> Class {
        let last = self.len() as u16 - 1;
        if last < self.first_smaller_block() {
            // Small pages have no smaller blocks than the variants.
            return self.index(variant);
        }
        Class(last)
    }

    fn first_smaller_block(&self) -> u16 {
        self.record_classes + 1 + self.block_variants
    }

    /// The class of the next larger blocks than those of `class`, at most the variant's own.
    pub(crate) fn index_next(&self, class: Class, variant: Class) -> Class {
        if class.0 > self.first_smaller_block() {
            Class(class.0 - 1)
        } else {
            variant
        }
    }

    /// The class of a block for so many entries, at most the variant's own: the smallest that they leave some room in.
    /// Where pages are large it is the variant's own whatever they are.
    pub(crate) fn index_for(&self, entries: usize, variant: Class) -> Class {
        if self.block_variants > 1 {
            return variant;
        }
        let smaller = (self.first_smaller_block()..self.len() as u16).rev();
        let fits = |class: &Class| {
            let slots = (self.slot_bytes(*class) / LINE_BYTES - 1) * SLOTS_PER_LINE;
            entries * 8 <= slots * 7
        };
        smaller.map(Class).find(fits).unwrap_or(variant)
    }

    /// How many buckets from its home an entry of the index may lie before its segment is split.
    #[inline(always)]
    pub(crate) fn index_reach(&self) -> usize {
        self.index_reach
    }

    pub(crate) fn use_of(&self, class: Class) -> Use {
        match class.0.cmp(&self.record_classes) {
            std::cmp::Ordering::Less => Use::Record,
            std::cmp::Ordering::Equal => Use::Chunk,
            std::cmp::Ordering::Greater => Use::Index,
        }
    }

    #[inline]
    pub(crate) fn slot_bytes(&self, class: Class) -> usize {
        self.sizes[class.0 as usize] as usize
    }

    pub(crate) fn slots_per_page(&self, class: Class) -> usize {
        self.slots_per_page[class.0 as usize] as usize
    }

    #[inline]
    pub(crate) fn slot_bytes_max(&self) -> usize {
        self.slot_bytes_max
    }

    /// Payload bytes in one chunk.
    pub(crate) fn chunk_payload_bytes(&self) -> usize {
        self.slot_bytes_max() - CHUNK_HEAD_BYTES
    }

    /// Number of chunks that a record with `payload` bytes of key and value needs beside its own
    /// slot: the fewest with which the rest and the table of chunks fit in the slot.
    #[inline]
    pub(crate) fn chunks(&self, payload: usize) -> usize {
        let room = self.slot_bytes_max() - HEADER_BYTES;
        if payload <= room {
            return 0;
        }
        (payload - room).div_ceil(self.chunk_payload_bytes() - CHUNK_ENTRY_BYTES)
    }

    /// The most bytes of key and value that a record can describe.
    pub(crate) fn payload_bytes_limit(&self) -> u64 {
        let room = self.slot_bytes_max() - HEADER_BYTES;
        let chunks_max = room / CHUNK_ENTRY_BYTES;
        let payload = chunks_max * (self.chunk_payload_bytes() - CHUNK_ENTRY_BYTES);
        payload as u64
    }
}

fn slot_bytes_max(page_bytes: usize) -> usize {
    page_bytes
        / if page_bytes >= PAGE_BYTES_FOR_EIGHTHS {
            8
        } else {
            4
        }
}

/// The sizes of index blocks, and how many of them are variants of full ones; the others follow in descending order.
fn block_sizes(page_bytes: usize, page_count: usize) -> (Vec<u32>, u16) {
    let in_lines = |bytes: usize| (bytes / LINE_BYTES * LINE_BYTES) as u32;
    if page_bytes * page_count <= FINE_INDEX_BYTES_MAX {
        let parts: &[usize] = if page_bytes <= TINY_PAGE_BYTES {
            &TINY_INDEX_PARTS
        } else {
            &FINE_INDEX_PARTS
        };
        let sizes = parts.iter().map(|parts| in_lines(page_bytes / parts));
        return (sizes.collect(), 1);
    }
    let smallest = INDEX_BLOCK_BYTES_MIN.min(page_bytes / 4);
    let base = (page_bytes / INDEX_BLOCKS_PER_PAGE).max(smallest);
    let variant = |quarter| in_lines(base + base * quarter / BLOCK_VARIANTS + LINE_BYTES - 1);
    let mut sizes: Vec<u32> = (0..BLOCK_VARIANTS).map(variant).collect();
    let smaller = std::iter::successors(Some(base / 2), |bytes| Some(bytes / 2));
    sizes.extend(smaller.take_while(|bytes| *bytes >= smallest).map(in_lines));
    (sizes, BLOCK_VARIANTS as u16)
}

fn record_sizes(page_bytes: usize, page_count: usize) -> Vec<u32> {
    let coarseness = u32::from(page_count < COARSE_PAGES);
    let largest = slot_bytes_max(page_bytes);
    let mut slots = page_bytes / SLOT_MIN;
    let mut sizes: Vec<u32> = Vec::new();
    loop {
        // A slot may grow into what would be left over at the page's end.
        let size = (page_bytes / slots / GRANULE_BYTES * GRANULE_BYTES).min(largest);
        // Rounded down to granules, two numbers of slots may come to the same size.
        if sizes.last() != Some(&(size as u32)) {
            sizes.push(size as u32);
        }
        if size == largest {
            return sizes;
        }
        let step = if size < FINE_MAX {
            FINE_STEP
        } else {
            (1 << size.ilog2()) / STEPS_PER_DOUBLING
        };
        let step = step << coarseness;
        // At most a step larger, and at least one slot fewer.
        slots = page_bytes.div_ceil(size + step).min(slots - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gets_the_smallest_class_that_holds_it() {
        for page_bytes in [4096, 8192, 32 * 1024, 256 * 1024] {
            let table = ClassTable::new(page_bytes, 512);
            for bytes in 1..=table.slot_bytes_max() {
                let class = table.for_record(bytes);
                assert_eq!(table.use_of(class), Use::Record);
                assert!(table.slot_bytes(class) >= bytes);
                if class.0 > 0 {
                    assert!(table.slot_bytes(Class(class.0 - 1)) < bytes);
                }
            }
        }
    }

    #[test]
    fn rounding_costs_at_most_8_bytes_or_an_eighth() {
        let table = ClassTable::new(256 * 1024, 512);
        for bytes in SLOT_MIN..=table.slot_bytes_max() {
            let waste = table.slot_bytes(table.for_record(bytes)) - bytes;
            assert!(waste <= (bytes / 7).max(8), "{waste} of {bytes}");
        }
    }

    #[test]
    fn the_chunks_and_the_slot_hold_the_payload_and_the_table() {
        for page_bytes in [4096, 16 * 1024, 32 * 1024, 256 * 1024] {
            let table = ClassTable::new(page_bytes, 512);
            let limit = table.payload_bytes_limit() as usize;
            for payload in (1..limit).step_by(limit / 997 + 1) {
                let chunks = table.chunks(payload);
                let rest = payload.saturating_sub(chunks * table.chunk_payload_bytes());
                let slot = HEADER_BYTES + chunks * CHUNK_ENTRY_BYTES + rest;
                assert!(slot <= table.slot_bytes_max(), "{payload} needs {slot}");
            }
        }
    }
}
