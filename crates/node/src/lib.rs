//! The Node.js addon of nearcache.
//!
//! It converts: JavaScript strings and numbers to the engine's bytes and back, options, errors. It decides nothing
//! about caching (crates/engine does) and knows nothing of objects, loaders or L0 (ts/ does).
//!
//! Rooms, each importing only what stands to its right:
//! `lib → open → loading → {hot, cold} → entry → handle → {registry, scratch} → options → errors → js`,
//! with the conversions `keys`, `values`, `text`, `narrow`, `wtf8`, `numbers` and `ttl` beside `hot` and `cold`.
//!
//! The rules that the whole crate keeps: one native call per operation; no JavaScript runs while the engine or the
//! registry is inside; no panic crosses to Node (entry.rs); no thread-safe functions and no thread-locals, because
//! a worker may be terminated at any time.

mod cold;
mod entry;
mod errors;
#[cfg(feature = "bench")]
mod floor;
mod handle;
mod hot;
mod image;
mod js;
mod keys;
mod loading;
mod narrow;
mod numbers;
mod open;
mod options;
mod registry;
mod scratch;
mod text;
mod ttl;
mod values;
mod wtf8;

#[cfg(feature = "bench")]
mod bench;

/// Lets the calling thread panic at the `nth` point that it passes in the engine, counted from 1; 0: not any more.
#[cfg(feature = "fault")]
#[napi]
pub fn panic_at(nth: u32) {
    if nth == 0 {
        nearcache_engine::fault::disarm();
    } else {
        nearcache_engine::fault::arm(nth.into());
    }
}

use napi::bindgen_prelude::Object;
use napi_derive::napi;

/// Raised whenever the interface that ts/native.ts declares changes; ts/addon.ts has the same.
const ABI_VERSION: u32 = 5;

/// The engine's limits, as ts/ needs them for its own validation.
#[napi(object)]
pub struct Limits {
    /// Longest key, as UTF-8.
    pub key_bytes_max: u32,
    /// Longest TTL that is not `Infinity`.
    pub ttl_ms_max: f64,
    /// Smallest budget.
    pub memory_min: f64,
    /// Largest budget.
    pub memory_max: f64,
    /// What one step of the signal's `now` stands for.
    pub tick_ms: f64,
}

/// What Node calls when an environment loads the addon.
#[napi(module_exports)]
pub fn init(mut exports: Object<'_>, env: napi::Env) -> napi::Result<()> {
    image::pin();
    #[cfg(feature = "bench")]
    bench::register(&env, &exports);
    let _ = env;
    exports.set("abiVersion", ABI_VERSION)?;
    exports.set("version", env!("CARGO_PKG_VERSION"))?;
    exports.set(
        "limits",
        Limits {
            key_bytes_max: nearcache_engine::KEY_BYTES_MAX as u32,
            ttl_ms_max: nearcache_engine::TTL_MS_MAX as f64,
            memory_min: nearcache_engine::MEMORY_BYTES_MIN as f64,
            memory_max: nearcache_engine::MEMORY_BYTES_MAX as f64,
            tick_ms: nearcache_engine::TICK_MS as f64,
        },
    )
}
