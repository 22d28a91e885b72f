//! What a thread does when it dies: each prepares a cache, then does one thing.

use crate::world::World;
use nearcache_engine::Ttl;
use std::sync::OnceLock;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) budget: u64,
    pub(crate) shards: u32,
    pub(crate) prepare: fn(&mut World),
    pub(crate) act: fn(&mut World),
    pub(crate) deaths: Deaths,
}

/// At which points of a scenario a thread dies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deaths {
    /// At each, or if there are very many at those of each place that come first, and some of the rest.
    All,
    /// Where no scenario before let one die: for one that is slow.
    New,
}

const SMALL: Scenario = Scenario {
    name: "",
    budget: 256 << 10,
    shards: 1,
    prepare: |world| {
        world.set_all(0..30, 100);
        world.watch_all(0..10);
    },
    act: |_| (),
    deaths: Deaths::All,
};

const HOUR: Ttl = Ttl::Millis(3_600_000);

/// A cache with room for what the index scenarios need.
const ROOMY: Scenario = Scenario {
    budget: 8 << 20,
    ..SMALL
};

/// Entries of the cache whose index is to shrink.
const MANY: usize = 1_000;

/// The keys, counted from 0 upwards, whose insertion makes a roomy cache's index grow.
fn growths() -> &'static [usize] {
    static GROWTHS: OnceLock<Vec<usize>> = OnceLock::new();
    GROWTHS.get_or_init(|| {
        let mut world = World::new(ROOMY.budget, ROOMY.shards);
        (0..MANY)
            .filter(|key| {
                let before = world.cache.stats().memory_index;
                world.set(*key, 16, Ttl::Forever);
                world.cache.stats().memory_index != before
            })
            .collect()
    })
}

/// The first key, counted from 0 upwards, whose deletion makes two segments one.
fn first_merge() -> usize {
    static MERGE: OnceLock<usize> = OnceLock::new();
    *MERGE.get_or_init(|| {
        let mut world = World::new(ROOMY.budget, ROOMY.shards);
        world.set_all(0..MANY, 16);
        world.maintain();
        let merges = |key: &usize| {
            let before = world.cache.stats().memory_index;
            world.delete(*key);
            world.maintain();
            world.cache.stats().memory_index < before
        };
        (0..MANY)
            .find(merges)
            .expect("an index that empties shrinks")
    })
}

fn grow(nth: usize, world: &mut World) {
    world.set(growths()[nth], 16, Ttl::Forever);
}

fn full_of_small(world: &mut World) {
    world.set_all(0..2_000, 100);
    world.read_all(1_000..2_000);
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "insert",
        act: |world| {
            world.set(100, 50, Ttl::Forever);
            world.set(101, 50, HOUR);
        },
        ..SMALL
    },
    Scenario {
        name: "overwrite",
        prepare: |world| {
            world.set_all(0..30, 100);
            world.set(3, 100, HOUR);
            world.watch_all(0..10);
        },
        act: |world| {
            world.set(3, 300, HOUR);
            world.set(4, 10, Ttl::Forever);
        },
        ..SMALL
    },
    Scenario {
        name: "overwrite in place",
        prepare: |world| {
            world.go_alone();
            world.set(3, 100, HOUR);
            world.set(4, 100, Ttl::Forever);
            world.set_all(0..30, 100);
            world.watch_all(0..10);
            world.set(3, 100, HOUR);
        },
        act: |world| {
            world.set(3, 100, Ttl::Millis(1_000));
            world.set(4, 101, HOUR);
            world.set(5, 100, Ttl::Forever);
        },
        ..SMALL
    },
    Scenario {
        name: "delete",
        act: |world| world.delete_all(3..5),
        ..SMALL
    },
    Scenario {
        name: "refused",
        act: |world| {
            world.set_if_absent(5, 100);
            world.set_if_absent(6, 9_000);
            world.set_if_absent(200, 9_000);
        },
        ..SMALL
    },
    Scenario {
        name: "long values",
        prepare: |world| {
            world.set_all(0..4, 20_000);
            world.watch_all(0..4);
        },
        act: |world| {
            world.set(1, 15_000, HOUR);
            world.set(9, 9_000, Ttl::Forever);
            world.delete(2);
            world.maintain();
        },
        ..SMALL
    },
    Scenario {
        name: "touch",
        act: |world| {
            world.touch(1, HOUR);
            world.touch(1, Ttl::Millis(1_000));
            world.touch(1, Ttl::Millis(400 * 24 * 3_600_000));
            world.touch(1, Ttl::Millis(0));
        },
        ..SMALL
    },
    Scenario {
        name: "expire",
        prepare: |world| {
            for key in 0..12 {
                world.set(key, 100, Ttl::Millis(1_000 + 300 * key as u64));
            }
            world.touch(3, HOUR);
            world.set(20, 9_000, Ttl::Millis(500));
            world.watch_all(0..12);
            world.clock.advance_ms(10_000);
        },
        act: World::maintain,
        ..SMALL
    },
    Scenario {
        name: "split an only segment",
        prepare: |world| world.set_all(0..growths()[0], 16),
        act: |world| grow(0, world),
        ..ROOMY
    },
    Scenario {
        name: "grow a small segment",
        budget: 64 << 20,
        prepare: |world| world.set_all(0..60, 16),
        act: |world| world.set_all(60..110, 16),
        ..SMALL
    },
    Scenario {
        name: "split one of several segments",
        prepare: |world| world.set_all(0..growths()[2], 16),
        act: |world| grow(2, world),
        ..ROOMY
    },
    Scenario {
        name: "split again",
        prepare: |world| world.set_all(0..growths()[4], 16),
        act: |world| grow(4, world),
        ..ROOMY
    },
    Scenario {
        name: "merge",
        prepare: |world| {
            world.set_all(0..MANY, 16);
            world.delete_all(0..first_merge());
            world.maintain();
        },
        act: |world| world.delete(first_merge()),
        ..ROOMY
    },
    Scenario {
        name: "evict",
        prepare: full_of_small,
        act: |world| world.set_all(3_000..3_010, 100),
        ..SMALL
    },
    Scenario {
        name: "evict alone",
        prepare: |world| {
            world.go_alone();
            world.set_alike(0..2_000, HOUR);
            world.watch_all(1_200..2_000);
            world.set_alike(3_000..3_400, HOUR);
        },
        act: |world| {
            world.set_alike(4_000..4_020, HOUR);
            world.set_alike(4_010..4_030, Ttl::Forever);
            // Another size.
            world.set_all(4_040..4_042, 150);
        },
        ..SMALL
    },
    Scenario {
        name: "evict long values alone",
        prepare: |world| {
            world.go_alone();
            world.set_all(0..120, 3_000);
        },
        act: |world| {
            world.set_all(200..206, 3_000);
            world.set(206, 2_996, Ttl::Forever);
        },
        ..SMALL
    },
    Scenario {
        name: "evict alone from several shards",
        shards: 2,
        budget: 1 << 20,
        prepare: |world| {
            world.go_alone();
            world.set_alike(0..8_000, HOUR);
        },
        act: |world| world.set_alike(9_000..9_060, Ttl::Forever),
        ..SMALL
    },
    Scenario {
        name: "evict among hot entries",
        budget: 64 << 10,
        prepare: |world| {
            world.set_all(0..600, 100);
            world.read_all(0..600);
            world.set_all(700..760, 100);
            world.read_all(560..760);
        },
        act: |world| world.set_all(800..802, 400),
        ..SMALL
    },
    Scenario {
        name: "evict where all is hot",
        budget: 64 << 10,
        prepare: |world| {
            for round in 0..12 {
                let first = round * 40;
                world.set_all(first..first + 40, 100);
                world.read_all(0..first + 40);
                world.read_all(0..first + 40);
            }
        },
        act: |world| world.set_all(1_000..1_010, 400),
        ..SMALL
    },
    Scenario {
        name: "long values drive each other out",
        prepare: |world| world.set_all(0..40, 20_000),
        act: |world| world.set_all(50..52, 22_000),
        ..SMALL
    },
    Scenario {
        name: "move records out of a page",
        prepare: |world| {
            for key in 0..1_200 {
                world.set(key, 100, if key % 2 == 0 { HOUR } else { Ttl::Forever });
            }
            (0..1_200)
                .filter(|key| key % 4 != 0)
                .for_each(|key| world.delete(key));
            world.watch_all(800..1_200);
        },
        act: |world| world.set_all(2_000..2_060, 1_000),
        ..SMALL
    },
    Scenario {
        name: "move long records out of a page",
        budget: 1 << 20,
        prepare: |world| {
            world.set_all(0..100, 20_000);
            (0..100)
                .filter(|key| key % 4 != 0)
                .for_each(|key| world.delete(key));
            world.watch_all(60..100);
        },
        act: |world| world.set_all(200..203, 100_000),
        ..SMALL
    },
    Scenario {
        name: "give a page up that a reader holds on to",
        prepare: |world| {
            full_of_small(world);
            (0..2_000)
                .filter(|key| key % 4 != 0)
                .for_each(|key| world.delete(key));
            world.set(2_500, 1_000, Ttl::Forever);
        },
        act: |world| world.set_under_a_reader(2_500..2_700, 1_000),
        deaths: Deaths::New,
        ..SMALL
    },
    Scenario {
        name: "give up chunks of a page",
        prepare: |world| {
            world.set_all(0..40, 9_000);
            (0..40)
                .filter(|key| key % 2 == 0)
                .for_each(|key| world.delete(key));
            world.set_all(100..300, 150);
        },
        act: |world| world.set_all(300..340, 150),
        ..SMALL
    },
    Scenario {
        name: "clear",
        prepare: |world| {
            world.set_all(0..20, 100);
            world.set_all(20..22, 9_000);
            world.watch_all(0..10);
            world.set(5, 100, HOUR);
        },
        act: |world| {
            world.clear();
            world.set_all(0..5, 100);
            world.clear();
            world.maintain();
        },
        ..SMALL
    },
    Scenario {
        name: "clear a split index",
        prepare: |world| world.set_all(0..growths()[0] + 10, 16),
        act: |world| {
            world.clear();
            world.maintain();
        },
        ..ROOMY
    },
    Scenario {
        name: "write what is being loaded, and what others depend on",
        prepare: |world| {
            world.set_all(0..30, 100);
            world.watch_all(0..10);
            world.depend_on(0..20);
            world.depend_on(100..103);
        },
        act: |world| {
            world.set(3, 100, HOUR);
            world.set_if_absent(4, 100);
            world.set_if_absent(100, 100);
            world.set(101, 9_000, Ttl::Forever);
            world.set(5, 100, Ttl::Millis(0));
            world.delete_all(6..8);
            world.delete(102);
            world.touch(8, Ttl::Millis(400 * 24 * 3_600_000));
            world.delete_prefix(b"prefix:");
            world.clear();
        },
        ..SMALL
    },
    Scenario {
        name: "write in place what others depend on",
        prepare: |world| {
            world.go_alone();
            world.set_all(0..30, 100);
            world.set_all(0..30, 100);
            world.depend_on(0..20);
        },
        act: |world| world.set_all(3..6, 100),
        ..SMALL
    },
    Scenario {
        name: "an L0 catches up",
        prepare: |world| {
            world.set_all(0..30, 100);
            world.watch_all(0..10);
            world.delete_all(3..5);
        },
        act: World::drain,
        ..SMALL
    },
    Scenario {
        name: "anything in the smallest cache",
        budget: 64 << 10,
        prepare: |world| world.act_at_random(1, 400),
        act: |world| world.act_at_random(2, 400),
        ..SMALL
    },
    Scenario {
        name: "several shards",
        shards: 2,
        budget: 1 << 20,
        prepare: |world| {
            world.set_all(0..260, 4_000);
            world.watch_all(200..230);
        },
        act: |world| {
            world.set_all(2_000..2_020, 300);
            world.clear();
        },
        ..SMALL
    },
];
