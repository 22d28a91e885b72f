//! Is there an order of the operations on one key that explains all answers?
//!
//! A key is a register whose value may vanish by itself. A history is *linearizable* if its operations
//! can be put into one order that (1) respects real time: what had returned before another was called
//! comes first, and (2) gives every operation, one after the other, the answer that it got. Keys are
//! independent, so each key's history is checked alone (Herlihy, Wing 1990).
//!
//! The search is Wing and Gong's, with Lowe's memory of what was tried: from a point where some
//! operations of each thread are placed, any next operation of a thread may come next if no other
//! unplaced one had returned before it was called. A point is (operations placed per thread, value), and
//! a point that led nowhere is not tried again. An operation that changes nothing where it is legal is
//! placed at once without trying anything else: in any order that explains the history it can be moved
//! here, because nothing that is left must precede it and nobody depends on it. (`clear` is no such
//! operation: it is legal everywhere, and a later place of it may be what explains another's answer.)
//!
//! *Vanishing* (eviction, expiry) is placed only where an answer needs it: from "present" all is legal
//! that is legal from "absent", by vanishing first. So nothing is lost by putting it off.
//!
//! *Time*: a write ends so many ticks after a present that lay between its call and its return, so its
//! end is known up to an interval. An answer that needs a value to be there is wrong if even the latest
//! end had come, by a step of the clock that had returned, before the operation was called.
//!
//! A *conditional write* decides by a value that is there when it begins, and takes effect a little later. If the value's time
//! ends in between, others may have found nothing there already. That is allowed as long as the write had been called
//! before the end: a value whose end was found is remembered as [`ENDED`], and is absent for all others.
//!
//! An answer of an *L0* is held to less. A writer first changes the cache and then tells the L0s, so
//! while it is under way one thread may see the new value in the cache and another, later, the old one
//! in its L0. What is promised, and checked, is: not after the writer has returned.

use crate::history::{Call, History, Operation, Ticks, Time, Write, WriteId};
use std::collections::{HashMap, HashSet};

const ABSENT: WriteId = 0;
/// Added to the name of a value that was found to be over by its time.
const ENDED: WriteId = 1 << 31;
/// Threads that a point can tell apart.
const THREADS_MAX: usize = 8;

/// How far each thread has come, and the value of the key.
type Point = ([u16; THREADS_MAX], WriteId);

/// Finds out whether a history can be explained; if not, says what it was.
pub(crate) fn check(history: &History, time: &Time) -> Result<(), String> {
    let search = Search::new(history, time)?;
    search.check_l0()?;
    search.run()
}

struct Search<'a> {
    history: &'a History,
    time: &'a Time,
    /// Operations on the cache per thread, in order.
    threads: Vec<Vec<Operation>>,
    /// The earliest and the latest tick at which each write's life may be over.
    ends: HashMap<WriteId, (Ticks, Ticks)>,
}

impl<'a> Search<'a> {
    fn new(history: &'a History, time: &'a Time) -> Result<Self, String> {
        let mut threads = vec![Vec::new(); THREADS_MAX];
        let mut ends = HashMap::new();
        for operation in &history.operations {
            if !matches!(operation.call, Call::L0(_)) {
                threads[operation.thread].push(*operation);
            }
            if let Some(Write { id, ttl }) = operation.call.stored() {
                let end = |present: Ticks| ttl.map_or(Ticks::MAX, |ttl| present + ttl);
                let earliest = end(time.earliest(operation.invoked));
                let latest = end(time.latest(operation.returned));
                if id == ABSENT || id >= ENDED || ends.insert(id, (earliest, latest)).is_some() {
                    return Err(format!("write {id} is no name for a write"));
                }
            }
        }
        Ok(Self {
            history,
            time,
            threads,
            ends,
        })
    }

    fn run(&self) -> Result<(), String> {
        let mut open: Vec<Point> = vec![([0; THREADS_MAX], ABSENT)];
        let mut tried = HashSet::new();
        let mut furthest = open[0];
        while let Some(mut point) = open.pop() {
            while let Some(thread) = self.changes_nothing(point) {
                point.0[thread] += 1;
            }
            if placed(&point) > placed(&furthest) {
                furthest = point;
            }
            let mut is_end = true;
            let first_try = tried.insert(point);
            for (thread, operation) in self.next_operations(&point) {
                is_end = false;
                if first_try && let Some(value) = self.apply(&operation, point.1) {
                    let mut next = point;
                    next.0[thread] += 1;
                    next.1 = value;
                    open.push(next);
                }
            }
            if is_end {
                return Ok(());
            }
        }
        Err(self.describe(&furthest))
    }

    /// The operations of which any may come next, by thread.
    fn next_operations(&self, point: &Point) -> impl Iterator<Item = (usize, Operation)> + '_ {
        let waiting: Vec<_> = self
            .threads
            .iter()
            .enumerate()
            .filter_map(|(thread, operations)| {
                let next = operations.get(point.0[thread] as usize)?;
                Some((thread, *next))
            })
            .collect();
        let first_return = waiting
            .iter()
            .map(|(_, operation)| operation.returned)
            .min()
            .unwrap_or(u64::MAX);
        waiting
            .into_iter()
            .filter(move |(_, operation)| operation.invoked < first_return)
    }

    /// A thread whose next operation is legal here and leaves the value as it is.
    fn changes_nothing(&self, point: Point) -> Option<usize> {
        self.next_operations(&point)
            .filter(|(_, operation)| operation.call != Call::Clear)
            .find(|(_, operation)| self.apply(operation, point.1) == Some(point.1))
            .map(|(thread, _)| thread)
    }

    /// The value after an operation at a value; `None` if its answer would be wrong there.
    fn apply(&self, operation: &Operation, value: WriteId) -> Option<WriteId> {
        let id = value & !ENDED;
        let is_ended = value >= ENDED;
        let may_live = id != ABSENT && self.may_live(id, operation);
        let found = |then: WriteId| (may_live && !is_ended).then_some(then);
        let decided = |then: WriteId| may_live.then_some(then);
        let is_missed = id == ABSENT || is_ended || self.history.may_drop;
        let missed = |then: WriteId| is_missed.then_some(then);
        let gone = if id == ABSENT || is_ended {
            value
        } else if self.may_be_over(id, operation) {
            id | ENDED
        } else {
            ABSENT
        };
        match operation.call {
            Call::Set(write) => Some(write.id),
            Call::Clear => Some(ABSENT),
            Call::Get(Some(id)) => found(value).filter(|_| id == value),
            Call::Get(None) | Call::Delete { removed: false } => missed(gone),
            Call::Delete { removed: true } => found(ABSENT),
            Call::SetIfAbsent {
                write,
                stored: true,
            } => missed(write.id),
            Call::SetIfAbsent { stored: false, .. } => found(value),
            Call::Replace {
                write,
                stored: true,
            } => decided(write.id),
            Call::Replace { stored: false, .. } => missed(gone),
            Call::CompareAndSet {
                expected,
                write,
                stored: true,
            } => decided(write.id).filter(|_| expected == id),
            Call::CompareAndSet { expected, .. } if expected == id => missed(gone),
            Call::CompareAndSet { .. } => Some(value),
            Call::L0(_) => unreachable!("answers of L0s are checked apart"),
        }
    }

    fn may_live(&self, id: WriteId, operation: &Operation) -> bool {
        self.time.earliest(operation.invoked) < self.ends[&id].1
    }

    fn may_be_over(&self, id: WriteId, operation: &Operation) -> bool {
        self.time.latest(operation.returned) >= self.ends[&id].0
    }

    /// What each L0 answered must have been written, must not have ended, and must not have been
    /// replaced or removed by a call that began after the write and returned before the answer.
    fn check_l0(&self) -> Result<(), String> {
        let operations = &self.history.operations;
        for answer in operations {
            let Call::L0(id) = answer.call else { continue };
            let written = operations
                .iter()
                .find(|operation| operation.call.stored().is_some_and(|write| write.id == id))
                .filter(|write| write.invoked < answer.returned)
                .ok_or_else(|| format!("{answer:?}: nobody had written that"))?;
            if !self.may_live(id, answer) {
                return Err(format!("{answer:?}: {written:?} had ended"));
            }
            let newer = operations.iter().find(|other| {
                other.call.ends_what_was()
                    && other.invoked > written.returned
                    && other.returned < answer.invoked
            });
            if let Some(newer) = newer {
                return Err(format!("{answer:?}: {newer:?} had returned"));
            }
        }
        Ok(())
    }

    fn describe(&self, furthest: &Point) -> String {
        let mut operations = self.history.operations.clone();
        operations.sort_by_key(|operation| operation.invoked);
        let lines: Vec<_> = operations
            .iter()
            .map(|operation| format!("  {operation:?}\n"))
            .collect();
        let stuck: Vec<_> = self.next_operations(furthest).collect();
        format!(
            "no order explains this history; with the value {} none of {stuck:?} is right:\n{}clock: {:?}",
            furthest.1,
            lines.concat(),
            self.time
        )
    }
}

fn placed(point: &Point) -> u32 {
    point.0.iter().map(|count| u32::from(*count)).sum()
}
