//! One adapter per contestant, so that all of them do the same: keys by value, a value copied out, a value copied in.

use crate::support::Key;
use foldhash::fast::RandomState;
use nearcache_engine::{Cache, Config, Handle, Ttl};
use std::sync::{Arc, Mutex};

type Bytes = Arc<[u8]>;
pub type Out = [u8; 100];

/// A cache or map, as one thread uses it.
pub trait Store: Sized + Send {
    const NAME: &'static str;
    /// Whether it keeps to `entries` by evicting.
    const EVICTS: bool;
    /// Room for `entries`; a map ignores it.
    fn open(entries: usize) -> Self;
    /// The same store for another thread.
    fn attach(&self) -> Self;
    /// Copies the value out and returns its length; 0 for a miss.
    fn get(&self, key: &Key, out: &mut Out) -> usize;
    fn set(&self, key: &Key, value: &[u8]);
    /// Ends what is still going on in the background.
    fn settle(&self) {}
}

fn copy(value: &[u8], out: &mut Out) -> usize {
    out[..value.len()].copy_from_slice(value);
    value.len()
}

pub struct Nearcache(Cache, Handle);

impl Store for Nearcache {
    const NAME: &'static str = "nearcache";
    const EVICTS: bool = true;

    fn open(entries: usize) -> Self {
        let cache = Cache::new(Config::new(entries as u64 * (16 + 100 + 60)))
            .expect("a valid configuration");
        let handle = cache.handle();
        Nearcache(cache, handle)
    }

    fn attach(&self) -> Self {
        Nearcache(self.0.clone(), self.0.handle())
    }

    #[inline]
    fn get(&self, key: &Key, out: &mut Out) -> usize {
        let found = self.1.get(key, |value| {
            let length = value.len();
            value.copy_to(&mut out[..length]);
            length
        });
        found.unwrap_or(0)
    }

    #[inline]
    fn set(&self, key: &Key, value: &[u8]) {
        self.1
            .set(key, value, 0, Ttl::Millis(3_600_000))
            .expect("there is room, or something is evicted");
    }
}

pub struct Quick(Arc<quick_cache::sync::Cache<Key, Bytes>>);

impl Store for Quick {
    const NAME: &'static str = "quick_cache";
    const EVICTS: bool = true;

    fn open(entries: usize) -> Self {
        Quick(Arc::new(quick_cache::sync::Cache::new(entries)))
    }

    fn attach(&self) -> Self {
        Quick(self.0.clone())
    }

    #[inline]
    fn get(&self, key: &Key, out: &mut Out) -> usize {
        self.0.get(key).map_or(0, |value| copy(&value, out))
    }

    #[inline]
    fn set(&self, key: &Key, value: &[u8]) {
        self.0.insert(*key, value.into());
    }
}

#[derive(Clone)]
pub struct Moka(moka::sync::Cache<Key, Bytes, RandomState>);

impl Store for Moka {
    const NAME: &'static str = "moka";
    const EVICTS: bool = true;

    fn open(entries: usize) -> Self {
        let builder = moka::sync::Cache::builder().max_capacity(entries as u64);
        Moka(builder.build_with_hasher(RandomState::default()))
    }

    fn attach(&self) -> Self {
        self.clone()
    }

    #[inline]
    fn get(&self, key: &Key, out: &mut Out) -> usize {
        self.0.get(key).map_or(0, |value| copy(&value, out))
    }

    #[inline]
    fn set(&self, key: &Key, value: &[u8]) {
        self.0.insert(*key, value.into());
    }

    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}

#[derive(Clone)]
pub struct Papaya(Arc<papaya::HashMap<Key, Bytes, RandomState>>);

impl Store for Papaya {
    const NAME: &'static str = "papaya";
    const EVICTS: bool = false;

    fn open(_: usize) -> Self {
        Papaya(Arc::new(papaya::HashMap::with_hasher(
            RandomState::default(),
        )))
    }

    fn attach(&self) -> Self {
        self.clone()
    }

    #[inline]
    fn get(&self, key: &Key, out: &mut Out) -> usize {
        self.0.pin().get(key).map_or(0, |value| copy(value, out))
    }

    #[inline]
    fn set(&self, key: &Key, value: &[u8]) {
        self.0.pin().insert(*key, value.into());
    }
}

#[derive(Clone)]
pub struct Dash(Arc<dashmap::DashMap<Key, Bytes, RandomState>>);

impl Store for Dash {
    const NAME: &'static str = "dashmap";
    const EVICTS: bool = false;

    fn open(_: usize) -> Self {
        Dash(Arc::new(dashmap::DashMap::with_hasher(
            RandomState::default(),
        )))
    }

    fn attach(&self) -> Self {
        self.clone()
    }

    #[inline]
    fn get(&self, key: &Key, out: &mut Out) -> usize {
        self.0.get(key).map_or(0, |value| copy(&value, out))
    }

    #[inline]
    fn set(&self, key: &Key, value: &[u8]) {
        self.0.insert(*key, value.into());
    }
}

#[derive(Clone)]
pub struct Locked(Arc<Mutex<hashbrown::HashMap<Key, Bytes, RandomState>>>);

impl Store for Locked {
    const NAME: &'static str = "Mutex<hashbrown>";
    const EVICTS: bool = false;

    fn open(_: usize) -> Self {
        Locked(Arc::new(Mutex::new(hashbrown::HashMap::with_hasher(
            RandomState::default(),
        ))))
    }

    fn attach(&self) -> Self {
        self.clone()
    }

    #[inline]
    fn get(&self, key: &Key, out: &mut Out) -> usize {
        let map = self.0.lock().expect("nobody panics with the lock held");
        map.get(key).map_or(0, |value| copy(value, out))
    }

    #[inline]
    fn set(&self, key: &Key, value: &[u8]) {
        let value = Bytes::from(value);
        let mut map = self.0.lock().expect("nobody panics with the lock held");
        let replaced = map.insert(*key, value);
        drop(map); // the old value is freed outside of the lock
        drop(replaced);
    }
}
