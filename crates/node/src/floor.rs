//! The least that a cache could be, to compare with: one multiplication for a hash, one word of index, one record with key
//! and value, written in place. Nothing is removed, nothing expires, nothing is counted, and nobody else reads or writes.

use std::array;

/// More entries than the benchmark stores.
const RECORDS_MAX: usize = 1024;
/// Four times as many, so that most searches end where they begin.
const PLACES: usize = 4 * RECORDS_MAX;
const KEY_BYTES_MAX: usize = 24;
const VALUE_BYTES: usize = 100;

/// See the module's documentation.
pub struct Floor {
    /// Number of the record plus one, or 0.
    places: [u16; PLACES],
    records: Vec<Record>,
}

struct Record {
    key_length: usize,
    key: [u8; KEY_BYTES_MAX],
    value: [u8; VALUE_BYTES],
}

impl Floor {
    pub const fn new() -> Floor {
        Floor {
            places: [0; PLACES],
            records: Vec::new(),
        }
    }

    #[inline(always)]
    pub fn get(&self, key: &[u8]) -> Option<&[u8; VALUE_BYTES]> {
        let number = self.search(key).1?;
        Some(&self.records[number].value)
    }

    /// Stores the beginning of `value`, with blanks if it is too short. A key that is too long, or one too many, is not
    /// stored.
    #[inline(always)]
    pub fn set(&mut self, key: &[u8], value: &[u8]) {
        let value = match value.first_chunk() {
            Some(value) => *value,
            None => array::from_fn(|at| *value.get(at).unwrap_or(&b' ')),
        };
        match self.search(key) {
            (_, Some(number)) => self.records[number].value = value,
            (place, None) => self.add(place, key, value),
        }
    }

    #[cold]
    fn add(&mut self, place: usize, key: &[u8], value: [u8; VALUE_BYTES]) {
        if self.records.len() == RECORDS_MAX || key.len() > KEY_BYTES_MAX {
            return;
        }
        self.records.push(Record {
            key_length: key.len(),
            key: array::from_fn(|at| *key.get(at).unwrap_or(&0)),
            value,
        });
        self.places[place] = self.records.len() as u16;
    }

    /// Where a key's number is or would be, and the number.
    #[inline(always)]
    fn search(&self, key: &[u8]) -> (usize, Option<usize>) {
        let mut place = hash(key) as usize % PLACES;
        while self.places[place] != 0 {
            let number = usize::from(self.places[place]) - 1;
            let record = &self.records[number];
            if record.key_length == key.len() && &record.key[..key.len()] == key {
                return (place, Some(number));
            }
            place = (place + 1) % PLACES;
        }
        (place, None)
    }
}

/// Of the first and the last eight bytes: less than a hash should do.
#[inline(always)]
fn hash(key: &[u8]) -> u64 {
    let length = key.len().min(8);
    let [mut first, mut last] = [[0; 8]; 2];
    first[..length].copy_from_slice(&key[..length]);
    last[..length].copy_from_slice(&key[key.len() - length..]);
    let factors = [
        u64::from_ne_bytes(first) ^ 0x9E37_79B9_7F4A_7C15,
        u64::from_ne_bytes(last) ^ 0x2545_F491_4F6C_DD1D,
    ];
    let product = u128::from(factors[0]) * u128::from(factors[1]);
    (product >> 64) as u64 ^ product as u64
}
