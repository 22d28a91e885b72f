//! A TTL as JavaScript says it: milliseconds, `Infinity`, 0 for "don't cache", `undefined` for the cache's own.

use napi_sys::ValueType;
use nearcache_engine::{TTL_MS_MAX, Ttl};

use crate::errors::Failure;
use crate::js::{Env, Val};

/// Parts of a millisecond count as a whole one: a positive TTL never becomes 0.
pub fn from_ms(ms: f64) -> Result<Ttl, Failure> {
    if ms == f64::INFINITY {
        return Ok(Ttl::Forever);
    }
    if !(ms >= 0.0 && ms <= TTL_MS_MAX as f64) {
        return Err(Failure::InvalidTtl {
            given: ms,
            max: TTL_MS_MAX,
        });
    }
    Ok(Ttl::Millis(ms.ceil() as u64))
}

/// The TTL argument of a call.
pub fn argument(env: Env<'_>, value: Val<'_>) -> Result<Ttl, Failure> {
    match env.as_number(value) {
        Some(ms) => from_ms(ms),
        None if env.type_of(value) == Some(ValueType::napi_undefined) => Ok(Ttl::Default),
        None => Err(Failure::InvalidTtl {
            given: f64::NAN,
            max: TTL_MS_MAX,
        }),
    }
}

/// Remaining time as JavaScript's number; the engine's `u64::MAX` means never.
pub fn to_ms(remaining_ms: u64) -> f64 {
    if remaining_ms == u64::MAX {
        f64::INFINITY
    } else {
        remaining_ms as f64
    }
}
