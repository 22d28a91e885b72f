//! The cache as its owner sees it.

use crate::config::Config;
use crate::engine::Engine;
use crate::error::{ConfigError, Error};
use crate::handle::Handle;
use crate::helper;
use crate::signal::Signal;
use crate::stats::Stats;
use std::sync::Arc;

/// A cache, shared by all threads of a process. Cloning it is cheap and gives another reference to
/// the same cache; its memory is freed when the last reference and the last [`Handle`] are gone.
#[derive(Clone)]
pub struct Cache {
    engine: Arc<Engine>,
}

impl Cache {
    /// Reserves the budget and starts the helper thread of the process, if it is not running yet.
    ///
    /// # Errors
    /// If the configuration makes no sense, or the system refuses address space, memory or the thread.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let engine = Arc::new(Engine::new(&config)?);
        if config.clock.is_system() {
            helper::serve(&engine)?;
        } else {
            config.clock.tell(engine.common.changes.signal());
        }
        let cache = Self { engine };
        cache.maintain();
        Ok(cache)
    }

    /// A new handle, for one thread.
    ///
    /// # Panics
    /// If there is no memory for it, see [`Self::try_handle`].
    pub fn handle(&self) -> Handle {
        self.try_handle().expect("memory for a handle")
    }

    /// A new handle, for one thread.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] only.
    pub fn try_handle(&self) -> Result<Handle, Error> {
        Ok(Handle::new(Arc::clone(&self.engine))?)
    }

    /// What the cache has done and holds. Takes each shard's lock for a moment.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Number of entries, expired ones that wait for their memory to be reclaimed included.
    pub fn len(&self) -> u64 {
        self.engine.entries()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The longest value that is accepted, in bytes.
    pub fn max_value_size(&self) -> u64 {
        self.engine.common.layout.value_bytes_max
    }

    /// The longest key that is accepted, in bytes: [`KEY_BYTES_MAX`](crate::KEY_BYTES_MAX), or an
    /// eighth of a very small budget.
    pub fn max_key_size(&self) -> usize {
        self.engine.key_bytes_max()
    }

    /// The words that tell an L0 whether it is current. They may outlive the cache, and stand still
    /// then.
    pub fn signal(&self) -> Arc<Signal> {
        Arc::clone(self.engine.common.changes.signal())
    }

    /// Removes what has expired and gives memory back: what the helper thread does regularly. With a manual clock it is the owner's to call.
    pub fn maintain(&self) {
        self.engine.maintain();
    }

    /// Repairs what threads left behind that panicked in the middle of a change, as every operation
    /// does for the shard that it needs. After a caught panic it tells whether all is well again.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if there is no room for that now. The next operation tries again.
    pub fn repair(&self) -> Result<(), Error> {
        for shard in 0..self.engine.shards.len() {
            self.engine.lock(shard)?;
        }
        Ok(())
    }

    /// Shards that the next one who locks them has to repair. For tests.
    #[cfg(feature = "fault")]
    pub fn poisoned_shards(&self) -> u64 {
        let shards = self.engine.shards.iter();
        shards.filter(|shard| shard.0.is_poisoned()).count() as u64
    }

    /// Pages that belong to no size, and whether one is on its way there. For tests.
    #[cfg(feature = "fault")]
    pub fn free_pages(&self) -> (usize, bool) {
        let emptying = self
            .engine
            .lock_emptying()
            .is_some_and(|page| page.is_some());
        (self.engine.common.allocator.pages_for_entries(), emptying)
    }

    /// Checks every structural invariant, for tests. Nothing may be writing at the same time; maintenance may.
    ///
    /// # Errors
    /// A description of the first violation.
    pub fn validate(&self) -> Result<(), String> {
        self.engine.validate()
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache")
            .field("stats", &self.stats())
            .finish()
    }
}
