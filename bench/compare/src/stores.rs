//! One adapter per contestant, so that all of them do the same: keys by value, a value copied out, a value copied in.

use foldhash::fast::RandomState;
use nearcache_engine::{Cache, Config, Handle, MEMORY_BYTES_MIN, Ttl};
use std::sync::{Arc, Mutex};

type Bytes = Arc<[u8]>;
type Key<const N: usize> = [u8; N];

/// A cache or map with keys of `N` bytes, as one thread uses it.
pub trait Store<const N: usize>: Sized + Send {
    const NAME: &'static str;
    /// Whether it keeps to `entries` by evicting.
    const EVICTS: bool;
    /// Room for `entries` with values of so many bytes; a map ignores it.
    fn open(entries: usize, value_bytes: usize) -> Self;
    /// The same store for another thread.
    fn attach(&self) -> Self;
    /// Copies the value out and returns its length; 0 for a miss.
    fn get(&self, key: &Key<N>, out: &mut [u8]) -> usize;
    fn set(&self, key: &Key<N>, value: &[u8]);
    /// Number of entries.
    fn len(&self) -> usize;
    /// Ends what is still going on in the background.
    fn settle(&self) {}
    /// Counts the entries, once all is settled.
    fn counter(&self) -> Box<dyn Fn() -> usize>
    where
        Self: 'static,
    {
        let watched = self.attach();
        Box::new(move || {
            watched.settle();
            watched.len()
        })
    }
}

fn copy(value: &[u8], out: &mut [u8]) -> usize {
    out[..value.len()].copy_from_slice(value);
    value.len()
}

pub struct Nearcache(Cache, Handle);

impl Nearcache {
    pub fn with_budget(bytes: u64) -> Self {
        let cache = Cache::new(Config::new(bytes)).expect("a valid configuration");
        let handle = cache.handle();
        Nearcache(cache, handle)
    }

    pub fn budget(&self) -> u64 {
        self.0.stats().memory_max
    }
}

impl<const N: usize> Store<N> for Nearcache {
    const NAME: &'static str = "nearcache";
    const EVICTS: bool = true;

    /// A budget in bytes that holds about as many entries as the others are allowed.
    fn open(entries: usize, value_bytes: usize) -> Self {
        let beside = 32 + 8 + 16;
        let budget = (entries * (N + value_bytes + beside)) as u64;
        Self::with_budget((budget + budget / 50).max(MEMORY_BYTES_MIN))
    }

    fn attach(&self) -> Self {
        Nearcache(self.0.clone(), self.0.handle())
    }

    #[inline]
    fn get(&self, key: &Key<N>, out: &mut [u8]) -> usize {
        let found = self.1.get(key, |value| {
            let length = value.len();
            value.copy_to(&mut out[..length]);
            length
        });
        found.unwrap_or(0)
    }

    #[inline]
    fn set(&self, key: &Key<N>, value: &[u8]) {
        self.1
            .set(key, value, 0, Ttl::Millis(3_600_000))
            .expect("there is room, or something is evicted");
    }

    fn len(&self) -> usize {
        self.0.len() as usize
    }

    /// Without another handle: one that is alone writes in place.
    fn counter(&self) -> Box<dyn Fn() -> usize> {
        let cache = self.0.clone();
        Box::new(move || cache.len() as usize)
    }
}

pub struct Quick<const N: usize>(Arc<quick_cache::sync::Cache<Key<N>, Bytes>>);

impl<const N: usize> Store<N> for Quick<N> {
    const NAME: &'static str = "quick_cache";
    const EVICTS: bool = true;

    fn open(entries: usize, _: usize) -> Self {
        Quick(Arc::new(quick_cache::sync::Cache::new(entries)))
    }

    fn attach(&self) -> Self {
        Quick(self.0.clone())
    }

    #[inline]
    fn get(&self, key: &Key<N>, out: &mut [u8]) -> usize {
        self.0.get(key).map_or(0, |value| copy(&value, out))
    }

    #[inline]
    fn set(&self, key: &Key<N>, value: &[u8]) {
        self.0.insert(*key, value.into());
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Clone)]
pub struct Moka<const N: usize>(moka::sync::Cache<Key<N>, Bytes, RandomState>);

impl<const N: usize> Store<N> for Moka<N> {
    const NAME: &'static str = "moka";
    const EVICTS: bool = true;

    fn open(entries: usize, _: usize) -> Self {
        let builder = moka::sync::Cache::builder().max_capacity(entries as u64);
        Moka(builder.build_with_hasher(RandomState::default()))
    }

    fn attach(&self) -> Self {
        self.clone()
    }

    #[inline]
    fn get(&self, key: &Key<N>, out: &mut [u8]) -> usize {
        self.0.get(key).map_or(0, |value| copy(&value, out))
    }

    #[inline]
    fn set(&self, key: &Key<N>, value: &[u8]) {
        self.0.insert(*key, value.into());
    }

    fn settle(&self) {
        self.0.run_pending_tasks();
    }

    fn len(&self) -> usize {
        self.0.entry_count() as usize
    }
}

#[derive(Clone)]
pub struct Papaya<const N: usize>(Arc<papaya::HashMap<Key<N>, Bytes, RandomState>>);

impl<const N: usize> Store<N> for Papaya<N> {
    const NAME: &'static str = "papaya";
    const EVICTS: bool = false;

    fn open(_: usize, _: usize) -> Self {
        Papaya(Arc::new(papaya::HashMap::with_hasher(
            RandomState::default(),
        )))
    }

    fn attach(&self) -> Self {
        self.clone()
    }

    #[inline]
    fn get(&self, key: &Key<N>, out: &mut [u8]) -> usize {
        self.0.pin().get(key).map_or(0, |value| copy(value, out))
    }

    #[inline]
    fn set(&self, key: &Key<N>, value: &[u8]) {
        self.0.pin().insert(*key, value.into());
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Clone)]
pub struct Dash<const N: usize>(Arc<dashmap::DashMap<Key<N>, Bytes, RandomState>>);

impl<const N: usize> Store<N> for Dash<N> {
    const NAME: &'static str = "dashmap";
    const EVICTS: bool = false;

    fn open(_: usize, _: usize) -> Self {
        Dash(Arc::new(dashmap::DashMap::with_hasher(
            RandomState::default(),
        )))
    }

    fn attach(&self) -> Self {
        self.clone()
    }

    #[inline]
    fn get(&self, key: &Key<N>, out: &mut [u8]) -> usize {
        self.0.get(key).map_or(0, |value| copy(&value, out))
    }

    #[inline]
    fn set(&self, key: &Key<N>, value: &[u8]) {
        self.0.insert(*key, value.into());
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Clone)]
pub struct Locked<const N: usize>(Arc<Mutex<hashbrown::HashMap<Key<N>, Bytes, RandomState>>>);

impl<const N: usize> Store<N> for Locked<N> {
    const NAME: &'static str = "Mutex<hashbrown>";
    const EVICTS: bool = false;

    fn open(_: usize, _: usize) -> Self {
        Locked(Arc::new(Mutex::new(hashbrown::HashMap::with_hasher(
            RandomState::default(),
        ))))
    }

    fn attach(&self) -> Self {
        self.clone()
    }

    #[inline]
    fn get(&self, key: &Key<N>, out: &mut [u8]) -> usize {
        let map = self.0.lock().expect("nobody panics with the lock held");
        map.get(key).map_or(0, |value| copy(value, out))
    }

    #[inline]
    fn set(&self, key: &Key<N>, value: &[u8]) {
        let value = Bytes::from(value);
        let mut map = self.0.lock().expect("nobody panics with the lock held");
        let replaced = map.insert(*key, value);
        drop(map); // the old value is freed outside of the lock
        drop(replaced);
    }

    fn len(&self) -> usize {
        self.0
            .lock()
            .expect("nobody panics with the lock held")
            .len()
    }
}
