//! How much waits in limbo: records and bytes.
//!
//! Invariant: what is taken off was added before, and both sides order that by the limbo's lock (added
//! before a bag is put in, taken off after it was taken out). So the sums never wrap, are never more
//! than was added, and are zero when nothing waits, although every operation on them is relaxed.

use crate::sync::{AtomicU64, Ordering};

/// See the module's documentation.
pub(crate) struct Account {
    records: AtomicU64,
    bytes: AtomicU64,
}

impl Account {
    pub(crate) fn new() -> Self {
        Self {
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Before a bag is put into limbo, under its lock.
    pub(crate) fn add(&self, records: u64, bytes: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// After a bag was taken out.
    pub(crate) fn take_off(&self, records: u64, bytes: u64) {
        self.records.fetch_sub(records, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::sync::{Mutex, lock};
    use loom::sync::Arc;
    use loom::thread;

    struct World {
        account: Account,
        limbo: Mutex<Vec<(u64, u64)>>,
    }

    impl World {
        fn hand_over(&self, records: u64, bytes: u64) {
            let mut limbo = lock(&self.limbo);
            self.account.add(records, bytes);
            limbo.push((records, bytes));
        }

        fn collect(&self) {
            let bags = std::mem::take(&mut *lock(&self.limbo));
            for (records, bytes) in bags {
                self.account.take_off(records, bytes);
            }
        }
    }

    /// Two threads hand over and collect what anyone handed over; a third looks on.
    #[test]
    fn loom_the_account_never_wraps_and_ends_at_zero() {
        loom::model(|| {
            let world = Arc::new(World {
                account: Account::new(),
                limbo: Mutex::new(Vec::new()),
            });
            let threads = [1, 2].map(|records| {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    world.hand_over(records, records * 100);
                    world.collect();
                })
            });
            assert!(world.account.records() <= 3);
            assert!(world.account.bytes() <= 300);
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!((world.account.records(), world.account.bytes()), (0, 0));
        });
    }
}
