//! Miniatures of few entries, whose nodes are narrower, or of many.

use super::nodes::Number;
use super::{Shadows, Use};
use crate::hash::KeyHash;
use crate::heap::OutOfMemory;
use crate::policy::Random;

/// See the module's documentation.
pub(crate) enum Miniatures {
    Few(Shadows<u8>),
    Many(Shadows<u16>),
}

impl Miniatures {
    /// The most entries whose nodes a byte can tell apart.
    const FEW_MAX: usize = {
        let mut entries = 0;
        while Shadows::<u8>::nodes(entries + 1) <= <u8 as Number>::COUNT_MAX {
            entries += 1;
        }
        entries
    };

    /// Bytes that miniatures of at most so many entries take.
    pub(crate) const fn bytes(entries_max: usize) -> usize {
        if entries_max <= Self::FEW_MAX {
            Shadows::<u8>::bytes(entries_max)
        } else {
            Shadows::<u16>::bytes(entries_max)
        }
    }

    pub(crate) fn new(entries_max: usize) -> Result<Self, OutOfMemory> {
        Ok(if entries_max <= Self::FEW_MAX {
            Self::Few(Shadows::new(entries_max)?)
        } else {
            Self::Many(Shadows::new(entries_max)?)
        })
    }

    /// See [`Shadows::is_crowded`].
    pub(crate) fn is_crowded(&self) -> bool {
        match self {
            Self::Few(shadows) => shadows.is_crowded(),
            Self::Many(shadows) => shadows.is_crowded(),
        }
    }

    /// See [`Shadows::is_full`].
    pub(crate) fn is_full(&self, setting: usize) -> bool {
        match self {
            Self::Few(shadows) => shadows.is_full(setting),
            Self::Many(shadows) => shadows.is_full(setting),
        }
    }

    /// See [`Shadows::resize`].
    pub(crate) fn resize(&mut self, capacity: usize, keeps: impl Fn(KeyHash) -> bool) {
        match self {
            Self::Few(shadows) => shadows.resize(capacity, keeps),
            Self::Many(shadows) => shadows.resize(capacity, keeps),
        }
    }

    /// See [`Shadows::access`].
    pub(crate) fn access(&mut self, hash: KeyHash, used: Use, random: &mut Random) -> u32 {
        match self {
            Self::Few(shadows) => shadows.access(hash, used, random),
            Self::Many(shadows) => shadows.access(hash, used, random),
        }
    }
}
