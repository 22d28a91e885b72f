//! The barrier for real: the shape that reclamation rests on, on real threads, again and again.
//!
//! It is *store buffering*: each of two threads stores to its own word, then loads the other's. Without a
//! barrier on both sides both may load what was there before, and then a reader looks at memory that the
//! reclaimer frees. A pin is a store, a compiler fence and a load; the process-wide barrier of the other
//! side must make up for the fence that it lacks. No model checker knows such a barrier, so it is tried.
//!
//! Words hold the number of the round, so nothing is reset between rounds.

use super::Epoch;
use crate::barrier::Barrier;
use crate::sync::{
    AtomicU32, AtomicU64, CacheAligned, Mutex, Ordering, compiler_fence, lock, thread,
};

/// Few enough for every run of the tests, also on a busy machine, where each round may wait for the other
/// thread to get a processor. `NEARCACHE_STRESS_SCALE` multiplies it: 40 makes it millions.
const ROUNDS: u64 = 50_000;
/// Rounds in a row that a thread waits for the other before it gives its processor away.
const EAGER_SPINS: u32 = 2_000;
/// The two sides begin up to this many spins apart, so that all ways to overlap come up.
const JITTER_SPINS: u64 = 64;

/// One test at a time: both keep two processors busy, and with more threads than processors each round
/// would wait for the scheduler.
static ALONE: Mutex<()> = Mutex::new(());

fn rounds() -> u64 {
    let scale = std::env::var("NEARCACHE_STRESS_SCALE")
        .ok()
        .and_then(|n| n.parse().ok());
    ROUNDS * scale.unwrap_or(1)
}

/// Spins until `word` has reached `round`.
fn wait_for(word: &AtomicU64, round: u64) {
    let mut spins = 0;
    while word.load(Ordering::Acquire) < round {
        spins += 1;
        if spins < EAGER_SPINS {
            std::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

/// A different number of spins each round.
fn jitter(round: u64, side: u64) {
    let mixed = (round * 2 + side).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    for _ in 0..mixed % JITTER_SPINS {
        std::hint::spin_loop();
    }
}

#[derive(Default)]
struct Board {
    x: CacheAligned<AtomicU64>,
    y: CacheAligned<AtomicU64>,
    begun: CacheAligned<AtomicU64>,
    /// The round that the reader has finished, and whether it saw the old value in it.
    finished: CacheAligned<(AtomicU64, AtomicU32)>,
}

/// Rounds in which both sides saw the old value of the other's word.
fn store_buffering(rounds: u64, barrier: impl Fn()) -> u64 {
    let board = Board::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=rounds {
                wait_for(&board.begun.0, round);
                jitter(round, 0);
                // As a pin does it, and the holder of a lock.
                board.x.0.store(round, Ordering::Release);
                compiler_fence();
                let is_old = board.y.0.load(Ordering::Acquire) < round;
                let (finished, saw_old) = &board.finished.0;
                saw_old.store(u32::from(is_old), Ordering::Relaxed);
                finished.store(round, Ordering::Release);
            }
        });
        let mut both_old = 0;
        for round in 1..=rounds {
            board.begun.0.store(round, Ordering::Release);
            jitter(round, 1);
            board.y.0.store(round, Ordering::Release);
            barrier();
            let is_old = board.x.0.load(Ordering::Acquire) < round;
            let (finished, saw_old) = &board.finished.0;
            wait_for(finished, round);
            both_old += u64::from(is_old && saw_old.load(Ordering::Relaxed) == 1);
        }
        both_old
    })
}

#[test]
fn with_the_process_wide_barrier_never_do_both_sides_see_the_old_value() {
    let _alone = lock(&ALONE);
    let barrier = Barrier::of_system();
    if barrier == Barrier::Plain {
        println!("this platform has no process-wide barrier: readers pay a fence");
        return;
    }
    let rounds = rounds();
    let without = store_buffering(rounds, compiler_fence);
    println!("{rounds} rounds: {without} times both saw the old value without the barrier");
    assert_eq!(store_buffering(rounds, || barrier.heavy()), 0);
}

/// The same with the real pin and the real advance: what a pinned reader may have found is not freed.
#[test]
fn a_pin_that_found_the_old_link_is_waited_for() {
    let _alone = lock(&ALONE);
    let rounds = rounds();
    let epoch = Epoch::new();
    let board = Board::default();
    let (link, freed) = (&board.x.0, &board.y.0);
    let (mut waited, mut went_on) = (0, 0);
    thread::scope(|scope| {
        let slot = epoch.register().unwrap();
        scope.spawn(|| {
            // The slot is this thread's alone.
            let slot = slot;
            for round in 1..=rounds {
                wait_for(&board.begun.0, round);
                jitter(round, 0);
                let pin = epoch.pin(&slot);
                let is_old = link.load(Ordering::Acquire) < round;
                let (finished, saw_old) = &board.finished.0;
                saw_old.store(u32::from(is_old), Ordering::Relaxed);
                finished.store(round, Ordering::Release);
                // Pinned until the other side has decided.
                wait_for(freed, round);
                drop(pin);
            }
        });
        for round in 1..=rounds {
            board.begun.0.store(round, Ordering::Release);
            jitter(round, 1);
            link.store(round, Ordering::Release);
            let may_free = epoch.stamp() < epoch.advance(None);
            let (finished, saw_old) = &board.finished.0;
            wait_for(finished, round);
            let saw_old = saw_old.load(Ordering::Relaxed) == 1;
            assert!(
                !(may_free && saw_old),
                "round {round}: freed under a pinned reader"
            );
            waited += u64::from(!may_free);
            went_on += u64::from(may_free);
            freed.store(round, Ordering::Release);
        }
    });
    println!("{rounds} rounds: waited for the reader in {waited}, needn't in {went_on}");
}
