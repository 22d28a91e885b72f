//! What those who load values need of a cache: claims on keys, stamps, tags and dependencies; and what
//! a writer does so that they learn of its write.
//!
//! The protocols are those of `claims`, `tags` and `attention`; here they meet the shards' locks. A write
//! asks `attention` under its shard's lock. If anybody is concerned, it supersedes the key's claim before
//! its change takes effect (should it die in between, a load is wasted), and invalidates what depends on the
//! key after it, under the same hold of the lock (before it, somebody might take the new stamp and then
//! read the old value). Should it die in between, `repair` invalidates all that depends on any key.

use crate::claims::{Answer, Lease, Place, Refused, Released};
use crate::clock::{TICK_MS, Ttl};
use crate::engine::{Engine, Terms};
use crate::error::Error;
use crate::fault;
use crate::handle::Handle;
use crate::hash::KeyHash;
use crate::shard::{Condition, LockedShard};

/// What [`Handle::claim`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The caller is to load the key. The token, from 1 to 2^53, is no other claim's of this cache.
    Owned(u64),
    /// Somebody else is loading it.
    Held {
        /// Milliseconds until the claim can be taken over, at least 1.
        remaining_ms: u64,
    },
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooMany { max } => Self::TooManyClaims { max },
            Refused::Heap(refused) => refused.into(),
        }
    }
}

/// The tick at which a lease that begins now is over: one is added because the present one has partly
/// passed.
fn end_of(now: u64, lease_ms: u64) -> u64 {
    now.saturating_add(lease_ms.div_ceil(TICK_MS))
        .saturating_add(1)
}

fn remaining_ms(ticks: u64) -> u64 {
    (ticks - 1).saturating_mul(TICK_MS).max(1)
}

impl Engine {
    fn place(&self, hash: KeyHash) -> Place {
        Place {
            shard: self.shard_index(hash),
            hash: hash.0,
        }
    }

    fn claim(&self, key: &[u8], lease_ms: u64, owner: u64) -> Result<Claim, Error> {
        self.check_key(key)?;
        let place = self.place(self.common.hasher.hash(key));
        let _locked = self.lock(place.shard)?;
        let now = self.common.clock.now();
        let end = end_of(now, lease_ms);
        let (claims, attention) = (&self.common.claims, &self.common.attention);
        let answer = claims.claim(attention, place, key, Lease { owner, now, end })?;
        Ok(match answer {
            Answer::Owned(token) => Claim::Owned(token),
            Answer::Held(ticks) => Claim::Held {
                remaining_ms: remaining_ms(ticks),
            },
        })
    }

    pub(crate) fn is_claim_current(&self, hash: KeyHash, token: u64) -> bool {
        self.common.claims.is_current(self.place(hash), token)
    }

    pub(crate) fn give_up_claims(&self, owner: u64) {
        self.common.claims.give_up(&self.common.attention, owner);
    }

    /// Before a change of the key, under its shard's lock.
    #[cold]
    pub(crate) fn supersede_claim(&self, hash: KeyHash) {
        self.common.claims.supersede(self.place(hash));
        fault::point();
    }

    /// After a change of the key, under its shard's lock.
    #[cold]
    pub(crate) fn tell_dependents(&self, hash: KeyHash) {
        if self.common.tags.note_write(hash.0) {
            fault::point();
            // Their copies don't know what they depend on.
            self.common.changes.lap_all();
        }
    }

    /// Whether a store may be made that its condition allows; if so, it is what supersedes the key's
    /// claim. `is_attended` was found under the lock of the key's shard, which is still held.
    #[inline(always)]
    pub(crate) fn allows(&self, hash: KeyHash, terms: Terms, is_attended: bool) -> bool {
        match terms {
            Terms::On(_) => {
                if is_attended {
                    self.supersede_claim(hash);
                }
                true
            }
            Terms::Claimed(token) => is_attended && self.is_claim_current(hash, token),
            Terms::Copy(_) => true,
        }
    }

    /// As [`Self::allows`], for a store whose condition is still to be asked by [`LockedShard::publish`]:
    /// one that is refused leaves the claim as it is.
    #[inline]
    pub(crate) fn may_publish(
        &self,
        locked: &LockedShard<'_>,
        (hash, key): (KeyHash, &[u8]),
        terms: Terms,
        is_attended: bool,
        now: u64,
    ) -> bool {
        let condition = terms.condition();
        if is_attended
            && condition != Condition::Always
            && !locked.holds(condition, locked.find(hash, key), now)
        {
            return false;
        }
        self.allows(hash, terms, is_attended)
    }

    /// Before all keys of a shard that begin with `prefix` are deleted, under its lock; whether anybody
    /// may be concerned.
    pub(crate) fn supersede_claims(&self, shard: usize, prefix: &[u8]) -> bool {
        let is_attended = self.common.attention.is_needed();
        if is_attended {
            self.common.claims.supersede_prefix(shard, prefix);
            fault::point();
        }
        is_attended
    }

    /// Before all keys that begin with `prefix` are deleted; whether anybody may be concerned.
    pub(crate) fn supersede_prefix(&self, prefix: &[u8]) -> Result<bool, Error> {
        let mut is_attended = false;
        for shard in 0..self.shards.len() {
            let _locked = self.lock(shard)?;
            is_attended |= self.supersede_claims(shard, prefix);
        }
        Ok(is_attended)
    }

    /// After so many keys were deleted that they are not asked for one by one.
    pub(crate) fn tell_all_dependents(&self) {
        self.common.tags.note_all_written();
        self.common.changes.lap_all();
    }

    fn depend(&self, key: &[u8]) -> Result<(), Error> {
        let hash = self.common.hasher.hash(key);
        if self.common.tags.is_registered(hash.0) {
            return Ok(());
        }
        let _locked = self.lock(self.shard_index(hash))?;
        let registered = self.common.tags.register(&self.common.attention, hash.0);
        Ok(registered?)
    }
}

/// Claims: who loads a key.
impl Handle {
    /// Claims a key that the caller is about to load, for at most `lease_ms` milliseconds (rounded up to
    /// ticks of [`TICK_MS`]). If it is held by another claim, or by one of this handle, that one is
    /// marked as awaited. A claim whose time is over, which was superseded, or whose handle was dropped
    /// is taken over.
    ///
    /// Who gets the claim should look once more for the entry: another thread may have stored it and
    /// released its claim since the caller's look-up. Then it reads the source, calls
    /// [`Self::set_claimed`] and, whatever happened, [`Self::release_claim`].
    ///
    /// # Errors
    /// If the key exceeds its limit, if a million keys are claimed ([`Error::TooManyClaims`]), if there
    /// is no memory ([`Error::OutOfMemory`]), or [`Error::Poisoned`].
    pub fn claim(&self, key: &[u8], lease_ms: u64) -> Result<Claim, Error> {
        self.claimant.has_claimed.set(true);
        self.engine.claim(key, lease_ms, self.claimant.owner)
    }

    /// Lets a claim end `lease_ms` milliseconds from now, if it is still the caller's and current;
    /// whether it is.
    pub fn extend_claim(&self, key: &[u8], token: u64, lease_ms: u64) -> bool {
        let common = &self.engine.common;
        let place = self.engine.place(common.hasher.hash(key));
        let end = end_of(common.clock.now(), lease_ms);
        common.claims.extend(place, token, end)
    }

    /// Gives a claim back. If it was taken over there is nothing to be given back, and nobody who waits
    /// for it.
    pub fn release_claim(&self, key: &[u8], token: u64) -> Released {
        let common = &self.engine.common;
        let place = self.engine.place(common.hasher.hash(key));
        common.claims.release(&common.attention, place, token)
    }

    /// Whether a claim is still the caller's and current: nobody has taken it over, and nobody has written
    /// or deleted the key since it was made. A hint; [`Self::set_claimed`] decides.
    pub fn is_claim_current(&self, key: &[u8], token: u64) -> bool {
        let hash = self.engine.common.hasher.hash(key);
        self.engine.is_claim_current(hash, token)
    }

    /// The source has changed, though the entry stays: supersedes the key's claim, and invalidates what
    /// depends on the key, as a delete does.
    ///
    /// # Errors
    /// [`Error::Poisoned`].
    pub fn note_change(&self, key: &[u8]) -> Result<(), Error> {
        let hash = self.engine.common.hasher.hash(key);
        let place = self.engine.place(hash);
        let _locked = self.engine.lock(place.shard)?;
        self.engine.supersede_claim(hash);
        self.engine.tell_dependents(hash);
        Ok(())
    }

    /// Stores what was loaded on a claim, whatever entry is there, if the claim is still the caller's and
    /// current; whether it did. The claim stays. A time to live of zero deletes the key instead.
    ///
    /// What was read from the source before a write or delete of the key is never stored after it.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_claimed(
        &self,
        key: &[u8],
        token: u64,
        value: &[u8],
        kind: u8,
        ttl: Ttl,
    ) -> Result<bool, Error> {
        self.store(key, value, kind, ttl, Terms::Claimed(token))
    }
}

/// Tags and dependencies: invalidation of many entries at once.
impl Handle {
    /// The present stamp. An entry with tags or dependencies remembers the one that was taken before its
    /// load read anything. From 1 upwards, below 2^53.
    pub fn stamp(&self) -> u64 {
        self.engine.common.tags.stamp()
    }

    /// Invalidates all entries with any of these tags that were loaded up to now, and lets every L0 drop
    /// what it has. Returns the stamp from which on entries with them are valid. To be called after
    /// the source was changed.
    ///
    /// The cache remembers a million tags; where it forgets, entries that are not known to be valid count as
    /// invalid.
    pub fn invalidate_tags<'a>(&self, tags: impl IntoIterator<Item = &'a [u8]>) -> u64 {
        let common = &self.engine.common;
        let hashes = tags.into_iter().map(|tag| common.hasher.hash(tag).0);
        let stamp = common.tags.invalidate(hashes);
        common.changes.lap_all();
        stamp
    }

    /// Whether an entry with these tags, loaded at `stamp`, is valid: none of them was invalidated since,
    /// which is to say that the last invalidation of each has this stamp or an earlier one.
    pub fn tags_are_current<'a>(
        &self,
        tags: impl IntoIterator<Item = &'a [u8]>,
        stamp: u64,
    ) -> bool {
        let common = &self.engine.common;
        let hashes = tags.into_iter().map(|tag| common.hasher.hash(tag).0);
        common.tags.are_current(hashes, stamp)
    }

    /// Lets every later write, delete, [`Self::delete_prefix`] and [`Self::clear`] of these keys (by any
    /// handle; not [`Self::set_claimed`], eviction or expiry) invalidate the entries that depend on them. To be called before the load that depends on them reads anything, as [`Self::stamp`] is; in
    /// which order of the two does not matter.
    ///
    /// `delete_prefix` and `clear` invalidate whatever depends on any key. The cache remembers a million
    /// keys; entries that depend on one that it has forgotten are invalid.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] or [`Error::Poisoned`]. Some of the keys may be registered then.
    pub fn depend<'a>(&self, keys: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Error> {
        keys.into_iter().try_for_each(|key| self.engine.depend(key))
    }

    /// Whether an entry that depends on these keys, loaded at `stamp`, is valid: none of them was written
    /// since. Keys that were never registered with [`Self::depend`] are not known to be unwritten.
    pub fn dependencies_are_current<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a [u8]>,
        stamp: u64,
    ) -> bool {
        let common = &self.engine.common;
        let hashes = keys.into_iter().map(|key| common.hasher.hash(key).0);
        common.tags.are_unwritten(hashes, stamp)
    }
}
