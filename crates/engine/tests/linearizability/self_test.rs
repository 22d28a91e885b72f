//! The checker itself: histories by hand that it must accept, and others that it must refuse.

use crate::checker::check;
use crate::history::{Call, History, Move, Operation, Time, Write};

fn write(id: u32) -> Write {
    Write { id, ttl: None }
}

fn set(id: u32) -> Call {
    Call::Set(write(id))
}

/// Each operation as (thread, invoked, returned, call).
fn verdict(operations: &[(usize, u64, u64, Call)], may_drop: bool) -> Result<(), String> {
    verdict_at(operations, may_drop, &Time::default())
}

fn verdict_at(
    operations: &[(usize, u64, u64, Call)],
    may_drop: bool,
    time: &Time,
) -> Result<(), String> {
    let operations = operations
        .iter()
        .map(|&(thread, invoked, returned, call)| Operation {
            thread,
            invoked,
            returned,
            call,
        })
        .collect();
    let history = History {
        operations,
        may_drop,
    };
    check(&history, time)
}

#[test]
fn a_read_after_a_write_must_see_it() {
    let read = |found| [(0, 1, 2, set(7)), (1, 3, 4, Call::Get(found))];
    assert!(verdict(&read(Some(7)), false).is_ok());
    assert!(verdict(&read(None), false).is_err());
    assert!(verdict(&read(None), true).is_ok());
    assert!(verdict(&read(Some(8)), true).is_err());
}

#[test]
fn a_superseded_value_is_refused_once_the_write_has_returned() {
    let read = |invoked| {
        [
            (0, 1, 2, set(7)),
            (0, 3, 6, set(8)),
            (1, invoked, 9, Call::Get(Some(7))),
        ]
    };
    assert!(verdict(&read(5), true).is_ok());
    assert!(verdict(&read(7), true).is_err());
}

#[test]
fn of_two_reads_one_after_the_other_the_second_sees_nothing_older() {
    let reads = |first, second| {
        [
            (0, 1, 2, set(7)),
            (0, 3, 20, set(8)),
            (1, 4, 5, Call::Get(Some(first))),
            (2, 6, 7, Call::Get(Some(second))),
        ]
    };
    assert!(verdict(&reads(7, 8), true).is_ok());
    assert!(verdict(&reads(8, 8), true).is_ok());
    assert!(verdict(&reads(8, 7), true).is_err());
}

#[test]
fn what_has_vanished_does_not_come_back() {
    let history = [
        (0, 1, 2, set(7)),
        (1, 3, 4, Call::Get(None)),
        (1, 5, 6, Call::Get(Some(7))),
    ];
    assert!(verdict(&history, true).is_err());
}

#[test]
fn concurrent_writes_may_have_come_in_either_order_but_only_in_one() {
    let read = |at, id| (2, at, at + 1, Call::Get(Some(id)));
    let writes = [(0, 1, 10, set(7)), (1, 2, 9, set(8))];
    for id in [7, 8] {
        let history = [writes[0], writes[1], read(11, id), read(13, id)];
        assert!(verdict(&history, false).is_ok());
    }
    let history = [writes[0], writes[1], read(11, 7), read(13, 8)];
    assert!(verdict(&history, true).is_err());
}

#[test]
fn a_value_that_was_removed_is_not_read_again() {
    let delete = Call::Delete { removed: true };
    for removal in [delete, Call::Clear] {
        let history = |found| {
            [
                (0, 1, 2, set(7)),
                (1, 3, 4, removal),
                (2, 5, 6, Call::Get(found)),
            ]
        };
        assert!(verdict(&history(None), false).is_ok());
        assert!(verdict(&history(Some(7)), true).is_err());
    }
}

#[test]
fn a_removal_under_way_may_have_come_late() {
    let stored = Call::SetIfAbsent {
        write: write(8),
        stored: true,
    };
    let history = |returned| {
        [
            (0, 1, returned, Call::Clear),
            (1, 2, 3, set(7)),
            (1, 4, 5, Call::Get(Some(7))),
            (1, 6, 7, stored),
        ]
    };
    assert!(verdict(&history(10), false).is_ok());
    assert!(verdict(&history(4), false).is_err());
}

#[test]
fn two_set_if_absent_have_one_winner_unless_the_first_may_have_vanished() {
    let winner = |thread, id| {
        let call = Call::SetIfAbsent {
            write: write(id),
            stored: true,
        };
        (thread, 1, 5, call)
    };
    let history = [winner(0, 7), winner(1, 8)];
    assert!(verdict(&history, false).is_err());
    assert!(verdict(&history, true).is_ok());
}

#[test]
fn a_compare_and_set_on_what_was_replaced_must_fail() {
    let swap = |stored| {
        let call = Call::CompareAndSet {
            expected: 7,
            write: write(9),
            stored,
        };
        [(0, 1, 2, set(7)), (0, 3, 4, set(8)), (1, 5, 6, call)]
    };
    assert!(verdict(&swap(true), true).is_err());
    assert!(verdict(&swap(false), true).is_ok());
}

#[test]
fn a_delete_or_replace_that_found_something_needs_something() {
    let removed = [(0, 1, 2, Call::Delete { removed: true })];
    assert!(verdict(&removed, true).is_err());
    let replaced = Call::Replace {
        write: write(7),
        stored: true,
    };
    assert!(verdict(&[(0, 1, 2, replaced)], true).is_err());
}

#[test]
fn a_value_whose_time_is_over_is_refused() {
    let time = |returned| Time {
        start: 0,
        moves: vec![Move {
            invoked: 10,
            returned,
            tick: 3,
        }],
    };
    let short = Call::Set(Write {
        id: 7,
        ttl: Some(3),
    });
    for found in [Call::Get(Some(7)), Call::L0(7)] {
        let history = [(0, 1, 2, short), (1, 15, 16, found)];
        assert!(verdict_at(&history, true, &time(12)).is_err());
        // The step was under way.
        assert!(verdict_at(&history, true, &time(20)).is_ok());
    }
    // The write may have begun its life behind the step.
    let history = [(0, 1, 14, short), (1, 15, 16, Call::Get(Some(7)))];
    assert!(verdict_at(&history, true, &time(12)).is_ok());
}

/// Others may find it over while the write is under way; not one write that was called behind the end.
#[test]
fn a_conditional_write_may_decide_by_a_value_that_ends_meanwhile() {
    let time = Time {
        start: 0,
        moves: vec![Move {
            invoked: 10,
            returned: 12,
            tick: 3,
        }],
    };
    let lives = |ttl| Call::Set(Write { id: 7, ttl });
    let replace = Call::Replace {
        write: write(8),
        stored: true,
    };
    let swap = Call::CompareAndSet {
        expected: 7,
        write: write(8),
        stored: true,
    };
    for conditional in [replace, swap] {
        let history = |ttl, invoked| {
            [
                (0, 1, 2, lives(ttl)),
                (1, invoked, 20, conditional),
                (0, 14, 15, Call::Get(None)),
                (0, 21, 22, Call::Get(Some(8))),
            ]
        };
        assert!(verdict_at(&history(Some(3), 5), true, &time).is_ok());
        assert!(verdict_at(&history(Some(3), 13), true, &time).is_err());
        // It was evicted, and not over.
        assert!(verdict_at(&history(Some(4), 5), true, &time).is_err());
        assert!(verdict_at(&history(None, 5), true, &time).is_err());
    }
    // What is over is so for everybody else.
    for found in [Call::Get(Some(7)), Call::Delete { removed: true }] {
        let history = [
            (0, 1, 2, lives(Some(3))),
            (1, 5, 20, found),
            (0, 14, 15, Call::Get(None)),
            (0, 16, 17, Call::Get(Some(7))),
        ];
        assert!(verdict_at(&history, true, &time).is_err());
    }
}

#[test]
fn an_l0_is_refused_what_a_returned_write_superseded() {
    let l0 = |invoked| {
        [
            (0, 1, 2, set(7)),
            (1, 3, 8, set(8)),
            (2, 4, 5, Call::Get(Some(8))),
            (3, invoked, 10, Call::L0(7)),
        ]
    };
    assert!(verdict(&l0(6), true).is_ok());
    assert!(verdict(&l0(9), true).is_err());
    assert!(verdict(&[(0, 1, 2, Call::L0(7))], true).is_err());
}

/// Eight threads that write and read in turn, all at once: as wide as a history gets.
#[test]
fn a_wide_history_is_decided_in_reasonable_time() {
    let mut operations = Vec::new();
    for thread in 0..8usize {
        for step in 0..10u32 {
            let id = (thread as u32 + 1) << 8 | step;
            let at = u64::from(step) * 100 + thread as u64;
            operations.push((thread, at, at + 90, set(id)));
        }
    }
    operations.push((0, 2_000, 2_001, Call::Get(Some(8 << 8 | 9))));
    assert!(verdict(&operations, false).is_ok());
    operations.push((0, 2_002, 2_003, Call::Get(Some(7 << 8 | 9))));
    assert!(verdict(&operations, false).is_err());
}
