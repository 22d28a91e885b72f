//! The engine of nearcache: a cache inside the process, shared by all its threads.
//!
//! One region of memory with a hard budget in bytes; lock-free reads; W-TinyLFU admission in clock
//! form; expiry by a coarse monotonic tick. It knows nothing of Node and of sockets. `DESIGN.md`
//! beside this crate explains the layout and the protocols.
//!
//! ```
//! use nearcache_engine::{Cache, Config, Ttl};
//!
//! let cache = Cache::new(Config::new(16 << 20))?;
//! let users = cache.handle(); // one per thread
//! users.set(b"user:42", b"Ada", 0, Ttl::Millis(30_000))?;
//! assert_eq!(users.get(b"user:42", |value| value.to_vec()), Some(b"Ada".to_vec()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where to look: the read path is [`Handle::get`] → `index` → `memory::record`; the write path is
//! `engine` → `room` (if there is none) → `shard`; who may stay is decided in `eviction`, by the means of `policy`.

mod account;
mod attention;
mod barrier;
#[cfg(not(loom))]
mod cache;
mod changes;
mod claims;
#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
mod common;
#[cfg(not(loom))]
mod compaction;
#[cfg(not(loom))]
mod config;
#[cfg(not(loom))]
mod engine;
mod epoch;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod eviction;
#[cfg(not(loom))]
mod expiry;
#[cfg(feature = "fault")]
pub mod fault;
#[cfg(not(feature = "fault"))]
mod fault;
#[cfg(all(test, not(loom)))]
mod flooding;
#[cfg(not(loom))]
mod handle;
mod hash;
mod heap;
#[cfg(not(loom))]
mod helper;
#[cfg(not(loom))]
mod index;
#[cfg(not(loom))]
mod limbo;
#[cfg(not(loom))]
mod limit;
#[cfg(not(loom))]
mod limits;
#[cfg(not(loom))]
mod loading;
mod lock;
#[cfg(not(loom))]
mod memory;
#[cfg(all(test, loom))]
mod models;
#[cfg(not(loom))]
mod newcomers;
#[cfg(not(loom))]
mod overwrite;
#[cfg(not(loom))]
mod policy;
#[cfg(not(loom))]
mod prefetch;
mod prehashed;
#[cfg(not(loom))]
mod repair;
#[cfg(not(loom))]
mod reuse;
#[cfg(not(loom))]
mod room;
#[cfg(not(loom))]
mod shard;
mod signal;
mod state;
#[cfg(not(loom))]
mod stats;
mod sync;
mod tags;
#[cfg(not(loom))]
mod unpublished;
#[cfg(not(loom))]
mod value;
#[cfg(not(loom))]
mod victims;
mod watch;

/// Under the model checker only the protocols themselves are compiled.
#[cfg(loom)]
mod index {
    pub(crate) mod bucket;
}

/// For tests that count what a thread stores.
#[cfg(nearcache_count_stores)]
pub use self::sync::counting;
/// For tests that choose the schedule.
#[cfg(shuttle)]
pub use self::sync::switching;

#[cfg(not(loom))]
pub use self::{
    cache::Cache,
    changes::Drained,
    claims::Released,
    clock::{Clock, ManualClock, TICK_MS, TTL_MS_MAX, Ttl},
    config::Config,
    error::{ConfigError, Error},
    handle::{Cursor, Handle},
    limit::Limit,
    limits::{KEY_BYTES_MAX, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN},
    loading::Claim,
    policy::objective::Objective,
    signal::Signal,
    stats::Stats,
    value::Value,
};
