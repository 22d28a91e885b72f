//! The keys that are asked for most, and those with the largest values, in little memory.

use crate::request::{KeyMap, Request};

/// Counters of the hottest keys: a share is at most one in so many reads too low.
const COUNTERS: usize = 8_192;
/// Keys that are listed.
const LISTED: usize = 10;

/// A key and a number about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The key as text, or its number where the trace has numbers.
    pub key: String,
    /// Reads, or bytes.
    pub number: u64,
}

/// Counts the most frequent keys (Misra, Gries 1982).
#[derive(Default)]
pub(crate) struct HotKeys {
    counts: KeyMap<(u64, Option<Box<[u8]>>)>,
}

impl HotKeys {
    pub(crate) fn count(&mut self, request: &Request) {
        if let Some((count, _)) = self.counts.get_mut(&request.key) {
            *count += 1;
            return;
        }
        if self.counts.len() == COUNTERS {
            // Each counter loses one, so does this key; what reaches zero makes place.
            self.counts.retain(|_, (count, _)| {
                *count -= 1;
                *count > 0
            });
            return;
        }
        self.counts.insert(request.key, (1, request.name.clone()));
    }

    /// The hottest first.
    pub(crate) fn ranked(self) -> Vec<Named> {
        let mut all: Vec<_> = self.counts.into_iter().collect();
        all.sort_by_key(|(key, (count, _))| (std::cmp::Reverse(*count), *key));
        let named = all.into_iter().map(|(key, (count, name))| Named {
            key: shown(key, name.as_deref()),
            number: count,
        });
        named.collect()
    }
}

/// Keeps the keys with the largest values.
#[derive(Default)]
pub(crate) struct LargestKeys {
    /// Few, so that looking through them is quick.
    largest: Vec<Large>,
}

struct Large {
    size: u64,
    key: u64,
    name: Option<Box<[u8]>>,
}

impl LargestKeys {
    pub(crate) fn see(&mut self, request: &Request, size: u64) {
        if let Some(known) = self
            .largest
            .iter_mut()
            .find(|known| known.key == request.key)
        {
            known.size = known.size.max(size);
            return;
        }
        let new = || Large {
            size,
            key: request.key,
            name: request.name.clone(),
        };
        if self.largest.len() < LISTED {
            self.largest.push(new());
            return;
        }
        let smallest = self.largest.iter_mut().min_by_key(|known| known.size);
        if let Some(smallest) = smallest.filter(|smallest| smallest.size < size) {
            *smallest = new();
        }
    }

    /// The largest first.
    pub(crate) fn ranked(mut self) -> Vec<Named> {
        self.largest
            .sort_by_key(|known| (std::cmp::Reverse(known.size), known.key));
        let named = self.largest.into_iter().map(|known| Named {
            key: shown(known.key, known.name.as_deref()),
            number: known.size,
        });
        named.collect()
    }
}

fn shown(key: u64, name: Option<&[u8]>) -> String {
    name.map_or_else(
        || key.to_string(),
        |name| String::from_utf8_lossy(name).into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hot_keys_are_found_among_many_cold_ones_and_counted_nearly() {
        let mut hot = HotKeys::default();
        for number in 0..200_000u64 {
            hot.count(&Request::read(if number % 10 == 0 {
                1
            } else {
                1_000 + number
            }));
        }
        let ranked = hot.ranked();
        assert_eq!(ranked[0].key, "1");
        assert!(
            (19_900..=20_000).contains(&ranked[0].number),
            "{:?}",
            ranked[0]
        );
    }

    #[test]
    fn the_largest_values_are_kept_once_per_key() {
        let mut largest = LargestKeys::default();
        for key in 0..1_000u64 {
            largest.see(&Request::read(key % 100), key);
        }
        let numbers: Vec<u64> = largest.ranked().iter().map(|named| named.number).collect();
        assert_eq!(numbers, (990..1_000).rev().collect::<Vec<_>>());
    }
}
