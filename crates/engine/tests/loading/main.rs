//! Claims, stamps, tags and dependencies: what each call answers, random operations against a naive
//! model ([`model`]), and many threads that load and write at once ([`threads`]).

mod model;
#[path = "../support/rng.rs"]
mod rng;
#[path = "../support/scale.rs"]
mod scale;
mod threads;

use nearcache_engine::{Cache, Claim, Clock, Config, Drained, Error, Handle, ManualClock, Ttl};

fn new_cache() -> (Cache, ManualClock) {
    let (clock, manual) = Clock::manual();
    let config = Config {
        clock,
        seed: Some(1),
        shards: Some(4),
        ..Config::new(4 << 20)
    };
    (Cache::new(config).unwrap(), manual)
}

fn owned(claim: Result<Claim, Error>) -> u64 {
    match claim {
        Ok(Claim::Owned(token)) => token,
        other => panic!("{other:?}"),
    }
}

fn set(handle: &Handle, key: &[u8]) {
    handle.set(key, b"set", 0, Ttl::Forever).unwrap();
}

fn value_of(handle: &Handle, key: &[u8]) -> Option<Vec<u8>> {
    handle.get(key, |value| value.to_vec())
}

#[test]
fn one_handle_gets_the_claim_and_the_others_are_told_how_long_to_wait() {
    let (cache, clock) = new_cache();
    let (first, second) = (cache.handle(), cache.handle());
    let token = owned(first.claim(b"key", 1_000));
    assert_eq!(
        second.claim(b"key", 1),
        Ok(Claim::Held {
            remaining_ms: 1_000
        })
    );
    assert_eq!(
        first.claim(b"key", 1),
        Ok(Claim::Held {
            remaining_ms: 1_000
        })
    );
    clock.advance_ms(400);
    assert_eq!(
        second.claim(b"key", 1),
        Ok(Claim::Held { remaining_ms: 600 })
    );
    assert_ne!(owned(second.claim(b"another", 1_000)), token);
    assert_eq!(
        first.set_claimed(b"key", token, b"loaded", 3, Ttl::Forever),
        Ok(true)
    );
    assert_eq!(value_of(&second, b"key"), Some(b"loaded".to_vec()));
    assert!(first.is_claim_current(b"key", token));
    let released = first.release_claim(b"key", token);
    assert!(released.was_ours && released.is_awaited);
    let released = first.release_claim(b"key", token);
    assert!(!released.was_ours && !released.is_awaited);
    assert!(owned(second.claim(b"key", 1)) > token);
}

#[test]
fn nobody_awaits_a_claim_that_nobody_else_asked_for() {
    let (cache, _) = new_cache();
    let handle = cache.handle();
    let token = owned(handle.claim(b"key", 1_000));
    let released = handle.release_claim(b"key", token);
    assert!(released.was_ours && !released.is_awaited);
}

#[test]
fn a_claim_can_be_prolonged_and_is_taken_over_when_its_time_is_over() {
    let (cache, clock) = new_cache();
    let (first, second) = (cache.handle(), cache.handle());
    let token = owned(first.claim(b"key", 100));
    clock.advance_ms(80);
    assert!(first.extend_claim(b"key", token, 100));
    clock.advance_ms(80);
    assert_eq!(
        second.claim(b"key", 100),
        Ok(Claim::Held { remaining_ms: 20 })
    );
    clock.advance_ms(30);
    // Over, but not taken over.
    assert_eq!(
        first.set_claimed(b"key", token, b"1", 0, Ttl::Forever),
        Ok(true)
    );
    let taken = owned(second.claim(b"key", 100));
    assert!(!first.is_claim_current(b"key", token));
    assert!(!first.extend_claim(b"key", token, 1_000));
    assert_eq!(
        first.set_claimed(b"key", token, b"2", 0, Ttl::Forever),
        Ok(false)
    );
    assert_eq!(
        first.release_claim(b"key", token),
        nearcache_engine::Released::default()
    );
    assert_eq!(
        second.set_claimed(b"key", taken, b"3", 0, Ttl::Forever),
        Ok(true)
    );
    assert_eq!(value_of(&first, b"key"), Some(b"3".to_vec()));
    // Who waited for the first owner waits for the second.
    assert!(second.release_claim(b"key", taken).is_awaited);
}

#[test]
fn a_lease_without_end_is_one() {
    let (cache, clock) = new_cache();
    let (first, second) = (cache.handle(), cache.handle());
    owned(first.claim(b"key", u64::MAX));
    clock.advance_ms(1 << 40);
    let held = second.claim(b"key", 1);
    assert!(matches!(held, Ok(Claim::Held { remaining_ms }) if remaining_ms > 1 << 60));
    drop(first);
    owned(second.claim(b"key", 1));
}

#[test]
fn what_a_dropped_handle_has_claimed_is_free() {
    let (cache, _) = new_cache();
    let (first, second) = (cache.handle(), cache.handle());
    let kept = owned(second.claim(b"kept", 1_000));
    let token = owned(first.claim(b"key", 1_000));
    drop(first);
    assert!(!second.is_claim_current(b"key", token));
    owned(second.claim(b"key", 1_000));
    assert!(second.is_claim_current(b"kept", kept));
}

type Write = fn(&Handle);

/// Everything that writes or deletes `key`.
const WRITES: &[(&str, Write)] = &[
    ("set", |handle| set(handle, b"key")),
    ("set_if_absent", |handle| {
        handle
            .set_if_absent(b"key", b"set", 0, Ttl::Forever)
            .unwrap();
    }),
    ("set_many", |handle| {
        handle
            .set_many([(&b"key"[..], &b"set"[..], 0)], Ttl::Forever)
            .unwrap();
    }),
    ("set with no time to live", |handle| {
        handle.set(b"key", b"set", 0, Ttl::Millis(0)).unwrap();
    }),
    ("delete", |handle| {
        handle.delete(b"key").unwrap();
    }),
    ("touch to nothing", |handle| {
        handle.touch(b"key", Ttl::Millis(0)).unwrap();
    }),
    ("delete_prefix", |handle| {
        handle.delete_prefix(b"ke").unwrap();
    }),
    ("clear", |handle| handle.clear().unwrap()),
];

#[test]
fn any_write_or_delete_supersedes_the_claim_by_whomever_and_whether_or_not_there_is_an_entry() {
    for (name, write) in WRITES {
        for is_own in [false, true] {
            let (cache, _) = new_cache();
            let (loader, other) = (cache.handle(), cache.handle());
            let token = owned(loader.claim(b"key", 1_000));
            other.claim(b"key", 1).unwrap();
            let untouched = owned(loader.claim(b"other", 1_000));
            write(if is_own { &loader } else { &other });
            assert!(!loader.is_claim_current(b"key", token), "{name}");
            let before = value_of(&loader, b"key");
            let stored = loader.set_claimed(b"key", token, b"old", 0, Ttl::Forever);
            assert_eq!(stored, Ok(false), "{name}");
            let deleted = loader.set_claimed(b"key", token, b"old", 0, Ttl::Millis(0));
            assert_eq!(deleted, Ok(false), "{name}");
            assert_eq!(value_of(&loader, b"key"), before, "{name}");
            assert!(!loader.extend_claim(b"key", token, 1_000), "{name}");
            let released = loader.release_claim(b"key", token);
            assert!(!released.was_ours && released.is_awaited, "{name}");
            let is_current = loader.is_claim_current(b"other", untouched);
            assert_eq!(is_current, *name != "clear", "{name}");
        }
    }
}

/// Where the value lies.
fn place_of(handle: &Handle) -> usize {
    let place = handle.peek(b"key", |value| {
        value.as_contiguous().unwrap().as_ptr().addr()
    });
    place.unwrap()
}

#[test]
fn so_does_a_write_in_place() {
    let (cache, _) = new_cache();
    let handle = cache.handle();
    // Twice, so that the next one expects to find a record of its size.
    (0..2).for_each(|_| set(&handle, b"key"));
    let place = place_of(&handle);
    handle.depend([&b"key"[..]]).unwrap();
    let (stamp, token) = (handle.stamp(), owned(handle.claim(b"key", 1_000)));
    handle.drain_changes(|_| ());
    set(&handle, b"key");
    assert_eq!(place_of(&handle), place);
    assert!(!handle.is_claim_current(b"key", token));
    assert!(!handle.dependencies_are_current([&b"key"[..]], stamp));
    let drained = handle.drain_changes(|_| ());
    assert!(matches!(drained, Drained::Lapped { .. }));
}

#[test]
fn writes_that_are_refused_and_touches_leave_the_claim_as_it_is() {
    let (cache, _) = new_cache();
    let handle = cache.handle();
    handle.set(b"key", b"value", 0, Ttl::Millis(1_000)).unwrap();
    let present = owned(handle.claim(b"key", 1_000));
    let absent = owned(handle.claim(b"absent", 1_000));
    handle.depend([&b"key"[..], b"absent"]).unwrap();
    let stamp = handle.stamp();
    assert_eq!(
        handle.set_if_absent(b"key", b"x", 0, Ttl::Forever),
        Ok(false)
    );
    assert_eq!(
        handle.set_if_absent(b"key", b"x", 0, Ttl::Millis(0)),
        Ok(false)
    );
    assert_eq!(
        handle.compare_and_set(b"key", 99, b"x", 0, Ttl::Forever),
        Ok(false)
    );
    assert_eq!(handle.replace(b"absent", b"x", 0, Ttl::Forever), Ok(false));
    let too_long = Ttl::Millis(u64::MAX);
    handle.set(b"key", b"x", 0, too_long).unwrap_err();
    // The last one copies the record.
    for ms in [1_000, 60_000, 400 * 24 * 3_600_000] {
        assert_eq!(handle.touch(b"key", Ttl::Millis(ms)), Ok(true));
    }
    assert!(handle.is_claim_current(b"key", present));
    assert!(handle.is_claim_current(b"absent", absent));
    assert!(handle.dependencies_are_current([&b"key"[..], b"absent"], stamp));
    assert_eq!(
        handle.set_claimed(b"key", present, b"y", 1, Ttl::Forever),
        Ok(true)
    );
    assert_eq!(
        handle.set_claimed(b"key", present, b"", 0, Ttl::Millis(0)),
        Ok(true)
    );
    assert_eq!(value_of(&handle, b"key"), None);
}

#[test]
fn errors_are_those_of_set_and_claims_stay() {
    let (cache, _) = new_cache();
    let handle = cache.handle();
    let token = owned(handle.claim(b"key", 1_000));
    let long = vec![0; cache.max_value_size() as usize + 1];
    let stored = handle.set_claimed(b"key", token, &long, 0, Ttl::Forever);
    assert!(matches!(stored, Err(Error::ValueTooLarge { .. })));
    let long_key = vec![0; cache.max_key_size() + 1];
    let claim = handle.claim(&long_key, 1_000);
    assert!(matches!(claim, Err(Error::KeyTooLong { .. })));
    assert!(handle.is_claim_current(b"key", token));
}

#[test]
fn a_tag_invalidates_what_was_loaded_before_and_every_l0() {
    let (cache, _) = new_cache();
    let (handle, l0) = (cache.handle(), cache.handle());
    let before = handle.stamp();
    assert!(handle.tags_are_current([&b"a"[..], b"b"], before));
    let stamp = handle.invalidate_tags([&b"b"[..], b"c"]);
    assert_eq!((before, stamp), (1, 2));
    assert!(!handle.tags_are_current([&b"a"[..], b"b"], before));
    assert!(handle.tags_are_current([&b"a"[..]], before));
    assert!(handle.tags_are_current([], before));
    assert!(handle.tags_are_current([&b"a"[..], b"b"], stamp));
    let drained = l0.drain_changes(|_| ());
    assert!(matches!(drained, Drained::Lapped { .. }));
    assert!(matches!(l0.drain_changes(|_| ()), Drained::Keys { .. }));
}

#[test]
fn any_write_or_delete_of_a_key_invalidates_what_depends_on_it() {
    for (name, write) in WRITES {
        let (cache, _) = new_cache();
        let (handle, l0) = (cache.handle(), cache.handle());
        if *name == "touch to nothing" {
            set(&handle, b"key");
        }
        handle.depend([&b"other"[..], b"key"]).unwrap();
        let stamp = handle.stamp();
        assert!(handle.dependencies_are_current([&b"other"[..], b"key"], stamp));
        l0.drain_changes(|_| ());
        write(&handle);
        assert!(
            !handle.dependencies_are_current([&b"other"[..], b"key"], stamp),
            "{name}"
        );
        let is_current = handle.dependencies_are_current([&b"other"[..]], stamp);
        // These two don't ask for each key.
        assert_eq!(
            is_current,
            !["delete_prefix", "clear"].contains(name),
            "{name}"
        );
        assert!(
            handle.dependencies_are_current([&b"key"[..]], handle.stamp()),
            "{name}"
        );
        assert!(
            handle.tags_are_current([&b"key"[..]], stamp),
            "a tag is no key"
        );
        let drained = l0.drain_changes(|_| ());
        assert!(matches!(drained, Drained::Lapped { .. }), "{name}");
    }
}

#[test]
fn what_is_stored_on_a_claim_invalidates_nothing_unless_it_deletes() {
    let (cache, _) = new_cache();
    let handle = cache.handle();
    handle.depend([&b"key"[..]]).unwrap();
    let stamp = handle.stamp();
    let token = owned(handle.claim(b"key", 1_000));
    assert!(handle.dependencies_are_current([&b"key"[..]], stamp));
    assert_eq!(
        handle.set_claimed(b"key", token, b"1", 0, Ttl::Forever),
        Ok(true)
    );
    assert!(handle.dependencies_are_current([&b"key"[..]], stamp));
    assert_eq!(
        handle.set_claimed(b"key", token, b"2", 0, Ttl::Millis(0)),
        Ok(true)
    );
    assert!(!handle.dependencies_are_current([&b"key"[..]], stamp));
}

#[test]
fn a_change_that_is_noted_is_as_a_delete_to_all_but_the_entry() {
    let (cache, _) = new_cache();
    let handle = cache.handle();
    handle.set(b"key", b"1", 0, Ttl::Forever).unwrap();
    handle.depend([&b"key"[..]]).unwrap();
    let stamp = handle.stamp();
    let token = owned(handle.claim(b"key", 1_000));
    handle.note_change(b"other").unwrap();
    assert!(handle.is_claim_current(b"key", token));
    assert!(handle.dependencies_are_current([&b"key"[..]], stamp));
    handle.note_change(b"key").unwrap();
    assert!(!handle.is_claim_current(b"key", token));
    assert!(!handle.dependencies_are_current([&b"key"[..]], stamp));
    assert!(handle.contains(b"key"));
}

#[test]
fn eviction_and_expiry_are_no_writes() {
    let (cache, clock) = new_cache();
    let handle = cache.handle();
    handle.set(b"key", b"value", 0, Ttl::Millis(100)).unwrap();
    let token = owned(handle.claim(b"key", 1_000_000));
    handle.depend([&b"key"[..]]).unwrap();
    let stamp = handle.stamp();
    clock.advance_ms(1_000);
    cache.maintain();
    assert_eq!(value_of(&handle, b"key"), None);
    assert!(handle.is_claim_current(b"key", token));
    assert!(handle.dependencies_are_current([&b"key"[..]], stamp));
}
