//! libCacheSim's `oracleGeneral` records of 24 bytes, little-endian: time in seconds (32 bits), key (64),
//! size (32), and when the key is used next (64), which is not used here.

use super::records::{Records, u32_at, u64_at};
use super::{Notes, Reader, Timekeeper};
use crate::error::Error;
use crate::input::Input;
use crate::request::Request;

/// Bytes of a record.
pub(crate) const RECORD_BYTES: usize = 24;

/// See the module's documentation.
pub(crate) struct Oracle {
    records: Records<RECORD_BYTES>,
    time: Timekeeper,
}

impl Oracle {
    pub(crate) fn new(input: Input) -> Self {
        Self {
            records: Records::new(input),
            time: Timekeeper::default(),
        }
    }
}

impl Reader for Oracle {
    fn next(&mut self) -> Result<Option<Request>, Error> {
        let mut record = [0; RECORD_BYTES];
        if !self.records.read(&mut record, RECORD_BYTES)? {
            return Ok(None);
        }
        let mut request = Request::read(u64_at(&record, 4));
        request.size = Some(u64::from(u32_at(&record, 12)));
        request.time_ms = Some(self.time.keep(u64::from(u32_at(&record, 0)) * 1_000));
        Ok(Some(request))
    }

    fn notes(&self) -> Notes {
        Notes {
            times_backwards: self.time.backwards,
            ..Notes::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Reading, read_all};

    #[test]
    fn time_key_and_size_are_where_libcachesim_puts_them() {
        let mut bytes = 5u32.to_le_bytes().to_vec();
        bytes.extend(0x0123_4567_89ab_cdefu64.to_le_bytes());
        bytes.extend(4_096u32.to_le_bytes());
        bytes.extend((-1i64).to_le_bytes());
        let reading = Reading {
            format: Some(Format::OracleGeneral),
            ..Reading::default()
        };
        let all = read_all("trace", &bytes, &reading).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(
            (all[0].key, all[0].size, all[0].time_ms),
            (0x0123_4567_89ab_cdef, Some(4_096), Some(5_000))
        );
    }
}
