//! Packed little-endian records: a key of 64 bits, then size and time in seconds of 32 bits each,
//! as the part of the file's name before `.bin` says (`k`, `kt`, `ks`, `kst`).

use super::{Notes, Reader, Timekeeper};
use crate::error::Error;
use crate::input::Input;
use crate::request::Request;
use std::io::Read;
use std::path::Path;

/// See the module's documentation.
pub(crate) struct Bin {
    input: Input,
    layout: Layout,
    records: u64,
    time: Timekeeper,
}

#[derive(Clone, Copy)]
struct Layout {
    has_size: bool,
    has_time: bool,
}

impl Layout {
    fn of(name: &Path) -> Option<Self> {
        let stem = Path::new(name.file_stem()?);
        let (has_size, has_time) = match stem.extension()?.to_str()? {
            "k" => (false, false),
            "kt" => (false, true),
            "ks" => (true, false),
            "kst" => (true, true),
            _ => return None,
        };
        Some(Self { has_size, has_time })
    }

    fn record_bytes(self) -> usize {
        8 + 4 * (usize::from(self.has_size) + usize::from(self.has_time))
    }
}

impl Bin {
    pub(crate) fn new(input: Input) -> Result<Self, Error> {
        let layout = Layout::of(&input.name).ok_or_else(|| Error::Layout {
            path: input.path.clone(),
        })?;
        Ok(Self {
            input,
            layout,
            records: 0,
            time: Timekeeper::default(),
        })
    }

    /// Fills `record`; false at the end of the file.
    fn fill(&mut self, record: &mut [u8]) -> Result<bool, Error> {
        let mut found = 0;
        while found < record.len() {
            match self.input.reader.read(&mut record[found..]) {
                Ok(0) if found == 0 => return Ok(false),
                Ok(0) => {
                    return Err(Error::PartialRecord {
                        path: self.input.path.clone(),
                        at: self.records + 1,
                        found,
                        record_bytes: record.len(),
                    });
                }
                Ok(more) => found += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::reading(&self.input.path)(error)),
            }
        }
        Ok(true)
    }
}

impl Reader for Bin {
    fn next(&mut self) -> Result<Option<Request>, Error> {
        let mut record = [0; 16];
        let length = self.layout.record_bytes();
        if !self.fill(&mut record[..length])? {
            return Ok(None);
        }
        self.records += 1;
        let word =
            |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().expect("four bytes"));
        let key = u64::from_le_bytes(record[..8].try_into().expect("eight bytes"));
        let mut request = Request::read(key);
        let mut at = 8;
        if self.layout.has_size {
            request.size = Some(u64::from(word(at)));
            at += 4;
        }
        if self.layout.has_time {
            request.time_ms = Some(self.time.keep(u64::from(word(at)) * 1_000));
        }
        Ok(Some(request))
    }

    fn notes(&self) -> Notes {
        Notes {
            times_backwards: self.time.backwards,
            ..Notes::default()
        }
    }
}
