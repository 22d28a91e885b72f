//! Times every single operation. A machine takes the processor away for milliseconds whenever it likes; therefore the
//! thread's own processor time is read beside the clock, and a pause that the thread did not work through is told apart.

use crate::support::histogram::Histogram;
use std::time::{Duration, Instant};

/// Pauses above this are counted one by one.
const SLOW_NS: u64 = 100_000;
const VERY_SLOW_NS: u64 = 1_000_000;
/// The thread's time is read this often, because reading it takes longer than most operations. What these take besides
/// is added to a slow one's processor time.
const MARK_EVERY: u32 = 16;

/// See the module's documentation. One thread's.
pub struct Pauses {
    all: Histogram,
    /// Wall and processor time of the slow ones, in nanoseconds.
    slow: Vec<(u64, u64)>,
    cpu_mark_ns: u64,
    until_mark: u32,
}

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses {
            all: Histogram::default(),
            slow: Vec::with_capacity(1 << 14),
            cpu_mark_ns: thread_cpu_ns(),
            until_mark: MARK_EVERY,
        }
    }
}

impl Pauses {
    /// To be called on the thread that will be timed, before the first operation.
    pub fn begin(&mut self) {
        self.cpu_mark_ns = thread_cpu_ns();
        self.until_mark = MARK_EVERY;
    }

    #[inline(always)]
    pub fn time<R>(&mut self, operation: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = operation();
        let took_ns = start.elapsed().as_nanos() as u64;
        self.note(took_ns);
        result
    }

    fn note(&mut self, took_ns: u64) {
        self.all.note(took_ns);
        self.until_mark -= 1;
        if took_ns > SLOW_NS || self.until_mark == 0 {
            let cpu_ns = thread_cpu_ns();
            if took_ns > SLOW_NS {
                self.slow
                    .push((took_ns, (cpu_ns - self.cpu_mark_ns).min(took_ns)));
            }
            self.begin();
        }
    }

    pub fn add(&mut self, other: &Pauses) {
        self.all.add(&other.all);
        self.slow.extend(&other.slow);
    }

    pub fn count(&self) -> u64 {
        self.all.count()
    }

    /// The time that this share of the operations doesn't exceed, in microseconds.
    pub fn percentile_us(&self, share: f64) -> f64 {
        self.all.percentile_ns(share) as f64 / 1e3
    }

    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.all.max_ns())
    }

    /// The most processor time that one operation took, among the slow ones.
    pub fn cpu_max(&self) -> Duration {
        Duration::from_nanos(self.slow.iter().map(|(_, cpu)| *cpu).max().unwrap_or(0))
    }

    /// How many took more than 100 µs and 1 ms by the clock, and how many of processor time.
    pub fn slow(&self) -> [u64; 4] {
        let count = |of: fn(&(u64, u64)) -> u64, limit: u64| {
            self.slow.iter().filter(|pause| of(pause) > limit).count() as u64
        };
        [
            count(|pause| pause.0, SLOW_NS),
            count(|pause| pause.0, VERY_SLOW_NS),
            count(|pause| pause.1, SLOW_NS),
            count(|pause| pause.1, VERY_SLOW_NS),
        ]
    }
}

/// Processor time of the calling thread.
#[cfg(unix)]
fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is writable and of the type that the function fills.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Not read here: every pause counts as worked through.
#[cfg(not(unix))]
fn thread_cpu_ns() -> u64 {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
