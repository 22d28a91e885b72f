//! How throughput grows with threads that read the same popular keys: 1, 2, 4, up to what the machine has.

use crate::cases::{BATCH, PLACES, read, stores_room};
use crate::options::Options;
use crate::stores::{Dash, Locked, Moka, Nearcache, Papaya, Quick, Store};
use crate::support::{Quartiles, key_of, zipf};
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

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
        seconds: Box::new(move |threads| seconds(&store, sequence, value, threads)),
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

/// From when the first of `threads` begins until the last has read its own part of the sequence. They look at the clock
/// themselves: on a busy machine whoever waits for them may be woken long after they began.
fn seconds<const N: usize, S: Store<N>>(
    store: &S,
    sequence: &[[u8; N]],
    value: &[u8],
    threads: usize,
) -> f64 {
    let barrier = Barrier::new(threads);
    let spans: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let (store, barrier) = (store.attach(), &barrier);
                let part = &sequence[thread % (PLACES / BATCH) * BATCH..][..BATCH];
                scope.spawn(move || {
                    barrier.wait();
                    let start = Instant::now();
                    black_box(read(&store, part, value));
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
