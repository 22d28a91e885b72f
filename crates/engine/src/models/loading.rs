//! Claims, tags and dependencies against writers. The types are the engine's own; the models repeat what
//! `loading`, `engine` and `overwrite` do with them under a shard's lock.
//!
//! The source is what is cached: an atomic that is read and written relaxed, which is less order than any
//! database gives.

use crate::attention::Attention;
use crate::claims::{Answer, Claims, Lease, Place};
use crate::sync::{Arc, AtomicU32, Mutex, Ordering, lock};
use crate::tags::Tags;
use loom::thread;

const OLD: u32 = 0;
const NEW: u32 = 1;
const KEY: &[u8] = b"k";
const HASH: u64 = 7;
const PLACE: Place = Place {
    shard: 0,
    hash: HASH,
};

struct World {
    attention: Attention,
    claims: Claims,
    tags: Tags,
    source: AtomicU32,
    /// The shard's lock, and the key's entry.
    entry: Mutex<Option<u32>>,
    /// The entry as readers find it, who take no lock.
    index: AtomicU32,
}

impl World {
    fn new(tags_max: usize) -> Arc<Self> {
        Arc::new(Self {
            attention: Attention::new(),
            claims: Claims::new(1).unwrap(),
            tags: Tags::with_max(1, tags_max).unwrap(),
            source: AtomicU32::new(OLD),
            entry: Mutex::new(None),
            index: AtomicU32::new(OLD),
        })
    }

    /// `Handle::claim`.
    fn claim(&self, owner: u64) -> Option<u64> {
        let lease = Lease {
            owner,
            now: 1,
            end: 9,
        };
        let _locked = lock(&self.entry);
        match self
            .claims
            .claim(&self.attention, PLACE, KEY, lease)
            .unwrap()
        {
            Answer::Owned(token) => Some(token),
            Answer::Held(_) => None,
        }
    }

    /// `Handle::set_claimed`.
    fn set_claimed(&self, token: u64, value: u32) {
        let mut entry = lock(&self.entry);
        if self.attention.is_needed() && self.claims.is_current(PLACE, token) {
            *entry = Some(value);
        }
    }

    fn load(&self, owner: u64) {
        if let Some(token) = self.claim(owner) {
            let loaded = self.source.load(Ordering::Relaxed);
            self.set_claimed(token, loaded);
            self.claims.release(&self.attention, PLACE, token);
        }
    }

    /// A change of the source, and `Engine::delete` or `Engine::store`.
    fn change(&self, stored: Option<u32>) {
        self.source.store(NEW, Ordering::Relaxed);
        let mut entry = lock(&self.entry);
        if self.attention.is_needed() {
            self.claims.supersede(PLACE);
        }
        *entry = stored;
    }

    /// `Handle::depend`.
    fn depend(&self, hash: u64) {
        let _locked = lock(&self.entry);
        self.tags.register(&self.attention, hash).unwrap();
    }

    /// A change of the source, and `Engine::store` of a key on which others depend.
    fn write(&self) {
        self.source.store(NEW, Ordering::Relaxed);
        let _locked = lock(&self.entry);
        let is_attended = self.attention.is_needed();
        self.index.store(NEW, Ordering::Release);
        if is_attended {
            self.tags.note_write(HASH);
        }
    }

    /// What a load finds, and whether it may still be served.
    fn check(&self, (found, stamp): (u32, u64)) {
        let is_valid = self.tags.are_unwritten([HASH].into_iter(), stamp);
        assert!(found == NEW || !is_valid, "an old value would be served");
    }
}

fn spawn<R: 'static>(
    world: &Arc<World>,
    act: impl FnOnce(&World) -> R + 'static,
) -> thread::JoinHandle<R> {
    let world = Arc::clone(world);
    thread::spawn(move || act(&world))
}

#[test]
fn loom_what_was_loaded_before_a_change_is_never_stored_after_it() {
    for stored in [None, Some(NEW)] {
        loom::model(move || {
            let world = World::new(8);
            let loader = spawn(&world, |world| world.load(1));
            world.change(stored);
            loader.join().unwrap();
            assert_ne!(*lock(&world.entry), Some(OLD));
        });
    }
}

#[test]
fn loom_neither_is_what_was_loaded_on_a_claim_that_was_taken_over_or_given_up() {
    loom::model(|| {
        let world = World::new(8);
        let first = spawn(&world, |world| world.load(1));
        let second = spawn(&world, |world| {
            world.load(2);
            world.claims.give_up(&world.attention, 1);
            world.load(2);
        });
        world.change(None);
        first.join().unwrap();
        second.join().unwrap();
        assert_ne!(*lock(&world.entry), Some(OLD));
        assert!(!world.attention.is_needed(), "a claim was not counted");
    });
}

#[test]
fn loom_a_claim_has_one_owner() {
    loom::model(|| {
        let world = World::new(8);
        let claim = |owner| spawn(&world, move |world| world.claim(owner));
        let claims = [claim(1), claim(2)].map(|thread| thread.join().unwrap());
        assert_eq!(claims.iter().flatten().count(), 1);
    });
}

#[test]
fn loom_what_depends_on_a_written_key_is_not_valid() {
    for depends_first in [false, true] {
        for reads_cache in [false, true] {
            loom::model(move || {
                let world = World::new(8);
                let loader = spawn(&world, move |world| {
                    let before = world.tags.stamp();
                    world.depend(HASH);
                    let after = world.tags.stamp();
                    let found = if reads_cache {
                        world.index.load(Ordering::Acquire)
                    } else {
                        world.source.load(Ordering::Relaxed)
                    };
                    (found, if depends_first { after } else { before })
                });
                world.write();
                let loaded = loader.join().unwrap();
                world.check(loaded);
            });
        }
    }
}

/// Two loads depend on the key, one of which finds it registered by the other: no lock of the shard.
#[test]
fn loom_a_key_that_somebody_else_registers_is_watched_too() {
    loom::model(|| {
        let world = World::new(8);
        let other = spawn(&world, |world| world.depend(HASH));
        let loader = spawn(&world, |world| {
            let stamp = world.tags.stamp();
            if !world.tags.is_registered(HASH) {
                return None;
            }
            Some((world.source.load(Ordering::Relaxed), stamp))
        });
        world.write();
        other.join().unwrap();
        if let Some(loaded) = loader.join().unwrap() {
            world.check(loaded);
        }
    });
}

/// Room for one key alone: registering another forgets the first, which is then registered anew.
#[test]
fn loom_a_key_that_was_forgotten_meanwhile_counts_as_written() {
    for depends_first in [false, true] {
        loom::model(move || {
            let world = World::new(1);
            let loader = spawn(&world, move |world| {
                let before = world.tags.stamp();
                world.depend(HASH);
                let after = world.tags.stamp();
                let found = world.source.load(Ordering::Relaxed);
                (found, if depends_first { after } else { before })
            });
            let other = spawn(&world, |world| {
                world.depend(HASH + 1);
                world.depend(HASH);
            });
            world.write();
            let loaded = loader.join().unwrap();
            world.check(loaded);
            other.join().unwrap();
            world.check(loaded);
        });
    }
}

#[test]
fn loom_what_was_loaded_before_a_tag_was_invalidated_is_not_valid() {
    loom::model(|| {
        let world = World::new(8);
        let loader = spawn(&world, |world| {
            let stamp = world.tags.stamp();
            (world.source.load(Ordering::Relaxed), stamp)
        });
        let other = spawn(&world, |world| world.tags.invalidate([HASH].into_iter()));
        world.source.store(NEW, Ordering::Relaxed);
        let new = world.tags.invalidate([HASH].into_iter());
        let (found, stamp) = loader.join().unwrap();
        let is_valid = |stamp| world.tags.are_current([HASH].into_iter(), stamp);
        assert!(found == NEW || !is_valid(stamp), "an old value is valid");
        let newest = new.max(other.join().unwrap());
        assert!(is_valid(newest) && !is_valid(newest - 1));
    });
}
