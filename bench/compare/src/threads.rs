//! How throughput grows with threads that read the same popular keys: 1, 2, 4, up to what the machine has.

use crate::cases::{BATCH, PLACES, read, stores_room};
use crate::options::Options;
use crate::stores::{Dash, Locked, Moka, Nearcache, Papaya, Quick, Store};
use crate::support::{Quartiles, key_of, zipf};
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

/// What stands first: work that needs nothing but the processor. If two threads do less than twice as much of it as one,
/// the machine has not two whole processors to give. Where both share a core, reads still gain a little, because one can
/// work while the other waits for memory.
pub const CONTROL: &str = "a bare loop";

const STEPS_PER_READ: u64 = 16;

/// One contestant's throughput, an element for each number of threads.
pub struct Scaling {
    pub name: &'static str,
    pub by_threads: Vec<Throughput>,
}

pub struct Throughput {
    pub threads: usize,
    pub million_per_second: Quartiles,
    /// As a multiple of one thread's in the same round.
    pub times_one: Quartiles,
}

struct Runner<'a> {
    name: &'static str,
    /// Seconds until so many threads have each read a part.
    seconds: Box<dyn Fn(usize) -> f64 + 'a>,
    /// For each number of threads, those of each round.
    taken: Vec<Vec<f64>>,
}

/// 1, 2, 4, and so on; the last one is the number of processors, and never less than 2.
pub fn thread_counts() -> Vec<usize> {
    let most = std::thread::available_parallelism().map_or(2, |count| count.get().max(2));
    let mut counts: Vec<usize> = (0..)
        .map(|power| 1 << power)
        .take_while(|&count| count < most)
        .collect();
    counts.push(most);
    counts
}

pub fn measure<const N: usize>(entries: usize, options: &Options) -> Vec<Scaling> {
    let keys: Vec<[u8; N]> = (0..entries as u64).map(key_of).collect();
    let sequence = zipf(&keys, PLACES, 7);
    let (room, bytes) = (stores_room(entries), options.value_bytes);
    let value = vec![7; bytes];
    let counts = thread_counts();
    let mut runners = vec![
        Runner {
            name: CONTROL,
            seconds: Box::new(|threads| seconds(threads, |_| (), |(), _| count_up())),
            taken: Vec::new(),
        },
        runner(
            <Nearcache as Store<N>>::open(room, bytes),
            &keys,
            &sequence,
            &value,
        ),
        runner(Quick::<N>::open(room, bytes), &keys, &sequence, &value),
        runner(Moka::<N>::open(room, bytes), &keys, &sequence, &value),
        runner(Papaya::<N>::open(room, bytes), &keys, &sequence, &value),
        runner(Dash::<N>::open(room, bytes), &keys, &sequence, &value),
        runner(Locked::<N>::open(room, bytes), &keys, &sequence, &value),
    ];
    for _ in 0..options.rounds {
        for runner in &mut runners {
            let round = counts
                .iter()
                .map(|&threads| (runner.seconds)(threads))
                .collect();
            runner.taken.push(round);
        }
    }
    runners
        .iter()
        .map(|runner| summary(runner, &counts))
        .collect()
}

fn runner<'a, const N: usize, S: Store<N> + 'a>(
    store: S,
    keys: &[[u8; N]],
    sequence: &'a [[u8; N]],
    value: &'a [u8],
) -> Runner<'a> {
    keys.iter().for_each(|key| store.set(key, value));
    store.settle();
    Runner {
        name: S::NAME,
        seconds: Box::new(move |threads| {
            let part = |thread: usize| &sequence[thread % (PLACES / BATCH) * BATCH..][..BATCH];
            seconds(
                threads,
                |_| store.attach(),
                |store, thread| read(&store, part(thread), value),
            )
        }),
        taken: Vec::new(),
    }
}

fn summary(runner: &Runner<'_>, counts: &[usize]) -> Scaling {
    let throughput = |(at, &threads): (usize, &usize)| {
        let rate =
            |round: &Vec<f64>, at: usize, threads: usize| (threads * BATCH) as f64 / round[at];
        let all = runner.taken.iter();
        Throughput {
            threads,
            million_per_second: Quartiles::of(
                all.clone()
                    .map(|round| rate(round, at, threads) / 1e6)
                    .collect(),
            ),
            times_one: Quartiles::of(
                all.map(|round| rate(round, at, threads) / rate(round, 0, 1))
                    .collect(),
            ),
        }
    };
    Scaling {
        name: runner.name,
        by_threads: counts.iter().enumerate().map(throughput).collect(),
    }
}

/// From when the first of `threads` begins until the last has done its `work`. They look at the clock themselves: on a
/// busy machine whoever waits for them may be woken long after they began. `attach` is done before, outside of them.
fn seconds<A: Send>(
    threads: usize,
    attach: impl Fn(usize) -> A,
    work: impl Fn(A, usize) -> u64 + Sync,
) -> f64 {
    let barrier = Barrier::new(threads);
    let spans: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let (attached, barrier, work) = (attach(thread), &barrier, &work);
                scope.spawn(move || {
                    barrier.wait();
                    let start = Instant::now();
                    black_box(work(attached, thread));
                    (start, Instant::now())
                })
            })
            .collect();
        let joined = running.into_iter().map(|thread| thread.join());
        joined
            .map(|span| span.expect("a reader doesn't panic"))
            .collect()
    });
    let first = spans.iter().map(|(start, _)| *start).min();
    let last = spans.iter().map(|(_, end)| *end).max();
    (last.expect("a thread") - first.expect("a thread")).as_secs_f64()
}

/// About as long as a batch of reads, in registers alone.
fn count_up() -> u64 {
    (0..BATCH as u64 * STEPS_PER_READ).fold(1, |sum, step| black_box(sum ^ step.rotate_left(7)))
}
