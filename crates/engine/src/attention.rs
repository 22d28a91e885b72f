//! Whether a write may concern somebody who is loading: one word, which is all that a writer pays
//! while nobody is.
//!
//! The word counts the claims (`claims`) and the keys on which entries depend (`tags`). A writer loads
//! it, relaxed, under the lock of its key's shard, and looks further only if it is not zero.
//!
//! Invariant: the word is raised for a key while the lock of the key's shard is held, and lowered for
//! it only after that.
//!
//! Why a relaxed load is enough. Take a key that was claimed (or registered) and a write of it. Both
//! hold the lock of the key's shard, so one comes first:
//! - If it is the write, it happens before the claim, and so does all that the writer did before it: who
//!   loads on that claim finds the source as the writer left it. There is nothing to supersede.
//! - If it is the claim, the raise happens before the load. So the load finds the raise or something
//!   later in the word's modification order, and there each lowering comes after its own raise: not
//!   zero, unless the claim was given back meanwhile.
//!
//! Without the lock this would be Dekker's race (the loader raises the word and reads the source; the
//! writer changes the source and reads the word), which takes a full fence in every write.

use crate::sync::{AtomicU64, CacheAligned, Ordering};

/// See the module's documentation. On lines of its own, because claims change it.
pub(crate) struct Attention(CacheAligned<AtomicU64>);

impl Attention {
    pub(crate) fn new() -> Self {
        Self(CacheAligned(AtomicU64::new(0)))
    }

    /// Whether a write must look whom it concerns. Called under the lock of the key's shard.
    #[inline(always)]
    pub(crate) fn is_needed(&self) -> bool {
        self.0.0.load(Ordering::Relaxed) != 0
    }

    /// One more claim or registered key. Called under the lock of the key's shard.
    pub(crate) fn raise(&self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }

    /// So many fewer claims.
    pub(crate) fn lower(&self, count: u64) {
        self.0.0.fetch_sub(count, Ordering::Relaxed);
    }
}
