//! What was called on one key, when, and what it answered.

/// Names one write of one key; never given twice.
pub(crate) type WriteId = u32;

/// Ticks, see `nearcache_engine::TICK_MS`.
pub(crate) type Ticks = u64;

/// One value that somebody tried to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) id: WriteId,
    /// How many ticks after the write's present it ends; `None` for never.
    pub(crate) ttl: Option<Ticks>,
}

/// What was called, and the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Set(Write),
    SetIfAbsent {
        write: Write,
        stored: bool,
    },
    Replace {
        write: Write,
        stored: bool,
    },
    CompareAndSet {
        expected: WriteId,
        write: Write,
        stored: bool,
    },
    Delete {
        removed: bool,
    },
    /// As this key sees it: a removal without an answer.
    Clear,
    Get(Option<WriteId>),
    /// An L0 answered with a copy, without asking the cache.
    L0(WriteId),
}

impl Call {
    /// The write that it stored.
    pub(crate) fn stored(self) -> Option<Write> {
        match self {
            Self::Set(write)
            | Self::SetIfAbsent {
                write,
                stored: true,
            }
            | Self::Replace {
                write,
                stored: true,
            }
            | Self::CompareAndSet {
                write,
                stored: true,
                ..
            } => Some(write),
            _ => None,
        }
    }

    /// Whether what was there before it is not there after it.
    pub(crate) fn ends_what_was(self) -> bool {
        self.stored().is_some() || matches!(self, Self::Delete { removed: true } | Self::Clear)
    }
}

/// A call with the stamps of its beginning and its return. Stamps come from one counter, so that one
/// call's return being smaller than another's beginning means that it really came first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) thread: usize,
    pub(crate) invoked: u64,
    pub(crate) returned: u64,
    pub(crate) call: Call,
}

/// One step of the clock, by the one thread that moves it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) invoked: u64,
    pub(crate) returned: u64,
    pub(crate) tick: Ticks,
}

/// The clock's history: what the time was at a stamp is known up to a step under way.
#[derive(Debug, Default)]
pub(crate) struct Time {
    pub(crate) start: Ticks,
    /// In order.
    pub(crate) moves: Vec<Move>,
}

impl Time {
    /// The time was at least this.
    pub(crate) fn earliest(&self, stamp: u64) -> Ticks {
        let done = self.moves.partition_point(|step| step.returned < stamp);
        self.tick_after(done)
    }

    /// The time was at most this.
    pub(crate) fn latest(&self, stamp: u64) -> Ticks {
        let begun = self.moves.partition_point(|step| step.invoked < stamp);
        self.tick_after(begun)
    }

    fn tick_after(&self, moves: usize) -> Ticks {
        moves
            .checked_sub(1)
            .map_or(self.start, |last| self.moves[last].tick)
    }
}

/// All that happened to one key.
#[derive(Debug)]
pub(crate) struct History {
    /// Those of one thread in the order in which it made them.
    pub(crate) operations: Vec<Operation>,
    /// Whether the cache may drop the entry at any moment (evictions, expiry).
    pub(crate) may_drop: bool,
}
