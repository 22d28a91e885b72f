//! The helper thread: one for all caches of the process that run on the system's clock. It moves the
//! tick and does each cache's maintenance. It starts with the first such cache and ends with the
//! last; it never keeps a process alive.

use crate::clock::{TICK_MS, advance_system_clock, present_tick};
use crate::engine::Engine;
use crate::expiry::UNIT_TICKS;
use crate::sync::{Mutex, lock, thread};
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
pub(crate) fn serve(engine: &Arc<Engine>) {
    let mut served = lock(&SERVED);
    served.caches.push(Arc::downgrade(engine));
    if !served.running {
        served.running = true;
        // The clock stood still while there was no cache to serve.
        advance_system_clock(present_tick());
        let spawned = thread::Builder::new()
            .name("nearcache-helper".into())
            .spawn(run);
        // Without it nothing would ever expire: not a state to limp on in.
        spawned.expect("a helper thread can be started");
    }
    // Under the lock, so that no tick comes in between.
    let now = engine.common.clock.now();
    engine.common.changes.signal().move_clock(now);
}

fn run() {
    let mut ticks = 0u64;
    loop {
        thread::sleep(Duration::from_millis(TICK_MS));
        let Some(engines) = tick() else { return };
        engines.iter().for_each(|engine| engine.populate_ahead());
        ticks += 1;
        if ticks.is_multiple_of(UNIT_TICKS) {
            engines.iter().for_each(|engine| engine.maintain());
        }
    }
}

/// Moves the time of all caches that still live, and returns them; `None`, and the thread is to end,
/// if there are none.
fn tick() -> Option<Vec<Arc<Engine>>> {
    let mut served = lock(&SERVED);
    served.caches.retain(|cache| cache.strong_count() > 0);
    served.running = !served.caches.is_empty();
    let engines: Vec<_> = served.caches.iter().filter_map(Weak::upgrade).collect();
    let tick = present_tick();
    for engine in &engines {
        engine.common.changes.signal().move_clock(tick);
    }
    advance_system_clock(tick);
    served.running.then_some(engines)
}
