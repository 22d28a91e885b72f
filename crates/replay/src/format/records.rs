//! Records of one length, which the binary formats consist of.

use crate::error::Error;
use crate::input::Input;
use std::io::{ErrorKind, Read};

/// See the module's documentation.
pub(crate) struct Records<const N: usize> {
    pub(crate) input: Input,
    /// Those that were read.
    count: u64,
}

impl<const N: usize> Records<N> {
    pub(crate) fn new(input: Input) -> Self {
        Self { input, count: 0 }
    }

    /// Fills the first `length` bytes of a record; false at the end of the file.
    pub(crate) fn read(&mut self, record: &mut [u8; N], length: usize) -> Result<bool, Error> {
        let mut found = 0;
        while found < length {
            match self.input.reader.read(&mut record[found..length]) {
                Ok(0) if found == 0 => return Ok(false),
                Ok(0) => {
                    return Err(Error::PartialRecord {
                        path: self.input.path.clone(),
                        at: self.count + 1,
                        found,
                        record_bytes: length,
                    });
                }
                Ok(more) => found += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::reading(&self.input.path)(error)),
            }
        }
        self.count += 1;
        Ok(true)
    }
}

/// The number at an offset of a record.
pub(crate) fn u32_at(record: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&record[at..at + 4]);
    u32::from_le_bytes(word)
}

/// The number at an offset of a record.
pub(crate) fn u64_at(record: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&record[at..at + 8]);
    u64::from_le_bytes(word)
}
