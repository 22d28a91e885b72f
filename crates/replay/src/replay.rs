//! Replays one trace against any number of caches at once, so that it is read once.

use crate::error::Error;
use crate::format::Reader;
use crate::policy::{self, Capacity, EntrySize, Policy, PolicyKind};
use crate::request::{KeyMap, Op, Request};
use crate::survey::Survey;
use std::path::Path;
use std::time::Instant;

/// Requests that one cache answers before the next one's turn: few enough to stay in the processor's
/// cache, enough that taking the time costs nothing.
const BATCH: usize = 4_096;

/// What a capacity counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Entries, all alike.
    Object,
    /// Bytes.
    Byte,
}

impl Mode {
    /// Its name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Byte => "byte",
        }
    }
}

/// Sizes of the caches.
#[derive(Clone, Debug, PartialEq)]
pub enum Sizes {
    /// Entries.
    Entries(Vec<u64>),
    /// Budgets in bytes.
    Memory(Vec<u64>),
    /// Parts of the trace's unique keys, or of their bytes.
    Fraction(Vec<f64>),
}

/// What to replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Which caches.
    pub policies: Vec<PolicyKind>,
    /// Each in these sizes.
    pub sizes: Sizes,
    /// What a size counts.
    pub mode: Mode,
    /// Bytes of a value where the trace says none, and of all values in object mode.
    pub value_bytes: u64,
    /// What nearcache's random choices are made from.
    pub seed: u64,
}

/// One cache's answers to one trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The trace's name.
    pub trace: String,
    /// Which cache.
    pub policy: PolicyKind,
    /// What its capacity counts.
    pub mode: Mode,
    /// Entries or bytes.
    pub capacity: u64,
    /// Of the trace, where it was given so.
    pub fraction: Option<f64>,
    /// Reads.
    pub requests: u64,
    /// Reads that were answered.
    pub hits: u64,
    /// Bytes of values that were read, where the trace says sizes.
    pub request_bytes: u64,
    /// Bytes of values that were answered.
    pub hit_bytes: u64,
    /// Entries that went to make room.
    pub evictions: u64,
    /// New entries that were refused, and values that don't fit.
    pub rejected: u64,
    /// Entries whose time was over.
    pub expired: u64,
    /// Entries at the end.
    pub entries: u64,
    /// Time that the cache took.
    pub seconds: f64,
}

impl Row {
    /// Part of the reads that were answered.
    pub fn hit_ratio(&self) -> f64 {
        ratio(self.hits, self.requests)
    }

    /// Part of the bytes that were answered; `None` for a trace without sizes.
    pub fn byte_hit_ratio(&self) -> Option<f64> {
        (self.request_bytes > 0).then(|| ratio(self.hit_bytes, self.request_bytes))
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

impl Plan {
    /// Whether [`Self::run`] needs a [`Survey`].
    pub fn needs_survey(&self) -> bool {
        matches!(self.sizes, Sizes::Fraction(_))
    }

    /// What [`crate::survey::survey`] should count.
    pub fn survey_sizes(&self) -> Option<u64> {
        (self.mode == Mode::Byte).then_some(self.value_bytes)
    }

    fn capacities(&self, survey: Survey) -> Vec<(Capacity, Option<f64>)> {
        match &self.sizes {
            Sizes::Entries(all) => all.iter().map(|n| (Capacity::Entries(*n), None)).collect(),
            Sizes::Memory(all) => all.iter().map(|n| (Capacity::Budget(*n), None)).collect(),
            Sizes::Fraction(all) => all
                .iter()
                .map(|fraction| (self.capacity_of(*fraction, survey), Some(*fraction)))
                .collect(),
        }
    }

    fn capacity_of(&self, fraction: f64, survey: Survey) -> Capacity {
        // Halves to even, as the reference hit ratios were counted.
        let part = |whole: u64| ((whole as f64 * fraction).round_ties_even() as u64).max(1);
        match self.mode {
            Mode::Object => Capacity::Entries(part(survey.unique)),
            Mode::Byte => {
                let bytes = part(survey.footprint_bytes);
                Capacity::ValueBytes {
                    bytes,
                    entries_max: survey.unique.min(bytes / survey.smallest_bytes.max(1) + 1),
                }
            }
        }
    }

    /// Replays a trace.
    ///
    /// # Errors
    /// As the reader; or if a size is refused; or if there is no read in the trace.
    pub fn run(
        &self,
        path: &Path,
        reader: &mut dyn Reader,
        survey: Survey,
    ) -> Result<Vec<Row>, Error> {
        let mut cells = self.open(&trace_name(path), survey)?;
        let mut batch = Vec::with_capacity(BATCH);
        let (mut reads, mut others) = (0, 0);
        let mut known = KnownSizes::default();
        loop {
            batch.clear();
            while batch.len() < BATCH {
                let Some(mut request) = reader.next()? else {
                    break;
                };
                if request.op == Op::Read {
                    reads += 1;
                } else {
                    others += 1;
                }
                if self.mode == Mode::Byte {
                    known.complete(&mut request, self.value_bytes);
                }
                batch.push(request);
            }
            if batch.is_empty() {
                break;
            }
            cells.iter_mut().for_each(|cell| cell.answer(&batch));
        }
        if reads == 0 {
            let path = path.to_owned();
            return Err(match others {
                0 => Error::Empty { path },
                others => Error::NoReads { path, others },
            });
        }
        if self.mode == Mode::Byte && !known.any {
            return Err(Error::NoSizes {
                path: path.to_owned(),
            });
        }
        Ok(cells.into_iter().map(Cell::finish).collect())
    }

    fn open(&self, trace: &str, survey: Survey) -> Result<Vec<Cell>, Error> {
        let size = EntrySize {
            value_bytes: self.value_bytes,
            from_trace: self.mode == Mode::Byte,
        };
        let mut cells = Vec::new();
        for (capacity, fraction) in self.capacities(survey) {
            for &kind in &self.policies {
                cells.push(Cell {
                    policy: policy::open_with_seed(kind, capacity, size, self.seed)?,
                    row: Row {
                        trace: trace.to_owned(),
                        policy: kind,
                        mode: self.mode,
                        capacity: capacity.number(),
                        fraction,
                        requests: 0,
                        hits: 0,
                        request_bytes: 0,
                        hit_bytes: 0,
                        evictions: 0,
                        rejected: 0,
                        expired: 0,
                        entries: 0,
                        seconds: 0.0,
                    },
                });
            }
        }
        Ok(cells)
    }
}

/// Sizes of traces in which writes have one and reads have none, as those of `MONITOR`.
#[derive(Default)]
struct KnownSizes {
    /// What was written last, by key. Empty where reads have sizes: the memory of others grows with their keys.
    written: KeyMap<u64>,
    /// Whether there was a size at all.
    any: bool,
    reads_have_sizes: bool,
}

impl KnownSizes {
    /// Gives a read without a size that of its key, or `value_bytes` if none is known.
    fn complete(&mut self, request: &mut Request, value_bytes: u64) {
        self.any |= request.size.is_some();
        match (request.op, request.size) {
            (Op::Read, Some(_)) if !self.reads_have_sizes => {
                self.reads_have_sizes = true;
                self.written = KeyMap::default();
            }
            (Op::Read, None) => {
                let known = self.written.get(&request.key).copied();
                request.size = known.or(Some(value_bytes));
            }
            (Op::Write, Some(size)) if !self.reads_have_sizes => {
                self.written.insert(request.key, size);
            }
            _ => {}
        }
    }
}

/// The name of a trace: that of its file up to the endings.
pub fn trace_name(path: &Path) -> String {
    let name = path
        .file_name()
        .map_or_else(|| "-".into(), |name| name.to_string_lossy());
    let mut name = name.as_ref();
    for endings in [
        &[".gz", ".gzip", ".zst", ".zstd"][..],
        &[
            ".bin", ".csv", ".log", ".txt", ".keys", ".trace", ".trc", ".lis",
        ][..],
        &[".k", ".kt", ".ks", ".kst"][..],
    ] {
        for ending in endings {
            if let Some(stem) = name.strip_suffix(ending).filter(|stem| !stem.is_empty()) {
                name = stem;
                break;
            }
        }
    }
    name.to_owned()
}

struct Cell {
    policy: Box<dyn Policy>,
    row: Row,
}

impl Cell {
    fn answer(&mut self, batch: &[Request]) {
        let started = Instant::now();
        for request in batch {
            match request.op {
                Op::Read => {
                    let hit = self.policy.read(request);
                    let size = request.size.unwrap_or(0);
                    self.row.requests += 1;
                    self.row.request_bytes = self.row.request_bytes.saturating_add(size);
                    self.row.hits += u64::from(hit);
                    if hit {
                        self.row.hit_bytes = self.row.hit_bytes.saturating_add(size);
                    }
                }
                Op::Write => self.policy.write(request),
                Op::Delete => self.policy.delete(request),
            }
        }
        self.row.seconds += started.elapsed().as_secs_f64();
    }

    fn finish(mut self) -> Row {
        let counts = self.policy.counts();
        self.row.evictions = counts.evictions;
        self.row.rejected = counts.rejected;
        self.row.expired = counts.expired;
        self.row.entries = self.policy.entries();
        self.row
    }
}
