//! Loads beside writes: what was read from the source before a write is not found after it, neither as an
//! entry nor in a valid one that was made from it.

use crate::explore::{cache_of, explore, part, together};
use nearcache_engine::{Claim, Handle, Ttl};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

const KEY: &[u8] = b"loaded";
const OLD: u8 = 1;
const NEW: u8 = 2;

fn load(handle: &Handle, source: &AtomicU8) {
    if let Claim::Owned(token) = handle.claim(KEY, 1_000).unwrap() {
        let loaded = [source.load(Ordering::SeqCst)];
        handle
            .set_claimed(KEY, token, &loaded, 0, Ttl::Forever)
            .unwrap();
        handle.release_claim(KEY, token);
    }
}

fn found(handle: &Handle) -> Option<u8> {
    handle.get(KEY, |value| value.to_vec()[0])
}

/// Two loaders, and a writer that changes the source and then tells the cache.
fn loads_beside(tell: fn(&Handle)) {
    let (cache, _) = cache_of(1 << 20);
    let source = AtomicU8::new(OLD);
    let loader = || part(|handle: &Handle| load(handle, &source));
    let writer = part(|handle: &Handle| {
        source.store(NEW, Ordering::SeqCst);
        tell(handle);
        assert_ne!(found(handle), Some(OLD));
    });
    together(&cache, vec![loader(), loader(), writer]);
    assert_ne!(found(&cache.handle()), Some(OLD));
}

#[test]
fn beside_a_delete() {
    explore("loads, delete", 800, || {
        loads_beside(|handle| {
            handle.delete(KEY).unwrap();
        });
    });
}

#[test]
fn beside_a_set() {
    explore("loads, set", 800, || {
        loads_beside(|handle| handle.set(KEY, &[NEW], 0, Ttl::Forever).unwrap());
    });
}

#[test]
fn beside_a_deleted_prefix() {
    explore("loads, delete_prefix", 400, || {
        loads_beside(|handle| {
            handle.delete_prefix(b"load").unwrap();
        });
    });
}

#[test]
fn beside_a_clear() {
    explore("loads, clear", 400, || {
        loads_beside(|handle| handle.clear().unwrap());
    });
}

/// The loader depends on the key, and reads it from the cache.
#[test]
fn what_depends_on_a_key_is_not_valid_once_the_key_is_written() {
    explore("loads, dependency", 800, || {
        let (cache, _) = cache_of(1 << 20);
        cache.handle().set(KEY, &[OLD], 0, Ttl::Forever).unwrap();
        let made = Mutex::new(Vec::new());
        let maker = || {
            let made = &made;
            part(move |handle: &Handle| {
                let stamp = handle.stamp();
                handle.depend([KEY]).unwrap();
                let entry = (found(handle), stamp);
                made.lock().unwrap().push(entry);
            })
        };
        let writer = part(|handle: &Handle| {
            handle.set(KEY, &[NEW], 0, Ttl::Forever).unwrap();
        });
        together(&cache, vec![maker(), maker(), writer]);
        let handle = cache.handle();
        for (found, stamp) in made.into_inner().unwrap() {
            let is_valid = handle.dependencies_are_current([KEY], stamp);
            assert!(found == Some(NEW) || !is_valid);
        }
    });
}
