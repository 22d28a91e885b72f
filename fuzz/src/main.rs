//! The fuzz target: bytes become a setup and a sequence of operations, which run against the engine
//! and the naive model of its property tests (`crates/engine/tests/model`), with every structural
//! invariant checked after each operation.
//!
//! Compiled with `--cfg nearcache_small`, whose constants make short inputs split the index to its
//! deepest, lapse L0s and use several shards. The choices are single bytes, so that a mutation
//! changes one of them; what a byte means is decided here alone.

#![no_main]

#[path = "../../crates/engine/tests/model/operation.rs"]
mod operation;
#[path = "../../crates/engine/tests/model/reads.rs"]
mod reads;
#[path = "../../crates/engine/tests/model/world.rs"]
mod world;
#[path = "../../crates/engine/tests/model/writes.rs"]
mod writes;

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use nearcache_engine::Ttl;
use operation::{KEYS, Op, PREFIXES};
use world::{DAY_MS, Setup};

/// Longer inputs add time, not situations.
const OPERATIONS_MAX: usize = 64;
/// An ordinary one, and one that needs chunks itself.
const HOT_KEYS: [usize; 2] = [5, 2];
/// Keys of one batch, at most.
const BATCH_MAX: usize = 40;
const FILL_MAX: u16 = 700;
const BUDGETS: [u64; 4] = [64 << 10, 100 << 10, 200 << 10, 1 << 20];
const ROOMY: u64 = 16 << 20;
/// One of so many setups has room for everything, so that nothing may be lost.
const ROOMY_ONE_IN: u8 = 8;

#[derive(Debug)]
struct Input {
    setup: Setup,
    operations: Vec<Op>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let setup = setup(bytes)?;
        let mut operations = Vec::new();
        while !bytes.is_empty() && operations.len() < OPERATIONS_MAX {
            operations.push(operation(bytes)?);
        }
        Ok(Self { setup, operations })
    }
}

fn setup(bytes: &mut Unstructured<'_>) -> Result<Setup> {
    let [kind, shards, seed, start] = bytes.arbitrary::<[u8; 4]>()?;
    let strict = kind % ROOMY_ONE_IN == ROOMY_ONE_IN - 1;
    let budget = if strict {
        ROOMY
    } else {
        BUDGETS[kind as usize % BUDGETS.len()]
    };
    Ok(Setup {
        shards: Some(1 << (shards % 2)),
        alone: shards / 2 % 2 == 1,
        seed: seed as u64,
        // Some clocks are about to wrap around 2^32 ticks.
        first_tick: if start % 4 == 0 {
            (1 << 32) - start as u64
        } else {
            start as u64
        },
        ..Setup::new(budget, strict)
    })
}

fn operation(bytes: &mut Unstructured<'_>) -> Result<Op> {
    Ok(match bytes.arbitrary::<u8>()? % 29 {
        0..3 => Op::Set(key(bytes)?, size(bytes)?, ttl(bytes)?),
        3 => Op::SetIfAbsent(key(bytes)?, size(bytes)?, ttl(bytes)?),
        4 => Op::Replace(key(bytes)?, size(bytes)?, ttl(bytes)?),
        5 => Op::CompareAndSet(key(bytes)?, size(bytes)?, ttl(bytes)?, bytes.arbitrary()?),
        6 => Op::SetMany(keys(bytes)?, size(bytes)?, ttl(bytes)?),
        7 => Op::Get(key(bytes)?),
        8 => Op::Heat(key(bytes)?),
        9..11 => Op::Delete(key(bytes)?),
        11 => Op::Remaining(key(bytes)?),
        12..14 => Op::Touch(key(bytes)?, ttl(bytes)?),
        14 => Op::GetMany(keys(bytes)?),
        15 => Op::Scan(prefix(bytes)?, bytes.arbitrary::<u8>()? as usize),
        16 => Op::DeletePrefix(prefix(bytes)?),
        17..20 => Op::Fill(
            (bytes.arbitrary::<u16>()? % FILL_MAX) as usize,
            size(bytes)?,
        ),
        20 => Op::Clear,
        21..23 => Op::Advance(advance_ms(bytes)?),
        23 => Op::Maintain,
        24..26 => Op::L0Read(bytes.arbitrary::<u8>()? as usize, key(bytes)?),
        26 => Op::WriteWhileReading(key(bytes)?, keys(bytes)?, size(bytes)?),
        27 => Op::Exceed(key(bytes)?),
        _ => Op::Renew(bytes.arbitrary::<u8>()? as usize),
    })
}

/// Half of the time one of a few, so that operations meet.
fn key(bytes: &mut Unstructured<'_>) -> Result<usize> {
    let n = bytes.arbitrary::<u8>()? as usize;
    Ok(if n < 128 {
        HOT_KEYS[n % HOT_KEYS.len()]
    } else {
        n % KEYS
    })
}

fn keys(bytes: &mut Unstructured<'_>) -> Result<Vec<usize>> {
    let count = bytes.arbitrary::<u8>()? as usize % BATCH_MAX;
    (0..count).map(|_| key(bytes)).collect()
}

fn prefix(bytes: &mut Unstructured<'_>) -> Result<&'static str> {
    Ok(PREFIXES[bytes.arbitrary::<u8>()? as usize % PREFIXES.len()])
}

/// Every size up to the longest value; small ones often.
fn size(bytes: &mut Unstructured<'_>) -> Result<usize> {
    let [scale, fine] = bytes.arbitrary::<[u8; 2]>()?;
    Ok(match scale % 8 {
        0 => 0,
        1..4 => fine as usize,
        4 => fine as usize * 4,
        5 => fine as usize * 8,
        6 => fine as usize * 24,
        _ => fine as usize * 65,
    })
}

fn ttl(bytes: &mut Unstructured<'_>) -> Result<Ttl> {
    Ok(match bytes.arbitrary::<u8>()? {
        0..100 => Ttl::Forever,
        100..110 => Ttl::Default,
        110..116 => Ttl::Millis(0),
        scale => Ttl::Millis(far(scale, bytes.arbitrary()?)),
    })
}

fn advance_ms(bytes: &mut Unstructured<'_>) -> Result<u64> {
    let [scale, fine] = bytes.arbitrary::<[u8; 2]>()?;
    Ok(far(scale, fine))
}

/// Milliseconds from less than a tick to ten years.
fn far(scale: u8, fine: u8) -> u64 {
    let fine = fine as u64 + 1;
    match scale % 6 {
        0 => fine % 16,
        1 => fine,
        2 => fine * 40,
        3 => fine * 5_000,
        4 => fine * DAY_MS / 4,
        _ => fine * 14 * DAY_MS,
    }
}

fuzz_target!(|input: Input| world::run(&input.setup, &input.operations));
