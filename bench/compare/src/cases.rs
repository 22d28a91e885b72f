//! What is measured.

use crate::options::Options;
use crate::stores::{Dash, Locked, Moka, Nearcache, Papaya, Quick, Store};
use crate::support::{Contestant, Row, key_of, take_turns, zipf};
use std::hint::black_box;

pub const PLACES: usize = 1 << 20;
/// So long that what the others have pushed out of the processor's caches is a small part of it.
pub const BATCH: usize = 1 << 18;
/// The window, probation and protected are in their places after the capacity was written so often.
const FILLS_BEFORE_EVICTING: usize = 3;

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

/// What one case came to at one size.
pub struct Outcome {
    pub case: &'static str,
    pub entries: usize,
    pub rows: Vec<Row>,
    /// Of contestants that evict: how many entries they held at the end.
    pub held: Vec<(&'static str, usize)>,
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

pub fn run<const N: usize>(case: Case, entries: usize, options: &Options) -> Outcome {
    let keys: Vec<[u8; N]> = (0..entries as u64).map(key_of).collect();
    let sequence = match case {
        Case::Miss => (0..PLACES)
            .map(|number| key_of((entries + number % entries) as u64))
            .collect(),
        _ => zipf(&keys, PLACES, 7),
    };
    let mut stores = Stores::new(case, &keys, options);
    stores.enter(|| match case {
        Case::InsertAndEvict => even_budget::<N>(entries, options.value_bytes),
        _ => <Nearcache as Store<N>>::open(stores_room(entries), options.value_bytes),
    });
    stores.enter(|| Quick::<N>::open(room(case, entries), options.value_bytes));
    stores.enter(|| Moka::<N>::open(room(case, entries), options.value_bytes));
    stores.enter(|| Papaya::<N>::open(entries, options.value_bytes));
    stores.enter(|| Dash::<N>::open(entries, options.value_bytes));
    stores.enter(|| Locked::<N>::open(entries, options.value_bytes));
    let rows = take_turns(&mut stores.contestants, &sequence, BATCH, options.rounds);
    let held = match case {
        Case::InsertAndEvict => stores
            .held
            .iter()
            .map(|(name, len)| (*name, len()))
            .collect(),
        _ => Vec::new(),
    };
    Outcome {
        case: case.name(),
        entries,
        rows,
        held,
    }
}

fn room(case: Case, entries: usize) -> usize {
    match case {
        Case::InsertAndEvict => entries,
        _ => stores_room(entries),
    }
}

/// So much that nothing is evicted.
pub fn stores_room(entries: usize) -> usize {
    entries * 2 + 100_000
}

/// nearcache's budget is in bytes. The one with which, when it is full, it holds as many entries as the others.
fn even_budget<const N: usize>(entries: usize, value_bytes: usize) -> Nearcache {
    let value = vec![7; value_bytes];
    let mut store = <Nearcache as Store<N>>::open(entries, value_bytes);
    for _ in 0..2 {
        for number in 0..(entries * FILLS_BEFORE_EVICTING) as u64 {
            store.set(&key_of::<N>(number), &value);
        }
        let held = Store::<N>::len(&store);
        let budget = store.budget() as f64 * entries as f64 / held as f64;
        store = Nearcache::with_budget((budget as u64).max(nearcache_engine::MEMORY_BYTES_MIN));
    }
    store
}

type Held<'a> = Vec<(&'static str, Box<dyn Fn() -> usize + 'a>)>;

/// Those who take part in a case.
struct Stores<'a, const N: usize> {
    case: Case,
    keys: &'a [[u8; N]],
    value: Vec<u8>,
    contestants: Vec<Contestant<'a, [u8; N]>>,
    held: Held<'a>,
}

impl<'a, const N: usize> Stores<'a, N> {
    fn new(case: Case, keys: &'a [[u8; N]], options: &Options) -> Self {
        Stores {
            case,
            keys,
            value: vec![7; options.value_bytes],
            contestants: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Fills a store and adds it to the contestants, if it can take part.
    fn enter<S: Store<N> + 'static>(&mut self, open: impl FnOnce() -> S) {
        let (case, value) = (self.case, self.value.clone());
        let evicting = case == Case::InsertAndEvict;
        if evicting && !S::EVICTS {
            return;
        }
        let store = open();
        let mut number = 0;
        for _ in 0..if evicting { FILLS_BEFORE_EVICTING } else { 1 } {
            for _ in self.keys {
                store.set(&key_of(number), &value);
                number += 1;
            }
        }
        store.settle();
        self.held.push((S::NAME, store.counter()));
        let others = if case.threads() > 1 {
            case.threads()
        } else {
            0
        };
        let mut threads: Vec<S> = (0..others).map(|_| store.attach()).collect();
        let batch = move |keys: &[[u8; N]]| match case {
            Case::Hit | Case::Miss => {
                let sum = read(&store, keys, &value);
                assert_eq!(sum > 0, case == Case::Hit);
                sum
            }
            Case::Overwrite => {
                keys.iter().for_each(|key| store.set(key, &value));
                0
            }
            Case::Mixed => mix(&store, keys, &value),
            Case::InsertAndEvict => {
                for _ in keys {
                    store.set(&key_of(number), &value);
                    number += 1;
                }
                0
            }
            Case::HitByTwo => in_threads(&mut threads, keys, &value, read),
            Case::MixedByTwo => in_threads(&mut threads, keys, &value, mix),
        };
        self.contestants.push(Contestant::new(S::NAME, batch));
    }
}

pub fn read<const N: usize, S: Store<N>>(store: &S, keys: &[[u8; N]], value: &[u8]) -> u64 {
    let mut out = vec![0; value.len()];
    let mut sum = 0;
    for key in keys {
        sum += store.get(key, &mut out) as u64;
        black_box(&mut out);
    }
    sum
}

fn mix<const N: usize, S: Store<N>>(store: &S, keys: &[[u8; N]], value: &[u8]) -> u64 {
    let mut out = vec![0; value.len()];
    let mut sum = 0;
    for (place, key) in keys.iter().enumerate() {
        if place % 20 == 19 {
            store.set(key, value);
        } else {
            sum += store.get(key, &mut out) as u64;
            black_box(&mut out);
        }
    }
    sum
}

type Work<const N: usize, S> = fn(&S, &[[u8; N]], &[u8]) -> u64;

/// Each thread works through its part of the keys: ns per key is the inverse of the throughput of all together.
fn in_threads<const N: usize, S: Store<N>>(
    stores: &mut [S],
    keys: &[[u8; N]],
    value: &[u8],
    work: Work<N, S>,
) -> u64 {
    let parts = keys.chunks(keys.len() / stores.len());
    std::thread::scope(|scope| {
        let running: Vec<_> = stores
            .iter_mut()
            .zip(parts)
            .map(|(store, part)| scope.spawn(move || work(store, part, value)))
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("a reader doesn't panic"))
            .sum()
    })
}
