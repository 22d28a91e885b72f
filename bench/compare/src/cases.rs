//! What is measured.

use crate::stores::{Dash, Locked, Moka, Nearcache, Papaya, Quick, Store};
use crate::support::{Contestant, Key, Row, VALUE, key, take_turns, zipf};
use std::hint::black_box;

const PLACES: usize = 1 << 20;
/// So long that what the others have pushed out of the processor's caches is a small part of it.
const BATCH: usize = 1 << 18;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Hit,
    Miss,
    Overwrite,
    Mixed,
    InsertAndEvict,
    HitByTwo,
    MixedByTwo,
}

pub struct Result {
    pub case: Case,
    pub entries: usize,
    pub rows: Vec<Row>,
}

impl Case {
    pub const ALL: [Case; 7] = [
        Case::Hit,
        Case::Miss,
        Case::Overwrite,
        Case::Mixed,
        Case::InsertAndEvict,
        Case::HitByTwo,
        Case::MixedByTwo,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Case::Hit => "get, hit",
            Case::Miss => "get, miss",
            Case::Overwrite => "set, overwrite",
            Case::Mixed => "95 % get, 5 % set",
            Case::InsertAndEvict => "set, insert and evict",
            Case::HitByTwo => "get, hit, 2 threads",
            Case::MixedByTwo => "95 % get, 5 % set, 2 threads",
        }
    }

    fn threads(self) -> usize {
        match self {
            Case::HitByTwo | Case::MixedByTwo => 2,
            _ => 1,
        }
    }
}

pub fn run(case: Case, entries: usize, rounds: usize) -> Result {
    let keys: Vec<Key> = (0..entries as u64).map(key).collect();
    let sequence = match case {
        Case::Miss => (0..PLACES)
            .map(|number| key((entries + number % entries) as u64))
            .collect(),
        _ => zipf(&keys, PLACES, 7),
    };
    let mut contestants = Vec::new();
    enter::<Nearcache>(&mut contestants, case, &keys);
    enter::<Quick>(&mut contestants, case, &keys);
    enter::<Moka>(&mut contestants, case, &keys);
    enter::<Papaya>(&mut contestants, case, &keys);
    enter::<Dash>(&mut contestants, case, &keys);
    enter::<Locked>(&mut contestants, case, &keys);
    Result {
        case,
        entries,
        rows: take_turns(&mut contestants, &sequence, BATCH, rounds),
    }
}

/// Fills a store and adds it to the contestants, if it can take part.
fn enter<S: Store + 'static>(contestants: &mut Vec<Contestant<'_>>, case: Case, keys: &[Key]) {
    let evicting = case == Case::InsertAndEvict;
    if evicting && !S::EVICTS {
        return;
    }
    let store = S::open(if evicting {
        keys.len()
    } else {
        keys.len() * 2 + 100_000
    });
    for key in keys {
        store.set(key, &VALUE);
    }
    store.settle();
    let mut threads: Vec<S> = (0..case.threads()).map(|_| store.attach()).collect();
    let mut number = keys.len() as u64;
    contestants.push(Contestant::new(S::NAME, move |keys| match case {
        Case::Hit | Case::Miss => {
            let sum = read(&store, keys);
            assert_eq!(sum > 0, case == Case::Hit);
            sum
        }
        Case::Overwrite => {
            keys.iter().for_each(|key| store.set(key, &VALUE));
            0
        }
        Case::Mixed => mix(&store, keys),
        Case::InsertAndEvict => {
            for _ in keys {
                store.set(&key(number), &VALUE);
                number += 1;
            }
            0
        }
        Case::HitByTwo => in_threads(&mut threads, keys, read),
        Case::MixedByTwo => in_threads(&mut threads, keys, mix),
    }));
}

fn read<S: Store>(store: &S, keys: &[Key]) -> u64 {
    let mut out = [0; 100];
    let mut sum = 0;
    for key in keys {
        sum += store.get(key, &mut out) as u64;
        black_box(&mut out);
    }
    sum
}

fn mix<S: Store>(store: &S, keys: &[Key]) -> u64 {
    let mut out = [0; 100];
    let mut sum = 0;
    for (place, key) in keys.iter().enumerate() {
        if place % 20 == 19 {
            store.set(key, &VALUE);
        } else {
            sum += store.get(key, &mut out) as u64;
            black_box(&mut out);
        }
    }
    sum
}

/// Each thread works through its part of the keys: ns per key is the inverse of the throughput of all together.
fn in_threads<S: Store>(stores: &mut [S], keys: &[Key], work: fn(&S, &[Key]) -> u64) -> u64 {
    let parts = keys.chunks(keys.len() / stores.len());
    std::thread::scope(|scope| {
        let running: Vec<_> = stores
            .iter_mut()
            .zip(parts)
            .map(|(store, part)| scope.spawn(move || work(store, part)))
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("a reader doesn't panic"))
            .sum()
    })
}
