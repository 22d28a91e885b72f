//! Limits that more than one layer must know.

/// Whether the constants that decide when rare things happen (a split of the index, the deepest
/// split, a lapped L0) are so small that short runs meet them all: for the fuzzer.
pub(crate) const SMALL: bool = cfg!(nearcache_small);

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = u16::MAX as usize;
/// The smallest budget, in bytes: below it the fixed structures would leave no room for entries.
pub const MEMORY_BYTES_MIN: u64 = 64 * 1024;
/// The largest budget, in bytes: what a 32-bit location of 8-byte granules addresses.
pub const MEMORY_BYTES_MAX: u64 = 32 << 30;

/// Number of sizes that blocks of the index come in.
pub(crate) const BLOCK_VARIANTS: usize = 4;
/// Heap bytes of one shard beside the region, charged to the budget: what the shard, its wheel, its index and a
/// directory of one line take, and its table of claims.
pub(crate) const SHARD_OVERHEAD_BYTES: usize = 1344;
/// Heap bytes of a cache beside the region, its shards, and what depends on the budget; charged to the budget, with the
/// slot and the counts of one handle.
pub(crate) const CACHE_OVERHEAD_BYTES: usize = 3328;
