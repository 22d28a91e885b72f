//! Times every single operation. A machine takes the processor away for milliseconds whenever it likes; therefore the
//! thread's own processor time is read beside the clock, and a pause that the thread did not work through is told apart.

use std::time::{Duration, Instant};

/// Pauses above this are counted one by one.
const SLOW_NS: u64 = 100_000;
const VERY_SLOW_NS: u64 = 1_000_000;
/// The thread's time is read this often, because reading it takes longer than most operations. What these take besides
/// is added to a slow one's processor time.
const MARK_EVERY: u32 = 16;
/// Buckets per doubling: percentiles are exact to about 3 %.
const STEPS: u64 = 32;

/// See the module's documentation. One thread's.
pub struct Pauses {
    buckets: Vec<u64>,
    count: u64,
    /// Wall and processor time of the slow ones, in nanoseconds.
    slow: Vec<(u64, u64)>,
    wall_max_ns: u64,
    cpu_mark_ns: u64,
    until_mark: u32,
}

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses {
            buckets: vec![0; 64 * STEPS as usize],
            count: 0,
            slow: Vec::with_capacity(1 << 14),
            wall_max_ns: 0,
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
        self.count += 1;
        self.buckets[bucket(took_ns)] += 1;
        self.wall_max_ns = self.wall_max_ns.max(took_ns);
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
        self.count += other.count;
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += count;
        }
        self.slow.extend(&other.slow);
        self.wall_max_ns = self.wall_max_ns.max(other.wall_max_ns);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The time that this share of the operations doesn't exceed, in microseconds.
    pub fn percentile_us(&self, share: f64) -> f64 {
        let rank = (self.count as f64 * share).ceil() as u64;
        let mut sum = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            sum += count;
            if sum >= rank {
                return upper_ns(bucket) as f64 / 1e3;
            }
        }
        0.0
    }

    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.wall_max_ns)
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

fn bucket(ns: u64) -> usize {
    if ns < 2 * STEPS {
        return ns as usize;
    }
    let doubling = ns.ilog2() as u64 - STEPS.ilog2() as u64;
    (doubling * STEPS + (ns >> doubling)) as usize
}

fn upper_ns(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let doubling = bucket / STEPS - 1;
    (bucket - doubling * STEPS + 1) << doubling
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
