//! Hit ratios of moka and quick_cache on a trace, and what a cache of theirs takes in memory, for
//! `bench:hitratio -- --libraries`:
//!
//! ```text
//! hitratio NAME KEYS N,N,...       a line of JSON per capacity: {"capacity":N,"requests":N,"hits":N}
//! hitratio NAME --bytes N          {"capacity":N,"bytes":N}
//! ```
//!
//! KEYS is a file of 64-bit little-endian numbers. One thread, read-through.
//!
//! Bytes are those of one cache that is full, and whose entries have been replaced for a while, values of 100 bytes and
//! all fixed parts included; small caches are measured many at a time. What is counted is what the allocator has
//! handed out, with what it keeps beside each block; of large caches what has become resident, if that is less: a
//! table may have grown by more than it has used yet. What a library has once in a process is not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const VALUE_BYTES: usize = 100;
/// Caches that are measured together have about so many entries.
const MEASURED_ENTRIES: u64 = 20_000;
/// A cache is measured after so many requests per entry that it may hold...
const REQUESTS_PER_ENTRY: u64 = 6;
/// ... for one of so many keys per entry, each as often as the others.
const KEYS_PER_ENTRY: u64 = 4;
/// Reads that let a library free what it has put off.
const SETTLING_READS: u64 = 10_000;

/// The system's allocator, with an account of what it has handed out.
struct Counting;

static HEAP_BYTES: AtomicI64 = AtomicI64::new(0);

unsafe extern "C" {
    fn malloc_usable_size(block: *mut c_void) -> usize;
}

/// What a block takes: its length is written before it.
fn block_bytes(block: *mut u8) -> i64 {
    if block.is_null() {
        return 0;
    }
    // SAFETY: a block that the system's allocator has handed out and not taken back.
    let usable = unsafe { malloc_usable_size(block.cast()) };
    (usable + size_of::<usize>()) as i64
}

// SAFETY: everything is passed on to the system's allocator unchanged; the account allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the ones that it needs.
        let block = unsafe { System.alloc(layout) };
        HEAP_BYTES.fetch_add(block_bytes(block), Ordering::Relaxed);
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HEAP_BYTES.fetch_sub(block_bytes(block), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
        panic!("hitratio NAME (KEYS | --bytes) N,N,...");
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

/// Prints the bytes of one cache of so many entries.
fn measure<C: Cache<Value = Arc<[u8]>>>(capacity: u64) {
    // What is made once in a process is there before anything is measured.
    drop(full::<C>(100));
    let count = (MEASURED_ENTRIES / capacity).max(1);
    let mut caches: Vec<C> = Vec::with_capacity(count as usize);
    let before = [HEAP_BYTES.load(Ordering::Relaxed), resident_bytes()];
    caches.extend((0..count).map(|_| full::<C>(capacity)));
    for _ in 0..SETTLING_READS {
        caches[0].get(u64::MAX);
    }
    let [heap, resident] = [
        HEAP_BYTES.load(Ordering::Relaxed) - before[0],
        resident_bytes() - before[1],
    ];
    // Of few pages nothing is known.
    let bytes = if count > 1 { heap } else { heap.min(resident) };
    println!(
        r#"{{"capacity":{capacity},"bytes":{}}}"#,
        bytes as u64 / count
    );
}

/// Of this process, as Linux tells it.
fn resident_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a line of it");
    let kib = number(line.split_whitespace().nth(1).expect("KiB"));
    kib as i64 * 1_024
}

/// A cache whose entries have been replaced for a while.
fn full<C: Cache<Value = Arc<[u8]>>>(capacity: u64) -> C {
    let mut cache = C::open(capacity);
    let mut random = 88_172_645_463_325_252u64;
    for _ in 0..REQUESTS_PER_ENTRY * capacity {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let key = random % (KEYS_PER_ENTRY * capacity);
        if !cache.get(key) {
            cache.set(key, vec![7; VALUE_BYTES].into());
        }
    }
    cache
}
