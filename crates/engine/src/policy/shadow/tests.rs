//! The miniatures beside the same rules in plain collections.

use super::*;
use crate::hash::KeyHasher;
use crate::policy::Setting;
use crate::policy::sketch::Sketch;
use std::collections::{HashMap, HashSet, VecDeque};

/// One miniature that has nothing in common with others, in which keys are searched for from one end to the other.
struct Plain {
    setting: &'static Setting,
    rings: [VecDeque<KeyHash>; RINGS],
    hits: HashMap<u64, u8>,
    /// What the sketch said of each key when it was last used.
    uses: HashMap<u64, Use>,
    capacity: usize,
}

impl Plain {
    fn new(setting: &'static Setting, capacity: usize) -> Self {
        Self {
            setting,
            rings: Default::default(),
            hits: HashMap::new(),
            uses: HashMap::new(),
            capacity,
        }
    }

    fn len(&self) -> usize {
        self.rings.iter().map(VecDeque::len).sum()
    }

    fn access(&mut self, key: KeyHash, used: Use, random: &mut Random) -> bool {
        self.uses.insert(key.0, used);
        if self.rings.iter().any(|ring| ring.contains(&key)) {
            let hits = self.hits.entry(key.0).or_default();
            *hits = (*hits + 1).min(3);
            return true;
        }
        self.shrink_window();
        while self.len() >= self.capacity {
            self.evict_once(used.generation, random);
        }
        self.hits.insert(key.0, 0);
        self.rings[WINDOW].push_back(key);
        false
    }

    fn shrink_window(&mut self) {
        let slack = if self.len() >= self.capacity { 2 } else { 0 };
        for _ in 0..WINDOW_MOVES_PER_INSERT {
            let window = self.rings[WINDOW].len();
            if window > 1 && self.window_exceeds(window.saturating_sub(slack)) {
                self.move_first(WINDOW, PROBATION);
            }
        }
    }

    fn window_exceeds(&self, window: usize) -> bool {
        window * 1000 > self.len() * self.setting.window_permille as usize
    }

    fn move_first(&mut self, from: usize, to: usize) {
        let key = self.rings[from].pop_front().expect("the ring has a first");
        self.rings[to].push_back(key);
    }

    fn evict_once(&mut self, generation: u64, random: &mut Random) {
        let is_over = self.window_exceeds(self.rings[WINDOW].len());
        let candidate = if is_over { self.hand(WINDOW) } else { None };
        let [first, second] = if self.setting.clears_protected {
            [PROTECTED, PROBATION]
        } else {
            [PROBATION, PROTECTED]
        };
        let victim = self.hand(first).or_else(|| self.hand(second));
        let leaving = match (candidate, victim) {
            (Some(candidate), Some(victim)) => {
                let [ours, theirs] = [candidate, victim].map(|key| {
                    let used = self.uses[&key.0];
                    used.count >> ((generation - used.generation) % 16)
                });
                if admits(self.setting.admission, ours, theirs, random) {
                    self.move_first(WINDOW, PROBATION);
                    Some(victim)
                } else {
                    Some(candidate)
                }
            }
            (only, None) | (None, only) if only.is_some() => only,
            _ => self.rings[WINDOW].front().copied(),
        };
        for ring in &mut self.rings {
            ring.retain(|key| Some(*key) != leaving);
        }
    }

    fn hand(&mut self, ring: usize) -> Option<KeyHash> {
        for _ in 0..HAND_STEPS_MAX {
            let key = *self.rings[ring].front()?;
            if self.hits[&key.0] == 0 {
                return Some(key);
            }
            self.hits.insert(key.0, 0);
            if ring == WINDOW && self.setting.promotes() {
                self.move_first(WINDOW, PROBATION);
                return None;
            }
            let to = if ring == PROBATION { PROTECTED } else { ring };
            self.move_first(ring, to);
            if ring == PROBATION {
                self.demote_overflow();
            }
        }
        self.rings[ring].front().copied()
    }

    fn demote_overflow(&mut self) {
        for _ in 0..HAND_STEPS_MAX {
            let protected = self.rings[PROTECTED].len();
            let main = protected + self.rings[PROBATION].len();
            if protected * 1000 <= main * self.setting.protected_permille as usize {
                return;
            }
            let key = self.rings[PROTECTED][0];
            let was_used = self.hits.insert(key.0, 0) > Some(0);
            self.move_first(PROTECTED, if was_used { PROTECTED } else { PROBATION });
        }
    }

    fn resize(&mut self, capacity: usize, keeps: impl Fn(KeyHash) -> bool) {
        self.capacity = capacity;
        for ring in &mut self.rings {
            ring.retain(|key| keeps(*key));
        }
    }
}

/// A key's hash, as far as nodes keep it.
fn hash(n: u64) -> KeyHash {
    KeyHash(KeyHasher::new(1).hash(&n.to_le_bytes()).0 & 0x00ff_ffff_fff8_0000)
}

fn count(sketch: &Sketch, key: KeyHash) -> Use {
    Use {
        count: sketch.count(key, 1),
        generation: sketch.generation(),
    }
}

/// The keys of a setting's ring, in order.
fn keys<N: Number>(shadows: &Shadows<N>, setting: usize, ring: usize) -> Vec<u64> {
    let Ring { first, len, .. } = shadows.shadows[setting].rings[ring];
    let mut node = first;
    let mut key = |_| {
        let key = shadows.nodes.known(node).hash().0;
        node = shadows.nodes.behind(setting, node);
        key
    };
    (0..len).map(&mut key).collect()
}

/// Whether rings, nodes and table agree with each other.
fn validate<N: Number>(shadows: &Shadows<N>) {
    let mut held = HashSet::new();
    for (setting, shadow) in shadows.shadows.iter().enumerate() {
        let rings = (0..RINGS).map(|ring| keys(shadows, setting, ring));
        let keys: Vec<u64> = rings.flatten().collect();
        assert_eq!(keys.len(), usize::from(shadow.len));
        for key in &keys {
            let node = shadows
                .nodes
                .find(KeyHash(*key))
                .expect("it is in the table");
            assert!(shadows.nodes.known(node).is_held_by(setting));
        }
        held.extend(keys);
    }
    let nodes: Vec<u64> = shadows.nodes.held().map(|known| known.hash().0).collect();
    assert_eq!(nodes.len(), held.len());
    assert!(nodes.iter().all(|key| held.contains(key)));
}

/// A key of popular ones, loops, scans and ones that are soon used again, in turns.
fn traffic(step: u64, random: &mut Random) -> KeyHash {
    let choice = random.next();
    hash(match step / 3_000 % 4 {
        0 => choice % 16 * (choice >> 32 & 15),
        1 => 1_000 + step % 90,
        2 => 10_000 + step,
        _ => 10_000 + step - choice % 100 * (choice >> 32) % 100,
    })
}

#[test]
fn all_miniatures_hit_and_hold_what_each_would_by_itself() {
    hit_and_hold_what_each_would_by_itself::<u8>(&[1, 2, 7, 48]);
    hit_and_hold_what_each_would_by_itself::<u16>(&[1, 2, 7, 64, 200]);
}

fn hit_and_hold_what_each_would_by_itself<N: Number>(capacities: &[usize]) {
    let entries_max = capacities.iter().max().expect("there are some") + 2;
    for &capacity in capacities {
        let enough = entries_max * SETTINGS.len();
        let mut shadows = Shadows::<N>::with_nodes(entries_max, enough).unwrap();
        let mut plain: Vec<Plain> = SETTINGS
            .iter()
            .map(|setting| Plain::new(setting, entries_max))
            .collect();
        shadows.resize(capacity, |_| true);
        plain
            .iter_mut()
            .for_each(|plain| plain.resize(capacity, |_| true));
        let sketch = Sketch::new(1024).unwrap();
        sketch.set_entries(capacity as u64);
        let [mut random, mut of_plain, mut of_traffic] = [7, 7, 8].map(Random::new);
        for step in 0..24_000 {
            let key = traffic(step, &mut of_traffic);
            let used = count(&sketch, key);
            let hits = shadows.access(key, used, &mut random);
            for (number, plain) in plain.iter_mut().enumerate() {
                let is_hit = plain.access(key, used, &mut of_plain);
                assert_eq!(
                    hits >> number & 1 != 0,
                    is_hit,
                    "{capacity}, {number}: {step}"
                );
            }
            if step % 2_500 == 2_499 {
                let capacity = capacity + (step / 2_500) as usize % 3;
                let keeps = |hash: KeyHash| !(hash.0 >> 19).is_multiple_of(3);
                shadows.resize(capacity, keeps);
                plain
                    .iter_mut()
                    .for_each(|plain| plain.resize(capacity, keeps));
            }
            if step % 250 == 0 {
                validate(&shadows);
                compare(&shadows, &plain);
            }
        }
    }
}

fn compare<N: Number>(shadows: &Shadows<N>, plain: &[Plain]) {
    for (number, plain) in plain.iter().enumerate() {
        for ring in 0..RINGS {
            let expected: Vec<u64> = plain.rings[ring].iter().map(|key| key.0).collect();
            assert_eq!(keys(shadows, number, ring), expected);
        }
        for known in shadows
            .nodes
            .held()
            .filter(|known| known.is_held_by(number))
        {
            let hits = plain.hits[&known.hash().0];
            assert_eq!(known.hits(number), u32::from(hits));
        }
    }
}

#[test]
fn where_they_have_too_little_in_common_each_holds_less() {
    let mut shadows = Shadows::<u8>::with_nodes(50, 60).unwrap();
    let (mut random, mut of_traffic) = (Random::new(7), Random::new(8));
    let sketch = Sketch::new(1024).unwrap();
    let mut was_used_up = false;
    for step in 0..24_000 {
        let key = traffic(step, &mut of_traffic);
        shadows.access(key, count(&sketch, key), &mut random);
        assert!(shadows.nodes.find(key).is_some());
        was_used_up |= !shadows.nodes.has_free();
        if step % 100 == 0 {
            validate(&shadows);
            assert_eq!(
                shadows.nodes.held().count() + shadows.nodes.free_count(),
                60
            );
        }
    }
    assert!(was_used_up && shadows.is_crowded());
    shadows.resize(50, |_| false);
    assert!(!shadows.is_crowded());
    assert_eq!(shadows.nodes.free_count(), 60);
}

#[test]
fn a_loop_that_is_a_little_too_large_still_hits_where_ties_are_refused() {
    let (mut shadows, mut random) = (Shadows::<u16>::new(100).unwrap(), Random::new(7));
    let sketch = Sketch::new(8192).unwrap();
    sketch.set_entries(100);
    let mut hits = 0;
    for n in 0..12_000 {
        let key = hash(n % 120);
        hits += shadows.access(key, count(&sketch, key), &mut random) & 1;
    }
    assert!(hits > 12_000 / 2, "{hits}");
}
