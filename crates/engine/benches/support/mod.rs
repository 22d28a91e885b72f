//! What the engine's benchmarks and the comparison with other crates (bench/compare) share: keys, a Zipf sequence, and
//! a timing loop in which contestants take turns, so that whatever slows the machine for a while slows them all.

#![allow(dead_code, missing_docs)] // each of the two uses its part

pub mod histogram;

use std::hint::black_box;
use std::time::Instant;

pub type Key = [u8; 16];
pub const VALUE: [u8; 100] = [7; 100];
const WARM_UP_ROUNDS: usize = 2;

/// The key of a number; different numbers have different keys.
pub fn key(number: u64) -> Key {
    key_of(number)
}

/// The same of another length, at least 16 bytes.
pub fn key_of<const N: usize>(number: u64) -> [u8; N] {
    let mut key = [b'k'; N];
    key[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    key[8..16].copy_from_slice(&number.to_le_bytes());
    key
}

/// A generator that gives the same numbers in every run (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// `count` keys out of `keys`, with popularity by Zipf's law (exponent 0.99); the popular ones are scattered.
pub fn zipf<K: Copy>(keys: &[K], count: usize, seed: u64) -> Vec<K> {
    let mut random = Random::new(seed);
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    for index in (1..order.len()).rev() {
        order.swap(index, random.below(index + 1));
    }
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=keys.len())
        .map(|rank| {
            sum += 1.0 / (rank as f64).powf(0.99);
            sum
        })
        .collect();
    (0..count)
        .map(|_| {
            let at = random.next() as f64 / (1u64 << 53) as f64 * sum;
            let rank = cumulative.partition_point(|&c| c < at).min(keys.len() - 1);
            keys[order[rank] as usize]
        })
        .collect()
}

type Batch<'a, K> = Box<dyn FnMut(&[K]) -> u64 + 'a>;

/// One who takes turns. `batch` works through the keys and returns a sum over what it found.
pub struct Contestant<'a, K = Key> {
    pub name: &'static str,
    pub batch: Batch<'a, K>,
}

impl<'a, K> Contestant<'a, K> {
    pub fn new(name: &'static str, batch: impl FnMut(&[K]) -> u64 + 'a) -> Contestant<'a, K> {
        Contestant {
            name,
            batch: Box::new(batch),
        }
    }
}

/// Lower quartile, median and upper quartile.
#[derive(Clone, Copy, Debug)]
pub struct Quartiles(pub [f64; 3]);

impl Quartiles {
    pub fn of(mut numbers: Vec<f64>) -> Quartiles {
        numbers.sort_by(f64::total_cmp);
        let at = |share: f64| numbers[((numbers.len() - 1) as f64 * share).round() as usize];
        Quartiles([at(0.25), at(0.5), at(0.75)])
    }

    pub fn median(&self) -> f64 {
        self.0[1]
    }
}

/// A contestant's result: ns per key, and the first contestant's time divided by it; `ratios` has those of each round.
pub struct Row {
    pub name: &'static str,
    pub ns: Quartiles,
    pub ratio: Quartiles,
    pub ratios: Vec<f64>,
}

/// Lets the contestants take turns over `sequence`, `batch` keys at a time, each on a part of its own.
pub fn take_turns<K>(
    contestants: &mut [Contestant<'_, K>],
    sequence: &[K],
    batch: usize,
    rounds: usize,
) -> Vec<Row> {
    let mut times = vec![Vec::new(); contestants.len()];
    let mut parts = sequence.chunks_exact(batch).cycle();
    for round in 0..rounds + WARM_UP_ROUNDS {
        for turn in 0..contestants.len() {
            let who = (turn + round) % contestants.len();
            let part = parts.next().expect("the sequence holds at least one batch");
            let start = Instant::now();
            black_box((contestants[who].batch)(black_box(part)));
            let ns = start.elapsed().as_nanos() as f64 / batch as f64;
            if round >= WARM_UP_ROUNDS {
                times[who].push(ns);
            }
        }
    }
    let first = times[0].clone();
    let row = |(contestant, times): (&Contestant<'_, K>, &Vec<f64>)| {
        let ratios: Vec<f64> = first.iter().zip(times).map(|(a, b)| a / b).collect();
        Row {
            name: contestant.name,
            ns: Quartiles::of(times.clone()),
            ratio: Quartiles::of(ratios.clone()),
            ratios,
        }
    };
    contestants.iter().zip(&times).map(row).collect()
}

/// Bytes of this process in memory; None where /proc has no answer.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
