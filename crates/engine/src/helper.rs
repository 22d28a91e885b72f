//! The helper thread: one for all caches of the process that run on the system's clock. It moves the
//! tick and does each cache's maintenance. It starts with the first such cache and ends with the
//! last; it never keeps a process alive.

use crate::clock::{TICK_MS, advance_system_clock};
use crate::engine::Engine;
use crate::expiry::UNIT_TICKS;
use crate::sync::{Mutex, Ordering, lock, thread};
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
    advance_system_clock();
    let mut served = lock(&SERVED);
    served.caches.push(Arc::downgrade(engine));
    if !served.running {
        served.running = true;
        let spawned = thread::Builder::new()
            .name("nearcache-helper".into())
            .spawn(run);
        // Without it nothing would ever expire: not a state to limp on in.
        spawned.expect("a helper thread can be started");
    }
}

fn run() {
    let mut ticks = 0u64;
    loop {
        thread::sleep(Duration::from_millis(TICK_MS));
        advance_system_clock();
        let Some(engines) = current() else { return };
        ticks += 1;
        for engine in engines {
            let now = engine.common.clock.now();
            engine
                .common
                .changes
                .signal()
                .now
                .store(now as u32, Ordering::Release);
            if ticks.is_multiple_of(UNIT_TICKS) {
                engine.maintain();
            }
        }
    }
}

/// The caches that still live; `None`, and the thread is to end, if there are none.
fn current() -> Option<Vec<Arc<Engine>>> {
    let mut served = lock(&SERVED);
    served.caches.retain(|cache| cache.strong_count() > 0);
    let engines: Vec<_> = served.caches.iter().filter_map(Weak::upgrade).collect();
    served.running = !served.caches.is_empty();
    served.running.then_some(engines)
}
