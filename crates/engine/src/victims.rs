//! Which entries would have to go for a candidate, and what they are worth together.

use crate::hash::KeyHash;
use crate::memory::record::Queue;
use crate::memory::region::Loc;
use crate::policy::objective::Together;
use crate::policy::{CHOICE_WIDTH, VICTIMS_MAX};
use crate::shard::LockedShard;

/// Victims that together make room for one candidate.
pub(crate) struct Victims {
    records: [(Loc, KeyHash); VICTIMS_MAX],
    count: usize,
    pub(crate) together: Together,
}

/// A record that may have to go.
#[derive(Clone, Copy)]
struct Entry {
    loc: Loc,
    hash: KeyHash,
    charge: u64,
    frequency: u32,
}

impl Entry {
    const NONE: Self = Self {
        loc: Loc::NONE,
        hash: KeyHash(0),
        charge: 1,
        frequency: 0,
    };

    /// Uses per byte, half a use added, in units that keep small differences.
    fn density(&self) -> u64 {
        ((self.frequency as u64 * 2 + 1) << 40) / self.charge.max(1)
    }
}

impl Victims {
    fn none() -> Self {
        Self {
            records: [(Loc::NONE, KeyHash(0)); VICTIMS_MAX],
            count: 0,
            together: Together::default(),
        }
    }

    fn add(&mut self, entry: Entry) {
        self.records[self.count] = (entry.loc, entry.hash);
        self.count += 1;
        self.together.add(entry.charge, entry.frequency);
    }

    pub(crate) fn records(&self) -> &[(Loc, KeyHash)] {
        &self.records[..self.count]
    }
}

impl LockedShard<'_> {
    fn entry(&self, loc: Loc) -> Entry {
        let hash = self.hash_of(loc);
        let hits = self.records().header(loc).hits() as u32;
        Entry {
            loc,
            hash,
            charge: self.records().charge(loc),
            frequency: self.common.sketch.frequency(hash) + hits,
        }
    }

    /// The records at the hand of a ring that would make room for `charge`; as far as they are not
    /// together used more than `frequency_max` times.
    pub(crate) fn victims_in_order(
        &self,
        queue: Queue,
        charge: u64,
        frequency_max: u32,
    ) -> Victims {
        let mut victims = Victims::none();
        let mut cursor = self.state.rings.first(queue);
        while let Some(loc) = cursor {
            victims.add(self.entry(loc));
            let together = victims.together;
            let is_decided = together.charge >= charge || together.frequency > frequency_max as u64;
            if is_decided || victims.count == VICTIMS_MAX {
                break;
            }
            cursor = self.state.rings.next(self.records(), loc);
        }
        victims
    }

    /// Of some records at the hand of a ring, those with the least use per byte that would make room
    /// for `charge`.
    pub(crate) fn victims_by_density(&self, queue: Queue, charge: u64) -> Victims {
        let mut entries = [Entry::NONE; CHOICE_WIDTH];
        let mut count = 0;
        let mut cursor = self.state.rings.first(queue);
        while let Some(loc) = cursor.filter(|_| count < CHOICE_WIDTH) {
            entries[count] = self.entry(loc);
            count += 1;
            cursor = self.state.rings.next(self.records(), loc);
        }
        let entries = &mut entries[..count];
        // Stable: of equals the oldest goes.
        entries.sort_by_key(Entry::density);
        let mut victims = Victims::none();
        for entry in entries {
            victims.add(*entry);
            if victims.together.charge >= charge {
                break;
            }
        }
        victims
    }
}
