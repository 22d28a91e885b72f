//! What those who load values call once per load: claims on keys, stamps, tags and dependencies.

use nearcache_engine::{Claim, Released};

use crate::entry::{Call, native};
use crate::errors::Failure;
use crate::handle::Live;
use crate::hot::{bytes_argument, ttl_at, with_key};
use crate::js::{Env, Val};
use crate::keys::KeyList;
use crate::values;

/// Bits of what `releaseClaim` returns.
const WAS_OURS: i32 = 1;
const IS_AWAITED: i32 = 2;

native! {
    /// `claim(key, leaseMs)`: the token, or minus the milliseconds for which somebody else has it.
    claim[2] = |call| with_key(call, make_claim);
    /// `extendClaim(key, token, leaseMs)`: whether it is still ours and current.
    extend_claim[3] = |call| with_key(call, extend);
    /// `releaseClaim(key, token)`: bit 0, it was ours and current; bit 1, somebody waits.
    release_claim[2] = |call| with_key(call, release);
    /// `isClaimCurrent(key, token)`: a hint.
    is_claim_current[2] = |call| with_key(call, |call, live, key| {
        let token = token_argument(call.env, call.args[1]);
        call.env.boolean(live.engine.is_claim_current(key, token))
    });
    /// `noteChange(key)`: as `delete` to claims and dependents; the entry stays.
    note_change[1] = |call| with_key(call, |_call, live, key| {
        live.engine.note_change(key)?;
        Ok(Val::UNDEFINED)
    });
    /// `setClaimed(key, token, value, ttlMs?)` of a string, a number or null: whether the claim was current.
    set_claimed[4] = |call| with_key(call, set_native);
    /// `setBytesClaimed(key, token, kind, bytes, length, ttlMs?)`; `bytes` null: they lie in scratch.
    set_bytes_claimed[6] = |call| with_key(call, set_foreign);
    /// `stamp()`.
    stamp[0] = |call| call.env.number(call.handle.live()?.engine.stamp() as f64);
    /// `invalidateTags(tags)`: the stamp from which on entries with them are valid.
    invalidate_tags[1] = |call| {
        let tags = read_list(call)?;
        let stamp = call.handle.live()?.engine.invalidate_tags(tags.iter());
        call.env.number(stamp as f64)
    };
    /// `tagsAreCurrent(tags, stamp)`.
    tags_are_current[2] = |call| {
        let (tags, stamp) = list_and_stamp(call)?;
        call.env.boolean(call.handle.live()?.engine.tags_are_current(tags.iter(), stamp))
    };
    /// `depend(keys)`.
    depend[1] = |call| {
        let keys = read_list(call)?;
        call.handle.live()?.engine.depend(keys.iter())?;
        Ok(Val::UNDEFINED)
    };
    /// `dependenciesAreCurrent(keys, stamp)`.
    dependencies_are_current[2] = |call| {
        let (keys, stamp) = list_and_stamp(call)?;
        call.env.boolean(call.handle.live()?.engine.dependencies_are_current(keys.iter(), stamp))
    };
}

fn make_claim<'c>(call: &Call<'c, 2>, live: &Live, key: &[u8]) -> Result<Val<'c>, Failure> {
    let answer = match live.engine.claim(key, lease(call.env, call.args[1])?)? {
        Claim::Owned(token) => token as f64,
        Claim::Held { remaining_ms } => -(remaining_ms as f64),
    };
    call.env.number(answer)
}

fn extend<'c>(call: &Call<'c, 3>, live: &Live, key: &[u8]) -> Result<Val<'c>, Failure> {
    let token = token_argument(call.env, call.args[1]);
    let lease_ms = lease(call.env, call.args[2])?;
    call.env
        .boolean(live.engine.extend_claim(key, token, lease_ms))
}

fn release<'c>(call: &Call<'c, 2>, live: &Live, key: &[u8]) -> Result<Val<'c>, Failure> {
    let token = token_argument(call.env, call.args[1]);
    let Released {
        was_ours,
        is_awaited,
    } = live.engine.release_claim(key, token);
    let bits = (i32::from(was_ours) * WAS_OURS) | (i32::from(is_awaited) * IS_AWAITED);
    call.env.int32(bits)
}

fn set_native<'c>(call: &Call<'c, 4>, live: &Live, key: &[u8]) -> Result<Val<'c>, Failure> {
    let token = token_argument(call.env, call.args[1]);
    let ttl = ttl_at(call, 3)?;
    let stored = values::store(call.env, live, call.args[2], |value, kind| {
        Ok(live.engine.set_claimed(key, token, value, kind, ttl)?)
    })?;
    call.env.boolean(stored)
}

fn set_foreign<'c>(call: &Call<'c, 6>, live: &Live, key: &[u8]) -> Result<Val<'c>, Failure> {
    let token = token_argument(call.env, call.args[1]);
    let kind = values::foreign_kind(call.env, call.args[2])?;
    let ttl = ttl_at(call, 5)?;
    let bytes = bytes_argument(call.env, live, call.args[3], call.args[4])?;
    let stored = live.engine.set_claimed(key, token, bytes, kind, ttl)?;
    call.env.boolean(stored)
}

/// Milliseconds, parts of one rounded up; `Infinity` is for as long as the handle exists.
fn lease(env: Env<'_>, value: Val<'_>) -> Result<u64, Failure> {
    match env.as_number(value) {
        Some(lease_ms) if lease_ms >= 0.0 => Ok(lease_ms.ceil() as u64),
        _ => Err(Failure::InvalidOption(
            "leaseMs must be a number of milliseconds".to_owned(),
        )),
    }
}

/// What is no token is one that no claim has.
fn token_argument(env: Env<'_>, value: Val<'_>) -> u64 {
    env.as_number(value).unwrap_or(0.0) as u64
}

/// The first argument. An array may have getters, which may close the handle: what [`Handle::live`] gave is not
/// kept meanwhile.
///
/// [`Handle::live`]: crate::handle::Handle::live
fn read_list<const ARGS: usize>(call: &Call<'_, ARGS>) -> Result<KeyList, Failure> {
    call.handle.live()?;
    KeyList::read(call.env, call.args[0])
}

fn list_and_stamp(call: &Call<'_, 2>) -> Result<(KeyList, u64), Failure> {
    let list = read_list(call)?;
    let stamp = call.env.as_number(call.args[1]).unwrap_or(0.0);
    Ok((list, stamp as u64))
}
