//! Which formats a trace may have, how one is recognised, and what a reader of any of them does.

mod bin;

use crate::error::Error;
use crate::input::Input;
use crate::request::Request;

/// A format of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Packed little-endian records: `NAME.LAYOUT.bin`.
    Bin,
}

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Count malformed lines instead of failing at the first.
    pub skip_bad_lines: bool,
    /// Keep the text of keys, see [`Request::name`].
    pub keep_names: bool,
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
pub fn reader(
    input: Input,
    format: Option<Format>,
    reading: &Reading,
) -> Result<Box<dyn Reader>, Error> {
    let _ = reading;
    match format.unwrap_or(Format::Bin) {
        Format::Bin => Ok(Box::new(bin::Bin::new(input)?)),
    }
}
