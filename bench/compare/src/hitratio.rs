//! Hit ratios of moka and quick_cache on a trace, and what an entry of theirs takes in memory, for
//! `bench:hitratio -- --libraries`:
//!
//! ```text
//! hitratio NAME KEYS N,N,...       a line of JSON per capacity: {"capacity":N,"requests":N,"hits":N}
//! hitratio NAME --bytes ENTRIES    bytes of resident memory per entry, key and value of 100 bytes included
//! ```
//!
//! KEYS is a file of 64-bit little-endian numbers. One thread, read-through.

use std::sync::Arc;

const VALUE_BYTES: usize = 100;

/// A cache of numbered keys.
trait Cache {
    type Value: Clone;
    fn open(entries: u64) -> Self;
    fn get(&mut self, key: u64) -> bool;
    fn set(&mut self, key: u64, value: Self::Value);
}

/// With values of type `V`: nothing for hit ratios, bytes for memory.
struct Moka<V>(moka::sync::Cache<u64, V>);

impl<V: Clone + Send + Sync + 'static> Cache for Moka<V> {
    type Value = V;

    fn open(entries: u64) -> Self {
        Self(moka::sync::Cache::new(entries))
    }

    fn get(&mut self, key: u64) -> bool {
        self.0.get(&key).is_some()
    }

    fn set(&mut self, key: u64, value: V) {
        self.0.insert(key, value);
        // At once, so that it holds what it may and no more, in every run the same.
        self.0.run_pending_tasks();
    }
}

struct Quick<V>(quick_cache::unsync::Cache<u64, V>);

impl<V: Clone> Cache for Quick<V> {
    type Value = V;

    fn open(entries: u64) -> Self {
        Self(quick_cache::unsync::Cache::new(entries as usize))
    }

    fn get(&mut self, key: u64) -> bool {
        self.0.get(&key).is_some()
    }

    fn set(&mut self, key: u64, value: V) {
        self.0.insert(key, value);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, what, numbers] = &arguments[..] else {
        panic!("hitratio NAME (KEYS N,N,... | --bytes ENTRIES)");
    };
    match (&name[..], &what[..]) {
        ("moka", "--bytes") => measure::<Moka<Arc<[u8]>>>(number(numbers)),
        ("quick_cache", "--bytes") => measure::<Quick<Arc<[u8]>>>(number(numbers)),
        ("moka", keys) => replay::<Moka<()>>(keys, numbers),
        ("quick_cache", keys) => replay::<Quick<()>>(keys, numbers),
        _ => panic!("{name} is neither moka nor quick_cache"),
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn replay<C: Cache<Value = ()>>(keys: &str, capacities: &str) {
    let bytes = std::fs::read(keys).expect("a file of keys");
    for capacity in capacities.split(',').map(number) {
        let mut cache = C::open(capacity);
        let mut hits = 0;
        for key in bytes.chunks_exact(8) {
            let key = u64::from_le_bytes(key.try_into().expect("eight bytes"));
            if cache.get(key) {
                hits += 1;
            } else {
                cache.set(key, ());
            }
        }
        let requests = bytes.len() / 8;
        println!(r#"{{"capacity":{capacity},"requests":{requests},"hits":{hits}}}"#);
    }
}

fn measure<C: Cache<Value = Arc<[u8]>>>(entries: u64) {
    let before = resident_bytes();
    let mut cache = C::open(entries + entries / 8);
    for key in 0..entries {
        cache.set(key, vec![7; VALUE_BYTES].into());
    }
    let held = (0..entries).filter(|key| cache.get(*key)).count() as u64;
    assert!(held * 100 >= entries * 99, "{held} left");
    println!("{:.1}", (resident_bytes() - before) as f64 / held as f64);
}

/// Of this process, as Linux tells it.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line of it");
    number(line.split_whitespace().nth(1).expect("KiB")) * 1_024
}
