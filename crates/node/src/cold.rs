//! The functions that nobody calls per request.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use napi_sys as sys;
use nearcache_engine::{Cache, Cursor, Drained, Signal};

use crate::entry::{Call, native};
use crate::errors::Failure;
use crate::js::{Env, Val};
use crate::keys::{self, KeyBuffer, KeyList};
use crate::scratch::Field;

/// The engine's `Signal` is one cache line.
const SIGNAL_BYTES: usize = 64;
const _: () = assert!(size_of::<nearcache_engine::Signal>() == SIGNAL_BYTES);

/// `scan` returns it as cursor when there is nothing left.
const SCAN_DONE: f64 = -1.0;

native! {
    /// `size()`: entries, expired ones not yet collected included.
    size[0] = |call| call.env.number(call.handle.live()?.store.cache.len() as f64);
    /// `clear()`.
    clear[0] = |call| {
        call.handle.live()?.engine.clear()?;
        Ok(Val::UNDEFINED)
    };
    /// `deletePrefix(prefix)`: how many entries there were.
    delete_prefix[1] = delete_by_prefix;
    /// `scan(cursor, prefix, limit)`: the next keys and where to go on.
    scan[3] = scan_keys;
    /// `drainChanges()`: keys that L0 must drop, or null for all; the log's head in scratch.
    drain_changes[0] = drain;
    /// `signal()`: the engine's signal line as an external ArrayBuffer, or null where Node has none.
    signal[0] = |call| signal_buffer(call.env, &call.handle.live()?.store.cache);
    /// `sharedBlobGet()`: a copy of the store's shared bytes.
    blob_get[0] = |call| {
        let blob = &call.handle.live()?.store.blob;
        if blob.version() == 0 { Ok(Val::UNDEFINED) } else { call.env.uint8array(&blob.read()) }
    };
    /// `sharedBlobSet(bytes, expectedVersion)`: whether nobody was faster.
    blob_set[2] = replace_blob;
    /// `sharedBlobVersion()`: 0 before the first.
    blob_version[0] = |call| call.env.number(f64::from(call.handle.live()?.store.blob.version()));
    /// `replaceScratch(buffer)`.
    replace_scratch[1] = |call| {
        call.handle.live()?.scratch.replace(call.env, call.args[0])?;
        Ok(Val::UNDEFINED)
    };
    /// `addHits(count)`: reads that this thread's L0 answered.
    add_hits[1] = |call| {
        let live = call.handle.live()?;
        let count = call.env.as_number(call.args[0]).unwrap_or(0.0);
        live.engine.add_hits(count as u64);
        Ok(Val::UNDEFINED)
    };
    /// `addStale()`: what the last read found is stale.
    add_stale[0] = |call| {
        call.handle.live()?.engine.add_stale();
        Ok(Val::UNDEFINED)
    };
    /// `stats()`.
    stats[0] = read_stats;
    /// `close()`: every later call fails. Closing twice is no error.
    close[0] = |call| {
        // SAFETY: this call has taken no reference from `live`.
        drop(unsafe { call.handle.shut(Some(call.env)) });
        Ok(Val::UNDEFINED)
    };
}

fn delete_by_prefix<'c>(call: &Call<'c, 1>) -> Result<Val<'c>, Failure> {
    let live = call.handle.live()?;
    let mut buffer = KeyBuffer::new();
    let prefix = keys::read(call.env, call.args[0], &mut buffer)?;
    call.env.number(live.engine.delete_prefix(&prefix)? as f64)
}

fn scan_keys<'c>(call: &Call<'c, 3>) -> Result<Val<'c>, Failure> {
    let live = call.handle.live()?;
    let [cursor, prefix, limit] = *call.args;
    let (Some(cursor), Some(limit)) = (call.env.as_number(cursor), call.env.as_number(limit))
    else {
        return Err(Failure::InvalidOption(
            "scan takes numbers as cursor and limit".to_owned(),
        ));
    };
    let mut buffer = KeyBuffer::new();
    let prefix = keys::read(call.env, prefix, &mut buffer)?;
    let mut found = KeyList::default();
    let next = live.engine.scan(
        Cursor::from_raw(cursor as u64),
        &prefix,
        limit as usize,
        |key, _value| found.push(key),
    );
    let result = call.env.object()?;
    let next = next.map_or(SCAN_DONE, |cursor| cursor.into_raw() as f64);
    call.env.set(result, c"cursor", call.env.number(next)?)?;
    call.env.set(result, c"keys", found.to_js(call.env)?)?;
    Ok(result)
}

fn drain<'c>(call: &Call<'c, 0>) -> Result<Val<'c>, Failure> {
    let live = call.handle.live()?;
    let mut changed = KeyList::default();
    match live.engine.drain_changes(|key| changed.push(key)) {
        Drained::Keys { head } => {
            live.scratch.write(Field::Head, head);
            changed.to_js(call.env)
        }
        Drained::Lapped { head } => {
            live.scratch.write(Field::Head, head);
            call.env.null()
        }
    }
}

fn signal_buffer<'c>(env: Env<'c>, cache: &Cache) -> Result<Val<'c>, Failure> {
    // The buffer keeps the line, not the cache: it lives until a garbage collection, the cache until it is closed.
    let line = Arc::into_raw(cache.signal()).cast_mut().cast::<c_void>();
    let mut buffer = ptr::null_mut();
    // SAFETY: the line has SIGNAL_BYTES bytes and lives as long as our reference, which the finalizer drops.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env.raw(),
            line,
            SIGNAL_BYTES,
            Some(drop_line),
            ptr::null_mut(),
            &mut buffer,
        )
    };
    if status == sys::Status::napi_ok {
        // SAFETY: a value of this call.
        return Ok(unsafe { Val::from_raw(buffer) });
    }
    // SAFETY: Node took no buffer and will call no finalizer.
    drop(unsafe { Arc::from_raw(line.cast_const().cast::<Signal>()) });
    if status == sys::Status::napi_no_external_buffers_allowed {
        env.null()
    } else {
        Err(Failure::Pending)
    }
}

unsafe extern "C" fn drop_line(_env: sys::napi_env, line: *mut c_void, _hint: *mut c_void) {
    // SAFETY: the reference that `signal_buffer` handed over; Node calls this once.
    drop(unsafe { Arc::from_raw(line.cast_const().cast::<Signal>()) });
}

fn replace_blob<'c>(call: &Call<'c, 2>) -> Result<Val<'c>, Failure> {
    let live = call.handle.live()?;
    // SAFETY: the bytes are copied before any JavaScript runs.
    let bytes = unsafe { call.env.uint8array_bytes(call.args[0]) };
    let (Some(bytes), Some(expected)) = (bytes, call.env.as_number(call.args[1])) else {
        return Err(Failure::InvalidOption(
            "sharedBlobSet takes a Uint8Array and a version".to_owned(),
        ));
    };
    call.env
        .boolean(live.store.blob.replace(bytes, expected as u32))
}

fn read_stats<'c>(call: &Call<'c, 0>) -> Result<Val<'c>, Failure> {
    let live = call.handle.live()?;
    let stats = live.store.cache.stats();
    let result = call.env.object()?;
    for (name, figure) in [
        (c"hits", stats.hits),
        (c"stale", stats.stale),
        (c"misses", stats.misses),
        (c"sets", stats.sets),
        (c"deletes", stats.deletes),
        (c"evictions", stats.evictions),
        (c"expirations", stats.expirations),
        (c"rejections", stats.rejections),
        (c"repairs", stats.repairs),
        (c"entries", stats.entries),
        (c"memoryUsed", stats.memory_used),
        (c"memoryMax", stats.memory_max),
        (c"memoryIndex", stats.memory_index),
        (c"memoryRetired", stats.memory_retired),
        (c"maxValueSize", live.value_bytes_max),
    ] {
        call.env
            .set(result, name, call.env.number(figure as f64)?)?;
    }
    Ok(result)
}
