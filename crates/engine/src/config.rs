//! What the user asks for, turned into the numbers that everything else uses. Nonsense stops here.

use crate::clock::{Clock, TTL_MS_MAX, Ttl};
use crate::error::ConfigError;
use crate::limit::{Limit, Unit};
use crate::limits::{
    CACHE_OVERHEAD_BYTES, KEY_BYTES_MAX, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, SHARD_OVERHEAD_BYTES,
    SMALL,
};
use crate::memory::allocator::Allocator;
use crate::memory::classes::ClassTable;
use crate::policy::adaptation::Adaptation;
use crate::policy::objective::Objective;
use crate::policy::sketch;
use crate::tags::Tags;

/// Values are at most this share of the budget unless configured otherwise.
const VALUE_SHARE: u64 = 8;
/// Keys are at most this share of the budget, so that a record of one fits beside others.
const KEY_SHARE: u64 = 8;
/// Values are at most this large unless configured otherwise, in bytes.
const VALUE_BYTES_DEFAULT_MAX: u64 = 16 << 20;
/// One value may never take more than this share of the budget: it must be possible to have an old
/// and a new copy of it, and other entries.
const VALUE_SHARE_LIMIT: u64 = 4;

const PAGE_BYTES_MIN: u64 = 1024;
const PAGE_BYTES_MAX: u64 = 256 * 1024;
/// Pages per region that are aimed for: enough that a page per size class is a small part.
const PAGES_AIMED: u64 = 512;
/// Pages of at least this size bear so many classes that twice as many of them are aimed for.
const PAGE_BYTES_OF_MANY_CLASSES: u64 = 32 * 1024;

const SHARDS_MAX: u32 = 64;
/// A shard below this budget would have rings too short to tell entries apart, in bytes.
const SHARD_BYTES_MIN: u64 = if SMALL { 32 * 1024 } else { 512 * 1024 };

/// The share of the budget that the frequency sketch takes: 1 / this. With entries of 150 bytes in all
/// that is 3.8 bytes or 10 counters per entry. Mean regret (see `policy`; six seeds): 0.785 with a 48th, 0.743 with a
/// 40th, 0.731 with a 36th; each step costs a million entries half a megabyte.
const SKETCH_SHARE: u64 = 40;

/// How to make a [`Cache`](crate::Cache).
#[derive(Clone, Debug)]
pub struct Config {
    /// The budget in bytes, everything included: [`MEMORY_BYTES_MIN`] to [`MEMORY_BYTES_MAX`].
    pub max_memory: u64,
    /// The longest value in bytes. By default an eighth of the budget, at most 16 MiB.
    pub max_value_size: Option<u64>,
    /// What [`Ttl::Default`] means. Not zero, and not [`Ttl::Default`] itself (which counts as
    /// [`Ttl::Forever`]).
    pub default_ttl: Ttl,
    /// Number of write locks, a power of two. By default chosen from budget and processors.
    /// Shards split locks, never capacity.
    pub shards: Option<u32>,
    /// A bound on entries or weight, beside the budget. By default there is none.
    pub limit: Option<Limit>,
    /// What to be good at where entries differ in size.
    pub objective: Objective,
    /// Seed of the hash function and of random choices, for reproducible runs. By default random.
    pub seed: Option<u64>,
    /// Where time comes from.
    pub clock: Clock,
}

impl Config {
    /// A budget in bytes, entries that live until they are evicted, and defaults for the rest.
    pub fn new(max_memory: u64) -> Self {
        Self {
            max_memory,
            max_value_size: None,
            default_ttl: Ttl::Forever,
            shards: None,
            limit: None,
            objective: Objective::default(),
            seed: None,
            clock: Clock::system(),
        }
    }
}

/// The numbers that follow from a [`Config`].
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) page_bytes: usize,
    pub(crate) page_count: usize,
    pub(crate) sketch_bytes: usize,
    /// Bytes of the budget that are neither pages nor sketch.
    pub(crate) bookkeeping_bytes: u64,
    pub(crate) shard_bits: u32,
    pub(crate) key_bytes_max: usize,
    pub(crate) value_bytes_max: u64,
    pub(crate) unit: Unit,
    /// `None`: for ever.
    pub(crate) default_ttl_ms: Option<u64>,
    pub(crate) seed: u64,
    pub(crate) objective: Objective,
}

impl Layout {
    pub(crate) fn of(config: &Config) -> Result<Self, ConfigError> {
        let budget = config.max_memory;
        if budget < MEMORY_BYTES_MIN {
            return Err(ConfigError::MemoryTooSmall {
                given: budget,
                min: MEMORY_BYTES_MIN,
            });
        }
        let max = MEMORY_BYTES_MAX.min(machine_memory_bytes().unwrap_or(u64::MAX));
        if budget > max {
            return Err(ConfigError::MemoryTooLarge { given: budget, max });
        }
        config.limit.map_or(Ok(()), Limit::check)?;
        let page_bytes = page_bytes(budget);
        let shard_bits = Self::shard_bits(config, budget)?;
        const BLOCK_BYTES: u64 = sketch::BLOCK_BYTES as u64;
        let sketch_bytes = (budget / SKETCH_SHARE).next_multiple_of(BLOCK_BYTES);
        let fixed = bookkeeping_bytes(budget, page_bytes, shard_bits);
        let for_pages = budget.saturating_sub(fixed + sketch_bytes);
        let page_overhead = Allocator::PAGE_OVERHEAD_BYTES as u64;
        let page_count = for_pages / (page_bytes + page_overhead);
        let rest = for_pages - page_count * (page_bytes + page_overhead);
        // What is less than a page the sketch can use, where it is a good part of it.
        let rest = if rest * 4 >= sketch_bytes { rest } else { 0 };
        Ok(Self {
            page_bytes: page_bytes as usize,
            page_count: page_count as usize,
            sketch_bytes: (sketch_bytes + rest / BLOCK_BYTES * BLOCK_BYTES) as usize,
            bookkeeping_bytes: fixed + page_count * page_overhead,
            shard_bits,
            key_bytes_max: key_bytes_max(budget),
            value_bytes_max: Self::value_bytes_max(config, budget, page_bytes)?,
            unit: Limit::unit(config.limit),
            objective: config.objective,
            default_ttl_ms: Self::default_ttl_ms(config)?,
            seed: config.seed.unwrap_or_else(crate::hash::random_seed),
        })
    }

    fn shard_bits(config: &Config, budget: u64) -> Result<u32, ConfigError> {
        let by_budget =
            previous_power_of_two((budget / SHARD_BYTES_MIN).max(1)).min(SHARDS_MAX as u64) as u32;
        let Some(given) = config.shards else {
            let processors = std::thread::available_parallelism().map_or(4, |n| n.get() as u32);
            return Ok(by_budget.min((processors * 8).next_power_of_two()).ilog2());
        };
        if !given.is_power_of_two() || given > by_budget {
            return Err(ConfigError::Shards {
                given,
                max: by_budget,
            });
        }
        Ok(given.ilog2())
    }

    fn value_bytes_max(config: &Config, budget: u64, page_bytes: u64) -> Result<u64, ConfigError> {
        let payload = classes(budget, page_bytes).payload_bytes_limit();
        let limit = (payload - key_bytes_max(budget) as u64).min(budget / VALUE_SHARE_LIMIT);
        match config.max_value_size {
            None => Ok((budget / VALUE_SHARE)
                .min(VALUE_BYTES_DEFAULT_MAX)
                .min(limit)),
            Some(given) if given == 0 || given > limit => {
                Err(ConfigError::ValueSize { given, max: limit })
            }
            Some(given) => Ok(given),
        }
    }

    fn default_ttl_ms(config: &Config) -> Result<Option<u64>, ConfigError> {
        match config.default_ttl {
            Ttl::Default | Ttl::Forever => Ok(None),
            Ttl::Millis(given_ms) if given_ms == 0 || given_ms > TTL_MS_MAX => {
                Err(ConfigError::Ttl {
                    given_ms,
                    max_ms: TTL_MS_MAX,
                })
            }
            Ttl::Millis(ms) => Ok(Some(ms)),
        }
    }
}

/// The page size for a budget: small enough that a page per size class is a small part, large enough
/// that the default value limit, beside the longest key, can be described.
fn page_bytes(budget: u64) -> u64 {
    let value = (budget / VALUE_SHARE).min(VALUE_BYTES_DEFAULT_MAX) + key_bytes_max(budget) as u64;
    let few = previous_power_of_two(budget / PAGES_AIMED);
    let many = previous_power_of_two(budget / PAGES_AIMED / 2);
    let aimed = few
        .min(many.max(PAGE_BYTES_OF_MANY_CLASSES))
        .clamp(PAGE_BYTES_MIN, PAGE_BYTES_MAX);
    let fits = |page_bytes: u64| classes(budget, page_bytes).payload_bytes_limit() >= value;
    std::iter::successors(Some(aimed), |page_bytes| Some(page_bytes * 2))
        .find(|page_bytes| *page_bytes >= PAGE_BYTES_MAX || fits(*page_bytes))
        .unwrap_or(PAGE_BYTES_MAX)
}

/// The size classes of a budget's pages.
pub(crate) fn classes(budget: u64, page_bytes: u64) -> ClassTable {
    ClassTable::new(page_bytes as usize, (budget / page_bytes) as usize)
}

/// The longest key for a budget, in bytes.
fn key_bytes_max(budget: u64) -> usize {
    KEY_BYTES_MAX.min((budget / KEY_SHARE) as usize)
}

/// Heap bytes beside the region, the table of its pages and the sketch.
fn bookkeeping_bytes(budget: u64, page_bytes: u64, shard_bits: u32) -> u64 {
    let classes = classes(budget, page_bytes);
    let of_classes = Allocator::classes_overhead_bytes(classes.len(), shard_bits > 0);
    let of_cache = CACHE_OVERHEAD_BYTES + Tags::bytes(budget) + Adaptation::bytes(budget);
    let of_shards = SHARD_OVERHEAD_BYTES << shard_bits;
    (of_cache + of_shards + classes.bytes() + of_classes) as u64
}

fn previous_power_of_two(n: u64) -> u64 {
    if n == 0 { 1 } else { 1 << n.ilog2() }
}

#[cfg(all(unix, not(miri)))]
fn machine_memory_bytes() -> Option<u64> {
    // SAFETY: sysconf takes an integer and touches no memory of ours.
    let (pages, page_bytes) = unsafe {
        (
            libc::sysconf(libc::_SC_PHYS_PAGES),
            libc::sysconf(libc::_SC_PAGESIZE),
        )
    };
    (pages > 0 && page_bytes > 0).then(|| pages as u64 * page_bytes as u64)
}

/// Miri doesn't know how much the machine has.
#[cfg(miri)]
fn machine_memory_bytes() -> Option<u64> {
    None
}

#[cfg(all(windows, not(miri)))]
fn machine_memory_bytes() -> Option<u64> {
    use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};
    // SAFETY: all fields are integers, for which zero is a value.
    let mut status: MEMORYSTATUSEX = unsafe { std::mem::zeroed() };
    status.dwLength = size_of::<MEMORYSTATUSEX>() as u32;
    // SAFETY: `status` is writable and carries its size, as the function asks.
    (unsafe { GlobalMemoryStatusEx(&mut status) } != 0).then_some(status.ullTotalPhys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_outside_the_limits_are_refused_with_the_limit() {
        let small = Layout::of(&Config::new(1_000)).unwrap_err();
        assert!(small.to_string().contains("at least 65536"), "{small}");
        let large = Layout::of(&Config::new(1 << 60)).unwrap_err();
        assert!(large.to_string().contains("at most"), "{large}");
    }

    #[test]
    fn shards_must_be_a_power_of_two_that_the_budget_allows() {
        let config = |shards| Config {
            shards: Some(shards),
            ..Config::new(16 << 20)
        };
        assert!(Layout::of(&config(3)).is_err());
        assert!(Layout::of(&config(64)).is_err());
        assert_eq!(Layout::of(&config(8)).unwrap().shard_bits, 3);
    }

    #[test]
    fn the_default_value_limit_is_an_eighth_of_every_budget_up_to_16_mib() {
        for shift in 16..31 {
            let budget = 1u64 << shift;
            let layout = Layout::of(&Config::new(budget)).unwrap();
            assert_eq!(
                layout.value_bytes_max,
                (budget / 8).min(16 << 20),
                "budget {budget}"
            );
        }
    }
}
