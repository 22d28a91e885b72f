//! The functions that a service calls per request: one native call each, and no allocation on a hit whose key has
//! fewer than 511 characters and whose value fits the handle's buffers.

use nearcache_engine::Ttl;

use crate::entry::{Call, native};
use crate::errors::Failure;
use crate::handle::Live;
use crate::js::{Env, Val};
use crate::keys::{self, KeyBuffer};
use crate::ttl;
use crate::values;

native! {
    /// `get(key)`: counts a hit or a miss; with an L0, hot entries become watched.
    get[1] = |call| look_up::<true>(call);
    /// `peek(key)`: no statistics, no frequency.
    peek[1] = |call| look_up::<false>(call);
    /// `set(key, value, ttlMs?)` of a string, a number or null.
    set[3] = |call| set_native(call, Unless::Never).map(|_| Val::UNDEFINED);
    /// `setIfAbsent(key, value, ttlMs?)`: as `set`, if there is no such entry; whether it did.
    set_if_absent[3] = |call| call.env.boolean(set_native(call, Unless::Present)?);
    /// `setBytes(key, kind, bytes, length, ttlMs?)`; `bytes` null: they lie in scratch, after the header.
    set_bytes[5] = |call| set_foreign(call, Unless::Never).map(|_| Val::UNDEFINED);
    /// `setBytesIfAbsent(key, kind, bytes, length, ttlMs?)`: as `setBytes`, if there is no such entry.
    set_bytes_if_absent[5] = |call| call.env.boolean(set_foreign(call, Unless::Present)?);
    /// `has(key)`: no statistics.
    has[1] = |call| with_key(call, |call, live, key| call.env.boolean(live.engine.contains(key)));
    /// `delete(key)`: whether there was such an entry.
    delete[1] = |call| with_key(call, |call, live, key| call.env.boolean(live.engine.delete(key)?));
    /// `ttl(key)`: milliseconds left, `Infinity`, or `undefined` for no entry.
    remaining[1] = |call| with_key(call, remaining_ttl);
    /// `touch(key, ttlMs?)`: whether there was such an entry.
    touch[2] = |call| with_key(call, set_ttl);
}

/// `COUNTED`: in the statistics, and for the entry's frequency.
#[inline(always)]
fn look_up<'c, const COUNTED: bool>(call: &Call<'c, 1>) -> Result<Val<'c>, Failure> {
    with_key(call, |call, live, key| {
        // Making a string may collect garbage, for milliseconds in which the engine would be pinned. That holds up
        // nobody where no other thread uses the cache, and saves a second copy.
        let taken = if live.engine.is_only_one() {
            find::<COUNTED, _>(live, key, |value| {
                values::take::<true>(call.env, live, &value)
            })
        } else {
            find::<COUNTED, _>(live, key, |value| {
                values::take::<false>(call.env, live, &value)
            })
        };
        match taken {
            Some(taken) => values::to_js(call.env, live, taken),
            None => Ok(Val::UNDEFINED),
        }
    })
}

#[inline(always)]
fn find<const COUNTED: bool, R>(
    live: &Live,
    key: &[u8],
    take: impl FnOnce(nearcache_engine::Value<'_>) -> R,
) -> Option<R> {
    if !COUNTED {
        live.engine.peek(key, take)
    } else if live.watch {
        live.engine.get_watched(key, take)
    } else {
        live.engine.get(key, take)
    }
}

/// Reads the first argument as a key and goes on.
#[inline(always)]
pub(crate) fn with_key<'c, R, const ARGS: usize>(
    call: &Call<'c, ARGS>,
    body: impl FnOnce(&Call<'c, ARGS>, &Live, &[u8]) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let live = call.handle.live()?;
    let mut buffer = KeyBuffer::new();
    let key = keys::read(call.env, call.args[0], &mut buffer)?;
    body(call, live, &key)
}

/// The TTL in argument `index`; without it the cache's own, and without a native call.
#[inline(always)]
pub(crate) fn ttl_at<const ARGS: usize>(
    call: &Call<'_, ARGS>,
    index: usize,
) -> Result<Ttl, Failure> {
    if call.given <= index {
        Ok(Ttl::Default)
    } else {
        ttl::argument(call.env, call.args[index])
    }
}

fn set_native(call: &Call<'_, 3>, unless: Unless) -> Result<bool, Failure> {
    with_key(call, |call, live, key| {
        let ttl = ttl_at(call, 2)?;
        values::store(call.env, live, call.args[1], |value, kind| {
            put(live, key, value, kind, ttl, unless)
        })
    })
}

fn set_foreign(call: &Call<'_, 5>, unless: Unless) -> Result<bool, Failure> {
    with_key(call, |call, live, key| {
        let kind = values::foreign_kind(call.env, call.args[1])?;
        let ttl = ttl_at(call, 4)?;
        let bytes = bytes_argument(call.env, live, call.args[2], call.args[3])?;
        put(live, key, bytes, kind, ttl, unless)
    })
}

/// When a value is not stored.
#[derive(Clone, Copy)]
enum Unless {
    Never,
    Present,
}

#[inline(always)]
fn put(
    live: &Live,
    key: &[u8],
    value: &[u8],
    kind: u8,
    ttl: Ttl,
    unless: Unless,
) -> Result<bool, Failure> {
    Ok(match unless {
        Unless::Never => {
            live.engine.set(key, value, kind, ttl)?;
            true
        }
        Unless::Present => live.engine.set_if_absent(key, value, kind, ttl)?,
    })
}

/// The first `length` bytes of the array, or of scratch.
pub(crate) fn bytes_argument<'c>(
    env: Env<'c>,
    live: &'c Live,
    array: Val<'c>,
    length: Val<'c>,
) -> Result<&'c [u8], Failure> {
    let length = env.as_number(length).filter(|length| *length >= 0.0);
    let length = length
        .ok_or_else(|| Failure::InvalidOption("length must be a number".to_owned()))?
        as usize;
    // SAFETY: the engine copies the bytes before any JavaScript runs.
    let bytes = match unsafe { env.uint8array_bytes(array) } {
        Some(bytes) => bytes.get(..length),
        // SAFETY: the only use of scratch's body in this call; the engine copies it before any JavaScript runs.
        None => unsafe { live.scratch.body(length) }.map(|body| &*body),
    };
    bytes.ok_or_else(|| Failure::InvalidOption(format!("there are no {length} bytes to store")))
}

fn remaining_ttl<'c>(call: &Call<'c, 1>, live: &Live, key: &[u8]) -> Result<Val<'c>, Failure> {
    match live.engine.remaining_ms(key) {
        Some(remaining_ms) => call.env.number(ttl::to_ms(remaining_ms)),
        None => Ok(Val::UNDEFINED),
    }
}

fn set_ttl<'c>(call: &Call<'c, 2>, live: &Live, key: &[u8]) -> Result<Val<'c>, Failure> {
    call.env.boolean(live.engine.touch(key, ttl_at(call, 1)?)?)
}
