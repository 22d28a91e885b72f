//! What is done while memory is refused: each prepares a cache, then does a few things.

use crate::value::{Rng, name_of};
use crate::world::{Operation, World};
use nearcache_engine::Ttl;
use std::ops::Range;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) budget: u64,
    pub(crate) shards: u32,
    /// Whether nothing has to be evicted, so that every entry must be there.
    pub(crate) is_roomy: bool,
    pub(crate) prepare: fn(&mut World),
    pub(crate) operations: fn() -> Vec<Operation>,
}

const ROOMY: Scenario = Scenario {
    name: "",
    budget: 8 << 20,
    shards: 1,
    is_roomy: true,
    prepare: |world| world.set_all(0..30, 100),
    operations: Vec::new,
};

const TIGHT: Scenario = Scenario {
    budget: 256 << 10,
    is_roomy: false,
    ..ROOMY
};

const HOUR: Ttl = Ttl::Millis(3_600_000);
const YEAR: Ttl = Ttl::Millis(366 * 24 * 3_600_000);

fn sets(keys: Range<usize>, len: usize) -> impl Iterator<Item = Operation> {
    keys.map(move |key| Operation::Set(key, len, Ttl::Forever))
}

fn deletes(keys: Range<usize>) -> impl Iterator<Item = Operation> {
    keys.map(Operation::Delete)
}

/// One of everything, mostly writes.
fn at_random(stream: u64, count: usize) -> Vec<Operation> {
    let mut random = Rng::new(stream);
    let operation = |_| {
        let key = random.skewed(600);
        let len = if random.one_in(8) {
            random.below(8_000)
        } else {
            random.below(200)
        };
        match random.below(40) {
            0..6 => Operation::Delete(key),
            6..9 => Operation::Touch(key, if random.one_in(2) { HOUR } else { YEAR }),
            9..13 => Operation::SetIfAbsent(key, len),
            13..15 => Operation::Drain,
            15 if random.one_in(4) => Operation::Clear,
            16 if random.one_in(4) => Operation::DeletePrefix(b"prefix:"),
            17 => Operation::Maintain,
            18 => Operation::Register,
            _ => Operation::Set(key, len, Ttl::Forever),
        }
    };
    (0..count).map(operation).collect()
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "an index grows from its first segment",
        prepare: |_| (),
        operations: || sets(0..900, 16).collect(),
        ..ROOMY
    },
    Scenario {
        name: "an index with many segments grows, and shrinks",
        prepare: |world| world.set_all(0..6_000, 16),
        operations: || sets(6_000..7_000, 16).chain(deletes(0..6_900)).collect(),
        ..ROOMY
    },
    Scenario {
        name: "several shards grow",
        shards: 8,
        prepare: |_| (),
        operations: || sets(0..3_000, 16).collect(),
        ..ROOMY
    },
    Scenario {
        name: "long values",
        operations: || {
            let long = sets(0..10, 40_000).chain(sets(5..15, 300_000));
            long.chain([Operation::SetIfAbsent(50, 20_000)]).collect()
        },
        ..ROOMY
    },
    Scenario {
        name: "long values drive each other out",
        prepare: |world| world.set_all(0..40, 20_000),
        operations: || sets(50..70, 22_000).collect(),
        ..TIGHT
    },
    Scenario {
        name: "small values drive each other out",
        prepare: |world| world.set_all(0..2_000, 100),
        operations: || {
            sets(3_000..3_400, 100)
                .chain(sets(4_000..4_050, 900))
                .collect()
        },
        ..TIGHT
    },
    Scenario {
        name: "pages change hands",
        prepare: |world| {
            world.set_all(0..1_200, 100);
            world.delete_all((0..1_200).filter(|key| key % 4 != 0));
        },
        operations: || sets(2_000..2_200, 1_000).collect(),
        ..TIGHT
    },
    Scenario {
        name: "anything in the smallest cache",
        budget: 64 << 10,
        prepare: |world| world.set_all(0..400, 100),
        operations: || {
            let mixed = sets(400..500, 60).chain(sets(0..20, 5_000));
            mixed
                .chain(deletes(400..480))
                .chain(sets(0..300, 10))
                .collect()
        },
        ..TIGHT
    },
    Scenario {
        name: "watched entries change",
        prepare: |world| {
            world.set_all(0..200, 100);
            world.watch_all(0..200);
        },
        operations: || {
            let changes = sets(0..60, 50).chain(deletes(60..120));
            changes.chain([Operation::Drain]).collect()
        },
        ..ROOMY
    },
    Scenario {
        name: "an L0 catches up with much",
        prepare: |world| {
            world.set_all(0..300, 100);
            world.watch_all(0..300);
            // A long key would lapse the L0, and nothing were left to catch up with.
            world.delete_all((0..300).filter(|key| name_of(*key).len() < 100));
        },
        operations: || vec![Operation::Drain],
        ..ROOMY
    },
    Scenario {
        name: "long keys in the smallest cache are watched and deleted",
        budget: 64 << 10,
        prepare: |world| {
            world.set_all(0..60, 60);
            world.watch_all(0..60);
        },
        operations: || {
            let of_each = [0..20, 20..40].map(deletes).into_iter().flatten();
            of_each.chain([Operation::DeletePrefix(b"key:")]).collect()
        },
        ..TIGHT
    },
    Scenario {
        name: "a prefix is deleted",
        prepare: |world| world.set_all(0..1_000, 30),
        operations: || {
            vec![
                Operation::DeletePrefix(b"prefix:"),
                Operation::DeletePrefix(b""),
            ]
        },
        ..ROOMY
    },
    Scenario {
        name: "lives are prolonged to years",
        prepare: |world| {
            world.set_all(0..3, 30);
            world.set_all(3..6, 9_000);
            (0..6).for_each(|key| world.apply(Operation::Touch(key, HOUR)).unwrap());
        },
        operations: || (0..6).map(|key| Operation::Touch(key, YEAR)).collect(),
        ..ROOMY
    },
    Scenario {
        name: "what has expired is given back",
        prepare: |world| {
            world.set_all(0..500, 30);
            (0..1_500).for_each(|key| world.apply(Operation::Set(key, 30, HOUR)).unwrap());
            world.watch_all(0..100);
            world.let_time_pass(4_000_000);
        },
        operations: || vec![Operation::Maintain, Operation::Drain],
        ..ROOMY
    },
    Scenario {
        name: "cleared over and over",
        shards: 2,
        prepare: |world| world.set_all(0..2_000, 30),
        operations: || {
            let again = (0..12).flat_map(|_| [Operation::Clear].into_iter().chain(sets(0..40, 30)));
            again.chain([Operation::Maintain]).collect()
        },
        ..ROOMY
    },
    Scenario {
        name: "cleared while it is full",
        prepare: |world| world.set_all(0..2_000, 100),
        operations: || {
            let refilled = [Operation::Clear].into_iter().chain(sets(0..2_000, 100));
            refilled.collect()
        },
        ..TIGHT
    },
    Scenario {
        name: "anything at random",
        prepare: |world| {
            for operation in at_random(1, 600) {
                world.apply(operation).unwrap();
            }
            world.watch_all(0..100);
        },
        operations: || at_random(2, 600),
        ..TIGHT
    },
    Scenario {
        name: "keys are claimed, and depended on, and written",
        shards: 2,
        prepare: |world| world.set_all(0..200, 30),
        operations: || {
            let of_key = |key| {
                let operations = [
                    Operation::Claim,
                    Operation::Depend,
                    Operation::InvalidateTag,
                ];
                operations.map(|operation: fn(usize) -> Operation| operation(key))
            };
            let all = (0..300).flat_map(of_key);
            all.chain(sets(0..20, 30)).chain(deletes(20..40)).collect()
        },
        ..ROOMY
    },
    Scenario {
        name: "threads come",
        operations: || vec![Operation::Register; 20],
        ..ROOMY
    },
];
