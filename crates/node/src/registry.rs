//! Stores, and which of them have a name: the same in every thread of the process.
//!
//! A store lives as long as a handle holds it; the registry itself holds it weakly. The registry's lock guards the
//! table alone: no JavaScript runs under it, and no store is dropped under it (its `Drop` takes the lock).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use nearcache_engine::Cache;

use crate::errors::Failure;
use crate::options::Settings;

static NAMED: Mutex<BTreeMap<String, Weak<Store>>> = Mutex::new(BTreeMap::new());

/// One engine cache, and what its handles share beside it.
pub struct Store {
    /// Set once a repair after a panic has panicked too; read by every call. Partner: itself, nothing is published.
    poisoned: AtomicBool,
    pub cache: Cache,
    settings: Settings,
    pub blob: Blob,
}

impl Store {
    fn create(settings: Settings) -> Result<Arc<Store>, Failure> {
        let cache = Cache::new(settings.to_config())?;
        Ok(Arc::new(Store {
            poisoned: AtomicBool::new(false),
            cache,
            settings,
            blob: Blob::default(),
        }))
    }

    #[inline(always)]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Relaxed)
    }

    /// A call on this store panicked: has the engine put in order what it left behind. Whatever else the call was in
    /// the middle of (buffers of its handle, the blob) is whole at each step. If that panics too, nothing is sure any
    /// more, and every later call on this store fails, in any thread.
    #[cold]
    pub fn after_panic(&self) -> Failure {
        match catch_unwind(AssertUnwindSafe(|| self.cache.repair())) {
            Ok(Ok(())) => Failure::Panicked,
            Ok(Err(error)) => error.into(),
            Err(payload) => {
                std::mem::forget(payload); // its drop might panic again
                self.poisoned.store(true, Ordering::Relaxed);
                Failure::Poisoned
            }
        }
    }

    pub fn is_named(&self) -> bool {
        self.settings.name.is_some()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let Some(name) = &self.settings.name else {
            return;
        };
        let mut named = table();
        // The name may already belong to a newer store.
        if named
            .get(name)
            .is_some_and(|entry| std::ptr::eq(entry.as_ptr(), self))
        {
            named.remove(name);
        }
    }
}

/// The store that these settings ask for: the one of this name if it exists, else a new one.
pub fn attach(settings: Settings) -> Result<Arc<Store>, Failure> {
    let Some(name) = settings.name.clone() else {
        return Store::create(settings);
    };
    let existing = {
        let mut named = table();
        match named.get(&name).and_then(Weak::upgrade) {
            Some(store) => store,
            None => {
                let store = Store::create(settings)?;
                named.insert(name, Arc::downgrade(&store));
                return Ok(store);
            }
        }
    };
    existing.settings.expect_equal(&settings)?;
    if existing.is_poisoned() {
        Err(Failure::Poisoned)
    } else {
        Ok(existing)
    }
}

/// A panic under the lock leaves the table whole: it changes in one step.
fn table() -> MutexGuard<'static, BTreeMap<String, Weak<Store>>> {
    NAMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that the handles of a store share: the codec's dictionary of structures.
#[derive(Default)]
pub struct Blob {
    bytes: Mutex<Vec<u8>>,
    /// Raised under the lock of `bytes`; 0: never set.
    version: AtomicU32,
}

impl Blob {
    /// Partner: the store in `replace`. A reader that sees a version and then takes the lock gets those bytes or newer.
    pub fn version(&self) -> u32 {
        self.version.load(Ordering::Acquire)
    }

    pub fn read(&self) -> Vec<u8> {
        self.lock().clone()
    }

    /// Replaces the bytes unless somebody did so since `expected_version`.
    pub fn replace(&self, bytes: &[u8], expected_version: u32) -> bool {
        let bytes = bytes.to_vec();
        let mut current = self.lock();
        if self.version.load(Ordering::Relaxed) != expected_version {
            return false;
        }
        *current = bytes;
        self.version
            .store(expected_version.wrapping_add(1), Ordering::Release);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
