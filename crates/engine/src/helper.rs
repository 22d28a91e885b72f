//! The helper thread: one for all caches of the process that run on the system's clock. It moves the
//! tick and does each cache's maintenance. It starts with the first such cache and ends with the
//! last; it never keeps a process alive.

use crate::clock::{TICK_MS, advance_system_clock, present_tick};
use crate::engine::Engine;
use crate::error::ConfigError;
use crate::expiry::UNIT_TICKS;
use crate::heap::{self, OutOfMemory};
use crate::sync::{Mutex, lock, thread};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

struct Served {
    caches: Vec<Weak<Engine>>,
    running: bool,
}

static SERVED: Mutex<Served> = Mutex::new(Served {
    caches: Vec::new(),
    running: false,
});

/// Has the helper thread serve a cache until that is dropped.
pub(crate) fn serve(engine: &Arc<Engine>) -> Result<(), ConfigError> {
    let mut served = lock(&SERVED);
    let reserved = heap::reserve(&mut served.caches, 1);
    reserved.map_err(|OutOfMemory { bytes }| engine.refused(bytes))?;
    if !served.running {
        // The clock stood still while there was no cache to serve.
        advance_system_clock(present_tick());
        let spawned = thread::Builder::new()
            .name("nearcache-helper".into())
            .spawn(run);
        // Without it nothing would ever expire: not a state to limp on in.
        spawned.map_err(ConfigError::HelperThread)?;
        served.running = true;
    }
    served.caches.push(Arc::downgrade(engine));
    // Under the lock, so that no tick comes in between.
    let now = engine.common.clock.now();
    engine.common.changes.signal().move_clock(now);
    Ok(())
}

fn run() {
    let mut rounds = 0u64;
    let mut is_growing = false;
    let mut engines = Vec::new();
    loop {
        if !is_growing {
            thread::sleep(Duration::from_millis(TICK_MS));
        }
        if !tick(&mut engines) {
            return;
        }
        // A part at a time, each of which may take the system as long as a tick.
        is_growing = engines
            .iter()
            .fold(false, |more, engine| engine.provide_memory() | more);
        rounds += 1;
        if rounds.is_multiple_of(UNIT_TICKS) {
            maintain(&engines);
        }
        // Before it sleeps: a cache shall end with its last owner.
        engines.clear();
    }
}

/// Whatever happens in one cache, the others are served, and that one again next time: what a panic
/// leaves behind is repaired by whoever comes next.
fn maintain(engines: &[Arc<Engine>]) {
    for engine in engines {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| engine.maintain())) {
            // Its drop might panic again.
            std::mem::forget(payload);
        }
    }
}

/// Moves the time of all caches that still live, and puts those to `engines` that there is memory for:
/// the others get no maintenance this time. False, and the thread is to end, if there are none.
fn tick(engines: &mut Vec<Arc<Engine>>) -> bool {
    let mut served = lock(&SERVED);
    served.caches.retain(|cache| cache.strong_count() > 0);
    served.running = !served.caches.is_empty();
    let tick = present_tick();
    for engine in served.caches.iter().filter_map(Weak::upgrade) {
        engine.common.changes.signal().move_clock(tick);
        if heap::reserve(engines, 1).is_ok() {
            engines.push(engine);
        }
    }
    advance_system_clock(tick);
    served.running
}

#[cfg(all(test, feature = "fault"))]
mod tests {
    use super::*;
    use crate::{Clock, Config, fault};

    #[test]
    fn a_panic_in_the_maintenance_of_one_cache_ends_no_others_and_not_its_own() {
        let engines = [7, 8].map(|seed| {
            let config = Config {
                clock: Clock::manual().0,
                seed: Some(seed),
                ..Config::new(1 << 20)
            };
            Arc::new(Engine::new(&config).unwrap())
        });
        fault::arm(1);
        maintain(&engines);
        // Hit, so that nothing is armed any more.
        assert!(fault::trace(|| maintain(&engines)).len() > 1);
        let repairs = engines.each_ref().map(|engine| engine.stats().repairs);
        assert_eq!(repairs, [1, 0]);
    }
}
