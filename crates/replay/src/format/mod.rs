//! Which formats a trace may have, how one is recognised, and what a reader of any of them does.

mod arc;
mod bin;
mod clf;
mod csv;
mod detect;
mod keys;
mod lines;
mod lirs;
mod monitor;
mod oracle;
mod records;
mod twitter;

use crate::error::Error;
use crate::input::Input;
use crate::request::Request;
pub use bin::Layout;
use lines::Lines;
pub(crate) use lines::{SIZE_BYTES_MAX, printable, size};

/// A format of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Packed little-endian records: `NAME.LAYOUT.bin`.
    Bin,
    /// One key a line.
    Keys,
    /// A table with named columns.
    Csv,
    /// What `redis-cli MONITOR` prints.
    Monitor,
    /// A web server's access log, common or combined.
    Clf,
    /// The published Twitter cache traces.
    Twitter,
    /// The traces of the ARC paper.
    Arc,
    /// The traces of the LIRS paper.
    Lirs,
    /// libCacheSim's binary records.
    OracleGeneral,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Bin,
        Self::Keys,
        Self::Csv,
        Self::Monitor,
        Self::Clf,
        Self::Twitter,
        Self::Arc,
        Self::Lirs,
        Self::OracleGeneral,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bin => "bin",
            Self::Keys => "keys",
            Self::Csv => "csv",
            Self::Monitor => "monitor",
            Self::Clf => "clf",
            Self::Twitter => "twitter",
            Self::Arc => "arc",
            Self::Lirs => "lirs",
            Self::OracleGeneral => "oracle-general",
        }
    }
}

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The format; by default it is told from name and content.
    pub format: Option<Format>,
    /// The layout of packed records; by default the name of the file says it.
    pub layout: Option<Layout>,
    /// Which columns of a table to use.
    pub columns: Columns,
    /// Count malformed lines instead of failing at the first.
    pub skip_bad_lines: bool,
    /// Keep the text of keys, see [`Request::name`].
    pub keep_names: bool,
}

/// The names of columns; by default names that are usual. A number is the column's place, from 1, in a
/// table without a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The key.
    pub key: Option<String>,
    /// The size of the value in bytes.
    pub size: Option<String>,
    /// The time, in seconds unless the name ends in `_ms`, `_us` or `_ns`.
    pub time: Option<String>,
    /// The time to live, in seconds unless the name says otherwise.
    pub ttl: Option<String>,
    /// The operation: reads begin with `get` or `read`, deletions with `del`; others write.
    pub op: Option<String>,
}

/// Reads requests one after the other.
pub trait Reader {
    /// The next request; `None` at the end.
    ///
    /// # Errors
    /// If reading fails, or a line is malformed and malformed lines are not skipped.
    fn next(&mut self) -> Result<Option<Request>, Error>;

    /// What was passed over or mended.
    fn notes(&self) -> Notes {
        Notes::default()
    }
}

/// What a reader did not take as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Malformed lines that were skipped.
    pub bad_lines: u64,
    /// Lines that are in order and no requests for a key, such as `PING`.
    pub other_lines: u64,
    /// Times that lay before an earlier one, and were taken for the latest so far.
    pub times_backwards: u64,
}

/// Keeps time from running backwards.
#[derive(Default)]
pub(crate) struct Timekeeper {
    latest_ms: u64,
    pub(crate) backwards: u64,
}

impl Timekeeper {
    pub(crate) fn keep(&mut self, time_ms: u64) -> u64 {
        if time_ms < self.latest_ms {
            self.backwards += 1;
        }
        self.latest_ms = self.latest_ms.max(time_ms);
        self.latest_ms
    }
}

/// A reader for an input.
///
/// # Errors
/// If the format can't be told, or the file doesn't begin as it should.
pub fn reader(mut input: Input, reading: &Reading) -> Result<Box<dyn Reader>, Error> {
    let format = match reading.format {
        Some(format) => format,
        None => detect::detect(&mut input)?,
    };
    if !matches!(format, Format::Bin | Format::OracleGeneral) {
        input.pass_over_mark()?;
    }
    Ok(match format {
        Format::Bin => Box::new(bin::Bin::new(input, reading.layout)?),
        Format::OracleGeneral => Box::new(oracle::Oracle::new(input)),
        Format::Keys => Box::new(Lines::new(input, reading, keys::Keys)),
        Format::Csv => {
            let table = csv::Csv::new(&mut input, &reading.columns)?;
            let lines_before = table.lines_before();
            Box::new(Lines::new(input, reading, table).after(lines_before))
        }
        Format::Monitor => Box::new(Lines::new(input, reading, monitor::Monitor)),
        Format::Clf => Box::new(Lines::new(input, reading, clf::Clf)),
        Format::Twitter => Box::new(Lines::new(input, reading, twitter::Twitter)),
        Format::Arc => Box::new(Lines::new(input, reading, arc::Arc)),
        Format::Lirs => Box::new(Lines::new(input, reading, lirs::Lirs)),
    })
}

/// Reads all of a text in one format, for tests.
#[cfg(test)]
pub(crate) fn read_all(name: &str, bytes: &[u8], reading: &Reading) -> Result<Vec<Request>, Error> {
    let mut reader = reader(Input::of_bytes(name, bytes), reading)?;
    let mut all = Vec::new();
    while let Some(request) = reader.next()? {
        all.push(request);
    }
    Ok(all)
}
