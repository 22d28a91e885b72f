//! Hash maps whose keys are hashes already.

use crate::heap::OutOfMemory;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map from 64-bit hashes.
pub(crate) type Prehashed<V> = HashMap<u64, V, BuildHasherDefault<Rotated>>;

/// Makes room for one more: inserting it can't fail then.
pub(crate) fn reserve_one<V>(map: &mut Prehashed<V>) -> Result<(), OutOfMemory> {
    map.try_reserve(1).map_err(|_| OutOfMemory {
        bytes: (map.len() + 1) * size_of::<(u64, V)>(),
    })
}

/// A hash, turned by half. The maps of this crate are picked by the upper bits of a hash; a `HashMap`
/// wants its lowest and its uppermost bits to differ.
#[derive(Default)]
pub(crate) struct Rotated(u64);

impl Hasher for Rotated {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash.rotate_right(u64::BITS / 2);
    }

    /// Nothing but a `u64` is ever hashed.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(u8::BITS) ^ u64::from(*byte);
        }
    }
}
