//! A first pass over a trace: how many keys it has, and how many bytes they are in all.
//!
//! This is what a fraction of a trace's keys needs, and the one thing here whose memory grows with the
//! trace: about 10 bytes per unique key for its number, 20 where sizes are kept too.

use crate::error::Error;
use crate::format::Reader;
use crate::request::{KeyMap, KeySet, Op};

/// What a trace holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Keys that are read or written.
    pub unique: u64,
    /// The sum of the largest size of each key, if sizes were asked for.
    pub footprint_bytes: u64,
    /// The smallest size of a key, if sizes were asked for.
    pub smallest_bytes: u64,
    /// Reads.
    pub requests: u64,
}

/// Reads a trace to its end. `sizes`: they are asked for, and this is the size of a value of which the trace says none.
///
/// # Errors
/// As the reader.
pub fn survey(reader: &mut dyn Reader, sizes: Option<u64>) -> Result<Survey, Error> {
    let mut survey = Survey::default();
    let mut keys = KeySet::default();
    let mut largest: KeyMap<u64> = KeyMap::default();
    while let Some(request) = reader.next()? {
        survey.requests += u64::from(request.op == Op::Read);
        if request.op == Op::Delete {
            continue;
        }
        match sizes {
            None => {
                keys.insert(request.key);
            }
            Some(_) => {
                let size = request.size.map_or(0, |size| size.max(1));
                let kept = largest.entry(request.key).or_default();
                *kept = size.max(*kept);
            }
        }
    }
    if let Some(value_bytes) = sizes {
        // Those of which no request says a size.
        let unknown = largest.values_mut().filter(|size| **size == 0);
        unknown.for_each(|size| *size = value_bytes.max(1));
    }
    survey.unique = (keys.len() + largest.len()) as u64;
    survey.smallest_bytes = largest.values().copied().min().unwrap_or(0);
    survey.footprint_bytes = largest
        .values()
        .fold(0, |sum, size| sum.saturating_add(*size));
    Ok(survey)
}
