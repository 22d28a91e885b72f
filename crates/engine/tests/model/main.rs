//! Random operations against a naive model: a hash map whose entries know when they end.
//!
//! The cache may have lost an entry (evicted it), but never answers a wrong, superseded or expired
//! value, never gives back what it has lost, and loses nothing at all while it has room. After every
//! operation all structural invariants are checked.
//!
//! Time is a manual clock. An entry must live for its time to live, may live a little longer (the
//! rounding to ticks) and then must not be served: the model knows both ends and accepts either answer
//! in between.

mod operation;
mod reads;
mod world;
mod writes;

use crate::operation::{KEYS, Op, PREFIXES};
use crate::world::{DAY_MS, Setup, run};
use nearcache_engine::Ttl;
use proptest::prelude::*;

fn ttl() -> impl Strategy<Value = Ttl> {
    prop_oneof![
        6 => Just(Ttl::Forever),
        1 => Just(Ttl::Default),
        1 => Just(Ttl::Millis(0)),
        3 => (1u64..40).prop_map(Ttl::Millis),
        3 => (40u64..10_000).prop_map(Ttl::Millis),
        2 => (10_000u64..100 * DAY_MS).prop_map(Ttl::Millis),
        2 => (100 * DAY_MS..3_600 * DAY_MS).prop_map(Ttl::Millis),
    ]
}

/// Sizes around what matters: empty, a slot, the largest slot of a small page, several chunks.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0usize..100, 2 => 100usize..900, 2 => 900usize..1_200, 2 => 1_200usize..6_000, 1 => 6_000usize..16_384]
}

fn operation() -> impl Strategy<Value = Op> {
    let key = || 0..KEYS;
    prop_oneof![
        12 => (key(), size(), ttl()).prop_map(|(k, s, t)| Op::Set(k, s, t)),
        4 => (key(), size(), ttl()).prop_map(|(k, s, t)| Op::SetIfAbsent(k, s, t)),
        4 => (key(), size(), ttl()).prop_map(|(k, s, t)| Op::Replace(k, s, t)),
        4 => (key(), size(), ttl(), any::<bool>()).prop_map(|(k, s, t, c)| Op::CompareAndSet(k, s, t, c)),
        8 => key().prop_map(Op::Get),
        4 => key().prop_map(Op::Heat),
        4 => key().prop_map(Op::Delete),
        3 => key().prop_map(Op::Remaining),
        6 => (key(), ttl()).prop_map(|(k, t)| Op::Touch(k, t)),
        2 => proptest::collection::vec(key(), 0..40).prop_map(Op::GetMany),
        2 => (proptest::sample::select(&PREFIXES[..]), 1usize..50).prop_map(|(p, l)| Op::Scan(p, l)),
        1 => proptest::sample::select(&PREFIXES[1..]).prop_map(Op::DeletePrefix),
        4 => (1usize..400, size()).prop_map(|(n, s)| Op::Fill(n, s)),
        1 => Just(Op::Clear),
        5 => prop_oneof![4 => 1u64..50, 3 => 50u64..20_000, 1 => 20_000..20 * DAY_MS].prop_map(Op::Advance),
        4 => Just(Op::Maintain),
        10 => (0..2usize, key()).prop_map(|(l0, k)| Op::L0Read(l0, k)),
        2 => (proptest::collection::vec(key(), 0..20), size(), ttl()).prop_map(|(k, s, t)| Op::SetMany(k, s, t)),
        2 => (key(), proptest::collection::vec(key(), 0..20), size()).prop_map(|(k, w, s)| Op::WriteWhileReading(k, w, s)),
        1 => key().prop_map(Op::Exceed),
        1 => (0..3usize).prop_map(Op::Renew),
    ]
}

fn config(cases: u32) -> ProptestConfig {
    // Cases from the environment (PROPTEST_CASES) for longer runs.
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(cases);
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4_096,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn a_full_cache_may_forget_but_never_errs(
        bytes in prop_oneof![Just(64u64 << 10), Just(100 << 10), Just(256 << 10), Just(1 << 20)],
        operations in proptest::collection::vec(operation(), 1..120),
    ) {
        run(&Setup::new(bytes, false), &operations);
    }

    /// Values are written over others in place, and entries take each other's slots.
    #[test]
    fn nor_does_one_that_a_single_handle_uses(
        bytes in prop_oneof![Just(64u64 << 10), Just(100 << 10), Just(1 << 20)],
        operations in proptest::collection::vec(operation(), 1..120),
    ) {
        let setup = Setup { alone: true, ..Setup::new(bytes, false) };
        run(&setup, &operations);
    }

    #[test]
    fn a_cache_with_room_forgets_nothing(operations in proptest::collection::vec(operation(), 1..120)) {
        run(&Setup::new(16 << 20, true), &operations);
    }
}
