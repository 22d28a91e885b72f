//! Stack distances of LRU (Mattson et al. 1970) with weights: how much was used since a key was used
//! last. A Fenwick tree holds each key's weight at the time of its last use.

use crate::request::KeyMap;

/// See the module's documentation.
pub(crate) struct Distances {
    /// Sums of weights by time, as a Fenwick tree: index 0 is not used.
    sums: Vec<u64>,
    /// When each key was used last, and its weight.
    last: KeyMap<(usize, u64)>,
    now: usize,
    total: u64,
}

/// Times that a new tree has room for, at least.
const ROOM_MIN: usize = 1_024;

impl Distances {
    pub(crate) fn new() -> Self {
        Self {
            sums: vec![0; ROOM_MIN],
            last: KeyMap::default(),
            now: 0,
            total: 0,
        }
    }

    /// Uses a key: the least capacity that would have held it since its last use, itself included;
    /// `None` for the first use.
    pub(crate) fn use_key(&mut self, key: u64, weight: u64) -> Option<u64> {
        let distance = self
            .last
            .get(&key)
            .map(|(at, weight)| self.total - self.sum_to(*at) + weight);
        self.forget(key);
        if self.now + 1 == self.sums.len() {
            self.renumber();
        }
        self.now += 1;
        self.add(self.now, weight);
        self.total += weight;
        self.last.insert(key, (self.now, weight));
        distance
    }

    /// Forgets a key.
    pub(crate) fn forget(&mut self, key: u64) {
        if let Some((at, weight)) = self.last.remove(&key) {
            self.add(at, weight.wrapping_neg());
            self.total -= weight;
        }
    }

    /// Gives the last uses new times without gaps, and room for as many again.
    fn renumber(&mut self) {
        let mut order: Vec<_> = self
            .last
            .iter()
            .map(|(key, (at, weight))| (*at, *key, *weight))
            .collect();
        order.sort_unstable();
        self.sums = vec![0; (2 * order.len() + 2).max(ROOM_MIN)];
        self.now = order.len();
        for (place, (_, key, weight)) in order.into_iter().enumerate() {
            self.add(place + 1, weight);
            self.last.insert(key, (place + 1, weight));
        }
    }

    fn add(&mut self, mut at: usize, weight: u64) {
        while at < self.sums.len() {
            self.sums[at] = self.sums[at].wrapping_add(weight);
            at += at & at.wrapping_neg();
        }
    }

    fn sum_to(&self, mut at: usize) -> u64 {
        let mut sum = 0u64;
        while at > 0 {
            sum = sum.wrapping_add(self.sums[at]);
            at &= at - 1;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The most recently used last.
    #[derive(Default)]
    struct Naive(Vec<(u64, u64)>);

    impl Naive {
        fn use_key(&mut self, key: u64, weight: u64) -> Option<u64> {
            let at = self.0.iter().position(|(known, _)| *known == key);
            let distance = at.map(|at| self.0[at..].iter().map(|(_, weight)| weight).sum());
            if let Some(at) = at {
                self.0.remove(at);
            }
            self.0.push((key, weight));
            distance
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn distances_are_those_of_a_list(uses in prop::collection::vec((0u64..200, 0u8..8), 1..4_000)) {
            let (mut distances, mut naive) = (Distances::new(), Naive::default());
            for (key, what) in uses {
                if what == 0 {
                    distances.forget(key);
                    naive.0.retain(|(known, _)| *known != key);
                } else {
                    let weight = 1 + key % 17;
                    prop_assert_eq!(distances.use_key(key, weight), naive.use_key(key, weight));
                }
            }
        }
    }
}
