//! What an attacker gains who chooses keys so that they share counters of the sketch.
//!
//! Whoever knows the seed can compute which keys share a block of counters. Used a few times each, some two hundred
//! of them make every key of that block look frequent; then an endless row of new keys of the same block is admitted at
//! the first use, each in the place of an entry that somebody needs. The seed is random in every process, and
//! nothing that the cache answers tells it.

use crate::config::Layout;
use crate::hash::KeyHasher;
use crate::policy::Random;
use crate::policy::sketch::Sketch;
use crate::{Cache, Config, Handle, Limit, Ttl};

const ENTRIES: u64 = 500;
const REQUESTS: usize = 40_000;
/// Keys that fill all counters of a block: it has 167.
const FILLING_KEYS: usize = 200;

fn config(seed: u64) -> Config {
    Config {
        limit: Some(Limit::Entries(ENTRIES)),
        shards: Some(1),
        seed: Some(seed),
        ..Config::new(256 << 10)
    }
}

/// Keys that share one block of the sketch in a cache of this seed. No user's key is among them.
fn keys_of_one_block(seed: u64) -> impl Iterator<Item = u64> {
    let layout = Layout::of(&config(seed)).expect("a valid configuration");
    let sketch = Sketch::new(layout.sketch_bytes).expect("memory");
    let hasher = KeyHasher::new(layout.seed);
    (1 << 32..u64::MAX).filter(move |key| sketch.block_of(hasher.hash(&key.to_le_bytes())) == 0)
}

fn read_through(handle: &Handle, key: u64) -> bool {
    let is_hit = handle.get(&key.to_le_bytes(), |_| ()).is_some();
    if !is_hit {
        let stored = handle.set(&key.to_le_bytes(), b"value", 0, Ttl::Forever);
        stored.expect("there is room");
    }
    is_hit
}

/// What the users hit, in percent, while every second request is for one of the `hostile` keys: the first of them again and
/// again, which keeps their counters full, the others once each.
fn users_hit_percent(seed: u64, mut hostile: impl Iterator<Item = u64>) -> f64 {
    let cache = Cache::new(config(seed)).expect("a valid configuration");
    let handle = cache.handle();
    let mut random = Random::new(1);
    let filling: Vec<u64> = hostile.by_ref().take(FILLING_KEYS).collect();
    let mut refilling = filling.iter().cycle();
    let mut hits = 0;
    for number in 0..2 * REQUESTS {
        // Twice as many keys as fit, popular ones more often.
        let bound = random.next() % (2 * ENTRIES) + 1;
        let is_hit = read_through(&handle, random.next() % bound);
        if number < REQUESTS {
            // The users have had the cache for themselves so far.
            continue;
        }
        hits += u32::from(is_hit);
        let asks_again = random.next().is_multiple_of(2);
        let key = if asks_again {
            refilling.next().copied()
        } else {
            hostile.next()
        };
        read_through(&handle, key.expect("enough keys"));
    }
    f64::from(hits) * 100.0 / REQUESTS as f64
}

/// What users hit, in percent, who come to a cache that is full of `hostile` keys, while every second request asks for one
/// of those, so that all of them look frequent.
fn newcomers_hit_percent(seed: u64, hostile: impl Iterator<Item = u64>) -> f64 {
    let cache = Cache::new(config(seed)).expect("a valid configuration");
    let handle = cache.handle();
    let mut random = Random::new(1);
    let hostile: Vec<u64> = hostile.take(2 * ENTRIES as usize).collect();
    for key in hostile.iter().cycle().take(4 * hostile.len()) {
        read_through(&handle, *key);
    }
    let mut refilling = hostile.iter().cycle();
    let mut hits = 0;
    for number in 0..REQUESTS {
        let bound = random.next() % (2 * ENTRIES) + 1;
        let is_hit = read_through(&handle, random.next() % bound);
        hits += u32::from(is_hit && number >= REQUESTS / 2);
        read_through(&handle, *refilling.next().expect("an endless row"));
    }
    f64::from(hits) * 200.0 / REQUESTS as f64
}

/// Any keys: an attacker who does not try.
fn unchosen_keys() -> impl Iterator<Item = u64> {
    1 << 40..u64::MAX
}

/// The mean over some seeds, since the choice of the setting is a matter of chance.
fn mean(percent: impl Fn(u64) -> f64) -> f64 {
    const SEEDS: u64 = 6;
    (1..=SEEDS).map(percent).sum::<f64>() / SEEDS as f64
}

#[test]
fn whoever_does_not_know_the_seed_gains_nothing_by_choosing_keys() {
    let chosen_keys = |seed| keys_of_one_block(seed + 1_000);
    let unchosen = mean(|seed| users_hit_percent(seed, unchosen_keys()));
    let chosen = mean(|seed| users_hit_percent(seed, chosen_keys(seed)));
    assert!((chosen - unchosen).abs() < 0.5, "{chosen} of {unchosen}");
    let unchosen = mean(|seed| newcomers_hit_percent(seed, unchosen_keys()));
    let chosen = mean(|seed| newcomers_hit_percent(seed, chosen_keys(seed)));
    assert!(chosen > unchosen - 2.0, "{chosen} of {unchosen}");
}

#[test]
fn whoever_knows_the_seed_takes_few_of_the_hits_of_what_is_in_the_cache() {
    let unchosen = mean(|seed| users_hit_percent(seed, unchosen_keys()));
    let chosen = mean(|seed| users_hit_percent(seed, keys_of_one_block(seed)));
    assert!(chosen > unchosen - 5.0, "{chosen} of {unchosen}");
}

#[test]
fn whoever_knows_the_seed_can_not_keep_a_new_working_set_out() {
    let unchosen = mean(|seed| newcomers_hit_percent(seed, unchosen_keys()));
    let chosen = mean(|seed| newcomers_hit_percent(seed, keys_of_one_block(seed)));
    assert!(chosen > unchosen * 2.0 / 3.0, "{chosen} of {unchosen}");
}
