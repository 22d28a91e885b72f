//! Reads and overwrites allocate nothing once all is warm: counted by the program's own allocator.

#[allow(
    dead_code,
    reason = "each test is a program of its own: this one counts no bytes"
)]
#[path = "support/counting.rs"]
mod counting;

use counting::ALLOCATIONS;
use nearcache_engine::{Cache, Clock, Config, Handle, Ttl};

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

const KEYS: u32 = 100;
const OPERATIONS: u32 = 100_000;

/// A key's bytes, without a vector.
fn key(n: u32) -> [u8; 8] {
    u64::from(n % KEYS).to_le_bytes()
}

/// A cache with some entries whose values are `len` bytes long, overwritten until all is as it stays.
fn warm_cache(len: usize) -> (Cache, Handle) {
    let (clock, _) = Clock::manual();
    let config = Config {
        clock,
        seed: Some(1),
        ..Config::new(16 << 20)
    };
    let cache = Cache::new(config).unwrap();
    let handle = cache.handle();
    let value = vec![1; len];
    for n in 0..OPERATIONS / 10 {
        handle.set(&key(n), &value, 0, Ttl::Millis(60_000)).unwrap();
    }
    (cache, handle)
}

#[test]
fn the_count_sees_an_allocation() {
    let allocations = allocations_of(|| {
        std::hint::black_box(vec![1, 2, 3]);
    });
    assert_eq!(allocations, 1);
}

#[test]
fn a_hit_allocates_nothing_whatever_the_length_of_the_value() {
    for len in [0, 100, 2_000, 100_000] {
        let (_cache, handle) = warm_cache(len);
        let mut out = vec![0; len];
        let allocations = allocations_of(|| {
            for n in 0..OPERATIONS / 10 {
                handle.get(&key(n), |value| value.copy_to(&mut out));
                handle.get_watched(&key(n), |value| value.copy_to(&mut out));
            }
        });
        assert_eq!(allocations, 0, "values of {len} bytes");
    }
}

#[test]
fn a_miss_allocates_nothing() {
    let (_cache, handle) = warm_cache(100);
    let allocations = allocations_of(|| {
        for n in 0..OPERATIONS {
            assert!(handle.get(&n.to_le_bytes(), |_| ()).is_none());
        }
    });
    assert_eq!(allocations, 0);
}

/// Short values; the list of a long one's chunks is a vector.
#[test]
fn an_overwrite_of_an_existing_key_allocates_nothing() {
    let (_cache, handle) = warm_cache(100);
    let value = [2; 100];
    let allocations = allocations_of(|| {
        for n in 0..OPERATIONS {
            handle.set(&key(n), &value, 0, Ttl::Millis(60_000)).unwrap();
        }
    });
    assert_eq!(allocations, 0);
}
