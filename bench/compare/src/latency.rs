//! How long single operations take: each is timed by itself into a histogram. The clock takes a good part of what the
//! fastest reads take, so it is a contestant of its own, the first; what the others show includes it. It is the system's
//! monotonic clock and not the bare counter, which the processor may read before the operation has ended.

use crate::cases::{PLACES, stores_room};
use crate::options::Options;
use crate::stores::{Dash, Locked, Moka, Nearcache, Papaya, Quick, Store};
use crate::support::histogram::Histogram;
use crate::support::{key_of, zipf};
use std::hint::black_box;
use std::time::Instant;

/// So few that all contestants have had their turn before the machine changes its pace.
const BATCH: usize = 1 << 14;
const WARM_UP_ROUNDS: usize = 2;
/// Operations of each contestant, per round that the other cases take.
const BATCHES_PER_ROUND: usize = 2;

pub const TIMER: &str = "the timer alone";

/// What one operation came to at one size.
pub struct Latency {
    pub what: &'static str,
    pub entries: usize,
    pub rows: Vec<(&'static str, Histogram)>,
}

type Batch<const N: usize> = Box<dyn FnMut(&[[u8; N]], &mut Histogram)>;

pub fn measure<const N: usize>(entries: usize, options: &Options) -> Vec<Latency> {
    let keys: Vec<[u8; N]> = (0..entries as u64).map(key_of).collect();
    let popular = zipf(&keys, PLACES, 7);
    let absent: Vec<[u8; N]> = (0..PLACES)
        .map(|number| key_of((entries + number % entries) as u64))
        .collect();
    [("hit", &popular), ("miss", &absent), ("set", &popular)]
        .map(|(what, sequence)| Latency {
            what,
            entries,
            rows: take_turns(
                &mut contestants(what, &keys, options),
                sequence,
                options.rounds,
            ),
        })
        .into()
}

fn take_turns<const N: usize>(
    contestants: &mut [(&'static str, Batch<N>)],
    sequence: &[[u8; N]],
    rounds: usize,
) -> Vec<(&'static str, Histogram)> {
    let mut rows: Vec<_> = contestants
        .iter()
        .map(|(name, _)| (*name, Histogram::default()))
        .collect();
    let mut parts = sequence.chunks_exact(BATCH).cycle();
    for round in 0..rounds * BATCHES_PER_ROUND + WARM_UP_ROUNDS {
        for turn in 0..contestants.len() {
            let who = (turn + round) % contestants.len();
            let part = parts.next().expect("the sequence holds at least one batch");
            let mut histogram = Histogram::default();
            (contestants[who].1)(part, &mut histogram);
            if round >= WARM_UP_ROUNDS {
                rows[who].1.add(&histogram);
            }
        }
    }
    rows
}

fn contestants<const N: usize>(
    what: &'static str,
    keys: &[[u8; N]],
    options: &Options,
) -> Vec<(&'static str, Batch<N>)> {
    let (room, bytes) = (stores_room(keys.len()), options.value_bytes);
    vec![
        (
            TIMER,
            Box::new(|keys, histogram| each(keys, histogram, |_| ())),
        ),
        contestant(
            what,
            <Nearcache as Store<N>>::open(room, bytes),
            keys,
            bytes,
        ),
        contestant(what, Quick::<N>::open(room, bytes), keys, bytes),
        contestant(what, Moka::<N>::open(room, bytes), keys, bytes),
        contestant(what, Papaya::<N>::open(room, bytes), keys, bytes),
        contestant(what, Dash::<N>::open(room, bytes), keys, bytes),
        contestant(what, Locked::<N>::open(room, bytes), keys, bytes),
    ]
}

fn contestant<const N: usize, S: Store<N> + 'static>(
    what: &'static str,
    store: S,
    keys: &[[u8; N]],
    value_bytes: usize,
) -> (&'static str, Batch<N>) {
    let value = vec![7; value_bytes];
    keys.iter().for_each(|key| store.set(key, &value));
    store.settle();
    let mut out = value.clone();
    let batch: Batch<N> = match what {
        "set" => {
            Box::new(move |keys, histogram| each(keys, histogram, |key| store.set(key, &value)))
        }
        _ => Box::new(move |keys, histogram| {
            each(keys, histogram, |key| {
                black_box(store.get(key, &mut out));
                black_box(&mut out);
            });
        }),
    };
    (S::NAME, batch)
}

#[inline(always)]
fn each<const N: usize>(
    keys: &[[u8; N]],
    histogram: &mut Histogram,
    mut operation: impl FnMut(&[u8; N]),
) {
    for key in keys {
        let start = Instant::now();
        operation(black_box(key));
        histogram.note(start.elapsed().as_nanos() as u64);
    }
}
