//! Keys of the stress tests, and how a value is looked at.

pub(crate) use crate::rng::Rng;
pub(crate) use crate::self_proving::fill;

use crate::self_proving::verify;
use nearcache_engine::Value;

pub(crate) fn name_of(n: usize) -> Vec<u8> {
    // Every fifth begins otherwise, for `delete_prefix`.
    let name = format!(
        "{}{n}",
        if n.is_multiple_of(5) {
            "prefix:"
        } else {
            "key:"
        }
    );
    // Every 17th is so long that a small page's slot doesn't hold it.
    if n % 17 == 3 {
        format!("{name}:{}", "x".repeat(1_100)).into_bytes()
    } else {
        name.into_bytes()
    }
}

pub(crate) fn number_of(name: &[u8]) -> usize {
    let digits = name.split(|byte| *byte == b':').nth(1).unwrap();
    std::str::from_utf8(digits).unwrap().parse().unwrap()
}

/// Checks a value, in place if it lies in one piece; with `linger` twice, with other threads in between.
pub(crate) fn read_value(n: usize, value: &Value<'_>, linger: bool, buffer: &mut Vec<u8>) -> u32 {
    let mut once = || match value.as_contiguous() {
        Some(bytes) => verify(n, bytes),
        None => {
            buffer.resize(value.len(), 0);
            value.copy_to(buffer);
            verify(n, buffer)
        }
    };
    let write = once();
    assert_eq!(value.kind() as u32, write % 16);
    if linger {
        std::thread::yield_now();
        assert_eq!(once(), write);
    }
    write
}
