//! Packed little-endian records: a key of 64 bits, then size and time in seconds of 32 bits each,
//! as the part of the file's name before `.bin` says (`k`, `kt`, `ks`, `kst`).

use super::records::{Records, u32_at, u64_at};
use super::{Notes, Reader, Timekeeper};
use crate::error::Error;
use crate::input::Input;
use crate::request::Request;
use std::path::Path;

const RECORD_BYTES_MAX: usize = 16;

/// See the module's documentation.
pub(crate) struct Bin {
    records: Records<RECORD_BYTES_MAX>,
    layout: Layout,
    time: Timekeeper,
}

/// What a record has beside its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    has_size: bool,
    has_time: bool,
}

impl Layout {
    fn of(name: &Path) -> Option<Self> {
        let stem = Path::new(name.file_stem()?);
        Self::named(stem.extension()?.to_str()?)
    }

    /// The layout of a name: `k`, `kt`, `ks` or `kst`.
    pub fn named(name: &str) -> Option<Self> {
        let (has_size, has_time) = match name {
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
    /// `layout` where the name doesn't say it.
    pub(crate) fn new(input: Input, layout: Option<Layout>) -> Result<Self, Error> {
        let layout = layout
            .or_else(|| Layout::of(&input.name))
            .ok_or_else(|| Error::Layout {
                path: input.path.clone(),
            })?;
        Ok(Self {
            records: Records::new(input),
            layout,
            time: Timekeeper::default(),
        })
    }
}

impl Reader for Bin {
    fn next(&mut self) -> Result<Option<Request>, Error> {
        let mut record = [0; RECORD_BYTES_MAX];
        if !self.records.read(&mut record, self.layout.record_bytes())? {
            return Ok(None);
        }
        let mut request = Request::read(u64_at(&record, 0));
        let mut at = 8;
        if self.layout.has_size {
            request.size = Some(u64::from(u32_at(&record, at)));
            at += 4;
        }
        if self.layout.has_time {
            let time_ms = u64::from(u32_at(&record, at)) * 1_000;
            request.time_ms = Some(self.time.keep(time_ms));
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

#[cfg(test)]
mod tests {
    use super::super::{Reading, read_all};
    use super::*;

    fn read(name: &str, bytes: &[u8]) -> Result<Vec<Request>, Error> {
        read_all(name, bytes, &Reading::default())
    }

    fn record(key: u64, words: &[u32]) -> Vec<u8> {
        let mut bytes = key.to_le_bytes().to_vec();
        words
            .iter()
            .for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes
    }

    #[test]
    fn the_four_layouts_are_read_as_the_name_says() {
        let facts = |name: &str, words: &[u32]| {
            let all = read(name, &record(7, words)).unwrap();
            assert_eq!((all.len(), all[0].key), (1, 7));
            (all[0].size, all[0].time_ms)
        };
        assert_eq!(facts("a.k.bin", &[]), (None, None));
        assert_eq!(facts("a.kt.bin", &[3]), (None, Some(3_000)));
        assert_eq!(facts("a.ks.bin", &[5]), (Some(5), None));
        assert_eq!(facts("a.kst.bin", &[5, 3]), (Some(5), Some(3_000)));
    }

    #[test]
    fn sizes_of_zero_and_of_just_under_4_gib_are_sizes() {
        let bytes = [record(1, &[0]), record(2, &[u32::MAX])].concat();
        let sizes: Vec<_> = read("a.ks.bin", &bytes)
            .unwrap()
            .iter()
            .map(|request| request.size)
            .collect();
        assert_eq!(sizes, [Some(0), Some(u64::from(u32::MAX))]);
    }

    #[test]
    fn a_file_that_ends_within_a_record_is_an_error_that_says_where() {
        let mut bytes = [record(1, &[2, 3]), record(2, &[2, 3])].concat();
        bytes.truncate(29);
        let error = read("dir/a.kst.bin", &bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "dir/a.kst.bin: ends within record 2: 13 bytes are left of records of 16"
        );
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    fn times_that_run_backwards_stand_still_and_are_counted() {
        let bytes = [record(1, &[10]), record(1, &[4]), record(1, &[11])].concat();
        let mut bin = Bin::new(Input::of_bytes("a.kt.bin", &bytes), None).unwrap();
        let times: Vec<_> = std::iter::from_fn(|| bin.next().unwrap())
            .map(|request| request.time_ms)
            .collect();
        assert_eq!(times, [Some(10_000), Some(10_000), Some(11_000)]);
        assert_eq!(bin.notes().times_backwards, 1);
    }

    #[test]
    fn a_name_without_a_layout_is_refused() {
        for name in ["a.bin", "a.tsk.bin", ".bin"] {
            let reading = Reading {
                format: Some(super::super::Format::Bin),
                ..Reading::default()
            };
            let error = read_all(name, &[0; 8], &reading).unwrap_err();
            assert!(matches!(error, Error::Layout { .. }), "{name}: {error}");
        }
    }
}
