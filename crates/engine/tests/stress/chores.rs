//! The thread beside the workers: time, maintenance, scans and removals.

use crate::state::{Before, Returned, Shared};
use crate::value::{Rng, number_of, read_value};
use nearcache_engine::{Cursor, Handle};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time, maintenance, scans, removals and short-lived handles, for as long as there are workers.
pub(crate) fn run(shared: &Shared) {
    let mut rng = Rng::new(1_000);
    let handle = shared.cache.handle();
    let mut now_ms = 0;
    for round in 1u64.. {
        if shared.working.load(Ordering::SeqCst) == 0 {
            return;
        }
        now_ms += 1 + rng.next() % 4;
        let step = now_ms - shared.now_max_ms.swap(now_ms, Ordering::SeqCst);
        shared.clock.advance_ms(step);
        shared.cache.maintain();
        shared.now_min_ms.store(now_ms, Ordering::SeqCst);
        if round.is_multiple_of(8) {
            scan(shared, &handle, &mut rng);
        }
        if round.is_multiple_of(16) {
            let brief = shared.cache.handle();
            let names: Vec<&[u8]> = shared
                .keys
                .iter()
                .map(|key| &key.name[..])
                .take(40)
                .collect();
            let mut buffer = Vec::new();
            brief.get_many(&names, |n, value| {
                value.map(|value| read_value(n, &value, false, &mut buffer));
            });
            shared.cache.stats();
        }
        if shared.scenario.removing && round.is_multiple_of(32) {
            remove(shared, &handle, &mut rng);
        }
        std::thread::sleep(Duration::from_micros(300));
    }
}

/// Visits everything in steps; what is found belongs to its key and is no older than it may be.
pub(crate) fn scan(shared: &Shared, handle: &Handle, rng: &mut Rng) {
    let before: Vec<Before> = (0..shared.keys.len()).map(|n| shared.before(n)).collect();
    let mut buffer = Vec::new();
    let mut cursor = Some(Cursor::START);
    while let Some(from) = cursor {
        cursor = handle.scan(from, b"", 1 + rng.below(100), |name, value| {
            let n = number_of(name);
            assert!(name == shared.keys[n].name);
            let write = read_value(n, &value, false, &mut buffer);
            assert!(
                write >= before[n].returned.write_min && write as u64 > before[n].removed,
                "a scan gave an old value"
            );
        });
    }
}

/// Removes everything, or a part, and publishes which writes can't be seen any more.
pub(crate) fn remove(shared: &Shared, handle: &Handle, rng: &mut Rng) {
    let all = rng.one_in(2);
    shared.removals.fetch_add(1, Ordering::SeqCst);
    let newest: Vec<u64> = shared
        .keys
        .iter()
        .map(|key| Returned::unpack(key.returned.load(Ordering::SeqCst)))
        .map(|returned| {
            if returned.present {
                returned.write_min as u64
            } else {
                0
            }
        })
        .collect();
    if all {
        handle.clear().unwrap();
    } else {
        handle.delete_prefix(b"prefix:").unwrap();
    }
    for (key, newest) in shared.keys.iter().zip(newest) {
        if all || key.name.starts_with(b"prefix:") {
            key.removed.fetch_max(newest, Ordering::SeqCst);
        }
    }
    shared.removals.fetch_add(1, Ordering::SeqCst);
}
